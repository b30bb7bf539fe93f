# embed_directory(NAME DIRECTORY PATTERN)
#
# A static library NAME that holds the text of every file in DIRECTORY that matches PATTERN, so that the binary needs
# none of them beside it. Header: embedded/NAME.hpp with
#   std::span<const EmbeddedFile> NAME();        // in order of the names
function(embed_directory NAME DIRECTORY PATTERN)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${DIRECTORY}/${PATTERN})
  set(out ${CMAKE_BINARY_DIR}/embedded/${NAME})
  file(MAKE_DIRECTORY ${out}/embedded)
  add_custom_command(
    OUTPUT ${out}/${NAME}.cpp ${out}/embedded/${NAME}.hpp
    COMMAND ${CMAKE_COMMAND} -DNAME=${NAME} -DDIRECTORY=${CMAKE_SOURCE_DIR}/${DIRECTORY} -DPATTERN=${PATTERN} -DOUT=${out}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    VERBATIM)
  add_library(${NAME} STATIC ${out}/${NAME}.cpp ${out}/embedded/${NAME}.hpp)
  target_include_directories(${NAME} PUBLIC ${out})
endfunction()

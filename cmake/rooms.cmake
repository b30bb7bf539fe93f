# room(NAME [ROOMS folder...] [DEPENDS room...] [LINK target...])
#
# One static library `peerwright_NAME` out of src/<folder>/*.cpp. Its code sees the public headers of its own folders and
# of the rooms that DEPENDS names, and no others: each library gets an include directory of links to exactly its own
# headers, so an include against the direction of the arrows does not compile.
function(room NAME)
  cmake_parse_arguments(R "" "" "ROOMS;DEPENDS;LINK" ${ARGN})
  if(NOT R_ROOMS)
    set(R_ROOMS ${NAME})
  endif()
  set(view ${CMAKE_BINARY_DIR}/rooms/${NAME})
  set(sources "")
  foreach(folder IN LISTS R_ROOMS)
    file(MAKE_DIRECTORY ${view}/peerwright)
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/include/peerwright/${folder} ${view}/peerwright/${folder} SYMBOLIC)
    file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cpp)
    list(APPEND sources ${files})
  endforeach()
  add_library(peerwright_${NAME} STATIC ${sources})
  target_include_directories(peerwright_${NAME} PUBLIC ${view})
  list(TRANSFORM R_DEPENDS PREPEND peerwright_)
  target_link_libraries(peerwright_${NAME} PUBLIC ${R_DEPENDS} ${R_LINK})
endfunction()

# Writes the two files that cmake/embed.cmake describes.
file(WRITE ${OUT}/embedded/${NAME}.hpp.new
"#pragma once
#include <span>
#include <string_view>

#ifndef PEERWRIGHT_EMBEDDED_FILE
#define PEERWRIGHT_EMBEDDED_FILE
struct EmbeddedFile {
  std::string_view name;
  std::string_view text;
};
#endif

std::span<const EmbeddedFile> ${NAME}();
")
file(COPY_FILE ${OUT}/embedded/${NAME}.hpp.new ${OUT}/embedded/${NAME}.hpp ONLY_IF_DIFFERENT)
file(GLOB files ${DIRECTORY}/${PATTERN})
list(SORT files)
set(rows "")
set(count 0)
foreach(path IN LISTS files)
  get_filename_component(name ${path} NAME)
  # As hexadecimal, for a string literal has a length that compilers must accept and a file has none.
  file(READ ${path} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "char(0x\\1)," bytes "${hex}")
  string(APPEND rows "constexpr char kFile${count}[] = {${bytes}'\\0'};\n")
  string(APPEND table "    {\"${name}\", {kFile${count}, sizeof(kFile${count}) - 1}},\n")
  math(EXPR count "${count} + 1")
endforeach()
if(count EQUAL 0)
  set(body "  return {};\n")
else()
  set(body "  static constexpr EmbeddedFile kFiles[] = {\n${table}  };\n  return kFiles;\n")
endif()
file(WRITE ${OUT}/${NAME}.cpp
"#include \"embedded/${NAME}.hpp\"

namespace {
${rows}}

std::span<const EmbeddedFile> ${NAME}() {
${body}}
")

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"

// What the fuzzers share. The source tree that they were built from has to be there: examples and codes are read from
// it.
namespace peerwright::fuzz {

using Json = nlohmann::json;

// Ends the process so that libFuzzer keeps the input.
[[noreturn]] void finding(const std::string& what);
inline void require(bool holds, const std::string& what) {
  if (!holds) finding(what);
}

// Says what happens, to stderr, where PEERWRIGHT_FUZZ_TRACE is set: for repeating a finding.
void trace(const std::string& what);

// A refusal has a code that docs/reference/codes.md explains, and says what a person can do.
void check_refusal(const std::string& code, const std::string& message, const std::string& remedy);

// The valid examples of schemas/examples, in the order of their files' names.
const std::vector<Json>& examples();

// A structured event in CloudEvents' binary mode.
struct Binary {
  std::vector<std::pair<std::string, std::string>> headers;
  std::string payload;
};
Binary binary_of(const Json& event);

}  // namespace peerwright::fuzz

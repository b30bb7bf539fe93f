#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace peerwright {

// Whether the same call can succeed later without anybody changing anything.
enum class Retry {
  never,  // permanent: the input or a setting has to change
  later,  // transient: a connection, a lock, a full disk
};

// What went wrong, for the program and for the person. `code` is stable and lower_snake_case (docs/reference/codes.md);
// `message` says what happened and holds no secret; `remedy` says what a person can do about it.
struct Error {
  std::string code;
  std::string message;
  std::string remedy;
  Retry retry = Retry::never;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> permanent(std::string code, std::string message, std::string remedy = {}) {
  return tl::unexpected<Error>({std::move(code), std::move(message), std::move(remedy), Retry::never});
}

inline tl::unexpected<Error> transient(std::string code, std::string message, std::string remedy = {}) {
  return tl::unexpected<Error>({std::move(code), std::move(message), std::move(remedy), Retry::later});
}

}  // namespace peerwright

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Text that came from outside: what it may hold, and how it is cut and named in messages.
namespace peerwright::events {

// Where the first byte stands that is not well-formed UTF-8 (RFC 3629); npos: nowhere.
std::size_t find_invalid_utf8(std::string_view text);

// C0 controls and DEL.
bool has_control_character(std::string_view text);

// At most `max_bytes`, cut between characters, "..." where something was cut off.
std::string shortened(std::string_view text, std::size_t max_bytes);

// The same text as valid UTF-8 without NUL: each byte that is not is replaced by U+FFFD.
std::string cleaned(std::string_view text);

// One more step of a JSON pointer (RFC 6901).
void append_pointer(std::string& pointer, std::string_view step);

inline constexpr std::size_t kMaxNamedBytes = 200;  // of what a message names: a pointer, a member's name

}  // namespace peerwright::events

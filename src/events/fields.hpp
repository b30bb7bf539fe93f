#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parse.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/wireguard/prefix.hpp"

// What decoders take out of data that fits its schema. `pointer` is the place that errors name.
namespace peerwright::events {

// "" where it is absent.
std::string text_in(const Json& data, std::string_view name, std::string_view fallback = {});
std::int64_t number_in(const Json& data, std::string_view name, std::int64_t fallback);
int int_in(const Json& data, std::string_view name, int fallback);
// The strings of an array; nothing where it is absent.
std::vector<std::string> texts_in(const Json& data, std::string_view name);

// Errors: `key_invalid` and `prefix_invalid`, with the place and without the text.
Result<void> check_key_at(const std::string& pointer, const std::string& key);
Result<wireguard::Prefix> prefix_at(const std::string& pointer, const std::string& text);
// A single address.
Result<wireguard::Prefix> address_at(const std::string& pointer, const std::string& text);

// "/name/3"
std::string item_pointer(std::string_view name, std::size_t index);

}  // namespace peerwright::events

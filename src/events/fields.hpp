#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parse.hpp"
#include "peerwright/base/clock.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/prefix.hpp"

// What decoders take out of data that fits its schema. `pointer` is the place that errors name.
namespace peerwright::events {

// "" where it is absent.
std::string text_in(const Json& data, std::string_view name, std::string_view fallback = {});
std::int64_t number_in(const Json& data, std::string_view name, std::int64_t fallback);
int int_in(const Json& data, std::string_view name, int fallback);
bool flag_in(const Json& data, std::string_view name, bool fallback);
// The strings of an array; nothing where it is absent.
std::vector<std::string> texts_in(const Json& data, std::string_view name);

// nullopt where it is absent.
std::optional<std::string> said_text(const Json& data, std::string_view name);
std::optional<int> said_int(const Json& data, std::string_view name);
std::optional<std::int64_t> said_number(const Json& data, std::string_view name);
std::optional<bool> said_flag(const Json& data, std::string_view name);
// null is said as `cleared`.
std::optional<int> said_int_or_null(const Json& data, std::string_view name, int cleared);

// Errors: `key_invalid`, `prefix_invalid` and `value_invalid`, with the place and without the text.
Result<void> check_key_at(const std::string& pointer, const std::string& key);
Result<wireguard::Prefix> prefix_at(const std::string& pointer, const std::string& text);
// A single address.
Result<wireguard::Prefix> address_at(const std::string& pointer, const std::string& text);
// Of the form "HOST:DIGITS" or "[IPV6]:DIGITS", which the schema has seen to; "" is one too.
Result<void> check_endpoint_at(const std::string& pointer, const std::string& endpoint);
Result<Time> time_at(const std::string& pointer, const std::string& text);
// Text of one line: no control characters. Nothing where it is absent.
Result<std::optional<std::string>> line_in(const Json& data, std::string_view name);

// The addresses of an array in one form, without lengths; the prefixes of an array in one form, without host bits.
Result<std::vector<std::string>> addresses_in(const Json& data, std::string_view name);
Result<std::vector<std::string>> networks_in(const Json& data, std::string_view name);

// The member `metadata` as JSON text; nothing where it is absent.
inline constexpr std::size_t kMaxMetadataBytes = 4096;
inline constexpr std::size_t kMaxMetadataNameBytes = 64;
Result<std::optional<std::string>> metadata_in(const Json& data);

// Words that the schema knows.
wireguard::RuleProtocol protocol_in(const Json& data, std::string_view name);
wireguard::RuleAction action_from(std::string_view word);

// Letters, digits and . _ : @ -, the first a letter or digit; at most 128: for names that are members of an object,
// which no schema of ours can say.
bool is_name(std::string_view text);

// "/name/3"
std::string item_pointer(std::string_view name, std::size_t index);

}  // namespace peerwright::events

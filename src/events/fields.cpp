#include "fields.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "peerwright/wireguard/key.hpp"
#include "text.hpp"
#include "time.hpp"

namespace peerwright::events {
namespace {

constexpr int kMaxPort = 65'535;
constexpr std::size_t kMaxNameBytes = 128;

template <typename Value>
std::optional<Value> said(const Json& data, std::string_view name) {
  const auto found = data.find(name);
  if (found == data.end()) return std::nullopt;
  return found->get<Value>();
}

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

}  // namespace

std::string text_in(const Json& data, std::string_view name, std::string_view fallback) {
  const auto found = data.find(name);
  return found == data.end() ? std::string(fallback) : found->get_ref<const std::string&>();
}

std::int64_t number_in(const Json& data, std::string_view name, std::int64_t fallback) {
  return said<std::int64_t>(data, name).value_or(fallback);
}

int int_in(const Json& data, std::string_view name, int fallback) {
  return static_cast<int>(number_in(data, name, fallback));
}

bool flag_in(const Json& data, std::string_view name, bool fallback) {
  return said<bool>(data, name).value_or(fallback);
}

std::vector<std::string> texts_in(const Json& data, std::string_view name) {
  return said<std::vector<std::string>>(data, name).value_or(std::vector<std::string>());
}

std::optional<std::string> said_text(const Json& data, std::string_view name) { return said<std::string>(data, name); }
std::optional<int> said_int(const Json& data, std::string_view name) { return said<int>(data, name); }
std::optional<std::int64_t> said_number(const Json& data, std::string_view name) {
  return said<std::int64_t>(data, name);
}
std::optional<bool> said_flag(const Json& data, std::string_view name) { return said<bool>(data, name); }

std::optional<int> said_int_or_null(const Json& data, std::string_view name, int cleared) {
  const auto found = data.find(name);
  if (found == data.end()) return std::nullopt;
  return found->is_null() ? cleared : found->get<int>();
}

Result<void> check_key_at(const std::string& pointer, const std::string& key) {
  auto checked = wireguard::check_public_key(key);
  if (!checked) checked.error().message = pointer + ": " + checked.error().message;
  return checked;
}

Result<wireguard::Prefix> prefix_at(const std::string& pointer, const std::string& text) {
  auto prefix = wireguard::Prefix::parse(text);
  if (prefix) return prefix;
  // Its own message repeats the text, which here could be a key in the wrong member.
  return permanent(std::move(prefix.error().code), pointer + ": is no IPv4 or IPv6 prefix",
                   std::move(prefix.error().remedy));
}

Result<wireguard::Prefix> address_at(const std::string& pointer, const std::string& text) {
  auto address = prefix_at(pointer, text);
  const int full_length = address && address->is_ipv4() ? 32 : 128;
  if (address && address->length() != full_length) {
    return permanent("prefix_invalid", pointer + ": is a range, not a single address", "send one address");
  }
  return address;
}

Result<void> check_endpoint_at(const std::string& pointer, const std::string& endpoint) {
  if (endpoint.empty()) return {};
  const std::size_t colon = endpoint.rfind(':');
  int port = 0;
  const auto read = std::from_chars(endpoint.data() + colon + 1, endpoint.data() + endpoint.size(), port);
  if (read.ec != std::errc() || port < 1 || port > kMaxPort) {
    return permanent("value_invalid", pointer + ": the port is not from 1 to 65535", "send host:port");
  }
  if (endpoint.front() != '[') return {};
  auto address = address_at(pointer, endpoint.substr(1, colon - 2));
  if (!address) return tl::unexpected<Error>(std::move(address.error()));
  if (address->is_ipv4()) {
    return permanent("value_invalid", pointer + ": an IPv4 address in brackets", "send it without brackets");
  }
  return {};
}

Result<Time> time_at(const std::string& pointer, const std::string& text) {
  if (const auto time = time_from_rfc3339(text)) return *time;
  return permanent("value_invalid", pointer + ": is no time from 1970 to 9999",
                   "send it as in RFC 3339, with a zone, such as 2026-12-31T23:00:00Z");
}

Result<std::optional<std::string>> line_in(const Json& data, std::string_view name) {
  auto line = said_text(data, name);
  if (line && has_control_character(*line)) {
    return permanent("value_invalid", "/" + std::string(name) + ": has a line break or another control character",
                     "send one line of text");
  }
  return line;
}

Result<std::vector<std::string>> addresses_in(const Json& data, std::string_view name) {
  std::vector<std::string> texts = texts_in(data, name);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto address = address_at(item_pointer(name, i), texts[i]);
    if (!address) return tl::unexpected<Error>(std::move(address.error()));
    texts[i] = address->text(false);
  }
  return texts;
}

Result<std::vector<std::string>> networks_in(const Json& data, std::string_view name) {
  std::vector<std::string> texts = texts_in(data, name);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto prefix = prefix_at(item_pointer(name, i), texts[i]);
    if (!prefix) return tl::unexpected<Error>(std::move(prefix.error()));
    texts[i] = prefix->network().text();
  }
  return texts;
}

Result<std::optional<std::string>> metadata_in(const Json& data) {
  const auto found = data.find("metadata");
  if (found == data.end()) return std::nullopt;
  for (const auto& [name, value] : found->items()) {
    if (name.empty() || name.size() > kMaxMetadataNameBytes || has_control_character(name)) {
      return permanent("value_invalid", "/metadata: a name is empty, longer than 64 bytes or has control characters",
                       "send shorter, plain names");
    }
  }
  std::string text = found->dump();
  if (text.size() > kMaxMetadataBytes) {
    return permanent("value_invalid", "/metadata: has more than 4096 bytes as JSON", "send less");
  }
  return text;
}

wireguard::RuleProtocol protocol_in(const Json& data, std::string_view name) {
  const std::string word = text_in(data, name, "any");
  if (word == "tcp") return wireguard::RuleProtocol::tcp;
  return word == "udp" ? wireguard::RuleProtocol::udp : wireguard::RuleProtocol::any;
}

wireguard::RuleAction action_from(std::string_view word) {
  return word == "allow" ? wireguard::RuleAction::allow : wireguard::RuleAction::deny;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && is_alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_alphanumeric(c) || std::string_view("._:@-").find(c) != std::string_view::npos;
         });
}

std::string item_pointer(std::string_view name, std::size_t index) {
  return "/" + std::string(name) + "/" + std::to_string(index);
}

}  // namespace peerwright::events

#include "fields.hpp"

#include <utility>

#include "peerwright/wireguard/key.hpp"

namespace peerwright::events {
std::string text_in(const Json& data, std::string_view name, std::string_view fallback) {
  const auto found = data.find(name);
  return found == data.end() ? std::string(fallback) : found->get_ref<const std::string&>();
}

std::int64_t number_in(const Json& data, std::string_view name, std::int64_t fallback) {
  const auto found = data.find(name);
  return found == data.end() ? fallback : found->get<std::int64_t>();
}

int int_in(const Json& data, std::string_view name, int fallback) {
  return static_cast<int>(number_in(data, name, fallback));
}

std::vector<std::string> texts_in(const Json& data, std::string_view name) {
  const auto found = data.find(name);
  return found == data.end() ? std::vector<std::string>() : found->get<std::vector<std::string>>();
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

std::string item_pointer(std::string_view name, std::size_t index) {
  return "/" + std::string(name) + "/" + std::to_string(index);
}

}  // namespace peerwright::events

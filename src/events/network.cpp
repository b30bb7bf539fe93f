#include <utility>

#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

constexpr int kDefaultQuarantineSeconds = 86'400;

// The range in the member `name`; nullopt where it is absent.
Result<std::optional<wireguard::Prefix>> range_in(const Json& data, const std::string& name, bool ipv4) {
  if (!data.contains(name)) return std::nullopt;
  const std::string pointer = "/" + name;
  auto range = prefix_at(pointer, text_in(data, name));
  if (!range) return tl::unexpected<Error>(std::move(range.error()));
  if (range->is_ipv4() != ipv4) {
    return permanent("prefix_invalid", pointer + ": is a range of the other family", "send it as the other member");
  }
  if (!range->is_network()) {
    return permanent("prefix_invalid", pointer + ": bits beyond its length are set", "send " + range->network().text());
  }
  return *range;
}

}  // namespace

Result<domain::NetworkSet> decode_network_set(const Json& data) {
  domain::NetworkSet event;
  event.network = text_in(data, "network");
  auto net4 = range_in(data, "ipv4", true);
  if (!net4) return tl::unexpected<Error>(std::move(net4.error()));
  auto net6 = range_in(data, "ipv6", false);
  if (!net6) return tl::unexpected<Error>(std::move(net6.error()));
  event.net4 = *net4;
  event.net6 = *net6;
  const auto reserved = texts_in(data, "reserved");
  for (std::size_t i = 0; i < reserved.size(); ++i) {
    auto address = address_at(item_pointer("reserved", i), reserved[i]);
    if (!address) return tl::unexpected<Error>(std::move(address.error()));
    event.reserved.push_back(*address);
  }
  const auto forbidden = texts_in(data, "forbidden");
  for (std::size_t i = 0; i < forbidden.size(); ++i) {
    auto prefix = prefix_at(item_pointer("forbidden", i), forbidden[i]);
    if (!prefix) return tl::unexpected<Error>(std::move(prefix.error()));
    event.forbidden.push_back(prefix->network());
  }
  event.allow_public = flag_in(data, "allow_public", false);
  event.quarantine_seconds = int_in(data, "quarantine_seconds", kDefaultQuarantineSeconds);
  return event;
}

}  // namespace peerwright::events

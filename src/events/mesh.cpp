#include <utility>

#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

// A member's prefixes beside those of the members before it, so that none is sent to two of them.
struct Ranges {
  std::vector<std::pair<wireguard::Prefix, std::size_t>> taken;  // and by which member

  [[nodiscard]] bool overlap(const wireguard::Prefix& prefix, std::size_t member) const {
    for (const auto& [other, owner] : taken) {
      if (owner != member && other.overlaps(prefix)) return true;
    }
    return false;
  }
};

Result<void> read_ranges(const Json& item, const std::string& pointer, std::size_t index, Ranges& ranges,
                         domain::MeshMember& member) {
  const auto texts = texts_in(item, "allowed_ips");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string place = pointer + item_pointer("allowed_ips", i);
    auto prefix = prefix_at(place, texts[i]);
    if (!prefix) return tl::unexpected<Error>(std::move(prefix.error()));
    const wireguard::Prefix network = prefix->network();
    if (ranges.overlap(network, index)) {
      return permanent("prefix_invalid", place + ": overlaps what another member has",
                       "send each prefix to one member");
    }
    ranges.taken.emplace_back(network, index);
    member.allowed_ips.push_back(network.text());
  }
  return {};
}

Result<domain::MeshMember> read_member(const Json& item, const std::string& pointer) {
  domain::MeshMember member;
  member.managed = item.contains("server");
  member.name = text_in(item, member.managed ? "server" : "name");
  member.public_key = text_in(item, "public_key");
  member.endpoint = text_in(item, "endpoint");
  member.keepalive_seconds = int_in(item, "keepalive_seconds", 0);
  if (!member.managed) {
    auto key = check_key_at(pointer + "/public_key", member.public_key);
    if (!key) return tl::unexpected<Error>(std::move(key.error()));
  }
  if (auto good = check_endpoint_at(pointer + "/endpoint", member.endpoint); !good) {
    return tl::unexpected<Error>(std::move(good.error()));
  }
  return member;
}

Result<std::vector<domain::MeshMember>> read_members(const Json& data, std::string_view name) {
  std::vector<domain::MeshMember> members;
  Ranges ranges;
  for (const Json& item : data.at(std::string(name))) {
    const std::string pointer = item_pointer(name, members.size());
    auto member = read_member(item, pointer);
    if (!member) return tl::unexpected<Error>(std::move(member.error()));
    for (const domain::MeshMember& other : members) {
      if (other.name == member->name || (!other.public_key.empty() && other.public_key == member->public_key)) {
        return permanent("value_invalid", pointer + ": has the name or the key of another member",
                         "name each member once, with a key of its own");
      }
    }
    auto ranged = read_ranges(item, pointer, members.size(), ranges, *member);
    if (!ranged) return tl::unexpected<Error>(std::move(ranged.error()));
    members.push_back(*std::move(member));
  }
  return members;
}

}  // namespace

Result<domain::MeshSet> decode_mesh_set(const Json& data) {
  auto members = read_members(data, "members");
  if (!members) return tl::unexpected<Error>(std::move(members.error()));
  // A mesh without members is none any more.
  const bool active = !members->empty();
  return domain::MeshSet{"mesh/" + text_in(data, "mesh"), active, *std::move(members)};
}

Result<domain::MeshSet> decode_link_set(const Json& data) {
  auto ends = read_members(data, "ends");
  if (!ends) return tl::unexpected<Error>(std::move(ends.error()));
  return domain::MeshSet{"link/" + text_in(data, "link"), true, *std::move(ends)};
}

Result<domain::MeshSet> decode_link_remove(const Json& data) {
  return domain::MeshSet{"link/" + text_in(data, "link"), false, {}};
}

}  // namespace peerwright::events

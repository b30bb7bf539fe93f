#include <utility>

#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

constexpr std::int64_t kDefaultStageSeconds = 3600;

// The member `public_key`; "" where the pair is made here.
Result<std::string> read_key(const Json& data) {
  std::string key = text_in(data, "public_key");
  if (key.empty() && data.contains("make_key")) return key;
  if (auto good = check_key_at("/public_key", key); !good) return tl::unexpected<Error>(std::move(good.error()));
  return key;
}

// null: none, said.
Result<std::optional<std::optional<Time>>> read_expiry(const Json& data) {
  using Said = std::optional<std::optional<Time>>;
  const auto found = data.find("expires_at");
  if (found == data.end()) return Said();
  if (found->is_null()) return Said(std::optional<Time>());
  auto time = time_at("/expires_at", found->get_ref<const std::string&>());
  if (!time) return tl::unexpected<Error>(std::move(time.error()));
  return Said(std::optional<Time>(*time));
}

Result<void> read_words(const Json& data, domain::PeerSettings& settings) {
  auto display_name = line_in(data, "name");
  if (!display_name) return tl::unexpected<Error>(std::move(display_name.error()));
  settings.display_name = *std::move(display_name);
  auto user_id = line_in(data, "user_id");
  if (!user_id) return tl::unexpected<Error>(std::move(user_id.error()));
  settings.user_id = *std::move(user_id);
  settings.description = said_text(data, "description");
  auto metadata = metadata_in(data);
  if (!metadata) return tl::unexpected<Error>(std::move(metadata.error()));
  settings.metadata = *std::move(metadata);
  return {};
}

Result<void> read_addresses(const Json& data, domain::PeerSettings& settings) {
  if (data.contains("endpoint")) {
    settings.endpoint = data.at("endpoint").is_null() ? std::string() : text_in(data, "endpoint");
    auto good = check_endpoint_at("/endpoint", *settings.endpoint);
    if (!good) return tl::unexpected<Error>(std::move(good.error()));
  }
  for (const auto& [name, member] :
       {std::pair("client_routes", &settings.client_routes), std::pair("site_networks", &settings.site_networks)}) {
    if (!data.contains(name)) continue;
    auto networks = networks_in(data, name);
    if (!networks) return tl::unexpected<Error>(std::move(networks.error()));
    *member = *std::move(networks);
  }
  if (data.contains("dns")) {
    auto dns = addresses_in(data, "dns");
    if (!dns) return tl::unexpected<Error>(std::move(dns.error()));
    settings.dns = *std::move(dns);
  }
  return {};
}

}  // namespace

Result<domain::Placement> decode_placement(const Json& data) {
  domain::Placement place;
  place.tenant = text_in(data, "tenant");
  place.peer = text_in(data, "peer");
  place.customer = text_in(data, "customer");
  place.subscriber = text_in(data, "subscriber");
  place.server = text_in(data, "server");
  place.region = text_in(data, "region");
  place.plan = text_in(data, "plan");
  if (data.contains("address")) {
    auto address = address_at("/address", text_in(data, "address"));
    if (!address) return tl::unexpected<Error>(std::move(address.error()));
    place.address = address->text(false);
  }
  return place;
}

Result<domain::PeerSettings> decode_peer_settings(const Json& data) {
  domain::PeerSettings settings;
  if (auto words = read_words(data, settings); !words) return tl::unexpected<Error>(std::move(words.error()));
  if (auto good = read_addresses(data, settings); !good) return tl::unexpected<Error>(std::move(good.error()));
  settings.keepalive_seconds = said_int(data, "keepalive_seconds");
  settings.hub_keepalive_seconds = said_int(data, "hub_keepalive_seconds");
  settings.mtu = said_int_or_null(data, "mtu", 0);
  settings.quota_bytes = said_number(data, "quota_bytes");
  auto expires_at = read_expiry(data);
  if (!expires_at) return tl::unexpected<Error>(std::move(expires_at.error()));
  settings.expires_at = *expires_at;
  settings.sealed_preshared_key = text_in(data, "preshared_key_sealed");
  settings.preshared_key = !settings.sealed_preshared_key.empty() || data.contains("make_preshared_key");
  return settings;
}

Result<domain::PeerProvision> decode_peer_provision(const Json& data) {
  auto place = decode_placement(data);
  if (!place) return tl::unexpected<Error>(std::move(place.error()));
  auto key = read_key(data);
  if (!key) return tl::unexpected<Error>(std::move(key.error()));
  auto settings = decode_peer_settings(data);
  if (!settings) return tl::unexpected<Error>(std::move(settings.error()));
  const auto type = domain::peer_type_from(text_in(data, "type", "client")).value_or(domain::PeerType::client);
  return domain::PeerProvision{*std::move(place), type, *std::move(key), *std::move(settings)};
}

Result<domain::PeerUpdate> decode_peer_update(const Json& data) {
  auto settings = decode_peer_settings(data);
  if (!settings) return tl::unexpected<Error>(std::move(settings.error()));
  return domain::PeerUpdate{text_in(data, "tenant"), text_in(data, "peer"), *std::move(settings)};
}

Result<domain::PeerMove> decode_peer_move(const Json& data) {
  return domain::PeerMove{text_in(data, "tenant"), text_in(data, "peer"), text_in(data, "server"),
                          text_in(data, "region")};
}

Result<domain::PeerRotateKey> decode_peer_rotate_key(const Json& data) {
  auto key = read_key(data);
  if (!key) return tl::unexpected<Error>(std::move(key.error()));
  return domain::PeerRotateKey{text_in(data, "tenant"), text_in(data, "peer"), *std::move(key),
                               number_in(data, "stage_seconds", kDefaultStageSeconds)};
}

Result<domain::PeerHold> decode_peer_suspend(const Json& data) {
  auto plan = decode_hold_plan(data);
  if (!plan) return tl::unexpected<Error>(std::move(plan.error()));
  return domain::PeerHold{text_in(data, "tenant"), text_in(data, "peer"), true, text_in(data, "reason"),
                          *std::move(plan)};
}
Result<domain::PeerHold> decode_peer_resume(const Json& data) {
  return domain::PeerHold{text_in(data, "tenant"), text_in(data, "peer"), false, text_in(data, "reason"), {}};
}
Result<domain::PeerRevoke> decode_peer_revoke(const Json& data) {
  return domain::PeerRevoke{text_in(data, "tenant"), text_in(data, "peer"), text_in(data, "reason")};
}

}  // namespace peerwright::events

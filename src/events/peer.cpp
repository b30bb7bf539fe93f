#include <utility>

#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

// All of the client's traffic, of both families.
const std::vector<std::string>& default_client_routes() {
  static const std::vector<std::string> routes{"0.0.0.0/0", "::/0"};
  return routes;
}

// Host bits go, as WireGuard itself would have it.
Result<std::vector<std::string>> read_client_routes(const Json& data) {
  if (!data.contains("client_routes")) return default_client_routes();
  std::vector<std::string> routes = texts_in(data, "client_routes");
  for (std::size_t i = 0; i < routes.size(); ++i) {
    auto route = prefix_at(item_pointer("client_routes", i), routes[i]);
    if (!route) return tl::unexpected<Error>(std::move(route.error()));
    routes[i] = route->network().text();
  }
  return routes;
}

domain::PeerHold decode_hold(const Json& data, bool held) {
  return {text_in(data, "tenant"), text_in(data, "peer"), held, text_in(data, "reason")};
}

}  // namespace

Result<domain::PeerProvision> decode_peer_provision(const Json& data) {
  domain::PeerProvision event;
  event.tenant = text_in(data, "tenant");
  event.peer = text_in(data, "peer");
  event.subscriber = text_in(data, "subscriber");
  event.server = text_in(data, "server");
  event.public_key = text_in(data, "public_key");
  event.description = text_in(data, "description");
  if (data.contains("keepalive_seconds")) event.keepalive_seconds = int_in(data, "keepalive_seconds", 0);
  if (auto key = check_key_at("/public_key", event.public_key); !key) return tl::unexpected<Error>(key.error());
  auto routes = read_client_routes(data);
  if (!routes) return tl::unexpected<Error>(std::move(routes.error()));
  event.client_routes = *std::move(routes);
  return event;
}

Result<domain::PeerHold> decode_peer_suspend(const Json& data) { return decode_hold(data, true); }
Result<domain::PeerHold> decode_peer_resume(const Json& data) { return decode_hold(data, false); }

Result<domain::PeerRevoke> decode_peer_revoke(const Json& data) {
  return domain::PeerRevoke{text_in(data, "tenant"), text_in(data, "peer"), text_in(data, "reason")};
}

}  // namespace peerwright::events

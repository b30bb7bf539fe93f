#include <utility>

#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

constexpr int kDefaultReservationsPerHour = 5;
constexpr int kDefaultWindowSeconds = 3600;

Result<std::vector<wireguard::GardenDestination>> read_garden(const Json& data) {
  std::vector<wireguard::GardenDestination> garden;
  const auto found = data.find("walled_garden");
  if (found == data.end()) return garden;
  for (const Json& item : *found) {
    auto prefix = prefix_at(item_pointer("walled_garden", garden.size()) + "/to", text_in(item, "to"));
    if (!prefix) return tl::unexpected<Error>(std::move(prefix.error()));
    garden.push_back({prefix->network().text(), protocol_in(item, "protocol"), int_in(item, "port", 0)});
  }
  return garden;
}

Result<void> read_plans(const Json& data, domain::TenantSet& event) {
  const auto found = data.find("plans");
  if (found == data.end()) return {};
  for (const auto& [plan, most] : found->items()) {
    if (!is_name(plan)) {
      return permanent("value_invalid", "/plans: a plan's name has other characters than a name may have",
                       "name it with letters, digits and . _ : @ -, 1 to 128 characters, the first a letter or digit");
    }
    event.plans[plan] = most.get<std::int64_t>();
  }
  return {};
}

}  // namespace

Result<domain::TenantSet> decode_tenant_set(const Json& data) {
  domain::TenantSet event;
  event.tenant = text_in(data, "tenant");
  event.max_peers = said_number(data, "max_peers");
  if (auto plans = read_plans(data, event); !plans) return tl::unexpected<Error>(std::move(plans.error()));
  event.reservations_per_hour = int_in(data, "reservations_per_hour", kDefaultReservationsPerHour);
  if (const auto mass = data.find("mass_suspension"); mass != data.end()) {
    event.suspensions_limit = said_int(*mass, "limit");
    event.suspensions_window_seconds = int_in(*mass, "window_seconds", kDefaultWindowSeconds);
    event.suspensions_action =
        domain::mass_action_from(text_in(*mass, "action", "alert")).value_or(domain::MassAction::alert);
  }
  auto garden = read_garden(data);
  if (!garden) return tl::unexpected<Error>(std::move(garden.error()));
  event.garden = *std::move(garden);
  event.recipient_key = text_in(data, "recipient_key");
  if (!event.recipient_key.empty()) {
    if (auto key = check_key_at("/recipient_key", event.recipient_key); !key) return tl::unexpected(key.error());
  }
  auto dns = addresses_in(data, "dns");
  if (!dns) return tl::unexpected<Error>(std::move(dns.error()));
  event.dns = *std::move(dns);
  return event;
}

Result<domain::TenantApprove> decode_tenant_approve(const Json& data) {
  return domain::TenantApprove{text_in(data, "tenant"), text_in(data, "customer"), text_in(data, "subscriber"),
                               flag_in(data, "approved", true)};
}

}  // namespace peerwright::events

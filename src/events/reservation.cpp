#include <utility>

#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

constexpr std::int64_t kDefaultTtlSeconds = 86'400;

}  // namespace

Result<domain::ReservationCreate> decode_reservation_create(const Json& data) {
  auto place = decode_placement(data);
  if (!place) return tl::unexpected<Error>(std::move(place.error()));
  auto settings = decode_peer_settings(data);
  if (!settings) return tl::unexpected<Error>(std::move(settings.error()));
  return domain::ReservationCreate{*std::move(place), number_in(data, "ttl_seconds", kDefaultTtlSeconds),
                                   *std::move(settings)};
}

Result<domain::ReservationCleanup> decode_reservation_cleanup(const Json& data) {
  return domain::ReservationCleanup{text_in(data, "tenant")};
}

}  // namespace peerwright::events

#pragma once

#include "peerwright/domain/events.hpp"
#include "peerwright/events/catalogue.hpp"

// What secrets an event brings or asks for.
namespace peerwright::events {

// Most have nothing to do with secrets.
template <typename Struct>
SecretsWanted secrets_of(const Struct& /*event*/) {
  return {};
}
SecretsWanted secrets_of(const domain::ServerRotateKey& event);
SecretsWanted secrets_of(const domain::ReservationCreate& event);
SecretsWanted secrets_of(const domain::PeerProvision& event);
SecretsWanted secrets_of(const domain::PeerUpdate& event);
SecretsWanted secrets_of(const domain::PeerRotateKey& event);

}  // namespace peerwright::events

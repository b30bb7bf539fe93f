#include "secrets.hpp"

namespace peerwright::events {
namespace {

SecretsWanted of_peer(const std::string& tenant, const std::string& peer) {
  SecretsWanted secrets;
  secrets.place = "peers/" + tenant + "/" + peer;
  return secrets;
}

SecretsWanted with(SecretsWanted secrets, const domain::PeerSettings& settings) {
  secrets.sealed_preshared_key = settings.sealed_preshared_key;
  secrets.makes_preshared_key = settings.preshared_key && settings.sealed_preshared_key.empty();
  return secrets;
}

}  // namespace

SecretsWanted secrets_of(const domain::ServerRotateKey& event) {
  SecretsWanted secrets;
  secrets.makes_server_key = true;
  secrets.place = "servers/" + event.server;
  return secrets;
}

SecretsWanted secrets_of(const domain::ReservationCreate& event) {
  return with(of_peer(event.place.tenant, event.place.peer), event.settings);
}

SecretsWanted secrets_of(const domain::PeerProvision& event) {
  SecretsWanted secrets = with(of_peer(event.place.tenant, event.place.peer), event.settings);
  secrets.makes_client_key = event.public_key.empty();
  return secrets;
}

SecretsWanted secrets_of(const domain::PeerUpdate& event) {
  return with(of_peer(event.tenant, event.peer), event.settings);
}

SecretsWanted secrets_of(const domain::PeerRotateKey& event) {
  SecretsWanted secrets = of_peer(event.tenant, event.peer);
  secrets.makes_client_key = event.public_key.empty();
  return secrets;
}

}  // namespace peerwright::events

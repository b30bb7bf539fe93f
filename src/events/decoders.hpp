#pragma once

#include "parse.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/domain/events.hpp"

// From data that fits its schema to what the decisions are about, with the checks that no schema can say. Errors:
// `key_invalid`, `prefix_invalid`, `value_invalid`.
namespace peerwright::events {

Result<domain::NetworkSet> decode_network_set(const Json& data);
Result<domain::ServerRegister> decode_server_register(const Json& data);
Result<domain::PeerProvision> decode_peer_provision(const Json& data);
Result<domain::PeerHold> decode_peer_suspend(const Json& data);
Result<domain::PeerHold> decode_peer_resume(const Json& data);
Result<domain::PeerRevoke> decode_peer_revoke(const Json& data);
Result<domain::SubscriberHold> decode_subscriber_suspend(const Json& data);
Result<domain::SubscriberHold> decode_subscriber_resume(const Json& data);

}  // namespace peerwright::events

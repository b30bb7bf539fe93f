#pragma once

#include "parse.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/domain/events.hpp"

// From data that fits its schema to what the decisions are about, with the checks that no schema can say. Errors:
// `key_invalid`, `prefix_invalid`, `value_invalid`.
namespace peerwright::events {

Result<domain::TenantSet> decode_tenant_set(const Json& data);
Result<domain::TenantApprove> decode_tenant_approve(const Json& data);

Result<domain::NetworkSet> decode_network_set(const Json& data);

Result<domain::ServerRegister> decode_server_register(const Json& data);
Result<domain::ServerUpdate> decode_server_update(const Json& data);
Result<domain::ServerDrain> decode_server_drain(const Json& data);
Result<domain::ServerMaintenance> decode_server_maintenance(const Json& data);
Result<domain::ServerRetire> decode_server_retire(const Json& data);
Result<domain::ServerRotateKey> decode_server_rotate_key(const Json& data);
Result<domain::ServerReconcile> decode_server_reconcile(const Json& data);
Result<domain::ServerApprove> decode_server_approve(const Json& data);
Result<domain::ServerImport> decode_server_import(const Json& data);
Result<domain::ServerObserve> decode_server_observe(const Json& data);

Result<domain::ReservationCreate> decode_reservation_create(const Json& data);
Result<domain::ReservationCleanup> decode_reservation_cleanup(const Json& data);

Result<domain::PeerProvision> decode_peer_provision(const Json& data);
Result<domain::PeerUpdate> decode_peer_update(const Json& data);
Result<domain::PeerMove> decode_peer_move(const Json& data);
Result<domain::PeerRotateKey> decode_peer_rotate_key(const Json& data);
Result<domain::PeerHold> decode_peer_suspend(const Json& data);
Result<domain::PeerHold> decode_peer_resume(const Json& data);
Result<domain::PeerRevoke> decode_peer_revoke(const Json& data);

Result<domain::SubscriberHold> decode_subscriber_suspend(const Json& data);
Result<domain::SubscriberHold> decode_subscriber_resume(const Json& data);
Result<domain::SubscriberRevoke> decode_subscriber_revoke(const Json& data);

Result<domain::RuleSet> decode_rule_set(const Json& data);
Result<domain::RuleRemove> decode_rule_remove(const Json& data);

Result<domain::MeshSet> decode_mesh_set(const Json& data);
Result<domain::MeshSet> decode_link_set(const Json& data);
Result<domain::MeshSet> decode_link_remove(const Json& data);

// What several of them share.
Result<domain::Placement> decode_placement(const Json& data);
Result<domain::PeerSettings> decode_peer_settings(const Json& data);
Result<domain::HoldPlan> decode_hold_plan(const Json& data);

}  // namespace peerwright::events

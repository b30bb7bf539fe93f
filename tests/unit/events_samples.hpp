#pragma once

#include <string>
#include <vector>

#include "peerwright/events/outbound.hpp"

// Things with every member filled, to see what is said of them.
namespace peerwright::events::samples {

inline const std::string kClientKey = "kuZKPJJm4LFYqcLJ9SVLrKxNSRjKBHxHQHyxBFTlkWs=";
inline const std::string kServerKey = "Tdv8lXxQwLbVMpiLm5jQaMqEdTBnRsuZ/eNU0PlkW3E=";
inline const std::string kOtherKey = "FwVHdS3kOJOX1Q8TRl7kz4zUYJVbV0uXNYFzVQmQyHM=";
// 2026-01-31T10:00:00.000001Z
inline const Time kWhen = time_from_micros(1'769'853'600'000'001);
inline Time later(int seconds) { return kWhen + std::chrono::seconds(seconds); }

inline domain::Network network() {
  domain::Network network;
  network.id = 1;
  network.name = "eu-1";
  network.net4 = *wireguard::Prefix::parse("10.20.0.0/16");
  network.net6 = *wireguard::Prefix::parse("fd20::/64");
  network.reserved = {1};
  network.next_offset = 8;
  network.quarantine_seconds = 3600;
  network.free = {5, 6};
  return network;
}

inline domain::Word word() {
  domain::Word word;
  word.source = "billing";
  word.id = "inv-1";
  word.sequence = 17;
  word.place = {kWhen, 3, 99};
  return word;
}

inline domain::Server server() {
  domain::Server server;
  server.id = 2;
  server.name = "ams-1";
  server.network_id = 1;
  server.ssh_host = "ams-1.example.net";
  server.ssh_user = "wgadmin";
  server.ssh_host_key = "ssh-ed25519 AAAA";
  server.exec_prefix = "sudo -n";
  server.interface = "wg0";
  server.config_path = "/etc/wireguard/wg0.conf";
  server.public_key = kServerKey;
  server.endpoint = "ams-1.example.net:51820";
  server.mtu = 1420;
  server.dns = {"10.20.0.1"};
  server.keepalive_seconds = 25;
  server.max_peers = 1000;
  server.peer_count = 1;
  server.generation = 12;
  server.version = 4;
  server.word = word();
  return server;
}

inline domain::Server full_server() {
  domain::Server full = server();
  full.owner_tenant_id = 4;
  full.ssh_jump = domain::JumpHost{"jump.example.net", 2222, "jump", "ssh-ed25519 BBBB"};
  full.state = domain::ServerState::retired;
  full.maintenance = true;
  full.region = "eu-west";
  full.location = "Amsterdam, rack 7";
  full.description = "the first one";
  full.listen_port = 51821;
  full.default_action = wireguard::RuleAction::deny;
  full.tunnel_only_ports = {{wireguard::RuleProtocol::tcp, 5432}};
  full.masquerade = true;
  full.drift_policy = "report";
  full.metadata = R"({"rack":7})";
  full.private_key_sealed = "c2VydmVyIGtleQ==";
  full.key_wanted = kOtherKey;
  full.key_since = kWhen;
  full.post_up = "sysctl -w net.ipv4.ip_forward=1";
  full.post_down = "true";
  full.retired_word = "returned to the provider";
  full.created_by = "orchestrator";
  full.updated_by = "peerwright-cli/ada";
  full.retired_proven_at = kWhen;
  return full;
}

inline domain::Peer peer() {
  domain::Peer peer;
  peer.id = 3;
  peer.tenant_id = 4;
  peer.tenant = "acme";
  peer.name = "P-1";
  peer.stage = domain::Stage::provisioned;
  peer.entitlement = domain::Entitlement::active;
  peer.subscriber_id = 5;
  peer.subscriber = "S-1";
  peer.server_id = 2;
  peer.network_id = 1;
  peer.address_offset = 7;
  peer.public_key = kClientKey;
  peer.description = "Zoë's \"laptop\"\n";
  peer.client_routes = {"0.0.0.0/0", "::/0"};
  peer.keepalive_seconds = 25;
  peer.word = word();
  peer.cause = "billing/inv-1";
  peer.changed_at = kWhen;
  peer.version = 7;
  peer.generation = 12;
  peer.applied_generation = 12;
  return peer;
}

inline domain::Peer full_peer() {
  domain::Peer full = peer();
  full.display_name = "Office in Ghent";
  full.user_id = "4711";
  full.type = domain::PeerType::gateway;
  full.plan = "business";
  full.endpoint = "ghent.example.net:51820";
  full.site_networks = {"192.168.40.0/24"};
  full.dns = {"10.20.0.53"};
  full.mtu = 1380;
  full.hub_keepalive_seconds = 20;
  full.metadata = R"({"floor":3,"order":"2026-17"})";
  full.expires_at = later(86'400);
  full.expired = true;
  full.quota_bytes = 1'000'000;
  full.over_quota = true;
  full.reservation = domain::Reservation::activated;
  full.reserved_until = later(3600);
  full.provisioned_at = kWhen;
  full.preshared_key_sealed = "cHNr";
  full.preshared_key_hash = "ab12";
  full.client_key_sealed = "Y2xpZW50";
  full.staged_key = kOtherKey;
  full.staged_until = later(600);
  full.staged_client_key_sealed = "bmV4dA==";
  full.delivery_error = "wg_refused";
  full.created_by = "billing";
  return full;
}

inline domain::Tenant tenant() {
  domain::Tenant tenant;
  tenant.id = 4;
  tenant.name = "acme";
  tenant.version = 9;
  tenant.word = word();
  tenant.max_peers = 5000;
  tenant.peer_count = 12;
  tenant.plans["business"] = {500, 2, true};
  tenant.plans["old"] = {0, 1, false};
  tenant.reservations_per_hour = 20;
  tenant.reserved_at = {kWhen};
  tenant.suspensions_limit = 50;
  tenant.suspensions_window_seconds = 600;
  tenant.suspensions_action = domain::MassAction::approve;
  tenant.suspensions_since = kWhen;
  tenant.suspensions_count = 51;
  tenant.garden = {{"203.0.113.10/32", wireguard::RuleProtocol::tcp, 443}};
  tenant.recipient_key = kOtherKey;
  tenant.dns = {"10.20.0.9"};
  return tenant;
}

inline domain::Subscriber subscriber() {
  domain::Subscriber subscriber;
  subscriber.id = 5;
  subscriber.tenant_id = 4;
  subscriber.name = "S-1";
  subscriber.version = 3;
  return subscriber;
}

inline domain::Customer customer() {
  domain::Customer customer;
  customer.id = 6;
  customer.tenant_id = 4;
  customer.name = "C-1";
  customer.version = 2;
  customer.released_at = kWhen;
  return customer;
}

inline domain::Hold hold() {
  domain::Hold hold;
  hold.scope = {domain::ScopeKind::subscriber, 5};
  hold.owner = "billing";
  hold.held = true;
  hold.reason = "unpaid";
  hold.word = word();
  hold.level = domain::HoldLevel::walled_garden;
  hold.steps = {{domain::HoldLevel::cut, later(600)}, {domain::HoldLevel::release, later(1200)}};
  hold.since = kWhen;
  return hold;
}

inline domain::Mesh mesh() {
  domain::Mesh mesh;
  mesh.id = 7;
  mesh.name = "mesh/backbone";
  mesh.active = true;
  mesh.members = {{"ams-1", true, "", "", {"10.99.0.1/32"}, 25},
                  {"branch-7", false, kOtherKey, "branch-7.example.net:51821", {"10.99.0.7/32", "192.168.7.0/24"}, 0}};
  mesh.version = 2;
  mesh.word = word();
  return mesh;
}

inline domain::NodeLink link() {
  domain::NodeLink link;
  link.id = 8;
  link.mesh_id = 7;
  link.server_id = 2;
  link.other = "branch-7";
  link.public_key = kOtherKey;
  link.allowed_ips = {"10.99.0.7/32", "192.168.7.0/24"};
  link.endpoint = "branch-7.example.net:51821";
  link.generation = 12;
  return link;
}

inline domain::Refs refs() {
  domain::Refs refs;
  refs.tenant = "acme";
  refs.peer = "P-1";
  refs.server = "ams-1";
  refs.public_key = kClientKey;
  return refs;
}

// A decision that changes something of each kind.
inline domain::Decision decision() {
  domain::Decision all;
  all.tenants = {tenant()};
  all.customers = {customer()};
  all.customers[0].revoked = true;
  all.networks = {network()};
  all.networks[0].forbidden = {*wireguard::Prefix::parse("172.16.0.0/24")};
  all.networks[0].allow_public = true;
  all.networks[0].word = word();
  all.servers = {full_server()};
  all.subscribers = {subscriber()};
  all.subscribers[0].customer_id = 6;
  all.subscribers[0].released_at = kWhen;
  all.subscribers[0].revoked = true;
  all.peers = {full_peer()};
  all.holds = {hold()};
  all.removals = {{2, kClientKey, 3, false, 1, 7}};
  domain::AccessRule rule;
  rule.id = 11;
  rule.tenant_id = 4;
  rule.name = "db";
  rule.active = true;
  rule.source_peer_id = 3;
  rule.dest_peer_id = 12;
  rule.dest_port = 5432;
  rule.dest_protocol = wireguard::RuleProtocol::tcp;
  rule.word = word();
  all.rules = {rule};
  all.meshes = {mesh()};
  all.links = {link()};
  all.links[0].other_server_id = 9;
  all.timers = {{domain::TimerKind::expiry, 3, "", later(5)},
                {domain::TimerKind::hold_peer, 3, "billing", std::nullopt}};
  all.freed = {{1, 9}};
  all.used_keys = {{kOtherKey, 3}};
  all.fan_outs = {{5, "billing/inv-1"}};
  all.wider_fan_outs = {{{domain::FanOut::tenant, 4}, "billing/inv-1"}};
  all.alert = "mass_suspension";
  return all;
}

// One of each type that peerwright says, by its name; subscriber.status also of a customer.
std::vector<std::pair<std::string, Outbound>> outbound();

}  // namespace peerwright::events::samples

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "peerwright/domain/decision.hpp"

// One struct per kind of inbound event, what it names, and the decision about it. The functions are pure: they read the
// state and answer; they neither change it nor fail.
namespace peerwright::domain {

struct NetworkSet {
  std::string network;
  std::optional<wireguard::Prefix> net4;  // at least one of the two
  std::optional<wireguard::Prefix> net6;
  std::vector<wireguard::Prefix> reserved;  // single addresses that are never handed out, the servers' own among them
  int quarantine_seconds = 0;
};
Refs refs_of(const NetworkSet& event);
Decision decide(const NetworkSet& event, const Word& word, const State& state);

struct ServerRegister {
  std::string server;
  std::string network;
  std::string ssh_host;
  int ssh_port = 22;
  std::string ssh_user;
  std::string ssh_host_key;
  std::string exec_prefix;
  std::string interface;
  std::string config_path;
  std::string public_key;  // empty: taken from the first reading
  std::string endpoint;
  int mtu = 0;
  std::vector<std::string> dns;
  int keepalive_seconds = 0;
  std::int64_t max_peers = 0;
};
Refs refs_of(const ServerRegister& event);
Decision decide(const ServerRegister& event, const Word& word, const State& state);

struct PeerProvision {
  std::string tenant;
  std::string peer;
  std::string subscriber;  // may be empty
  std::string server;
  std::string public_key;
  std::string description;
  std::vector<std::string> client_routes;
  std::optional<int> keepalive_seconds;
};
Refs refs_of(const PeerProvision& event);
Decision decide(const PeerProvision& event, const Word& word, const State& state);

// peer.suspend and peer.resume
struct PeerHold {
  std::string tenant;
  std::string peer;
  bool held = true;
  std::string reason;
};
Refs refs_of(const PeerHold& event);
Decision decide(const PeerHold& event, const Word& word, const State& state);

struct PeerRevoke {
  std::string tenant;
  std::string peer;
  std::string reason;
};
Refs refs_of(const PeerRevoke& event);
Decision decide(const PeerRevoke& event, const Word& word, const State& state);

// subscriber.suspend and subscriber.resume
struct SubscriberHold {
  std::string tenant;
  std::string subscriber;
  bool held = true;
  std::string reason;
};
Refs refs_of(const SubscriberHold& event);
Decision decide(const SubscriberHold& event, const Word& word, const State& state);

}  // namespace peerwright::domain

#pragma once

#include "peerwright/domain/events.hpp"

// What server.register and server.update have in common.
namespace peerwright::domain {

// Sets what is said, leaves the rest.
void apply_settings(const ServerSettings& settings, Server& server);

// What a change of a server's settings concerns.
struct ServerChange {
  bool anything = false;
  bool clients = false;    // the configurations of its peers
  bool firewall = false;   // the firewall on the host
  bool interface = false;  // what the host's interface itself is set to
  bool place = false;      // where it is: what was proven there says nothing any more
};
ServerChange change_between(const Server& before, const Server& after);

// Adds to the decision whom the change concerns beside the server itself: its peers, what was proven, the delivery. The
// caller raises the generation and makes the server due where `on_host` says so.
void carry_on(const Server& server, const ServerChange& change, const std::string& cause, Decision& decision);
bool on_host(const ServerChange& change);

// The answer about a server that is not registered; about one that was retired.
Decision unknown_server(const std::string& name);
Decision server_retired(const std::string& name);
// One of the two where it applies: also where there is no such server at all (nullptr).
std::optional<Decision> refuse_by_state(const Server* server, const std::string& name);

// The refusal of settings that do not go with the way in which the host is logged in to.
std::optional<Decision> refuse_by_way(const Server& after);

// One interface is one server: the refusal of a place, or of an interface's key, that another server has. Only what
// `after` comes to is judged. A server that was retired has its interface until the proof, or the word, that it is
// gone.
std::optional<Decision> refuse_by_others(const Server& before, const Server& after, const State& state);

// A firewall that would cut the worker's own way to the host is refused.
std::optional<Decision> refuse_by_own_way(const Server& after, const Network* network);

// The server with its register's new word, and a new version of its status where it changed.
Decision settle_server(const Server& before, Server after, const Word& word, bool changed);

}  // namespace peerwright::domain

#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

// rule.set and rule.remove
namespace peerwright::domain {
namespace {

// A side as the event says it: a peer, or (empty) all.
struct Side {
  bool known = true;
  std::optional<Id> peer_id;
};

Side side_of(const std::string& tenant, const std::string& name, const State& state) {
  if (name.empty()) return {};
  const Peer* peer = state.peer(tenant, name);
  const bool has_place = peer != nullptr && (peer->stage == Stage::reserved || peer->stage == Stage::provisioned);
  if (!has_place) return {false, std::nullopt};
  return {true, peer->id};
}

bool says_the_same(const AccessRule& a, const AccessRule& b) {
  return a.active == b.active && a.source_peer_id == b.source_peer_id && a.dest_peer_id == b.dest_peer_id &&
         a.dest_port == b.dest_port && a.dest_protocol == b.dest_protocol && a.action == b.action &&
         a.priority == b.priority;
}

void touch_server(Id server_id, const State& state, Decision& decision) {
  const Server* server = state.server(server_id);
  if (server == nullptr || !decision.due_servers.insert(server_id).second) return;
  Server& after = decision.servers.emplace_back(*server);
  after.generation += 1;
  after.version += 1;
}

// The hubs on which the rule is enforced: those of the peers that it names, and where it names all, every one on which
// the tenant has a peer.
void touch(const AccessRule& rule, const State& state, const std::string& cause, Decision& decision) {
  if (!rule.active) return;
  for (const auto& peer_id : {rule.source_peer_id, rule.dest_peer_id}) {
    if (!peer_id) {
      decision.wider_fan_outs.insert_or_assign({FanOut::tenant, rule.tenant_id}, cause);
      continue;
    }
    const Peer* peer = state.peer(*peer_id);
    if (peer != nullptr && peer->server_id) touch_server(*peer->server_id, state, decision);
  }
}

Decision settle_rule(const AccessRule& before, AccessRule after, const Word& word, const State& state) {
  Decision decision;
  after.word = following(word, after.word);
  if (says_the_same(before, after)) {
    decision.outcome = Outcome::unchanged;
  } else {
    touch(before, state, cause_of(word), decision);
    touch(after, state, cause_of(word), decision);
  }
  decision.rules.push_back(std::move(after));
  return decision;
}

}  // namespace

Refs refs_of(const RuleSet& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.rule = event.rule;
  for (const std::string& peer : {event.source_peer, event.dest_peer}) {
    if (!peer.empty()) refs.other_peers.push_back(peer);
  }
  return refs;
}

Refs refs_of(const RuleRemove& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.rule = event.rule;
  return refs;
}

Decision decide(const RuleSet& event, const Word& word, const State& state) {
  const AccessRule& before = *state.rule(event.tenant, event.rule);
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  const Side source = side_of(event.tenant, event.source_peer, state);
  const Side dest = side_of(event.tenant, event.dest_peer, state);
  if (!source.known || !dest.known) {
    return rejected("unknown_peer", "there is no peer " + (source.known ? event.dest_peer : event.source_peer),
                    "reserve or provision the peer first");
  }
  AccessRule after = before;
  after.active = true;
  after.source_peer_id = source.peer_id;
  after.dest_peer_id = dest.peer_id;
  after.dest_port = event.dest_port;
  after.dest_protocol = event.dest_protocol;
  after.action = event.action;
  after.priority = event.priority;
  return settle_rule(before, std::move(after), word, state);
}

Decision decide(const RuleRemove& event, const Word& word, const State& state) {
  const AccessRule& before = *state.rule(event.tenant, event.rule);
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  AccessRule after = before;
  after.active = false;
  return settle_rule(before, std::move(after), word, state);
}

}  // namespace peerwright::domain

#include <set>

#include "changes.hpp"
#include "columns.hpp"
#include "sealed.hpp"

// What is said of changes.
namespace peerwright::store {

using domain::Id;

void Messages::say(std::string_view channel, const events::Outbound& out) {
  channel_.add(channel);
  ce_id_.add(out.id);
  ce_type_.add(out.type);
  key_.add(out.key);
  body_.add(out.body);
}

void Messages::record(const domain::Word& word, std::string_view type, std::string_view key,
                      const domain::Decision& decision, const std::string& body) {
  source_.add(word.source);
  event_id_.add(word.id);
  event_type_.add(type);
  audit_key_.add(key);
  outcome_.add(std::string_view(name_of(decision.outcome)));
  code_.add(decision.code);
  audit_body_.add(body);
}

void Messages::store(Tx& tx) const {
  if (!channel_.empty()) {
    tx.run("store_outbox", channel_.text(), ce_id_.text(), ce_type_.text(), key_.text(), body_.text());
  }
  if (!source_.empty()) {
    tx.run("store_audit", source_.text(), event_id_.text(), event_type_.text(), audit_key_.text(), outcome_.text(),
           code_.text(), audit_body_.text());
  }
}

// How things stood before the decision: what did not change is not said.
struct Speaker::Before {
  Before(const domain::Decision& decision, const domain::State& state)
      : repeats(decision.outcome == domain::Outcome::unchanged) {
    for (const auto& peer : decision.peers) {
      const domain::Peer* old = state.peer(peer.id);
      if (old == nullptr || old->reservation != peer.reservation) reservations.insert(peer.id);
    }
    for (const auto& thing : decision.servers) note(servers, state.server(thing.id));
    for (const auto& thing : decision.customers) note(customers, state.customer(thing.id));
    for (const auto& thing : decision.subscribers) note(subscribers, state.subscriber(thing.id));
    for (const auto& thing : decision.meshes) note(meshes, state.mesh(thing.id));
  }

  template <typename Thing>
  static void note(std::map<Id, std::int64_t>& versions, const Thing* thing) {
    if (thing != nullptr) versions.emplace(thing->id, thing->version);
  }
  template <typename Thing>
  [[nodiscard]] bool to_be_said(const std::map<Id, std::int64_t>& versions, const Thing& thing) const {
    const auto found = versions.find(thing.id);
    return repeats || found == versions.end() || found->second != thing.version;
  }

  bool repeats;
  std::set<Id> reservations;  // of these peers changed
  std::map<Id, std::int64_t> servers, customers, subscribers, meshes;
};

void Speaker::load(Tx& tx, const Ids& peers) {
  if (peers.empty()) return;
  for (const auto& row : tx.run("load_runtimes", array_of(peers))) {
    RowReader read(row);
    events::PeerContext& seen = observed_[read.number()];
    seen.connectivity = read.text();
    seen.connectivity_since = read.maybe_time();
    seen.last_handshake_at = read.maybe_time();
    seen.connected_at = read.maybe_time();
  }
}

events::PeerContext Speaker::context_of(const domain::Peer& peer, const domain::State& state) const {
  const auto seen = observed_.find(peer.id);
  events::PeerContext context = seen == observed_.end() ? events::PeerContext{} : seen->second;
  if (peer.server_id) context.server = state.server(*peer.server_id);
  if (peer.network_id) context.network = state.network(*peer.network_id);
  context.tenant = state.tenant(peer.tenant_id);
  const domain::Subscriber* subscriber = peer.subscriber_id ? state.subscriber(*peer.subscriber_id) : nullptr;
  if (subscriber != nullptr && subscriber->customer_id) {
    if (const auto* customer = state.customer(*subscriber->customer_id)) context.customer = customer->name;
  }
  return context;
}

events::ClientSecrets Speaker::secrets_of(const domain::Peer& peer, const domain::State& state) const {
  if (peer.stage == domain::Stage::revoked) return {};
  const domain::Tenant* tenant = state.tenant(peer.tenant_id);
  if (peer.staged_key.empty()) return client_secrets(sealer_, peer, tenant);
  // Once a new key is staged the client is to use that one.
  domain::Peer next = peer;
  next.client_key_sealed = peer.staged_client_key_sealed;
  return client_secrets(sealer_, next, tenant);
}

events::Outbound Speaker::peer_status(const domain::Peer& peer, const domain::State& state,
                                      std::int64_t latency_ms) const {
  events::PeerContext context = context_of(peer, state);
  context.latency_ms = latency_ms;
  return events::peer_status(peer, context, secrets_of(peer, state));
}

void Speaker::say_peers(const domain::Decision& decision, const Before& before, const domain::State& state,
                        Messages& messages) const {
  for (const domain::Peer& peer : decision.peers) {
    const events::PeerContext context = context_of(peer, state);
    const events::ClientSecrets secrets = secrets_of(peer, state);
    messages.say("status", events::peer_status(peer, context, secrets));
    const bool reservation =
        peer.reservation != domain::Reservation::none &&
        (before.reservations.contains(peer.id) || (before.repeats && peer.stage == domain::Stage::reserved));
    if (reservation) messages.say("status", events::reservation_status(peer, context, secrets));
  }
}

void Speaker::carry_out(const domain::Decision& decision, const std::string& cause, domain::State& state,
                        domain::Changes& changes, Messages& messages) const {
  const Before before(decision, state);
  changes.apply(state, decision);
  for (const domain::Tenant& tenant : decision.tenants) {
    const bool announced = decision.announced_tenants.contains(tenant.id);  // most merely count
    if (announced) messages.say("status", events::tenant_status(tenant, cause, decision.alert));
  }
  for (const domain::Server& server : decision.servers) {
    if (!before.to_be_said(before.servers, server)) continue;
    events::ServerContext context;
    if (server.network_id) context.network = state.network(*server.network_id);
    if (server.owner_tenant_id) context.owner = state.tenant(*server.owner_tenant_id);
    messages.say("status", events::server_status(server, cause, context));
  }
  for (const domain::Mesh& mesh : decision.meshes) {
    if (!before.to_be_said(before.meshes, mesh)) continue;
    std::vector<const domain::Server*> servers;
    for (const domain::MeshMember& member : mesh.members) {
      if (const auto* server = member.managed ? state.server(member.name) : nullptr) servers.push_back(server);
    }
    messages.say("status", events::mesh_status(mesh, state.links_of_mesh(mesh.id), servers, cause));
  }
  for (const domain::Customer& customer : decision.customers) {
    if (!before.to_be_said(before.customers, customer)) continue;
    const auto holds = events::summary_of(state.holds_of({domain::ScopeKind::customer, customer.id}));
    messages.say("status", events::customer_status(state.tenant(customer.tenant_id)->name, customer, holds, cause));
  }
  for (const domain::Subscriber& subscriber : decision.subscribers) {
    if (!before.to_be_said(before.subscribers, subscriber)) continue;
    auto holds = events::summary_of(state.holds_of({domain::ScopeKind::subscriber, subscriber.id}));
    const auto* customer = subscriber.customer_id ? state.customer(*subscriber.customer_id) : nullptr;
    if (customer != nullptr) holds.customer = customer->name;
    messages.say("status",
                 events::subscriber_status(state.tenant(subscriber.tenant_id)->name, subscriber, holds, cause));
  }
  say_peers(decision, before, state, messages);
}

}  // namespace peerwright::store

#include "records.hpp"

namespace peerwright::store {
namespace {

using domain::Id;

template <typename Thing>
void append(std::vector<Thing>& to, const std::vector<Thing>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

// Whom the entry is about; names as far as they are loaded.
domain::Refs refs_of(const events::AuditProgress& progress, const domain::State& state) {
  domain::Refs refs;
  const auto name_tenant = [&](Id tenant_id) {
    if (const auto* tenant = state.tenant(tenant_id)) refs.tenant = tenant->name;
  };
  if (progress.kind == "subscriber") {
    if (const auto* subscriber = state.subscriber(progress.subject_id)) {
      name_tenant(subscriber->tenant_id);
      refs.subscriber = subscriber->name;
    }
  } else if (progress.kind == domain::name_of(domain::FanOut::customer)) {
    if (const auto* customer = state.customer(progress.subject_id)) {
      name_tenant(customer->tenant_id);
      refs.customer = customer->name;
    }
  } else if (progress.kind == domain::name_of(domain::FanOut::server)) {
    if (const auto* server = state.server(progress.subject_id)) refs.server = server->name;
  } else if (progress.kind == domain::name_of(domain::FanOut::network)) {
    if (const auto* network = state.network(progress.subject_id)) refs.network = network->name;
  } else {
    name_tenant(progress.subject_id);
  }
  return refs;
}

}  // namespace

void record_own(Messages& messages, const std::string& type, const std::string& id, const std::string& key, Time now,
                const nlohmann::ordered_json& changes) {
  const nlohmann::ordered_json body{
      {"version", events::kAuditShape}, {"source", events::kOwnSource}, {"id", id},          {"type", type},
      {"outcome", "accepted"},          {"clock_us", micros_of(now)},   {"changes", changes}};
  domain::Word word;
  word.source = events::kOwnSource;
  word.id = id;
  messages.record(word, type, key, domain::Decision{},
                  body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void record_retired(Messages& messages, const domain::Server& server, Time now) {
  const std::int64_t proven_us = micros_of(server.retired_proven_at.value_or(now));
  const nlohmann::ordered_json retirement{{"server_id", server.id}, {"proven_us", proven_us}};
  record_own(messages, "peerwright.server.retired.v1", "retired/" + server.name + '/' + std::to_string(proven_us),
             "server/" + server.name, now, {{"retirements", nlohmann::ordered_json::array({retirement})}});
}

void ChunkRecord::add(const domain::Decision& decision, const domain::State& state) {
  for (const domain::Tenant& tenant : decision.tenants) tenants_[tenant.id] = tenant;
  for (const domain::Server& server : decision.servers) servers_[server.id] = server;
  for (const domain::Peer& peer : decision.peers) {
    const domain::Peer* before = state.peer(peer.id);
    if (before != nullptr && events::differs_by_settling(*before, peer)) settled_.insert(peer.id);
  }
  append(all_.customers, decision.customers);
  append(all_.networks, decision.networks);
  append(all_.subscribers, decision.subscribers);
  append(all_.peers, decision.peers);
  append(all_.holds, decision.holds);
  append(all_.removals, decision.removals);
  append(all_.rules, decision.rules);
  append(all_.meshes, decision.meshes);
  append(all_.links, decision.links);
  append(all_.timers, decision.timers);
  append(all_.freed, decision.freed);
  all_.used_keys.insert(decision.used_keys.begin(), decision.used_keys.end());
  for (const auto& [subscriber_id, cause] : decision.fan_outs) all_.fan_outs[subscriber_id] = cause;
  for (const auto& [subject, cause] : decision.wider_fan_outs) all_.wider_fan_outs[subject] = cause;
}

void ChunkRecord::store(Messages& messages, const events::AuditProgress& progress, const domain::State& state) {
  for (const auto& [id, tenant] : tenants_) all_.tenants.push_back(tenant);
  for (const auto& [id, server] : servers_) all_.servers.push_back(server);
  const std::string type = "peerwright.fan_out." + progress.kind + ".v1";
  domain::Word word;
  word.source = events::kOwnSource;
  word.id = "fan_out/" + progress.kind + '/' + std::to_string(progress.subject_id) + '/' +
            std::to_string(progress.after_id) + '/' + std::to_string(micros_of(state.now));
  word.place.broker_time = state.now;
  const domain::Refs refs = refs_of(progress, state);
  events::AuditExtras extras;
  extras.settled = std::move(settled_);
  extras.progress = progress;
  extras.clock_us = micros_of(state.now);
  messages.record(word, type, events::key_of(refs), all_, events::audit_body(word, type, refs, all_, extras));
}

}  // namespace peerwright::store

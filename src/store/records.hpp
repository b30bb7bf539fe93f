#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "changes.hpp"
#include "peerwright/events/audit.hpp"

// Audit entries of what no event says: a rebuild needs them all the same.
namespace peerwright::store {

// An entry of our own: `changes` are lists by name, as in the entries of events.
void record_own(Messages& messages, const std::string& type, const std::string& id, const std::string& key, Time now,
                const nlohmann::ordered_json& changes);

// That the end of a retired server is proven.
void record_retired(Messages& messages, const domain::Server& server, Time now);

// What was decided for many, one after the other, as one entry.
class ChunkRecord {
 public:
  // Before the decision is applied to `state`.
  void add(const domain::Decision& decision, const domain::State& state);
  void add_fan_out(domain::Id subscriber_id, const std::string& cause) { all_.fan_outs[subscriber_id] = cause; }
  // With how far it was carried on. `now` is the clock of the transaction, by which it was decided.
  void store(Messages& messages, const events::AuditProgress& progress, const domain::State& state);

 private:
  domain::Decision all_;
  std::map<domain::Id, domain::Tenant> tenants_;
  std::map<domain::Id, domain::Server> servers_;
  std::set<domain::Id> settled_;
};

}  // namespace peerwright::store

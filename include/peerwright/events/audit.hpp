#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/domain/decision.hpp"

// Audit entries as what a database is rebuilt from: written with the decision, and read back into one.
namespace peerwright::events {

// The shape that is written. Those before it do not hold all that a rebuild needs.
inline constexpr std::int64_t kAuditShape = 3;

// A row that was made because somebody named its subject.
struct AuditIdentity {
  std::string kind;  // the key of its list: tenants, customers, subscribers, networks, meshes, servers, peers, rules
  domain::Id id = 0;
  domain::Id tenant_id = 0;  // 0: it belongs to none
  std::string name;
  bool operator==(const AuditIdentity&) const = default;
};

// How far a partition was executed.
struct AuditPosition {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t next_offset = 0;
  Time last_time;         // the broker's, of the last message
  std::string last_hash;  // of the last message, hexadecimal; empty: not known
  bool operator==(const AuditPosition&) const = default;
};

// How far something was carried on to many.
struct AuditProgress {
  std::string kind;  // subscriber, customer, server, tenant, network
  domain::Id subject_id = 0;
  domain::Id after_id = 0;  // the last one that was reached
  bool done = false;        // there was nobody behind it
  bool operator==(const AuditProgress&) const = default;
};

// What an entry holds beside its decision.
struct AuditExtras {
  std::string payload_hash;              // as in the inbox, hexadecimal; empty: nothing was put there
  std::string replays;                   // "TOPIC/PARTITION/OFFSET" of the kept message that this was; empty: none
  std::vector<AuditIdentity> made;       // that no after-image of the decision shows
  std::vector<AuditPosition> positions;  // of a batch: with its last entry
  std::optional<AuditProgress> progress;
  std::set<domain::Id> settled;  // peers of the decision of which only what settling changes is written
  std::int64_t clock_us = 0;     // by which it was decided, where that is not the time of the entry; 0: it is
};

// As audit_body() in outbound.hpp, with what stands beside the decision.
std::string audit_body(const domain::Word& word, const std::string& type, const domain::Refs& refs,
                       const domain::Decision& decision, const AuditExtras& extras);

// Whether settling a peer (a hold, a release, a quota) explains the whole difference: then its image can be short.
bool differs_by_settling(const domain::Peer& before, const domain::Peer& after);

// An entry's body, read. Peers that were written short have what settling changes, and nothing else: `extras.settled`
// names them, and overlay() puts them over what was known before.
struct AuditEntry {
  std::int64_t version = 0;
  domain::Decision decision;
  AuditExtras extras;
};
// Error `audit_entry_unreadable` (never), also for shapes that are older, or newer than this program.
Result<AuditEntry> read_audit(std::string_view body);
void overlay(domain::Peer& peer, const domain::Peer& settled);

}  // namespace peerwright::events

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/domain/guard.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/store/database.hpp"
#include "peerwright/wireguard/host.hpp"

namespace peerwright::store {

struct DeliveryLimits {
  int removals = 0;      // per push
  int peers = 0;         // added per push
  int urgent_peers = 0;  // added by a push that carries urgent removals
  domain::GuardLimits guard{};
  std::chrono::milliseconds look_again{0};  // when a retired server that strangers hold back is read again
};

// The firewall that a server is to have, as it was wanted when a push was planned.
struct PlannedFirewall {
  std::string hash;          // of the text; empty: no table is wanted
  std::string refused_code;  // why the host refuses this very text; empty: it does not
  bool carried = false;      // whether the push carries it
  bool operator==(const PlannedFirewall&) const = default;
};

// An import that a reading is to make: whose the keys become that it shows and nobody knows.
struct PlannedImport {
  domain::Id tenant_id = 0;
  std::string cause;
};

// One exec that is to happen, as it was planned in the transaction that raised its push number. It holds keys, so it
// cannot be copied.
struct PlannedPush {
  domain::Server server;
  std::string installation_id;
  std::int64_t push_number = 0;
  std::int64_t planned_generation = 0;  // the plan knows everything up to it
  bool urgent = false;
  int attempts = 0;  // failed ones before this
  wireguard::PushMode mode = wireguard::PushMode::push;
  // Mode push. An endpoint in it may be a name (host:port): whoever sends the plan puts a literal there before, or
  // takes it out as drop_unresolved() does.
  wireguard::PushPlan plan;
  std::vector<wireguard::PeerConfig> wanted;  // mode reading: all that should stand there
  std::optional<PlannedImport> import;        // mode reading

  PlannedFirewall firewall;
  wireguard::Proof settled;  // proven before, and said to be applied once this push's firewall is proven
  std::map<std::string, std::string> configured_endpoints;  // of planned peers: key -> what their settings say
  std::map<std::string, std::string> staged_of;             // key -> the second key of the same peer in the plan
  std::set<std::string> link_keys;                          // keys in the plan that are other nodes'
  std::set<std::string> unresolved;                         // keys whose endpoint names nothing
  std::set<std::string> tried_again;                        // keys that the host did not show so far, and may never
  domain::GuardLimits guard;                                // on what a reading finds unasked for
  std::string complaint;  // a standing error's code, whatever this push does; empty: none

  // The endpoint of `key` cannot be resolved: a node's entry goes without one, a peer is taken out of the plan and set
  // aside when the push is finished.
  void drop_unresolved(const std::string& key);
  // The public key of the only peer (or node) that the plan adds or changes; "" where it has others, or removals.
  [[nodiscard]] std::string lone_key() const;
};

// A key on a host that an import could not take.
struct LeftAlone {
  std::string public_key;
  std::string code;  // why
};

// What came of an import.
struct Imported {
  std::int64_t adopted = 0;
  std::vector<LeftAlone> left_alone;
  bool due = false;  // something is to be pushed: somebody who must be off, or a file that does not say what stands
};

struct Finished {
  bool still_due = false;  // more is to be delivered there, at once
  std::size_t applied = 0;
  std::size_t as_told = 0;                        // keys that kernel and file show as they are wanted
  std::vector<std::int64_t> urgent_latencies_ms;  // decision to proof, of removals and of peers that became walled
  std::vector<std::int64_t> latencies_ms;         // of additions
  bool was_late = false;                          // something urgent, and that was said (UrgentStore) and counted
  std::optional<Imported> imported;
};

// What a host refuses for ever, and what is set aside therefore until it changes.
struct Blamed {
  std::string key;        // of a peer or a node
  bool firewall = false;  // that the push carried
};

// The deliver loop's way into the database. One thread uses an object; several objects work side by side.
class DeliveryStore {
 public:
  // `sealer` opens preshared keys and servers' private keys, and outlives the store. Without it peers that have a
  // preshared key are set aside.
  explicit DeliveryStore(const Database& database, const Sealer* sealer = nullptr);
  ~DeliveryStore();

  // Claims up to `most` due servers for the worker: urgent ones first, then those that waited longest. Not those in
  // maintenance, and retired ones only while something is to be removed there. What a worker held that gave no
  // heartbeat for `dead_after` is free, and so is what this worker holds without knowing (a claim whose answer was
  // lost): whatever is its own and not in `active`. `failing`: whether servers that may not answer are asked for (the
  // last attempt failed, or none was made yet, or observation does not reach them), or the others: so that the caller
  // can keep dead hosts to a part of its threads.
  Result<std::vector<domain::Id>> claim(const std::string& worker_id, const std::vector<domain::Id>& active, int most,
                                        std::chrono::milliseconds dead_after, bool failing = false);

  // Computes the next push of a claimed server, raises its push number, notes the doubt and marks what is pushed, in
  // one commit. nullopt: nothing is to be sent (what had changed is proven already), the delivery is finished, the
  // lease is gone, or a retired server is held back by peers that are not ours, which is said (`peers_left_on_host`).
  // The last push of a retired server has the mode retire.
  Result<std::optional<PlannedPush>> plan(const std::string& worker_id, domain::Id server_id,
                                          const DeliveryLimits& limits);

  // Stores what a push or a reading proved, says it, and releases the server. Of the mode retire: its end. `WHERE
  // push_no = mine`: after somebody else's push nothing is stored, error `push_overtaken` (later). A host that shows
  // nothing of what it was told is tried again after `retry_in`; a lone peer or node that it has not shown after some
  // tries is set aside. No peer is called applied while the firewall that was planned is not proven; removals are, for
  // what has no key there is off whatever the firewall says.
  Result<Finished> finish(const std::string& worker_id, const PlannedPush& push, const wireguard::HostAnswer& answer,
                          const wireguard::Proof& proof,
                          std::chrono::milliseconds retry_in = std::chrono::milliseconds(0));

  // Notes a failure and when to try again, and releases the server. Nothing is said of the host: the doubt stands; but
  // a host key that has changed is said in server.status, unless that was said already.
  // `blamed`: what the host refuses for ever; it is set aside until it changes (a firewall: for some minutes at most),
  // unless it has changed since the plan. With a firewall set aside, removals and peers outside of a walled garden go
  // on, and those inside are taken off the host: a garden that cannot stand is a cut. After another worker has taken
  // the server over, nothing is noted.
  Result<void> fail(const std::string& worker_id, const PlannedPush& push, const Error& why,
                    std::chrono::milliseconds retry_in, const Blamed& blamed);
  Result<void> fail(const std::string& worker_id, domain::Id server_id, const Error& why,
                    std::chrono::milliseconds retry_in);

  // Servers become due on which the endpoint of a node or peer is to be resolved again, a peer that the host did not
  // show is to be tried again, or, after some minutes, a firewall that was refused or the removal of a key that carries
  // the worker. How many.
  Result<int> retry_set_aside();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/store/database.hpp"
#include "peerwright/wireguard/host.hpp"

namespace peerwright::store {

struct DeliveryLimits {
  int removals = 0;      // per push
  int peers = 0;         // added per push
  int urgent_peers = 0;  // added by a push that carries urgent removals
};

// One exec that is to happen, as it was planned in the transaction that raised its push number.
struct PlannedPush {
  domain::Server server;
  std::string installation_id;
  std::int64_t push_number = 0;
  std::int64_t planned_generation = 0;  // the plan knows everything up to it
  bool urgent = false;
  int attempts = 0;  // failed ones before this
  wireguard::PushMode mode = wireguard::PushMode::push;
  wireguard::PushPlan plan;                   // mode push
  std::vector<wireguard::PeerConfig> wanted;  // mode reading: all that should stand there
};

struct Finished {
  bool still_due = false;  // more is to be delivered there, at once
  std::size_t applied = 0;
  std::size_t as_told = 0;                        // keys that kernel and file show as they are wanted
  std::vector<std::int64_t> urgent_latencies_ms;  // decision to proof, of removals
  std::vector<std::int64_t> latencies_ms;         // of additions
};

// The deliver loop's way into the database. One thread uses an object; several objects work side by side.
class DeliveryStore {
 public:
  explicit DeliveryStore(const Database& database);
  ~DeliveryStore();

  // Claims up to `most` due servers for the worker: urgent ones first, then those that waited longest. What a worker
  // held that gave no heartbeat for `dead_after` is free, and so is what this worker holds without knowing (a claim
  // whose answer was lost): whatever is its own and not in `active`. `failing`: whether servers whose last attempt
  // failed are asked for, or the others: so that the caller can keep dead hosts to a part of its threads.
  Result<std::vector<domain::Id>> claim(const std::string& worker_id, const std::vector<domain::Id>& active, int most,
                                        std::chrono::milliseconds dead_after, bool failing = false);

  // Computes the next push of a claimed server, raises its push number, notes the doubt and marks what is pushed, in
  // one commit. nullopt: nothing is to be sent (what had changed is proven already), the delivery is finished, or the
  // lease is gone.
  Result<std::optional<PlannedPush>> plan(const std::string& worker_id, domain::Id server_id,
                                          const DeliveryLimits& limits);

  // Stores what a push or a reading proved, says it, and releases the server. `WHERE push_no = mine`: after somebody
  // else's push nothing is stored, error `push_overtaken` (later). A host that shows nothing of what it was told is
  // tried again after `retry_in`.
  Result<Finished> finish(const std::string& worker_id, const PlannedPush& push, const wireguard::HostAnswer& answer,
                          const wireguard::Proof& proof,
                          std::chrono::milliseconds retry_in = std::chrono::milliseconds(0));

  // Notes a failure and when to try again, and releases the server. Nothing is said of the host: the doubt stands.
  // `blamed_key`: the one peer that the host refuses for ever; it is set aside until it changes.
  Result<void> fail(const std::string& worker_id, domain::Id server_id, const Error& why,
                    std::chrono::milliseconds retry_in, const std::string& blamed_key = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store

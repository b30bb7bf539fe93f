#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/store/database.hpp"
#include "peerwright/wireguard/observation.hpp"

namespace peerwright::store {

// A look at a server that is to happen, and how its delivery stood when it was claimed.
struct PlannedLook {
  domain::Server server;
  std::int64_t generation = 0;
  std::int64_t push_number = 0;
  bool still = false;  // nothing was due, under way or in doubt
};

struct LookTimes {
  std::chrono::milliseconds next{60'000};         // until the next look
  std::chrono::milliseconds next_waiting{5'000};  // while something is waited for there
  std::chrono::milliseconds count_after{0};       // traffic is counted again after so long, and not at every look
};

// What a look came to.
struct Looked {
  bool said = false;                          // statuses or usage lie in the outbox
  bool due = false;                           // the server was put in doubt, or due: deliver has to look after it
  bool timers = false;                        // something is to be decided by the sweep
  bool other_outcome = false;                 // the look before failed and this one did not, or with another code
  std::int64_t rx_bytes = 0;                  // counted by this look
  std::int64_t tx_bytes = 0;                  //
  int guard_held = 0;                         // keys whose removal waits for an operator's word
  std::map<std::string, std::int64_t> peers;  // provisioned ones by connectivity; every state is there
  std::map<std::string, std::int64_t> drift;  // as it stands now; every kind is there
};

// What can stand otherwise on a host than it was proven to.
//   missing        keys that were proven to be there
//   unwanted       keys of peers that are off, have moved or have another key
//   altered        keys that were proven with other allowed IPs or another keepalive
//   foreign        keys that the database does not know, but for those that an operator wants to be left alone
//   interface      the interface was made anew since the last look, without a reboot
//   file           the saved file has changed
//   interface_key  the interface has another key
//   firewall       the table is not the one that was proven
//   push_number    the host has forgotten a push: it was restored or made anew
inline constexpr const char* kDriftKinds[] = {"missing",   "altered",       "unwanted", "foreign",    "file",
                                              "interface", "interface_key", "firewall", "push_number"};

// A handshake stands for a connection so long (the protocol itself gives up a session after three minutes).
inline constexpr std::chrono::seconds kHandshakeLives{180};

// The observe loop's way into the database. It changes nothing of what is wanted or proven: what differs from the proof
// is noted, and where the server's policy is `repair`, its delivery is put in doubt, whose reading judges and repairs.
// One thread uses an object; several objects work side by side.
class ObserveStore {
 public:
  // Both outlive it. Without a sealer statuses say no secrets.
  explicit ObserveStore(const Database& database, const Sealer* sealer = nullptr);
  ~ObserveStore();

  // Claims up to `most` servers that are to be looked at, those first that waited longest: all that are registered and
  // not retired, in maintenance or not. As DeliveryStore::claim in everything else.
  Result<std::vector<domain::Id>> claim(const std::string& worker_id, const std::vector<domain::Id>& active, int most,
                                        std::chrono::milliseconds dead_after, bool failing = false);
  // How a claimed server stands now; nullopt: there is nothing to look at any more, and it is released.
  Result<std::optional<PlannedLook>> plan(const std::string& worker_id, domain::Id server_id);

  // Stores what was seen, in one transaction, says what has changed, and releases the server. Error `look_overtaken`
  // (later): the server is no longer this worker's, nothing was stored; so that no reading counts twice.
  Result<Looked> finish(const std::string& worker_id, const PlannedLook& look, const wireguard::HostObservation& seen,
                        const LookTimes& times);
  // Notes that nothing could be seen: which says nothing of the peers. The first failure is followed by another look
  // soon, later ones at the usual times.
  Result<Looked> fail(const std::string& worker_id, const PlannedLook& look, const Error& why, const LookTimes& times);
  // Gives the server back without a word, to be looked at again later.
  Result<void> release(const std::string& worker_id, domain::Id server_id, std::chrono::milliseconds retry_in);

  // Deletes up to `most` rows of wg_connection_log that are older; how many.
  Result<int> prune_log(int retention_days, int most);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store

#pragma once

#include "firewall.hpp"
#include "links.hpp"
#include "proofs.hpp"

namespace peerwright::store {

inline constexpr const char* kOwnWayCut = "own_way_cut";

// The delivery's row under lock.
struct DeliveryRow {
  bool in_doubt = false;
  bool urgent = false;
  int attempts = 0;
  std::string installation_id;
  KnownFirewall firewall;
  bool was_refused = false;  // a refusal is noted, whether it stands or not
  bool has_links = false;
  std::optional<PlannedImport> import;
  bool own_way = false;  // keys that carry the worker itself are not removed for now
  FirewallNeeds needs;
  std::string error_code;  // of the last attempt; empty: it went well
  // What stands wrong whatever a push does, where the host refuses the firewall with `refused_code` ("": it does not).
  [[nodiscard]] std::string complaint(const std::string& refused_code) const {
    return refused_code.empty() && own_way ? kOwnWayCut : refused_code;
  }
};

// Fills plan, settled and whatever belongs to it of a push of the locked and loaded server; sets aside what cannot be
// pushed. Answers what is proven already and may be stored at once.
struct Picked {
  Shown peers;
  Shown links;
};
Picked pick_push(Tx& tx, domain::State& state, const DeliveryRow& delivery, const DeliveryLimits& limits,
                 const Sealer* sealer, const Links& links, PlannedPush& push);

// Fills `wanted` of a reading with all that should stand there.
void pick_reading(Tx& tx, domain::State& state, const Sealer* sealer, const Links& links, PlannedPush& push);

// Whether the plan tells the host anything at all.
// Whether the push says something of keys that the host is not known never to show.
bool told_keys(const PlannedPush& push);

bool is_empty(const wireguard::PushPlan& plan);
// Whether the push says anything of keys beyond those that are only tried again.
bool tells_keys(const PlannedPush& push);

}  // namespace peerwright::store

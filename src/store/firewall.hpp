#pragma once

#include <string>

#include "changes.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/host.hpp"

namespace peerwright::store {

// What is known of a host's firewall: columns of `deliveries`.
struct KnownFirewall {
  std::string hash;
  bool known = false;
  std::string refused;  // "CODE HASH", in the column followed by the time; in a plan "" once it is to be tried again
  std::string state;
  bool operator==(const KnownFirewall&) const = default;
};
// The code for which the host refuses the text with this hash; "" where it does not.
std::string refused_code(const KnownFirewall& known, const std::string& wanted_hash);
std::string refused_text(const std::string& code, const std::string& hash);
inline constexpr std::int64_t kRefusedAgainSeconds = 300;  // a refused text is tried again after that
// Whether the wanted one is still to be pushed, as far as is known.
bool is_due(const KnownFirewall& known, const std::string& wanted_hash);
// Whether the host shows the wanted one, loaded and saved.
bool shows_firewall(const wireguard::HostAnswer& answer, const std::string& wanted_hash);
// What is known once the host has answered a push that carried the wanted one, or not. A table that was changed by hand
// bears the mark of the right one still: it shows by its state, or observation has noted that state in place of the
// hash.
KnownFirewall seen_firewall(const KnownFirewall& before, const wireguard::HostAnswer& answer,
                            const std::string& wanted_hash, bool carried);

// Which of the rarer things are to be asked for at all.
struct FirewallNeeds {
  bool walled = false;
  bool rules = false;
  bool carried_on = false;  // as it will be once all holds have reached their peers, not as these were announced
};
// The firewall that the server is to have now, rendered; "" for none. Its network is loaded.
std::string wanted_firewall(Tx& tx, domain::State& state, const domain::Server& server, const FirewallNeeds& needs);

}  // namespace peerwright::store

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proofs.hpp"

namespace peerwright::store {

// The entries for other nodes on one server's interface: planned and proven like peers, but several rows may speak of
// one key (two meshes with the same node), which gets what they want together. The server's row is locked meanwhile.
class Links {
 public:
  static Links load(Tx& tx, domain::Id server_id);

  struct Plan {
    std::vector<std::string> removals;
    std::vector<wireguard::PeerConfig> peers;      // with their endpoint where it is to be set
    std::map<std::string, std::string> endpoints;  // of `peers`, as configured, whether to be set or not
    wireguard::Proof settled;                      // pending, and proven already
  };
  // What is to be done. `again`: also what only waits for its endpoint to be resolved.
  [[nodiscard]] Plan plan(bool again) const;
  // All that should stand there.
  [[nodiscard]] std::vector<wireguard::PeerConfig> wanted() const;

  // Notes that a push with these keys is under way.
  void mark_pushed(Tx& tx, const std::set<std::string>& keys);

  // Stores what was seen; answers how many keys are as they are wanted. `resolved`: the endpoints that were pushed, by
  // key; `unresolved`: keys whose endpoint names nothing.
  std::size_t store(Tx& tx, const Shown& shown, const std::map<std::string, std::string>& resolved,
                    const std::set<std::string>& unresolved);

 private:
  struct Link {
    domain::Id id = 0;
    std::string public_key;
    std::vector<std::string> allowed_ips;
    std::string endpoint;  // as configured
    std::string resolved;
    bool resolve = false;
    int keepalive_seconds = 0;
    bool wanted = true;
    std::int64_t generation = 0;
    std::int64_t applied_generation = 0;
    std::int64_t refused_generation = 0;
    std::optional<std::string> proven;
    [[nodiscard]] bool pending() const { return generation > std::max(applied_generation, refused_generation); }
  };
  struct Group {  // the rows that speak of one key
    std::vector<const Link*> wanted;
    std::vector<const Link*> unwanted;
    wireguard::PeerConfig config;  // without endpoint
    std::string endpoint;
    [[nodiscard]] std::string text() const { return proven_text(wireguard::fingerprint(config), endpoint); }
  };
  struct Verdict;

  [[nodiscard]] std::map<std::string, Group> groups() const;
  static std::set<std::string> keys_on_host(const Link& link);
  static Verdict judge(const Link& link, const std::map<std::string, Group>& groups, const Shown& shown);

  domain::Id server_id_ = 0;
  std::vector<Link> links_;
  std::set<std::string> own_way_keys_;
};

}  // namespace peerwright::store

#include "observe_drift.hpp"

#include "adopt.hpp"
#include "foreign.hpp"

namespace peerwright::store {
namespace {

constexpr const char* kRepair = "repair";
constexpr const char* kAdopt = "adopt";

}  // namespace

Drift::Drift(const domain::Server& server, const wireguard::HostObservation& seen, const ProvenState& proven)
    : server_(server), seen_(seen), proven_(proven) {
  for (const auto& peer : seen.peers) {
    shown_.emplace(peer.public_key, peer.state);
    others_.insert(peer.public_key);
  }
  if (!proven.file_hash.empty() && seen.file_hash != proven.file_hash) counts_["file"] = 1;
  const bool right_key = server.public_key.empty() || seen.interface_key == server.public_key ||
                         (!server.key_wanted.empty() && seen.interface_key == server.key_wanted);
  if (!right_key) counts_["interface_key"] = 1;
  const bool right_firewall = seen.firewall_state == proven.firewall_state &&
                              seen.firewall_loaded == proven.firewall_hash &&
                              seen.firewall_file == proven.firewall_hash;
  if (proven.firewall_known && !right_firewall) counts_["firewall"] = 1;
  if (seen.push_number < proven.push_number) counts_["push_number"] = 1;
}

void Drift::compare(const RuntimeRow& row) {
  others_.erase(row.public_key);
  others_.erase(row.staged_key);
  if (!row.proven) return;
  // A hold that was stored and has not reached its peer yet is no drift: the peer is proven as it was.
  if (!row.proven->empty() && row.wanted) {
    if (!shows(row.public_key)) ++counts_["missing"];
    if (!row.staged_key.empty() && !shows(row.staged_key)) ++counts_["missing"];
  }
  if (!row.proven->empty() && row.wanted) compare_state(row);
  if (row.proven->empty() && !row.wanted) {
    if (shows(row.public_key)) ++counts_["unwanted"];
    if (!row.staged_key.empty() && shows(row.staged_key)) ++counts_["unwanted"];
  }
}

// What was proven is a line for each key, and begins with how it stands.
void Drift::compare_state(const RuntimeRow& row) {
  const std::string lines = '\n' + *row.proven;
  for (const std::string& key : {row.public_key, row.staged_key}) {
    const auto stands = shown_.find(key);
    if (stands == shown_.end() || stands->second.empty()) continue;
    if (lines.find('\n' + stands->second + " psk=") == std::string::npos) ++counts_["altered"];
  }
}

void Drift::compare_others(Tx& tx) {
  Column shown;
  for (const auto& [key, state] : shown_) shown.add(std::string_view(key));
  const std::int64_t missing = int_at(tx.run("observe_missing_links", server_.id, shown.text())[0], 0);
  if (missing > 0) counts_["missing"] += missing;
  if (forget_foreign(tx, server_.id, shown, false)) tx.run("foreign_count", server_.id, std::string());
  if (others_.empty()) return;
  Column others;
  for (const std::string& key : others_) others.add(std::string_view(key));
  for (const auto& row : tx.run("observe_other_keys", server_.id, others.text())) {
    if (bool_at(row, 1)) continue;
    const auto whose = maybe_int_at(row, 2);
    const std::string judged = text_at(row, 3);
    if (!whose && judged == "kept") continue;
    ++counts_[whose ? "unwanted" : "foreign"];
    const bool left_alone = judged == "seen";  // under another policy, or by an import
    unjudged_ = unjudged_ || (!whose && (judged.empty() || (left_alone && server_.drift_policy == kRepair)));
    if (!whose) continue;
    removal_keys_.add(text_at(row, 0));
    removal_peers_.add(*whose);
  }
}

bool Drift::repair(Tx& tx) const {
  const bool adopts = server_.drift_policy == kAdopt;
  const bool imports = adopts && unjudged_ && want_import(tx, server_.id, "observe/" + server_.name);
  // Who must be off is taken off whatever the policy says.
  const bool repairs = adopts || server_.drift_policy == kRepair;
  if (!repairs && !has("unwanted")) return false;
  if (!removal_keys_.empty()) {
    tx.run("observe_add_removals", server_.id, removal_keys_.text(), removal_peers_.text());
  }
  // A table that was changed by hand bears the mark of the right one still, and a reading would take it for that.
  const bool changed_by_hand =
      has("firewall") && seen_.firewall_loaded == proven_.firewall_hash && seen_.firewall_file == proven_.firewall_hash;
  if (changed_by_hand && !has("unwanted")) {
    tx.run("observe_firewall_changed", server_.id, seen_.firewall_state);
    return true;
  }
  const bool doubtful = (unjudged_ && !adopts) || has("missing") || has("altered") || has("unwanted") || has("file") ||
                        has("interface") || has("interface_key") || has("firewall") || has("push_number");
  if (doubtful) tx.run("observe_doubt", server_.id, has("unwanted"));
  return doubtful || imports;
}

}  // namespace peerwright::store

#include "foreign.hpp"

#include <set>

#include "records.hpp"

namespace peerwright::store {
namespace {

constexpr const char* kRepair = "repair";
// Whatever the policy: a retired server ends once they are gone, which is for somebody to say.
constexpr const char* kHeldOfRetired = "guard_retired";

std::set<std::string> all_keys(const wireguard::HostAnswer& answer) {
  std::set<std::string> keys;
  for (const auto* peers : {&answer.kernel, &answer.file}) {
    for (const auto& peer : *peers) keys.insert(peer.public_key);
  }
  return keys;
}

std::string column_of(const std::set<std::string>& keys) {
  Column column;
  for (const std::string& key : keys) column.add(std::string_view(key));
  return column.text();
}

}  // namespace

std::vector<ForeignKey> foreign_keys(Tx& tx, domain::Id server_id, const wireguard::HostAnswer& answer) {
  // What the kernel shows counts; a key that only the file has comes in with the next reboot.
  std::map<std::string, std::string> shown;
  for (const auto* peers : {&answer.kernel, &answer.file}) {
    for (const auto& peer : *peers) shown.try_emplace(peer.public_key, joined(peer.allowed_ips));
  }
  std::set<std::string> in_file;
  for (const auto& peer : answer.file) in_file.insert(peer.public_key);
  std::vector<ForeignKey> unknown;
  if (shown.empty()) return unknown;
  Column keys, allowed_ips;
  for (const auto& [key, prefixes] : shown) {
    keys.add(std::string_view(key));
    allowed_ips.add(std::string_view(prefixes));
  }
  for (const auto& row : tx.run("foreign_unknown", server_id, keys.text(), allowed_ips.text())) {
    unknown.push_back({text_at(row, 0), text_at(row, 1), in_file.contains(text_at(row, 0))});
  }
  return unknown;
}

void remove_strays(Tx& tx, domain::Id server_id, const wireguard::HostAnswer& answer) {
  const std::set<std::string> keys = all_keys(answer);
  if (!keys.empty()) tx.run("foreign_strays", server_id, column_of(keys));
}

domain::UncausedRemovals uncaused_by(Tx& tx, domain::Id server_id, const wireguard::HostAnswer& answer) {
  const std::set<std::string> keys = all_keys(answer);
  const auto row = tx.run("foreign_known", server_id, column_of(keys))[0];
  domain::UncausedRemovals known;
  known.standing = keys.size();
  known.believed = static_cast<std::size_t>(int_at(row, 0));
  known.recognised = static_cast<std::size_t>(int_at(row, 1));
  known.first = bool_at(row, 2);
  return known;
}

std::string store_foreign(Tx& tx, const domain::Server& server, const std::vector<ForeignKey>& keys,
                          domain::UncausedRemovals known, const domain::GuardLimits& limits) {
  const bool repairs = server.drift_policy == kRepair;
  // Who was there before us under another policy still has to be asked about when that becomes this one.
  if (known.first && repairs) tx.run("foreign_listed", server.id);
  // Those of whom an operator has spoken need no other word.
  std::map<std::string, std::string> states;
  for (const auto& row : tx.run("foreign_states", server.id)) states[text_at(row, 0)] = text_at(row, 1);
  if (keys.empty() && states.empty()) return {};
  for (const ForeignKey& key : keys) {
    const auto before = states.find(key.public_key);
    if (before == states.end() || (before->second != "kept" && before->second != "removing")) ++known.keys;
  }
  const bool leaves = server.state == domain::ServerState::retired;
  const char* stop = repairs ? domain::guard_stop(known, limits) : nullptr;
  if (leaves && !repairs && known.keys > 0) stop = kHeldOfRetired;
  const std::string state = stop != nullptr ? "held" : repairs ? "removing" : "seen";
  Column names, allowed_ips, in_file;
  for (const ForeignKey& key : keys) {
    names.add(std::string_view(key.public_key));
    allowed_ips.add(std::string_view(key.allowed_ips));
    in_file.add(key.in_file);
  }
  forget_foreign(tx, server.id, names, true);
  tx.run("foreign_store", server.id, names.text(), allowed_ips.text(), state, repairs || leaves, in_file.text());
  if (!tx.run("foreign_count", server.id, std::string(stop != nullptr ? stop : "")).empty()) {
    tx.run("foreign_look", server.id);
  }
  return stop != nullptr ? stop : "";
}

void record_judged(Tx& tx, const std::map<domain::Id, bool>& approved, Messages& messages, const domain::State& state) {
  if (approved.empty()) return;
  Ids servers;
  for (const auto& [server_id, goes] : approved) servers.push_back(server_id);
  std::map<domain::Id, nlohmann::ordered_json> judged;
  for (const auto& row : tx.run("foreign_held", array_of(servers))) {
    const domain::Id server_id = int_at(row, 0);
    judged[server_id].push_back({{"server_id", server_id},
                                 {"public_key", text_at(row, 1)},
                                 {"state", approved.at(server_id) ? "removing" : "kept"}});
  }
  for (const auto& [server_id, keys] : judged) {
    const std::string& name = state.server(server_id)->name;
    record_own(messages, "peerwright.server.keys_judged.v1",
               "judged/" + name + '/' + std::to_string(micros_of(state.now)), "server/" + name, state.now,
               {{"judged_keys", keys}});
  }
}

bool forget_foreign(Tx& tx, domain::Id server_id, const Column& shown, bool complete) {
  if (tx.run("foreign_forget", server_id, shown.text(), complete).empty()) return false;
  give_way(tx, server_id);
  return true;
}

void give_way(Tx& tx, domain::Id server_id) { tx.run("foreign_give_way", server_id); }

std::vector<std::string> foreign_removals(Tx& tx, domain::Id server_id, int most) {
  std::vector<std::string> keys;
  for (const auto& row : tx.run("foreign_removals", server_id, most)) keys.push_back(text_at(row, 0));
  return keys;
}

std::size_t drop_foreign(Tx& tx, domain::Id server_id, const wireguard::Proof& proof) {
  Column gone;
  for (const auto& [key, proven] : proof) {
    if (proven && proven->empty()) gone.add(std::string_view(key));
  }
  if (gone.empty()) return 0;
  const auto dropped = static_cast<std::size_t>(tx.run("foreign_drop", server_id, gone.text()).affected_rows());
  if (dropped > 0) give_way(tx, server_id);
  return dropped;
}

}  // namespace peerwright::store

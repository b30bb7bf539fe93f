#include "delivery_host.hpp"

#include <sodium.h>

#include <algorithm>
#include <set>

#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

std::string base64(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();
  return text;
}

// As the script refuses it: a prefix that a key outside of the plan has.
void expect_free(const FullHost& host, const wireguard::PeerConfig& peer, const std::set<std::string>& touched) {
  for (const auto& [key, shown] : host.peers) {
    if (touched.contains(key)) continue;
    for (const std::string& ip : shown.peer.allowed_ips) {
      EXPECT_EQ(0, std::count(peer.allowed_ips.begin(), peer.allowed_ips.end(), ip)) << ip << " belongs to " << key;
    }
  }
}

}  // namespace

Result<wireguard::HostAnswer> FullHost::run(const store::PlannedPush& push) {
  ++runs;
  if (push.push_number <= push_number) return transient("push_number_refused", "the host has seen a greater one");
  push_number = push.push_number;
  const auto& plan = push.plan;
  if (push.mode == wireguard::PushMode::retire) {
    for (const auto& [public_key, shown] : peers) {
      const bool goes = std::find(plan.removals.begin(), plan.removals.end(), public_key) != plan.removals.end();
      if (!goes) return permanent("peers_left_on_host", "another peer stands there: " + public_key);
    }
    peers.clear();
    wireguard::HostAnswer absent;
    absent.push_number = push_number;
    return absent;
  }
  if (key.empty()) key = wireguard::generate_key_pair().public_key;
  std::set<std::string> touched(plan.removals.begin(), plan.removals.end());
  std::set<std::string> hashed(plan.hashed_keys.begin(), plan.hashed_keys.end());
  for (const auto& peer : plan.peers) {
    EXPECT_TRUE(touched.insert(peer.public_key).second) << "a key stands in the plan twice";
    if (!peer.preshared_key.empty()) hashed.insert(peer.public_key);
  }
  for (const std::string& gone : plan.removals) peers.erase(gone);
  if (plan.firewall) {
    ++firewalls;
    if (refuses_firewall) return permanent("nft_refused", "the host's nft refused a command: -f");
    if (!ignores_firewall) firewall = *plan.firewall;
    if (!ignores_firewall) changed_by_hand = false;
  }
  if (!plan.interface_key.empty() && !ignores_key && !keeps_key)
    key = wireguard::public_key_of(plan.interface_key).value();
  for (const auto& peer : plan.peers) {
    expect_free(*this, peer, touched);
    Shown& shown = peers[peer.public_key];
    shown.peer = {peer.public_key, peer.allowed_ips, peer.keepalive_seconds};
    shown.preshared_key = peer.preshared_key.reveal();
    if (!peer.endpoint.empty()) shown.endpoint = peer.endpoint;
  }
  for (const std::string& hidden : hides) peers.erase(hidden);
  wireguard::HostAnswer answer;
  answer.interface_key = key;
  answer.keeps_interface_key = keeps_key && !plan.interface_key.empty();
  answer.push_number = push_number;
  std::string secrets;
  for (const auto& [public_key, shown] : peers) {
    if (push.mode == wireguard::PushMode::reading || touched.contains(public_key)) {
      answer.kernel.push_back(shown.peer);
      answer.kernel.back().has_preshared_key = !shown.preshared_key.empty();
    }
    if (hashed.contains(public_key)) {
      secrets += public_key + ' ' + (shown.preshared_key.empty() ? "none" : shown.preshared_key) + '\n';
    }
  }
  if (push.mode == wireguard::PushMode::push) unsaved.clear();
  for (const auto& peer : answer.kernel) {
    if (!unsaved.contains(peer.public_key)) answer.file.push_back(peer);
  }
  answer.kernel_secrets_hash = answer.file_secrets_hash = sha256_hex(secrets);
  answer.file_hash = sha256_hex("file of push " + std::to_string(push_number));
  answer.firewall_loaded = answer.firewall_file = wireguard::firewall_hash(firewall);
  const char* state = changed_by_hand ? "with a rule of somebody's " : "as nft shows ";
  if (!firewall.empty()) answer.firewall_state = sha256_hex(state + firewall);
  if (!nft_tells) answer.firewall_loaded = answer.firewall_state = wireguard::kUnreadableHash;
  return answer;
}

void FullDeliveryTest::establish(const std::string& server, const nlohmann::json& network) {
  register_server(server, network);
  settle();
}

store::PlannedPush FullDeliveryTest::next() {
  for (int tries = 0; tries < 5; ++tries) {
    const auto servers = claimed(full, me, 1);
    if (servers.empty()) break;
    auto push = full.plan(me, servers.front(), kLimits);
    if (!push) throw std::runtime_error(push.error().message);
    if (*push) return **std::move(push);
  }
  throw std::runtime_error("nothing is to be pushed");
}

store::Finished FullDeliveryTest::done(const store::PlannedPush& push, std::chrono::milliseconds retry_in) {
  const auto answer = hosts[push.server.name].run(push);
  if (!answer) {
    const bool firewall = answer.error().code == "nft_refused";
    EXPECT_TRUE(full.fail(me, push, answer.error(), std::chrono::milliseconds(0), {{}, firewall}).has_value());
    return {};
  }
  const auto proof = push.mode == wireguard::PushMode::reading ? wireguard::prove_reading(push.wanted, *answer)
                                                               : wireguard::prove_push(push.plan, *answer);
  auto finished = full.finish(me, push, *answer, proof, retry_in);
  if (!finished) throw std::runtime_error(finished.error().message);
  return *finished;
}

int FullDeliveryTest::settle(int most) {
  for (int pushes = 0; pushes < most;) {
    const auto servers = claimed(full, me, 10);
    if (servers.empty()) return pushes;
    for (const domain::Id server : servers) {
      const auto push = full.plan(me, server, kLimits);
      if (!push) throw std::runtime_error(push.error().message);
      if (!*push) continue;
      ++pushes;
      done(**push);
    }
  }
  ADD_FAILURE() << "the delivery never comes to rest";
  return most;
}

void FullDeliveryTest::change(const std::string& peer, const std::string& set, bool urgent) {
  db.execute("UPDATE servers v SET generation = v.generation + 1 FROM peers p WHERE p.server_id = v.id AND p.name = '" +
             peer + "'");
  db.execute("UPDATE peers p SET " + std::string(set.empty() ? "" : set + ", ") +
             "generation = v.generation, changed_at = clock_now(), delivery_error = '' FROM servers v "
             "WHERE v.id = p.server_id AND p.name = '" +
             peer + "'");
  db.execute("UPDATE deliveries d SET due = true, due_generation = v.generation, due_since = now()" +
             std::string(urgent ? ", urgent_since = now()" : "") +
             " FROM servers v, peers p WHERE d.server_id = v.id AND p.server_id = v.id AND p.name = '" + peer + "'");
}

void FullDeliveryTest::wall(const std::string& peer, bool walled) {
  db.execute(
      "INSERT INTO holds (scope_kind, scope_id, owner, held, reason, word, level) SELECT 'peer', id, 'garden', " +
      std::string(walled ? "true" : "false") + ", '', 'w', '" + (walled ? "walled_garden" : "none") +
      "' FROM peers WHERE name = '" + peer +
      "' ON CONFLICT (scope_kind, scope_id, owner) DO UPDATE SET held = excluded.held, level = excluded.level");
  change(peer, std::string("entitlement = '") + (walled ? "walled_garden" : "active") + "'", walled);
}

void FullDeliveryTest::make_due(const std::string& server) {
  db.execute("UPDATE servers SET generation = generation + 1 WHERE name = '" + server + "'");
  db.execute(
      "UPDATE deliveries d SET due = true, due_generation = v.generation, due_since = now() FROM servers v "
      "WHERE d.server_id = v.id AND v.name = '" +
      server + "'");
}

std::string FullDeliveryTest::sealed(const std::string& plain, const std::string& place) const {
  return base64(sealer.seal(plain, place));
}

std::string FullDeliveryTest::give_preshared_key(const std::string& peer) {
  const std::string key(wireguard::generate_key_pair().private_key.reveal());
  change(peer, "preshared_key_sealed = '" + sealed(key, "peers/acme/" + peer + "/preshared_key") + "'");
  return key;
}

std::string FullDeliveryTest::give_recipient_key() {
  const auto pair = wireguard::generate_key_pair();
  db.execute("UPDATE tenants SET recipient_key = '" + pair.public_key + "'");
  return std::string(pair.private_key.reveal());
}

void FullDeliveryTest::link(const std::string& server, const std::string& other, const std::string& key,
                            const std::string& allowed_ips, const std::string& endpoint,
                            const std::string& other_server) {
  make_due(server);
  db.execute("INSERT INTO meshes (name, active) VALUES ('mesh/m', true) ON CONFLICT (name) DO NOTHING");
  db.execute(
      "INSERT INTO node_links (mesh_id, server_id, other, other_server_id, public_key, allowed_ips, endpoint, "
      "generation) "
      "SELECT m.id, v.id, '" +
      other + "', (SELECT id FROM servers WHERE name = '" + other_server + "'), '" + key + "', '{" + allowed_ips +
      "}', '" + endpoint + "', v.generation FROM meshes m, servers v WHERE m.name = 'mesh/m' AND v.name = '" + server +
      "'");
}

std::string FullDeliveryTest::of_link(const std::string& other, const std::string& column) {
  return db.value("SELECT " + column + " FROM node_links WHERE other = '" + other + "'");
}

nlohmann::json FullDeliveryTest::said_of(const std::string& peer) {
  return nlohmann::json::parse(
      db.value("SELECT body FROM outbox WHERE ce_type = 'peerwright.peer.status.v1' AND body::jsonb ->> 'peer' = '" +
               peer + "' ORDER BY id DESC LIMIT 1"));
}

}  // namespace peerwright::test

#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "delivery_host.hpp"
#include "peerwright/store/observe.hpp"
#include "peerwright/wireguard/firewall.hpp"

namespace peerwright::test {

// A server with two peers that is looked at by hand, on a host whose clock is wrong.
class ObserveTest : public FullDeliveryTest {
 protected:
  ObserveTest() : observe(db.database(), &sealer) {
    establish("srv");
    execute({provision("p"), provision("q")});
    settle();
    db.execute("DELETE FROM outbox");
  }
  FullHost& host() { return hosts["srv"]; }
  // What a look at the host shows now.
  wireguard::HostObservation seen() {
    wireguard::HostObservation seen;
    seen.interface_key = host().key;
    seen.up = seen.listening = seen.forwarding4 = seen.forwarding6 = true;
    seen.now_epoch_seconds = host_now;
    seen.uptime_seconds = uptime_seconds;
    seen.file_mode = "600";
    seen.file_hash = sha256_hex("file of push " + std::to_string(host().push_number));
    seen.firewall_loaded = seen.firewall_file = wireguard::firewall_hash(host().firewall);
    if (!host().firewall.empty()) seen.firewall_state = sha256_hex("as nft shows " + host().firewall);
    seen.push_number = host().push_number;
    for (const auto& [key, shown] : host().peers) {
      wireguard::ObservedPeer peer = clients[key];
      peer.public_key = key;
      seen.peers.push_back(peer);
    }
    return seen;
  }
  store::PlannedLook planned() {
    db.execute("UPDATE server_runtime SET observe_at = clock_now()");
    const auto servers = observe.claim(me, {}, 10, kDeadAfter).value();
    EXPECT_EQ(1U, servers.size());
    return observe.plan(me, servers.at(0)).value().value();
  }
  store::Looked look(const store::LookTimes& times = {}) { return look(seen(), times); }
  store::Looked look(const wireguard::HostObservation& what, const store::LookTimes& times = {}) {
    const auto plan = planned();
    const auto looked = observe.finish(me, plan, what, times);
    if (!looked) throw std::runtime_error(looked.error().code + ": " + looked.error().message);
    return *looked;
  }
  wireguard::ObservedPeer& client(const std::string& peer) { return clients[key_of(peer)]; }
  void pass(std::int64_t seconds) {
    host_now += seconds;
    uptime_seconds += static_cast<double>(seconds);
    db.execute("UPDATE installation SET clock_offset = clock_offset + interval '" + std::to_string(seconds) + " s'");
  }
  void connect(const std::string& peer, std::int64_t rx = 100, std::int64_t tx = 1000) {
    client(peer).handshake_epoch_seconds = host_now - 1;
    client(peer).rx_bytes += rx;
    client(peer).tx_bytes += tx;
    client(peer).endpoint = "198.51.100.7:5000";
  }
  std::string runtime(const std::string& column, const std::string& peer = "p") {
    return db.value("SELECT t." + column + " FROM peer_runtime t JOIN peers p ON p.id = t.peer_id WHERE p.name = '" +
                    peer + "'");
  }
  // What was said since the last call.
  std::vector<nlohmann::json> said(const std::string& type) {
    std::vector<nlohmann::json> all;
    for (const auto& row :
         db.rows("DELETE FROM outbox WHERE ce_type = 'peerwright." + type + ".v1' RETURNING body, id")) {
      all.push_back(nlohmann::json::parse(row[0]));
    }
    return all;
  }
  std::vector<std::string> logged() {
    std::vector<std::string> all;
    for (const auto& row : db.rows("SELECT event_type || ' ' || rx_bytes || ' ' || tx_bytes FROM wg_connection_log "
                                   "ORDER BY id")) {
      all.push_back(row[0]);
    }
    return all;
  }
  nlohmann::json drift() { return nlohmann::json::parse(db.value("SELECT drift FROM server_runtime")); }
  std::int64_t timers(const std::string& what) { return db.number("SELECT count(*) FROM timers WHERE " + what); }

  store::ObserveStore observe;
  std::map<std::string, wireguard::ObservedPeer> clients;  // by key
  std::int64_t host_now = 1'767'225'600;                   // the host's clock is wrong, and that does no harm
  double uptime_seconds = 5000;
};

}  // namespace peerwright::test

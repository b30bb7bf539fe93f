#pragma once

#include <map>
#include <optional>
#include <string>

#include "delivery_support.hpp"

namespace peerwright::test {

// A host that does all that the script does: peers with their preshared keys and endpoints, the firewall, the
// interface's own key. What it is told and must never get fails the test.
class FullHost {
 public:
  struct Shown {
    wireguard::HostPeer peer;
    std::string preshared_key;  // base64; empty: none
    std::string endpoint;
  };
  // Executes the push; an Error where the host refuses it.
  Result<wireguard::HostAnswer> run(const store::PlannedPush& push);

  std::map<std::string, Shown> peers;
  std::set<std::string> unsaved;  // keys that the file has not, until the next push
  std::set<std::string> hides;    // takes these keys, and has them not
  std::int64_t push_number = 0;
  std::string key;               // public, of the interface
  std::string firewall;          // the text that is loaded and saved
  bool changed_by_hand = false;  // the table, whose mark stayed
  bool refuses_firewall = false;
  bool ignores_firewall = false;  // answers, but has it not
  bool nft_tells = true;
  bool ignores_key = false;
  bool keeps_key = false;  // and says so
  int runs = 0;
  int firewalls = 0;  // that it was told
};

// Several servers, each with a host, and a store that can open secrets.
class FullDeliveryTest : public StoreTest {
 protected:
  static constexpr const char* kPlace = "preshared_key";

  FullDeliveryTest() : full(db.database(), &sealer) {}

  // Registers and reads a server.
  void establish(const std::string& server, const nlohmann::json& network = nlohmann::json::object());
  // Plans and executes until nothing is due; how many pushes it took.
  int settle(int most = 30);
  // The next push of the one due server; fails the test where nothing is due.
  store::PlannedPush next();
  // The push is executed and its answer stored, as the worker does both.
  store::Finished done(const store::PlannedPush& push, std::chrono::milliseconds retry_in = std::chrono::seconds(0));

  // Changes the peer's row as a decision would: a new generation, the server due.
  void change(const std::string& peer, const std::string& set, bool urgent = false);
  // A hold that puts the peer into the walled garden, or ends that, all the way to the peer.
  void wall(const std::string& peer, bool walled = true);
  void make_due(const std::string& server);
  std::string sealed(const std::string& plain, const std::string& place) const;
  std::string give_preshared_key(const std::string& peer);  // answers it
  std::string give_recipient_key();                         // to the tenant; answers the private half
  // An entry on the server's interface for another node.
  void link(const std::string& server, const std::string& other, const std::string& key, const std::string& allowed_ips,
            const std::string& endpoint = {}, const std::string& other_server = {});
  std::string of_link(const std::string& other, const std::string& column);
  bool applied(const std::string& peer) { return of_peer(peer, "(applied_generation >= generation)::int") == 1; }
  nlohmann::json said_of(const std::string& peer);  // its last status

  store::DeliveryStore full;
  std::map<std::string, FullHost> hosts;  // by server
};

}  // namespace peerwright::test

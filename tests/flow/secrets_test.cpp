// Secrets stay home: after a full run no log, message, argument list or dump of the database holds one of them; and
// what a client needs comes out of its status, sealed to whom it is for.
#include <sodium.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "flow.hpp"
#include "peerwright/base/sealed_box.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

std::string random_key() {
  unsigned char bytes[32];
  randombytes_buf(bytes, sizeof bytes);
  char text[64];
  sodium_bin2base64(text, sizeof text, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
  return text;
}

// The X25519 private key of the worker, in a file of its own.
std::string intake_key_file(const std::string& key) {
  const std::string file = std::filesystem::temp_directory_path() / ("intake-" + std::to_string(getpid()) + ".key");
  std::ofstream(file) << key << '\n';
  return file;
}

class Secrets : public FlowTest {
 protected:
  Secrets() : Secrets(random_key()) {}
  ~Secrets() override { std::filesystem::remove(key_file_); }

  static IntakeKey pair_of(const std::string& private_key) { return *IntakeKey::create(Secret(private_key)); }
  std::string opened(const std::string& sealed) {
    const auto secret = pair_of(recipient_private).open(sealed);
    EXPECT_TRUE(secret.has_value()) << "the recipient cannot open what was sealed for it";
    return secret ? std::string(secret->reveal()) : std::string();
  }
  json applied(const std::string& peer) {
    return wait_said(installation, "peer.status", json{{"peer", peer}, {"delivery", "applied"}});
  }

  std::string intake_private;
  std::string recipient_private = random_key();

 private:
  explicit Secrets(const std::string& intake)
      : FlowTest({.settings = {{"encryption.intake_key_file", intake_key_file(intake)}}}),
        intake_private(intake),
        key_file_(intake_key_file(intake)) {}
  std::string key_file_;
};

TEST_F(Secrets, AClientsFileIsBuiltFromItsStatusAloneAndPings) {
  expect(tenant_set({{"recipient_key", pair_of(recipient_private).public_key()}}));
  expect(of_peer(
      "provision", "P1",
      {{"server", "fra1"}, {"make_key", true}, {"make_preshared_key", true}, {"client_routes", {"10.200.0.0/16"}}}));
  settle();
  const json said = applied("P1");
  const std::string private_key = opened(said["client"]["private_key_sealed"]);
  const std::string psk = opened(said["client"]["preshared_key_sealed"]);
  const LabClient client("secrets", client_config(said, private_key, "PresharedKey = " + psk + "\n"));
  EXPECT_TRUE(client.pings("10.200.0.1"));
}

TEST_F(Secrets, NothingIsMadeForWhoCannotReceiveIt) {
  expect(of_peer("provision", "P1", {{"server", "fra1"}, {"make_key", true}}), "rejected", "recipient_key_missing");
  // Sealed to somebody else.
  const std::string sealed = *seal_for(pair_of(recipient_private).public_key(), Secret(random_key()));
  expect(of_peer("provision", "P2",
                 {{"server", "fra1"}, {"public_key", keys("P2").public_key}, {"preshared_key_sealed", sealed}}),
         "rejected", "sealed_value_unreadable");
}

TEST_F(Secrets, StayHomeInAFullRun) {
  // Whoever looks at the host's processes while it is pushed to.
  std::atomic<bool> stop{false};
  std::string argument_lists;
  std::thread watcher([&] {
    while (!stop) argument_lists += host.sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; true");
  });
  expect(tenant_set({{"recipient_key", pair_of(recipient_private).public_key()}}));
  const std::string sent_psk = random_key();
  const std::string sealed = *seal_for(pair_of(intake_private).public_key(), Secret(sent_psk));
  expect(of_peer("provision", "P1", {{"server", "fra1"}, {"make_key", true}, {"make_preshared_key", true}}));
  expect(of_peer("provision", "P2",
                 {{"server", "fra1"}, {"public_key", keys("P2").public_key}, {"preshared_key_sealed", sealed}}));
  settle();
  const std::string host_key_before = host.sh("wg show wg0 private-key | tr -d '\\n'");
  expect(of_peer("update", "P2", {{"make_preshared_key", true}}));
  expect(of_peer("rotate_key", "P1", {{"make_key", true}, {"stage_seconds", 3600}}));
  expect(of_server("rotate_key"));
  expect(of_peer("suspend", "P2"));
  expect(of_peer("resume", "P2"));
  settle();
  stop = true;
  watcher.join();

  std::map<std::string, std::string> secrets = {
      {"the preshared key that was sent", sent_psk},
      {"the recipient's key", recipient_private},
      {"the intake key", intake_private},
      {"the host's first key", host_key_before},
      {"the host's new key", host.sh("wg show wg0 private-key | tr -d '\\n'")}};
  ASSERT_NE(secrets["the host's first key"], secrets["the host's new key"]);
  const std::string shown = host.sh("wg show wg0 preshared-keys");
  for (std::size_t at = 0; (at = shown.find('\t', at)) != std::string::npos; ++at) {
    const std::string psk = shown.substr(at + 1, shown.find('\n', at) - at - 1);
    if (psk != "(none)") secrets["preshared key " + psk.substr(0, 4)] = psk;
  }
  for (const auto& said : installation.statuses()) {
    if (!said.body.contains("client")) continue;
    for (const char* member : {"private_key_sealed", "preshared_key_sealed"}) {
      if (said.body["client"].contains(member)) {
        secrets[said.id + ' ' + member] = opened(said.body["client"][member]);
      }
    }
  }
  std::ifstream encryption_key(installation.directory() / "encryption.key");
  std::getline(encryption_key, secrets["the encryption key"]);
  std::ifstream ssh_key(LabHost::ssh_key_file());
  std::string line;
  std::getline(ssh_key, line);
  std::getline(ssh_key, secrets["the SSH key"]);
  EXPECT_GE(secrets.size(), 10U);

  installation.worker("w1").signal(SIGTERM);
  ASSERT_EQ(installation.worker("w1").wait(std::chrono::seconds(30)), 0);
  std::map<std::string, std::string> places = {{"the worker's log", installation.log_of("w1")},
                                               {"the argument lists on the host", argument_lists}};
  for (const char* topic : {"status", "audit", "dead-letters"}) {
    for (const auto& said : installation.read_topic(topic))
      places[std::string("the topic ") + topic] += said.id + said.key + said.body.dump();
  }
  places["the database"] = run_command({"pg_dump", "--dbname", installation.db().dsn()}).out;
  for (const auto& [place, text] : places) {
    EXPECT_GT(text.size(), 100U) << place << " was not read";
    for (const auto& [name, secret] : secrets) {
      ASSERT_GE(secret.size(), 20U) << name;
      EXPECT_EQ(text.find(secret), std::string::npos) << name << " stands in " << place;
    }
  }
}

}  // namespace
}  // namespace peerwright::test

#include "command_line.hpp"

#include <unistd.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "peerwright/events/catalogue.hpp"
#include "peerwright/store/workers.hpp"

namespace peerwright::test {
namespace {

constexpr const char* kTopic = "events";
constexpr std::chrono::minutes kDeadAfter{1};
constexpr int kChunk = 1;

template <typename T>
T required(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().code + ": " + result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

std::filesystem::path new_directory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "peerwright-cli-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no directory for the test");
  return pattern;
}

std::string key_text() { return sha256_hex("the key of these tests"); }

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// What a host that took the plan would prove.
wireguard::Proof proof_of(const store::PlannedPush& push) {
  wireguard::Proof proof;
  for (const std::string& key : push.plan.removals) proof[key] = "";
  for (const wireguard::PeerConfig& peer : push.plan.peers) proof[peer.public_key] = wireguard::fingerprint(peer);
  for (const wireguard::PeerConfig& peer : push.wanted) proof[peer.public_key] = wireguard::fingerprint(peer);
  return proof;
}

}  // namespace

CommandLine::CommandLine()
    : directory_(new_directory()),
      sealer_(required(Sealer::create(Secret(key_text())))),
      intake_(db_.database(), sealer_),
      sweep_(db_.database()),
      deliveries_(db_.database()),
      worker_id_(required(store::WorkerStore(db_.database()).enlist("tester"))) {
  write("key", key_text());
  write("peerwright.yaml", "postgres:\n  dsn: \"" + db_.dsn() + "\"\nencryption:\n  key_file: " + path("key") + '\n');
  required(intake_.begin_partition(kTopic, 0, 0));
}

CommandLine::~CommandLine() { std::filesystem::remove_all(directory_); }

std::string CommandLine::write(const std::string& name, const std::string& text) const {
  std::ofstream(path(name)) << text;
  return path(name);
}

Answer CommandLine::run(const std::vector<std::string>& arguments, const std::string& input,
                        const std::map<std::string, std::string>& environment) const {
  const std::string err_file = path("stderr");
  std::vector<std::string> command = {"sh", "-c", R"(exec "$@" 2>"$0")", err_file, "env"};
  command.push_back("PEERWRIGHT_CONFIG=" + config_file());
  for (const auto& [name, value] : environment) command.emplace_back(name).append("=").append(value);
  command.emplace_back(PEERWRIGHT_BINARY);
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Finished finished = run_command(command, input);
  return {finished.exit_status, finished.out, text_of_file(err_file)};
}

void CommandLine::execute(const std::vector<TestEvent>& events) {
  for (const TestEvent& event : events) execute_text(event.text());
}

void CommandLine::execute_text(const std::string& payload) {
  store::Arrival arrival;
  arrival.topic = kTopic;
  arrival.offset = offset_++;
  arrival.broker_time = machine_now();
  arrival.key = "key";
  arrival.raw = {payload, nullptr};
  auto event = events::decode(arrival.raw);
  if (event) {
    arrival.event = *std::move(event);
  } else {
    arrival.refusal = event.error();
  }
  const store::Cursor cursor{kTopic, 0, arrival.offset, arrival.offset + 1};
  required(intake_.execute({&arrival, 1}, {&cursor, 1}));
}

void CommandLine::deliver() {
  while (required(sweep_.fan_out(kChunk)).found) {
  }
  for (;;) {
    auto claimed = required(deliveries_.claim(worker_id_, {}, 1, kDeadAfter));
    if (claimed.empty()) claimed = required(deliveries_.claim(worker_id_, {}, 1, kDeadAfter, true));
    if (claimed.empty()) return;
    const auto push = required(deliveries_.plan(worker_id_, claimed.front(), {1000, 1000, 1000}));
    if (!push) continue;
    wireguard::HostAnswer answer;
    answer.push_number = push->push_number;
    answer.file_hash = sha256_hex("the file on the host");
    required(deliveries_.finish(worker_id_, *push, answer, proof_of(*push)));
  }
}

std::string without_times(const std::string& text) {
  static const std::regex kTime(R"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00))");
  return std::regex_replace(text, kTime, "TIME");
}

std::vector<TestEvent> usual_events() {
  const nlohmann::json ssh{
      {"host", "ams-1.example.net"},
      {"host_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6hZrGyZfX4p8Z7rQ0mN5uC1yD3kVbW2xLsTtEoF9aY"}};
  const auto provision = [](const char* peer, const char* subscriber, const char* key) {
    return peer_provision("acme", peer, "ams-1", key, subscriber).with_id(std::string("provision-") + peer);
  };
  return {network_set("eu-1").with_id("network"),
          event("server.register",
                {{"server", "ams-1"},
                 {"network", "eu-1"},
                 {"ssh", ssh},
                 {"public_key", kServerKey},
                 {"endpoint", "ams-1.example.net:51820"},
                 {"dns", {"10.200.0.1"}},
                 {"mtu", 1420},
                 {"keepalive_seconds", 25},
                 {"max_peers", 100}},
                "server/ams-1")
              .with_id("server"),
          provision("laptop", "S-1", "kuZKPJJm4LFYqcLJ9SVLrKxNSRjKBHxHQHyxBFTlkWs="),
          provision("phone", "S-1", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="),
          provision("router", "S-2", "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="),
          event("peer.suspend", {{"tenant", "acme"}, {"peer", "phone"}, {"reason", "invoice 7 is late"}}, "acme/S-1")
              .with_id("late")};
}

}  // namespace peerwright::test

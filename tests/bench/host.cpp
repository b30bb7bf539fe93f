#include "bench/host.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "peerwright/wireguard/key.hpp"

namespace peerwright::bench {
namespace {

constexpr int kTimeoutSeconds = 60;
constexpr std::chrono::minutes kDeadline{2};
constexpr int kPeersPerOctet = 250;

void check_proof(const wireguard::Proof& proof, std::size_t expected) {
  if (proof.size() != expected) throw std::runtime_error("the host was not proven");
  for (const auto& [key, proven] : proof) {
    if (!proven || proven->empty()) throw std::runtime_error("a peer was not proven");
  }
}

}  // namespace

std::vector<std::string> make_keys(int count) {
  std::vector<std::string> keys;
  keys.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) keys.push_back(wireguard::generate_key_pair().public_key);
  return keys;
}

std::string peer_prefix(int i) {
  return "10.200." + std::to_string(1 + i / kPeersPerOctet) + '.' + std::to_string(1 + i % kPeersPerOctet) + "/32";
}

std::string peers_conf(const std::vector<std::string>& keys, int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) {
    text += "[Peer]\nPublicKey = " + keys[static_cast<std::size_t>(i)] + "\nAllowedIPs = " + peer_prefix(i) + "\n";
  }
  return text;
}

wireguard::PushPlan plan_of(const std::vector<std::string>& keys, int from, int to) {
  wireguard::PushPlan plan;
  for (int i = from; i < to; ++i) {
    wireguard::PeerConfig peer;
    peer.public_key = keys[static_cast<std::size_t>(i)];
    peer.allowed_ips = {peer_prefix(i)};
    plan.peers.push_back(std::move(peer));
  }
  return plan;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::unique_ptr<ssh::Session> open_session(const test::LabHost& lab) {
  const ssh::Target target{lab.address(), 22, "root", lab.host_key()};
  const auto key = read_secret_file(test::LabHost::ssh_key_file());
  if (!key) throw std::runtime_error(key.error().message);
  auto session = ssh::Session::connect(target, *key, {});
  if (!session) throw std::runtime_error(session.error().message);
  return *std::move(session);
}

BenchHost::BenchHost(int number) : lab_number_(number), lab_(number), session_(open_session(lab_)) {}

std::string BenchHost::run(const std::string& command, const std::string& input) {
  ++execs;
  auto ran = session_->exec(command, input, kDeadline);
  if (!ran || ran->exit_status != 0)
    throw std::runtime_error("a command on the host failed: " + command.substr(0, 100));
  return ran->out;
}

void BenchHost::wipe() {
  lab_ = test::LabHost(lab_number_);
  number_ = 0;
}

std::string BenchHost::push_command(wireguard::PushMode mode) {
  const wireguard::HostInterface where{"wg0", "/etc/wireguard/wg0.conf", "", "bench"};
  auto command = wireguard::exec_command(where, mode, ++number_, kTimeoutSeconds, ssh::push_script());
  if (!command) throw std::runtime_error(command.error().message);
  return *std::move(command);
}

void BenchHost::push(const wireguard::PushPlan& plan) {
  const std::string command = push_command();
  const std::string out = run(command, std::string(wireguard::render_push(plan).reveal()));
  const auto answer = wireguard::parse_answer(out, 0, number_, plan.peers);
  if (!answer) throw std::runtime_error(answer.error().message);
  check_proof(wireguard::prove_push(plan, *answer), plan.peers.size());
}

void BenchHost::read(const wireguard::PushPlan& wanted) {
  wireguard::PushPlan nothing;
  nothing.equal_listing = wireguard::equal_listing(wanted.peers);
  const std::string command = push_command(wireguard::PushMode::reading);
  const std::string out = run(command, std::string(wireguard::render_push(nothing).reveal()));
  const auto answer = wireguard::parse_answer(out, 0, number_, wanted.peers);
  if (!answer) throw std::runtime_error(answer.error().message);
  const auto proof = wireguard::prove_reading(wanted.peers, *answer);
  check_proof(proof, wanted.peers.size());
}

}  // namespace peerwright::bench

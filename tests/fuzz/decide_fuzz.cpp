#include <fuzzer/FuzzedDataProvider.h>

#include "event_stream.hpp"
#include "world.hpp"

// A stream of events, each read by events::decode and decided on one State, with timers, fan-outs and proofs in
// between; world_checks.cpp says what has to hold after each.
namespace peerwright::fuzz {
namespace {

constexpr int kMaxSteps = 60;
constexpr std::size_t kMostSecondsPassed = 7200;

class Run {
 public:
  Run(const std::uint8_t* data, std::size_t size) : bytes_(data, size), stream_(bytes_) {}

  void go() {
    for (const events::Event& event : beginning()) decide(event, false);
    for (int i = 0; i < kMaxSteps && bytes_.remaining_bytes() > 0; ++i) step();
    world_.run_timers(false);
    world_.run_fan_outs();
  }

 private:
  void step() {
    switch (bytes_.ConsumeIntegralInRange<int>(0, 9)) {
      case 0:
        world_.pass(bytes_.ConsumeIntegralInRange<std::int64_t>(0, kMostSecondsPassed));
        return world_.run_timers(bytes_.ConsumeBool());
      case 1:
        return world_.run_fan_outs();
      case 2:
        return world_.prove(bytes_.ConsumeIntegral<std::uint8_t>());
      case 3:
        world_.begin_batch();
        break;
      default:
        break;
    }
    say(stream_.next(world_.now()));
  }

  // Decoded once: it is the same for every input.
  static const std::vector<events::Event>& beginning() {
    static const std::vector<events::Event> all = [] {
      std::vector<events::Event> decoded;
      for (const Json& event : EventStream::beginning()) {
        auto one = events::decode({event.dump(), nullptr});
        require(one.has_value(), "the beginning was not understood");
        decoded.push_back(*std::move(one));
      }
      return decoded;
    }();
    return all;
  }

  void say(const Json& event) {
    const std::string text = event.dump();
    trace(text);
    const auto decoded = events::decode({text, nullptr});
    if (decoded) return decide(*decoded, true);
    check_refusal(decoded.error().code, decoded.error().message, decoded.error().remedy);
  }

  void decide(const events::Event& event, bool may_fail) {
    world_.pass(1);
    const events::Envelope& envelope = event.envelope;
    const domain::Word word{envelope.source, envelope.id, envelope.sequence, {world_.now(), 0, ++offset_}};
    world_.say(event, word, prepared(event.secrets, may_fail));
  }

  // As the intake worker would have opened or made them.
  domain::Prepared prepared(const events::SecretsWanted& wanted, bool may_fail) {
    domain::Prepared made;
    if (!wanted.any()) return made;
    if (may_fail && bytes_.ConsumeIntegralInRange<int>(0, 15) == 0) {
      made.refusal = "intake_key_missing";
      return made;
    }
    const std::string number = std::to_string(++secrets_);
    if (wanted.makes_client_key) {
      made.client_public_key = "client key " + number;
      made.client_key_sealed = "sealed client key " + number;
    }
    if (wanted.makes_server_key) {
      made.server_public_key = "server key " + number;
      made.server_key_sealed = "sealed server key " + number;
    }
    if (wanted.makes_preshared_key || !wanted.sealed_preshared_key.empty()) {
      made.preshared_key_sealed = "sealed preshared key " + number;
      made.preshared_key_hash = number;
    }
    return made;
  }

  FuzzedDataProvider bytes_;
  EventStream stream_;
  World world_;
  std::int64_t offset_ = 0;
  int secrets_ = 0;
};

}  // namespace
}  // namespace peerwright::fuzz

// libFuzzer's own names.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  peerwright::fuzz::Run(data, size).go();
  return 0;
}

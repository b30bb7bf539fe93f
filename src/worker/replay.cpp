#include "replay.hpp"

#include "arrivals.hpp"
#include "peerwright/base/log.hpp"

namespace peerwright::worker {
namespace {

constexpr std::chrono::seconds kLookAgain{30};
constexpr int kPart = 20;  // messages between two batches of new ones

}  // namespace

Replay::Replay(Context& context, store::IntakeStore& store) : context_(context), store_(store) {
  for (const events::CatalogueRow& row : events::catalogue()) types_.emplace_back(row.type);
}

void Replay::go_on() {
  if (std::chrono::steady_clock::now() < next_) return;
  const auto messages = store_.replayable(types_, after_, kPart);
  if (!messages) {
    if (std::exchange(complaint_, messages.error().code) != messages.error().code) {
      log::warn("kept events cannot be read now", messages.error(), {{"loop", "intake"}});
    }
    next_ = std::chrono::steady_clock::now() + kLookAgain;
    return;
  }
  complaint_.clear();
  for (const store::KeptMessage& message : *messages) {
    execute(message);
    after_ = {message.broker_time, message.partition, message.offset};
    context_.beat("intake");
  }
  if (messages->size() == static_cast<std::size_t>(kPart)) return;
  after_ = {};
  next_ = std::chrono::steady_clock::now() + kLookAgain;
}

void Replay::execute(const store::KeptMessage& message) {
  store::Arrival arrival;
  arrival.topic = message.topic;
  arrival.partition = message.partition;
  arrival.offset = message.offset;
  arrival.broker_time = message.broker_time;
  arrival.key = message.key;
  arrival.raw = {message.payload, &message.headers};
  read_arrival(context_, arrival);
  const auto report = store_.replay(message.id, arrival);
  if (report) {
    note_batch(context_, *report);
    return;
  }
  log::warn("a kept event cannot be executed now", report.error(),
            {{"loop", "intake"},
             {"topic", message.topic},
             {"partition", std::int64_t{message.partition}},
             {"offset", message.offset}});
}

}  // namespace peerwright::worker

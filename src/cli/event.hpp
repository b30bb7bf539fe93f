#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "command.hpp"
#include "peerwright/events/catalogue.hpp"
#include "peerwright/store/query.hpp"

// What the commands about events share.
namespace peerwright::cli {

inline constexpr const char* kContentType = "application/cloudevents+json";

// Reads a CloudEvent in structured mode, exactly as intake will.
Result<events::Event> decode_structured(std::string_view text);

// "FILE: CODE: message" and the remedy, as lines; with line and column of what is wrong, where that can be found.
std::string described(const std::string& file, const Error& error, std::string_view text);

// An event that is made of words on the command line. Empty ones are left out.
struct EventWords {
  std::string type;  // peer.suspend, or a whole type
  std::string tenant, customer, subscriber, peer, server, network, reason;
  std::string data;  // a JSON object with further members
  std::string id;    // else a random UUID
  std::string user;  // else $USER, else the name of this process's user
};
// Its text. Error: `data_invalid`.
Result<std::string> event_from(const EventWords& words);
// Who says what comes from this command line: "peerwright-cli/USER".
std::string own_source(const std::string& user);

inline constexpr double kMaxWaitSeconds = 86'400;

// What is published: files of events, or one made of words.
struct PublishOptions {
  std::vector<std::string> files;
  EventWords words;
  bool dry_run = false;  // only shown
  bool wait = false;     // followed until it is proven
  bool decided = false;  // followed until it is decided, where `wait` is not asked for
  double timeout_seconds = 30;
};
// Adds --wait, --timeout and --dry-run.
void add_following(CLI::App& app, PublishOptions& options);
Exit publish(const Globals& globals, const PublishOptions& options);

// Says the steps of an event's way: lines for people, JSON objects (one a line) for `-o json` and `jsonl`.
class Steps {
 public:
  explicit Steps(Format format) : format_(format) {}
  void say(const events::Event& event, std::string_view step, const std::string& words, const Json& members) const;

 private:
  Format format_;
};

struct FollowInput {
  const events::Event& event;
  std::int64_t dead_letters_seen = 0;  // before it was sent
  std::chrono::steady_clock::time_point deadline;
  bool to_proof = true;  // else to the decision alone
};
// Waits until the event is decided, and until what it speaks of is proven. Says each step.
Exit follow(store::QueryStore& store, const FollowInput& input, const Steps& steps);

}  // namespace peerwright::cli

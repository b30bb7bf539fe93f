#include <charconv>
#include <iostream>
#include <memory>

#include "event.hpp"
#include "event_file.hpp"
#include "files.hpp"
#include "peerwright/broker/slice.hpp"
#include "peerwright/worker/arrivals.hpp"
#include "plan_view.hpp"
#include "rows.hpp"
#include "setup.hpp"

namespace peerwright::cli {
namespace {

constexpr std::chrono::seconds kReadDeadline{20};
constexpr std::size_t kDefaultCount = 500;

struct Options {
  std::vector<std::string> files;
  std::string topic;
  std::string from;
  std::optional<std::int32_t> partition;
  std::size_t count = kDefaultCount;
  int limit = 0;
};

// Events to be planned, with the messages that they are in; arrivals point into these.
struct Input {
  std::vector<std::string> texts;
  std::vector<broker::Message> messages;
  broker::Headers structured{{"content-type", kContentType}};
  std::vector<store::Arrival> arrivals;
  std::vector<std::string> places;
};

Or<void> take_files(const Options& options, const Config& config, Input& input) {
  const Time now = machine_now();
  input.texts.reserve(options.files.size());  // views point into them
  for (const std::string& file : options.files) {
    auto text = read_file(file, kMaxEventFileBytes);
    if (!text) {
      std::cerr << described(file, text.error(), "");
      return exit_with(Exit::usage);
    }
    input.texts.push_back(*std::move(text));
    for (const EventText& one : split_events(file, input.texts.back())) {
      store::Arrival arrival;
      arrival.topic = config.kafka.event_topics.front();
      arrival.offset = static_cast<std::int64_t>(input.arrivals.size());
      arrival.broker_time = now;
      arrival.raw = {one.text, &input.structured};
      input.arrivals.push_back(std::move(arrival));
      input.places.push_back((options.files.size() > 1 ? file + ':' : "line ") + std::to_string(one.line));
    }
  }
  return {};
}

// Where the slice begins: at a time, at an offset, or where the workers stand.
Or<std::variant<Time, broker::Offsets>> beginning(const Options& options, store::PlanStore& store) {
  if (options.from.empty()) {
    auto positions = store.positions(options.topic);
    if (!positions) return exit_with(fail(positions.error()));
    return *std::move(positions);
  }
  std::int64_t offset = 0;
  const char* const end = options.from.data() + options.from.size();
  const auto read = std::from_chars(options.from.data(), end, offset);
  if (read.ec == std::errc() && read.ptr == end && offset >= 0) {
    if (!options.partition) return exit_with(usage("an offset is one of a partition: name it with --partition"));
    return broker::Offsets{{*options.partition, offset}};
  }
  const auto time = time_from(options.from);
  if (!time) return exit_with(usage("--from expects an offset, or a time as 2026-01-31T10:00:00Z"));
  return *time;
}

Or<void> take_slice(const Options& options, const Config& config, store::PlanStore& store, Input& input) {
  auto from = beginning(options, store);
  if (!from) return exit_with(from.error());
  const auto connection = kafka_of(config);
  if (!connection) return exit_with(connection.error());
  auto messages = broker::read_slice(*connection, {options.topic, options.partition, *std::move(from), options.count},
                                     kReadDeadline);
  if (!messages) return exit_with(fail(messages.error()));
  input.messages = *std::move(messages);
  for (const broker::Message& message : input.messages) {
    store::Arrival arrival;
    arrival.topic = message.partition.topic;
    arrival.partition = message.partition.number;
    arrival.offset = message.offset;
    arrival.broker_time = time_from_micros(std::max<std::int64_t>(0, message.timestamp_ms) * 1000);
    arrival.key = message.key;
    arrival.raw = {message.payload, &message.headers};
    input.arrivals.push_back(std::move(arrival));
    input.places.push_back(message.partition.topic + '/' + std::to_string(message.partition.number) + '/' +
                           std::to_string(message.offset));
  }
  return {};
}

struct Keys {
  std::optional<Sealer> sealer;
  std::optional<IntakeKey> intake_key;
};

// The workers' own: what an event brings is judged as they would.
Result<Keys> read_keys(const Config& config) {
  Keys keys;
  const auto key = read_secret_file(config.encryption.key_file);
  if (!key) return tl::unexpected(key.error());
  auto sealer = Sealer::create(*key);
  if (!sealer) return tl::unexpected(sealer.error());
  keys.sealer.emplace(*std::move(sealer));
  if (config.encryption.intake_key_file.empty()) return keys;
  const auto intake = read_secret_file(config.encryption.intake_key_file);
  if (!intake) return tl::unexpected(intake.error());
  auto intake_key = IntakeKey::create(*intake);
  if (!intake_key) return tl::unexpected(intake_key.error());
  keys.intake_key.emplace(*std::move(intake_key));
  return keys;
}

Exit print(const Globals& globals, const Options& options, const PlanShown& shown) {
  if (globals.format == Format::table || globals.format == Format::wide) {
    print_plan(shown, static_cast<std::size_t>(options.limit));
  } else {
    static constexpr View kView{"plans", [](const Json& row) { return row.at("at").get<std::string>(); }, {}};
    print_one(globals.format, kView, row_of(shown));
  }
  if (has_differences(shown.plan)) return Exit::differences;
  return has_refusals(shown.plan) ? Exit::conflict : Exit::ok;
}

Exit plan(const Globals& globals, const Options& options) {
  if (options.files.empty() == options.topic.empty()) return usage("give --file with events, or --topic");
  const auto config =
      options.topic.empty()
          ? configuration(globals, {"postgres", "encryption", "sources", "intake", "kafka.event_topics"})
          : configuration(globals, {"postgres", "encryption", "sources", "intake", "kafka"});
  if (!config) return config.error();
  const auto database = database_of(*config);
  if (!database) return database.error();
  const auto keys = read_keys(*config);
  if (!keys) return fail(keys.error());
  store::PlanStore store(*database, *keys->sealer);
  Input input;
  const auto taken =
      options.topic.empty() ? take_files(options, *config, input) : take_slice(options, *config, store, input);
  if (!taken) return taken.error();
  const worker::Reading with{config->sources, *keys->sealer, keys->intake_key ? &*keys->intake_key : nullptr};
  for (store::Arrival& arrival : input.arrivals) worker::read_arrival(with, arrival);
  const auto planned = store.plan(input.arrivals, static_cast<std::size_t>(config->intake.batch_messages));
  if (!planned) return fail(planned.error());
  return print(globals, options, {*planned, input.arrivals, input.places});
}

}  // namespace

Action setup_plan(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  const std::string most = std::to_string(store::kMaxPlanEvents);
  app.add_option("--file", options->files,
                 "Events as `event publish` takes them: one, one behind the other, or an array; - is stdin")
      ->type_name("FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--topic", options->topic, "Instead of files: what lies in a topic")->type_name("TOPIC");
  app.add_option("--from", options->from, "Where to begin there: an offset, or a time (else where the workers stand)")
      ->type_name("OFFSET|RFC3339");
  app.add_option("--partition", options->partition, "Of this partition alone")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  app.add_option("--count", options->count, "At most so many messages (1 to " + most + ")")
      ->check(CLI::Range(std::size_t{1}, store::kMaxPlanEvents))
      ->type_name("N")
      ->capture_default_str();
  options->limit = kDefaultLimit;
  app.add_option("--limit", options->limit, "In a table, at most so many lines for each server")
      ->check(CLI::Range(1, kMaxLimit))
      ->type_name("N")
      ->capture_default_str();
  return [options](const Globals& globals) { return plan(globals, *options); };
}

}  // namespace peerwright::cli

#include <algorithm>
#include <iostream>
#include <memory>

#include "event.hpp"
#include "event_file.hpp"
#include "files.hpp"
#include "peerwright/broker/producer.hpp"
#include "setup.hpp"

namespace peerwright::cli {
namespace {

constexpr std::chrono::seconds kSendDeadline{10};

struct Outgoing {
  std::string text;
  events::Event event;
};

// Reads and checks one event; what is wrong is told.
Or<Outgoing> checked(const std::string& name, Result<std::string> text) {
  if (!text) {
    std::cerr << described(name, text.error(), "");
    return exit_with(Exit::usage);
  }
  auto event = decode_structured(*text);
  if (!event) {
    std::cerr << described(name, event.error(), *text);
    return exit_with(Exit::usage);
  }
  return Outgoing{*std::move(text), *std::move(event)};
}

// All of them, or none where one is wrong: half of a batch is hard to repeat.
Or<std::vector<Outgoing>> collect(const PublishOptions& options) {
  if (options.files.empty() == options.words.type.empty()) {
    return exit_with(usage("give files of events, or --type and what it needs"));
  }
  std::vector<Outgoing> all;
  bool right = true;
  const auto add = [&](const std::string& name, Result<std::string> text) {
    auto one = checked(name, std::move(text));
    right = right && one.has_value();
    if (one) all.push_back(*std::move(one));
  };
  for (const std::string& file : options.files) {
    const auto text = read_file(file, kMaxEventFileBytes);
    if (!text) {
      add(file, tl::unexpected(text.error()));
      continue;
    }
    for (const EventText& one : split_events(file, *text)) add(one.name, std::string(one.text));
  }
  if (options.files.empty()) add("event", event_from(options.words));
  if (!right) return exit_with(Exit::usage);
  return all;
}

Exit send(const Config& config, const std::vector<Outgoing>& all, const Steps& steps) {
  const auto connection = kafka_of(config);
  if (!connection) return connection.error();
  const auto producer = broker::Producer::create(*connection);
  if (!producer) return fail(producer.error());
  std::vector<broker::OutMessage> messages;
  messages.reserve(all.size());
  for (const Outgoing& one : all) {
    messages.push_back({config.kafka.event_topics.front(), one.event.key, {{"content-type", kContentType}}, one.text});
  }
  const auto answers = (*producer)->send(messages, kSendDeadline);
  Exit exit = Exit::ok;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (answers[i]) {
      steps.say(all[i].event, "sent", "with key " + all[i].event.key,
                {{"key", all[i].event.key}, {"topic", messages[i].topic}});
    } else {
      std::cerr << "not known to be sent: " << printable(all[i].event.envelope.id)
                << " (sending it again under this id is safe)\n";
      exit = fail(answers[i].error());
    }
  }
  return exit;
}

// The worst of several ends: a rejection says more than a time-out.
Exit worse(Exit a, Exit b) { return std::max(a, b); }

Exit publish_and_follow(const Config& config, const std::vector<Outgoing>& all, const PublishOptions& options,
                        const Steps& steps) {
  const auto database = database_of(config);
  if (!database) return database.error();
  store::QueryStore store(*database);
  const auto seen = store.last_dead_letter_id();
  if (!seen) return fail(seen.error());
  const auto began = std::chrono::steady_clock::now();
  Exit exit = send(config, all, steps);
  if (exit != Exit::ok) return exit;
  const auto most =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(options.timeout_seconds));
  for (const Outgoing& one : all) {
    exit = worse(exit, follow(store, {one.event, *seen, began + most, options.wait}, steps));
  }
  return exit;
}

}  // namespace

Exit publish(const Globals& globals, const PublishOptions& options) {
  const auto all = collect(options);
  if (!all) return all.error();
  if (options.dry_run) {
    for (const Outgoing& one : *all) std::cout << one.text << (one.text.ends_with('\n') ? "" : "\n");
    return Exit::ok;
  }
  const bool followed = options.wait || options.decided;
  const auto config = followed ? configuration(globals, {"kafka", "postgres"}) : configuration(globals, {"kafka"});
  if (!config) return config.error();
  const Steps steps(globals.format);
  return followed ? publish_and_follow(*config, *all, options, steps) : send(*config, *all, steps);
}

void add_following(CLI::App& app, PublishOptions& options) {
  app.add_flag("--wait", options.wait, "Follow each event until it is decided and proven on the hosts");
  app.add_option("--timeout", options.timeout_seconds, "How long to wait")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, kMaxWaitSeconds))
      ->capture_default_str();
  app.add_flag("--dry-run", options.dry_run, "Check the events and print them, and send nothing");
}

namespace {

void add_words(CLI::App& app, EventWords& words) {
  const auto add = [&app](const char* name, std::string& target, const char* help, const char* type_name) {
    app.add_option(name, target, help)->type_name(type_name)->group("Instead of files");
  };
  add("--type", words.type, "Make an event of this type, such as peer.suspend", "TYPE");
  add("--tenant", words.tenant, "The tenant that it names", "NAME");
  add("--customer", words.customer, "The customer that it names", "NAME");
  add("--subscriber", words.subscriber, "The subscriber that it names", "NAME");
  add("--peer", words.peer, "The peer that it names", "NAME");
  add("--server", words.server, "The server that it names", "NAME");
  add("--network", words.network, "The network that it names", "NAME");
  add("--reason", words.reason, "Why", "TEXT");
  add("--data", words.data, "A JSON object with all other members", "JSON");
  add("--id", words.id, "Its id (else a random UUID); the same id again has no further effect", "ID");
  add("--user", words.user, "Who says it, in the source peerwright-cli/USER (else $USER)", "USER");
}

}  // namespace

Action setup_event_publish(CLI::App& app) {
  const auto options = std::make_shared<PublishOptions>();
  app.add_option("files", options->files, "CloudEvents in JSON: one, one behind the other, or an array; - is stdin")
      ->type_name("FILE");
  add_words(app, options->words);
  add_following(app, *options);
  return [options](const Globals& globals) { return publish(globals, *options); };
}

}  // namespace peerwright::cli

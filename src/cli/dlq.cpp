#include <array>
#include <iostream>
#include <memory>

#include "pages.hpp"
#include "peerwright/base/seal.hpp"

namespace peerwright::cli {
namespace {

constexpr std::array kColumns{Column{"ID", "id"},
                              Column{"STORED_AT", "stored_at"},
                              Column{"CODE", "code"},
                              Column{"SOURCE", "source"},
                              Column{"EVENT_ID", "event_id"},
                              Column{"TYPE", "event_type"},
                              Column{"STATE", "state", true},
                              Column{"TOPIC", "topic", true},
                              Column{"PARTITION", "partition", true},
                              Column{"OFFSET", "offset", true},
                              Column{"MESSAGE", "message", true}};

constexpr View kView{"dead letters", [](const Json& row) { return std::to_string(row.at("id").get<std::int64_t>()); },
                     kColumns};

struct Page {
  std::int64_t after = 0;
  std::string state;
  int limit = 0;
};

struct ShowOptions {
  std::int64_t id = 0;
  bool raw = false;
};

std::string unhexed(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

// As text where it is some, else in hexadecimal under another name.
void add_bytes(Json& row, const std::string& member, const std::string& bytes) {
  if (Json::parse(line_of(Json(bytes))) == Json(bytes)) {
    row[member] = bytes;
  } else {
    row[member + "_hex"] = hex_of(bytes);
  }
}

// What store::pack_original made: a line of JSON with key and headers in hexadecimal, then the payload.
Json unpacked(std::string_view original) {
  const std::size_t line_end = original.find('\n');
  const Json head = Json::parse(original.substr(0, line_end));
  Json row;
  add_bytes(row, "key", unhexed(head.at("key_hex").get<std::string>()));
  row["headers"] = Json::array();
  for (const Json& header : head.at("headers")) {
    Json pair;
    add_bytes(pair, "name", unhexed(header.at(0).get<std::string>()));
    add_bytes(pair, "value", unhexed(header.at(1).get<std::string>()));
    row["headers"].push_back(std::move(pair));
  }
  add_bytes(row, "payload", std::string(original.substr(line_end + 1)));
  return row;
}

Result<Secret> open_original(const Config& config, const store::DeadLetterDetail& letter) {
  const auto key = read_secret_file(config.encryption.key_file);
  if (!key) return tl::unexpected(key.error());
  const auto sealer = Sealer::create(*key);
  if (!sealer) return tl::unexpected(sealer.error());
  return sealer->open(letter.sealed, letter.place);
}

Or<store::DeadLetterDetail> find_letter(const Config& config, std::int64_t id) {
  const auto database = database_of(config);
  if (!database) return exit_with(database.error());
  auto found = store::QueryStore(*database).dead_letter(id);
  if (!found) return exit_with(fail(found.error()));
  if (std::optional<store::DeadLetterDetail> letter = *std::move(found)) return *std::move(letter);
  return exit_with(fail({"dead_letter_not_found", "there is no dead letter " + std::to_string(id),
                         "see `peerwright dlq list`", Retry::never}));
}

Exit show_letter(const Globals& globals, const ShowOptions& options) {
  const auto config = configuration(globals, {"postgres", "encryption"});
  if (!config) return config.error();
  const auto letter = find_letter(*config, options.id);
  if (!letter) return letter.error();
  const auto original = open_original(*config, *letter);
  if (!original) return fail(original.error());
  if (options.raw) {
    std::cout << original->reveal().substr(original->reveal().find('\n') + 1);
    return Exit::ok;
  }
  Json row = row_of(letter->view);
  row["original"] = unpacked(original->reveal());
  print_one(globals.format, kView, row);
  return Exit::ok;
}

}  // namespace

Action setup_dlq_list(CLI::App& app) {
  const auto page = std::make_shared<Page>();
  app.add_option("--state", page->state, "open, replay, replayed or discarded")
      ->type_name("STATE")
      ->check(CLI::IsMember({"open", "replay", "replayed", "discarded"}));
  app.add_option("--after", page->after, "Behind this one: the next page")->type_name("ID");
  add_limit(app, page->limit);
  return [page](const Globals& globals) {
    return print_page(globals, page->limit, kView, [&](store::QueryStore& store, int most) {
      return store.dead_letters(page->after, most, page->state);
    });
  };
}

Action setup_dlq_show(CLI::App& app) {
  const auto options = std::make_shared<ShowOptions>();
  app.add_option("id", options->id, "The dead letter")->type_name("ID")->required();
  app.add_flag("--raw", options->raw, "Write the original's payload to stdout, byte by byte, and nothing else");
  return [options](const Globals& globals) { return show_letter(globals, *options); };
}

}  // namespace peerwright::cli

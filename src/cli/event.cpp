#include "event.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include "json_place.hpp"
#include "peerwright/base/clock.hpp"
#include "peerwright/base/seal.hpp"

namespace peerwright::cli {
namespace {

constexpr std::size_t kUuidBytes = 16;

// A random one (RFC 9562, version 4).
std::string random_uuid() {
  std::string bytes(kUuidBytes, '\0');
  if (getentropy(bytes.data(), bytes.size()) != 0) throw std::runtime_error("the system gives no random bytes");
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text = hex_of(bytes);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

std::string user_name() {
  if (const char* user = std::getenv("USER"); user != nullptr && *user != '\0') return user;
  const passwd* const entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : std::to_string(getuid());
}

std::string whole_type(const std::string& name) {
  for (const events::CatalogueRow& row : events::catalogue()) {
    if (row.name == name) return std::string(row.type);
  }
  return name;  // decode says what it thinks of it
}

}  // namespace

Result<events::Event> decode_structured(std::string_view text) {
  static const std::vector<std::pair<std::string, std::string>> kHeaders{{"content-type", kContentType}};
  return events::decode({text, &kHeaders});
}

std::string described(const std::string& file, const Error& error, std::string_view text) {
  std::string lines = file;
  if (const auto place = place_of_error(error, text)) {
    lines += ':' + std::to_string(place->line) + ':' + std::to_string(place->column);
  }
  lines += ": " + error.code + ": " + printable(error.message) + '\n';
  if (!error.remedy.empty()) lines += "  remedy: " + printable(error.remedy) + '\n';
  return lines;
}

Result<std::string> event_from(const EventWords& words) {
  Json data = words.data.empty() ? Json::object() : Json::parse(words.data, nullptr, false);
  if (!data.is_object()) {
    return permanent("data_invalid", "the event's data is no JSON object", "write it like '{\"reason\": \"late\"}'");
  }
  const std::array<std::pair<const char*, const std::string*>, 7> members{{{"tenant", &words.tenant},
                                                                           {"customer", &words.customer},
                                                                           {"subscriber", &words.subscriber},
                                                                           {"peer", &words.peer},
                                                                           {"server", &words.server},
                                                                           {"network", &words.network},
                                                                           {"reason", &words.reason}}};
  for (const auto& [name, value] : members) {
    if (!value->empty()) data[name] = *value;
  }
  const Time now = machine_now();
  const Json event{{"specversion", "1.0"},
                   {"id", words.id.empty() ? random_uuid() : words.id},
                   {"source", own_source(words.user)},
                   {"type", whole_type(words.type)},
                   {"time", rfc3339(now)},
                   {"sequence", std::to_string(micros_of(now))},
                   {"datacontenttype", "application/json"},
                   {"data", std::move(data)}};
  return line_of(event);
}

std::string own_source(const std::string& user) { return "peerwright-cli/" + (user.empty() ? user_name() : user); }

void Steps::say(const events::Event& event, std::string_view step, const std::string& words,
                const Json& members) const {
  if (format_ == Format::name) {
    if (step == "sent") std::cout << printable(event.envelope.id) << std::endl;
    return;
  }
  if (format_ != Format::json && format_ != Format::jsonl) {
    std::cout << printable(event.envelope.id) << ": " << step << (words.empty() ? "" : " ") << printable(words)
              << std::endl;
    return;
  }
  Json line{{"step", step}, {"source", event.envelope.source}, {"id", event.envelope.id}};
  line.update(members);
  std::cout << line_of(line) << std::endl;
}

}  // namespace peerwright::cli

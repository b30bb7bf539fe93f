#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "config_values.hpp"

namespace peerwright {
namespace config {
namespace {

constexpr int kHeartbeatsUntilDead = 3;
constexpr std::string_view kConflict = "settings_conflict";

// Where the first of them was given that does not stand at its default.
const Place& given_place(const Places& places, std::string_view first, std::string_view second) {
  const Place& place = places.place_of(first);
  return place.origin == Origin::fallback ? places.place_of(second) : place;
}

void check_times(const Config& c, const Places& places, Problems& problems) {
  if (c.worker.dead_after_ms < kHeartbeatsUntilDead * c.worker.heartbeat_ms) {
    problems.add(given_place(places, "worker.dead_after_ms", "worker.heartbeat_ms"), std::string(kConflict),
                 "worker.dead_after_ms is less than 3 heartbeats, so that living workers would be taken for dead",
                 "use at least " + std::to_string(kHeartbeatsUntilDead * c.worker.heartbeat_ms) +
                     " ms, or a shorter worker.heartbeat_ms");
  }
  if (c.deliver.retry_base_ms > c.deliver.retry_max_ms) {
    problems.add(given_place(places, "deliver.retry_base_ms", "deliver.retry_max_ms"), std::string(kConflict),
                 "deliver.retry_base_ms is greater than deliver.retry_max_ms",
                 "use at most " + std::to_string(c.deliver.retry_max_ms) + " ms, or a greater deliver.retry_max_ms");
  }
}

// A worker that reads what it writes would answer itself for ever.
void check_topics(const Config& c, const Places& places, Problems& problems) {
  const std::array<std::pair<std::string_view, const std::string*>, 3> written{
      {{"kafka.status_topic", &c.kafka.status_topic},
       {"kafka.audit_topic", &c.kafka.audit_topic},
       {"kafka.dead_letter_topic", &c.kafka.dead_letter_topic}}};
  std::map<std::string, std::string> owners;
  for (const std::string& topic : c.kafka.event_topics) owners.emplace(topic, "kafka.event_topics");
  for (const auto& [key, topic] : written) {
    const auto [owner, fresh] = owners.emplace(*topic, key);
    if (fresh) continue;
    problems.add(given_place(places, key, owner->second), std::string(kConflict),
                 std::string(key) + " names the same topic as " + owner->second, "give each its own topic");
  }
}

void check_source_topics(const Config& c, const Places& places, Problems& problems) {
  for (const SourceBinding& source : c.sources) {
    for (const std::string& topic : source.topics) {
      if (std::ranges::find(c.kafka.event_topics, topic) != c.kafka.event_topics.end()) continue;
      problems.add(places.place_of("sources"), std::string(kConflict),
                   "the source \"" + source.name + "\" is bound to the topic \"" + topic + "\", which is not read",
                   "add it to kafka.event_topics, or correct its name");
    }
  }
}

void check_properties(const Config& c, const Places& places, Problems& problems) {
  for (const auto& [name, file] : c.kafka.secret_property_files) {
    if (!c.kafka.properties.contains(name)) continue;
    problems.add(places.place_of("kafka.properties"), std::string(kConflict),
                 name + " stands in kafka.properties and in kafka.secret_property_files", "keep one of the two");
  }
}

tl::unexpected<Error> address_invalid(std::string_view text) {
  return permanent("address_invalid", '"' + std::string(text.substr(0, 64)) + "\" is not address:port",
                   "write it as 127.0.0.1:9464, 0.0.0.0:9464 or [::]:9464, with a port from 0 to 65535");
}

}  // namespace

void check_together(const Config& config, const Places& places, Problems& problems) {
  check_times(config, places, problems);
  check_topics(config, places, problems);
  check_source_topics(config, places, problems);
  check_properties(config, places, problems);
}

}  // namespace config

Result<ListenAddress> parse_listen_address(std::string_view text) {
  constexpr int kMaxPort = 65'535;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return config::address_invalid(text);
  ListenAddress out;
  const std::string_view port = text.substr(colon + 1);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (port.empty() || read.ec != std::errc() || read.ptr != port.data() + port.size() || out.port < 0 ||
      out.port > kMaxPort) {
    return config::address_invalid(text);
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  out.host = std::string(host);
  std::array<unsigned char, sizeof(in6_addr)> address{};
  const bool known = bracketed ? inet_pton(AF_INET6, out.host.c_str(), address.data()) == 1
                               : out.host == "localhost" || inet_pton(AF_INET, out.host.c_str(), address.data()) == 1;
  if (!known) return config::address_invalid(text);
  return out;
}

}  // namespace peerwright

#include "support/events.hpp"

#include <atomic>

namespace peerwright::test {
namespace {

std::int64_t next_number() {
  static std::atomic<std::int64_t> number{0};
  return ++number;
}

std::string subject_key(const std::string& tenant, const std::string& subscriber, const std::string& peer) {
  return tenant + '/' + (subscriber.empty() ? peer : subscriber);
}

}  // namespace

TestEvent& TestEvent::from(const std::string& source) {
  cloud_event["source"] = source;
  return *this;
}

TestEvent& TestEvent::with_id(const std::string& id) {
  cloud_event["id"] = id;
  return *this;
}

TestEvent& TestEvent::with_sequence(std::optional<std::int64_t> sequence) {
  cloud_event.erase("sequence");
  if (sequence) cloud_event["sequence"] = std::to_string(*sequence);
  return *this;
}

TestEvent event(const std::string& type, const nlohmann::json& data, const std::string& key) {
  const std::int64_t number = next_number();
  return {{{"specversion", "1.0"},
           {"id", "event-" + std::to_string(number)},
           {"source", "billing"},
           {"type", "peerwright." + type + ".v1"},
           {"sequence", std::to_string(number)},
           {"datacontenttype", "application/json"},
           {"data", data}},
          key};
}

TestEvent network_set(const std::string& network, const nlohmann::json& more) {
  nlohmann::json data = {{"network", network},
                         {"ipv4", "10.200.0.0/16"},
                         {"ipv6", "fd00:200::/64"},
                         {"reserved", {"10.200.0.1"}},
                         {"quarantine_seconds", 0}};
  data.update(more);
  return event("network.set", data, "network/" + network);
}

TestEvent server_register(const std::string& server, const std::string& network, const LabHost& host) {
  return event("server.register",
               {{"server", server},
                {"network", network},
                {"ssh", {{"host", host.address()}, {"host_key", host.host_key()}}},
                {"endpoint", host.endpoint()},
                {"max_peers", 20000}},
               "server/" + server);
}

TestEvent peer_provision(const std::string& tenant, const std::string& peer, const std::string& server,
                         const std::string& public_key, const std::string& subscriber) {
  nlohmann::json data = {{"tenant", tenant}, {"peer", peer}, {"server", server}, {"public_key", public_key}};
  if (!subscriber.empty()) data["subscriber"] = subscriber;
  return event("peer.provision", data, subject_key(tenant, subscriber, peer));
}

TestEvent peer_event(const std::string& verb, const std::string& tenant, const std::string& peer,
                     const std::string& subscriber) {
  return event("peer." + verb, {{"tenant", tenant}, {"peer", peer}}, subject_key(tenant, subscriber, peer));
}

TestEvent subscriber_event(const std::string& verb, const std::string& tenant, const std::string& subscriber) {
  return event("subscriber." + verb, {{"tenant", tenant}, {"subscriber", subscriber}}, tenant + '/' + subscriber);
}

}  // namespace peerwright::test

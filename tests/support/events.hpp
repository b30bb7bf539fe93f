#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "support/lab.hpp"

namespace peerwright::test {

// An event as a billing system would send it: a whole CloudEvent (structured mode) and the Kafka key of its subject.
struct TestEvent {
  nlohmann::json cloud_event;
  std::string key;
  [[nodiscard]] std::string id() const { return cloud_event["id"]; }
  [[nodiscard]] std::string text() const { return cloud_event.dump(); }
  TestEvent& from(const std::string& source);
  TestEvent& with_id(const std::string& id);
  TestEvent& with_sequence(std::optional<std::int64_t> sequence);
};

// Ids are new each time; the source is "billing" and the sequence counts up through the process.
TestEvent event(const std::string& type, const nlohmann::json& data, const std::string& key);

TestEvent network_set(const std::string& network, const nlohmann::json& more = nlohmann::json::object());
TestEvent server_register(const std::string& server, const std::string& network, const LabHost& host);
TestEvent peer_provision(const std::string& tenant, const std::string& peer, const std::string& server,
                         const std::string& public_key, const std::string& subscriber = {});
// peer.suspend, peer.resume, peer.revoke
TestEvent peer_event(const std::string& verb, const std::string& tenant, const std::string& peer,
                     const std::string& subscriber = {});
TestEvent subscriber_event(const std::string& verb, const std::string& tenant, const std::string& subscriber);

}  // namespace peerwright::test

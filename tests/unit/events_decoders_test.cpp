#include <gmock/gmock.h>

#include "events_support.hpp"

// What the decoders make of data is seen in the decisions that it leads to.
namespace peerwright::events {
namespace {

using nlohmann::json;
using testing::ElementsAre;

domain::Word word() {
  domain::Word word;
  word.source = "billing";
  word.id = "1";
  word.sequence = 1;
  return word;
}

domain::Network network() {
  domain::Network network;
  network.id = 1;
  network.name = "eu-1";
  network.net4 = *wireguard::Prefix::parse("10.20.0.0/16");
  network.net6 = *wireguard::Prefix::parse("fd20::/64");
  network.word = word();
  return network;
}

domain::Server server(const std::string& name) {
  domain::Server server;
  server.id = 2;
  server.name = name;
  return server;
}

domain::Peer peer(const std::string& name) {
  domain::Peer peer;
  peer.id = 3;
  peer.tenant_id = 4;
  peer.tenant = "acme";
  peer.name = name;
  return peer;
}

domain::Decision decided(const json& event, const domain::State& state) {
  const auto decoded = decode_json(event);
  EXPECT_TRUE(decoded) << message_of(decoded);
  return decoded ? decoded->decide(word(), state) : domain::Decision{};
}

domain::Server registered(const json& event) {
  domain::State state;
  state.load(network());
  state.load(server(event["data"]["server"].get<std::string>()));
  const auto decision = decided(event, state);
  EXPECT_EQ(decision.servers.size(), 1U) << decision.message;
  return decision.servers.empty() ? domain::Server{} : decision.servers[0];
}

domain::Peer provisioned(const json& event) {
  domain::State state;
  state.load(network());
  domain::Server with_word = server("ams-1");
  with_word.network_id = 1;
  with_word.max_peers = 10;
  with_word.keepalive_seconds = 15;
  with_word.word = word();
  state.load(with_word);
  state.load(peer(event["data"]["peer"].get<std::string>()));
  domain::Subscriber subscriber;
  subscriber.id = 5;
  subscriber.tenant_id = 4;
  subscriber.name = "S-1";
  domain::Tenant tenant;
  tenant.id = 4;
  tenant.name = "acme";
  state.load(tenant);
  state.load(subscriber);
  const auto decision = decided(event, state);
  EXPECT_EQ(decision.peers.size(), 1U) << decision.message;
  return decision.peers.empty() ? domain::Peer{} : decision.peers[0];
}

domain::Network set(const json& event) {
  domain::State state;
  domain::Network named;
  named.id = 1;
  named.name = event["data"]["network"].get<std::string>();
  state.load(named);
  const auto decision = decided(event, state);
  EXPECT_EQ(decision.networks.size(), 1U) << decision.message;
  return decision.networks.empty() ? domain::Network{} : decision.networks[0];
}

json default_of(const std::string& type, const std::string& pointer) {
  const json schema = json::parse(read_file(schema_folder() / (type + ".schema.json")));
  return schema.at(json::json_pointer(pointer + "/default"));
}

TEST(DecodeNetwork, TakesEveryMember) {
  const auto made = set(example("network.set"));
  EXPECT_EQ(made.name, "eu-1");
  EXPECT_EQ(made.net4->text(), "10.20.0.0/16");
  EXPECT_EQ(made.net6->text(), "fd20::/64");
  EXPECT_THAT(made.reserved, ElementsAre(1)) << "the two addresses of one offset";
  EXPECT_EQ(made.quarantine_seconds, 3600);
}

TEST(DecodeNetwork, HasTheDefaultsThatItsSchemaSays) {
  const auto made = set(example("network.set-ipv6-only"));
  EXPECT_FALSE(made.net4);
  EXPECT_EQ(made.net6->text(), "fd07:7::/64");
  EXPECT_TRUE(made.reserved.empty());
  EXPECT_EQ(json(made.quarantine_seconds), default_of("network.set", "/properties/quarantine_seconds"));
}

TEST(DecodeServer, TakesEveryMember) {
  const json event = example("server.register");
  const json& data = event["data"];
  const auto made = registered(event);
  EXPECT_EQ(json(made.ssh_host), data["ssh"]["host"]);
  EXPECT_EQ(json(made.ssh_port), data["ssh"]["port"]);
  EXPECT_EQ(json(made.ssh_user), data["ssh"]["user"]);
  EXPECT_EQ(json(made.ssh_host_key), data["ssh"]["host_key"]);
  EXPECT_EQ(json(made.exec_prefix), data["ssh"]["exec_prefix"]);
  EXPECT_EQ(json(made.interface), data["interface"]);
  EXPECT_EQ(json(made.config_path), data["config_path"]);
  EXPECT_EQ(json(made.public_key), data["public_key"]);
  EXPECT_EQ(json(made.endpoint), data["endpoint"]);
  EXPECT_EQ(json(made.mtu), data["mtu"]);
  EXPECT_EQ(json(made.dns), data["dns"]);
  EXPECT_EQ(json(made.keepalive_seconds), data["keepalive_seconds"]);
  EXPECT_EQ(json(made.max_peers), data["max_peers"]);
}

TEST(DecodeServer, TakesTheWayInAndTheJumpHost) {
  const auto made = registered(example("server.register-sudo-by-jump"));
  EXPECT_EQ(made.ssh_way, wireguard::WayIn::sudo);
  const domain::JumpHost jump{
      "jump.example.net", 2222, "jump",
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6hZrGyZfX4p8Z7rQ0mN5uC1yD3kVbW2xLsTtEoF9aY root@jump"};
  EXPECT_EQ(made.ssh_jump, jump);
  EXPECT_EQ(registered(example("server.register-forced")).ssh_way, wireguard::WayIn::forced);
  json event = example("server.register-sudo-by-jump");
  event["data"]["ssh"]["jump"].erase("port");
  event["data"]["ssh"]["jump"].erase("user");
  const auto plain = registered(event);
  const auto says = [](const std::string& member) {
    return default_of("server.register", "/properties/ssh/properties/jump/properties/" + member);
  };
  EXPECT_EQ(json(plain.ssh_jump->port), says("port"));
  EXPECT_EQ(json(plain.ssh_jump->user), says("user"));
}

TEST(DecodeServer, HasTheDefaultsThatItsSchemaSays) {
  const auto made = registered(example("server.register-minimal"));
  const auto says = [](const std::string& pointer) { return default_of("server.register", "/properties/" + pointer); };
  EXPECT_EQ(json(made.ssh_port), says("ssh/properties/port"));
  EXPECT_EQ(json(made.ssh_user), says("ssh/properties/user"));
  EXPECT_EQ(json(made.exec_prefix), says("ssh/properties/exec_prefix"));
  EXPECT_EQ(json(wireguard::name_of(made.ssh_way)), says("ssh/properties/way"));
  EXPECT_FALSE(made.ssh_jump);
  EXPECT_EQ(json(made.interface), says("interface"));
  EXPECT_EQ(made.config_path, "/etc/wireguard/wg0.conf");
  EXPECT_EQ(made.public_key, "");
  EXPECT_EQ(made.mtu, 0);
  EXPECT_EQ(json(made.dns), says("dns"));
  EXPECT_EQ(json(made.keepalive_seconds), says("keepalive_seconds"));
  EXPECT_EQ(json(made.max_peers), says("max_peers"));
  json other = example("server.register-minimal");
  other["data"]["interface"] = "wg7";
  EXPECT_EQ(registered(other).config_path, "/etc/wireguard/wg7.conf");
}

TEST(DecodeServer, WritesAddressesInOneForm) {
  json event = example("server.register");
  event["data"]["dns"] = {"FD20:0::0001", "10.20.0.1"};
  EXPECT_THAT(registered(event).dns, ElementsAre("fd20::1", "10.20.0.1"));
}

TEST(DecodePeer, TakesEveryMember) {
  const json event = example("peer.provision");
  const json& data = event["data"];
  const auto made = provisioned(event);
  EXPECT_EQ(json(made.tenant), data["tenant"]);
  EXPECT_EQ(json(made.name), data["peer"]);
  EXPECT_EQ(json(made.subscriber), data["subscriber"]);
  EXPECT_EQ(json(made.public_key), data["public_key"]);
  EXPECT_EQ(json(made.description), data["description"]);
  EXPECT_EQ(json(made.client_routes), data["client_routes"]);
  EXPECT_EQ(json(made.keepalive_seconds), data["keepalive_seconds"]);
}

TEST(DecodePeer, HasTheDefaultsThatItsSchemaSays) {
  const auto made = provisioned(example("peer.provision-minimal"));
  EXPECT_EQ(made.subscriber, "");
  EXPECT_EQ(made.description, "");
  EXPECT_EQ(json(made.client_routes), default_of("peer.provision", "/properties/client_routes"));
  EXPECT_EQ(made.keepalive_seconds, 15) << "the server's";
  json off = example("peer.provision-minimal");
  off["data"]["keepalive_seconds"] = 0;
  EXPECT_EQ(provisioned(off).keepalive_seconds, 0) << "said, not left out";
}

TEST(DecodePeer, WritesRoutesInOneForm) {
  json event = example("peer.provision");
  event["data"]["client_routes"] = {"10.1.2.3/8", "FD00:0::1/64", "192.0.2.7"};
  EXPECT_THAT(provisioned(event).client_routes, ElementsAre("10.0.0.0/8", "fd00::/64", "192.0.2.7/32"));
}

TEST(DecodeHolds, SayWhoAndWhetherAndWhy) {
  domain::State state;
  domain::Peer held_peer = peer("P-1");
  held_peer.stage = domain::Stage::provisioned;
  state.load(held_peer);
  domain::Tenant tenant;
  tenant.id = 4;
  tenant.name = "acme";
  state.load(tenant);
  domain::Subscriber subscriber;
  subscriber.id = 5;
  subscriber.tenant_id = 4;
  subscriber.name = "S-1";
  state.load(subscriber);
  for (const std::string kind : {"peer", "subscriber"}) {
    for (const std::string what : {"suspend", "resume"}) {
      json event = example(kind + "." + what);
      const auto decision = decided(event, state);
      ASSERT_EQ(decision.holds.size(), 1U) << kind << what << decision.message;
      EXPECT_EQ(decision.holds[0].scope.id, kind == "peer" ? 3 : 5);
      EXPECT_EQ(decision.holds[0].held, what == "suspend");
      EXPECT_EQ(json(decision.holds[0].reason), event["data"]["reason"]);
    }
  }
  const auto revoked = decided(example("peer.revoke"), state);
  ASSERT_EQ(revoked.peers.size(), 1U) << revoked.message;
  EXPECT_EQ(revoked.peers[0].stage, domain::Stage::revoked);
}

}  // namespace
}  // namespace peerwright::events

// How a server is registered, and how its settings change.
#include <functional>

#include "domain_server_support.hpp"

namespace peerwright::domain {
namespace {

class Servers : public ServerTest {};

TEST_F(Servers, registerTakesEverySetting) {
  auto event = ServerWorld::registration("edge");
  event.owner = "acme";
  event.more.region = "south";
  event.more.location = "Bari";
  event.more.description = "first";
  event.more.listen_port = 51821;
  event.more.default_action = wireguard::RuleAction::deny;
  event.more.tunnel_only_ports = {{wireguard::RuleProtocol::tcp, 5432}};
  event.more.masquerade = true;
  event.more.drift_policy = "report";
  event.more.metadata = R"({"rack":"4"})";
  event.more.post_up = "up";
  event.more.post_down = "down";
  const Decision decision = world.say(event, world.word(1, "fleet-tool"));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  const Server& edge = world.server("edge");
  EXPECT_EQ(ServerWorld::kAcme, edge.owner_tenant_id);
  EXPECT_EQ(ServerWorld::kNetwork, edge.network_id);
  EXPECT_EQ("south", edge.region);
  EXPECT_EQ("Bari", edge.location);
  EXPECT_EQ("first", edge.description);
  EXPECT_EQ(51821, edge.listen_port);
  EXPECT_EQ(wireguard::RuleAction::deny, edge.default_action);
  ASSERT_EQ(1U, edge.tunnel_only_ports.size());
  EXPECT_EQ(5432, edge.tunnel_only_ports[0].port);
  EXPECT_TRUE(edge.masquerade);
  EXPECT_EQ("report", edge.drift_policy);
  EXPECT_EQ(R"({"rack":"4"})", edge.metadata);
  EXPECT_EQ("up", edge.post_up);
  EXPECT_EQ("down", edge.post_down);
  EXPECT_EQ("fleet-tool", edge.created_by);
  EXPECT_EQ("fleet-tool", edge.updated_by);
  EXPECT_EQ("key of edge", edge.public_key);
  EXPECT_EQ(world.state.now, edge.key_since);
  EXPECT_EQ(1, edge.generation);
  EXPECT_EQ(1, edge.version);
  EXPECT_EQ(ServerIds{edge.id}, decision.due_servers);
  EXPECT_TRUE(decision.doubtful_servers.empty());
  EXPECT_EQ(nobody(), decision.wider_fan_outs);  // nobody is there yet
}

TEST_F(Servers, refsOfARegistrationBelongToNoTenant) {
  auto event = ServerWorld::registration("edge");
  event.owner = "acme";
  const Refs refs = refs_of(event);
  EXPECT_EQ("", refs.tenant);
  EXPECT_EQ("acme", refs.owner_tenant);
  EXPECT_EQ("edge", refs.server);
  EXPECT_EQ("net", refs.network);
  EXPECT_TRUE(refs.makes_server);
}

TEST_F(Servers, registerAgainSaysEverything) {
  auto event = ServerWorld::registration("srv");
  event.more.region = "south";
  event.more.masquerade = true;
  world.say(event);
  const Server before = srv();
  event.more = {};
  event.public_key.clear();
  const Decision decision = world.say(event, world.word(std::nullopt, "peerwright-cli/ada"));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ("", srv().region);
  EXPECT_FALSE(srv().masquerade);
  EXPECT_EQ("key of srv", srv().public_key);  // not told again, not forgotten
  EXPECT_EQ("ops", srv().created_by);
  EXPECT_EQ("peerwright-cli/ada", srv().updated_by);
  EXPECT_EQ(before.generation + 1, srv().generation);
  EXPECT_TRUE(decision.doubtful_servers.empty());
}

TEST_F(Servers, registerTellsTheClientsWhatConcernsThem) {
  auto event = ServerWorld::registration("srv");
  EXPECT_EQ(nobody(), world.say(event).wider_fan_outs);
  const std::pair peers_of_it(FanOut::server, srv().id);
  event.endpoint = "198.51.100.7:51820";
  EXPECT_TRUE(world.say(event).wider_fan_outs.contains(peers_of_it));
  event.mtu = 1380;
  EXPECT_TRUE(world.say(event).wider_fan_outs.contains(peers_of_it));
  event.dns = {"10.0.0.1"};
  EXPECT_TRUE(world.say(event).wider_fan_outs.contains(peers_of_it));
  event.public_key = "another key";
  const Word last = world.next();
  const Decision decision = world.say(event, last);
  ASSERT_TRUE(decision.wider_fan_outs.contains(peers_of_it));
  EXPECT_EQ("ops/" + last.id, decision.wider_fan_outs.at(peers_of_it));
  EXPECT_EQ("another key", srv().public_key);
}

TEST_F(Servers, registerElsewhereDoubtsWhatWasProven) {
  const auto doubtful = [&](const ServerRegister& event) { return world.say(event).doubtful_servers; };
  auto event = ServerWorld::registration("srv");
  EXPECT_EQ(ServerIds{}, doubtful(event));
  event.ssh_host = "elsewhere.example.net";
  EXPECT_EQ(ServerIds{srv().id}, doubtful(event));
  event.ssh_port = 2222;
  EXPECT_EQ(ServerIds{srv().id}, doubtful(event));
  event.interface = "wg1";
  EXPECT_EQ(ServerIds{srv().id}, doubtful(event));
  event.config_path = "/etc/wireguard/wg1.conf";
  EXPECT_EQ(ServerIds{srv().id}, doubtful(event));
  event.exec_prefix = "docker exec -i wg";
  EXPECT_EQ(ServerIds{srv().id}, doubtful(event));
}

TEST_F(Servers, registerIsRefused) {
  auto event = ServerWorld::registration("srv");
  expect_refused(world.say(event, world.word(0)), "stale");
  expect_refused(world.say(event, world.word(std::nullopt)), "sequence_required");
  event.network = "nowhere";
  expect_refused(world.say(event), "unknown_network");
  world.add_network("net2", 11, "10.2.0.0/24");
  event.network = "net2";
  expect_refused(world.say(event), "server_network_fixed");
  event.network = "net";
  event.owner = "acme";
  expect_refused(world.say(event), "server_owner_fixed");
  auto owned = ServerWorld::registration("edge");
  owned.owner = "acme";
  ASSERT_EQ(Outcome::accepted, world.say(owned).outcome);
  ASSERT_EQ(Outcome::accepted, world.say(owned).outcome);
  owned.owner = "other";
  expect_refused(world.say(owned), "server_owner_fixed");
  owned.owner.clear();
  expect_refused(world.say(owned), "server_owner_fixed");
}

TEST_F(Servers, oneInterfaceIsOneServer) {
  const auto second = [](const std::function<void(ServerRegister&)>& change) {
    auto event = ServerWorld::registration("srv");  // with all that says where it is
    event.server = "two";
    event.public_key = "key of two";
    change(event);
    return event;
  };
  const auto taken = second([](ServerRegister&) {});
  expect_refused(world.say(taken), "interface_taken");
  expect_refused(world.say(second([](ServerRegister& event) {
    event.ssh_user = "somebody";
    event.config_path = "/etc/other.conf";
    event.ssh_host_key = "ssh-ed25519 BBBB";
  })),
                 "interface_taken");
  expect_refused(world.say(second([](ServerRegister& event) {
    event.ssh_host = "192.0.2.1";
    event.public_key = "key of srv";
  })),
                 "interface_taken");
  const std::vector<std::function<void(ServerRegister&)>> elsewhere = {
      [](ServerRegister& event) { event.ssh_host = "192.0.2.1"; }, [](ServerRegister& event) { event.ssh_port = 2222; },
      [](ServerRegister& event) { event.interface = "wg1"; },
      [](ServerRegister& event) { event.exec_prefix = "docker exec -i wg"; },
      [](ServerRegister& event) {
        event.ssh_jump = JumpHost{"jump.example.net", 22, "root", "ssh-ed25519 AAAA"};
      }};
  for (std::size_t i = 0; i < elsewhere.size(); ++i) {
    auto event = second(elsewhere[i]);
    event.server = "two-" + std::to_string(i);
    event.public_key = "key of " + event.server;
    EXPECT_EQ(Outcome::accepted, world.say(event).outcome) << i;
  }
  // An update comes there no more than a registration; what it leaves as it was is not judged.
  ServerSettings there;
  there.ssh_host = "srv.example.net";
  expect_refused(world.say(ServerUpdate{"two-0", there}), "interface_taken");
  ServerSettings elsewhere_again;
  elsewhere_again.ssh_port = 22;
  expect_refused(world.say(ServerUpdate{"two-1", elsewhere_again}), "interface_taken");
  Server twin = *world.state.server("two-0");  // as an older version let it come
  twin.ssh_host = "srv.example.net";
  twin.public_key = "key of srv";
  world.state.load(twin);
  there.description = "rack 4";
  EXPECT_EQ(Outcome::accepted, world.say(ServerUpdate{"two-0", there}).outcome);
  EXPECT_EQ(Outcome::accepted, world.say(ServerWorld::registration("srv")).outcome);
}

TEST_F(Servers, anInterfaceIsFreeOnceItsServerIsProvenOrSaidToBeGone) {
  auto next = ServerWorld::registration("srv");
  next.server = "next";
  ASSERT_EQ(Outcome::accepted, world.say(ServerRetire{"srv", ""}).outcome);
  expect_refused(world.say(next), "interface_taken");  // its keys may still stand there
  Server gone = srv();
  gone.retired_proven_at = world.state.now;
  world.state.load(gone);
  EXPECT_EQ(Outcome::accepted, world.say(next).outcome);
  expect_refused(world.say(ServerWorld::registration("srv")), "interface_taken");  // it cannot come back there
  ASSERT_EQ(Outcome::accepted, world.say(ServerRetire{"next", "burnt down"}).outcome);
  EXPECT_EQ(Outcome::accepted, world.say(ServerWorld::registration("srv")).outcome);
}

TEST_F(Servers, registerDoesNotTakeBackAKeyThatWasMadeHere) {
  Server made = srv();
  made.private_key_sealed = "c2VhbGVk";
  world.state.load(made);
  auto event = ServerWorld::registration("srv");
  EXPECT_EQ(Outcome::accepted, world.say(event).outcome);
  event.public_key = "an old key";
  expect_refused(world.say(event), "server_key_fixed");
  made = srv();
  made.key_wanted = "the next key";
  world.state.load(made);
  event.public_key = "the next key";
  EXPECT_EQ(Outcome::accepted, world.say(event).outcome);
  EXPECT_EQ("key of srv", srv().public_key);  // until the host is proven to have the next one
  EXPECT_EQ("the next key", srv().key_wanted);
}

TEST_F(Servers, aRetiredServerComesBackByRegistration) {
  ASSERT_EQ(Outcome::accepted, world.say(ServerRetire{"srv", "burnt down"}).outcome);
  Server gone = srv();
  gone.private_key_sealed = "c2VhbGVk";
  world.state.load(gone);
  auto event = ServerWorld::registration("srv");
  event.public_key = "key of a new host";
  const Decision decision = world.say(event);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(ServerState::active, srv().state);
  EXPECT_EQ("", srv().retired_word);
  EXPECT_EQ("key of a new host", srv().public_key);
  EXPECT_EQ("", srv().private_key_sealed);
  EXPECT_EQ(ServerIds{srv().id}, decision.doubtful_servers);
  EXPECT_EQ(ServerIds{srv().id}, decision.due_servers);
}

TEST_F(Servers, updateChangesWhatItSaysAndNothingElse) {
  const Server before = srv();
  ServerSettings settings;
  settings.description = "rack 4";
  const Decision decision = update(settings);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ("rack 4", srv().description);
  EXPECT_EQ(before.endpoint, srv().endpoint);
  EXPECT_EQ(before.version + 1, srv().version);
  EXPECT_EQ(before.generation, srv().generation);  // nothing of it is on the host
  EXPECT_EQ(ServerIds{}, decision.due_servers);
  EXPECT_EQ(nobody(), decision.wider_fan_outs);
}

TEST_F(Servers, updateWithTheSameIsUnchanged) {
  const Server before = srv();
  ServerSettings settings;
  settings.ssh_host = before.ssh_host;
  settings.max_peers = before.max_peers;
  const Decision decision = update(settings);
  EXPECT_EQ(Outcome::unchanged, decision.outcome);
  EXPECT_EQ(before.version, srv().version);
  EXPECT_EQ(before.generation, srv().generation);
  EXPECT_EQ(ServerIds{}, decision.due_servers);
  EXPECT_NE(before.word, srv().word);  // the register took the word
}

TEST_F(Servers, updateOfWhatClientsHaveFansOut) {
  const std::pair peers_of_it(FanOut::server, srv().id);
  ServerSettings endpoint;
  endpoint.endpoint = "198.51.100.7:51820";
  Decision decision = update(endpoint);
  EXPECT_TRUE(decision.wider_fan_outs.contains(peers_of_it));
  EXPECT_EQ(ServerIds{}, decision.due_servers);
  ServerSettings dns;
  dns.dns = std::vector<std::string>{"10.0.0.1"};
  EXPECT_TRUE(update(dns).wider_fan_outs.contains(peers_of_it));
  ServerSettings mtu;
  mtu.mtu = 1380;
  decision = update(mtu);
  EXPECT_TRUE(decision.wider_fan_outs.contains(peers_of_it));
  EXPECT_EQ(ServerIds{srv().id}, decision.due_servers);  // the interface has one, too
}

TEST_F(Servers, updateOfTheFirewallIsDelivered) {
  ServerSettings action;
  action.default_action.emplace(wireguard::RuleAction::deny);
  ServerSettings ports;
  ports.tunnel_only_ports = {{wireguard::RuleProtocol::tcp, 5432}, {wireguard::RuleProtocol::udp, 53}};
  ServerSettings masquerade;
  masquerade.masquerade = true;
  ServerSettings unfiltered;
  unfiltered.default_action.emplace(std::nullopt);
  for (const ServerSettings& settings : {action, ports, masquerade, unfiltered}) {
    const std::int64_t generation = srv().generation;
    const Decision decision = update(settings);
    EXPECT_EQ(Outcome::accepted, decision.outcome);
    EXPECT_EQ(generation + 1, srv().generation);
    EXPECT_EQ(ServerIds{srv().id}, decision.due_servers);
    EXPECT_EQ(ServerIds{}, decision.doubtful_servers);
    EXPECT_EQ(nobody(), decision.wider_fan_outs);
  }
  EXPECT_EQ(std::nullopt, srv().default_action);
  ports.tunnel_only_ports = {{wireguard::RuleProtocol::udp, 53}, {wireguard::RuleProtocol::tcp, 5432}};
  EXPECT_EQ(Outcome::unchanged, update(ports).outcome);  // in another order
}

TEST_F(Servers, updateElsewhereDoubtsWhatWasProven) {
  ServerSettings host;
  host.ssh_host = "elsewhere.example.net";
  ServerSettings prefix;
  prefix.exec_prefix = "docker exec -i wg";
  for (const ServerSettings& settings : {host, prefix}) {
    const Decision decision = update(settings);
    EXPECT_EQ(ServerIds{srv().id}, decision.doubtful_servers);
    EXPECT_EQ(ServerIds{srv().id}, decision.due_servers);
  }
}

TEST_F(Servers, aWayInWithoutAShellTakesNoExecPrefix) {
  auto event = ServerWorld::registration("srv");
  event.exec_prefix = "docker exec -i wg";
  event.ssh_way = wireguard::WayIn::sudo;
  expect_refused(world.say(event), "exec_prefix_not_taken");
  event.exec_prefix.clear();
  ASSERT_EQ(Outcome::accepted, world.say(event).outcome);
  EXPECT_EQ(wireguard::WayIn::sudo, srv().ssh_way);
  ServerSettings prefix;
  prefix.exec_prefix = "docker exec -i wg";
  expect_refused(update(prefix), "exec_prefix_not_taken");
  EXPECT_EQ("", srv().exec_prefix);
  prefix.ssh_way = wireguard::WayIn::shell;
  EXPECT_EQ(Outcome::accepted, update(prefix).outcome);
  ServerSettings forced;
  forced.ssh_way = wireguard::WayIn::forced;
  expect_refused(update(forced), "exec_prefix_not_taken");
}

TEST_F(Servers, anotherJumpHostMayLeadElsewhereAndAnotherLoginDoesNot) {
  ServerSettings jump;
  jump.ssh_jump.emplace(JumpHost{"jump.example.net", 22, "root", "ssh-ed25519 AAAA"});
  EXPECT_EQ(ServerIds{srv().id}, update(jump).doubtful_servers);
  EXPECT_EQ(Outcome::unchanged, update(jump).outcome);
  jump.ssh_jump.emplace(JumpHost{"jump.example.net", 22, "jump", "ssh-ed25519 BBBB"});
  Decision decision = update(jump);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(ServerIds{}, decision.doubtful_servers);
  ServerSettings way;
  way.ssh_way = wireguard::WayIn::forced;
  decision = update(way);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(ServerIds{}, decision.doubtful_servers);
  jump.ssh_jump.emplace(std::nullopt);
  EXPECT_EQ(ServerIds{srv().id}, update(jump).doubtful_servers);
  EXPECT_FALSE(srv().ssh_jump);
}

}  // namespace
}  // namespace peerwright::domain

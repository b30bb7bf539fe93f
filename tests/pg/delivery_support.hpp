#pragma once

#include <string>

#include "store_support.hpp"

namespace peerwright::test {

// A server that was read already, two workers, and a host that does what it is told.
class DeliveryTest : public StoreTest {
 protected:
  DeliveryTest() : rival(db.database()), other(workers.enlist("other").value()) {
    register_server();
    deliver(delivery, me, host);  // the first reading lifts the doubt
  }
  // The host executes the push, and its answer is stored.
  void answered(const store::PlannedPush& push, FakeHost& fake) {
    const auto answer = fake.run(push);
    ASSERT_TRUE(answer.has_value());
    const auto finished = delivery.finish(me, push, *answer, FakeHost::proof(push, *answer));
    ASSERT_TRUE(finished.has_value()) << finished.error().message;
  }
  void failed(const store::PlannedPush& push, const char* code = "ssh_unreachable") {
    const Error why{code, "it does not answer", "", Retry::later};
    ASSERT_TRUE(delivery.fail(me, push.server.id, why, std::chrono::milliseconds(0)).has_value());
  }
  bool in_doubt() { return of_delivery("in_doubt") == "t"; }
  bool due() { return of_delivery("due") == "t"; }
  bool applied(const std::string& peer) { return of_peer(peer, "(applied_generation >= generation)::int") == 1; }

  store::DeliveryStore rival;
  std::string other;
};

}  // namespace peerwright::test

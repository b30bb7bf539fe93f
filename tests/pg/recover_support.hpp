#pragma once

#include <gmock/gmock.h>

#include <map>
#include <span>
#include <string>
#include <vector>

#include "peerwright/store/recover.hpp"
#include "store_support.hpp"

// A database and another that is made out of its audit.
namespace peerwright::test {

inline constexpr int kMost = 1'000'000;  // entries at a time: all

// What the audit topic would hold behind `after`; `worker` does the publishing.
inline std::vector<store::PublishedAudit> audit_entries(const TestDatabase& db, const std::string& worker,
                                                        std::int64_t after = 0) {
  store::PublishStore publish(db.database());
  EXPECT_TRUE(publish.hold_lease(worker, std::chrono::minutes(10)).value_or(false));
  while (publish.link_audit(worker, kMost).value_or(0) > 0) {
  }
  std::vector<store::PublishedAudit> all;
  auto rows = publish.unpublished_audit(kMost);
  for (store::AuditRow& row : *rows) {
    if (row.chain_no > after) all.push_back({std::move(row), true});
  }
  return all;
}

inline void fold(const TestDatabase& into, const std::vector<store::PublishedAudit>& all, std::size_t at_once = 100) {
  store::RecoverStore recover(into.database());
  for (std::size_t i = 0; i < all.size(); i += at_once) {
    const auto folded = recover.fold(std::span(all).subspan(i, std::min(at_once, all.size() - i)));
    ASSERT_TRUE(folded.has_value()) << folded.error().code << ": " << folded.error().message;
  }
}

// Table by table, so that a difference says where it is.
inline void expect_equal(const TestDatabase& a, const TestDatabase& b) {
  const auto of_a = store::state_digest(a.database());
  const auto of_b = store::state_digest(b.database());
  ASSERT_TRUE(of_a.has_value() && of_b.has_value());
  ASSERT_EQ(of_a->size(), of_b->size());
  for (std::size_t i = 0; i < of_a->size(); ++i) {
    EXPECT_EQ((*of_a)[i].rows, (*of_b)[i].rows) << (*of_a)[i].table;
    EXPECT_EQ((*of_a)[i].sum, (*of_b)[i].sum) << (*of_a)[i].table;
  }
  EXPECT_EQ(store::digest_of(*of_a), store::digest_of(*of_b));
}

inline void record_installation_of(const TestDatabase& db) {
  ASSERT_TRUE(store::HaltStore(db.database()).record_installation().has_value());
}

class RecoverTest : public StoreTest {
 protected:
  std::vector<store::PublishedAudit> entries(std::int64_t after = 0) { return audit_entries(db, me, after); }
  void record_installation() { record_installation_of(db); }

  void deliver_a_little(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      for (const domain::Id server : claimed(delivery, me, 10)) {
        auto push = delivery.plan(me, server, kLimits);
        if (!push || !*push) continue;
        if (auto answer = hosts_[server].run(**push)) {
          if (!(*push)->plan.interface_key.empty()) answer->interface_key = (*push)->server.key_wanted;
          (void)delivery.finish(me, **push, *answer, FakeHost::proof(**push, *answer));
        }
      }
    }
  }

  std::map<domain::Id, FakeHost> hosts_;
};

}  // namespace peerwright::test

#include "store_support.hpp"

// The outbox's and the audit chain's safeguards (docs/model).
namespace peerwright::test {
namespace {

class Publish : public StoreTest {
 protected:
  Publish() : publish(db.database()), rival(db.database()), other(workers.enlist("other").value()) {}
  void record(TestDatabase& where, const std::string& id) { where.execute(insert(id)); }
  static std::string insert(const std::string& id) {
    return "INSERT INTO audit (source, event_id, event_type, key, outcome, body) VALUES ('billing', '" + id +
           "', 'peerwright.peer.revoke.v1', 'acme/p', 'accepted', '{}')";
  }
  std::vector<std::string> unpublished() {
    std::vector<std::string> ids;
    const auto rows = publish.unpublished_audit(100);
    EXPECT_TRUE(rows.has_value());
    for (const auto& row : rows.value_or(std::vector<store::AuditRow>{})) {
      ids.push_back(std::to_string(row.chain_no) + ":" + row.event_id);
    }
    return ids;
  }
  store::PublishStore publish;
  store::PublishStore rival;
  std::string other;
};
using Said = std::vector<std::string>;

TEST_F(Publish, theOutboxIsReadInTheOrderOfItsIdsAndDeletedAfterwards) {
  register_server();
  execute({provision("p"), peer_event("suspend", "acme", "p"), peer_event("resume", "acme", "p")});
  const auto rows = publish.outbox(100);
  ASSERT_TRUE(rows.has_value());
  ASSERT_GE(rows->size(), 4U);
  for (std::size_t i = 1; i < rows->size(); ++i) EXPECT_LT((*rows)[i - 1].id, (*rows)[i].id);
  EXPECT_EQ(2U, publish.outbox(2)->size());
  const auto backlog = publish.backlog();
  EXPECT_EQ(static_cast<std::int64_t>(rows->size()), backlog->outbox_rows);
  EXPECT_GE(backlog->oldest_age_seconds, 0.0);
  ASSERT_TRUE(publish.delete_outbox({(*rows)[0].id, (*rows)[1].id}).has_value());
  EXPECT_EQ((*rows)[2].id, publish.outbox(1)->at(0).id);
}

TEST_F(Publish, whatCannotBeProducedIsParkedOutOfTheWay) {
  register_server();
  execute({provision("p")});
  const auto rows = publish.outbox(100);
  ASSERT_TRUE(publish.park(rows->at(0).id, "kafka_message_refused").has_value());
  EXPECT_EQ(rows->size() - 1, publish.outbox(100)->size());
  EXPECT_EQ(static_cast<std::int64_t>(rows->size() - 1), publish.backlog()->outbox_rows);
  EXPECT_EQ(1, db.number("SELECT count(*) FROM outbox WHERE parked_code = 'kafka_message_refused'"));
}

TEST_F(Publish, leaseFenceStopsAPublisherThatWasReplaced) {
  record(db, "a");
  ASSERT_TRUE(publish.hold_lease(me, kDeadAfter).value());
  EXPECT_FALSE(rival.hold_lease(other, kDeadAfter).value());
  EXPECT_TRUE(publish.hold_lease(me, kDeadAfter).value());  // keeps it
  EXPECT_EQ("lease_lost", rival.link_audit(other, 100).error().code);
  silence(me);
  ASSERT_TRUE(rival.hold_lease(other, kDeadAfter).value());
  const auto linked = publish.link_audit(me, 100);
  ASSERT_FALSE(linked.has_value());
  EXPECT_EQ("lease_lost", linked.error().code);
  EXPECT_EQ(Retry::later, linked.error().retry);
  EXPECT_EQ(0, db.number("SELECT count(*) FROM audit WHERE chain_no IS NOT NULL"));
  EXPECT_EQ(1U, rival.link_audit(other, 100).value());
  const auto published = publish.audit_published(me, 1);
  ASSERT_FALSE(published.has_value());
  EXPECT_EQ("lease_lost", published.error().code);
  EXPECT_EQ(Said{"1:a"}, unpublished());
}

TEST_F(Publish, chainOrderIsKeptByASuccessorThoughARowWithALowerIdCameLater) {
  ASSERT_TRUE(publish.hold_lease(me, kDeadAfter).value());
  Other slow(db);
  slow.execute(insert("first id"));
  record(db, "second id");
  EXPECT_EQ(1U, publish.link_audit(me, 100).value());
  slow.commit();
  silence(me);
  ASSERT_TRUE(rival.hold_lease(other, kDeadAfter).value());
  EXPECT_EQ(1U, rival.link_audit(other, 100).value());
  EXPECT_EQ(0U, rival.link_audit(other, 100).value());  // never again
  EXPECT_EQ((Said{"1:second id", "2:first id"}), unpublished());
  const auto report = store::verify_audit(db.database());
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(2, report->rows);
  EXPECT_EQ(0, report->broken_at);
}

TEST_F(Publish, whatWasPublishedIsNotAskedForAgain) {
  ASSERT_TRUE(publish.hold_lease(me, kDeadAfter).value());
  for (const char* id : {"a", "b", "c"}) record(db, id);
  EXPECT_EQ(2U, publish.link_audit(me, 2).value());
  ASSERT_TRUE(publish.audit_published(me, 1).has_value());
  EXPECT_EQ(Said{"2:b"}, unpublished());
  EXPECT_EQ(1U, publish.link_audit(me, 2).value());
  ASSERT_TRUE(publish.audit_published(me, 3).has_value());
  ASSERT_TRUE(publish.audit_published(me, 2).has_value());  // an older acknowledgement takes nothing back
  EXPECT_EQ(Said{}, unpublished());
}

TEST_F(Publish, everyHashBindsTheRowAndAllBeforeIt) {
  ASSERT_TRUE(publish.hold_lease(me, kDeadAfter).value());
  for (const char* id : {"a", "b", "c"}) record(db, id);
  ASSERT_EQ(3U, publish.link_audit(me, 100).value());
  std::string hash(32, '\0');
  const auto rows = publish.unpublished_audit(100);
  for (const store::AuditRow& row : *rows) {
    hash = store::chain_hash(hash, row);
    EXPECT_EQ(hash, row.chain_hash) << row.event_id;
  }
  EXPECT_EQ(hex_of(hash), db.value("SELECT encode(chain_hash, 'hex') FROM audit_head"));
  EXPECT_EQ("", rows->at(0).code);
  store::AuditRow changed = rows->at(0);
  changed.source += "x";
  store::AuditRow shifted = rows->at(0);  // the same bytes, cut elsewhere
  shifted.source = "billin";
  shifted.event_id = "ga";
  const std::string start(32, '\0');
  EXPECT_NE(rows->at(0).chain_hash, store::chain_hash(start, changed));
  EXPECT_NE(rows->at(0).chain_hash, store::chain_hash(start, shifted));
}

TEST_F(Publish, theAuditShowsWhatWasChangedBehindItsBack) {
  ASSERT_TRUE(publish.hold_lease(me, kDeadAfter).value());
  for (const char* id : {"a", "b", "c", "d"}) record(db, id);
  ASSERT_EQ(4U, publish.link_audit(me, 100).value());
  EXPECT_EQ(0, store::verify_audit(db.database())->broken_at);
  db.execute("UPDATE audit SET outcome = 'rejected' WHERE event_id = 'b'");
  EXPECT_EQ(2, store::verify_audit(db.database())->broken_at);
  db.execute("UPDATE audit SET outcome = 'accepted' WHERE event_id = 'b'");
  EXPECT_EQ(0, store::verify_audit(db.database())->broken_at);
  db.execute("DELETE FROM audit WHERE event_id = 'c'");
  EXPECT_EQ(4, store::verify_audit(db.database())->broken_at);
}

// Rows cut off at the end leave a chain that fits in itself; the head knows better.
TEST_F(Publish, theAuditShowsThatItsEndIsMissing) {
  ASSERT_TRUE(publish.hold_lease(me, kDeadAfter).value());
  for (const char* id : {"a", "b"}) record(db, id);
  ASSERT_EQ(2U, publish.link_audit(me, 100).value());
  db.execute("DELETE FROM audit WHERE event_id = 'b'");
  const auto report = store::verify_audit(db.database());
  ASSERT_TRUE(report.has_value());
  const bool noticed = report->broken_at != 0 || report->rows != db.number("SELECT chain_no FROM audit_head");
  EXPECT_TRUE(noticed);
}

}  // namespace
}  // namespace peerwright::test

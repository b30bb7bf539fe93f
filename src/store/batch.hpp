#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "changes.hpp"
#include "columns.hpp"
#include "db.hpp"
#include "kept.hpp"
#include "peerwright/events/audit.hpp"
#include "peerwright/store/intake.hpp"

namespace peerwright::store {

// Tenants that are known to exist: their identities need not be made again.
using KnownTenants = std::set<std::string>;

// Is told what becomes of each event while a batch runs: for a plan, which is executed and then undone.
class Witness {
 public:
  virtual ~Witness() = default;
  virtual void decided(const Arrival& arrival, const domain::Decision& decision) = 0;
  virtual void absorbed(const Arrival& arrival) = 0;  // it was executed before
  virtual void put_away(const Arrival& arrival, const Error& why, bool kept) = 0;
};

// One run of the batch transaction; its steps are called in the order in which they stand here. Without cursors it is a
// replay (the arrivals were read long ago, and what cannot be executed still is left where it is kept) or a plan, whose
// witness is told all.
class Batch {
 public:
  Batch(Tx& tx, const Sealer& sealer, const KnownTenants& known, std::span<const Arrival> arrivals,
        std::span<const Cursor> cursors, Witness* witness = nullptr);

  // Locks the partitions' rows; false where one does not stand where the batch begins: a zombie stops here.
  bool lock_partitions();
  // Inbox: what is new will be decided; what is known is absorbed, or a dead letter where its payload differs.
  void sort_out();
  // Tenants, locked where they are counted, then rows for every subject that does not exist yet: what is absent cannot
  // be locked.
  void make_identities();
  void lock_and_load();
  void decide();
  BatchReport store();

  // The message becomes a dead letter.
  void bury(const Arrival& arrival, const Error& why);
  // What was buried or kept in a replay, which stores neither.
  [[nodiscard]] const std::optional<Error>& refused() const { return refused_; }
  [[nodiscard]] bool waits() const { return waits_; }
  // What was decided.
  [[nodiscard]] const domain::Changes& changes() const { return changes_; }
  // Whose identities exist once the transaction has committed.
  [[nodiscard]] const std::set<std::string>& tenants() const { return tenants_; }

 private:
  using FirstByName = std::map<std::pair<std::string, std::string>, const Arrival*>;  // of each source and id
  using Named = std::set<std::pair<domain::Id, std::string>>;                         // (tenant, name)
  using Subject = std::pair<std::string, std::string>;                                // (tenant, subject)
  void read_clock();
  void sort_by_inbox(const FirstByName& first, const std::vector<const Arrival*>& again);
  void absorb_or_bury(const Arrival& arrival, const std::string& known_hash);
  // The event waits for a newer version, or for one that does.
  void keep(const Arrival& arrival, const Error& why);
  void load_kept();
  [[nodiscard]] bool waits_for_kept(const Arrival& arrival);
  void put_away(const Arrival& arrival, const Error& why, bool kept);
  void note_put_away(const Arrival& arrival, const Error& why, bool kept, const std::string& sealed_hex,
                     const Concerned& concerned, Time time);
  void store_put_away();

  void guard_keys();
  void lock_tenants_by_name();
  void find_subjects(Levels& levels);
  void find_meshes(Levels& levels);
  void find_rules(Levels& levels, Ids& rule_peers);
  void find_peers(Levels& levels, const Ids& rule_peers);
  void find_subscribers(Levels& levels);
  void find_servers(Levels& levels);
  void find_regions(Levels& levels);
  void load_keys();
  void load_offsets();
  void load_servers_beside();
  void load_sites_of(const Levels& levels);
  void load_around(const Levels& levels);
  [[nodiscard]] std::map<domain::Id, std::int64_t> demand() const;  // network -> addresses that may be taken
  [[nodiscard]] const domain::Tenant* tenant_of(const domain::Refs& refs) const;
  [[nodiscard]] domain::Word word_of(const Arrival& arrival) const;
  void note_made(const char* kind, const pqxx::result& ids);
  [[nodiscard]] std::vector<events::AuditIdentity> unshown(const domain::Refs& refs, const domain::Decision& decision);
  [[nodiscard]] events::AuditExtras extras_of(const Arrival& arrival, const domain::Decision& decision);
  [[nodiscard]] std::vector<events::AuditPosition> positions() const;
  void store_cursors();

  Tx& tx_;
  const Sealer& sealer_;
  const KnownTenants& known_;
  std::span<const Arrival> arrivals_;
  std::span<const Cursor> cursors_;
  Witness* witness_;                                                     // nullptr: nobody asks
  std::map<std::pair<std::string_view, std::int32_t>, Time> last_time_;  // of each partition, never falling
  std::map<const Arrival*, Time> place_time_;                            // the broker's
  std::chrono::microseconds clock_offset_{0};  // by which the database's clock is ahead on purpose
  bool anything_kept_ = false;                 // in the database
  bool kept_loaded_ = false;
  std::map<Subject, domain::Place> kept_;   // the first that waits
  std::vector<const Arrival*> fresh_;       // to be decided, in order
  std::vector<const domain::Refs*> named_;  // by those of them that are decided on the database
  std::set<std::string> tenants_;
  std::map<std::string, Ids> regions_;  // the servers that were found for each
  domain::State state_;
  domain::Changes changes_;
  Messages messages_;
  Speaker speaker_;
  RowWriter put_away_;
  std::map<std::string, nlohmann::ordered_json> letters_;  // what is put away, by its place, for the record
  std::map<std::string_view, std::set<domain::Id>> made_;  // rows that this batch made, by their kind
  std::optional<Error> refused_;
  bool waits_ = false;
  BatchReport report_;
};

}  // namespace peerwright::store

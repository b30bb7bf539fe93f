#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "changes.hpp"
#include "db.hpp"
#include "peerwright/store/intake.hpp"

namespace peerwright::store {

// One run of the batch transaction; its steps are called in the order in which they stand here.
class Batch {
 public:
  Batch(Tx& tx, const Sealer& sealer, std::span<const Arrival> arrivals, std::span<const Cursor> cursors);

  // Locks the partitions' rows; false where one does not stand where the batch begins: a zombie stops here.
  bool lock_partitions();
  // Inbox: what is new will be decided; what is known is absorbed, or a dead letter where its payload differs.
  void sort_out();
  // Rows for every subject that does not exist yet: what is absent cannot be locked.
  void make_identities();
  void lock_and_load();
  void decide();
  BatchReport store();

  // The message becomes a dead letter.
  void bury(const Arrival& arrival, const Error& why);

 private:
  struct Wanted;  // ids to lock, as far as they are known

  using FirstByName = std::map<std::pair<std::string, std::string>, const Arrival*>;  // of each source and id
  void sort_by_inbox(const FirstByName& first, const std::vector<const Arrival*>& again);
  void find_subjects(Wanted& wanted);
  void load_free_offsets();
  [[nodiscard]] domain::Word word_of(const Arrival& arrival) const;
  void absorb_or_bury(const Arrival& arrival, const std::string& known_hash);

  Tx& tx_;
  const Sealer& sealer_;
  std::span<const Arrival> arrivals_;
  std::span<const Cursor> cursors_;
  std::map<std::pair<std::string_view, std::int32_t>, Time> last_time_;  // of each partition, never falling
  std::map<const Arrival*, Time> place_time_;
  std::vector<const Arrival*> fresh_;       // to be decided, in order
  std::vector<const domain::Refs*> named_;  // by those of them that are decided on the database
  domain::State state_;
  domain::Changes changes_;
  Messages messages_;
  Column dead_[10];
  BatchReport report_;
};

}  // namespace peerwright::store

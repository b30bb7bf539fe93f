#include "peerwright/store/orders.hpp"

#include <sodium.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "changes.hpp"
#include "columns.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/events/audit.hpp"

namespace peerwright::store {
namespace {

constexpr std::size_t kIdBytes = 16;

std::string new_id() {
  std::string bytes(kIdBytes, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  return hex_of(bytes);
}

const char* state_after(LetterOrder order) { return order == LetterOrder::replay ? "replay" : "discarded"; }

struct Letter {
  std::int64_t id = 0;
  std::string state;
  std::string place;  // TOPIC/PARTITION/OFFSET
};

std::vector<Letter> lock(Tx& tx, const std::string& ids) {
  std::vector<Letter> letters;
  for (const auto& row : tx.run("order_lock", ids)) {
    RowReader read(row);
    Letter letter;
    letter.id = read.number();
    letter.state = read.text();
    letter.place = read.text() + '/';
    letter.place += read.text() + '/';
    letter.place += read.text();
    letters.push_back(std::move(letter));
  }
  return letters;
}

void record(Tx& tx, const std::vector<Letter>& letters, LetterOrder order, const std::string& source) {
  RowWriter rows;
  for (const Letter& letter : letters) {
    const std::string id = new_id();
    const std::string type = std::string("peerwright.dead_letter.") + name_of(order) + ".v1";
    const nlohmann::ordered_json body{
        {"version", events::kAuditShape},
        {"source", source},
        {"id", id},
        {"type", type},
        {"subject", {{"dead_letter", letter.place}}},
        {"outcome", "accepted"},
        {"changes", {{"dead_letters", {{{"id", letter.id}, {"state", state_after(order)}}}}}}};
    rows.add(source).add(id).add(type).add("dead_letter/" + letter.place).add("accepted").add("");
    rows.add(body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)).end_row();
  }
  if (!rows.empty()) rows.run(tx, "store_audit");
}

}  // namespace

const char* name_of(LetterOrder order) { return order == LetterOrder::replay ? "replay" : "discard"; }

struct OrderStore::Impl {
  explicit Impl(const Database& database) : db(database, "orders") {}
  Db db;
};

OrderStore::OrderStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
OrderStore::~OrderStore() = default;

Result<void> OrderStore::settle(const std::vector<std::int64_t>& ids, LetterOrder order, const std::string& source) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    Ids asked = ids;
    normalise(asked);
    const std::string array = array_of(asked);
    const auto letters = lock(tx, array);
    for (const domain::Id id : asked) {
      const auto found = std::find_if(letters.begin(), letters.end(), [&](const Letter& l) { return l.id == id; });
      if (found == letters.end()) {
        return permanent("dead_letter_not_found", "there is no dead letter " + std::to_string(id),
                         "see `peerwright dlq list`");
      }
      if (found->state != "open") {
        return permanent("dead_letter_settled",
                         "the dead letter " + std::to_string(id) + " is no longer open: " + found->state,
                         "see `peerwright dlq list --state open`");
      }
    }
    tx.run("order_letters", array, std::string(state_after(order)));
    record(tx, letters, order, source);
    return {};
  });
}

}  // namespace peerwright::store

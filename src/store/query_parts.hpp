#pragma once

#include "columns.hpp"
#include "peerwright/store/query.hpp"

// What the files of QueryStore share: one for peers and servers, one for other subjects, one for events.
namespace peerwright::store {

struct QueryStore::Impl {
  explicit Impl(const Database& database) : db(database, "query") {}

  // One look at the database: all that `body` reads is of the same moment.
  template <typename Answer, typename Body>
  Result<Answer> read(Body&& body) {
    return db.transact([&](Tx& tx) -> Result<Answer> {
      tx.run("query_read_only");
      return body(tx);
    });
  }

  Db db;
};

}  // namespace peerwright::store

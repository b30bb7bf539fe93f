#pragma once

#include "changes.hpp"
#include "peerwright/store/sweep.hpp"

namespace peerwright::store {

struct SweepStore::Impl {
  Impl(const Database& database, const Sealer* s) : db(database, "sweep"), sealer(s) {}
  Db db;
  const Sealer* sealer;
};

}  // namespace peerwright::store

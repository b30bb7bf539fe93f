#pragma once

#include "changes.hpp"
#include "peerwright/store/sweep.hpp"

namespace peerwright::store {

// The part of a server's wider fan-out that changes hosts: the entries for it on the other servers of its meshes.
void carry_to_meshes(Tx& tx, domain::Id server_id, const std::string& cause, const Sealer* sealer);

struct SweepStore::Impl {
  Impl(const Database& database, const Sealer* s) : db(database, "sweep"), sealer(s) {}
  Db db;
  const Sealer* sealer;
};

}  // namespace peerwright::store

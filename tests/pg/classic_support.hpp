#pragma once

#include <cstdint>
#include <string>

#include "store_support.hpp"

// The tables and functions that others may query, as docs/reference/tables.md and statuses.md say them.
namespace peerwright::test {

inline constexpr const char* kRange = "10.200.0.0/16";

// Questions and calls as an operator puts them.
class ClassicTest : public StoreTest {
 protected:
  // A peer that somebody has named and nobody provisioned; its id.
  std::int64_t known(const std::string& peer) {
    execute({peer_event("resume", "acme", peer)});
    return of_peer(peer, "id");
  }
  std::string allocate(std::int64_t peer_id, const std::string& range = kRange) {
    return db.value("SELECT host(wg_allocate_ip(" + std::to_string(peer_id) + ", '" + range + "'))");
  }
  bool release(const std::string& address) { return db.value("SELECT wg_release_ip('" + address + "')") == "t"; }
  std::string next(const std::string& range = kRange) {
    return db.value("SELECT host(wg_get_next_available_ip('" + range + "'))");
  }
  std::string address_of(const std::string& peer) {
    return db.value("SELECT host(assigned_ip) FROM wg_peers WHERE peer = '" + peer + "'");
  }
  // The SQLSTATE of a refusal; empty where the statement was done.
  std::string refused(const std::string& sql) {
    try {
      db.execute(sql);
      return {};
    } catch (const pqxx::sql_error& error) {
      return error.sqlstate();
    }
  }
};

}  // namespace peerwright::test

#pragma once

#include <pqxx/pqxx>
#include <string>

#include "peerwright/events/catalogue.hpp"
#include "peerwright/store/intake.hpp"

namespace peerwright::bench {

// What a careful team writes first: one transaction an event, prepared statements, the same tables and the same answers
// as the batch transaction, for peer.provision.
class PerEventWorker {
 public:
  explicit PerEventWorker(const std::string& dsn);
  void execute(const store::Arrival& arrival, const std::string& peer, const std::string& subscriber,
               const std::string& server, const std::string& public_key);

 private:
  pqxx::connection connection_;
};

}  // namespace peerwright::bench

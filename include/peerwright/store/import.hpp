#pragma once

#include <memory>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/store/database.hpp"
#include "peerwright/wireguard/host.hpp"

namespace peerwright::store {

// A key on a host that is nobody's, and what an import would make of it.
struct StrangerView {
  std::string public_key;
  std::string peer;  // the name that it would get; empty: it is left alone
  std::vector<std::string> addresses;
  std::vector<std::string> site_networks;
  bool has_preshared_key = false;
  std::string code;  // why it is left alone; empty: it is not
  std::string message;
};

// Looks at what an import of a host would do; changes nothing. One thread uses an object.
class ImportStore {
 public:
  explicit ImportStore(const Database& database);
  ~ImportStore();

  // As hosts know it: wireguard::HostInterface::installation_id.
  Result<std::string> installation_id();
  // By key. `answer` is what the host of the registered server shows.
  Result<std::vector<StrangerView>> preview(const domain::Server& server, const wireguard::HostAnswer& answer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store

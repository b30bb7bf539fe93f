#pragma once

#include <memory>

#include "context.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/ssh/kept_sessions.hpp"
#include "peerwright/wireguard/host.hpp"

namespace peerwright::worker {

// Open sessions to hosts, made where none is kept. Safe from every thread; a session that was taken out belongs to the
// taker alone until it is put back.
class Sessions {
 public:
  explicit Sessions(Context& context) : context_(context) {}

  struct Taken {
    std::unique_ptr<ssh::Session> session;
    bool was_open = false;  // kept from an earlier push: it may have died in silence
  };
  // The open session to the server as it is registered now, or a new one.
  Result<Taken> take(const domain::Server& server);
  Result<Taken> connect(const domain::Server& server);
  // For the next push.
  void put_back(const domain::Server& server, std::unique_ptr<ssh::Session> session);

 private:
  Context& context_;
  ssh::KeptSessions kept_;
};

// Where the scripts run, and how they get there. `installation_id` and the key are of pushes only.
wireguard::HostInterface interface_of(const domain::Server& server, const std::string& installation_id = {});

// The metrics that say whether the host can be reached and is the registered one; `why`: the failure, or nullptr.
void show_reachability(Context& context, const domain::Server& server, const Error* why);

}  // namespace peerwright::worker

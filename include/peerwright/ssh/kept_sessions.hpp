#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "peerwright/ssh/session.hpp"

namespace peerwright::ssh {

// Open sessions to servers, kept for the next command. Safe from every thread; a session that was taken out belongs to
// the taker alone until it is put back.
class KeptSessions {
 public:
  static constexpr std::size_t kDefaultMost = 500;

  // `most`, at least 1: so many are kept.
  explicit KeptSessions(std::size_t most = kDefaultMost) : most_(most) {}

  // The server's session; nullptr where none is kept. One that leads elsewhere than to `target` is closed.
  std::unique_ptr<Session> take(std::int64_t server_id, const Target& target);
  // Keeps the session, with the channel of its next command opened ahead; closes a broken one. Where there are too
  // many, the one that was not used for the longest time is closed.
  void put_back(std::int64_t server_id, const Target& target, std::unique_ptr<Session> session);

 private:
  struct Kept {
    std::string target;
    std::unique_ptr<Session> session;
    std::uint64_t put_back = 0;  // in the order of being put back
  };
  const std::size_t most_;
  std::mutex mutex_;
  std::map<std::int64_t, Kept> kept_;  // by server
  std::uint64_t put_back_ = 0;
};

}  // namespace peerwright::ssh

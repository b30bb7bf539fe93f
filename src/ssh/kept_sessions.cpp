#include "peerwright/ssh/kept_sessions.hpp"

#include <algorithm>
#include <utility>

namespace peerwright::ssh {
namespace {

std::string login_of(const std::string& user, const std::string& host, int port, const std::string& host_key) {
  return user + '@' + host + ':' + std::to_string(port) + ' ' + host_key;
}

std::string text_of(const Target& target) {
  std::string text = login_of(target.user, target.host, target.port, target.host_key);
  if (const auto& jump = target.jump) {
    text += " by way of " + login_of(jump->user, jump->host, jump->port, jump->host_key);
  }
  return text;
}

}  // namespace

std::unique_ptr<Session> KeptSessions::take(std::int64_t server_id, const Target& target) {
  std::unique_ptr<Session> elsewhere;  // closed without the lock
  const std::lock_guard lock(mutex_);
  auto found = kept_.extract(server_id);
  if (found.empty()) return nullptr;
  if (found.mapped().target == text_of(target)) return std::move(found.mapped().session);
  elsewhere = std::move(found.mapped().session);
  return nullptr;
}

void KeptSessions::put_back(std::int64_t server_id, const Target& target, std::unique_ptr<Session> session) {
  if (session->broken()) return;
  session->open_ahead();
  std::unique_ptr<Session> unused, replaced;  // closed without the lock
  const std::lock_guard lock(mutex_);
  if (kept_.size() >= most_ && !kept_.contains(server_id)) {
    const auto oldest = std::min_element(
        kept_.begin(), kept_.end(), [](const auto& a, const auto& b) { return a.second.put_back < b.second.put_back; });
    unused = std::move(oldest->second.session);
    kept_.erase(oldest);
  }
  Kept& kept = kept_[server_id];
  replaced = std::exchange(kept.session, std::move(session));
  kept.target = text_of(target);
  kept.put_back = ++put_back_;
}

}  // namespace peerwright::ssh

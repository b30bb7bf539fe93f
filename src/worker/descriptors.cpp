#include "descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <string>

#include "peerwright/ssh/kept_sessions.hpp"

namespace peerwright::worker {
namespace {

// Connections to the brokers and to Postgres of all loops, the admin port with its clients, lookups, files.
constexpr std::uint64_t kBeside = 256;

bool has_role(const Config& config, const char* role) {
  return std::find(config.roles.begin(), config.roles.end(), role) != config.roles.end();
}

// Beside those that are kept, each thread has a session in use, and a connection to Postgres.
std::uint64_t of_loop(int threads) {
  const auto used = static_cast<std::uint64_t>(threads);
  return (ssh::KeptSessions::kDefaultMost + used) * ssh::kMostDescriptors + used;
}

}  // namespace

std::uint64_t most_descriptors(const Config& config) {
  return kBeside + (has_role(config, "deliver") ? of_loop(config.deliver.threads) : 0) +
         (has_role(config, "observe") ? of_loop(config.observe.threads) : 0);
}

Result<void> provide_descriptors(std::uint64_t most) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};  // nothing is known to be wrong
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= most) return {};
  return permanent("descriptors_few",
                   "this process may open " + std::to_string(limit.rlim_cur) + " files, and up to " +
                       std::to_string(most) + " where it keeps as many sessions to hosts as it may",
                   "raise the hard limit: LimitNOFILE of the systemd unit, or the container's ulimit nofile");
}

}  // namespace peerwright::worker

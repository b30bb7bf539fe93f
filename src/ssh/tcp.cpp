#include "tcp.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace peerwright::ssh {
namespace {

// Lookups that outlived their caller: the resolver has no deadline, so each runs in a thread that may be left behind.
constexpr int kMaxPendingLookups = 64;
// An idle connection is probed, so that a session to a dead host does not look alive until its next use.
constexpr int kKeepaliveIdleSeconds = 15;
constexpr int kKeepaliveIntervalSeconds = 5;
constexpr int kKeepaliveProbes = 3;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

struct Lookup {
  int code = 0;  // of getaddrinfo
  std::vector<Address> addresses;
};

tl::unexpected<Error> unreachable(const std::string& host, int port, const std::string& why) {
  return transient("ssh_unreachable", "cannot connect to " + host + " port " + std::to_string(port) + ": " + why,
                   "check that the host is up, that its SSH port is the registered one and that a firewall lets us in");
}

Lookup look_up(const std::string& host, int port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Lookup found;
  found.code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (found.code != 0) return found;
  const std::unique_ptr<addrinfo, Releaser<freeaddrinfo>> owner(list);
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    Address& address = found.addresses.emplace_back();
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
  }
  return found;
}

std::atomic<int> pending_lookups{0};

// The lookup of a name, abandoned when the deadline passes.
std::optional<Lookup> look_up_name(const std::string& host, int port, const Deadline& deadline) {
  if (pending_lookups.fetch_add(1) >= kMaxPendingLookups) {
    pending_lookups.fetch_sub(1);
    return std::nullopt;
  }
  std::packaged_task<Lookup()> task([host, port] {
    Lookup found = look_up(host, port, 0);
    pending_lookups.fetch_sub(1);
    return found;
  });
  std::future<Lookup> result = task.get_future();
  try {
    std::thread(std::move(task)).detach();
  } catch (const std::system_error&) {
    pending_lookups.fetch_sub(1);
    return std::nullopt;
  }
  if (result.wait_for(std::chrono::milliseconds(deadline.left_ms())) != std::future_status::ready) return std::nullopt;
  return result.get();
}

Result<std::vector<Address>> resolve(const std::string& host, int port, const Deadline& deadline) {
  Lookup found = look_up(host, port, AI_NUMERICHOST);
  if (found.code == EAI_NONAME) {
    std::optional<Lookup> named = look_up_name(host, port, deadline);
    if (!named) return unreachable(host, port, "its name was not resolved in time");
    found = std::move(*named);
  }
  if (found.code != 0) return unreachable(host, port, ::gai_strerror(found.code));
  return std::move(found.addresses);
}

void set_option(int fd, int level, int name, int value) {
  // A kernel without the option loses comfort only: the deadlines above it still hold.
  (void)::setsockopt(fd, level, name, &value, sizeof(value));
}

void set_options(int fd, std::chrono::milliseconds dead_peer) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(dead_peer.count()));
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
}

// 0 or an errno.
int wait_connected(int fd, const Deadline& deadline) {
  while (true) {
    pollfd waiting{fd, POLLOUT, 0};
    const int ready = ::poll(&waiting, 1, deadline.left_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return errno;
    if (ready == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof(error);
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
  }
}

// 0 or an errno; the socket is in `out` then.
int try_address(const Address& address, const Deadline& deadline, std::chrono::milliseconds dead_peer, Socket& out) {
  Socket socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return errno;
  set_options(socket.get(), dead_peer);
  sockaddr_storage storage = address.storage;
  int error = 0;
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), address.size) != 0) {
    error = errno == EINPROGRESS ? wait_connected(socket.get(), deadline) : errno;
  }
  if (error == 0) out = std::move(socket);
  return error;
}

}  // namespace

Result<Socket> connect_tcp(const std::string& host, int port, const Deadline& deadline,
                           std::chrono::milliseconds dead_peer) {
  const auto addresses = resolve(host, port, deadline);
  if (!addresses) return tl::unexpected(addresses.error());
  int error = EADDRNOTAVAIL;
  std::size_t untried = addresses->size();
  for (const Address& address : *addresses) {
    // A share for each, or a first address that swallows packets would eat the time of a second that answers.
    const Deadline share(std::chrono::milliseconds(deadline.left_ms()) / static_cast<long>(untried--));
    Socket socket;
    error = try_address(address, share, dead_peer, socket);
    if (error == 0) return socket;
  }
  return unreachable(host, port, std::generic_category().message(error));
}

}  // namespace peerwright::ssh

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "peerwright/admin/liveness.hpp"
#include "peerwright/admin/metrics.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright::admin {

// What the pages are made of. Both objects outlive the server.
struct Pages {
  const Metrics& metrics;
  const Liveness& liveness;
  // Why the worker is not ready; empty: it is. Called from the server's threads, also at the same time: it answers from
  // memory and does not wait.
  std::function<std::vector<std::string>()> not_ready;
};

// HTTP for probes and Prometheus, plain and without authentication: keep it on loopback or inside the cluster.
//   GET /livez    200 {"live":true,"stalled":[]}, or 503 while a loop stands still; says nothing of Kafka, Postgres,
//   hosts GET /readyz   200 {"ready":true,"reasons":[]}, or 503 with the reasons GET /metrics  text/plain;
//   version=0.0.4
// One thread listens and kThreads answer; a connection serves one request. Requests are small, slow ones are cut off,
// and what cannot be taken at once waits in the system's queue.
class Server {
 public:
  static constexpr std::size_t kThreads = 2;
  static constexpr std::size_t kMaxWaiting = 16;         // accepted connections
  static constexpr std::size_t kMaxRequestBytes = 1024;  // of a body; the head is bounded by the library (8 KiB a line)
  static constexpr int kTimeoutSeconds = 2;              // until the first byte, then for each read and write

  // Listens on "address:port" (parse_listen_address); port 0 takes one that is free. Errors: `address_invalid` (never),
  // `admin_listen_failed` (never), such as a port that another process has.
  static Result<std::unique_ptr<Server>> start(const std::string& listen, Pages pages);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] int port() const;
  // Answers what was begun and joins its threads. Once is enough; the destructor does it too.
  void stop();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::admin

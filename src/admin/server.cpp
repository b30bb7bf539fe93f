#include "peerwright/admin/server.hpp"

#include <httplib.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "bounded_pool.hpp"
#include "peerwright/base/config.hpp"

namespace peerwright::admin {
namespace {

constexpr int kOk = 200;
constexpr int kUnavailable = 503;
constexpr const char* kJson = "application/json";
constexpr const char* kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

// The library's default is SO_REUSEPORT, under which a second worker would silently share the port with the first.
void reuse_address_only(int socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

void answer(httplib::Response& response, const char* good, const char* list, const std::vector<std::string>& reasons) {
  nlohmann::ordered_json body;
  body[good] = reasons.empty();
  body[list] = reasons;
  response.status = reasons.empty() ? kOk : kUnavailable;
  response.set_content(body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n', kJson);
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(Pages pages) : pages_(std::move(pages)) {
    set_limits();
    http_.Get("/livez", [this](const httplib::Request&, httplib::Response& response) {
      answer(response, "live", "stalled", pages_.liveness.stalled());
    });
    http_.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
      answer(response, "ready", "reasons", pages_.not_ready());
    });
    http_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(pages_.metrics.text(), kPrometheusText);
    });
  }
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<void> listen(const std::string& listen) {
    const auto address = parse_listen_address(listen);
    if (!address) return tl::unexpected(address.error());
    errno = 0;
    port_ = address->port;
    if (port_ == 0) {
      port_ = http_.bind_to_any_port(address->host);
    } else if (!http_.bind_to_port(address->host, port_)) {
      port_ = -1;
    }
    if (port_ < 0) {
      const std::string why = errno == 0 ? "" : std::string(": ") + std::strerror(errno);
      return permanent("admin_listen_failed", "cannot listen on " + listen + why,
                       "choose another admin.listen, or end the process that has this port");
    }
    listener_ = std::thread([this] {
      http_.listen_after_bind();
      ended_ = true;
    });
    // Before the library runs, its stop() would be ignored.
    while (!http_.is_running() && !ended_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {};
  }

  void stop() {
    http_.stop();
    if (listener_.joinable()) listener_.join();
  }

  [[nodiscard]] int port() const { return port_; }

 private:
  void set_limits() {
    http_.new_task_queue = [] { return new BoundedPool(kThreads, kMaxWaiting); };  // NOLINT: the library deletes it
    http_.set_payload_max_length(kMaxRequestBytes);
    http_.set_read_timeout(kTimeoutSeconds);
    http_.set_write_timeout(kTimeoutSeconds);
    http_.set_keep_alive_max_count(1);
    http_.set_keep_alive_timeout(kTimeoutSeconds);  // until the first byte
    http_.set_socket_options(reuse_address_only);
    http_.set_default_headers({{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
    http_.set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
      response.status = kUnavailable;
      response.set_content("{\"error\":\"internal\"}\n", kJson);
    });
  }

  Pages pages_;
  httplib::Server http_;
  std::thread listener_;
  std::atomic<bool> ended_ = false;
  int port_ = -1;
};

Result<std::unique_ptr<Server>> Server::start(const std::string& listen, Pages pages) {
  auto impl = std::make_unique<Impl>(std::move(pages));
  if (auto listening = impl->listen(listen); !listening) return tl::unexpected(listening.error());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

int Server::port() const { return impl_->port(); }
void Server::stop() { impl_->stop(); }

}  // namespace peerwright::admin

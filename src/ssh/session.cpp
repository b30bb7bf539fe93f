#include "peerwright/ssh/session.hpp"

#include <random>
#include <thread>

#include "command.hpp"
#include "login.hpp"
#include "peerwright/domain/model.hpp"
#include "tcp.hpp"
#include "tunnel.hpp"

namespace peerwright::ssh {
namespace {

using std::chrono::milliseconds;

// Between two attempts of a connection that was turned away: half as long up to half as long again, by chance.
constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{400};

std::string place_of(const std::string& host, int port) { return host + " port " + std::to_string(port); }

milliseconds jittered(milliseconds pause) {
  thread_local std::mt19937 random{std::random_device()()};
  return milliseconds(std::uniform_int_distribution<int>(static_cast<int>(pause.count() / 2),
                                                         static_cast<int>(pause.count() * 3 / 2))(random));
}

// A connection that is being made: to the host, or to the jump host and then to the host through it.
class Connecting {
 public:
  using Made = tl::expected<std::unique_ptr<Link>, Failure>;

  Connecting(const Target& target, Machine host, std::optional<Machine> jump, const KeyHandle& key,
             const Timeouts& timeouts, ConnectGate* gate)
      : target_(target),
        host_(std::move(host)),
        jump_(std::move(jump)),
        key_(key),
        timeouts_(timeouts),
        gate_(gate),
        deadline_(timeouts.connect) {}

  Result<std::unique_ptr<Link>> make() {
    Made made = once();
    for (milliseconds pause = kFirstPause; !made && made.error().turned_away;
         pause = std::min(pause * 2, kLongestPause)) {
      const milliseconds wait = jittered(pause);
      if (milliseconds(deadline_.left_ms()) <= wait) break;
      std::this_thread::sleep_for(wait);
      made = once();
    }
    if (!made) return tl::unexpected(std::move(made.error().error));
    return std::move(*made);
  }

 private:
  Made once() { return jump_ ? by_way_of_the_jump_host() : straight(host_, target_.host, target_.port); }

  Made straight(const Machine& machine, const std::string& host, int port) {
    const auto place = wait_for_a_place(place_of(host, port));
    if (!place) return tl::unexpected(place.error());
    auto socket = connect_tcp(host, port, deadline_, timeouts_.dead_peer);
    if (!socket) {
      socket.error().message = "no SSH connection to " + machine.place + ": " + socket.error().message;
      return tl::unexpected(Failure{std::move(socket.error())});
    }
    return log_in(std::move(*socket), nullptr, machine, key_, deadline_);
  }

  Made by_way_of_the_jump_host() {
    auto jump = straight(*jump_, target_.jump->host, target_.jump->port);
    if (!jump) return jump;
    const auto place = wait_for_a_place(place_of(target_.host, target_.port) + " via " + jump_->place);
    if (!place) return tl::unexpected(place.error());
    auto tunnel = Tunnel::open(std::move(*jump), jump_->place, target_.host, target_.port, deadline_);
    if (!tunnel) return tl::unexpected(Failure{std::move(tunnel.error())});
    Socket far_end = (*tunnel)->take_far_end();
    return log_in(std::move(far_end), std::move(*tunnel), host_, key_, deadline_);
  }

  using Place = std::optional<ConnectGate::Place>;
  // The first wait is not taken from the connection's own time.
  tl::expected<Place, Failure> wait_for_a_place(const std::string& address) {
    if (gate_ == nullptr) return Place();
    Place place = gate_->enter(address, milliseconds(deadline_.left_ms()));
    if (!place) {
      return tl::unexpected(Failure{
          transient("ssh_unreachable",
                    "no SSH connection to " + address + ": others to the same host took all the time",
                    "see why connections there take so long; ssh.connects_per_host lets more be made at the same time")
              .value()});
    }
    if (!begun_) deadline_ = Deadline(timeouts_.connect);
    begun_ = true;
    return place;
  }

  const Target& target_;
  const Machine host_;
  const std::optional<Machine> jump_;
  const KeyHandle& key_;
  const Timeouts timeouts_;
  ConnectGate* gate_;
  Deadline deadline_;
  bool begun_ = false;
};

class LibsshSession final : public Session {
 public:
  LibsshSession(std::unique_ptr<Link> link, std::string host, milliseconds open_budget)
      : link_(std::move(link)), host_(std::move(host)), open_budget_(open_budget) {}

  Result<ExecResult> exec(std::string_view command, std::string_view input, milliseconds budget) override {
    if (broken()) {
      broken_ = true;
      return transient("ssh_channel_failed", "the connection to " + host_ + " has ended",
                       "nothing was run; a new connection is made at the next attempt");
    }
    const Deadline start_by(std::min(open_budget_, budget)), end_by(budget);
    Result<ExecResult> result = open(start_by).and_then(
        [&](auto channel) { return channel->run(std::string(command), input, start_by, end_by); });
    broken_ = !result.has_value();
    return result;
  }

  void open_ahead() override {
    if (broken_ || refuses_ahead_ || ahead_ != nullptr) return;
    ahead_ = std::make_unique<Command>(*link_, host_);
    ahead_->ask_ahead();
  }

  [[nodiscard]] bool broken() const override {
    return broken_ || ssh_is_connected(link_->session()) == 0 || link_->hung_up();
  }

 private:
  // The channel that was asked for ahead; where there is none, or the host refused or closed it, another one.
  Result<std::unique_ptr<Command>> open(const Deadline& deadline) {
    if (auto ahead = std::move(ahead_)) {
      (void)link_->turn(Deadline(milliseconds(0)));  // its end may have come meanwhile
      if (ahead->open(deadline)) return ahead;
      refuses_ahead_ = true;
    }
    auto channel = std::make_unique<Command>(*link_, host_);
    return channel->open(deadline).map([&] { return std::move(channel); });
  }

  std::unique_ptr<Link> link_;
  std::string host_;
  milliseconds open_budget_;        // of a channel
  std::unique_ptr<Command> ahead_;  // for the next command
  bool refuses_ahead_ = false;      // it would complain in its log each time
  bool broken_ = false;
};

}  // namespace

Target target_of(const domain::Server& server) {
  Target target{server.ssh_host, server.ssh_port, server.ssh_user, server.ssh_host_key, std::nullopt};
  if (const auto& jump = server.ssh_jump) target.jump = Jump{jump->host, jump->port, jump->user, jump->host_key};
  return target;
}

Result<std::unique_ptr<Session>> Session::connect(const Target& target, const Secret& private_key,
                                                  const Timeouts& timeouts, ConnectGate* gate) {
  auto pinned = parse_host_key(target.host_key);
  if (!pinned) return tl::unexpected(pinned.error());
  const std::string own_place = place_of(target.host, target.port);
  Machine host{own_place, target.user, std::move(*pinned)};
  std::optional<Machine> jump;
  if (target.jump) {
    auto jumps = parse_host_key(target.jump->host_key);
    if (!jumps) {
      jumps.error().message = "of the jump host, " + jumps.error().message;
      return tl::unexpected(jumps.error());
    }
    jump = Machine{"the jump host " + place_of(target.jump->host, target.jump->port), target.jump->user,
                   std::move(*jumps)};
    host.place = own_place + " (by way of " + jump->place + ")";
  }
  const auto key = import_private_key(private_key);
  if (!key) return tl::unexpected(key.error());
  const std::string place = host.place;
  auto link = Connecting(target, std::move(host), std::move(jump), *key, timeouts, gate).make();
  if (!link) return tl::unexpected(link.error());
  return std::make_unique<LibsshSession>(std::move(*link), place, timeouts.connect);
}

}  // namespace peerwright::ssh

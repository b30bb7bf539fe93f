#include "login.hpp"

#include <fcntl.h>
#include <libssh/server.h>

#include <cstring>

#include "tunnel.hpp"

namespace peerwright::ssh {
namespace {

tl::unexpected<Failure> unreachable(const Machine& machine, const std::string& why, bool turned_away = false) {
  return tl::unexpected(Failure{transient("ssh_unreachable", "no SSH connection to " + machine.place + ": " + why,
                                          "check that sshd runs there, its load, and MaxStartups in its sshd_config")
                                    .value(),
                                turned_away});
}

tl::unexpected<Failure> host_key_changed(const Machine& machine) {
  return tl::unexpected(Failure{
      permanent("ssh_host_key_changed", machine.place + " does not show the host key that is registered for it",
                "find out why before anything else: the host was rebuilt, or somebody stands in between; register the "
                "new key once it is known to be the host's own")
          .value()});
}

// The host asks something of us: libssh answers with its refusal instead of keeping the message for ever.
int refuse_request(ssh_session, ssh_message, void*) { return 1; }

template <typename Value>
bool set(ssh_session session, ssh_options_e option, const Value* value) {
  return ssh_options_set(session, option, value) == SSH_OK;
}

// A session that takes nothing from this machine's SSH configuration: no file, no agent, no known_hosts.
SessionHandle prepare(const Machine& machine) {
  SessionHandle session(ssh_new());
  if (session == nullptr) return session;
  ssh_session raw = session.get();
  const bool no_config = false;
  const bool done = set(raw, SSH_OPTIONS_PROCESS_CONFIG, &no_config) && set(raw, SSH_OPTIONS_SSH_DIR, "/nonexistent") &&
                    set(raw, SSH_OPTIONS_KNOWNHOSTS, "/dev/null") &&
                    set(raw, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") &&
                    set(raw, SSH_OPTIONS_USER, machine.user.c_str()) &&
                    set(raw, SSH_OPTIONS_HOSTKEYS, machine.pinned.algorithms.c_str());
  if (!done) return SessionHandle();
  ssh_set_blocking(raw, 0);
  ssh_set_message_callback(raw, refuse_request, nullptr);
  return session;
}

// Key exchange over a connected socket, and the proof that the machine is the pinned one.
tl::expected<void, Failure> shake_hands(Link& link, Socket socket, const Machine& machine, const Deadline& deadline) {
  const int fd = socket.get();
  if (!set(link.session(), SSH_OPTIONS_FD, &fd)) return unreachable(machine, ssh_get_error(link.session()));
  socket.release();  // libssh closes it with the session
  const int code = link.settle(deadline, SSH_AGAIN, [&] { return ssh_connect(link.session()); });
  if (code == SSH_AGAIN) return unreachable(machine, "the key exchange did not end in time");
  if (code != SSH_OK) {
    const char* why = ssh_get_error(link.session());
    // It has keys of other types only, so the pinned one is not among them.
    if (std::strstr(why, "no match for method server host key") != nullptr) return host_key_changed(machine);
    if (ssh_get_serverbanner(link.session()) != nullptr) return unreachable(machine, why);
    return unreachable(machine, "it was ended before sshd said what it is", true);
  }
  // libssh has made the socket blocking, and a write of more than the kernel takes would outlast every deadline.
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return unreachable(machine, "the socket cannot be made non-blocking");
  ssh_key shown = nullptr;
  if (ssh_get_server_publickey(link.session(), &shown) != SSH_OK) return host_key_changed(machine);
  const KeyHandle owner(shown);
  if (ssh_key_cmp(shown, machine.pinned.key.get(), SSH_KEY_CMP_PUBLIC) != 0) return host_key_changed(machine);
  return {};
}

tl::expected<void, Failure> prove_ourselves(Link& link, const Machine& machine, const KeyHandle& key,
                                            const Deadline& deadline) {
  const int code =
      link.settle(deadline, SSH_AUTH_AGAIN, [&] { return ssh_userauth_publickey(link.session(), nullptr, key.get()); });
  if (code == SSH_AUTH_SUCCESS) return {};
  if (code == SSH_AUTH_DENIED || code == SSH_AUTH_PARTIAL) {
    return tl::unexpected(Failure{
        permanent("ssh_login_refused", machine.place + " does not let the user " + machine.user + " in with our key",
                  "add the worker's public key to that user's authorized_keys on the host, and check PermitRootLogin "
                  "and PubkeyAuthentication in its sshd_config")
            .value()});
  }
  return unreachable(machine, code == SSH_AUTH_AGAIN ? "the login did not end in time" : ssh_get_error(link.session()));
}

}  // namespace

tl::expected<std::unique_ptr<Link>, Failure> log_in(Socket socket, std::unique_ptr<Tunnel> tunnel,
                                                    const Machine& machine, const KeyHandle& key,
                                                    const Deadline& deadline) {
  SessionHandle session = prepare(machine);
  EventHandle event(ssh_event_new());
  if (session == nullptr || event == nullptr) return unreachable(machine, "libssh cannot prepare a session");
  auto link = std::make_unique<Link>(std::move(session), std::move(event), std::move(tunnel));
  const auto ready = shake_hands(*link, std::move(socket), machine, deadline).and_then([&] {
    return prove_ourselves(*link, machine, key, deadline);
  });
  if (!ready) return tl::unexpected(ready.error());
  return link;
}

}  // namespace peerwright::ssh

#include <iostream>
#include <memory>

#include "files.hpp"
#include "peerwright/base/secret.hpp"
#include "peerwright/wireguard/client_config.hpp"
#include "peerwright/wireguard/key.hpp"
#include "qr.hpp"
#include "rows.hpp"

namespace peerwright::cli {
namespace {

struct Options {
  std::string peer;
  std::string private_key_file;
  std::string out;
  bool force = false;
  bool qr = false;
};

// The client's private key, if it is the one that belongs to the peer.
Result<Secret> read_private_key(const std::string& file, const domain::Peer& peer) {
  if (file.empty()) return Secret();
  auto key = read_secret_file(file);
  if (!key) return key;
  const auto public_key = wireguard::public_key_of(*key);
  if (!public_key) return tl::unexpected(public_key.error());
  if (*public_key != peer.public_key) {
    return permanent("private_key_mismatch", "the private key in " + file + " does not belong to the peer's public key",
                     "name the file of the key that the peer was provisioned with");
  }
  return key;
}

Result<Secret> render(const store::PeerDetail& detail, const Options& options) {
  const domain::Peer& peer = detail.view.peer;
  if (peer.stage != domain::Stage::provisioned || !detail.server || detail.view.addresses.empty()) {
    return permanent("peer_not_configurable",
                     options.peer + " is " + name_of(peer.entitlement) + ": it has no server and addresses",
                     "publish a peer.provision first; a revoked peer never comes back");
  }
  const domain::Server& server = detail.server->server;
  if (server.public_key.empty()) {
    return permanent("server_key_unknown", "the public key of " + server.name + " is not known yet",
                     "wait until the server was read for the first time: see `peerwright server show`");
  }
  auto key = read_private_key(options.private_key_file, peer);
  if (!key) return key;
  wireguard::ClientConfig config;
  config.private_key = *std::move(key);
  config.addresses = detail.view.addresses;
  config.dns = server.dns;
  if (server.mtu > 0) config.mtu = server.mtu;
  config.server_public_key = server.public_key;
  config.endpoint = server.endpoint;
  config.routes = peer.client_routes;
  config.keepalive_seconds = peer.keepalive_seconds;
  return wireguard::render_client_config(config);
}

Exit write_config(const Globals& globals, const Options& options) {
  const auto detail = find_peer(globals, options.peer);
  if (!detail) return detail.error();
  const auto text = render(*detail, options);
  if (!text) return fail(text.error());
  if (detail->view.peer.entitlement == domain::Entitlement::suspended) {
    std::cerr << "note: the peer is suspended; the configuration works once it is resumed\n";
  }
  if (!options.out.empty()) {
    if (auto written = write_private_file(options.out, text->reveal(), options.force); !written) {
      return fail(written.error());
    }
    std::cerr << "wrote " << options.out << '\n';
  }
  if (options.qr) {
    const auto code = qr_code(text->reveal());
    if (!code) return fail(code.error());
    std::cout << code->reveal();
  } else if (options.out.empty()) {
    std::cout << text->reveal();
  }
  return Exit::ok;
}

}  // namespace

Action setup_peer_config(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("peer", options->peer, "The peer")->type_name("TENANT/PEER")->required();
  app.add_option("--private-key-file", options->private_key_file,
                 "The file of the client's private key (else a placeholder is written)")
      ->type_name("FILE");
  app.add_option("--out", options->out, "Write a new file that only you may read, instead of stdout")
      ->type_name("FILE");
  app.add_flag("--force", options->force, "Replace the file of --out");
  app.add_flag("--qr", options->qr, "Draw a QR code on stdout, for the WireGuard app of a phone");
  return [options](const Globals& globals) { return write_config(globals, *options); };
}

}  // namespace peerwright::cli

#include <unistd.h>

#include <iostream>
#include <memory>

#include "files.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/base/secret.hpp"
#include "peerwright/wireguard/client_config.hpp"
#include "peerwright/wireguard/key.hpp"
#include "qr.hpp"
#include "rows.hpp"
#include "setup.hpp"

namespace peerwright::cli {
namespace {

constexpr const char* kPresharedKeyPlaceholder = "REPLACE_WITH_THE_PRESHARED_KEY";
constexpr const char* kUsualInterface = "wg-peerwright";

struct Options {
  std::string peer;
  std::string private_key_file;
  std::string out;
  std::string format = "wg";
  std::string interface = kUsualInterface;
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

// The peer's preshared key. Without the installation's encryption key it cannot be opened: a placeholder stands for it.
Secret read_preshared_key(const Globals& globals, const domain::Peer& peer) {
  if (peer.preshared_key_sealed.empty()) return {};
  const auto config = configuration(globals, {"postgres"});
  if (!config) return Secret(kPresharedKeyPlaceholder);
  const auto open = [&]() -> Result<Secret> {
    const auto sealer = sealer_of(*config);
    if (!sealer) return tl::unexpected(sealer.error());
    return store::preshared_key_of(peer, *sealer);
  };
  auto opened = open();
  if (opened) return *std::move(opened);
  std::cerr << "note: a placeholder stands for the preshared key: " << opened.error().code << ": "
            << printable(opened.error().message) << '\n';
  return Secret(kPresharedKeyPlaceholder);
}

const std::vector<std::string>& dns_of(const store::PeerDetail& detail) {
  if (!detail.view.peer.dns.empty()) return detail.view.peer.dns;
  return detail.tenant_dns.empty() ? detail.server->server.dns : detail.tenant_dns;
}

// What the peer's owner needs, in the form that was asked for.
Result<Secret> shaped(const wireguard::ClientConfig& config, const Options& options) {
  if (options.format == "routeros") return wireguard::render_routeros(config, options.interface);
  Secret text = wireguard::render_client_config(config);
  if (options.format == "qr") return qr_code(text.reveal());
  if (options.format == "png") return qr_png(text.reveal());
  if (options.format == "svg") return qr_svg(text.reveal());
  return text;
}

Result<Secret> render(const Globals& globals, const store::PeerDetail& detail, const Options& options) {
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
  config.dns = dns_of(detail);
  const int mtu = peer.mtu > 0 ? peer.mtu : server.mtu;
  if (mtu > 0) config.mtu = mtu;
  config.preshared_key = read_preshared_key(globals, peer);
  config.server_public_key = server.public_key;
  config.endpoint = server.endpoint;
  config.routes = peer.client_routes;
  config.keepalive_seconds = peer.keepalive_seconds;
  return shaped(config, options);
}

Exit write_config(const Globals& globals, const Options& options) {
  if (options.format == "png" && options.out.empty() && isatty(STDOUT_FILENO) != 0) {
    return usage("a PNG file is no text for a terminal: say --out FILE, or redirect stdout");
  }
  const auto detail = find_peer(globals, options.peer);
  if (!detail) return detail.error();
  const auto text = render(globals, *detail, options);
  if (!text) return fail(text.error());
  const domain::Entitlement entitlement = detail->view.peer.entitlement;
  if (!domain::on_host(entitlement)) {
    std::cerr << "note: the peer is " << name_of(entitlement)
              << (entitlement == domain::Entitlement::suspended ? "; the configuration works once it is resumed\n"
                                                                : "; the configuration does not work now\n");
  }
  if (options.out.empty()) {
    std::cout << text->reveal();
    return Exit::ok;
  }
  if (auto written = write_private_file(options.out, text->reveal(), options.force); !written) {
    return fail(written.error());
  }
  std::cerr << "wrote " << options.out << '\n';
  return Exit::ok;
}

// --qr beside --out: the file in its form, and the code on stdout.
Exit write_and_draw(const Globals& globals, const Options& options) {
  Options drawing = options;
  drawing.format = "qr";
  drawing.out.clear();
  if (options.out.empty()) return write_config(globals, drawing);
  const Exit written = write_config(globals, options);
  return written == Exit::ok ? write_config(globals, drawing) : written;
}

}  // namespace

Action setup_peer_config(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("peer", options->peer, "The peer")->type_name("TENANT/PEER")->required();
  app.add_option("--private-key-file", options->private_key_file,
                 "The file of the client's private key (else a placeholder is written)")
      ->type_name("FILE");
  app.add_option(
         "--format", options->format,
         "wg: a file for wg-quick; routeros: commands for RouterOS 7; qr: a code for a terminal; png, svg: a picture "
         "of it")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"wg", "routeros", "qr", "png", "svg"}))
      ->capture_default_str();
  app.add_option("--interface", options->interface, "The interface's name in RouterOS")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--out", options->out, "Write a new file that only you may read, instead of stdout")
      ->type_name("FILE");
  app.add_flag("--force", options->force, "Replace the file of --out");
  app.add_flag("--qr", options->qr, "Draw a QR code on stdout, for the WireGuard app of a phone");
  return [options](const Globals& globals) {
    return options->qr ? write_and_draw(globals, *options) : write_config(globals, *options);
  };
}

}  // namespace peerwright::cli

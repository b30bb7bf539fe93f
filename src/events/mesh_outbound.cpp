#include <algorithm>

#include "outbound_parts.hpp"
#include "peerwright/wireguard/client_config.hpp"
#include "peerwright/wireguard/prefix.hpp"

// mesh.status, with what the members without SSH have to set up themselves.
namespace peerwright::events {
namespace {

using domain::MeshMember;
using Servers = std::vector<const domain::Server*>;

const domain::Server* server_of(const MeshMember& member, const Servers& servers) {
  if (!member.managed) return nullptr;
  const auto found = std::find_if(servers.begin(), servers.end(), [&](const domain::Server* server) {
    return server != nullptr && server->name == member.name;
  });
  return found == servers.end() ? nullptr : *found;
}

std::string key_of_member(const MeshMember& member, const domain::Server* server) {
  return server != nullptr ? server->public_key : member.public_key;
}

std::string endpoint_of(const MeshMember& member, const domain::Server* server) {
  return member.endpoint.empty() && server != nullptr ? server->endpoint : member.endpoint;
}

void add_line(std::string& text, std::string_view name, std::string_view value) {
  if (!value.empty()) text.append(name).append(" = ").append(value).append("\n");
}

void add_list(std::string& text, std::string_view name, const std::vector<std::string>& values) {
  std::string list;
  for (const std::string& value : values) list += (list.empty() ? "" : ", ") + value;
  add_line(text, name, list);
}

// Of what the others send to it, the single addresses are its own; the rest lies behind it.
std::vector<std::string> own_addresses(const MeshMember& member) {
  std::vector<std::string> own;
  for (const std::string& text : member.allowed_ips) {
    const auto prefix = wireguard::Prefix::parse(text);
    if (prefix && prefix->length() == (prefix->is_ipv4() ? 32 : 128)) own.push_back(text);
  }
  return own;
}

std::string listen_port(const MeshMember& member) {
  const std::size_t colon = member.endpoint.rfind(':');
  return colon == std::string::npos ? std::string() : member.endpoint.substr(colon + 1);
}

// The file for wg-quick(8) of one unmanaged member.
std::string configuration(const MeshMember& member, const std::vector<MeshMember>& members, const Servers& servers) {
  std::string text = "[Interface]\n";
  add_line(text, "PrivateKey", wireguard::kPrivateKeyPlaceholder);
  add_list(text, "Address", own_addresses(member));
  add_line(text, "ListenPort", listen_port(member));
  for (const MeshMember& other : members) {
    if (other.name == member.name) continue;
    const domain::Server* server = server_of(other, servers);
    const std::string key = key_of_member(other, server);
    if (key.empty()) {
      text += "\n# " + other.name + ": its key is not known yet\n";
      continue;
    }
    text += "\n# " + other.name + "\n[Peer]\n";
    add_line(text, "PublicKey", key);
    add_list(text, "AllowedIPs", other.allowed_ips);
    add_line(text, "Endpoint", endpoint_of(other, server));
    if (other.keepalive_seconds > 0) add_line(text, "PersistentKeepalive", std::to_string(other.keepalive_seconds));
  }
  return text;
}

void write_member(JsonWriter& body, const MeshMember& member, const domain::Mesh& mesh, const Servers& servers) {
  const domain::Server* server = server_of(member, servers);
  body.begin_object();
  body.text("name", member.name);
  body.flag("managed", member.managed);
  body.text_unless_empty("public_key", key_of_member(member, server));
  body.text_unless_empty("endpoint", endpoint_of(member, server));
  body.texts("allowed_ips", member.allowed_ips);
  body.number("keepalive_seconds", member.keepalive_seconds);
  if (!member.managed) body.text("configuration", configuration(member, mesh.members, servers));
  body.end_object();
}

void write_link(JsonWriter& body, const domain::NodeLink& link, const Servers& servers) {
  const auto on = std::find_if(servers.begin(), servers.end(), [&](const domain::Server* server) {
    return server != nullptr && server->id == link.server_id;
  });
  body.begin_object();
  if (on != servers.end()) body.text("server", (*on)->name);
  body.text("other", link.other);
  body.flag("wanted", link.wanted);
  body.flag("key_known", !link.public_key.empty());
  body.number("generation", link.generation);
  body.end_object();
}

}  // namespace

Outbound mesh_status(const domain::Mesh& mesh, const std::vector<const domain::NodeLink*>& links,
                     const Servers& servers, const std::string& cause) {
  JsonWriter body;
  body.begin_object();
  body.text("mesh", mesh.name);
  body.flag("active", mesh.active);
  body.begin_array("members");
  for (const MeshMember& member : mesh.members) write_member(body, member, mesh, servers);
  body.end_array();
  body.begin_array("links");
  for (const domain::NodeLink* link : links) write_link(body, *link, servers);
  body.end_array();
  body.number("version", mesh.version);
  body.text("cause", cause);
  body.end_object();
  return outbound("mesh.status", joined(mesh.name, std::to_string(mesh.version)), mesh.name, std::move(body));
}

}  // namespace peerwright::events

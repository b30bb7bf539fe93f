#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json_writer.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/events/outbound.hpp"

// What the bodies of outbound events and of audit entries share.
namespace peerwright::events {

// "peer.status": type and id of that name, "peer.status/ID_REST".
Outbound outbound(std::string_view name, std::string_view id_rest, std::string_view key, JsonWriter body);

// "first/second"
std::string joined(std::string_view first, std::string_view second);

const char* name_of(wireguard::RuleProtocol protocol);
const char* name_of(wireguard::RuleAction action);

void write_garden(JsonWriter& body, std::string_view name, const std::vector<wireguard::GardenDestination>& garden);
void write_ports(JsonWriter& body, std::string_view name, const std::vector<wireguard::PortUse>& ports);
void write_members(JsonWriter& body, std::string_view name, const std::vector<domain::MeshMember>& members);
// What an event named: one member for each name that it said.
void write_names(JsonWriter& body, const domain::Refs& refs);
// An item of an array, or a member: {"level", "at"}.
void write_step(JsonWriter& body, std::string_view name, const domain::HoldStep& step);

}  // namespace peerwright::events

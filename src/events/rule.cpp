#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

constexpr int kDefaultPriority = 100;

}  // namespace

Result<domain::RuleSet> decode_rule_set(const Json& data) {
  domain::RuleSet event;
  event.tenant = text_in(data, "tenant");
  event.rule = text_in(data, "rule");
  event.source_peer = text_in(data, "source_peer");
  event.dest_peer = text_in(data, "dest_peer");
  event.dest_port = int_in(data, "dest_port", 0);
  event.dest_protocol = protocol_in(data, "dest_protocol");
  event.action = action_from(text_in(data, "action"));
  event.priority = int_in(data, "priority", kDefaultPriority);
  return event;
}

Result<domain::RuleRemove> decode_rule_remove(const Json& data) {
  return domain::RuleRemove{text_in(data, "tenant"), text_in(data, "rule")};
}

}  // namespace peerwright::events

#include "bindings.hpp"

#include <algorithm>
#include <string_view>

namespace peerwright::worker {
namespace {

constexpr std::string_view kTypePrefix = "peerwright.";

bool matches(std::string_view pattern, std::string_view text) {
  if (!pattern.ends_with('*')) return pattern == text;
  return text.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) { return matches(p, text); });
}

// peerwright.peer.provision.v1 -> peer.provision
std::string_view short_type(std::string_view type) {
  if (type.starts_with(kTypePrefix)) type.remove_prefix(kTypePrefix.size());
  return type.substr(0, type.rfind(".v"));
}

bool allows(const SourceBinding& binding, const std::string& topic, const std::string& source,
            const std::string& tenant) {
  if (!matches(binding.name, source)) return false;
  if (!binding.topics.empty() && !any_matches(binding.topics, topic)) return false;
  // What belongs to no tenant concerns all of them.
  if (tenant.empty()) return std::find(binding.tenants.begin(), binding.tenants.end(), "*") != binding.tenants.end();
  return any_matches(binding.tenants, tenant);
}

}  // namespace

std::optional<domain::Decision> refuse_unbound(const std::vector<SourceBinding>& bindings, const std::string& topic,
                                               const events::Event& event) {
  const bool bound = std::any_of(bindings.begin(), bindings.end(), [&](const SourceBinding& b) {
    return allows(b, topic, event.envelope.source, event.refs.tenant) &&
           any_matches(b.types, short_type(event.envelope.type));
  });
  if (bound) return std::nullopt;
  return domain::rejected("source_not_bound", "this source may not say this here",
                          "an operator has to bind the source to the topic, the tenant and the event type (setting "
                          "`sources`)");
}

bool may_block(const std::vector<SourceBinding>& bindings, const std::string& topic, const std::string& source,
               const std::string& tenant) {
  return source.empty() || std::any_of(bindings.begin(), bindings.end(),
                                       [&](const SourceBinding& b) { return allows(b, topic, source, tenant); });
}

}  // namespace peerwright::worker

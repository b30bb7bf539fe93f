#pragma once

#include <optional>
#include <string>
#include <vector>

#include "peerwright/base/config.hpp"
#include "peerwright/domain/decision.hpp"
#include "peerwright/events/catalogue.hpp"

namespace peerwright::worker {

// nullopt where a binding lets this source say this on this topic; else the rejection `source_not_bound`. What an event
// claims to be proves nothing: the brokers' access lists decide who may write to a topic, this decides what for.
std::optional<domain::Decision> refuse_unbound(const std::vector<SourceBinding>& bindings, const std::string& topic,
                                               const events::Event& event);

}  // namespace peerwright::worker

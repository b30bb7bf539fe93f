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

// Whether those whom a message concerns that could not be decoded have to wait for it: where a binding lets this source
// speak of the tenant on this topic, whatever about. `tenant` is "" where it concerns what belongs to no tenant, or
// nobody knows whom. One without a source may be anybody's, and blocks.
bool may_block(const std::vector<SourceBinding>& bindings, const std::string& topic, const std::string& source,
               const std::string& tenant);

}  // namespace peerwright::worker

#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "db.hpp"
#include "peerwright/store/recover.hpp"

namespace peerwright::store {

inline constexpr const char* kInstallationType = "peerwright.installation.v1";
inline constexpr const char* kRecoveredType = "peerwright.recovered.v1";

// Error `database_diverged`: an entry cannot stand beside what the database decided itself.
tl::unexpected<Error> diverged(const std::string& why);

// Puts the effects of audit entries into the tables, in their order, as the transactions did that wrote them: by the
// same statements, with the clock set to their times. Entries of one transaction have one time, and are folded
// together. Left out is what is `known`: the database holds its effects, and maybe newer ones.
using ChainNumbers = std::set<std::int64_t>;
Result<void> fold_entries(Tx& tx, std::span<const PublishedAudit> entries, const ChainNumbers& known);

}  // namespace peerwright::store

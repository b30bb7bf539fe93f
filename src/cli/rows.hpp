#pragma once

#include <optional>
#include <string>
#include <utility>

#include "command.hpp"
#include "peerwright/store/query.hpp"

// What the database says, as rows to print. Their members only ever grow.
namespace peerwright::cli {

Json row_of(const store::PeerView& view);
Json row_of(const store::PeerDetail& detail);
Json row_of(const store::ServerView& view);
Json row_of(const store::ServerDetail& detail);
Json row_of(const store::TenantView& view);
Json row_of(const store::SubjectView& view);
Json row_of(const store::NetworkView& view);
Json row_of(const store::RuleView& view);
Json row_of(const store::MeshView& view);
Json row_of(const store::LinkView& view);
Json row_of(const store::HolderView& view);
Json row_of(const domain::Hold& hold);
Json row_of(const store::DeadLetterView& view);
Json row_of(const store::AuditView& view);

Json or_null(const std::string& text);
Json or_null(const std::optional<Time>& time);
std::string word_of(const domain::Word& word);  // "SOURCE/ID"

// "TENANT/PEER" in its two parts; nullopt: it is none.
std::optional<std::pair<std::string, std::string>> peer_name_from(const std::string& text);

// RFC 3339, such as 2026-01-31T10:00:00Z; nullopt: it is no such time.
std::optional<Time> time_from(const std::string& text);

// The peer that the text names, out of the configuration's database.
Or<store::PeerDetail> find_peer(const Globals& globals, const std::string& text);

}  // namespace peerwright::cli

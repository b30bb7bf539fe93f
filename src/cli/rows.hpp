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
Json row_of(const store::DeadLetterView& view);
Json row_of(const store::AuditView& view);

// "TENANT/PEER" in its two parts; nullopt: it is none.
std::optional<std::pair<std::string, std::string>> peer_name_from(const std::string& text);

// The peer that the text names, out of the configuration's database.
Or<store::PeerDetail> find_peer(const Globals& globals, const std::string& text);

}  // namespace peerwright::cli

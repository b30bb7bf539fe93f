#pragma once

#include "json_writer.hpp"
#include "peerwright/domain/decision.hpp"

// After-images: all that a database is rebuilt from. What is left out has the value of an empty struct, so whatever
// differs from that is written, and what has another default always is. Secrets stand here as they are sealed for the
// database.
namespace peerwright::events {

void write_word(JsonWriter& body, const domain::Word& word);
void write_place(JsonWriter& body, const domain::Place& place);

template <typename Number>
void write_if(JsonWriter& body, std::string_view name, const std::optional<Number>& number) {
  if (number) body.number(name, *number);
}

void write(JsonWriter& body, const domain::Tenant& tenant);
void write(JsonWriter& body, const domain::Customer& customer);
void write(JsonWriter& body, const domain::Subscriber& subscriber);
void write(JsonWriter& body, const domain::Network& network);
void write(JsonWriter& body, const domain::Server& server);
void write(JsonWriter& body, const domain::Peer& peer);
void write_settled(JsonWriter& body, const domain::Peer& peer);  // what settling changes, and nothing else
void write(JsonWriter& body, const domain::Hold& hold);
void write(JsonWriter& body, const domain::Removal& removal);
void write(JsonWriter& body, const domain::AccessRule& rule);
void write(JsonWriter& body, const domain::Mesh& mesh);
void write(JsonWriter& body, const domain::NodeLink& link);
void write(JsonWriter& body, const domain::Timer& timer);
void write(JsonWriter& body, const domain::FreedAddress& freed);

}  // namespace peerwright::events

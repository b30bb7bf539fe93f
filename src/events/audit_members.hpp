#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "peerwright/domain/decision.hpp"
#include "time.hpp"

// After-images read back: the counterpart of audit_parts.hpp. What cannot be read throws std::exception.
namespace peerwright::events {

// The members of one object. What is left out has the value of an empty struct.
class Members {
 public:
  using Json = nlohmann::ordered_json;
  explicit Members(const Json& object) : object_(object) {
    if (!object.is_object()) throw std::runtime_error("an object was expected");
  }

  [[nodiscard]] const Json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  template <typename T>
  void get(const char* name, T& into) const {
    if (const Json* member = find(name)) into = member->get<T>();
  }
  template <typename Number>
  void get(const char* name, std::optional<Number>& into) const {
    if (const Json* member = find(name)) into = member->get<Number>();
  }
  void get(const char* name, Time& into) const {
    if (const Json* member = find(name)) into = time_of(*member);
  }
  void get(const char* name, std::optional<Time>& into) const {
    if (const Json* member = find(name)) into = time_of(*member);
  }
  void get(const char* name, std::optional<domain::Word>& into) const {
    if (const Json* member = find(name)) into = word_of(*member);
  }
  // A name out of a closed list; `from` answers nullopt for others.
  template <typename T, typename From>
  void get_named(const char* name, T& into, From from) const {
    const Json* member = find(name);
    if (member == nullptr) return;
    const auto known = from(member->template get<std::string>());
    if (!known) throw std::runtime_error(std::string(name) + " has an unknown value");
    into = *known;
  }
  // An object as the database holds it: text.
  void get_object_text(const char* name, std::string& into) const {
    if (const Json* member = find(name)) into = member->dump();
  }
  // Each item of an array; nothing where there is none.
  template <typename Take>
  void each(const char* name, Take take) const {
    const Json* member = find(name);
    if (member == nullptr) return;
    for (const Json& item : *member) take(item);
  }

  static Time time_of(const Json& text);
  static domain::Word word_of(const Json& object);
  static domain::Place place_of(const Json& object);

 private:
  const Json& object_;
};

// Of the lists in "changes".
void read_thing(const Members& from, domain::Tenant& tenant);
void read_thing(const Members& from, domain::Customer& customer);
void read_thing(const Members& from, domain::Subscriber& subscriber);
void read_thing(const Members& from, domain::Network& network);
void read_thing(const Members& from, domain::Server& server);
void read_thing(const Members& from, domain::Peer& peer);
void read_thing(const Members& from, domain::Hold& hold);
void read_thing(const Members& from, domain::Removal& removal);
void read_thing(const Members& from, domain::AccessRule& rule);
void read_thing(const Members& from, domain::Mesh& mesh);
void read_thing(const Members& from, domain::NodeLink& link);
void read_thing(const Members& from, domain::Timer& timer);
void read_thing(const Members& from, domain::FreedAddress& freed);

std::optional<wireguard::RuleProtocol> protocol_named(std::string_view name);
std::optional<wireguard::RuleAction> action_named(std::string_view name);

}  // namespace peerwright::events

#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace peerwright::events {

// The attributes as they came, before anything of them is checked.
struct Attributes {
  std::optional<std::string> specversion;
  std::optional<std::string> id;
  std::optional<std::string> source;
  std::optional<std::string> type;
  std::optional<std::string> subject;
  std::optional<std::string> time;
  std::optional<std::string> sequence;
  std::optional<std::string> traceparent;
  std::optional<std::string> datacontenttype;
};

struct Attribute {
  std::string_view name;
  std::optional<std::string> Attributes::*member;
  bool required;
};

inline constexpr std::string_view kSequence = "sequence";
inline constexpr std::array<Attribute, 9> kAttributes{{{"specversion", &Attributes::specversion, true},
                                                       {"id", &Attributes::id, true},
                                                       {"source", &Attributes::source, true},
                                                       {"type", &Attributes::type, true},
                                                       {"subject", &Attributes::subject, false},
                                                       {"time", &Attributes::time, false},
                                                       {kSequence, &Attributes::sequence, false},
                                                       {"traceparent", &Attributes::traceparent, false},
                                                       {"datacontenttype", &Attributes::datacontenttype, false}}};

inline constexpr std::string_view kHeaderPrefix = "ce_";
inline constexpr std::string_view kContentTypeHeader = "content-type";

// Where an attribute of this name goes; nullptr: it is none of ours.
inline std::optional<std::string>* find_attribute(Attributes& attributes, std::string_view name) {
  const auto found =
      std::find_if(kAttributes.begin(), kAttributes.end(), [&](const Attribute& a) { return a.name == name; });
  return found == kAttributes.end() ? nullptr : &(attributes.*(found->member));
}

}  // namespace peerwright::events

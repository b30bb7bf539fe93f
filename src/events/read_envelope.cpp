#include "read_envelope.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>
#include <utility>

#include "attributes.hpp"
#include "text.hpp"

namespace peerwright::events {
namespace {

tl::unexpected<Error> invalid(std::string message, std::string remedy) {
  return permanent("envelope_invalid", std::move(message), std::move(remedy));
}

// Digits with fixed text between them: "dddd-dd" and the like; 'd' a decimal, 'h' a lower-case hexadecimal digit.
bool has_form(std::string_view text, std::string_view form) {
  return text.size() == form.size() && std::equal(text.begin(), text.end(), form.begin(), [](char c, char wanted) {
           const bool digit = c >= '0' && c <= '9';
           if (wanted == 'd') return digit;
           if (wanted == 'h') return digit || (c >= 'a' && c <= 'f');
           return c == wanted;
         });
}

int two_digits(std::string_view text, std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); }

// RFC 3339: date, time, an optional fraction, and a zone.
bool is_rfc3339(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  std::string head(text.substr(0, kForm.size()));
  if (head.size() == kForm.size() && (head[10] == 't' || head[10] == ' ')) head[10] = 'T';
  if (!has_form(head, kForm)) return false;
  const int month = two_digits(head, 5);
  const int day = two_digits(head, 8);
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (two_digits(head, 11) > 23 || two_digits(head, 14) > 59 || two_digits(head, 17) > 60) return false;
  std::string_view rest = text.substr(kForm.size());
  if (rest.starts_with('.')) {
    const std::size_t end = rest.find_first_not_of("0123456789", 1);
    if (end == 1 || end == std::string_view::npos) return false;
    rest.remove_prefix(end);
  }
  if (rest == "Z" || rest == "z") return true;
  return (has_form(rest, "+dd:dd") || has_form(rest, "-dd:dd")) && two_digits(rest, 1) < 24 && two_digits(rest, 4) < 60;
}

bool is_traceparent(std::string_view text) {
  return has_form(text, "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh");
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return result;
}

// The media type alone, without parameters.
std::string media_type(std::string_view content_type) {
  std::string type = lower(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

bool is_json(std::string_view content_type) {
  const std::string type = media_type(content_type);
  return type == "application/json" || type == "text/json" || type.ends_with("+json");
}

Result<std::int64_t> read_sequence(std::string_view text) {
  std::int64_t value = 0;
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (digits && read.ec == std::errc()) return value;
  return invalid("the attribute sequence is no number from 0 to 9223372036854775807",
                 "send a decimal string that grows with each event of this source about this subject");
}

Result<void> check_text(const Attribute& attribute, const std::string& value) {
  const std::string name(attribute.name);
  if (value.size() > kMaxAttributeBytes) {
    return invalid("the attribute " + name + " has more than " + std::to_string(kMaxAttributeBytes) + " bytes",
                   "send a shorter one");
  }
  if (has_control_character(value)) {
    return invalid("the attribute " + name + " holds a control character", "send plain text");
  }
  if (find_invalid_utf8(value) != std::string_view::npos) {
    return invalid("the attribute " + name + " is not UTF-8", "send UTF-8");
  }
  if (value.empty() && attribute.required) {
    return invalid("the attribute " + name + " is missing or empty",
                   "send it, as the member " + name + " or as the header ce_" + name);
  }
  return {};
}

Result<Envelope> check(Attributes attributes) {
  for (const Attribute& attribute : kAttributes) {
    const auto& value = attributes.*attribute.member;
    if (auto checked = check_text(attribute, value ? *value : std::string()); !checked) {
      return tl::unexpected<Error>(std::move(checked.error()));
    }
  }
  if (attributes.specversion != "1.0") {
    return invalid("the attribute specversion is not 1.0", "send events of CloudEvents 1.0");
  }
  if (attributes.datacontenttype && !is_json(*attributes.datacontenttype)) {
    return invalid("the data's content type is not JSON", "send application/json");
  }
  Envelope envelope;
  envelope.time = std::move(attributes.time).value_or("");
  if (!envelope.time.empty() && !is_rfc3339(envelope.time)) {
    return invalid("the attribute time is not RFC 3339 with a zone",
                   "send it like 2026-01-31T10:00:00Z, or not at all");
  }
  if (attributes.sequence) {
    auto sequence = read_sequence(*attributes.sequence);
    if (!sequence) return tl::unexpected<Error>(std::move(sequence.error()));
    envelope.sequence = *sequence;
  }
  envelope.id = *std::move(attributes.id);
  envelope.source = *std::move(attributes.source);
  envelope.type = *std::move(attributes.type);
  envelope.subject = std::move(attributes.subject).value_or("");
  if (attributes.traceparent && is_traceparent(*attributes.traceparent)) {
    envelope.traceparent = *std::move(attributes.traceparent);
  }
  return envelope;
}

// The headers that say something of the event, each at most once.
struct Headers {
  Attributes attributes;  // of ce_ headers; content-type as datacontenttype
  std::string traceparent;
  bool binary = false;
};

Result<Headers> read_headers(const RawMessage& message) {
  Headers headers;
  if (message.headers == nullptr) return headers;
  for (const auto& [name, value] : *message.headers) {
    if (name == "traceparent") {
      headers.traceparent = value;
      continue;
    }
    std::optional<std::string>* target = nullptr;
    if (lower(name) == kContentTypeHeader) {
      target = &headers.attributes.datacontenttype;
    } else if (name.starts_with(kHeaderPrefix)) {
      target = find_attribute(headers.attributes, std::string_view(name).substr(kHeaderPrefix.size()));
      headers.binary = true;
    }
    if (target == nullptr) continue;
    if (target->has_value()) {
      return invalid("the header " + shortened(cleaned(name), kMaxNamedBytes) + " stands twice", "send it once");
    }
    *target = value;
  }
  return headers;
}

// The attributes of an event in structured mode. null stands for an absent one, as the JSON format has it.
Result<Attributes> read_members(Json& document) {
  Attributes attributes;
  for (const Attribute& attribute : kAttributes) {
    const auto found = document.find(attribute.name);
    if (found == document.end() || found->is_null()) continue;
    if (found->is_string()) {
      attributes.*attribute.member = std::move(found->get_ref<std::string&>());
    } else if (found->is_number_integer() && attribute.name == kSequence) {
      attributes.*attribute.member = found->dump();
    } else {
      return invalid("the attribute " + std::string(attribute.name) + " is no string", "send a string");
    }
  }
  return attributes;
}

Result<Opened> open_structured(Headers headers, Json document) {
  if (!document.is_object() || !document.contains("specversion")) {
    return invalid("the message is no CloudEvent: no ce_specversion header and no member specversion",
                   "send CloudEvents 1.0 in JSON, in binary or structured mode");
  }
  auto attributes = read_members(document);
  if (!attributes) return tl::unexpected<Error>(std::move(attributes.error()));
  if (!headers.traceparent.empty()) attributes->traceparent = std::move(headers.traceparent);
  auto envelope = check(*std::move(attributes));
  if (!envelope) return tl::unexpected<Error>(std::move(envelope.error()));
  const auto data = document.find("data");
  if (data == document.end()) return invalid("the member data is missing", "send the data as JSON in the member data");
  return Opened{*std::move(envelope), std::move(*data)};
}

}  // namespace

Result<Opened> open_envelope(const RawMessage& message) {
  auto document = parse_json(message.payload);
  if (!document) return tl::unexpected<Error>(std::move(document.error()));
  auto headers = read_headers(message);
  if (!headers) return tl::unexpected<Error>(std::move(headers.error()));
  const std::string type = media_type(headers->attributes.datacontenttype.value_or(""));
  const bool says_structured = type == "application/cloudevents+json";
  if (type.starts_with("application/cloudevents") && !says_structured) {
    return invalid("the content type is neither a single CloudEvent nor in JSON", "send application/cloudevents+json");
  }
  if (says_structured || !headers->binary) return open_structured(*std::move(headers), *std::move(document));
  if (!headers->traceparent.empty()) headers->attributes.traceparent = std::move(headers->traceparent);
  auto envelope = check(std::move(headers->attributes));
  if (!envelope) return tl::unexpected<Error>(std::move(envelope.error()));
  return Opened{*std::move(envelope), *std::move(document)};
}

}  // namespace peerwright::events

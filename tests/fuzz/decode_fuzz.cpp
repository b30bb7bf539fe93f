#include "fuzz.hpp"
#include "peerwright/events/catalogue.hpp"

// Bytes into events::decode: whatever comes, it is an event or a refusal that a person can act on.
//
// An input that starts with '{' is a structured event without headers; where it is a JSON object, the same in binary
// mode is decoded too. Any other is header lines "name: value" up to an empty line, and then the payload.
namespace peerwright::fuzz {
namespace {

constexpr std::size_t kMaxHeaders = 64;
constexpr std::size_t kHashBytes = 32;

using Headers = std::vector<std::pair<std::string, std::string>>;

// What was decoded, or the hash "" of a refusal.
std::string try_to_decode(std::string_view payload, const Headers* headers) {
  const events::RawMessage message{payload, headers};
  const auto event = events::decode(message);
  const events::Sender sender = events::sender_of(message);
  for (const std::string* text : {&sender.id, &sender.source, &sender.type}) {
    require(text->size() <= events::kMaxAttributeBytes, "the sender of a dead letter is too long");
    require(text->find('\0') == std::string::npos, "the sender of a dead letter has a NUL");
    Json(*text).dump();  // throws where it is no UTF-8
  }
  if (!event) {
    const Error& error = event.error();
    check_refusal(error.code, error.message, error.remedy);
    require(error.retry == Retry::never, error.code + " would be tried again for ever");
    Json(error.message).dump();
    return {};
  }
  require(!event->key.empty() && !event->envelope.id.empty() && !event->envelope.source.empty(),
          "an event without a name");
  require(event->payload_hash.size() == kHashBytes && event->decide, "an event that cannot be decided");
  return event->payload_hash;
}

void structured(std::string_view input) {
  const std::string hash = try_to_decode(input, nullptr);
  const Headers content_type{{"content-type", "application/cloudevents+json"}};
  require(try_to_decode(input, &content_type) == hash, "the content type changes what a structured event says");
  // Deep nesting is decode's to refuse; the conversion below would recurse as deep.
  if (hash.empty()) return;
  const Json event = Json::parse(input, nullptr, false);
  if (!event.is_object()) return;
  const Binary binary = binary_of(event);
  const std::string other = try_to_decode(binary.payload, &binary.headers);
  require(other.empty() || other == hash, "both modes of one event have different hashes");
}

void with_headers(std::string_view input) {
  Headers headers;
  while (!input.empty() && headers.size() < kMaxHeaders) {
    const std::size_t end = input.find('\n');
    const std::string_view line = input.substr(0, end);
    input = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
    if (line.empty()) break;
    const std::size_t colon = line.find(": ");
    headers.emplace_back(line.substr(0, colon), colon == std::string_view::npos ? "" : line.substr(colon + 2));
  }
  try_to_decode(input, &headers);
}

}  // namespace
}  // namespace peerwright::fuzz

// libFuzzer's own names.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(data, data + size);
  if (input.starts_with('{')) {
    peerwright::fuzz::structured(input);
  } else {
    peerwright::fuzz::with_headers(input);
  }
  return 0;
}

#include "peerwright/domain/word.hpp"

#include <nlohmann/json.hpp>

namespace peerwright::domain {
namespace {
constexpr std::string_view kCommandLineSource = "peerwright-cli/";
}

std::string owner_of(std::string_view source) {
  return source.starts_with(kCommandLineSource) ? "operator" : std::string(source);
}

Order order_of(const Word& said, const Word& held) {
  const bool one_owner = owner_of(said.source) == owner_of(held.source);
  if (one_owner && held.sequence) {
    if (!said.sequence) return Order::sequence_required;
    if (*said.sequence == *held.sequence) return said.id == held.id ? Order::older : Order::sequence_reused;
    return *said.sequence > *held.sequence ? Order::newer : Order::older;
  }
  if (one_owner && said.sequence) return Order::newer;
  if (const auto own = held.heard.find(owner_of(said.source)); own != held.heard.end()) {
    if (!said.sequence) return Order::sequence_required;
    if (*said.sequence <= own->second) return Order::older;
  }
  return said.place > held.place ? Order::newer : Order::older;
}

Word following(Word said, const std::optional<Word>& held) {
  if (!held) return said;
  said.heard = held->heard;
  if (held->sequence) said.heard[owner_of(held->source)] = *held->sequence;
  said.heard.erase(owner_of(said.source));  // its own last sequence is this word's
  return said;
}

std::string text_of(const Word& word) {
  nlohmann::ordered_json json;
  json["source"] = word.source;
  json["id"] = word.id;
  if (word.sequence) json["sequence"] = *word.sequence;
  json["time_us"] = micros_of(word.place.broker_time);
  json["partition"] = word.place.partition;
  json["offset"] = word.place.offset;
  if (!word.heard.empty()) json["heard"] = word.heard;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<Word> word_from(std::string_view text) try {
  const auto json = nlohmann::json::parse(text);
  Word word;
  word.source = json.value("source", "");
  word.id = json.value("id", "");
  if (json.contains("sequence")) word.sequence = json.at("sequence").get<std::int64_t>();
  word.place.broker_time = time_from_micros(json.value("time_us", std::int64_t{0}));
  word.place.partition = json.value("partition", 0);
  word.place.offset = json.value("offset", std::int64_t{0});
  if (json.contains("heard")) word.heard = json.at("heard").get<std::map<std::string, std::int64_t>>();
  return word;
} catch (const nlohmann::json::exception&) {
  return std::nullopt;
}

}  // namespace peerwright::domain

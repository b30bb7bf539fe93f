#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "peerwright/base/clock.hpp"

namespace peerwright::domain {

// Where a message stood in the log when it was read first. It orders the words of a source that sends no sequence.
struct Place {
  Time broker_time;  // counted as no lower than that of the message before it in its partition
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  auto operator<=>(const Place&) const = default;
};

// Who said something, and when in the order of that source.
struct Word {
  std::string source;                    // CloudEvents `source`
  std::string id;                        // CloudEvents `id`
  std::optional<std::int64_t> sequence;  // CloudEvents extension `sequence`; grows per source and subject
  Place place;
  // The highest sequences that other owners had said on the same register: an event of theirs that is late stays late,
  // whoever spoke in between.
  std::map<std::string, std::int64_t> heard{};
  bool operator==(const Word&) const = default;
};

// Whose hold a source's word sets or lifts: the source itself, but all command lines ("peerwright-cli/USER") are one
// owner, "operator".
std::string owner_of(std::string_view source);

enum class Order { newer, older, sequence_reused, sequence_required };

// What `said` is to `held`, the last word accepted on the same register. Of one owner: by sequence; a word without one
// never overrules a sequenced one (`sequence_required`), and a sequence used again under another id is refused. Words
// of different owners, or without sequences, are ordered by their places; but a word that is behind what its own owner
// had said on the register before another one spoke stays behind.
Order order_of(const Word& said, const Word& held);

// `said` as the register keeps it once it was accepted after `held`: with what other owners had said before.
Word following(Word said, const std::optional<Word>& held);

// A word as one line of JSON, as it is stored, and back; nullopt where the text is none.
std::string text_of(const Word& word);
std::optional<Word> word_from(std::string_view text);

}  // namespace peerwright::domain

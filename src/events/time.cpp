#include "time.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>

namespace peerwright::events {
namespace {

constexpr std::size_t kDateAndTime = 19;  // 2026-01-31T10:00:00
constexpr int kMicrosDigits = 6;

// Takes characters off the front of a text.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  // Digits alone, all of them.
  int number(std::size_t digits) {
    int value = 0;
    if (rest_.size() < digits || rest_.substr(0, digits).find_first_not_of("0123456789") != std::string_view::npos) {
      ok_ = false;
      return 0;
    }
    std::from_chars(rest_.data(), rest_.data() + digits, value);
    rest_.remove_prefix(digits);
    return value;
  }
  char one_of(std::string_view allowed) {
    if (rest_.empty() || allowed.find(rest_.front()) == std::string_view::npos) {
      ok_ = false;
      return '\0';
    }
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }
  std::string_view digits() {
    const std::size_t end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    const std::string_view taken = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return taken;
  }
  [[nodiscard]] bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

std::chrono::microseconds fraction(Reader& reader) {
  int micros = 0;
  const std::string_view digits = reader.digits();
  for (int i = 0; i < kMicrosDigits; ++i) {
    const auto at = static_cast<std::size_t>(i);
    micros = micros * 10 + (at < digits.size() ? digits[at] - '0' : 0);
  }
  return std::chrono::microseconds(micros);
}

// How far the zone is ahead of UTC; nullopt: it is none.
std::optional<std::chrono::minutes> zone(Reader& reader) {
  const char sign = reader.one_of("Zz+-");
  if (sign == 'Z' || sign == 'z') return std::chrono::minutes(0);
  const int hours = reader.number(2);
  reader.one_of(":");
  const int minutes = reader.number(2);
  if (!reader.ok() || hours > 23 || minutes > 59) return std::nullopt;
  const auto ahead = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return sign == '-' ? -ahead : ahead;
}

}  // namespace

std::optional<Time> time_from_rfc3339(std::string_view text) {
  using namespace std::chrono;
  if (text.size() <= kDateAndTime) return std::nullopt;
  Reader reader(text);
  const year y(reader.number(4));
  reader.one_of("-");
  const month m(static_cast<unsigned>(reader.number(2)));
  reader.one_of("-");
  const day d(static_cast<unsigned>(reader.number(2)));
  reader.one_of("Tt ");
  const int hour = reader.number(2);
  reader.one_of(":");
  const int minute = reader.number(2);
  reader.one_of(":");
  const int second = reader.number(2);
  microseconds part(0);
  if (reader.next_is('.')) {
    reader.one_of(".");
    if (reader.next_is('Z') || reader.next_is('z')) return std::nullopt;
    part = fraction(reader);
  }
  const auto ahead = zone(reader);
  const year_month_day date(y, m, d);
  if (!reader.ok() || !reader.at_end() || !ahead || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  const Time time =
      Time(sys_days(date).time_since_epoch()) + hours(hour) + minutes(minute) + seconds(second) + part - *ahead;
  if (time < time_from_micros(0)) return std::nullopt;
  return time;
}

}  // namespace peerwright::events

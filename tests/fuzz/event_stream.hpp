#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include "fuzz.hpp"
#include "peerwright/base/clock.hpp"

namespace peerwright::fuzz {

// Events out of a fuzzer's bytes: examples, with names and values exchanged for those of one small installation, so
// that they meet.
class EventStream {
 public:
  explicit EventStream(FuzzedDataProvider& bytes) : bytes_(bytes) {}

  // What the installation begins with: two networks, three servers, three peers of one customer.
  static std::vector<Json> beginning();
  // The next event. `now`: absolute times lie around it.
  Json next(Time now);

 private:
  std::size_t pick(std::size_t of) { return bytes_.ConsumeIntegralInRange<std::size_t>(0, of - 1); }
  bool chance(std::size_t of) { return pick(of) == 0; }
  void change(Json& object);
  void change_member(const std::string& name, Json& value);
  void add_members(const std::string& type, Json& data);

  FuzzedDataProvider& bytes_;
  Time now_;
  std::size_t count_ = 0;
};

}  // namespace peerwright::fuzz

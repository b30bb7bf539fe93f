#pragma once

#include <span>

#include "handles.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/broker/message.hpp"

namespace peerwright::broker {

// The largest message that is sent or read, headers included: topics are made with the same limit.
inline constexpr int kMessageMaxBytes = 12 * 1024 * 1024;
// What librdkafka puts into one request to one partition; a message that is larger travels alone.
inline constexpr std::size_t kBatchBytes = 1'000'000;

struct Setting {
  const char* name;
  const char* value;
};

// What we set, each value with its reason in settings.cpp.
std::span<const Setting> consumer_settings();
std::span<const Setting> producer_settings();

// `ours`, then the properties of `connection` over it. Error: `kafka_setting_invalid` names the property that
// librdkafka does not take, or that a promise rests on, and never shows a secret's value.
Result<Conf> make_conf(const Connection& connection, std::span<const Setting> ours);

// One setting of our own making, such as group.id. The same error.
Result<void> set(const Conf& conf, const char* name, const std::string& value);

}  // namespace peerwright::broker

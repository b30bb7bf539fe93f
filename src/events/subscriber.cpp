#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

domain::SubscriberHold decode_hold(const Json& data, bool held) {
  return {text_in(data, "tenant"), text_in(data, "subscriber"), held, text_in(data, "reason")};
}

}  // namespace

Result<domain::SubscriberHold> decode_subscriber_suspend(const Json& data) { return decode_hold(data, true); }
Result<domain::SubscriberHold> decode_subscriber_resume(const Json& data) { return decode_hold(data, false); }

}  // namespace peerwright::events

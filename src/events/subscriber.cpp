#include <utility>

#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {

Result<domain::HoldPlan> decode_hold_plan(const Json& data) {
  domain::HoldPlan plan;
  const bool garden = text_in(data, "mode", "cut") == "walled_garden";
  plan.level = garden ? domain::HoldLevel::walled_garden : domain::HoldLevel::cut;
  if (data.contains("effective_at")) {
    auto time = time_at("/effective_at", text_in(data, "effective_at"));
    if (!time) return tl::unexpected<Error>(std::move(time.error()));
    plan.effective_at = *time;
  }
  plan.grace_seconds = number_in(data, "grace_seconds", 0);
  plan.garden_seconds = number_in(data, "walled_garden_seconds", 0);
  plan.release_after_seconds = number_in(data, "release_after_seconds", 0);
  if (!garden && plan.garden_seconds > 0) {
    return permanent("value_invalid", "/walled_garden_seconds: there is no walled garden in mode cut",
                     "send mode walled_garden, or leave this out");
  }
  if (garden && plan.garden_seconds == 0 && plan.release_after_seconds > 0) {
    return permanent("value_invalid", "/release_after_seconds: counts from a cut, and none follows the walled garden",
                     "send walled_garden_seconds, or leave this out");
  }
  return plan;
}

Result<domain::SubscriberHold> decode_subscriber_suspend(const Json& data) {
  auto plan = decode_hold_plan(data);
  if (!plan) return tl::unexpected<Error>(std::move(plan.error()));
  return domain::SubscriberHold{text_in(data, "tenant"),   text_in(data, "subscriber"),
                                text_in(data, "customer"), true,
                                text_in(data, "reason"),   *std::move(plan)};
}

Result<domain::SubscriberHold> decode_subscriber_resume(const Json& data) {
  return domain::SubscriberHold{text_in(data, "tenant"),   text_in(data, "subscriber"),
                                text_in(data, "customer"), false,
                                text_in(data, "reason"),   {}};
}

Result<domain::SubscriberRevoke> decode_subscriber_revoke(const Json& data) {
  return domain::SubscriberRevoke{text_in(data, "tenant"), text_in(data, "subscriber"), text_in(data, "customer"),
                                  text_in(data, "reason")};
}

}  // namespace peerwright::events

#include "hold_subject.hpp"

#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

// `change` on the after-image of whichever it is.
template <typename Change>
void change(const HoldSubject& subject, const State& state, Decision& decision, Change&& change_it) {
  if (subject.scope.kind == ScopeKind::customer) {
    if (Customer* customer = changed_customer(subject.scope.id, state, decision)) change_it(*customer);
  } else if (Subscriber* subscriber = changed_subscriber(subject.scope.id, state, decision)) {
    change_it(*subscriber);
  }
}

}  // namespace

HoldSubject subject_of(const std::string& tenant, const std::string& subscriber, const std::string& customer,
                       const State& state) {
  if (subscriber.empty()) {
    const Customer& found = *state.customer(tenant, customer);
    return {{ScopeKind::customer, found.id}, found.tenant_id, found.revoked};
  }
  const Subscriber& found = *state.subscriber(tenant, subscriber);
  return {{ScopeKind::subscriber, found.id}, found.tenant_id, found.revoked};
}

std::optional<HoldSubject> subject_of(Scope scope, const State& state) {
  if (scope.kind == ScopeKind::customer) {
    const Customer* customer = state.customer(scope.id);
    if (customer == nullptr) return std::nullopt;
    return HoldSubject{scope, customer->tenant_id, customer->revoked};
  }
  const Subscriber* subscriber = scope.kind == ScopeKind::subscriber ? state.subscriber(scope.id) : nullptr;
  if (subscriber == nullptr) return std::nullopt;
  return HoldSubject{scope, subscriber->tenant_id, subscriber->revoked};
}

Refs refs_of_subject(const std::string& tenant, const std::string& subscriber, const std::string& customer) {
  Refs refs;
  refs.tenant = tenant;
  refs.subscriber = subscriber;
  refs.customer = customer;
  return refs;
}

void say_again(const HoldSubject& subject, const State& state, Decision& decision) {
  change(subject, state, decision, [](const auto&) {});
}

void announce(const HoldSubject& subject, const State& state, Decision& decision) {
  change(subject, state, decision, [](auto& thing) { thing.version += 1; });
}

void fan_out(const HoldSubject& subject, const std::string& cause, Decision& decision) {
  if (subject.scope.kind == ScopeKind::customer) {
    decision.wider_fan_outs.emplace(std::pair(FanOut::customer, subject.scope.id), cause);
  } else {
    decision.fan_outs.emplace(subject.scope.id, cause);
  }
}

void release(const HoldSubject& subject, bool for_ever, const State& state, Decision& decision) {
  change(subject, state, decision, [&](auto& thing) {
    thing.released_at = state.now;
    thing.revoked = thing.revoked || for_ever;
  });
}

Decision subject_revoked() {
  return rejected("subscriber_revoked", "the subscriber or customer was revoked, which is final",
                  "use a subscriber of another name");
}

}  // namespace peerwright::domain

#pragma once

#include <optional>
#include <string>

#include "peerwright/domain/decision.hpp"

// A subscriber or a customer, where it is all the same to an event which of them is meant.
namespace peerwright::domain {

struct HoldSubject {
  Scope scope;
  Id tenant_id = 0;
  bool revoked = false;
};

// The one that an event names; its identity exists.
HoldSubject subject_of(const std::string& tenant, const std::string& subscriber, const std::string& customer,
                       const State& state);
// nullopt where the scope is a peer's, or nothing is known of it.
std::optional<HoldSubject> subject_of(Scope scope, const State& state);

Refs refs_of_subject(const std::string& tenant, const std::string& subscriber, const std::string& customer);

// Adds the subject to `decision` as it is: its status is said again.
void say_again(const HoldSubject& subject, const State& state, Decision& decision);

// Adds it with its next version.
void announce(const HoldSubject& subject, const State& state, Decision& decision);

// Its peers are considered anew, in chunks; a customer's by way of its subscribers.
void fan_out(const HoldSubject& subject, const std::string& cause, Decision& decision);

// All its peers that were provisioned until now are revoked when the fan-out reaches them; `for_ever`: it gets no
// others.
void release(const HoldSubject& subject, bool for_ever, const State& state, Decision& decision);

// The refusal of a word on a subject that was revoked.
Decision subject_revoked();

}  // namespace peerwright::domain

#include <algorithm>

#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

// The plans that are said now. Those that are not stay counted: their peers do not vanish with them.
std::map<std::string, PlanLimit> plans_after(const std::map<std::string, PlanLimit>& before,
                                             const std::map<std::string, std::int64_t>& said) {
  std::map<std::string, PlanLimit> after = before;
  for (auto& [name, plan] : after) plan.listed = false;
  for (const auto& [name, max_peers] : said) {
    PlanLimit& plan = after[name];
    plan.max_peers = max_peers;
    plan.listed = true;
  }
  return after;
}

bool same_garden(const Tenant& one, const Tenant& other) {
  return std::equal(one.garden.begin(), one.garden.end(), other.garden.begin(), other.garden.end(),
                    [](const wireguard::GardenDestination& a, const wireguard::GardenDestination& b) {
                      return a.prefix == b.prefix && a.protocol == b.protocol && a.port == b.port;
                    });
}

}  // namespace

Refs refs_of(const TenantSet& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.counts_tenant = true;
  return refs;
}

// Replaces all settings. A lower limit takes nothing away: it holds for what is asked for from now on.
Decision decide(const TenantSet& event, const Word& word, const State& state) {
  const Tenant& before = *state.tenant(event.tenant);
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  Decision decision;
  Tenant after = before;
  after.max_peers = event.max_peers;
  after.plans = plans_after(before.plans, event.plans);
  after.reservations_per_hour = event.reservations_per_hour;
  after.suspensions_limit = event.suspensions_limit;
  after.suspensions_window_seconds = event.suspensions_window_seconds;
  after.suspensions_action = event.suspensions_action;
  after.garden = event.garden;
  after.recipient_key = event.recipient_key;
  after.dns = event.dns;
  after.word = following(word, after.word);
  after.version += 1;
  // The garden stands in the firewall of every server with peers of the tenant.
  if (!same_garden(before, after)) decision.wider_fan_outs[{FanOut::tenant, after.id}] = cause_of(word);
  decision.announced_tenants.insert(after.id);
  decision.tenants.push_back(std::move(after));
  return decision;
}

}  // namespace peerwright::domain

#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {

inline constexpr Id kTenant = 1;
inline constexpr Id kNetwork = 5;
inline constexpr Id kServer = 10;

// A tenant with a server, a clock that is moved by hand, and the sweep: what fell due is decided, what was fanned out
// reaches the peers. Peers get here what a provision gives them.
class HoldWorld {
 public:
  HoldWorld() {
    state.now = time_from_micros(1'800'000'000'000'000);
    Tenant tenant;
    tenant.id = kTenant;
    tenant.name = "acme";
    state.load(tenant);
    Network network;
    network.id = kNetwork;
    network.name = "net";
    state.load(network);
    Server server;
    server.id = kServer;
    server.name = "srv";
    server.network_id = kNetwork;
    server.max_peers = 1000;
    state.load(server);
  }

  void pass(std::int64_t count) { state.now += std::chrono::seconds(count); }

  // The next word of a source, said now.
  Word word_of(const std::string& source) {
    ++words_;
    return {source, "w" + std::to_string(words_), words_, {state.now, 0, words_}};
  }

  template <typename Event>
  Decision say(const Event& event, const std::string& source = "billing") {
    return say(event, word_of(source));
  }
  template <typename Event>
  Decision say(const Event& event, const Word& word) {
    make_identities(refs_of(event));
    return take(decide(event, word, state));
  }

  Decision take(Decision decision) {
    changes.apply(state, decision);
    for (const Removal& row : decision.removals) removals[{row.server_id, row.public_key}] = row.wanted_gone;
    for (const Timer& timer : decision.timers) {
      const std::pair key(timer.kind, std::pair(timer.subject_id, timer.owner));
      if (timer.due_at) {
        timers[key] = timer;
      } else {
        timers.erase(key);
      }
    }
    for (const auto& [subscriber, cause] : decision.fan_outs) fan_outs_[subscriber] = cause;
    for (const auto& [subject, cause] : decision.wider_fan_outs) wider_[subject.second] = cause;
    return decision;
  }

  // Decides the timers that are due, each as often as it falls due; the decisions in their order.
  std::vector<Decision> run_timers() {
    std::vector<Decision> decisions;
    for (int rounds = 0; rounds < 1000; ++rounds) {
      const Timer* due = nullptr;
      for (const auto& [key, timer] : timers) {
        if (*timer.due_at <= state.now) due = &timer;
      }
      if (due == nullptr) return decisions;
      decisions.push_back(take(decide_timer(Timer(*due), state)));
    }
    ADD_FAILURE() << "a timer falls due for ever";
    return decisions;
  }

  void sweep() {
    for (const auto& [customer, cause] : std::exchange(wider_, {})) {
      for (const Id id : subscribers_) {
        if (state.subscriber(id)->customer_id == customer) fan_outs_[id] = cause;
      }
    }
    for (const auto& [subscriber, cause] : std::exchange(fan_outs_, {})) {
      for (const std::string& name : peers_) {
        if (peer(name).subscriber_id != subscriber) continue;
        Decision decision;
        settle_peer(peer(name), state, cause, false, decision);
        take(decision);
      }
    }
  }

  // What a while of running does.
  void settle() {
    run_timers();
    sweep();
  }

  Peer provision(const std::string& name, const std::string& subscriber = {}, const std::string& customer = {}) {
    Peer made = identity(name, subscriber, customer);
    made.stage = Stage::provisioned;
    made.public_key = "key of " + name;
    made.provisioned_at = state.now;
    return seat(made);
  }

  Peer reserve(const std::string& name, std::int64_t ttl_seconds, const std::string& subscriber = {}) {
    Peer made = identity(name, subscriber, {});
    made.stage = Stage::reserved;
    made.reservation = Reservation::reserved;
    made.reserved_until = state.now + std::chrono::seconds(ttl_seconds);
    Timer timer{TimerKind::reservation, made.id, {}, made.reserved_until};
    timers[{timer.kind, {timer.subject_id, timer.owner}}] = timer;
    return seat(made);
  }

  // Puts a changed peer in, as an event would.
  void put(const Peer& peer) { state.load(peer); }

  Decision suspend(const std::string& subscriber, const HoldPlan& plan = {}, const std::string& source = "billing") {
    return say(SubscriberHold{"acme", subscriber, "", true, "because", plan}, source);
  }
  Decision resume(const std::string& subscriber, const std::string& source = "billing") {
    return say(SubscriberHold{"acme", subscriber, "", false, "paid", {}}, source);
  }
  Decision suspend_customer(const std::string& name, const HoldPlan& plan = {}, const std::string& source = "billing") {
    return say(SubscriberHold{"acme", "", name, true, "because", plan}, source);
  }
  Decision resume_customer(const std::string& name, const std::string& source = "billing") {
    return say(SubscriberHold{"acme", "", name, false, "paid", {}}, source);
  }
  Decision suspend_peer(const std::string& name, const HoldPlan& plan = {}, const std::string& source = "billing") {
    return say(PeerHold{"acme", name, true, "because", plan}, source);
  }
  Decision resume_peer(const std::string& name, const std::string& source = "billing") {
    return say(PeerHold{"acme", name, false, "paid", {}}, source);
  }

  [[nodiscard]] const Peer& peer(const std::string& name) const { return *state.peer("acme", name); }
  [[nodiscard]] Entitlement of(const std::string& name) const { return peer(name).entitlement; }
  [[nodiscard]] const Subscriber& subscriber(const std::string& name) const { return *state.subscriber("acme", name); }
  [[nodiscard]] const Customer& customer(const std::string& name) const { return *state.customer("acme", name); }
  [[nodiscard]] const Tenant& tenant() const { return *state.tenant(kTenant); }
  [[nodiscard]] const Server& server() const { return *state.server(kServer); }
  [[nodiscard]] const Hold& hold(ScopeKind kind, Id id, const std::string& owner = "billing") const {
    return *state.hold({kind, id}, owner);
  }
  [[nodiscard]] bool to_be_removed(const std::string& key) const {
    const auto row = removals.find({kServer, key});
    return row != removals.end() && row->second;
  }

  State state;
  Changes changes;
  std::map<std::pair<Id, std::string>, bool> removals;
  std::map<std::pair<TimerKind, std::pair<Id, std::string>>, Timer> timers;

 private:
  void make_identities(const Refs& refs) {
    if (!refs.customer.empty() && state.customer("acme", refs.customer) == nullptr) {
      Customer made;
      made.id = ++last_id_;
      made.tenant_id = kTenant;
      made.name = refs.customer;
      state.load(made);
    }
    if (!refs.subscriber.empty() && state.subscriber("acme", refs.subscriber) == nullptr) {
      subscribers_.insert(++last_id_);
      state.load(Subscriber{last_id_, kTenant, refs.subscriber, 0});
    }
    if (!refs.peer.empty() && state.peer("acme", refs.peer) == nullptr) {
      Peer made;
      made.id = ++last_id_;
      made.tenant_id = kTenant;
      made.tenant = "acme";
      made.name = refs.peer;
      state.load(made);
      peers_.push_back(refs.peer);
    }
  }

  Peer identity(const std::string& name, const std::string& subscriber, const std::string& customer) {
    Refs refs;
    refs.peer = name;
    refs.subscriber = subscriber;
    refs.customer = customer;
    make_identities(refs);
    Peer made = peer(name);
    if (subscriber.empty()) return made;
    Subscriber of = this->subscriber(subscriber);
    if (!customer.empty()) {
      of.customer_id = this->customer(customer).id;
      state.load(of);
    }
    made.subscriber_id = of.id;
    made.subscriber = of.name;
    return made;
  }

  Peer seat(Peer made) {
    made.server_id = kServer;
    made.network_id = kNetwork;
    made.address_offset = ++last_offset_;
    Decision decision;
    count_peer(made, 1, state, decision);
    settle_peer(made, state, "provision", true, decision);
    take(decision);
    return peer(made.name);
  }

  Id last_id_ = 100;
  std::int64_t last_offset_ = 0;
  std::int64_t words_ = 0;
  std::vector<std::string> peers_;
  std::set<Id> subscribers_;
  std::map<Id, std::string> fan_outs_;
  std::map<Id, std::string> wider_;
};

inline HoldPlan plan_of(HoldLevel level, std::int64_t grace = 0, std::int64_t garden = 0, std::int64_t release = 0) {
  HoldPlan plan;
  plan.level = level;
  plan.grace_seconds = grace;
  plan.garden_seconds = garden;
  plan.release_after_seconds = release;
  return plan;
}

}  // namespace peerwright::domain

#include "columns.hpp"
#include "peerwright/domain/mesh.hpp"
#include "records.hpp"
#include "sweep.hpp"

// Changes that concern many, carried on in chunks.
namespace peerwright::store {
namespace {

using domain::Id;

struct Wider {
  std::string kind;
  Id subject_id = 0;
  Id after_id = 0;
  std::string cause;
  std::string started_at;  // by which a newer word is told
};

// The last one that was done, and how many.
struct Done {
  Id last_id = 0;
  std::size_t count = 0;
  bool due = false;
};

class Carrier {
 public:
  Carrier(Tx& tx, const Wider& wider, int chunk, const Sealer* sealer)
      : tx_(tx), wider_(wider), chunk_(chunk), speaker_(sealer) {
    state_.now = time_from_micros(int_at(tx_.run("intake_clock")[0], 0));
  }

  Done carry_on() {
    if (wider_.kind == domain::name_of(domain::FanOut::customer)) {
      to_subscribers();
    } else if (wider_.kind == domain::name_of(domain::FanOut::server)) {
      to_meshes();
      to_peers();
    } else if (wider_.kind == domain::name_of(domain::FanOut::tenant)) {
      to_servers("wider_servers");
    } else {
      to_servers("wider_servers_of_network");
    }
    store_changes(tx_, changes_, state_);
    done_.due = !changes_.due_servers.empty();
    move_on();
    messages_.store(tx_);
    return done_;
  }

  void carry_to_meshes() {
    to_meshes();
    store_changes(tx_, changes_, state_);
    messages_.store(tx_);
  }

 private:
  // What a newer word has begun anew is not moved, nor recorded as moved: its chunks stand in their own entries.
  void move_on() {
    const bool last = done_.count < static_cast<std::size_t>(chunk_);
    const auto moved = last ? tx_.run("wider_done", wider_.kind, wider_.subject_id, wider_.started_at)
                            : tx_.run("wider_move", wider_.kind, wider_.subject_id, wider_.started_at, done_.last_id);
    events::AuditProgress progress{wider_.kind, wider_.subject_id, last ? 0 : done_.last_id, last};
    if (moved.affected_rows() == 0) progress = {wider_.kind, wider_.subject_id, 0, false};
    record_.store(messages_, progress, state_);
  }

  void note(Id id) {
    done_.last_id = id;
    ++done_.count;
  }

  void to_subscribers() {
    lock_customers(tx_, {wider_.subject_id}, state_);
    Ids subscribers;
    for (const auto& row : tx_.run("wider_subscribers", wider_.subject_id, wider_.after_id, chunk_)) {
      subscribers.push_back(int_at(row, 0));
      note(int_at(row, 0));
    }
    lock_subscribers(tx_, subscribers, state_);
    for (const Id subscriber_id : subscribers) {
      changes_.fan_outs[subscriber_id] = wider_.cause;
      record_.add_fan_out(subscriber_id, wider_.cause);
    }
  }

  // The server's key or endpoint may have changed: the other members' entries for it follow.
  void to_meshes() {
    if (wider_.after_id != 0) return;
    Levels levels;
    for (const auto& row : tx_.run("wider_meshes", wider_.subject_id)) {
      levels.meshes.push_back(int_at(row, 0));
      levels.servers.push_back(int_at(row, 1));
    }
    if (levels.meshes.empty()) return;
    levels.servers.push_back(wider_.subject_id);
    find_around(tx_, levels);
    lock_levels(tx_, levels, state_);
    for (const Id mesh_id : levels.meshes) {
      domain::Decision decision;
      domain::Mesh mesh = *state_.mesh(mesh_id);
      domain::settle_mesh(mesh, state_, decision);
      mesh.version += 1;  // what an unmanaged member has to be told of the server may be new in any case
      decision.meshes.push_back(std::move(mesh));
      record_.add(decision, state_);
      speaker_.carry_out(decision, wider_.cause, state_, changes_, messages_);
    }
  }

  void to_peers() {
    if (state_.server(wider_.subject_id) == nullptr) lock_servers(tx_, {wider_.subject_id}, state_);
    Ids peers, tenants, subscribers, networks;
    for (const auto& row : tx_.run("wider_peers", wider_.subject_id, wider_.after_id, chunk_)) {
      peers.push_back(int_at(row, 0));
      tenants.push_back(int_at(row, 1));
      if (const auto subscriber = maybe_int_at(row, 2)) subscribers.push_back(*subscriber);
      if (const auto network = maybe_int_at(row, 3)) networks.push_back(*network);
      note(int_at(row, 0));
    }
    normalise(tenants);
    normalise(subscribers);
    normalise(networks);
    load_tenants(tx_, tenants, state_);
    load_subscribers(tx_, subscribers, state_);
    Ids customers;
    for (const Id id : subscribers) {
      if (const auto customer = state_.subscriber(id)->customer_id) customers.push_back(*customer);
    }
    normalise(customers);
    load_customers(tx_, customers, state_);
    load_networks(tx_, networks, state_);
    speaker_.load(tx_, peers);
    for (domain::Peer& peer : lock_peers(tx_, peers, state_)) {
      if (peer.server_id != wider_.subject_id) continue;  // moved meanwhile
      peer.version += 1;
      peer.cause = wider_.cause;
      domain::Decision decision;
      decision.peers.push_back(std::move(peer));
      record_.add(decision, state_);
      speaker_.carry_out(decision, wider_.cause, state_, changes_, messages_);
    }
  }

  // Their firewalls are rendered anew.
  void to_servers(const char* statement) {
    Ids servers;
    for (const auto& row : tx_.run(statement, wider_.subject_id, wider_.after_id, chunk_)) {
      servers.push_back(int_at(row, 0));
      note(int_at(row, 0));
    }
    lock_servers(tx_, servers, state_);
    for (const Id server_id : servers) {
      domain::Decision decision;
      decision.servers.push_back(*state_.server(server_id));
      decision.servers.back().generation += 1;
      decision.due_servers.insert(server_id);
      record_.add(decision, state_);
      changes_.apply(state_, decision);
    }
  }

  Tx& tx_;
  const Wider& wider_;
  int chunk_;
  domain::State state_;
  domain::Changes changes_;
  Messages messages_;
  Speaker speaker_;
  ChunkRecord record_;
  Done done_;
};

}  // namespace

void carry_to_meshes(Tx& tx, Id server_id, const std::string& cause, const Sealer* sealer) {
  const Wider wider{domain::name_of(domain::FanOut::server), server_id, 0, cause, {}};
  Carrier(tx, wider, 0, sealer).carry_to_meshes();
}

Result<SweepStore::Step> SweepStore::wider_fan_out(int chunk) {
  std::optional<Wider> picked;
  auto stepped = impl_->db.transact([&](Tx& tx) -> Result<Step> {
    Step step;
    const auto rows = tx.run("wider_pick");
    if (rows.empty()) return step;
    const pqxx::row row = rows[0];  // the reader keeps a reference
    RowReader read(row);
    Wider wider;
    wider.kind = read.text();
    wider.subject_id = read.number();
    wider.after_id = read.number();
    wider.cause = read.text();
    wider.started_at = read.text();
    picked = wider;
    const Done done = Carrier(tx, wider, chunk, impl_->sealer).carry_on();
    step.found = true;
    step.peers = done.count;
    step.due = done.due;
    step.more = bool_at(tx.run("wider_left")[0], 0);
    return step;
  });
  if (!stepped && stepped.error().retry == Retry::never && picked) {
    (void)impl_->db.transact([&](Tx& tx) -> Result<void> {
      tx.run("wider_postpone", picked->kind, picked->subject_id);
      return {};
    });
  }
  return stepped;
}

}  // namespace peerwright::store

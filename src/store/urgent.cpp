#include "peerwright/store/urgent.hpp"

#include "changes.hpp"
#include "columns.hpp"

namespace peerwright::store {
namespace {

using domain::Id;

void say(Tx& tx, domain::State& state, Id server_id, const std::string& cause, const events::UrgentWait& wait) {
  tx.run("urgent_say", server_id, wait.since.has_value());
  domain::Server server = *state.server(server_id);
  server.version += 1;
  events::ServerContext context;
  if (server.network_id) load_networks(tx, {*server.network_id}, state);
  if (server.owner_tenant_id) load_tenants(tx, {*server.owner_tenant_id}, state);
  context.network = server.network_id ? state.network(*server.network_id) : nullptr;
  context.owner = server.owner_tenant_id ? state.tenant(*server.owner_tenant_id) : nullptr;
  context.urgent_wait = wait;
  if (wait.since) context.alert = "urgent_late";
  Messages messages;
  messages.say("status", events::server_status(server, cause, context));
  messages.store(tx);
}

// Somebody else may have been here first: then there is nothing to say. Who calls this claims servers too, so it waits
// for nobody: a server that somebody is at work on is looked at the next time.
void look_at(Tx& tx, Id server_id, std::chrono::milliseconds limit, UrgentLook& look) {
  if (tx.run("urgent_lock", server_id).empty()) return;
  domain::State state;
  lock_servers(tx, {server_id}, state);
  const domain::Server* server = state.server(server_id);
  if (server == nullptr) return;
  const auto rows = tx.run("urgent_state", server_id, std::int64_t{limit.count()});
  RowReader read(rows[0]);
  const bool late = read.flag();
  if (late == read.flag()) return;
  events::UrgentWait wait;
  const auto since = read.maybe_time();
  const std::chrono::milliseconds waits(read.number());
  const std::string push = "push/" + std::to_string(read.number());
  if (!late) {
    look.proven.push_back(server->name);
    return say(tx, state, server_id, push, wait);
  }
  wait.since = since;
  wait.keys = int_at(tx.run("urgent_keys", server_id)[0], 0);
  look.late.push_back({server->name, waits, wait.keys});
  say(tx, state, server_id, "timer/urgent_limit", wait);
}

}  // namespace

struct UrgentStore::Impl {
  explicit Impl(const Database& database) : db(database, "deliver") {}
  Db db;
};

UrgentStore::UrgentStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
UrgentStore::~UrgentStore() = default;

Result<UrgentLook> UrgentStore::look(std::chrono::milliseconds limit) {
  UrgentLook look;
  auto servers = impl_->db.transact([&](Tx& tx) -> Result<std::vector<Id>> {
    std::vector<Id> now;
    for (const auto& row : tx.run("urgent_watch", std::int64_t{limit.count()}, kMostSaid)) {
      const std::chrono::milliseconds in(int_at(row, 1));
      if (in > in.zero()) {
        look.next = in;
        break;
      }
      now.push_back(int_at(row, 0));
    }
    return now;
  });
  if (!servers) return tl::unexpected(servers.error());
  for (const Id server : *servers) {
    UrgentLook here;
    const auto said = impl_->db.transact([&](Tx& tx) -> Result<void> {
      here = {};
      look_at(tx, server, limit, here);
      return {};
    });
    // What was said is not forgotten over what could not be: the next look goes on.
    if (!said)
      return look.late.empty() && look.proven.empty() ? Result<UrgentLook>(tl::unexpected(said.error())) : look;
    look.late.insert(look.late.end(), here.late.begin(), here.late.end());
    look.proven.insert(look.proven.end(), here.proven.begin(), here.proven.end());
  }
  return look;
}

}  // namespace peerwright::store

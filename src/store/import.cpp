#include "peerwright/store/import.hpp"

#include "adopt.hpp"
#include "columns.hpp"

namespace peerwright::store {
namespace {

using domain::Id;
using domain::Stranger;

// Stands for the tenant, whoever that will be: no name of it is in what is shown.
constexpr Id kNobody = -1;

StrangerView judge(const Stranger& stranger, const domain::Adoption& into, domain::State& state) {
  StrangerView view;
  view.public_key = stranger.shown.public_key;
  view.has_preshared_key = stranger.shown.has_preshared_key;
  const domain::Decision decision = domain::adopt(stranger, into, state);
  if (decision.outcome == domain::Outcome::rejected) {
    view.addresses = stranger.shown.allowed_ips;
    view.code = decision.code;
    view.message = decision.message + "; " + decision.remedy;
    return view;
  }
  const domain::Peer& peer = decision.peers.front();
  view.peer = peer.name;
  view.addresses = domain::addresses_of(peer, *state.network(*peer.network_id));
  view.site_networks = peer.site_networks;
  state.load(peer);  // its place is taken for those that follow
  return view;
}

}  // namespace

struct ImportStore::Impl {
  explicit Impl(const Database& database) : db(database, "query") {}
  Db db;
};

ImportStore::ImportStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
ImportStore::~ImportStore() = default;

Result<std::string> ImportStore::installation_id() {
  return impl_->db.transact([](Tx& tx) -> Result<std::string> { return text_at(tx.run("adopt_installation")[0], 0); });
}

Result<std::vector<StrangerView>> ImportStore::preview(const domain::Server& server,
                                                       const wireguard::HostAnswer& answer) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::vector<StrangerView>> {
    tx.run("query_read_only");
    domain::State state;
    load_servers(tx, {server.id}, state);
    load_networks(tx, {server.network_id.value()}, state);
    domain::Tenant nobody;
    nobody.id = kNobody;
    state.load(nobody);
    std::vector<LeftAlone> elsewhere;
    const auto strangers = load_strangers(tx, server, answer, state, elsewhere);
    domain::Adoption into;
    into.server_id = server.id;
    std::vector<StrangerView> views;
    Id next = kNobody;
    for (const Stranger& stranger : strangers) {
      domain::Peer identity;
      identity.id = --next;
      identity.tenant_id = kNobody;
      identity.name = domain::adopted_name(stranger.shown.public_key);
      state.load(identity);
      views.push_back(judge(stranger, into, state));
    }
    for (const LeftAlone& one : elsewhere) {
      StrangerView view;
      view.public_key = one.public_key;
      view.code = one.code;
      view.message = domain::key_in_use().message;
      views.push_back(std::move(view));
    }
    return views;
  });
}

}  // namespace peerwright::store

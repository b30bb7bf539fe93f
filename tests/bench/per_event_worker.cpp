#include "bench/per_event_worker.hpp"

#include "peerwright/base/seal.hpp"
#include "peerwright/domain/rules.hpp"
#include "peerwright/events/outbound.hpp"

namespace peerwright::bench {

PerEventWorker::PerEventWorker(const std::string& dsn) : connection_(dsn) {
  const auto prepare = [this](const char* name, const char* sql) { connection_.prepare(name, sql); };
  prepare("inbox",
          "INSERT INTO inbox (source, id, payload_hash) VALUES ($1, $2, decode($3, 'hex')) ON CONFLICT DO NOTHING "
          "RETURNING 1");
  prepare("tenant", "UPDATE tenants SET peer_count = peer_count + 1 WHERE name = $1 RETURNING id, max_peers");
  prepare(
      "subscriber",
      "INSERT INTO subscribers (tenant_id, name) VALUES ($1, $2) ON CONFLICT (tenant_id, name) DO UPDATE SET name = "
      "excluded.name RETURNING id");
  prepare("held", "SELECT EXISTS (SELECT FROM holds WHERE scope_kind = 'subscriber' AND scope_id = $1 AND held)");
  prepare("key", "SELECT EXISTS (SELECT FROM peers WHERE public_key = $1)");
  prepare(
      "offset",
      "UPDATE networks n SET next_offset = next_offset + 1 FROM servers s WHERE s.name = $1 AND n.id = s.network_id "
      "RETURNING n.id, next_offset - 1");
  prepare("server",
          "UPDATE servers SET generation = generation + 1, peer_count = peer_count + 1 WHERE name = $1 RETURNING id, "
          "generation, endpoint, public_key");
  prepare(
      "peer",
      "INSERT INTO peers (tenant_id, name, stage, entitlement, subscriber_id, server_id, network_id, address_offset, "
      "public_key, client_routes, word, cause, version, generation, provisioned_at, created_by) VALUES ($1, $2, "
      "'provisioned', 'active', $3, $4, $5, $6, $7, '{0.0.0.0/0}', $8, $9, 1, $10, now(), 'billing') RETURNING id");
  prepare("period", "INSERT INTO address_periods (network_id, address_offset, peer_id) VALUES ($1, $2, $3)");
  prepare(
      "due",
      "UPDATE deliveries SET due = true, due_generation = $2, due_since = coalesce(due_since, now()) WHERE server_id "
      "= $1");
  prepare(
      "audit",
      "INSERT INTO audit (source, event_id, event_type, key, outcome, body) VALUES ($1, $2, $3, $4, 'accepted', $5)");
  prepare("outbox", "INSERT INTO outbox (channel, ce_id, ce_type, key, body) VALUES ('status', $1, $2, $3, $4)");
  prepare("moved", "UPDATE intake SET next_offset = $3, updated_at = now() WHERE topic = $1 AND partition = $2");
}

void PerEventWorker::execute(const store::Arrival& arrival, const std::string& peer, const std::string& subscriber,
                             const std::string& server, const std::string& public_key) {
  const events::Event& event = *arrival.event;
  const events::Envelope& envelope = event.envelope;
  pqxx::work tx(connection_);
  if (tx.exec_prepared("inbox", envelope.source, envelope.id, hex_of(event.payload_hash)).empty()) return;
  const std::string tenant_id = tx.exec_prepared("tenant", event.refs.tenant)[0][0].c_str();
  const std::string subscriber_id = tx.exec_prepared("subscriber", tenant_id, subscriber)[0][0].c_str();
  tx.exec_prepared("held", subscriber_id);
  tx.exec_prepared("key", public_key);
  const auto offset = tx.exec_prepared("offset", server)[0];
  const auto raised = tx.exec_prepared("server", server)[0];
  const domain::Word word{
      envelope.source, envelope.id, envelope.sequence, {arrival.broker_time, arrival.partition, arrival.offset}};
  domain::Decision decision;
  decision.peers.emplace_back();
  domain::Peer& after = decision.peers.back();
  after.tenant = event.refs.tenant;
  after.name = peer;
  after.subscriber = subscriber;
  after.public_key = public_key;
  after.address_offset = std::stoll(offset[1].c_str());
  const auto made =
      tx.exec_prepared("peer", tenant_id, peer, subscriber_id, raised[0].c_str(), offset[0].c_str(), offset[1].c_str(),
                       public_key, domain::text_of(word), domain::cause_of(word), raised[1].c_str());
  tx.exec_prepared("period", offset[0].c_str(), offset[1].c_str(), made[0][0].c_str());
  tx.exec_prepared("due", raised[0].c_str(), raised[1].c_str());
  tx.exec_prepared("audit", envelope.source, envelope.id, envelope.type, event.key,
                   events::audit_body(word, envelope.type, event.refs, decision));
  const events::Outbound status = events::peer_status(after, nullptr, nullptr, -1);
  tx.exec_prepared("outbox", status.id, status.type, status.key, status.body);
  tx.exec_prepared("moved", arrival.topic, arrival.partition, arrival.offset + 1);
  tx.commit();
}

}  // namespace peerwright::bench

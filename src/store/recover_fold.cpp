#include "recover_fold.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "changes.hpp"
#include "columns.hpp"
#include "peerwright/events/audit.hpp"
#include "proofs.hpp"

namespace peerwright::store {
namespace {

using domain::Id;
using Json = nlohmann::json;

// Whom decisions are about, by kind, with what a row is made of where there is none.
class Identities {
 public:
  template <typename Thing>
  void add(const char* kind, const Thing& thing, Id tenant_id) {
    if (!thing.name.empty()) add(kind, thing.id, tenant_id, thing.name);
  }
  void add(const std::string& kind, Id id, Id tenant_id, const std::string& name) {
    if (id != 0) rows_[kind][id] = {tenant_id, name};
  }
  // Tenants first, for others belong to them. Error `database_diverged`.
  [[nodiscard]] Result<void> make(Tx& tx, std::int64_t at_us) const {
    static constexpr std::array<std::pair<const char*, const char*>, 8> kStatements{
        {{"tenants", "fold_tenants"},
         {"customers", "fold_customers"},
         {"subscribers", "fold_subscribers"},
         {"networks", "fold_networks"},
         {"meshes", "fold_meshes"},
         {"servers", "fold_servers"},
         {"peers", "fold_peers"},
         {"rules", "fold_rules"}}};
    for (const auto& [kind, statement] : kStatements) {
      const auto found = rows_.find(kind);
      if (found == rows_.end()) continue;
      Column id, tenant, name;
      for (const auto& [row_id, row] : found->second) {
        id.add(row_id);
        tenant.add(row.first);
        name.add(std::string_view(row.second));
      }
      for (const auto& row : tx.run(statement, id.text(), tenant.text(), name.text(), at_us)) {
        return diverged(std::string("of the ") + kind + ", " + text_at(row, 0) + " is " + text_at(row, 1) +
                        " by the audit topic, and not in the database");
      }
    }
    return {};
  }
  [[nodiscard]] Ids ids(const std::string& kind) const {
    Ids all;
    if (const auto found = rows_.find(kind); found != rows_.end()) {
      for (const auto& [id, row] : found->second) all.push_back(id);
    }
    return all;
  }

 private:
  std::map<std::string, std::map<Id, std::pair<Id, std::string>>> rows_;
};

struct Place {
  std::string topic;
  std::int64_t partition = 0;
  std::int64_t offset = 0;
};
Place place_from(const std::string& text) {
  const auto last = text.rfind('/');
  const auto middle = text.rfind('/', last - 1);
  return {text.substr(0, middle), std::atoll(text.substr(middle + 1, last - middle - 1).c_str()),
          std::atoll(text.substr(last + 1).c_str())};
}

// The decisions of one transaction.
class Group {
 public:
  Group(Tx& tx, std::int64_t at_us) : tx_(tx), at_us_(at_us) {}

  void add(const AuditRow& row, events::AuditEntry entry) {
    note_identities(entry);
    if (!entry.extras.payload_hash.empty()) {
      inbox_.add(row.source).add(row.event_id).add(entry.extras.payload_hash).end_row();
      any_inbox_ = true;
    }
    entries_.push_back(std::move(entry));
  }
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  [[nodiscard]] Result<void> store() {
    if (auto made = identities_.make(tx_, at_us_); !made) return made;
    load();
    for (events::AuditEntry& entry : entries_) {
      for (domain::Peer& peer : entry.decision.peers) {
        if (!entry.extras.settled.contains(peer.id)) continue;
        const domain::Peer* known = state_.peer(peer.id);
        if (known == nullptr)
          return diverged("the audit topic settles peer " + std::to_string(peer.id) + ", which is not there");
        domain::Peer whole = *known;
        events::overlay(whole, peer);
        peer = std::move(whole);
      }
      changes_.apply(state_, entry.decision);
    }
    store_changes(tx_, changes_, state_);
    store_extras();
    return {};
  }

 private:
  void note_identities(const events::AuditEntry& entry) {
    const domain::Decision& decision = entry.decision;
    for (const auto& made : entry.extras.made) identities_.add(made.kind, made.id, made.tenant_id, made.name);
    for (const auto& thing : decision.tenants) identities_.add("tenants", thing, 0);
    for (const auto& thing : decision.customers) identities_.add("customers", thing, thing.tenant_id);
    for (const auto& thing : decision.subscribers) identities_.add("subscribers", thing, thing.tenant_id);
    for (const auto& thing : decision.networks) identities_.add("networks", thing, 0);
    for (const auto& thing : decision.meshes) identities_.add("meshes", thing, 0);
    for (const auto& thing : decision.servers) identities_.add("servers", thing, 0);
    for (const auto& thing : decision.rules) identities_.add("rules", thing, thing.tenant_id);
    for (const auto& thing : decision.peers) {
      identities_.add("peers", thing, thing.tenant_id);
      peers_.push_back(thing.id);  // short ones have no name
    }
    for (const auto& removal : decision.removals) servers_.push_back(removal.server_id);
  }

  // Before-images: what changed is told by them.
  void load() {
    lock_tenants(tx_, identities_.ids("tenants"), state_);
    load_plans(tx_, identities_.ids("tenants"), state_);
    lock_customers(tx_, identities_.ids("customers"), state_);
    lock_subscribers(tx_, identities_.ids("subscribers"), state_);
    lock_networks(tx_, identities_.ids("networks"), state_);
    const Ids meshes = identities_.ids("meshes");
    lock_meshes(tx_, meshes, state_);
    load_links(tx_, meshes, {}, state_);
    for (const Id id : identities_.ids("servers")) servers_.push_back(id);
    normalise(servers_);
    lock_servers(tx_, servers_, state_);
    normalise(peers_);
    lock_peers(tx_, peers_, state_);
    lock_rules(tx_, identities_.ids("rules"), state_);
  }

  void store_extras() {
    if (any_inbox_) {
      inbox_.add_to_all(at_us_);
      inbox_.run(tx_);
    }
    RowWriter positions;
    for (const events::AuditEntry& entry : entries_) {
      for (const auto& p : entry.extras.positions) {
        positions.add(p.topic).add(p.partition).add(p.next_offset).add(p.last_time).add_or_null(p.last_hash).end_row();
      }
      if (!entry.extras.replays.empty()) {
        const Place place = place_from(entry.extras.replays);
        tx_.run("fold_replayed", place.topic, place.partition, place.offset);
      }
      if (entry.extras.progress) move_on(*entry.extras.progress);
    }
    if (!positions.empty()) positions.run(tx_, "fold_positions");
  }

  void move_on(const events::AuditProgress& progress) {
    if (progress.kind == "subscriber") {
      if (progress.done) {
        tx_.run("fan_out_done", progress.subject_id);
      } else if (progress.after_id != 0) {
        tx_.run("fold_fan_out_moved", progress.subject_id, progress.after_id);
      }
    } else if (progress.done) {
      tx_.run("fold_wider_done", progress.kind, progress.subject_id);
    } else if (progress.after_id != 0) {
      tx_.run("fold_wider_moved", progress.kind, progress.subject_id, progress.after_id);
    }
  }

  // Columns and the one time of them all.
  class Inbox {
   public:
    Inbox& add(const std::string& text) {
      columns_[next_++].add(std::string_view(text));
      return *this;
    }
    void end_row() { next_ = 0; }
    void add_to_all(std::int64_t at_us) { at_us_ = at_us; }
    void run(Tx& tx) const { tx.run("fold_inbox", columns_[0].text(), columns_[1].text(), columns_[2].text(), at_us_); }

   private:
    std::array<Column, 3> columns_;
    std::size_t next_ = 0;
    std::int64_t at_us_ = 0;
  };

  Tx& tx_;
  std::int64_t at_us_;
  std::vector<events::AuditEntry> entries_;
  Identities identities_;
  Ids peers_, servers_;
  Inbox inbox_;
  bool any_inbox_ = false;
  domain::State state_;
  domain::Changes changes_;
};

// Entries that are no decisions about subjects.
class Others {
 public:
  explicit Others(Tx& tx) : tx_(tx) {}

  // False: it is a decision. Error `database_diverged`.
  Result<bool> fold(const AuditRow& row, const Json& body) {
    const Json changes = body.value("changes", Json::object());
    for (const Json& one : changes.value("installations", Json::array())) {
      tx_.run("fold_installation", one.at("id").get<std::string>(), one.at("created_us").get<std::int64_t>());
    }
    for (const Json& one : changes.value("addresses", Json::array())) {
      if (auto folded = fold_address(row, one); !folded) return tl::unexpected(folded.error());
    }
    for (const Json& one : changes.value("pools", Json::array())) fold_pool(one);
    for (const Json& one : changes.value("dead_letters", Json::array())) fold_letter(body, one);
    for (const Json& one : changes.value("proofs", Json::array())) fold_proof(one);
    for (const Json& one : changes.value("server_keys", Json::array())) fold_server_key(one);
    for (const Json& one : changes.value("retirements", Json::array())) {
      tx_.run("fold_retired", one.at("server_id").get<Id>(), one.at("proven_us").get<std::int64_t>());
    }
    for (const Json& one : changes.value("judged_keys", Json::array())) {
      tx_.run(one.at("state") == "kept" ? "fold_kept_key" : "fold_approved_key", one.at("server_id").get<Id>(),
              one.at("public_key").get<std::string>());
    }
    fold_positions(changes.value("positions", Json::array()));
    for (const char* kind : {"installations", "addresses", "pools", "dead_letters", "proofs", "server_keys",
                             "retirements", "judged_keys"}) {
      if (changes.contains(kind)) return true;
    }
    return row.event_type == kRecoveredType;
  }

 private:
  Result<void> fold_address(const AuditRow& row, const Json& one) {
    const auto peer_id = one.at("peer_id").get<Id>();
    const auto network_id = one.at("network_id").get<Id>();
    const auto offset = one.at("address_offset").get<std::int64_t>();
    if (one.at("state") == "allocated") {
      for (const auto& other : tx_.run("fold_allocated_otherwise", peer_id, network_id, offset)) {
        return diverged("entry " + std::to_string(row.chain_no) + " of the audit topic gives an address to peer " +
                        std::to_string(peer_id) + ", where peer " + text_at(other, 0) + " was given " +
                        text_at(other, 1) + " since (wg_allocate_ip)");
      }
      tx_.run("fold_allocated", peer_id, network_id, offset, one.at("next_offset").get<std::int64_t>());
      return {};
    }
    tx_.run("fold_released", peer_id);
    Column networks, offsets;
    networks.add(network_id);
    offsets.add(offset);
    tx_.run("free_addresses", networks.text(), offsets.text());
    return {};
  }

  void fold_pool(const Json& one) {
    Column reserved;
    for (const Json& offset : one.at("reserved")) reserved.add(offset.get<std::int64_t>());
    tx_.run("fold_pool", one.at("network_id").get<Id>(), one.at("network").get<std::string>(),
            one.at("ipv4").get<std::string>(), reserved.text(), one.at("next_offset").get<std::int64_t>(),
            one.at("quarantine_seconds").get<std::int64_t>(), one.at("word").get<std::string>());
  }

  void fold_letter(const Json& body, const Json& one) {
    if (one.contains("topic")) {
      Column subjects;
      for (const Json& subject : one.at("subjects")) subjects.add(std::string_view(subject.get<std::string>()));
      const auto text = [&](const char* name) { return one.value(name, std::string()); };
      tx_.run("fold_dead_letter", text("topic"), one.at("partition").get<std::int64_t>(),
              one.at("offset").get<std::int64_t>(), one.at("broker_time_us").get<std::int64_t>(), text("source"),
              text("event_id"), text("event_type"), text("code"), text("message"), text("sealed_hex"),
              one.at("kept").get<bool>(), text("tenant"), subjects.text(), one.at("blocks").get<bool>());
      return;
    }
    const Place place = place_from(body.at("subject").at("dead_letter").get<std::string>());
    tx_.run("fold_letter_ordered", place.topic, place.partition, place.offset, one.at("state").get<std::string>());
  }

  void fold_positions(const Json& all) {
    RowWriter rows;
    for (const Json& one : all) {
      rows.add(one.at("topic").get<std::string>()).add(one.at("partition").get<std::int64_t>());
      rows.add(one.at("next_offset").get<std::int64_t>()).add(one.at("last_us").get<std::int64_t>());
      rows.add_or_null(one.at("last_hash").get<std::string>()).end_row();
    }
    if (!rows.empty()) rows.run(tx_, "fold_positions");
  }

  void fold_proof(const Json& one) {
    drop_strays(tx_, one.at("server_id").get<Id>(), one.at("gone_keys").get<std::vector<std::string>>());
    const Ids given_up = one.at("given_up_peers").get<Ids>();
    if (given_up.empty()) return;
    Column networks, offsets, peers;
    for (const auto& row : tx_.run("fold_given_up", array_of(given_up))) {
      networks.add(int_at(row, 0));
      offsets.add(int_at(row, 1));
      peers.add(int_at(row, 2));
    }
    if (!offsets.empty()) hand_on_addresses(tx_, networks, offsets, peers);
  }

  void fold_server_key(const Json& one) {
    const auto server_id = one.at("server_id").get<Id>();
    const auto key = one.at("public_key").get<std::string>();
    const auto cause = one.at("cause").get<std::string>();
    if (one.at("replaced").get<bool>()) {
      tx_.run("delivery_take_new_key", server_id, cause);
    } else {
      tx_.run("delivery_learn_key", server_id, key, cause);
    }
    const Ids linked = one.at("linked").get<Ids>();
    if (!linked.empty()) tx_.run("links_take_key", server_id, key, array_of(linked));
  }

  Tx& tx_;
};

std::int64_t micros_from(const std::string& time) {
  // Written by Postgres: YYYY-MM-DDTHH:MM:SS.ffffffZ.
  std::tm parts{};
  parts.tm_year = std::atoi(time.substr(0, 4).c_str()) - 1900;
  parts.tm_mon = std::atoi(time.substr(5, 2).c_str()) - 1;
  parts.tm_mday = std::atoi(time.substr(8, 2).c_str());
  parts.tm_hour = std::atoi(time.substr(11, 2).c_str());
  parts.tm_min = std::atoi(time.substr(14, 2).c_str());
  parts.tm_sec = std::atoi(time.substr(17, 2).c_str());
  return static_cast<std::int64_t>(timegm(&parts)) * 1'000'000 + std::atoll(time.substr(20, 6).c_str());
}

}  // namespace

tl::unexpected<Error> diverged(const std::string& why) {
  return permanent("database_diverged", why,
                   "restore the backup anew and keep whoever writes with SQL away until `recover` has ended, or make a "
                   "new database and run: peerwright rebuild --from-audit");
}

Result<void> fold_entries(Tx& tx, std::span<const PublishedAudit> entries, const ChainNumbers& known) {
  const std::int64_t clock_offset_us = int_at(tx.run("fold_clock_now")[0], 0);
  Others others(tx);
  for (std::size_t i = 0; i < entries.size();) {
    const std::string& time = entries[i].row.time;
    const std::int64_t at_us = micros_from(time);
    Group group(tx, at_us);
    std::int64_t clock_us = 0;
    const auto set_clock = [&](std::int64_t to_us) {
      if (std::exchange(clock_us, to_us) != to_us) tx.run("fold_clock", to_us);
    };
    for (; i < entries.size() && entries[i].row.time == time; ++i) {
      const AuditRow& row = entries[i].row;
      if (known.contains(row.chain_no)) continue;
      const Json body = Json::parse(row.body, nullptr, false);
      if (!body.is_object())
        return permanent("audit_entry_unreadable", "an audit entry is no JSON", "restore a backup");
      set_clock(body.value("clock_us", at_us));
      const auto other = others.fold(row, body);
      if (!other) return tl::unexpected(other.error());
      if (*other) continue;
      auto entry = events::read_audit(row.body);
      if (!entry) return tl::unexpected(entry.error());
      group.add(row, *std::move(entry));
    }
    if (group.empty()) continue;
    if (auto stored = group.store(); !stored) return stored;
  }
  tx.run("fold_clock_back", clock_offset_us);
  return {};
}

}  // namespace peerwright::store

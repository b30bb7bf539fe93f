-- Back to the first path. What only the newer language can express goes: reservations become unknown peers, walled gardens
-- cuts; revocations stay.
DROP VIEW wanted_peers;
INSERT INTO network_free (network_id, address_offset, available_at)
SELECT network_id, address_offset, now() FROM peers WHERE stage = 'reserved' ON CONFLICT DO NOTHING;
UPDATE peers SET stage = 'unknown', server_id = NULL, network_id = NULL, address_offset = NULL WHERE stage = 'reserved';
UPDATE peers SET entitlement = CASE WHEN stage = 'unknown' THEN 'unprovisioned' ELSE 'suspended' END
WHERE entitlement IN ('reserved', 'walled_garden', 'expired');
DELETE FROM holds WHERE scope_kind = 'customer';
DELETE FROM removals r WHERE NOT EXISTS (SELECT FROM peers p WHERE p.id = r.peer_id AND p.public_key = r.public_key);
DROP TABLE tenant_plans, used_keys, site_prefixes, timers, wider_fan_outs, access_rules, node_links, meshes, peer_runtime,
  server_runtime, wg_connection_log, address_periods;
DROP INDEX servers_of_region, subscribers_of_customer, peers_walled, holds_awaiting, dead_letters_open;
DROP FUNCTION clock_now();
ALTER TABLE installation DROP COLUMN clock_offset;
ALTER TABLE tenants DROP COLUMN word, DROP COLUMN version, DROP COLUMN max_peers, DROP COLUMN peer_count,
  DROP COLUMN reservations_per_hour, DROP COLUMN reserved_at, DROP COLUMN suspensions_limit, DROP COLUMN suspensions_window_seconds,
  DROP COLUMN suspensions_action, DROP COLUMN suspensions_since, DROP COLUMN suspensions_count, DROP COLUMN garden,
  DROP COLUMN recipient_key, DROP COLUMN dns;
ALTER TABLE subscribers DROP COLUMN customer_id, DROP COLUMN released_at, DROP COLUMN revoked;
DROP TABLE customers;
ALTER TABLE networks DROP COLUMN forbidden, DROP COLUMN allow_public;
ALTER TABLE servers DROP COLUMN owner_tenant_id, DROP COLUMN state, DROP COLUMN maintenance, DROP COLUMN region,
  DROP COLUMN location, DROP COLUMN description, DROP COLUMN listen_port, DROP COLUMN default_action,
  DROP COLUMN tunnel_only_ports, DROP COLUMN masquerade, DROP COLUMN drift_policy, DROP COLUMN metadata,
  DROP COLUMN private_key_sealed, DROP COLUMN key_wanted, DROP COLUMN key_since, DROP COLUMN post_up, DROP COLUMN post_down,
  DROP COLUMN retired_word, DROP COLUMN created_by, DROP COLUMN updated_by, DROP COLUMN updated_at;
ALTER TABLE peers DROP CONSTRAINT peers_reserved_check, DROP CONSTRAINT peers_stage_check,
  DROP CONSTRAINT peers_entitlement_check,
  ADD CONSTRAINT peers_stage_check CHECK (stage IN ('unknown', 'provisioned', 'revoked')),
  ADD CONSTRAINT peers_entitlement_check CHECK (entitlement IN ('unprovisioned', 'active', 'suspended', 'revoked')),
  DROP COLUMN display_name, DROP COLUMN user_id, DROP COLUMN type, DROP COLUMN plan, DROP COLUMN endpoint,
  DROP COLUMN site_networks, DROP COLUMN dns, DROP COLUMN mtu, DROP COLUMN hub_keepalive_seconds, DROP COLUMN metadata,
  DROP COLUMN expires_at, DROP COLUMN expired, DROP COLUMN quota_bytes, DROP COLUMN over_quota, DROP COLUMN reservation,
  DROP COLUMN reserved_until, DROP COLUMN provisioned_at, DROP COLUMN preshared_key_sealed, DROP COLUMN preshared_key_hash,
  DROP COLUMN client_key_sealed, DROP COLUMN staged_key, DROP COLUMN staged_until, DROP COLUMN staged_client_key_sealed,
  DROP COLUMN created_by;
ALTER TABLE holds DROP CONSTRAINT holds_scope_kind_check,
  ADD CONSTRAINT holds_scope_kind_check CHECK (scope_kind IN ('subscriber', 'peer')),
  DROP COLUMN level, DROP COLUMN steps, DROP COLUMN since;
DROP INDEX removals_with_address;
ALTER TABLE removals DROP COLUMN network_id, DROP COLUMN address_offset;
ALTER TABLE deliveries DROP COLUMN firewall_hash, DROP COLUMN firewall_state, DROP COLUMN firewall_known,
  DROP COLUMN firewall_refused;
ALTER TABLE intake DROP COLUMN caught_up_at, DROP COLUMN last_offset, DROP COLUMN last_hash;
ALTER TABLE intake_topics DROP COLUMN partitions;
ALTER TABLE dead_letters DROP COLUMN kept, DROP COLUMN state, DROP COLUMN settled_at, DROP COLUMN tenant, DROP COLUMN subjects,
  DROP COLUMN blocks;
CREATE VIEW wanted_peers AS
SELECT p.* FROM peers p
WHERE p.stage = 'provisioned'
  AND NOT EXISTS (SELECT FROM holds h WHERE h.scope_kind = 'peer' AND h.scope_id = p.id AND h.held)
  AND NOT EXISTS (SELECT FROM holds h WHERE h.scope_kind = 'subscriber' AND h.scope_id = p.subscriber_id AND h.held);

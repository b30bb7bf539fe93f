-- Subjects, locked and loaded level by level, and stored. A locking SELECT answers the newest version of each row, so
-- that lock and load are one statement as long as it joins nothing.

-- name: lock_subscribers
SELECT id, tenant_id, name, version FROM subscribers WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- name: lock_networks
SELECT id, name, net4, net6, array_to_string(reserved, ','), next_offset, quarantine_seconds, word
FROM networks WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- name: lock_servers
SELECT id, name, network_id, ssh_host, ssh_port, ssh_user, ssh_host_key, exec_prefix, interface, config_path, public_key,
  endpoint, mtu, array_to_string(dns, ','), keepalive_seconds, max_peers, peer_count, generation, version, word
FROM servers WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- name: lock_peers
SELECT id, tenant_id, name, stage, entitlement, subscriber_id, server_id, network_id, address_offset, public_key,
  description, array_to_string(client_routes, ','), keepalive_seconds, word, cause,
  (extract(epoch FROM changed_at) * 1000000)::bigint, version, generation, applied_generation, delivery_error
FROM peers WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- name: load_networks
SELECT id, name, net4, net6, array_to_string(reserved, ','), next_offset, quarantine_seconds, word
FROM networks WHERE id = ANY ($1::bigint[]);

-- name: load_tenants
SELECT id, name FROM tenants WHERE id = ANY ($1::bigint[]);

-- name: load_subscribers
SELECT id, tenant_id, name, version FROM subscribers WHERE id = ANY ($1::bigint[]);

-- name: load_holds
SELECT h.scope_kind, h.scope_id, h.owner, h.held, h.reason, h.word
FROM holds h JOIN unnest($1::text[], $2::bigint[]) AS r(scope_kind, scope_id) USING (scope_kind, scope_id);

-- name: load_free_offsets
-- As many of the oldest released offsets as the batch could take from each network whose counter runs out.
SELECT r.network_id, f.address_offset
FROM unnest($1::bigint[], $2::bigint[]) AS r(network_id, most)
CROSS JOIN LATERAL (
  SELECT address_offset FROM network_free f
  WHERE f.network_id = r.network_id AND f.available_at <= now()
  ORDER BY f.available_at, f.address_offset LIMIT r.most) f;

-- name: store_networks
UPDATE networks n
SET net4 = r.net4::cidr, net6 = r.net6::cidr, reserved = string_to_array(r.reserved, ',')::bigint[],
  next_offset = r.next_offset, quarantine_seconds = r.quarantine_seconds, word = r.word
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::integer[], $7::text[])
  AS r(id, net4, net6, reserved, next_offset, quarantine_seconds, word)
WHERE n.id = r.id;

-- name: store_taken_offsets
DELETE FROM network_free f USING unnest($1::bigint[], $2::bigint[]) AS r(network_id, address_offset)
WHERE f.network_id = r.network_id AND f.address_offset = r.address_offset;

-- name: store_servers
UPDATE servers s
SET network_id = r.network_id, ssh_host = r.ssh_host, ssh_port = r.ssh_port, ssh_user = r.ssh_user,
  ssh_host_key = r.ssh_host_key, exec_prefix = r.exec_prefix, interface = r.interface, config_path = r.config_path,
  public_key = r.public_key, endpoint = r.endpoint, mtu = r.mtu, dns = string_to_array(r.dns, ','),
  keepalive_seconds = r.keepalive_seconds, max_peers = r.max_peers, peer_count = r.peer_count,
  generation = r.generation, version = r.version, word = r.word
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::integer[], $13::text[], $14::integer[], $15::bigint[],
            $16::bigint[], $17::bigint[], $18::bigint[], $19::text[])
  AS r(id, network_id, ssh_host, ssh_port, ssh_user, ssh_host_key, exec_prefix, interface, config_path, public_key,
       endpoint, mtu, dns, keepalive_seconds, max_peers, peer_count, generation, version, word)
WHERE s.id = r.id;

-- name: store_subscribers
UPDATE subscribers s SET version = r.version
FROM unnest($1::bigint[], $2::bigint[]) AS r(id, version) WHERE s.id = r.id;

-- name: store_peers
UPDATE peers p
SET stage = r.stage, entitlement = r.entitlement, subscriber_id = r.subscriber_id, server_id = r.server_id,
  network_id = r.network_id, address_offset = r.address_offset, public_key = r.public_key, description = r.description,
  client_routes = string_to_array(r.client_routes, ','), keepalive_seconds = r.keepalive_seconds, word = r.word,
  cause = r.cause, changed_at = to_timestamp(r.changed_us / 1000000.0), version = r.version, generation = r.generation,
  delivery_error = r.delivery_error
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[],
            $9::text[], $10::text[], $11::integer[], $12::text[], $13::text[], $14::bigint[], $15::bigint[],
            $16::bigint[], $17::text[])
  AS r(id, stage, entitlement, subscriber_id, server_id, network_id, address_offset, public_key, description,
       client_routes, keepalive_seconds, word, cause, changed_us, version, generation, delivery_error)
WHERE p.id = r.id;

-- name: store_holds
INSERT INTO holds (scope_kind, scope_id, owner, held, reason, word)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::boolean[], $5::text[], $6::text[])
ON CONFLICT (scope_kind, scope_id, owner) DO UPDATE
SET held = excluded.held, reason = excluded.reason, word = excluded.word;

-- name: store_removals_gone
INSERT INTO removals (server_id, public_key, peer_id)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[])
ON CONFLICT (server_id, public_key) DO NOTHING;

-- name: store_removals_wanted_again
DELETE FROM removals d USING unnest($1::bigint[], $2::text[]) AS r(server_id, public_key)
WHERE d.server_id = r.server_id AND d.public_key = r.public_key;

-- name: store_fan_outs
-- A newer word begins again with the first peer: what an older chunk did is computed anew from the holds.
INSERT INTO fan_outs (subscriber_id, cause)
SELECT * FROM unnest($1::bigint[], $2::text[])
ON CONFLICT (subscriber_id) DO UPDATE SET after_peer_id = 0, cause = excluded.cause, started_at = now();

-- name: store_due
UPDATE deliveries d
SET due = true, due_generation = greatest(d.due_generation, r.generation), due_since = coalesce(d.due_since, now()),
  urgent_since = CASE WHEN r.urgent THEN coalesce(d.urgent_since, now()) ELSE d.urgent_since END,
  next_attempt_at = CASE WHEN r.urgent THEN least(d.next_attempt_at, now()) ELSE d.next_attempt_at END
FROM unnest($1::bigint[], $2::bigint[], $3::boolean[]) AS r(server_id, generation, urgent)
WHERE d.server_id = r.server_id;

-- name: store_doubts
-- The server may be another machine now: nothing that was proven counts, a push that is under way to the old one is fenced
-- off by the number, and what was set aside is tried again.
WITH tried_again AS (UPDATE peers SET delivery_error = '' WHERE server_id = ANY ($1::bigint[]) AND delivery_error <> '')
UPDATE deliveries SET in_doubt = true, push_no = push_no + 1, next_attempt_at = now(), attempts = 0
WHERE server_id = ANY ($1::bigint[]);

-- name: store_outbox
INSERT INTO outbox (channel, ce_id, ce_type, key, body)
SELECT channel, ce_id, ce_type, key, body
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
  AS r(channel, ce_id, ce_type, key, body, place)
ORDER BY place;

-- name: store_audit
INSERT INTO audit (source, event_id, event_type, key, outcome, code, body)
SELECT source, event_id, event_type, key, outcome, code, body
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY
  AS r(source, event_id, event_type, key, outcome, code, body, place)
ORDER BY place;

-- name: store_dead_letters
INSERT INTO dead_letters (topic, partition, message_offset, broker_time, source, event_id, event_type, code, message, sealed)
SELECT topic, partition, message_offset, to_timestamp(time_us / 1000000.0), source, event_id, event_type, code, message,
  decode(sealed, 'hex')
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[])
  AS r(topic, partition, message_offset, time_us, source, event_id, event_type, code, message, sealed)
ON CONFLICT (topic, partition, message_offset) DO NOTHING;

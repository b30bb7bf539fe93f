-- After-images, stored in a few statements whatever their number. $n::type[] parameters are columns: the rows of one
-- batch, side by side. Times are microseconds, lists are joined by commas.

-- name: store_tenants
UPDATE tenants t
SET version = r.version, word = r.word, max_peers = r.max_peers, peer_count = r.peer_count,
  reservations_per_hour = r.reservations_per_hour, reserved_at = string_to_array(r.reserved_at, ',')::bigint[],
  suspensions_limit = r.suspensions_limit, suspensions_window_seconds = r.window_seconds,
  suspensions_action = r.suspensions_action, suspensions_since = r.suspensions_since,
  suspensions_count = r.suspensions_count, garden = r.garden, recipient_key = r.recipient_key,
  dns = string_to_array(r.dns, ',')
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[], $7::text[], $8::integer[],
            $9::integer[], $10::text[], $11::bigint[], $12::integer[], $13::text[], $14::text[], $15::text[])
  AS r(id, version, word, max_peers, peer_count, reservations_per_hour, reserved_at, suspensions_limit, window_seconds,
       suspensions_action, suspensions_since, suspensions_count, garden, recipient_key, dns)
WHERE t.id = r.id;

-- name: store_plans
INSERT INTO tenant_plans (tenant_id, plan, max_peers, peer_count, listed)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::boolean[])
ON CONFLICT (tenant_id, plan) DO UPDATE
SET max_peers = excluded.max_peers, peer_count = excluded.peer_count, listed = excluded.listed;

-- name: store_customers
UPDATE customers c
SET version = r.version, released_at = to_timestamp(r.released_us / 1000000.0), revoked = r.revoked
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[]) AS r(id, version, released_us, revoked)
WHERE c.id = r.id;

-- name: store_subscribers
UPDATE subscribers s
SET version = r.version, customer_id = r.customer_id, released_at = to_timestamp(r.released_us / 1000000.0),
  revoked = r.revoked
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[])
  AS r(id, version, customer_id, released_us, revoked)
WHERE s.id = r.id;

-- name: store_networks
UPDATE networks n
SET net4 = r.net4::cidr, net6 = r.net6::cidr, reserved = string_to_array(r.reserved, ',')::bigint[],
  next_offset = r.next_offset, quarantine_seconds = r.quarantine_seconds, word = r.word,
  forbidden = string_to_array(r.forbidden, ',')::cidr[], allow_public = r.allow_public
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::integer[], $7::text[], $8::text[],
            $9::boolean[])
  AS r(id, net4, net6, reserved, next_offset, quarantine_seconds, word, forbidden, allow_public)
WHERE n.id = r.id;

-- name: store_taken_offsets
DELETE FROM network_free f USING unnest($1::bigint[], $2::bigint[]) AS r(network_id, address_offset)
WHERE f.network_id = r.network_id AND f.address_offset = r.address_offset;

-- name: free_addresses
-- Nobody has them any more: their quarantine begins, and their period ends. One that a peer holds is not free, whoever
-- says so: it would be given out twice.
WITH freed AS (
  SELECT DISTINCT network_id, address_offset FROM unnest($1::bigint[], $2::bigint[]) AS r(network_id, address_offset)
  WHERE NOT EXISTS (SELECT FROM peers p WHERE p.network_id = r.network_id AND p.address_offset = r.address_offset)),
ended AS (
  UPDATE address_periods a SET until_at = greatest(clock_now(), a.from_at) FROM freed r
  WHERE a.network_id = r.network_id AND a.address_offset = r.address_offset AND a.until_at IS NULL)
INSERT INTO network_free (network_id, address_offset, available_at)
SELECT r.network_id, r.address_offset, clock_now() + n.quarantine_seconds * interval '1 second'
FROM freed r JOIN networks n ON n.id = r.network_id
ON CONFLICT DO NOTHING;

-- name: store_servers
-- A server that is elsewhere now, or comes back into service, is a stranger: whoever stands there was there before us.
WITH r AS (
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::integer[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
            $17::integer[], $18::text[], $19::integer[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
            $24::text[], $25::bigint[], $26::text[], $27::boolean[], $28::text[], $29::text[], $30::text[],
            $31::integer[], $32::text[], $33::text[], $34::boolean[], $35::text[], $36::text[], $37::text[],
            $38::text[], $39::bigint[], $40::text[], $41::text[], $42::text[], $43::text[], $44::text[])
  AS r(id, network_id, ssh_host, ssh_port, ssh_user, ssh_host_key, ssh_way, ssh_jump_host, ssh_jump_port,
       ssh_jump_user, ssh_jump_host_key, exec_prefix, interface, config_path, public_key, endpoint, mtu, dns,
       keepalive_seconds, max_peers, peer_count, generation, version, word, owner_tenant_id, state, maintenance,
       region, location, description, listen_port, default_action, tunnel_only_ports, masquerade, drift_policy,
       metadata, private_key_sealed, key_wanted, key_since_us, post_up, post_down, retired_word, created_by,
       updated_by)),
elsewhere AS (
  UPDATE deliveries d SET strangers_known = false FROM r JOIN servers o ON o.id = r.id
  WHERE d.server_id = r.id AND d.strangers_known
    AND ((o.ssh_host, o.ssh_port, o.exec_prefix, o.interface, o.config_path)
           IS DISTINCT FROM (r.ssh_host, r.ssh_port, r.exec_prefix, r.interface, r.config_path)
         OR (o.state = 'retired' AND r.state <> 'retired'))
  RETURNING d.server_id),
kept_there AS (
  DELETE FROM foreign_peers f USING elsewhere e WHERE f.server_id = e.server_id AND f.state = 'kept')
UPDATE servers v
SET network_id = r.network_id, ssh_host = r.ssh_host, ssh_port = r.ssh_port, ssh_user = r.ssh_user,
  ssh_host_key = r.ssh_host_key, ssh_way = r.ssh_way, ssh_jump_host = r.ssh_jump_host, ssh_jump_port = r.ssh_jump_port,
  ssh_jump_user = r.ssh_jump_user, ssh_jump_host_key = r.ssh_jump_host_key, exec_prefix = r.exec_prefix,
  interface = r.interface, config_path = r.config_path, public_key = r.public_key, endpoint = r.endpoint, mtu = r.mtu,
  dns = string_to_array(r.dns, ','),
  keepalive_seconds = r.keepalive_seconds, max_peers = r.max_peers, peer_count = r.peer_count,
  generation = r.generation, version = r.version, word = r.word, owner_tenant_id = r.owner_tenant_id, state = r.state,
  maintenance = r.maintenance, region = r.region, location = r.location, description = r.description,
  listen_port = r.listen_port, default_action = r.default_action, tunnel_only_ports = r.tunnel_only_ports,
  masquerade = r.masquerade, drift_policy = r.drift_policy, metadata = r.metadata,
  private_key_sealed = r.private_key_sealed, key_wanted = r.key_wanted,
  key_since = to_timestamp(r.key_since_us / 1000000.0), post_up = r.post_up, post_down = r.post_down,
  retired_word = r.retired_word, created_by = r.created_by, updated_by = r.updated_by,
  retired_proven_at = CASE WHEN r.state = 'retired' THEN v.retired_proven_at END,
  updated_at = CASE WHEN v.word IS DISTINCT FROM r.word THEN clock_now() ELSE v.updated_at END
FROM r WHERE v.id = r.id;

-- name: store_peers
-- With the periods of addresses that begin here. The prefixes behind the peer go; those that it has now are stored next.
WITH r AS (
  SELECT * FROM unnest(
    $1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::text[],
    $10::integer[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[], $17::bigint[],
    $18::bigint[], $19::text[], $20::boolean[])
    AS r(id, stage, entitlement, subscriber_id, server_id, network_id, address_offset, public_key, client_routes,
         keepalive_seconds, word, cause, changed_us, version, generation, delivery_error, reserved_until_us,
         provisioned_us, created_by, readdressed)),
begun AS (
  INSERT INTO address_periods (network_id, address_offset, peer_id, from_at)
  SELECT network_id, address_offset, id, clock_now() FROM r WHERE readdressed AND address_offset IS NOT NULL
  ON CONFLICT DO NOTHING),
sites_gone AS (
  DELETE FROM site_prefixes x USING r WHERE r.readdressed AND x.peer_id = r.id)
UPDATE peers p
SET stage = r.stage, entitlement = r.entitlement, subscriber_id = r.subscriber_id, server_id = r.server_id,
  network_id = r.network_id, address_offset = r.address_offset, public_key = r.public_key,
  client_routes = string_to_array(r.client_routes, ','), keepalive_seconds = r.keepalive_seconds, word = r.word,
  cause = r.cause, changed_at = to_timestamp(r.changed_us / 1000000.0), version = r.version, generation = r.generation,
  delivery_error = r.delivery_error, reserved_until = to_timestamp(r.reserved_until_us / 1000000.0),
  provisioned_at = to_timestamp(r.provisioned_us / 1000000.0), created_by = r.created_by,
  -- Another server's generations and proofs say nothing of this one's.
  applied_generation = CASE WHEN p.server_id IS DISTINCT FROM r.server_id THEN 0 ELSE p.applied_generation END,
  proven = CASE WHEN p.server_id IS DISTINCT FROM r.server_id THEN NULL ELSE p.proven END
FROM r WHERE p.id = r.id;

-- name: store_peer_details
-- Apart, for most decisions leave them as they are, and every column of a batch has its cost.
UPDATE peers p
SET description = r.description, display_name = r.display_name, user_id = r.user_id, type = r.type, plan = r.plan,
  endpoint = r.endpoint, site_networks = string_to_array(r.site_networks, ',')::cidr[],
  dns = string_to_array(r.dns, ','), mtu = r.mtu, hub_keepalive_seconds = r.hub_keepalive_seconds,
  metadata = r.metadata, expires_at = to_timestamp(r.expires_us / 1000000.0), expired = r.expired,
  quota_bytes = r.quota_bytes, over_quota = r.over_quota, reservation = r.reservation,
  preshared_key_sealed = r.preshared_key_sealed, preshared_key_hash = r.preshared_key_hash,
  client_key_sealed = r.client_key_sealed, staged_key = r.staged_key,
  staged_until = to_timestamp(r.staged_until_us / 1000000.0), staged_client_key_sealed = r.staged_client_key_sealed,
  adopted = r.adopted, preshared_key_unknown = r.preshared_key_unknown
FROM unnest(
    $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::integer[], $11::integer[], $12::text[], $13::bigint[], $14::boolean[], $15::bigint[], $16::boolean[],
    $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bigint[], $23::text[], $24::boolean[],
    $25::boolean[])
  AS r(id, description, display_name, user_id, type, plan, endpoint, site_networks, dns, mtu, hub_keepalive_seconds,
       metadata, expires_us, expired, quota_bytes, over_quota, reservation, preshared_key_sealed, preshared_key_hash,
       client_key_sealed, staged_key, staged_until_us, staged_client_key_sealed, adopted, preshared_key_unknown)
WHERE p.id = r.id;

-- name: store_sites
INSERT INTO site_prefixes (server_id, prefix, peer_id)
SELECT server_id, prefix::inet, peer_id FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS r(server_id, prefix, peer_id);

-- name: store_holds
INSERT INTO holds (scope_kind, scope_id, owner, held, reason, word, level, steps, since)
SELECT scope_kind, scope_id, owner, held, reason, word, level, steps, to_timestamp(since_us / 1000000.0)
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[])
  AS r(scope_kind, scope_id, owner, held, reason, word, level, steps, since_us)
ON CONFLICT (scope_kind, scope_id, owner) DO UPDATE
SET held = excluded.held, reason = excluded.reason, word = excluded.word, level = excluded.level,
  steps = excluded.steps, since = excluded.since;

-- name: store_rules
UPDATE access_rules a
SET active = r.active, source_peer_id = r.source_peer_id, dest_peer_id = r.dest_peer_id, dest_port = r.dest_port,
  dest_protocol = r.dest_protocol, action = r.action, priority = r.priority, word = r.word
FROM unnest($1::bigint[], $2::boolean[], $3::bigint[], $4::bigint[], $5::integer[], $6::text[], $7::text[], $8::integer[],
            $9::text[])
  AS r(id, active, source_peer_id, dest_peer_id, dest_port, dest_protocol, action, priority, word)
WHERE a.id = r.id;

-- name: store_meshes
UPDATE meshes m SET active = r.active, members = r.members, version = r.version, word = r.word
FROM unnest($1::bigint[], $2::boolean[], $3::text[], $4::bigint[], $5::text[]) AS r(id, active, members, version, word)
WHERE m.id = r.id;

-- name: store_links
-- An endpoint that changed is resolved anew.
INSERT INTO node_links AS l
  (mesh_id, server_id, other, other_server_id, public_key, allowed_ips, endpoint, resolve, keepalive_seconds, wanted, generation)
SELECT mesh_id, server_id, other, other_server_id, public_key, string_to_array(allowed_ips, ','), endpoint, endpoint <> '',
  keepalive_seconds, wanted, generation
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::integer[],
            $9::boolean[], $10::bigint[])
  AS r(mesh_id, server_id, other, other_server_id, public_key, allowed_ips, endpoint, keepalive_seconds, wanted, generation)
ON CONFLICT (mesh_id, server_id, other) DO UPDATE
SET other_server_id = excluded.other_server_id, public_key = excluded.public_key, allowed_ips = excluded.allowed_ips,
  resolve = l.resolve OR l.endpoint <> excluded.endpoint, endpoint = excluded.endpoint,
  keepalive_seconds = excluded.keepalive_seconds, wanted = excluded.wanted, generation = excluded.generation
RETURNING id;

-- name: store_link_sites_gone
DELETE FROM site_prefixes WHERE link_id = ANY ($1::bigint[]);

-- name: store_link_sites
INSERT INTO site_prefixes (server_id, prefix, link_id)
SELECT l.server_id, p.prefix::inet, l.id FROM node_links l CROSS JOIN LATERAL unnest(l.allowed_ips) AS p(prefix)
WHERE l.id = ANY ($1::bigint[]) AND l.wanted;

-- name: store_removals_gone
-- A row has room for one address: where it has one already, that one comes back now. Answers those.
WITH replaced AS (
  SELECT d.network_id, d.address_offset
  FROM removals d JOIN unnest($1::bigint[], $2::text[], $4::bigint[], $5::bigint[])
    AS r(server_id, public_key, network_id, address_offset) USING (server_id, public_key)
  WHERE d.address_offset IS NOT NULL AND r.address_offset IS NOT NULL
    AND (d.network_id, d.address_offset) <> (r.network_id, r.address_offset)),
stored AS (
INSERT INTO removals AS d (server_id, public_key, peer_id, network_id, address_offset)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
ON CONFLICT (server_id, public_key) DO UPDATE
SET network_id = excluded.network_id, address_offset = excluded.address_offset
WHERE excluded.address_offset IS NOT NULL)
SELECT network_id, address_offset FROM replaced;

-- name: store_removals_wanted_again
-- An address that rode on such a row comes back by itself: its key gets other ones with the next push. Answers those.
DELETE FROM removals d USING unnest($1::bigint[], $2::text[]) AS r(server_id, public_key)
WHERE d.server_id = r.server_id AND d.public_key = r.public_key
RETURNING d.network_id, d.address_offset;

-- name: store_timers
INSERT INTO timers AS t (kind, subject_id, owner, due_at)
SELECT kind, subject_id, owner, to_timestamp(due_us / 1000000.0)
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[]) AS r(kind, subject_id, owner, due_us)
ON CONFLICT (kind, subject_id, owner) DO UPDATE SET due_at = excluded.due_at WHERE t.due_at <> excluded.due_at;

-- name: store_timers_gone
DELETE FROM timers t USING unnest($1::text[], $2::bigint[], $3::text[]) AS r(kind, subject_id, owner)
WHERE t.kind = r.kind AND t.subject_id = r.subject_id AND t.owner = r.owner;

-- name: store_used_keys
INSERT INTO used_keys (public_key, peer_id) SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT (public_key) DO NOTHING;

-- name: ruled_tenants
-- Of peers that are about to be stored: the tenants with a rule that names one whose place or address changes.
SELECT DISTINCT ON (p.tenant_id) p.tenant_id, r.cause
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
  AS r(id, stage, server_id, network_id, address_offset, cause)
JOIN peers p ON p.id = r.id
WHERE (p.stage, p.server_id, p.network_id, p.address_offset) IS DISTINCT FROM
      (r.stage, r.server_id, r.network_id, r.address_offset)
  AND (EXISTS (SELECT FROM access_rules a WHERE a.source_peer_id = p.id AND a.active)
       OR EXISTS (SELECT FROM access_rules a WHERE a.dest_peer_id = p.id AND a.active))
ORDER BY p.tenant_id, p.id;

-- name: store_fan_outs
-- A newer word begins again with the first peer: what an older chunk did is computed anew from the holds.
INSERT INTO fan_outs (subscriber_id, cause)
SELECT * FROM unnest($1::bigint[], $2::text[])
ON CONFLICT (subscriber_id) DO UPDATE SET after_peer_id = 0, cause = excluded.cause, started_at = now();

-- name: store_wider_fan_outs
INSERT INTO wider_fan_outs (kind, subject_id, cause)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])
ON CONFLICT (kind, subject_id) DO UPDATE SET after_id = 0, cause = excluded.cause, started_at = now();

-- name: store_observe
INSERT INTO server_runtime AS o (server_id, observe_at) SELECT id, clock_now() FROM unnest($1::bigint[]) AS r(id)
ON CONFLICT (server_id) DO UPDATE SET observe_at = least(o.observe_at, excluded.observe_at);

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
WITH tried_again AS (UPDATE peers SET delivery_error = '' WHERE server_id = ANY ($1::bigint[]) AND delivery_error <> ''),
nodes_too AS (UPDATE node_links SET refused_generation = 0 WHERE server_id = ANY ($1::bigint[]) AND refused_generation > 0)
UPDATE deliveries
SET in_doubt = true, push_no = push_no + 1, next_attempt_at = now(), attempts = 0, firewall_known = false,
  firewall_refused = '', own_way_keys = '{}', own_way_at = NULL
WHERE server_id = ANY ($1::bigint[]);

-- name: abandon_removals
-- On an operator's word that the host is gone: what was to go from it counts as gone. Answers the addresses that this
-- gives back: those that the rows carry, and those of revoked peers.
WITH gone AS (
  DELETE FROM removals WHERE server_id = ANY ($1::bigint[]) RETURNING network_id, address_offset),
given_up AS (
  SELECT id, network_id, address_offset FROM peers
  WHERE server_id = ANY ($1::bigint[]) AND stage = 'revoked' AND address_offset IS NOT NULL FOR NO KEY UPDATE),
cleared AS (
  UPDATE peers p SET address_offset = NULL, proven = '', applied_generation = p.generation FROM given_up g
  WHERE p.id = g.id)
SELECT network_id, address_offset FROM gone WHERE address_offset IS NOT NULL
UNION SELECT network_id, address_offset FROM given_up;

-- name: abandon_deliveries
UPDATE deliveries SET due = false, due_since = NULL, urgent_since = NULL, worker_id = NULL, push_no = push_no + 1
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

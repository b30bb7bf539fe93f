-- Subjects, locked and loaded level by level. A locking SELECT answers the newest version of each row, so
-- that lock and load are one statement as long as it joins nothing.

-- name: tenant_columns
-- Of `t`, in the order in which tenant_from() reads them.
t.id, t.name, t.version, t.word, t.max_peers, t.peer_count, t.reservations_per_hour, array_to_string(t.reserved_at, ','),
t.suspensions_limit, t.suspensions_window_seconds, t.suspensions_action, t.suspensions_since, t.suspensions_count,
t.garden, t.recipient_key, array_to_string(t.dns, ',')

-- name: customer_columns
-- Of `c`: customer_from().
c.id, c.tenant_id, c.name, c.version, (extract(epoch FROM c.released_at) * 1000000)::bigint, c.revoked

-- name: subscriber_columns
-- Of `s`: subscriber_from().
s.id, s.tenant_id, s.name, s.version, s.customer_id, (extract(epoch FROM s.released_at) * 1000000)::bigint, s.revoked

-- name: network_columns
-- Of `n`: network_from().
n.id, n.name, n.net4, n.net6, array_to_string(n.reserved, ','), n.next_offset, n.quarantine_seconds, n.word,
array_to_string(n.forbidden, ','), n.allow_public

-- name: server_columns
-- Of `v`: server_from().
v.id, v.name, v.network_id, v.ssh_host, v.ssh_port, v.ssh_user, v.ssh_host_key, v.ssh_way,
v.ssh_jump_host, v.ssh_jump_port, v.ssh_jump_user, v.ssh_jump_host_key, v.exec_prefix, v.interface, v.config_path,
v.public_key, v.endpoint, v.mtu, array_to_string(v.dns, ','), v.keepalive_seconds, v.max_peers, v.peer_count, v.generation,
v.version, v.word, v.owner_tenant_id, v.state, v.maintenance, v.region, v.location, v.description, v.listen_port,
v.default_action, v.tunnel_only_ports, v.masquerade, v.drift_policy, v.metadata, v.private_key_sealed, v.key_wanted,
(extract(epoch FROM v.key_since) * 1000000)::bigint, v.post_up, v.post_down, v.retired_word, v.created_by, v.updated_by,
(extract(epoch FROM v.retired_proven_at) * 1000000)::bigint, v.guard_held, v.guard_digest

-- name: peer_columns
-- Of `p`: peer_from(), kPeerColumns.
p.id, p.tenant_id, p.name, p.stage, p.entitlement, p.subscriber_id, p.server_id, p.network_id, p.address_offset,
p.public_key, p.description, array_to_string(p.client_routes, ','), p.keepalive_seconds, p.word, p.cause,
(extract(epoch FROM p.changed_at) * 1000000)::bigint, p.version, p.generation, p.applied_generation, p.delivery_error,
p.display_name, p.user_id, p.type, p.plan, p.endpoint, array_to_string(p.site_networks, ','), array_to_string(p.dns, ','),
p.mtu, p.hub_keepalive_seconds, p.metadata, (extract(epoch FROM p.expires_at) * 1000000)::bigint, p.expired,
p.quota_bytes, p.over_quota, p.reservation, (extract(epoch FROM p.reserved_until) * 1000000)::bigint,
(extract(epoch FROM p.provisioned_at) * 1000000)::bigint, p.preshared_key_sealed, p.preshared_key_hash,
p.client_key_sealed, p.staged_key, (extract(epoch FROM p.staged_until) * 1000000)::bigint, p.staged_client_key_sealed,
p.created_by, p.adopted, p.preshared_key_unknown

-- name: hold_columns
-- Of `h`: hold_from().
h.scope_kind, h.scope_id, h.owner, h.held, h.reason, h.word, h.level, h.steps, (extract(epoch FROM h.since) * 1000000)::bigint

-- name: rule_columns
-- Of `a`: rule_from().
a.id, a.tenant_id, a.name, a.active, a.source_peer_id, a.dest_peer_id, a.dest_port, a.dest_protocol, a.action, a.priority,
a.word

-- name: mesh_columns
-- Of `m`: mesh_from().
m.id, m.name, m.active, m.members, m.version, m.word

-- name: link_columns
-- Of `l`: link_from().
l.id, l.mesh_id, l.server_id, l.other, l.other_server_id, l.public_key, array_to_string(l.allowed_ips, ','), l.endpoint,
l.keepalive_seconds, l.wanted, l.generation

-- name: servers_of_mesh
-- Of `m`: a server that is a member, or has an entry or leads to one.
LATERAL (
  SELECT v.id AS server_id FROM jsonb_array_elements(m.members::jsonb) AS e JOIN servers v ON v.name = e ->> 'name'
  UNION SELECT l.server_id FROM node_links l WHERE l.mesh_id = m.id
  UNION SELECT l.other_server_id FROM node_links l WHERE l.mesh_id = m.id AND l.other_server_id IS NOT NULL) s

-- name: find_customers_of
SELECT DISTINCT customer_id FROM subscribers WHERE id = ANY ($1::bigint[]) AND customer_id IS NOT NULL;

-- name: find_networks_of
SELECT DISTINCT network_id FROM servers WHERE id = ANY ($1::bigint[]) AND network_id IS NOT NULL;

-- name: lock_tenants
SELECT @tenant_columns@ FROM tenants t WHERE t.id = ANY ($1::bigint[]) ORDER BY t.id FOR NO KEY UPDATE;

-- name: load_tenants
SELECT @tenant_columns@ FROM tenants t WHERE t.id = ANY ($1::bigint[]);

-- name: load_plans
SELECT tenant_id, plan, max_peers, peer_count, listed FROM tenant_plans WHERE tenant_id = ANY ($1::bigint[]);

-- name: lock_customers
SELECT @customer_columns@ FROM customers c WHERE c.id = ANY ($1::bigint[]) ORDER BY c.id FOR NO KEY UPDATE;

-- name: load_customers
SELECT @customer_columns@ FROM customers c WHERE c.id = ANY ($1::bigint[]);

-- name: lock_subscribers
SELECT @subscriber_columns@ FROM subscribers s WHERE s.id = ANY ($1::bigint[]) ORDER BY s.id FOR NO KEY UPDATE;

-- name: load_subscribers
SELECT @subscriber_columns@ FROM subscribers s WHERE s.id = ANY ($1::bigint[]);

-- name: lock_networks
SELECT @network_columns@ FROM networks n WHERE n.id = ANY ($1::bigint[]) ORDER BY n.id FOR NO KEY UPDATE;

-- name: load_networks
SELECT @network_columns@ FROM networks n WHERE n.id = ANY ($1::bigint[]);

-- name: lock_meshes
SELECT @mesh_columns@ FROM meshes m WHERE m.id = ANY ($1::bigint[]) ORDER BY m.id FOR NO KEY UPDATE;

-- name: load_links
-- Of these meshes; and what stands on, or leads to, these servers.
SELECT @link_columns@ FROM node_links l
WHERE l.mesh_id = ANY ($1::bigint[]) OR l.server_id = ANY ($2::bigint[]) OR l.other_server_id = ANY ($2::bigint[]);

-- name: lock_servers
SELECT @server_columns@ FROM servers v WHERE v.id = ANY ($1::bigint[]) ORDER BY v.id FOR NO KEY UPDATE;

-- name: load_servers
SELECT @server_columns@ FROM servers v WHERE v.id = ANY ($1::bigint[]);

-- name: lock_peers
SELECT @peer_columns@ FROM peers p WHERE p.id = ANY ($1::bigint[]) ORDER BY p.id FOR NO KEY UPDATE;

-- name: lock_rules
SELECT @rule_columns@ FROM access_rules a WHERE a.id = ANY ($1::bigint[]) ORDER BY a.id FOR NO KEY UPDATE;

-- name: load_holds
SELECT @hold_columns@
FROM holds h JOIN unnest($1::text[], $2::bigint[]) AS r(scope_kind, scope_id) USING (scope_kind, scope_id);

-- name: load_offsets
-- Of each network: the offsets beyond the counter that it must not take (false), and as many ($3) of the oldest released
-- ones as the batch could take where the counter could run out before $4 (true). In the order in which they are taken.
SELECT r.network_id, o.address_offset, o.released
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS r(network_id, next_offset, most, end_offset)
CROSS JOIN LATERAL (
  SELECT p.address_offset, false AS released, 0 AS place FROM peers p
  WHERE p.network_id = r.network_id AND p.address_offset >= r.next_offset
  UNION ALL
  SELECT f.address_offset, false, 0 FROM network_free f
  WHERE f.network_id = r.network_id AND f.address_offset >= r.next_offset
  UNION ALL -- on their way back with the proof of a removal
  SELECT m.address_offset, false, 0 FROM removals m
  WHERE m.network_id = r.network_id AND m.address_offset >= r.next_offset
  UNION ALL
  SELECT f.address_offset, true, row_number() OVER (ORDER BY f.available_at, f.address_offset)
  FROM (SELECT address_offset, available_at FROM network_free a
        WHERE network_id = r.network_id AND available_at <= clock_now()
          AND NOT EXISTS (SELECT FROM peers p WHERE p.network_id = a.network_id AND p.address_offset = a.address_offset)
          AND r.next_offset + r.most
            + (SELECT count(*) FROM peers p WHERE p.network_id = r.network_id AND p.address_offset >= r.next_offset)
            + (SELECT count(*) FROM network_free b WHERE b.network_id = r.network_id AND b.address_offset >= r.next_offset)
            + (SELECT count(*) FROM removals m WHERE m.network_id = r.network_id AND m.address_offset >= r.next_offset)
            >= r.end_offset
          AND address_offset <> ALL (SELECT unnest(n.reserved) FROM networks n WHERE n.id = r.network_id)
        ORDER BY available_at, address_offset LIMIT r.most) f) o
ORDER BY r.network_id, o.released, o.place, o.address_offset;

-- name: load_uses
-- Who has an address that is asked for; one that was released is free again once its quarantine has passed.
SELECT r.network_id, r.address_offset,
  EXISTS (SELECT FROM peers p WHERE p.network_id = r.network_id AND p.address_offset = r.address_offset),
  EXISTS (SELECT FROM network_free f WHERE f.network_id = r.network_id AND f.address_offset = r.address_offset
            AND f.available_at > clock_now())
    OR EXISTS (SELECT FROM removals m WHERE m.network_id = r.network_id AND m.address_offset = r.address_offset)
FROM unnest($1::bigint[], $2::bigint[]) AS r(network_id, address_offset);

-- name: load_sites
-- Prefixes behind peers and nodes that overlap any of these, on these servers.
SELECT x.server_id, x.prefix, x.peer_id, l.mesh_id, l.other
FROM site_prefixes x LEFT JOIN node_links l ON l.id = x.link_id
WHERE x.server_id = ANY ($1::bigint[]) AND x.prefix && ANY ($2::inet[]);

-- name: load_runtimes
SELECT peer_id, connectivity, (extract(epoch FROM connectivity_since) * 1000000)::bigint,
  (extract(epoch FROM last_handshake_at) * 1000000)::bigint, (extract(epoch FROM first_connected_at) * 1000000)::bigint
FROM peer_runtime WHERE peer_id = ANY ($1::bigint[]);

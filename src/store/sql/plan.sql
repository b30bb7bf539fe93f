-- A plan: events are executed, what servers are to have is read, all of it is undone, and the same is read again.

-- name: plan_isolation
-- Both readings show the same moment.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- name: plan_limits
-- $1: for a lock, $2: for a statement, $3: between two of them; in milliseconds. Until the savepoint before is gone back to.
SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true),
  set_config('idle_in_transaction_session_timeout', $3, true);

-- name: plan_savepoint
SAVEPOINT before_the_events;

-- name: plan_undo
-- Also gives back every lock that was taken since.
ROLLBACK TO SAVEPOINT before_the_events;

-- name: plan_causes
-- To whom the events are still to be carried on: subscribers, and what is wider.
SELECT 'subscriber', subscriber_id FROM fan_outs WHERE cause = ANY ($1::text[])
UNION ALL SELECT kind, subject_id FROM wider_fan_outs WHERE cause = ANY ($1::text[]);

-- name: plan_peers_reached
-- Peers of these subscribers ($1) and of the subscribers of these customers ($2), at most $3.
SELECT p.id FROM peers p
WHERE p.subscriber_id = ANY (ARRAY(
  SELECT unnest($1::bigint[]) UNION SELECT s.id FROM subscribers s WHERE s.customer_id = ANY ($2::bigint[])))
LIMIT $3;

-- name: plan_servers_reached
-- Servers of these tenants' peers ($1), of these networks ($2), and in meshes with these servers ($3).
SELECT DISTINCT server_id FROM peers WHERE tenant_id = ANY ($1::bigint[]) AND server_id IS NOT NULL
UNION SELECT id FROM servers WHERE network_id = ANY ($2::bigint[])
UNION SELECT s.server_id FROM meshes m, @servers_of_mesh@
WHERE m.id IN (SELECT l.mesh_id FROM node_links l
               WHERE l.server_id = ANY ($3::bigint[]) OR l.other_server_id = ANY ($3::bigint[]));

-- name: peer_ended
-- Whether `p` is to be revoked, once the release or revocation of its subscriber or customer has reached it.
EXISTS (
  SELECT FROM subscribers u LEFT JOIN customers c ON c.id = u.customer_id
  WHERE u.id = p.subscriber_id
    AND (u.revoked OR coalesce(c.revoked, false)
         OR p.stage = 'provisioned' AND coalesce(p.provisioned_at, '-infinity') <= greatest(u.released_at, c.released_at)))

-- name: plan_peers
-- How these peers stand as the holds are, whether those have reached them or not, and by what they came to it.
SELECT p.id, t.name, p.name, p.server_id, p.network_id, p.address_offset, p.public_key, p.staged_key,
  array_to_string(p.site_networks, ','), p.hub_keepalive_seconds, p.preshared_key_hash, p.endpoint,
  CASE WHEN w.id IS NOT NULL THEN CASE WHEN w.walled THEN 'walled_garden' ELSE 'active' END
    WHEN p.stage = 'revoked' OR p.stage IN ('reserved', 'provisioned') AND @peer_ended@ THEN 'revoked'
    WHEN p.stage <> 'provisioned' THEN p.entitlement
    WHEN p.expired THEN 'expired' ELSE 'suspended' END,
  p.cause, coalesce((SELECT f.cause FROM fan_outs f WHERE f.subscriber_id = p.subscriber_id),
    (SELECT f.cause FROM wider_fan_outs f JOIN subscribers s ON f.kind = 'customer' AND f.subject_id = s.customer_id
     WHERE s.id = p.subscriber_id), '')
FROM peers p JOIN tenants t ON t.id = p.tenant_id LEFT JOIN wanted_peers w ON w.id = p.id
WHERE p.id = ANY ($1::bigint[]) ORDER BY p.id;

-- name: plan_links
SELECT l.server_id, m.name, l.other, l.public_key, array_to_string(l.allowed_ips, ','), l.endpoint, l.keepalive_seconds
FROM node_links l JOIN meshes m ON m.id = l.mesh_id
WHERE l.server_id = ANY ($1::bigint[]) AND l.wanted AND l.public_key <> '' ORDER BY l.server_id, m.name, l.other;

-- name: plan_deliveries
-- Whether what stands on the server is unknown, whether it was ever read, and what its firewall is made from: peers that
-- were announced to be walled, rules of their tenants.
SELECT d.server_id, d.in_doubt, d.proven_at IS NOT NULL,
  EXISTS (SELECT FROM peers p WHERE p.server_id = d.server_id AND p.entitlement = 'walled_garden'),
  EXISTS (SELECT FROM (SELECT DISTINCT tenant_id FROM access_rules WHERE active) r
          WHERE EXISTS (SELECT FROM peers p WHERE p.tenant_id = r.tenant_id AND p.server_id = d.server_id))
FROM deliveries d WHERE d.server_id = ANY ($1::bigint[]);

-- name: plan_walled
-- Like firewall_walled, once all holds have reached their peers.
SELECT p.tenant_id, p.network_id, p.address_offset, array_to_string(p.site_networks, ',')
FROM wanted_peers p WHERE p.server_id = $1 AND p.walled AND p.address_offset IS NOT NULL ORDER BY p.id;

-- name: plan_rules
-- Like firewall_rules, once all releases and revocations have reached their peers.
SELECT @rule_columns@, t.name, s.network_id, s.address_offset, d.network_id, d.address_offset
FROM access_rules a JOIN tenants t ON t.id = a.tenant_id
LEFT JOIN LATERAL (
  SELECT p.network_id, p.address_offset FROM peers p
  WHERE p.id = a.source_peer_id AND p.stage IN ('reserved', 'provisioned') AND NOT @peer_ended@) s ON true
LEFT JOIN LATERAL (
  SELECT p.network_id, p.address_offset FROM peers p
  WHERE p.id = a.dest_peer_id AND p.stage IN ('reserved', 'provisioned') AND NOT @peer_ended@) d ON true
WHERE a.active AND a.tenant_id IN (
  SELECT r.tenant_id FROM (SELECT DISTINCT tenant_id FROM access_rules WHERE active) r
  WHERE EXISTS (SELECT FROM peers p WHERE p.tenant_id = r.tenant_id AND p.server_id = $1))
ORDER BY a.id;

-- name: plan_addresses
-- Like firewall_addresses, in the same way.
SELECT p.tenant_id, p.network_id, p.address_offset FROM peers p
WHERE p.server_id = $1 AND p.tenant_id = ANY ($2::bigint[]) AND p.address_offset IS NOT NULL
  AND p.stage IN ('reserved', 'provisioned') AND NOT @peer_ended@
ORDER BY p.id;

-- name: plan_positions
SELECT partition, next_offset FROM intake WHERE topic = $1;

-- name: plan_foreign
-- Keys that are nobody's and that the next push takes away.
SELECT server_id, public_key, array_to_string(allowed_ips, ',') FROM foreign_peers
WHERE server_id = ANY ($1::bigint[]) AND state = 'removing';

-- The firewall of a server: what it is computed from, and what is known of the one that the host has.

-- name: firewall_walled
-- Peers in the walled garden: as they were announced, but for those whose hold is lifted already. One whose hold grew to
-- a cut stays in it until its key is gone. Who carries the worker's own way is not walled in.
SELECT p.tenant_id, p.network_id, p.address_offset, array_to_string(p.site_networks, ',')
FROM peers p
WHERE p.server_id = $1 AND p.entitlement = 'walled_garden' AND p.address_offset IS NOT NULL
  AND p.delivery_error <> 'own_way_cut'
  AND NOT EXISTS (SELECT FROM wanted_peers w WHERE w.id = p.id AND NOT w.walled)
ORDER BY p.id;

-- name: firewall_rules
-- The rules of all tenants with peers on the server, wherever the peers that they name are: these may come by a mesh. An
-- address is a peer's as long as it holds it.
SELECT @rule_columns@, t.name, s.network_id, s.address_offset, d.network_id, d.address_offset
FROM access_rules a JOIN tenants t ON t.id = a.tenant_id
LEFT JOIN peers s ON s.id = a.source_peer_id AND s.stage IN ('reserved', 'provisioned')
LEFT JOIN peers d ON d.id = a.dest_peer_id AND d.stage IN ('reserved', 'provisioned')
WHERE a.active AND a.tenant_id IN (
  SELECT r.tenant_id FROM (SELECT DISTINCT tenant_id FROM access_rules WHERE active) r
  WHERE EXISTS (SELECT FROM peers p WHERE p.tenant_id = r.tenant_id AND p.server_id = $1))
ORDER BY a.id;

-- name: firewall_addresses
-- Of the tenants' peers on the server, whether they may use it now or not: so that a hold changes no rule.
SELECT tenant_id, network_id, address_offset FROM peers
WHERE server_id = $1 AND tenant_id = ANY ($2::bigint[]) AND address_offset IS NOT NULL
  AND stage IN ('reserved', 'provisioned')
ORDER BY id;

-- name: firewall_store
UPDATE deliveries SET firewall_hash = $2, firewall_state = $3, firewall_known = $4, firewall_refused = $5 WHERE server_id = $1;

-- name: firewall_refused
-- $3: code and hash; with the time, for it is tried again.
UPDATE deliveries SET firewall_refused = $3 || ' ' || extract(epoch FROM now())::bigint WHERE server_id = $1 AND worker_id = $2::uuid;

-- name: firewall_retry_refused
-- What was refused $1 seconds ago is tried again.
UPDATE deliveries SET due = true, due_since = coalesce(due_since, now())
WHERE server_id IN (
  SELECT server_id FROM deliveries
  WHERE NOT due AND firewall_refused <> ''
    AND coalesce(nullif(split_part(firewall_refused, ' ', 3), '')::bigint, 0) <= extract(epoch FROM now()) - $1
  FOR NO KEY UPDATE SKIP LOCKED)
RETURNING server_id;

-- name: firewall_forget_refused
UPDATE deliveries SET firewall_refused = '' WHERE server_id = $1;

-- name: firewall_walled_out
-- The walled peers of a server that refuses the gardens: their keys, whether these are proven gone (or carry the worker
-- itself), and whether it was said that they are set aside for it.
SELECT p.id, p.public_key, p.staged_key,
  coalesce(p.proven = '', false) OR d.own_way_keys && ARRAY[p.public_key, p.staged_key],
  p.delivery_error = $2 AND p.applied_generation < p.generation
FROM wanted_peers p JOIN deliveries d USING (server_id)
WHERE p.server_id = $1 AND p.entitlement = 'walled_garden' AND p.walled AND p.public_key IS NOT NULL
  AND p.delivery_error <> 'own_way_cut'
ORDER BY p.id;

-- name: firewall_take_back
-- Peers that were set aside for a firewall that the host refused, and has now.
UPDATE peers SET delivery_error = '' WHERE server_id = $1 AND entitlement = 'walled_garden' AND delivery_error = $2;

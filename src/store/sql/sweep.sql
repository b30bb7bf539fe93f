-- What follows by and by. Nothing here is decided from what a look shows: the locks stand first, as everywhere.

-- name: sweep_look
SELECT EXISTS (SELECT FROM timers WHERE due_at <= clock_now()),
  EXISTS (SELECT FROM wider_fan_outs WHERE started_at <= now()),
  EXISTS (SELECT FROM fan_outs WHERE started_at <= now());

-- name: fan_out_pick
-- With the levels above the subscriber; a release or a revocation counts peers down, and needs the tenant's lock.
SELECT s.id, s.tenant_id, s.customer_id,
  s.revoked OR s.released_at IS NOT NULL OR coalesce(c.revoked OR c.released_at IS NOT NULL, false)
FROM fan_outs f JOIN subscribers s ON s.id = f.subscriber_id LEFT JOIN customers c ON c.id = s.customer_id
WHERE f.started_at <= now() ORDER BY f.started_at, s.id LIMIT $1;

-- name: fan_out_lock
SELECT @subscriber_columns@ FROM subscribers s WHERE s.id = $1 FOR NO KEY UPDATE SKIP LOCKED;

-- name: fan_out_postpone
-- One that cannot be carried on must not keep the others waiting.
UPDATE fan_outs SET started_at = now() + interval '1 minute' WHERE subscriber_id = $1;

-- name: fan_out_cursor
SELECT after_peer_id, cause FROM fan_outs WHERE subscriber_id = $1;

-- name: fan_out_peers
SELECT id, server_id, network_id FROM peers WHERE subscriber_id = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: fan_out_move
UPDATE fan_outs SET after_peer_id = $2 WHERE subscriber_id = $1;

-- name: fan_out_done
DELETE FROM fan_outs WHERE subscriber_id = $1;

-- name: fan_out_left
SELECT EXISTS (SELECT FROM fan_outs WHERE started_at <= now());

-- name: wider_pick
SELECT kind, subject_id, after_id, cause, started_at FROM wider_fan_outs
WHERE started_at <= now() ORDER BY started_at, kind, subject_id LIMIT 1;

-- name: wider_postpone
UPDATE wider_fan_outs SET started_at = now() + interval '1 minute' WHERE kind = $1 AND subject_id = $2;

-- name: wider_move
-- Only as it was found: a newer word has begun it anew.
UPDATE wider_fan_outs SET after_id = $4 WHERE kind = $1 AND subject_id = $2 AND started_at = $3::timestamptz;

-- name: wider_done
DELETE FROM wider_fan_outs WHERE kind = $1 AND subject_id = $2 AND started_at = $3::timestamptz;

-- name: wider_left
SELECT EXISTS (SELECT FROM wider_fan_outs WHERE started_at <= now());

-- name: wider_subscribers
SELECT id FROM subscribers WHERE customer_id = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: wider_peers
-- Those that have a configuration.
SELECT id, tenant_id, subscriber_id, network_id FROM peers
WHERE server_id = $1 AND id > $2 AND stage IN ('reserved', 'provisioned') ORDER BY id LIMIT $3;

-- name: wider_meshes
-- In which the server is, with all their servers.
SELECT m.id, s.server_id FROM meshes m, @servers_of_mesh@
WHERE m.id IN (SELECT l.mesh_id FROM node_links l WHERE l.server_id = $1 OR l.other_server_id = $1);

-- name: wider_servers_of_network
SELECT id FROM servers WHERE network_id = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: wider_servers
SELECT DISTINCT server_id FROM peers
WHERE tenant_id = $1 AND server_id > $2 AND server_id IS NOT NULL ORDER BY server_id LIMIT $3;

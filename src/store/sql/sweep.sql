-- Fan-out of a subscriber's holds. The subscriber's lock stands first, as everywhere; the cursor is read under it.

-- name: fan_out_pick
SELECT s.id, s.tenant_id FROM fan_outs f JOIN subscribers s ON s.id = f.subscriber_id
WHERE f.started_at <= now() ORDER BY f.started_at, s.id LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED;

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

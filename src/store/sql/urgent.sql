-- What is urgent and late. Without a lock: what is found is looked at again under the server's.

-- name: urgent_watch
-- Servers of which something is to be said, and in how many milliseconds: what waits is late $1 after it became urgent,
-- and what was late and is not any more is said at once. One that was retired counts while a key is to go from it.
SELECT d.server_id,
  CASE WHEN d.urgent_late_at IS NULL
    THEN greatest(0, $1 - (extract(epoch FROM clock_timestamp() - d.urgent_since) * 1000)::bigint) ELSE 0 END AS in_ms
FROM deliveries d JOIN servers v ON v.id = d.server_id
CROSS JOIN LATERAL (
  SELECT coalesce(d.urgent_since <= clock_timestamp() - $1 * interval '1 millisecond', false)
    AND (v.state <> 'retired' OR EXISTS (SELECT FROM removals r WHERE r.server_id = d.server_id)) AS late) n
WHERE (d.urgent_since IS NOT NULL OR d.urgent_late_at IS NOT NULL)
  AND (n.late <> (d.urgent_late_at IS NOT NULL)
       OR d.urgent_late_at IS NULL AND d.urgent_since > clock_timestamp() - $1 * interval '1 millisecond')
ORDER BY in_ms, d.server_id LIMIT $2;

-- name: urgent_lock
SELECT FROM servers WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED;

-- name: urgent_state
-- Whether something is late, and whether that was said; since when it waits, for how many milliseconds, and the last push.
SELECT coalesce(d.urgent_since <= clock_timestamp() - $2 * interval '1 millisecond', false)
    AND (v.state <> 'retired' OR EXISTS (SELECT FROM removals r WHERE r.server_id = d.server_id)),
  d.urgent_late_at IS NOT NULL,
  (extract(epoch FROM d.urgent_since) * 1000000)::bigint,
  coalesce((extract(epoch FROM clock_timestamp() - d.urgent_since) * 1000)::bigint, 0), d.push_no
FROM deliveries d JOIN servers v ON v.id = d.server_id WHERE d.server_id = $1 FOR NO KEY UPDATE OF d;

-- name: urgent_keys
-- How many peers are still on the host with more than they may have there: keys that are to go, and peers to be walled in.
SELECT (SELECT count(*) FROM removals m
        WHERE m.server_id = $1 AND NOT EXISTS (
          SELECT FROM wanted_peers w WHERE w.id = m.peer_id AND w.server_id = m.server_id
            AND m.public_key IN (w.public_key, w.staged_key)))
     + (SELECT count(*) FROM wanted_peers
        WHERE server_id = $1 AND walled AND generation > applied_generation AND applied_generation > 0);

-- name: urgent_say
WITH said AS (UPDATE deliveries SET urgent_late_at = CASE WHEN $2 THEN now() END WHERE server_id = $1)
UPDATE servers SET version = version + 1 WHERE id = $1;

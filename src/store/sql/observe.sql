-- Observation: what hosts show, beside what is decided and proven. Only the claim touches server_runtime without the
-- server's lock.

-- name: observe_relaxed
SET LOCAL synchronous_commit = off;

-- name: observe_enlist
INSERT INTO server_runtime (server_id, observe_at)
SELECT v.id, clock_now() FROM servers v
WHERE v.word IS NOT NULL AND v.state <> 'retired' AND NOT EXISTS (SELECT FROM server_runtime o WHERE o.server_id = v.id)
ON CONFLICT DO NOTHING;

-- name: observe_claim
-- Servers whose last look failed ($5) are claimed apart, so that dead hosts can be kept to a part of the threads.
UPDATE server_runtime o SET worker_id = $1::uuid
WHERE server_id IN (
  SELECT c.server_id FROM server_runtime c JOIN servers v ON v.id = c.server_id
  WHERE c.observe_at <= clock_now() AND (c.error_code <> '') = $5 AND c.server_id <> ALL ($4::bigint[])
    AND v.word IS NOT NULL AND v.state <> 'retired'
    AND (c.worker_id IS NULL OR c.worker_id = $1::uuid OR NOT EXISTS (
      SELECT FROM workers w
      WHERE w.id = c.worker_id AND w.heartbeat_at > clock_timestamp() - $3 * interval '1 millisecond'))
  ORDER BY c.observe_at
  LIMIT $2 FOR NO KEY UPDATE OF c SKIP LOCKED)
RETURNING server_id;

-- name: observe_release
UPDATE server_runtime SET worker_id = NULL, observe_at = greatest(observe_at, clock_now() + $3 * interval '1 millisecond')
WHERE server_id = $1 AND worker_id = $2::uuid;

-- name: observe_stand
-- How a server's delivery stands: generation, number of its last push, and whether nothing is due, under way or in doubt.
SELECT v.generation, coalesce(d.push_no, 0), coalesce(NOT d.due AND NOT d.in_doubt AND d.worker_id IS NULL, false)
FROM servers v LEFT JOIN deliveries d ON d.server_id = v.id
WHERE v.id = $1 AND v.word IS NOT NULL AND v.state <> 'retired';

-- name: observe_is_mine
-- What was seen last, and what the delivery has proven. The server's row is locked.
SELECT (extract(epoch FROM o.observed_at) * 1000000)::bigint, (extract(epoch FROM o.counted_at) * 1000000)::bigint,
  o.error_code, coalesce(o.up, true), coalesce(o.listening, true), coalesce(o.forwarding4, true),
  coalesce(o.forwarding6, true), o.file_mode, coalesce(o.uptime_seconds * 1000, 0)::bigint, o.drift,
  coalesce(d.push_no, 0), coalesce(NOT d.due AND NOT d.in_doubt AND d.worker_id IS NULL, false),
  coalesce(d.file_hash, ''), coalesce(d.firewall_hash, ''), coalesce(d.firewall_state, ''),
  coalesce(d.firewall_known AND d.firewall_refused = '', false), o.guard_code, v.guard_code, o.ifindex, o.guard_digest
FROM server_runtime o JOIN servers v ON v.id = o.server_id LEFT JOIN deliveries d ON d.server_id = o.server_id
WHERE o.server_id = $1 AND o.worker_id = $2::uuid FOR NO KEY UPDATE OF o;

-- name: observe_peers
-- Everyone with a key on the server; of those that were revoked only whom there is still something to say of.
SELECT p.id, p.public_key, p.staged_key, p.stage = 'provisioned', p.applied_generation > 0, p.proven, w.id IS NOT NULL,
  p.quota_bytes, p.over_quota, (extract(epoch FROM p.provisioned_at) * 1000000)::bigint, t.peer_id IS NOT NULL,
  (extract(epoch FROM t.last_handshake_at) * 1000000)::bigint, coalesce(t.handshake_epoch, 0), t.endpoint,
  coalesce(t.connectivity, 'never'), coalesce((extract(epoch FROM t.connectivity_since) * 1000000)::bigint, 0),
  (extract(epoch FROM t.first_connected_at) * 1000000)::bigint, coalesce(t.rx_counter, 0), coalesce(t.tx_counter, 0),
  t.counter_of, coalesce(t.rx_bytes, 0), coalesce(t.tx_bytes, 0),
  coalesce((extract(epoch FROM t.updated_at) * 1000000)::bigint, 0)
FROM peers p LEFT JOIN wanted_peers w ON w.id = p.id LEFT JOIN peer_runtime t ON t.peer_id = p.id
WHERE p.server_id = $1 AND p.public_key IS NOT NULL
  AND (p.stage <> 'revoked' OR t.connectivity IN ('connected', 'idle') OR p.public_key = ANY ($2::text[]))
ORDER BY p.id;

-- name: observe_store_peers
INSERT INTO peer_runtime AS t
  (peer_id, last_handshake_at, handshake_epoch, endpoint, connectivity, connectivity_since, first_connected_at, rx_counter,
   tx_counter, counter_of, rx_bytes, tx_bytes, updated_at)
SELECT peer_id, to_timestamp(handshake_us / 1000000.0), handshake_epoch, endpoint, connectivity,
  to_timestamp(since_us / 1000000.0), to_timestamp(first_us / 1000000.0), rx_counter, tx_counter, counter_of, rx_bytes,
  tx_bytes, to_timestamp(updated_us / 1000000.0)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[])
  AS r(peer_id, handshake_us, handshake_epoch, endpoint, connectivity, since_us, first_us, rx_counter, tx_counter,
       counter_of, rx_bytes, tx_bytes, updated_us)
ON CONFLICT (peer_id) DO UPDATE
SET last_handshake_at = excluded.last_handshake_at, handshake_epoch = excluded.handshake_epoch,
  endpoint = excluded.endpoint, connectivity = excluded.connectivity,
  connectivity_since = excluded.connectivity_since, first_connected_at = excluded.first_connected_at,
  rx_counter = excluded.rx_counter, tx_counter = excluded.tx_counter, counter_of = excluded.counter_of,
  rx_bytes = excluded.rx_bytes, tx_bytes = excluded.tx_bytes, updated_at = excluded.updated_at;

-- name: observe_log
INSERT INTO wg_connection_log (peer_id, event_type, remote_endpoint, rx_bytes, tx_bytes, created_at)
SELECT peer_id, event_type, endpoint, rx_bytes, tx_bytes, to_timestamp(at_us / 1000000.0)
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
  AS r(peer_id, event_type, endpoint, rx_bytes, tx_bytes, at_us);

-- name: observe_load_peers
-- Not locked: their server's lock is held.
SELECT @peer_columns@ FROM peers p WHERE p.id = ANY ($1::bigint[]) ORDER BY p.id;

-- name: observe_raise_versions
UPDATE peers SET version = version + 1 WHERE id = ANY ($1::bigint[]);

-- name: observe_timers
-- At once; a time that was set for later is moved ahead.
INSERT INTO timers AS t (kind, subject_id, owner, due_at)
SELECT kind, subject_id, owner, clock_now() FROM unnest($1::text[], $2::bigint[], $3::text[]) AS r(kind, subject_id, owner)
ON CONFLICT (kind, subject_id, owner) DO UPDATE SET due_at = excluded.due_at WHERE t.due_at > excluded.due_at;

-- name: observe_other_keys
-- Of keys that are no peer's of this server: whether they belong here all the same (nodes, and what is to be removed),
-- whose they were, as far as that is known, and what a reading has made of those that are nobody's ('': none has yet).
SELECT k.key,
  EXISTS (SELECT FROM node_links l WHERE l.server_id = $1 AND (l.public_key = k.key OR strpos(l.proven, k.key) > 0))
  OR EXISTS (SELECT FROM removals r WHERE r.server_id = $1 AND r.public_key = k.key),
  coalesce((SELECT p.id FROM peers p WHERE p.public_key = k.key),
           (SELECT u.peer_id FROM used_keys u WHERE u.public_key = k.key)),
  coalesce((SELECT f.state FROM foreign_peers f WHERE f.server_id = $1 AND f.public_key = k.key), '')
FROM unnest($2::text[]) AS k(key);

-- name: observe_stale_links
-- A node that is called by name and has shaken no hand for so long may have moved: its name is looked up anew before the
-- next push (links_retry_names makes that due). $4: the oldest handshake that is none too old, by the host's clock.
UPDATE node_links l SET resolve = true
FROM unnest($2::text[], $3::bigint[]) AS r(public_key, handshake)
WHERE l.server_id = $1 AND l.public_key = r.public_key AND r.handshake < $4 AND l.wanted AND NOT l.resolve
  AND l.applied_generation >= l.generation
  AND l.endpoint <> '' AND l.endpoint !~ '^([0-9.]+|\[[0-9A-Fa-f:]+\]):[0-9]+$';

-- name: observe_missing_links
SELECT count(*) FROM node_links
WHERE server_id = $1 AND wanted AND proven <> '' AND proven NOT LIKE '?%' AND public_key <> ''
  AND public_key <> ALL ($2::text[]);

-- name: observe_add_removals
INSERT INTO removals (server_id, public_key, peer_id)
SELECT $1, * FROM unnest($2::text[], $3::bigint[]) ON CONFLICT DO NOTHING;

-- name: observe_doubt
-- The next exec is a reading, which judges what stands there, and what it finds is repaired.
UPDATE deliveries
SET in_doubt = true, due = true, due_since = coalesce(due_since, now()), next_attempt_at = least(next_attempt_at, now()),
  urgent_since = CASE WHEN $2 THEN coalesce(urgent_since, now()) ELSE urgent_since END
WHERE server_id = $1;

-- name: observe_firewall_changed
-- No reading would tell a table that was changed by hand from the right one: it bears the same mark. It is pushed anew.
UPDATE deliveries
SET firewall_known = false, firewall_hash = $2, due = true, due_since = coalesce(due_since, now()),
  next_attempt_at = least(next_attempt_at, now())
WHERE server_id = $1;

-- name: observe_done
-- Sums stop where a host's nonsense would overflow them: at kMaxCounterBytes.
UPDATE server_runtime
SET worker_id = NULL, observe_at = clock_now() + $2 * interval '1 millisecond', observed_at = clock_now(),
  counted_at = CASE WHEN $3 THEN clock_now() ELSE counted_at END, error_code = '', up = $4,
  uptime_seconds = nullif($5::bigint, 0) / 1000.0,
  listening = $6, forwarding4 = $7, forwarding6 = $8, unit_active = $9, unit_enabled = $10, file_owner = $11,
  file_mode = $12, file_hash = $13, firewall_state = $14, drift = $15, rx_bytes = least(rx_bytes + $16, 4611686018427387903),
  tx_bytes = least(tx_bytes + $17, 4611686018427387903), ifindex = $18, guard_code = $19, guard_digest = $20
WHERE server_id = $1;

-- name: observe_failed
UPDATE server_runtime
SET worker_id = NULL, observe_at = clock_now() + $2 * interval '1 millisecond', error_code = $3
WHERE server_id = $1;

-- name: observe_met
-- What a delivery met ($2); answers how the server was seen last, where nobody has said so yet.
INSERT INTO server_runtime AS o (server_id, observe_at, error_code) VALUES ($1, clock_now(), $2)
ON CONFLICT (server_id) DO UPDATE SET error_code = excluded.error_code WHERE o.error_code <> excluded.error_code
RETURNING (extract(epoch FROM observed_at) * 1000000)::bigint, coalesce(up, true), coalesce(listening, true),
  coalesce(forwarding4, true), coalesce(forwarding6, true), file_mode, drift;

-- name: observe_reached
-- The same of a host that was not reached by a look, and answered a delivery since.
UPDATE server_runtime SET error_code = '', observe_at = least(observe_at, clock_now())
WHERE server_id = $1 AND error_code LIKE 'ssh%'
RETURNING (extract(epoch FROM observed_at) * 1000000)::bigint, coalesce(up, true), coalesce(listening, true),
  coalesce(forwarding4, true), coalesce(forwarding6, true), file_mode, drift;

-- name: observe_raise_server
UPDATE servers SET version = version + 1 WHERE id = $1;

-- name: observe_prune
DELETE FROM wg_connection_log
WHERE id IN (SELECT id FROM wg_connection_log WHERE created_at < clock_now() - $1 * interval '1 day'
             ORDER BY created_at LIMIT $2);

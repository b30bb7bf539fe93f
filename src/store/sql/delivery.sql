-- Delivery: claim, plan, finish, fail. Only the claim touches a delivery without its server's lock.

-- name: delivery_relaxed
-- A lost claim or heartbeat is made again: nothing rests on its being on disk.
SET LOCAL synchronous_commit = off;

-- name: delivery_claim
-- Servers whose last attempt failed ($5) are claimed apart, so that dead hosts can be kept to a part of the threads.
UPDATE deliveries d SET worker_id = $1::uuid
WHERE server_id IN (
  SELECT c.server_id FROM deliveries c
  WHERE c.due AND c.next_attempt_at <= now() AND (c.attempts > 0) = $5
    AND c.server_id <> ALL ($4::bigint[])
    AND (c.worker_id IS NULL OR c.worker_id = $1::uuid OR NOT EXISTS (
      SELECT FROM workers w
      WHERE w.id = c.worker_id AND w.heartbeat_at > clock_timestamp() - $3 * interval '1 millisecond'))
  ORDER BY c.urgent_since NULLS LAST, c.due_since
  LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING server_id;

-- name: delivery_state
SELECT d.in_doubt, d.urgent_since IS NOT NULL, d.attempts, (SELECT id FROM installation)
FROM deliveries d WHERE d.server_id = $1 AND d.worker_id = $2::uuid FOR NO KEY UPDATE;

-- name: delivery_removals
SELECT d.public_key, p.proven FROM removals d JOIN peers p ON p.id = d.peer_id AND p.public_key = d.public_key
WHERE d.server_id = $1
  AND NOT EXISTS (SELECT FROM wanted_peers w WHERE w.id = d.peer_id AND w.public_key = d.public_key)
ORDER BY d.created_at, d.public_key LIMIT $2;

-- name: delivery_keys_not_absent
-- Every key that a reading has to account for: what it does not show is gone, whatever was believed of it before.
SELECT public_key FROM peers WHERE server_id = $1 AND public_key IS NOT NULL AND proven IS DISTINCT FROM ''
UNION SELECT public_key FROM removals WHERE server_id = $1;

-- name: delivery_pending_peers
-- The columns of lock_peers, then what the host was proven to show.
SELECT p.id, p.tenant_id, p.name, p.stage, p.entitlement, p.subscriber_id, p.server_id, p.network_id, p.address_offset,
  p.public_key, p.description, array_to_string(p.client_routes, ','), p.keepalive_seconds, p.word, p.cause,
  (extract(epoch FROM p.changed_at) * 1000000)::bigint, p.version, p.generation, p.applied_generation, p.delivery_error, p.proven
FROM wanted_peers p
WHERE p.server_id = $1 AND p.generation > p.applied_generation AND p.entitlement = 'active' AND p.delivery_error = ''
ORDER BY p.generation, p.id LIMIT $2;

-- name: delivery_wanted_peers
SELECT p.id, p.tenant_id, p.name, p.stage, p.entitlement, p.subscriber_id, p.server_id, p.network_id, p.address_offset,
  p.public_key, p.description, array_to_string(p.client_routes, ','), p.keepalive_seconds, p.word, p.cause,
  (extract(epoch FROM p.changed_at) * 1000000)::bigint, p.version, p.generation, p.applied_generation, p.delivery_error, p.proven
FROM wanted_peers p WHERE p.server_id = $1 ORDER BY p.id;

-- name: delivery_raise
UPDATE deliveries SET push_no = push_no + 1, in_doubt = true WHERE server_id = $1 RETURNING push_no;

-- name: delivery_mark_pushed
-- Unknown until it was read back, for all that may change it now.
UPDATE peers SET proven = NULL WHERE server_id = $1 AND public_key = ANY ($2::text[]) AND proven IS NOT NULL;

-- name: delivery_is_mine
SELECT push_no FROM deliveries WHERE server_id = $1 AND push_no = $2 FOR NO KEY UPDATE;

-- name: delivery_peers_with_keys
-- The columns of delivery_pending_peers, then whether the peer is wanted as the holds stand.
SELECT p.id, p.tenant_id, p.name, p.stage, p.entitlement, p.subscriber_id, p.server_id, p.network_id, p.address_offset,
  p.public_key, p.description, array_to_string(p.client_routes, ','), p.keepalive_seconds, p.word, p.cause,
  (extract(epoch FROM p.changed_at) * 1000000)::bigint, p.version, p.generation, p.applied_generation, p.delivery_error, p.proven,
  EXISTS (SELECT FROM wanted_peers w WHERE w.id = p.id)
FROM peers p WHERE p.server_id = $1 AND p.public_key = ANY ($2::text[]) ORDER BY p.id;

-- name: delivery_store_proofs
-- What was read. A wanted peer that is proven as wanted is applied; one that is not, is due again, whatever it was.
UPDATE peers p
SET proven = r.proven, applied_generation = r.applied, version = r.version, address_offset = r.address_offset,
  delivery_error = r.delivery_error
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
  AS r(id, proven, applied, version, address_offset, delivery_error)
WHERE p.id = r.id;

-- name: delivery_add_removals
INSERT INTO removals (server_id, public_key, peer_id)
SELECT $1, * FROM unnest($2::text[], $3::bigint[]) ON CONFLICT DO NOTHING;

-- name: delivery_drop_removals
DELETE FROM removals WHERE server_id = $1 AND public_key = ANY ($2::text[]);

-- name: delivery_release_addresses
INSERT INTO network_free (network_id, address_offset, available_at)
SELECT r.network_id, r.address_offset, now() + n.quarantine_seconds * interval '1 second'
FROM unnest($1::bigint[], $2::bigint[]) AS r(network_id, address_offset) JOIN networks n ON n.id = r.network_id
ON CONFLICT DO NOTHING;

-- name: delivery_learn_key
UPDATE servers SET public_key = $2, version = version + 1 WHERE id = $1 RETURNING version;

-- name: delivery_done
-- $4: the saved file's hash, '' where nothing was read. $5: whether failures are forgotten; a reading that worked says
-- nothing about the push that failed. $6: how long to wait, where the host does not take what it is told.
UPDATE deliveries d
SET in_doubt = false, worker_id = NULL,
  proven_at = CASE WHEN $4 <> '' THEN now() ELSE d.proven_at END,
  file_hash = CASE WHEN $4 <> '' THEN $4 ELSE d.file_hash END,
  attempts = CASE WHEN $6 > 0 THEN d.attempts + 1 WHEN $5 THEN 0 ELSE d.attempts END,
  error_code = CASE WHEN $6 > 0 THEN 'proof_differs' WHEN $5 THEN '' ELSE d.error_code END,
  error_message = CASE WHEN $6 > 0 THEN 'the host does not show what it was told' WHEN $5 THEN '' ELSE d.error_message END,
  next_attempt_at = now() + $6 * interval '1 millisecond',
  due = w.more, due_since = CASE WHEN w.more THEN now() END,
  urgent_since = CASE WHEN w.removals THEN coalesce(d.urgent_since, now()) END
FROM (SELECT r.removals, r.removals
        OR EXISTS (SELECT FROM wanted_peers
                   WHERE server_id = $1 AND generation > applied_generation AND entitlement = 'active'
                     AND delivery_error = '')
        OR EXISTS (SELECT FROM deliveries WHERE server_id = $1 AND due_generation > $3) AS more
      FROM (SELECT EXISTS (
              SELECT FROM removals m
              WHERE m.server_id = $1 AND NOT EXISTS (
                SELECT FROM wanted_peers w WHERE w.id = m.peer_id AND w.public_key = m.public_key)) AS removals) r) w
WHERE d.server_id = $1 AND d.worker_id = $2::uuid
RETURNING d.due;

-- name: delivery_park_peer
-- What the host refuses for ever is set aside, so that its neighbours go on; a change of the peer tries again.
UPDATE peers SET delivery_error = $3, version = version + 1
WHERE server_id = $1 AND public_key = $2 RETURNING id;

-- name: delivery_failed
UPDATE deliveries
SET attempts = attempts + 1, error_code = $3, error_message = $4, worker_id = NULL,
  next_attempt_at = now() + $5 * interval '1 millisecond'
WHERE server_id = $1 AND worker_id = $2::uuid;

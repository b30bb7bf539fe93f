-- Keys that stand on hosts and are nobody's, and the guard on their removal. The server's row is locked.

-- name: foreign_strays
-- Of the keys that a reading has shown, those that are somebody's and have left this server, or never belonged to it
-- (moved, rotated out, brought back by an old file): they have to go like any other. Those of its own peers are judged
-- with them (store_proofs).
INSERT INTO removals (server_id, public_key, peer_id)
SELECT $1, k.public_key, p.id
FROM (SELECT p.public_key, p.id AS peer_id FROM peers p WHERE p.public_key = ANY ($2::text[])
      UNION SELECT u.public_key, u.peer_id FROM used_keys u WHERE u.public_key = ANY ($2::text[])) k
JOIN peers p ON p.id = k.peer_id
WHERE NOT coalesce(p.server_id = $1 AND k.public_key IN (p.public_key, p.staged_key), false)
  AND NOT EXISTS (SELECT FROM node_links l
                  WHERE l.server_id = $1 AND (l.public_key = k.public_key OR strpos(l.proven, k.public_key) > 0))
ON CONFLICT DO NOTHING;

-- name: foreign_unknown
-- Of the keys that a reading has shown, those that are no peer's, no node's, were never anybody's and are not to be
-- removed as somebody's.
SELECT r.public_key, r.allowed_ips
FROM unnest($2::text[], $3::text[]) AS r(public_key, allowed_ips)
WHERE NOT EXISTS (SELECT FROM peers p WHERE p.public_key = r.public_key)
  AND NOT EXISTS (SELECT FROM used_keys u WHERE u.public_key = r.public_key)
  AND NOT EXISTS (SELECT FROM removals m WHERE m.server_id = $1 AND m.public_key = r.public_key)
  AND NOT EXISTS (SELECT FROM node_links l
                  WHERE l.server_id = $1 AND (l.public_key = r.public_key OR strpos(l.proven, r.public_key) > 0));

-- name: foreign_known
-- How many keys were believed to stand there, how many of them a reading has shown ($2), and whether no reading of this
-- place has listed strangers before. Asked before the reading is stored.
SELECT count(*), count(*) FILTER (WHERE b.public_key = ANY ($2::text[])),
  (SELECT NOT strangers_known FROM deliveries WHERE server_id = $1)
FROM (SELECT public_key FROM peers WHERE server_id = $1 AND public_key IS NOT NULL AND proven IS DISTINCT FROM ''
      UNION ALL SELECT public_key FROM node_links WHERE server_id = $1 AND proven <> '' AND public_key <> '') b;

-- name: foreign_store
-- What was seen earlier keeps its state, where that still has a meaning under the policy ($5: to repair); what is new
-- gets $4.
INSERT INTO foreign_peers AS f (server_id, public_key, allowed_ips, state, in_file)
SELECT $1, r.public_key, coalesce(string_to_array(nullif(r.allowed_ips, ''), ','), '{}'), $4, r.in_file
FROM unnest($2::text[], $3::text[], $6::boolean[]) AS r(public_key, allowed_ips, in_file)
ON CONFLICT (server_id, public_key) DO UPDATE
SET allowed_ips = excluded.allowed_ips, in_file = excluded.in_file,
  state = CASE WHEN f.state = 'kept' THEN 'kept' WHEN NOT $5 OR f.state = 'seen' THEN excluded.state ELSE f.state END;

-- name: foreign_listed
UPDATE deliveries SET strangers_known = true WHERE server_id = $1;

-- name: foreign_states
SELECT public_key, state FROM foreign_peers WHERE server_id = $1;

-- name: foreign_forget
-- What is not shown any more ($2: what is) was taken away by somebody: it is forgotten, but not an operator's word. $3: a
-- reading has shown all; observation sees the kernel alone, and what the saved file has may come back with a reboot.
WITH forgotten AS (
  DELETE FROM foreign_peers
  WHERE server_id = $1 AND public_key <> ALL ($2::text[]) AND state <> 'kept'
    AND ($3 OR (state <> 'removing' AND NOT in_file))
  RETURNING public_key),
away AS (
  UPDATE foreign_peers SET allowed_ips = '{}'
  WHERE server_id = $1 AND public_key <> ALL ($2::text[]) AND state = 'kept' AND allowed_ips <> '{}'
    AND ($3 OR NOT in_file)
  RETURNING public_key)
SELECT public_key FROM forgotten UNION ALL SELECT public_key FROM away;

-- name: foreign_give_way
-- A key that was in somebody's way is gone: who was set aside for a prefix of its goes on.
WITH again AS (
  UPDATE peers SET delivery_error = '' WHERE server_id = $1 AND delivery_error = 'prefix_taken_on_host' RETURNING id)
UPDATE deliveries SET due = true, due_since = coalesce(due_since, now())
WHERE server_id = $1 AND EXISTS (SELECT FROM again);

-- name: foreign_count
-- The guard's stop stands as long as a key is held. The digest tells one set of keys from another.
UPDATE servers s
SET guard_held = h.held, guard_digest = h.digest,
  guard_code = CASE WHEN h.held = 0 THEN '' WHEN $2 <> '' THEN $2 ELSE s.guard_code END,
  version = s.version + CASE WHEN s.guard_digest = h.digest THEN 0 ELSE 1 END
FROM (SELECT count(*)::integer AS held,
        coalesce(left(encode(sha256(string_agg(public_key, ' ' ORDER BY public_key COLLATE "C")::bytea), 'hex'), 16), '')
          AS digest
      FROM foreign_peers WHERE server_id = $1 AND state = 'held') h
WHERE s.id = $1 AND (s.guard_held <> h.held OR s.guard_digest <> h.digest OR $2 <> '' AND s.guard_code <> $2)
RETURNING s.guard_held;

-- name: foreign_held
SELECT server_id, public_key FROM foreign_peers WHERE server_id = ANY ($1::bigint[]) AND state = 'held'
ORDER BY server_id, public_key;

-- name: foreign_approve
-- $2: they go; otherwise they stay for good.
WITH said AS (SELECT * FROM unnest($1::bigint[], $2::boolean[]) AS r(server_id, goes)),
judged AS (
  UPDATE foreign_peers f SET state = CASE WHEN said.goes THEN 'removing' ELSE 'kept' END
  FROM said WHERE f.server_id = said.server_id AND f.state = 'held')
UPDATE servers s SET guard_held = 0, guard_digest = '', guard_code = '' FROM said WHERE s.id = said.server_id;

-- name: foreign_removals
-- Who has become somebody meanwhile is not removed, and forgotten here.
WITH known AS (
  DELETE FROM foreign_peers f
  WHERE f.server_id = $1 AND (
    EXISTS (SELECT FROM peers p WHERE p.public_key = f.public_key)
    OR EXISTS (SELECT FROM used_keys u WHERE u.public_key = f.public_key)
    OR EXISTS (SELECT FROM node_links l WHERE l.server_id = $1 AND l.public_key = f.public_key))
  RETURNING f.public_key)
SELECT f.public_key FROM foreign_peers f JOIN deliveries d USING (server_id)
WHERE f.server_id = $1 AND f.state = 'removing' AND f.public_key NOT IN (SELECT public_key FROM known)
  AND f.public_key <> ALL (d.own_way_keys)
ORDER BY f.public_key LIMIT $2;

-- name: foreign_drop
-- Keys that a push has proven gone.
DELETE FROM foreign_peers WHERE server_id = $1 AND public_key = ANY ($2::text[]);

-- name: foreign_look
-- The status is said anew by the next look, which knows the rest of how the server is.
UPDATE server_runtime SET observe_at = least(observe_at, clock_now()) WHERE server_id = $1;

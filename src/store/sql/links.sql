-- Entries for other nodes on a server's interface. The server's row is locked.

-- name: links_on_server
SELECT id, public_key, array_to_string(allowed_ips, ','), endpoint, resolved, resolve, keepalive_seconds, wanted,
  generation, applied_generation, refused_generation, proven
FROM node_links WHERE server_id = $1 ORDER BY generation, id;

-- name: links_own_way
-- Keys that carry the worker itself, and are not removed for now.
SELECT unnest(own_way_keys) FROM deliveries WHERE server_id = $1;

-- name: links_mark_pushed
-- Unknown until it was read back; which keys may stand there is not forgotten.
UPDATE node_links l SET proven = r.proven FROM unnest($1::bigint[], $2::text[]) AS r(id, proven) WHERE l.id = r.id;

-- name: links_store
UPDATE node_links l
SET proven = r.proven, applied_generation = r.applied, resolved = r.resolved, resolve = r.resolve
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::boolean[]) AS r(id, proven, applied, resolved, resolve)
WHERE l.id = r.id;

-- name: links_delete
WITH freed AS (DELETE FROM site_prefixes WHERE link_id = ANY ($1::bigint[]))
DELETE FROM node_links WHERE id = ANY ($1::bigint[]);

-- name: links_park
-- $3: the generation that the host refused; what was said since is tried.
UPDATE node_links SET refused_generation = least(generation, $3) WHERE server_id = $1 AND public_key = $2;

-- name: links_to_server
SELECT DISTINCT server_id FROM node_links WHERE other_server_id = $1 AND wanted;

-- name: links_take_key
-- The other ends get the server's new key. Their servers' rows are locked.
WITH raised AS (
  UPDATE servers v SET generation = v.generation + 1
  WHERE v.id IN (SELECT l.server_id FROM node_links l WHERE l.other_server_id = $1 AND l.wanted AND l.public_key <> $2)
    AND v.id = ANY ($3::bigint[])
  RETURNING v.id, v.generation),
changed AS (
  UPDATE node_links l SET public_key = $2, generation = r.generation FROM raised r
  WHERE l.server_id = r.id AND l.other_server_id = $1 AND l.wanted)
UPDATE deliveries d
SET due = true, due_generation = greatest(d.due_generation, r.generation), due_since = coalesce(d.due_since, now())
FROM raised r WHERE d.server_id = r.id;

-- name: links_retry_names
UPDATE deliveries SET due = true, due_since = coalesce(due_since, now())
WHERE server_id IN (
  SELECT d.server_id FROM deliveries d
  WHERE NOT d.due AND EXISTS (
    SELECT FROM node_links l WHERE l.server_id = d.server_id AND l.wanted AND l.resolve AND l.public_key <> '')
  FOR NO KEY UPDATE SKIP LOCKED)
RETURNING server_id;

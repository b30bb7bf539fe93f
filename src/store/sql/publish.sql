-- name: publish_lease
UPDATE leases l SET worker_id = $1::uuid
WHERE l.kind = 'publisher'
  AND (l.worker_id IS NULL OR l.worker_id = $1::uuid OR NOT EXISTS (
    SELECT FROM workers w
    WHERE w.id = l.worker_id AND w.heartbeat_at > clock_timestamp() - $2 * interval '1 millisecond'))
RETURNING 1;

-- name: publish_lease_is_mine
SELECT 1 FROM leases WHERE kind = 'publisher' AND worker_id = $1::uuid FOR NO KEY UPDATE;

-- name: publish_outbox
SELECT id, channel, ce_id, ce_type, key, body, to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM outbox WHERE parked_code IS NULL ORDER BY id LIMIT $1;

-- name: publish_delete
DELETE FROM outbox WHERE id = ANY ($1::bigint[]);

-- name: publish_park
UPDATE outbox SET parked_code = $2 WHERE id = $1;

-- name: audit_head
SELECT chain_no, encode(chain_hash, 'hex'), published_no FROM audit_head FOR NO KEY UPDATE;

-- name: audit_length
SELECT chain_no FROM audit_head;

-- name: audit_unlinked
SELECT id, source, event_id, event_type, key, outcome, code, body,
  to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM audit WHERE chain_no IS NULL ORDER BY id LIMIT $1;

-- name: audit_link
UPDATE audit a SET chain_no = r.chain_no, chain_hash = decode(r.hash, 'hex')
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS r(id, chain_no, hash)
WHERE a.id = r.id AND a.chain_no IS NULL;

-- name: audit_head_move
UPDATE audit_head SET chain_no = $2, chain_hash = decode($3, 'hex') WHERE chain_no = $1;

-- name: audit_unpublished
SELECT a.chain_no, encode(a.chain_hash, 'hex'), a.source, a.event_id, a.event_type, a.key, a.outcome, a.code, a.body,
  to_char(a.at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM audit a WHERE a.chain_no > (SELECT published_no FROM audit_head) ORDER BY a.chain_no LIMIT $1;

-- name: audit_published
UPDATE audit_head SET published_no = greatest(published_no, $1) WHERE chain_no >= $1;

-- name: audit_after
SELECT a.chain_no, encode(a.chain_hash, 'hex'), a.source, a.event_id, a.event_type, a.key, a.outcome, a.code, a.body,
  to_char(a.at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM audit a WHERE a.chain_no > $1 ORDER BY a.chain_no LIMIT $2;

-- name: publish_backlog
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::text
FROM outbox WHERE parked_code IS NULL;

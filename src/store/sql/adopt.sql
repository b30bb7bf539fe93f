-- Import of a host: whose keys stand there, and what becomes of them. The server's lock is held.

-- name: adopt_want
-- Without an event: what is nobody's becomes the server's owner's. Answers nothing where nobody owns it, or where it is
-- wanted already.
UPDATE deliveries d
SET import_tenant_id = v.owner_tenant_id, import_cause = $2, in_doubt = true, due = true,
  due_since = coalesce(d.due_since, now()), next_attempt_at = least(d.next_attempt_at, now())
FROM servers v
WHERE d.server_id = $1 AND v.id = $1 AND v.owner_tenant_id IS NOT NULL AND d.import_tenant_id IS NULL
RETURNING d.server_id;

-- name: store_imports
-- Tenant 0: it is done.
UPDATE deliveries d
SET import_tenant_id = nullif(r.tenant_id, 0), import_cause = r.cause, in_doubt = d.in_doubt OR r.tenant_id <> 0,
  next_attempt_at = CASE WHEN r.tenant_id = 0 THEN d.next_attempt_at ELSE least(d.next_attempt_at, now()) END
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS r(server_id, tenant_id, cause) WHERE d.server_id = r.server_id;

-- name: adopt_strangers
-- Of these keys on a server, those that do not belong there; and whether they are somebody's elsewhere, or were.
SELECT k.key,
  EXISTS (SELECT FROM peers p WHERE p.public_key = k.key)
  OR EXISTS (SELECT FROM used_keys u WHERE u.public_key = k.key)
  OR EXISTS (SELECT FROM servers v WHERE v.public_key = k.key OR v.key_wanted = k.key)
  OR EXISTS (SELECT FROM node_links l WHERE l.public_key = k.key)
FROM unnest($2::text[]) AS k(key)
WHERE NOT EXISTS (SELECT FROM peers p WHERE p.public_key = k.key AND p.server_id = $1)
  AND NOT EXISTS (SELECT FROM used_keys u JOIN peers p ON p.id = u.peer_id WHERE u.public_key = k.key AND p.server_id = $1)
  AND NOT EXISTS (SELECT FROM removals r WHERE r.public_key = k.key AND r.server_id = $1)
  AND NOT EXISTS (SELECT FROM node_links l
                  WHERE l.server_id = $1 AND (l.public_key = k.key OR strpos(l.proven, k.key) > 0))
ORDER BY k.key;

-- name: adopt_find_identities
SELECT id FROM peers WHERE tenant_id = $1 AND name = ANY ($2::text[]);

-- name: adopt_unused
-- Rows that were made for strangers who are left alone after all: nobody has named these peers.
DELETE FROM peers WHERE id = ANY ($1::bigint[]);

-- name: adopt_store_proofs
-- Adopted peers are proven as they were read.
UPDATE peers p SET proven = r.proven, applied_generation = r.applied
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS r(id, proven, applied) WHERE p.id = r.id;

-- name: adopt_installation
SELECT id FROM installation;

-- name: store_claims_ended
-- Adopted peers whose places others take: before anybody gets their keys and addresses, for each of these is unique at
-- every moment. What was proven stays until it is handed on.
WITH periods AS (
  UPDATE address_periods a SET until_at = greatest(clock_now(), a.from_at) FROM peers p
  WHERE p.id = ANY ($1::bigint[]) AND a.network_id = p.network_id AND a.address_offset = p.address_offset
    AND a.until_at IS NULL)
UPDATE peers SET stage = 'revoked', entitlement = 'revoked', public_key = NULL, address_offset = NULL, staged_key = NULL
WHERE id = ANY ($1::bigint[]);

-- name: store_claims
-- What is known of adopted peers ($1), handed on to those that take their places ($2).
WITH r AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS r(adopted_id, peer_id)),
moved_removals AS (
  UPDATE removals m SET peer_id = r.peer_id FROM r WHERE m.peer_id = r.adopted_id),
moved_keys AS (
  UPDATE used_keys u SET peer_id = r.peer_id FROM r WHERE u.peer_id = r.adopted_id),
moved_runtime AS (
  UPDATE peer_runtime t SET peer_id = r.peer_id FROM r
  WHERE t.peer_id = r.adopted_id AND NOT EXISTS (SELECT FROM peer_runtime o WHERE o.peer_id = r.peer_id)),
moved_rules AS (
  UPDATE access_rules a
  SET source_peer_id = coalesce((SELECT r.peer_id FROM r WHERE r.adopted_id = a.source_peer_id), a.source_peer_id),
    dest_peer_id = coalesce((SELECT r.peer_id FROM r WHERE r.adopted_id = a.dest_peer_id), a.dest_peer_id)
  WHERE a.active AND (a.source_peer_id = ANY ($1::bigint[]) OR a.dest_peer_id = ANY ($1::bigint[])))
UPDATE peers p SET server_id = a.server_id, network_id = a.network_id, proven = a.proven, applied_generation = a.applied_generation
FROM r JOIN peers a ON a.id = r.adopted_id WHERE p.id = r.peer_id;

-- Delivery: claim, plan, finish, fail. Only the claim touches a delivery without its server's lock.

-- name: delivery_clock
SELECT (extract(epoch FROM clock_now()) * 1000000)::bigint;

-- name: delivery_relaxed
-- A lost claim or heartbeat is made again: nothing rests on its being on disk.
SET LOCAL synchronous_commit = off;

-- name: delivery_plan_once
-- For statements that find few rows whatever they are told, and that cost more to plan than to execute: delivery_claim and
-- delivery_done. Not for those with lists of keys: a plan made once, while the tables are small, would read them whole
-- when they have grown.
SET LOCAL plan_cache_mode = force_generic_plan;

-- name: delivery_claim
-- Servers that may not answer ($5) are claimed apart, so that dead hosts can be kept to a part of the threads: those whose
-- last attempt failed, those that were never read, and those that observation does not reach. The server's row is read
-- without a lock, for nobody waits here; the plan looks at it again. Among them it goes by the time of the next attempt:
-- the old urgencies of dead hosts must not starve one that failed once.
UPDATE deliveries d SET worker_id = $1::uuid
WHERE server_id IN (
  SELECT c.server_id FROM deliveries c JOIN servers v ON v.id = c.server_id
  WHERE c.due AND c.next_attempt_at <= now()
    AND (c.attempts > 0 OR c.proven_at IS NULL OR EXISTS (
      SELECT FROM server_runtime o WHERE o.server_id = c.server_id AND o.error_code LIKE 'ssh%')) = $5
    AND c.server_id <> ALL ($4::bigint[])
    AND NOT v.maintenance
    -- After `recover`: what the log says may have been done on the hosts already, and is not undone in between.
    AND NOT (c.takes_push_no AND EXISTS (
      SELECT FROM intake_topics t CROSS JOIN LATERAL generate_series(0, greatest(t.partitions, 1) - 1) AS g(partition)
      LEFT JOIN intake i ON i.topic = t.topic AND i.partition = g.partition WHERE i.caught_up_at IS NULL))
    AND (v.state <> 'retired' OR (v.retired_word = '' AND v.retired_proven_at IS NULL)
         OR EXISTS (SELECT FROM removals r WHERE r.server_id = c.server_id)
         OR EXISTS (SELECT FROM node_links l WHERE l.server_id = c.server_id AND NOT l.wanted))
    AND (c.worker_id IS NULL OR c.worker_id = $1::uuid OR NOT EXISTS (
      SELECT FROM workers w
      WHERE w.id = c.worker_id AND w.heartbeat_at > clock_timestamp() - $3 * interval '1 millisecond'))
  ORDER BY CASE WHEN $5 THEN c.next_attempt_at END, c.urgent_since NULLS LAST, c.due_since
  LIMIT $2 FOR NO KEY UPDATE OF c SKIP LOCKED)
RETURNING server_id;

-- name: delivery_state
-- What a plan starts from, and whether there is anything of the rarer kinds: nodes, walled peers, rules. A refusal of the
-- firewall stands for $3 seconds.
SELECT d.in_doubt OR d.import_tenant_id IS NOT NULL, d.urgent_since IS NOT NULL, d.attempts, (SELECT id FROM installation),
  d.firewall_hash, d.firewall_known,
  CASE WHEN split_part(d.firewall_refused, ' ', 3) <> ''
      AND split_part(d.firewall_refused, ' ', 3)::bigint > extract(epoch FROM now()) - $3
    THEN split_part(d.firewall_refused, ' ', 1) || ' ' || split_part(d.firewall_refused, ' ', 2) ELSE '' END,
  d.firewall_refused <> '',
  EXISTS (SELECT FROM node_links l WHERE l.server_id = $1),
  EXISTS (SELECT FROM peers p WHERE p.server_id = $1 AND p.entitlement = 'walled_garden'),
  EXISTS (SELECT FROM (SELECT DISTINCT tenant_id FROM access_rules WHERE active) r
          WHERE EXISTS (SELECT FROM peers p WHERE p.tenant_id = r.tenant_id AND p.server_id = $1)),
  d.import_tenant_id, d.import_cause, d.error_code, d.own_way_keys <> '{}'
FROM deliveries d WHERE d.server_id = $1 AND d.worker_id = $2::uuid FOR NO KEY UPDATE OF d;

-- name: delivery_release
UPDATE deliveries SET worker_id = NULL WHERE server_id = $1 AND worker_id = $2::uuid;

-- name: delivery_removals
-- A row whose key is its peer's present one here shares the peer's proof and goes with its other key; any other (moved,
-- rotated out) is proven by the answer of a push alone.
SELECT d.public_key, here.present, CASE WHEN here.present THEN p.proven END,
  CASE WHEN here.present THEN CASE WHEN d.public_key = p.staged_key THEN p.public_key ELSE p.staged_key END END
FROM due_removals d JOIN peers p ON p.id = d.peer_id
CROSS JOIN LATERAL (
  SELECT coalesce(p.server_id = d.server_id AND d.public_key IN (p.public_key, p.staged_key), false) AS present) here
WHERE d.server_id = $1
ORDER BY d.created_at, d.public_key LIMIT $2;

-- name: delivery_keys_not_absent
-- Every key that a reading has to account for: what it does not show is gone, whatever was believed of it before.
SELECT public_key FROM peers WHERE server_id = $1 AND public_key IS NOT NULL AND proven IS DISTINCT FROM ''
UNION SELECT staged_key FROM peers WHERE server_id = $1 AND staged_key IS NOT NULL AND proven IS DISTINCT FROM ''
UNION SELECT public_key FROM removals WHERE server_id = $1;

-- name: delivery_pending_peers
-- The columns of a peer, then what the host was proven to show. A hold that has not reached its peer yet is waited for. An
-- endpoint that named nothing is looked up again with every push, behind all others; and so is tried whom the host never
-- showed.
SELECT @peer_columns@, p.proven
FROM wanted_peers p
WHERE p.server_id = $1 AND p.generation > p.applied_generation AND p.entitlement IN ('active', 'walled_garden')
  AND p.walled = (p.entitlement = 'walled_garden')
  AND p.delivery_error IN ('', 'endpoint_unresolvable', 'not_shown_by_host')
ORDER BY p.delivery_error, p.generation, p.id LIMIT $2;

-- name: delivery_retry_peers
-- Peers were set aside because their endpoint names nothing, or the host never showed them: their servers are due again.
UPDATE deliveries SET due = true, due_since = coalesce(due_since, now())
WHERE server_id IN (
  SELECT d.server_id FROM deliveries d
  WHERE NOT d.due AND d.server_id IN (
    SELECT server_id FROM peers WHERE delivery_error IN ('endpoint_unresolvable', 'not_shown_by_host'))
  FOR NO KEY UPDATE SKIP LOCKED)
RETURNING server_id;

-- name: delivery_held
SELECT FROM deliveries WHERE server_id = $1 AND worker_id = $2::uuid FOR NO KEY UPDATE;

-- name: delivery_servers_of_strays
-- Whose servers may have to judge a peer again when keys of its are proven gone from this one.
SELECT DISTINCT p.server_id FROM removals d JOIN peers p ON p.id = d.peer_id
WHERE d.server_id = $1 AND p.server_id <> $1;

-- name: delivery_wanted_peers
SELECT @peer_columns@, p.proven FROM wanted_peers p WHERE p.server_id = $1 ORDER BY p.id;

-- name: delivery_raise
-- $2: the push carries a firewall, which is unknown from now on.
UPDATE deliveries SET push_no = push_no + 1, in_doubt = true, firewall_known = firewall_known AND NOT $2
WHERE server_id = $1 RETURNING push_no;

-- name: delivery_mark_pushed
-- Unknown until it was read back, for all that may change it now. A second key goes with its peer's first.
UPDATE peers SET proven = NULL WHERE server_id = $1 AND public_key = ANY ($2::text[]) AND proven IS NOT NULL;

-- name: delivery_is_mine
SELECT d.firewall_hash, d.firewall_known, d.firewall_refused, d.firewall_state,
  EXISTS (SELECT FROM node_links l WHERE l.server_id = $1), d.urgent_late_at IS NOT NULL,
  EXISTS (SELECT FROM server_runtime o WHERE o.server_id = $1 AND o.error_code LIKE 'ssh%'), d.not_shown
FROM deliveries d WHERE d.server_id = $1 AND d.push_no = $2 FOR NO KEY UPDATE OF d;

-- name: delivery_peers_with_keys
-- The columns of a peer, what it was proven to be before, whether it is wanted, and walled, as the holds stand; whether
-- keys that it has left may still stand somewhere; then what is known of its client. Staged keys are found by the list of used keys.
SELECT @peer_columns@, p.proven, w.id IS NOT NULL, coalesce(w.walled, false),
  EXISTS (SELECT FROM removals m WHERE m.peer_id = p.id
          AND NOT coalesce(m.server_id = p.server_id AND m.public_key IN (p.public_key, p.staged_key), false)),
  t.connectivity, (extract(epoch FROM t.connectivity_since) * 1000000)::bigint,
  (extract(epoch FROM t.last_handshake_at) * 1000000)::bigint,
  (extract(epoch FROM t.first_connected_at) * 1000000)::bigint
FROM peers p LEFT JOIN wanted_peers w ON w.id = p.id LEFT JOIN peer_runtime t ON t.peer_id = p.id
WHERE p.server_id = $1
  AND p.id IN (SELECT k.id FROM peers k WHERE k.public_key = ANY ($2::text[])
               UNION SELECT u.peer_id FROM used_keys u WHERE u.public_key = ANY ($2::text[]))
  AND (p.public_key = ANY ($2::text[]) OR p.staged_key = ANY ($2::text[]))
ORDER BY p.id;

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

-- name: delivery_drop_strays
-- Rows of keys that their peers have left: gone from here, and with them what they held of addresses.
DELETE FROM removals d USING peers p
WHERE d.server_id = $1 AND d.public_key = ANY ($2::text[]) AND p.id = d.peer_id
  AND NOT coalesce(p.server_id = d.server_id AND d.public_key IN (p.public_key, p.staged_key), false)
RETURNING d.network_id, d.address_offset, d.peer_id, d.public_key;

-- name: delivery_judge_again
-- Peers that are off, and were not called so as long as a key that they had left might stand somewhere: the last of these
-- is gone. A removal row makes their server look, under its own lock.
WITH again AS (
  INSERT INTO removals (server_id, public_key, peer_id)
  SELECT p.server_id, p.public_key, p.id FROM peers p
  WHERE p.id = ANY ($1::bigint[]) AND p.server_id IS NOT NULL AND p.public_key IS NOT NULL AND p.proven = ''
    AND p.applied_generation < p.generation AND p.entitlement NOT IN ('active', 'walled_garden')
    AND NOT EXISTS (SELECT FROM removals m WHERE m.peer_id = p.id)
  ON CONFLICT DO NOTHING RETURNING server_id)
UPDATE deliveries SET due = true, due_since = coalesce(due_since, now()) WHERE server_id IN (SELECT server_id FROM again);

-- name: delivery_hand_on_addresses
-- An address of a peer that may still have a key which it has left elsewhere comes back with that key's removal. Answers
-- the others.
WITH freed AS (
  SELECT *, row_number() OVER (PARTITION BY peer_id ORDER BY network_id, address_offset) AS place
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS r(network_id, address_offset, peer_id)),
others AS (
  SELECT o.server_id, o.public_key, o.peer_id,
    row_number() OVER (PARTITION BY o.peer_id ORDER BY o.created_at DESC, o.public_key) AS place
  FROM removals o JOIN peers p ON p.id = o.peer_id
  WHERE o.peer_id = ANY ($3::bigint[]) AND o.address_offset IS NULL
    AND NOT coalesce(o.server_id = p.server_id AND o.public_key IN (p.public_key, p.staged_key), false)),
handed_on AS (
  UPDATE removals m SET network_id = f.network_id, address_offset = f.address_offset
  FROM freed f JOIN others o ON o.peer_id = f.peer_id AND o.place = f.place
  WHERE m.server_id = o.server_id AND m.public_key = o.public_key
  RETURNING m.network_id, m.address_offset)
SELECT f.network_id, f.address_offset FROM freed f
WHERE (f.network_id, f.address_offset) NOT IN (SELECT network_id, address_offset FROM handed_on);

-- name: delivery_key_of_other
-- The server that has the interface with the key $2 (domain: refuse_by_others).
SELECT name FROM servers
WHERE id <> $1 AND word IS NOT NULL AND (state <> 'retired' OR (retired_word = '' AND retired_proven_at IS NULL))
  AND (public_key = $2 OR key_wanted = $2) ORDER BY id LIMIT 1;

-- name: delivery_learn_key
-- What was said of peers before had no key of their server's in it, and is said again.
WITH issued AS (
  INSERT INTO wider_fan_outs (kind, subject_id, cause)
  SELECT 'server', $1, $3 WHERE EXISTS (SELECT FROM peers WHERE server_id = $1)
  ON CONFLICT (kind, subject_id) DO UPDATE SET after_id = 0, cause = excluded.cause, started_at = now())
UPDATE servers SET public_key = $2, version = version + 1 WHERE id = $1 RETURNING version;

-- name: delivery_take_new_key
-- The host has the key that was wanted. All configurations with the old one are issued again.
WITH issued AS (
  INSERT INTO wider_fan_outs (kind, subject_id, cause) VALUES ('server', $1, $2)
  ON CONFLICT (kind, subject_id) DO UPDATE SET after_id = 0, cause = excluded.cause, started_at = now())
UPDATE servers SET public_key = key_wanted, key_wanted = '', key_since = clock_now(), version = version + 1
WHERE id = $1 AND key_wanted <> '' RETURNING version, public_key, (extract(epoch FROM key_since) * 1000000)::bigint;

-- name: delivery_done
-- $4: the saved file's hash, '' where nothing was read. $5: whether failures are forgotten; a reading that worked says
-- nothing about the push that failed, unless it leaves nothing to push. $6: how long to wait, where the host does not take what it is told. $7: more is to
-- be done than the peers' rows say. $8: what stands wrong all the same. $9: the walled are to be off. $10: something of that
-- more is urgent. $11: for how many pushes in a row the host has not shown the one that they were about. What stays urgent is as old as the oldest of what is left: the others are proven.
UPDATE deliveries d
SET in_doubt = false, worker_id = NULL, takes_push_no = false, not_shown = $11,
  proven_at = CASE WHEN $4 <> '' THEN now() ELSE d.proven_at END,
  file_hash = CASE WHEN $4 <> '' THEN $4 ELSE d.file_hash END,
  attempts = CASE WHEN $6 > 0 THEN d.attempts + 1 WHEN $5 OR NOT w.more THEN 0 ELSE d.attempts END,
  error_code = CASE WHEN $6 > 0 THEN 'proof_differs' WHEN $5 OR NOT w.more THEN $8 ELSE d.error_code END,
  error_message = CASE WHEN $6 > 0 THEN 'the host does not show what it was told'
    WHEN ($5 OR NOT w.more) AND $8 = '' THEN '' ELSE d.error_message END,
  next_attempt_at = now() + $6 * interval '1 millisecond',
  due = w.more, due_since = CASE WHEN w.more THEN now() END,
  urgent_since = CASE WHEN w.walled OR $10 THEN coalesce(d.urgent_since, now())
    WHEN w.removals THEN coalesce(greatest(d.urgent_since, w.oldest_removal), now()) END
FROM (SELECT r.removals, r.walled, (SELECT min(created_at) FROM removals WHERE server_id = $1) AS oldest_removal,
        $7 OR r.removals
        OR EXISTS (SELECT FROM wanted_peers
                   WHERE server_id = $1 AND generation > applied_generation AND entitlement IN ('active', 'walled_garden')
                     AND walled = (entitlement = 'walled_garden') AND delivery_error = '')
        OR EXISTS (SELECT FROM foreign_peers f JOIN deliveries o USING (server_id)
                   WHERE server_id = $1 AND f.state = 'removing' AND f.public_key <> ALL (o.own_way_keys))
        OR EXISTS (SELECT FROM deliveries
                   WHERE server_id = $1 AND (due_generation > $3 OR import_tenant_id IS NOT NULL)) AS more
      FROM (SELECT EXISTS (SELECT FROM due_removals WHERE server_id = $1)
              OR $9 AND EXISTS (
                SELECT FROM wanted_peers p JOIN deliveries o USING (server_id)
                WHERE server_id = $1 AND p.entitlement = 'walled_garden' AND p.walled AND p.public_key IS NOT NULL
                  AND p.proven IS DISTINCT FROM '' AND p.delivery_error <> 'own_way_cut'
                  AND NOT o.own_way_keys && ARRAY[p.public_key, p.staged_key]) AS removals,
              EXISTS (
              SELECT FROM wanted_peers WHERE server_id = $1 AND entitlement = 'walled_garden' AND walled
                AND generation > applied_generation AND applied_generation > 0 AND delivery_error = '') AS walled) r) w
WHERE d.server_id = $1 AND d.worker_id = $2::uuid
RETURNING d.due;

-- name: delivery_left
-- What a retired server still has: whether keys of ours may stand there, those of its strangers that wait for an approval,
-- all of its strangers, and why they wait. Whom an operator keeps is remembered without prefixes once he is away; the host
-- itself refuses its end where he is not.
SELECT EXISTS (SELECT FROM removals WHERE server_id = $1) OR EXISTS (SELECT FROM node_links WHERE server_id = $1)
    OR EXISTS (SELECT FROM wanted_peers WHERE server_id = $1),
  (SELECT count(*) FROM foreign_peers WHERE server_id = $1 AND state = 'held'),
  (SELECT count(*) FROM foreign_peers WHERE server_id = $1 AND NOT (state = 'kept' AND allowed_ips = '{}')),
  (SELECT guard_code FROM servers WHERE id = $1);

-- name: delivery_left_keys
-- Of ours that were to go, and go with the interface.
SELECT public_key FROM removals WHERE server_id = $1 ORDER BY public_key LIMIT $2;

-- name: delivery_hold_back
-- The next look is a reading again. Answers whether that says something new.
UPDATE deliveries d
SET in_doubt = true, worker_id = NULL, attempts = d.attempts + 1, error_code = $3, error_message = $4,
  next_attempt_at = now() + $5 * interval '1 millisecond'
FROM (SELECT error_code, error_message FROM deliveries WHERE server_id = $1) was
WHERE d.server_id = $1 AND d.worker_id = $2::uuid
RETURNING was.error_code <> $3 OR was.error_message <> $4;

-- name: delivery_retired
-- Nothing is due and nothing in doubt after the push that took everything down: that is the proof of its end, once.
WITH ended AS (
UPDATE servers v SET retired_proven_at = clock_now(), version = v.version + 1
FROM deliveries d
WHERE v.id = $1 AND d.server_id = v.id AND v.state = 'retired' AND v.retired_word = '' AND v.retired_proven_at IS NULL
  AND NOT d.due AND NOT d.in_doubt
  AND NOT EXISTS (SELECT FROM removals r WHERE r.server_id = v.id)
  AND NOT EXISTS (SELECT FROM node_links l WHERE l.server_id = v.id)
RETURNING v.id, v.version, v.retired_proven_at),
seen AS (UPDATE deliveries SET proven_at = now() WHERE server_id IN (SELECT id FROM ended))
SELECT version, (extract(epoch FROM retired_proven_at) * 1000000)::bigint FROM ended;

-- name: delivery_park_key
-- What the host refuses for ever is set aside, so that its neighbours go on; a change of the peer (after generation $4)
-- tries again.
UPDATE peers SET delivery_error = $3, version = version + 1
WHERE server_id = $1 AND (public_key = $2 OR staged_key = $2) AND delivery_error <> $3 AND generation <= $4
RETURNING id;

-- name: delivery_park_peers
-- Also such as were applied, and are not any more.
UPDATE peers
SET delivery_error = $2, version = version + 1, applied_generation = least(applied_generation, generation - 1)
WHERE id = ANY ($1::bigint[]) RETURNING id;

-- name: delivery_own_way
-- The worker itself comes to the host through the peer with this key: it is not removed for now.
UPDATE deliveries
SET own_way_keys = CASE WHEN $2 = ANY (own_way_keys) THEN own_way_keys ELSE own_way_keys || $2::text END, own_way_at = now()
WHERE server_id = $1;

-- name: delivery_retry_own_way
-- After $1 seconds: the worker may come another way by now.
UPDATE deliveries SET own_way_keys = '{}', own_way_at = NULL, due = true, due_since = coalesce(due_since, now())
WHERE server_id IN (
  SELECT server_id FROM deliveries WHERE own_way_at <= now() - $1 * interval '1 second' FOR NO KEY UPDATE SKIP LOCKED)
RETURNING server_id;

-- name: delivery_failed
-- $6: the push number that the host has seen, 0 where it does not say. It is taken over after `recover` alone.
UPDATE deliveries
SET attempts = attempts + 1, push_no = CASE WHEN takes_push_no THEN greatest(push_no, $6) ELSE push_no END, error_code = $3, error_message = $4, worker_id = NULL,
  next_attempt_at = now() + $5 * interval '1 millisecond'
WHERE server_id = $1 AND worker_id = $2::uuid;

-- A database that catches up with its audit topic. Nobody else works on it meanwhile.

-- name: halt_tail
-- Of these chain numbers: what the database has there.
SELECT r.chain_no, h.chain_no, encode(h.chain_hash, 'hex'), encode(a.chain_hash, 'hex')
FROM audit_head h CROSS JOIN unnest($1::bigint[]) AS r(chain_no) LEFT JOIN audit a ON a.chain_no = r.chain_no;

-- name: halt_published
SELECT published_no FROM audit_head;

-- name: halt_set
UPDATE installation SET halted_code = $1, halted_message = $2, halted_at = now() WHERE halted_code = '';

-- name: halt_wait
-- Whoever wrote has read this table (0011): they end first, and whoever comes later sees the stop.
LOCK TABLE installation IN ACCESS EXCLUSIVE MODE;

-- name: halt_replace
UPDATE installation SET halted_code = $1, halted_message = $2, halted_at = now();

-- name: halt_record_installation
UPDATE installation SET recorded = true WHERE NOT recorded
RETURNING id, (extract(epoch FROM created_at) * 1000000)::bigint, (extract(epoch FROM now() + clock_offset) * 1000000)::bigint;

-- name: recover_head
SELECT h.chain_no, encode(h.chain_hash, 'hex'),
  (SELECT to_char(a.at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM audit a WHERE a.chain_no = h.chain_no)
FROM audit_head h;

-- name: recover_is_empty
SELECT halted_code = 'rebuilding'
  OR NOT EXISTS (SELECT FROM tenants) AND NOT EXISTS (SELECT FROM servers) AND NOT EXISTS (SELECT FROM networks)
    AND NOT EXISTS (SELECT FROM peers) AND NOT EXISTS (SELECT FROM inbox) AND NOT EXISTS (SELECT FROM audit)
FROM installation;

-- name: fold_lock
SELECT chain_no, encode(chain_hash, 'hex') FROM audit_head FOR UPDATE;

-- name: fold_clock_now
SELECT (extract(epoch FROM clock_offset) * 1000000)::bigint FROM installation;

-- name: fold_clock
-- Sets the clock by which things are decided to when they were.
UPDATE installation SET clock_offset = to_timestamp($1::bigint / 1000000.0) - now();

-- name: fold_clock_back
UPDATE installation SET clock_offset = $1::bigint * interval '1 microsecond';

-- name: fold_known
-- What the database holds already of these entries, without their numbers: a replica took over that has the decision, and
-- not yet its place in the chain.
UPDATE audit a SET chain_no = r.chain_no, chain_hash = decode(r.chain_hash, 'hex')
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
            $10::text[])
  AS r(at, source, event_id, event_type, key, outcome, code, body, chain_no, chain_hash)
WHERE a.chain_no IS NULL AND a.source = r.source AND a.event_id = r.event_id AND a.event_type = r.event_type
  AND a.at = r.at::timestamptz AND a.key = r.key AND a.outcome = r.outcome AND a.code = r.code AND a.body = r.body
RETURNING r.chain_no;

-- name: fold_audit
INSERT INTO audit (at, source, event_id, event_type, key, outcome, code, body, chain_no, chain_hash)
SELECT at::timestamptz, source, event_id, event_type, key, outcome, code, body, chain_no, decode(chain_hash, 'hex')
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
            $10::text[])
  AS r(at, source, event_id, event_type, key, outcome, code, body, chain_no, chain_hash)
ORDER BY chain_no;

-- name: fold_head
UPDATE audit_head SET chain_no = $1, chain_hash = decode($2, 'hex'), published_no = $1;

-- name: fold_named
-- Rows of a kind, by their ids. Each statement makes those that are not there, and answers those whose id or name belongs to
-- another row: two subjects are never made one.
r AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS r(id, tenant_id, name))

-- name: fold_tenants
WITH @fold_named@,
made AS (
  INSERT INTO tenants (id, name, created_at) OVERRIDING SYSTEM VALUE
  SELECT id, name, to_timestamp($4::bigint / 1000000.0) FROM r
  ON CONFLICT DO NOTHING RETURNING id)
SELECT r.id, r.name FROM r LEFT JOIN made USING (id) LEFT JOIN tenants t ON t.id = r.id AND t.name = r.name
WHERE made.id IS NULL AND t.id IS NULL;

-- name: fold_customers
WITH @fold_named@,
made AS (
  INSERT INTO customers (id, tenant_id, name, created_at) OVERRIDING SYSTEM VALUE
  SELECT id, tenant_id, name, to_timestamp($4::bigint / 1000000.0) FROM r
  ON CONFLICT DO NOTHING RETURNING id)
SELECT r.id, r.name FROM r LEFT JOIN made USING (id)
LEFT JOIN customers t ON t.id = r.id AND t.tenant_id = r.tenant_id AND t.name = r.name
WHERE made.id IS NULL AND t.id IS NULL;

-- name: fold_subscribers
WITH @fold_named@,
made AS (
  INSERT INTO subscribers (id, tenant_id, name, created_at) OVERRIDING SYSTEM VALUE
  SELECT id, tenant_id, name, to_timestamp($4::bigint / 1000000.0) FROM r
  ON CONFLICT DO NOTHING RETURNING id)
SELECT r.id, r.name FROM r LEFT JOIN made USING (id)
LEFT JOIN subscribers t ON t.id = r.id AND t.tenant_id = r.tenant_id AND t.name = r.name
WHERE made.id IS NULL AND t.id IS NULL;

-- name: fold_networks
WITH @fold_named@,
made AS (
  INSERT INTO networks (id, name, created_at) OVERRIDING SYSTEM VALUE
  SELECT id, name, to_timestamp($4::bigint / 1000000.0) FROM r
  ON CONFLICT DO NOTHING RETURNING id)
SELECT r.id, r.name FROM r LEFT JOIN made USING (id) LEFT JOIN networks t ON t.id = r.id AND t.name = r.name
WHERE made.id IS NULL AND t.id IS NULL;

-- name: fold_meshes
WITH @fold_named@,
made AS (
  INSERT INTO meshes (id, name) OVERRIDING SYSTEM VALUE
  SELECT id, name FROM r WHERE $4::bigint > 0
  ON CONFLICT DO NOTHING RETURNING id)
SELECT r.id, r.name FROM r LEFT JOIN made USING (id) LEFT JOIN meshes t ON t.id = r.id AND t.name = r.name
WHERE made.id IS NULL AND t.id IS NULL;

-- name: fold_servers
WITH @fold_named@,
made AS (
  INSERT INTO servers (id, name, created_at, updated_at) OVERRIDING SYSTEM VALUE
  SELECT id, name, to_timestamp($4::bigint / 1000000.0), to_timestamp($4::bigint / 1000000.0) FROM r
  ON CONFLICT DO NOTHING RETURNING id),
delivered AS (INSERT INTO deliveries (server_id) SELECT id FROM made)
SELECT r.id, r.name FROM r LEFT JOIN made USING (id) LEFT JOIN servers t ON t.id = r.id AND t.name = r.name
WHERE made.id IS NULL AND t.id IS NULL;

-- name: fold_peers
WITH @fold_named@,
made AS (
  INSERT INTO peers (id, tenant_id, name, created_at, changed_at) OVERRIDING SYSTEM VALUE
  SELECT id, tenant_id, name, to_timestamp($4::bigint / 1000000.0), to_timestamp($4::bigint / 1000000.0) FROM r
  ON CONFLICT DO NOTHING RETURNING id)
SELECT r.id, r.name FROM r LEFT JOIN made USING (id)
LEFT JOIN peers t ON t.id = r.id AND t.tenant_id = r.tenant_id AND t.name = r.name
WHERE made.id IS NULL AND t.id IS NULL;

-- name: fold_rules
WITH @fold_named@,
made AS (
  INSERT INTO access_rules (id, tenant_id, name) OVERRIDING SYSTEM VALUE
  SELECT id, tenant_id, name FROM r WHERE $4::bigint > 0
  ON CONFLICT DO NOTHING RETURNING id)
SELECT r.id, r.name FROM r LEFT JOIN made USING (id)
LEFT JOIN access_rules t ON t.id = r.id AND t.tenant_id = r.tenant_id AND t.name = r.name
WHERE made.id IS NULL AND t.id IS NULL;

-- name: fold_inbox
INSERT INTO inbox (source, id, payload_hash, read_at)
SELECT source, id, decode(hash, 'hex'), to_timestamp($4::bigint / 1000000.0)
FROM unnest($1::text[], $2::text[], $3::text[]) AS r(source, id, hash) ON CONFLICT DO NOTHING;

-- name: fold_positions
-- The log may hold more behind them; how far intake has caught up is not known any more.
INSERT INTO intake AS i (topic, partition, next_offset, last_time, last_offset, last_hash)
SELECT topic, partition, next_offset, to_timestamp(last_us / 1000000.0), next_offset - 1, decode(last_hash, 'hex')
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::text[])
  AS r(topic, partition, next_offset, last_us, last_hash)
ON CONFLICT (topic, partition) DO UPDATE
SET next_offset = excluded.next_offset, last_time = excluded.last_time, last_offset = excluded.last_offset,
  last_hash = excluded.last_hash, caught_up_at = NULL, updated_at = now()
WHERE excluded.next_offset > i.next_offset;

-- name: fold_replayed
UPDATE dead_letters SET state = 'replayed', settled_at = clock_now()
WHERE topic = $1 AND partition = $2 AND message_offset = $3;

-- name: fold_fan_out_moved
UPDATE fan_outs SET after_peer_id = $2 WHERE subscriber_id = $1;

-- name: fold_wider_moved
UPDATE wider_fan_outs SET after_id = $3 WHERE kind = $1 AND subject_id = $2;

-- name: fold_wider_done
DELETE FROM wider_fan_outs WHERE kind = $1 AND subject_id = $2;

-- name: fold_dead_letter
INSERT INTO dead_letters
  (topic, partition, message_offset, broker_time, source, event_id, event_type, code, message, sealed, kept, tenant, subjects,
   blocks, created_at)
VALUES ($1, $2, $3, to_timestamp($4::bigint / 1000000.0), $5, $6, $7, $8, $9, decode($10, 'hex'), $11, $12, $13::text[],
        $14, clock_now())
ON CONFLICT (topic, partition, message_offset) DO NOTHING;

-- name: fold_letter_ordered
UPDATE dead_letters SET state = $4, settled_at = CASE WHEN $4 = 'discarded' THEN clock_now() END
WHERE topic = $1 AND partition = $2 AND message_offset = $3;

-- name: fold_retired
UPDATE servers SET retired_proven_at = to_timestamp($2::bigint / 1000000.0) WHERE id = $1 AND state = 'retired';

-- name: fold_kept_key
INSERT INTO foreign_peers (server_id, public_key, allowed_ips, state) VALUES ($1, $2, '{}', 'kept')
ON CONFLICT (server_id, public_key) DO UPDATE SET state = excluded.state;

-- name: fold_approved_key
-- Where nothing holds it any more, whoever sees it there is asked again.
UPDATE foreign_peers SET state = 'removing' WHERE server_id = $1 AND public_key = $2 AND state = 'held';

-- name: fold_allocated_otherwise
-- Who holds the address, or what the peer holds, though nobody did when it was allocated.
SELECT p.id, network_address(n.net4, n.net6, p.address_offset)
FROM peers p JOIN networks n ON n.id = p.network_id
WHERE p.network_id = $2 AND p.address_offset = $3 AND p.id <> $1
  OR p.id = $1 AND p.address_offset IS NOT NULL AND (p.network_id, p.address_offset) <> ($2, $3);

-- name: fold_allocated
-- As wg_allocate_ip did it.
WITH held AS (UPDATE peers SET network_id = $2, address_offset = $3 WHERE id = $1),
counter AS (UPDATE networks SET next_offset = $4 WHERE id = $2),
taken AS (
  DELETE FROM network_free f USING network_free t
  WHERE t.network_id = $2 AND t.address_offset = $3 AND f.network_id = $2
    AND (f.available_at, f.address_offset) <= (t.available_at, t.address_offset))
INSERT INTO address_periods (network_id, address_offset, peer_id, from_at) VALUES ($2, $3, $1, clock_now())
ON CONFLICT (network_id, address_offset, from_at) DO UPDATE SET peer_id = excluded.peer_id, until_at = NULL;

-- name: fold_released
UPDATE peers SET network_id = NULL, address_offset = NULL WHERE id = $1;

-- name: fold_pool
INSERT INTO networks (id, name, net4, reserved, next_offset, quarantine_seconds, word, created_at) OVERRIDING SYSTEM VALUE
VALUES ($1, $2, $3::cidr, $4::bigint[], $5, $6, $7, clock_now())
ON CONFLICT (id) DO UPDATE
SET net4 = excluded.net4, reserved = excluded.reserved, next_offset = excluded.next_offset,
  quarantine_seconds = excluded.quarantine_seconds, word = excluded.word;

-- name: fold_installation
UPDATE installation SET id = $1::uuid, created_at = to_timestamp($2::bigint / 1000000.0), recorded = true;

-- name: fold_given_up
WITH held AS (SELECT id, network_id, address_offset FROM peers WHERE id = ANY ($1::bigint[]) AND address_offset IS NOT NULL),
cleared AS (UPDATE peers p SET address_offset = NULL FROM held h WHERE p.id = h.id)
SELECT network_id, address_offset, id FROM held;

-- name: recover_installation
SELECT recorded FROM installation;

-- name: recover_publish_anew
UPDATE audit_head SET published_no = 0;

-- name: recover_sequences
-- Ids that were kept are passed.
SELECT setval(pg_get_serial_sequence(t.name, 'id'), greatest(t.top, 1), t.top > 0)
FROM (SELECT 'tenants' AS name, coalesce(max(id), 0) AS top FROM tenants
      UNION ALL SELECT 'customers', coalesce(max(id), 0) FROM customers
      UNION ALL SELECT 'subscribers', coalesce(max(id), 0) FROM subscribers
      UNION ALL SELECT 'networks', coalesce(max(id), 0) FROM networks
      UNION ALL SELECT 'meshes', coalesce(max(id), 0) FROM meshes
      UNION ALL SELECT 'servers', coalesce(max(id), 0) FROM servers
      UNION ALL SELECT 'peers', coalesce(max(id), 0) FROM peers
      UNION ALL SELECT 'access_rules', coalesce(max(id), 0) FROM access_rules) t;

-- name: recover_removals
-- Every key that must not stand on a host and may: its absence is to be proven.
WITH made AS (
  INSERT INTO removals (server_id, public_key, peer_id)
  SELECT p.server_id, k.public_key, p.id
  FROM peers p JOIN servers v ON v.id = p.server_id CROSS JOIN LATERAL (VALUES (p.public_key), (p.staged_key)) AS k(public_key)
  WHERE p.stage IN ('provisioned', 'revoked') AND k.public_key IS NOT NULL
    AND NOT (v.state = 'retired' AND (v.retired_word <> '' OR v.retired_proven_at IS NOT NULL))
    AND NOT EXISTS (SELECT FROM wanted_peers w WHERE w.id = p.id)
  ON CONFLICT DO NOTHING RETURNING 1)
SELECT (SELECT count(*) FROM removals) + (SELECT count(*) FROM made); -- the first does not see the second

-- name: recover_peers
-- Each may be a part of a push that the database has forgotten. What was said of it since is passed by the versions.
UPDATE peers SET proven = NULL, delivery_error = '', version = version + $1 WHERE version > 0 OR server_id IS NOT NULL;

-- name: recover_versions
WITH t AS (UPDATE tenants SET version = version + $1 WHERE version > 0),
c AS (UPDATE customers SET version = version + $1 WHERE version > 0),
s AS (UPDATE subscribers SET version = version + $1 WHERE version > 0),
m AS (UPDATE meshes SET version = version + $1 WHERE version > 0)
UPDATE servers SET version = version + $1 WHERE version > 0;

-- name: recover_links
-- Unknown, and these keys may stand there.
UPDATE node_links
SET proven = '? ' || CASE
      WHEN proven LIKE '? %' THEN substr(proven, 3) || ' ' || public_key
      WHEN split_part(coalesce(proven, ''), ' ', 1) IN ('', public_key) THEN public_key
      ELSE split_part(proven, ' ', 1) || ' ' || public_key END,
  refused_generation = 0, resolve = endpoint <> ''
WHERE public_key <> '';

-- name: recover_deliveries
-- Nothing is delivered to a server that has ended; but it may be registered again, where a host has seen more numbers.
WITH ended AS (
  UPDATE deliveries d SET push_no = d.push_no + 1, takes_push_no = true FROM servers v
  WHERE v.id = d.server_id AND v.state = 'retired' AND (v.retired_word <> '' OR v.retired_proven_at IS NOT NULL))
UPDATE deliveries d
SET in_doubt = true, due = true, due_since = coalesce(d.due_since, now()), push_no = d.push_no + 1, takes_push_no = true,
  urgent_since = CASE WHEN EXISTS (SELECT FROM removals r WHERE r.server_id = d.server_id) THEN coalesce(d.urgent_since, now()) END,
  next_attempt_at = now(), attempts = 0, error_code = '', error_message = '', worker_id = NULL, firewall_known = false,
  firewall_refused = ''
FROM servers v
WHERE v.id = d.server_id AND v.word IS NOT NULL
  AND NOT (v.state = 'retired' AND (v.retired_word <> '' OR v.retired_proven_at IS NOT NULL));

-- name: recover_say_again
-- Statuses that were lost with the outbox: all configurations are said once more.
INSERT INTO wider_fan_outs (kind, subject_id, cause)
SELECT 'server', v.id, $1 FROM servers v WHERE v.word IS NOT NULL AND EXISTS (SELECT FROM peers p WHERE p.server_id = v.id)
ON CONFLICT (kind, subject_id) DO UPDATE SET after_id = 0, cause = excluded.cause, started_at = now();

-- name: recover_topics
-- Nothing is caught up; what is no topic of events any more keeps nobody waiting. A partition of which the audit says
-- nothing begins where the log does.
WITH known AS (
  INSERT INTO intake_topics (topic, first_partitions) SELECT topic, 2147483647 FROM unnest($1::text[]) AS r(topic)
  ON CONFLICT DO NOTHING)
UPDATE intake SET caught_up_at = CASE WHEN topic <> ALL ($1::text[]) THEN now() END;

-- name: recover_leases
UPDATE leases SET worker_id = NULL;

-- name: recover_lift
UPDATE installation SET halted_code = '', halted_message = '', halted_at = NULL;

-- name: digest_columns
SELECT c.table_name, c.column_name
FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position;

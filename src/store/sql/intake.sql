-- The statements of the batch transaction, in the order in which it runs them. $n::type[] parameters are columns: the
-- rows of one batch, side by side.

-- name: intake_clock
-- The transaction's one clock, how far it is ahead of the brokers' (a test or a rehearsal set that), and whether an event
-- is kept for a newer version.
SELECT (extract(epoch FROM now() + clock_offset) * 1000000)::bigint, (extract(epoch FROM clock_offset) * 1000000)::bigint,
  EXISTS (SELECT FROM dead_letters WHERE kept AND blocks AND state IN ('open', 'replay'))
FROM installation;

-- name: intake_lock_partitions
-- With what intake_clock answers.
SELECT i.topic, i.partition, i.next_offset, coalesce((extract(epoch FROM nullif(i.last_time, '-infinity')) * 1000000)::bigint, 0),
  (extract(epoch FROM now() + c.clock_offset) * 1000000)::bigint, (extract(epoch FROM c.clock_offset) * 1000000)::bigint,
  EXISTS (SELECT FROM dead_letters WHERE kept AND blocks AND state IN ('open', 'replay'))
FROM intake i JOIN unnest($1::text[], $2::integer[]) AS r(topic, partition) USING (topic, partition)
CROSS JOIN installation c
ORDER BY i.topic, i.partition
FOR NO KEY UPDATE OF i;

-- name: intake_move_partitions
UPDATE intake i
SET next_offset = r.next_offset, last_time = to_timestamp(r.last_us / 1000000.0), updated_at = now(),
  last_offset = r.next_offset - 1, last_hash = decode(r.last_hash, 'hex')
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
  AS r(topic, partition, expected, next_offset, last_us, last_hash)
WHERE i.topic = r.topic AND i.partition = r.partition AND i.next_offset = r.expected AND r.next_offset > r.expected;

-- name: intake_inbox_insert
-- Answers the new ones alone. Sorted, so that two workers with the same events wait for each other instead of locking up.
INSERT INTO inbox (source, id, payload_hash)
SELECT source, id, decode(hash, 'hex') FROM unnest($1::text[], $2::text[], $3::text[]) AS r(source, id, hash)
ORDER BY source, id
ON CONFLICT DO NOTHING
RETURNING source, id;

-- name: intake_inbox_known
SELECT source, id, encode(payload_hash, 'hex')
FROM inbox JOIN unnest($1::text[], $2::text[]) AS r(source, id) USING (source, id);

-- name: intake_guard_keys_shared
-- Whoever gives a key to a peer: nobody stages one, or names a node's, meanwhile.
LOCK TABLE used_keys IN ROW SHARE MODE;

-- name: intake_guard_keys
-- Whoever stages a key, names those of nodes, or places a server: nobody gives a key, or places one, meanwhile.
LOCK TABLE used_keys IN EXCLUSIVE MODE;

-- name: intake_tenants_insert
INSERT INTO tenants (name)
SELECT name FROM unnest($1::text[]) AS r(name)
WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.name = r.name)
ORDER BY name
ON CONFLICT DO NOTHING
RETURNING id;

-- name: intake_tenants_lock
SELECT @tenant_columns@ FROM tenants t WHERE t.name = ANY ($1::text[]) ORDER BY t.id FOR NO KEY UPDATE;

-- name: intake_tenants
SELECT @tenant_columns@ FROM tenants t WHERE t.name = ANY ($1::text[]);

-- name: intake_customers_insert
INSERT INTO customers (tenant_id, name)
SELECT tenant_id, name FROM unnest($1::bigint[], $2::text[]) AS r(tenant_id, name)
WHERE NOT EXISTS (SELECT FROM customers c WHERE c.tenant_id = r.tenant_id AND c.name = r.name)
ORDER BY tenant_id, name
ON CONFLICT DO NOTHING
RETURNING id;

-- name: intake_subscribers_insert
INSERT INTO subscribers (tenant_id, name)
SELECT tenant_id, name FROM unnest($1::bigint[], $2::text[]) AS r(tenant_id, name)
WHERE NOT EXISTS (SELECT FROM subscribers s WHERE s.tenant_id = r.tenant_id AND s.name = r.name)
ORDER BY tenant_id, name
ON CONFLICT DO NOTHING
RETURNING id;

-- name: intake_networks_insert
INSERT INTO networks (name)
SELECT name FROM unnest($1::text[]) AS r(name)
WHERE NOT EXISTS (SELECT FROM networks n WHERE n.name = r.name)
ORDER BY name
ON CONFLICT DO NOTHING
RETURNING id;

-- name: intake_meshes_insert
INSERT INTO meshes (name)
SELECT name FROM unnest($1::text[]) AS r(name)
WHERE NOT EXISTS (SELECT FROM meshes m WHERE m.name = r.name)
ORDER BY name
ON CONFLICT DO NOTHING
RETURNING id;

-- name: intake_servers_insert
WITH made AS (
  INSERT INTO servers (name)
  SELECT name FROM unnest($1::text[]) AS r(name)
  WHERE NOT EXISTS (SELECT FROM servers s WHERE s.name = r.name)
  ORDER BY name
  ON CONFLICT DO NOTHING
  RETURNING id)
INSERT INTO deliveries (server_id) SELECT id FROM made RETURNING server_id;

-- name: intake_peers_insert
INSERT INTO peers (tenant_id, name)
SELECT tenant_id, name FROM unnest($1::bigint[], $2::text[]) AS r(tenant_id, name)
WHERE NOT EXISTS (SELECT FROM peers p WHERE p.tenant_id = r.tenant_id AND p.name = r.name)
ORDER BY tenant_id, name
ON CONFLICT DO NOTHING
RETURNING id;

-- name: intake_rules_insert
INSERT INTO access_rules (tenant_id, name)
SELECT tenant_id, name FROM unnest($1::bigint[], $2::text[]) AS r(tenant_id, name)
WHERE NOT EXISTS (SELECT FROM access_rules a WHERE a.tenant_id = r.tenant_id AND a.name = r.name)
ORDER BY tenant_id, name
ON CONFLICT DO NOTHING
RETURNING id;

-- name: intake_customers_find
SELECT c.id FROM customers c JOIN unnest($1::bigint[], $2::text[]) AS r(tenant_id, name) USING (tenant_id, name);

-- name: intake_subscribers_find
-- Those that are named, and those that peers belong to ($3).
SELECT s.id, s.customer_id
FROM subscribers s JOIN unnest($1::bigint[], $2::text[]) AS r(tenant_id, name) USING (tenant_id, name)
UNION ALL
SELECT s.id, s.customer_id FROM subscribers s WHERE s.id = ANY ($3::bigint[]);

-- name: intake_networks_find
SELECT id FROM networks WHERE name = ANY ($1::text[]);

-- name: intake_meshes_find
-- With the servers that are in them now, and those that still have entries of them.
SELECT m.id, NULL::bigint FROM meshes m WHERE m.name = ANY ($1::text[])
UNION ALL SELECT m.id, s.server_id FROM meshes m, @servers_of_mesh@ WHERE m.name = ANY ($1::text[]);

-- name: intake_servers_find
SELECT id, network_id FROM servers WHERE name = ANY ($1::text[]) OR id = ANY ($2::bigint[]);

-- name: intake_servers_beside
-- Not locked: whoever places a server holds intake_guard_keys.
SELECT @server_columns@ FROM servers v
WHERE v.word IS NOT NULL AND (v.ssh_host = ANY ($1::text[]) OR v.public_key = ANY ($2::text[]) OR v.key_wanted = ANY ($2::text[]));

-- name: intake_region_find
-- The least used servers of a region that a tenant may use, those with room first. One that takes nobody shows at least
-- that there is the region.
SELECT r.region, v.id
FROM unnest($1::text[], $2::bigint[], $3::integer[]) AS r(region, tenant_id, most)
CROSS JOIN LATERAL (
  SELECT v.id FROM servers v
  WHERE v.region = r.region AND v.word IS NOT NULL AND v.state <> 'retired'
    AND (v.owner_tenant_id IS NULL OR v.owner_tenant_id = r.tenant_id)
  ORDER BY v.state <> 'active', v.peer_count >= v.max_peers, v.peer_count::numeric / greatest(v.max_peers, 1), v.id
  LIMIT r.most) v;

-- name: intake_rules_find
SELECT a.id, a.source_peer_id, a.dest_peer_id
FROM access_rules a JOIN unnest($1::bigint[], $2::text[]) AS r(tenant_id, name) USING (tenant_id, name);

-- name: intake_peers_find
-- What the named peers point to decides what is locked before them; it is looked at again once they are locked. An adopted
-- peer is named by its key too ($4, $5).
SELECT p.id, p.subscriber_id, p.server_id, p.network_id
FROM peers p JOIN unnest($1::bigint[], $2::text[]) AS r(tenant_id, name) USING (tenant_id, name)
UNION ALL
SELECT p.id, p.subscriber_id, p.server_id, p.network_id FROM peers p WHERE p.id = ANY ($3::bigint[])
UNION ALL
SELECT p.id, p.subscriber_id, p.server_id, p.network_id
FROM peers p JOIN unnest($4::bigint[], $5::text[]) AS r(tenant_id, public_key) USING (tenant_id, public_key)
WHERE p.adopted;

-- name: intake_keys_taken
-- By whomever, for ever: a key stands for one party, wherever it stood. With the adopted peer and its tenant, for it can
-- be claimed.
SELECT public_key, CASE WHEN adopted THEN id END, CASE WHEN adopted THEN tenant_id END
FROM peers WHERE public_key = ANY ($1::text[])
UNION SELECT public_key, NULL::bigint, NULL::bigint FROM used_keys WHERE public_key = ANY ($1::text[])
UNION SELECT public_key, NULL, NULL FROM servers WHERE public_key = ANY ($1::text[])
UNION SELECT key_wanted, NULL, NULL FROM servers WHERE key_wanted = ANY ($1::text[])
UNION SELECT public_key, NULL, NULL FROM node_links WHERE public_key = ANY ($1::text[]);

-- name: intake_positions
SELECT topic, partition, next_offset
FROM intake JOIN unnest($1::text[], $2::integer[]) AS r(topic, partition) USING (topic, partition);

-- name: intake_first_sight
INSERT INTO intake_topics (topic, first_partitions) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: intake_begin
INSERT INTO intake (topic, partition, next_offset)
SELECT $1, $2::integer, CASE WHEN $2::integer < first_partitions THEN $3::bigint ELSE 0 END
FROM intake_topics WHERE topic = $1
ON CONFLICT DO NOTHING;

-- name: intake_begun
SELECT next_offset FROM intake WHERE topic = $1 AND partition = $2;

-- name: intake_cluster
UPDATE installation SET kafka_cluster_id = coalesce(kafka_cluster_id, $1) RETURNING kafka_cluster_id;

-- name: intake_marks
-- How far intake has caught up: every end that was asked for at that time was passed, and all before it is committed.
UPDATE intake i SET caught_up_at = greatest(i.caught_up_at, to_timestamp(r.asked_us / 1000000.0))
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[]) AS r(topic, partition, next_offset, asked_us)
WHERE i.topic = r.topic AND i.partition = r.partition AND i.next_offset = r.next_offset;

-- name: intake_partitions_seen
UPDATE intake_topics t SET partitions = r.partitions FROM unnest($1::text[], $2::integer[]) AS r(topic, partitions)
WHERE t.topic = r.topic AND t.partitions <> r.partitions;

-- name: intake_last_message
SELECT last_offset, encode(last_hash, 'hex') FROM intake WHERE topic = $1 AND partition = $2 AND last_hash IS NOT NULL;

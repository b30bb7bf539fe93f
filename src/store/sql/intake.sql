-- The statements of the batch transaction, in the order in which it runs them. $n::type[] parameters are columns: the
-- rows of one batch, side by side.

-- name: intake_now
-- The transaction's one clock.
SELECT (extract(epoch FROM now()) * 1000000)::bigint;

-- name: intake_lock_partitions
SELECT i.topic, i.partition, i.next_offset, coalesce((extract(epoch FROM nullif(i.last_time, '-infinity')) * 1000000)::bigint, 0)
FROM intake i JOIN unnest($1::text[], $2::integer[]) AS r(topic, partition) USING (topic, partition)
ORDER BY i.topic, i.partition
FOR NO KEY UPDATE OF i;

-- name: intake_move_partitions
UPDATE intake i
SET next_offset = r.next_offset, last_time = to_timestamp(r.last_us / 1000000.0), updated_at = now()
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[])
  AS r(topic, partition, expected, next_offset, last_us)
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

-- name: intake_tenants_insert
INSERT INTO tenants (name)
SELECT name FROM unnest($1::text[]) AS r(name)
WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.name = r.name)
ORDER BY name
ON CONFLICT DO NOTHING;

-- name: intake_tenants
SELECT id, name FROM tenants WHERE name = ANY ($1::text[]);

-- name: intake_subscribers_insert
INSERT INTO subscribers (tenant_id, name)
SELECT tenant_id, name FROM unnest($1::bigint[], $2::text[]) AS r(tenant_id, name)
WHERE NOT EXISTS (SELECT FROM subscribers s WHERE s.tenant_id = r.tenant_id AND s.name = r.name)
ORDER BY tenant_id, name
ON CONFLICT DO NOTHING;

-- name: intake_networks_insert
INSERT INTO networks (name)
SELECT name FROM unnest($1::text[]) AS r(name)
WHERE NOT EXISTS (SELECT FROM networks n WHERE n.name = r.name)
ORDER BY name
ON CONFLICT DO NOTHING;

-- name: intake_servers_insert
WITH made AS (
  INSERT INTO servers (name)
  SELECT name FROM unnest($1::text[]) AS r(name)
  WHERE NOT EXISTS (SELECT FROM servers s WHERE s.name = r.name)
  ORDER BY name
  ON CONFLICT DO NOTHING
  RETURNING id)
INSERT INTO deliveries (server_id) SELECT id FROM made;

-- name: intake_peers_insert
INSERT INTO peers (tenant_id, name)
SELECT tenant_id, name FROM unnest($1::bigint[], $2::text[]) AS r(tenant_id, name)
WHERE NOT EXISTS (SELECT FROM peers p WHERE p.tenant_id = r.tenant_id AND p.name = r.name)
ORDER BY tenant_id, name
ON CONFLICT DO NOTHING;

-- name: intake_subscribers_find
SELECT s.id FROM subscribers s JOIN unnest($1::bigint[], $2::text[]) AS r(tenant_id, name) USING (tenant_id, name);

-- name: intake_networks_find
SELECT id FROM networks WHERE name = ANY ($1::text[]);

-- name: intake_servers_find
SELECT id, network_id FROM servers WHERE name = ANY ($1::text[]) OR id = ANY ($2::bigint[]);

-- name: intake_peers_find
-- What the named peers point to decides what is locked before them; it is compared again once they are locked.
SELECT p.id, p.subscriber_id, p.server_id, p.network_id
FROM peers p JOIN unnest($1::bigint[], $2::text[]) AS r(tenant_id, name) USING (tenant_id, name);

-- name: intake_keys_taken
SELECT public_key FROM peers WHERE public_key = ANY ($1::text[]);

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

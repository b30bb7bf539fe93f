-- Timers: what falls due, and whether it may be decided already.

-- name: timers_mark
-- Up to when intake has caught up everywhere, null where a partition has not, or was never seen; and whether a message
-- that could not be executed may concern anybody.
WITH parts AS (
  SELECT t.topic, coalesce(x.partitions, 0) AS partitions, g.partition
  FROM unnest($1::text[]) AS t(topic) LEFT JOIN intake_topics x ON x.topic = t.topic
  CROSS JOIN LATERAL generate_series(0, greatest(coalesce(x.partitions, 0), 1) - 1) AS g(partition))
SELECT CASE WHEN bool_and(p.partitions > 0 AND i.caught_up_at IS NOT NULL)
            THEN (extract(epoch FROM min(i.caught_up_at)) * 1000000)::bigint END,
  EXISTS (SELECT FROM dead_letters WHERE state IN ('open', 'replay') AND blocks AND tenant = '' AND subjects = '{}')
FROM parts p LEFT JOIN intake i ON i.topic = p.topic AND i.partition = p.partition;

-- name: timers_due
-- $1: what takes something away must have fallen due by then (microseconds). A quota is judged by figures that only grow,
-- and a rotation takes nothing away: they wait for nobody.
SELECT t.kind, t.subject_id, t.owner, (extract(epoch FROM t.due_at) * 1000000)::bigint
FROM timers t
CROSS JOIN LATERAL (
  SELECT e.name AS tenant, ARRAY['peer/' || p.name, 'subscriber/' || s.name, 'customer/' || c.name] AS subjects
  FROM peers p JOIN tenants e ON e.id = p.tenant_id
  LEFT JOIN subscribers s ON s.id = p.subscriber_id LEFT JOIN customers c ON c.id = s.customer_id
  WHERE t.kind NOT IN ('hold_customer', 'hold_subscriber') AND p.id = t.subject_id
  UNION ALL
  SELECT e.name, ARRAY['subscriber/' || s.name, 'customer/' || c.name]
  FROM subscribers s JOIN tenants e ON e.id = s.tenant_id LEFT JOIN customers c ON c.id = s.customer_id
  WHERE t.kind = 'hold_subscriber' AND s.id = t.subject_id
  UNION ALL
  SELECT e.name, ARRAY['customer/' || c.name] FROM customers c JOIN tenants e ON e.id = c.tenant_id
  WHERE t.kind = 'hold_customer' AND c.id = t.subject_id) n
WHERE t.due_at <= clock_now()
  AND (t.kind IN ('quota', 'rotation')
       OR (t.due_at <= to_timestamp($1::bigint / 1000000.0)
           AND NOT EXISTS (
             SELECT FROM dead_letters d
             WHERE d.state IN ('open', 'replay') AND d.blocks AND d.tenant = n.tenant
               AND (d.subjects = '{}' OR d.subjects && n.subjects))))
ORDER BY t.due_at, t.kind, t.subject_id, t.owner LIMIT $2;

-- name: timers_peers
SELECT id, tenant_id, subscriber_id, server_id, network_id FROM peers WHERE id = ANY ($1::bigint[]);

-- name: timers_subjects
SELECT tenant_id FROM subscribers WHERE id = ANY ($1::bigint[])
UNION SELECT tenant_id FROM customers WHERE id = ANY ($2::bigint[]);

-- name: timers_again
-- As they stand now that their subjects are locked. One that was set to a later time meanwhile is another one: whether
-- intake has caught up past that time was not judged.
SELECT t.kind, t.subject_id, t.owner, (extract(epoch FROM t.due_at) * 1000000)::bigint
FROM timers t JOIN unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[]) AS r(kind, subject_id, owner, due_us)
  USING (kind, subject_id, owner)
WHERE (extract(epoch FROM t.due_at) * 1000000)::bigint <= r.due_us ORDER BY t.due_at, t.kind, t.subject_id, t.owner;

-- name: timers_usage
SELECT peer_id, rx_bytes + tx_bytes FROM peer_runtime WHERE peer_id = ANY ($1::bigint[]);

-- name: timers_postpone
UPDATE timers SET due_at = clock_now() + interval '1 minute' WHERE kind = $1 AND subject_id = $2 AND owner = $3;

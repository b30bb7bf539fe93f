-- What people ask: read-only, in pages.

-- name: query_read_only
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: query_peers
-- The columns of lock_peers, then names. Tenant by tenant, so that each page is a walk along the index of their peers.
SELECT p.id, p.tenant_id, p.name, p.stage, p.entitlement, p.subscriber_id, p.server_id, p.network_id, p.address_offset,
  p.public_key, p.description, array_to_string(p.client_routes, ','), p.keepalive_seconds, p.word, p.cause,
  (extract(epoch FROM p.changed_at) * 1000000)::bigint, p.version, p.generation, p.applied_generation,
  p.delivery_error, t.name, s.name, v.name
FROM tenants t
CROSS JOIN LATERAL (
  SELECT * FROM peers q
  WHERE q.tenant_id = t.id AND q.name > CASE WHEN t.name = $1 THEN $2 ELSE '' END
    AND ($4 = '' OR q.subscriber_id IN (SELECT id FROM subscribers c WHERE c.tenant_id = t.id AND c.name = $4))
    AND ($5 = '' OR q.server_id = (SELECT id FROM servers c WHERE c.name = $5))
    AND ($6 = '' OR q.entitlement = $6)
    AND ($7 = '' OR $7 = CASE WHEN q.server_id IS NULL OR q.generation = 0 THEN 'none'
                              WHEN q.applied_generation >= q.generation THEN 'applied'
                              WHEN q.delivery_error <> '' THEN 'failed' ELSE 'pending' END)
  ORDER BY q.name LIMIT $8) p
LEFT JOIN subscribers s ON s.id = p.subscriber_id
LEFT JOIN servers v ON v.id = p.server_id
WHERE t.name >= $1 AND ($3 = '' OR t.name = $3)
ORDER BY t.name, p.name LIMIT $8;

-- name: query_peer
SELECT p.id, p.tenant_id, p.name, p.stage, p.entitlement, p.subscriber_id, p.server_id, p.network_id, p.address_offset,
  p.public_key, p.description, array_to_string(p.client_routes, ','), p.keepalive_seconds, p.word, p.cause,
  (extract(epoch FROM p.changed_at) * 1000000)::bigint, p.version, p.generation, p.applied_generation,
  p.delivery_error, t.name, s.name, v.name
FROM tenants t JOIN peers p ON p.tenant_id = t.id
LEFT JOIN subscribers s ON s.id = p.subscriber_id
LEFT JOIN servers v ON v.id = p.server_id
WHERE t.name = $1 AND p.name = $2;

-- name: query_holds
SELECT scope_kind, scope_id, owner, held, reason, word FROM holds
WHERE (scope_kind = 'peer' AND scope_id = $1) OR (scope_kind = 'subscriber' AND scope_id = $2)
ORDER BY scope_kind, owner;

-- name: query_fanning_out
SELECT EXISTS (SELECT FROM fan_outs WHERE subscriber_id = $1);

-- name: query_servers
-- The one called $3, or, where that is empty, the page behind $1.
SELECT s.id, s.name, s.ssh_host, s.ssh_port, s.ssh_user, s.ssh_host_key, s.exec_prefix, s.interface, s.config_path,
  s.public_key, s.endpoint, s.mtu, array_to_string(s.dns, ','), s.keepalive_seconds, s.max_peers, s.peer_count,
  s.generation, s.version, s.word, n.name,
  d.due, d.urgent_since IS NOT NULL, (extract(epoch FROM d.due_since) * 1000000)::bigint,
  CASE WHEN d.due THEN (extract(epoch FROM d.next_attempt_at) * 1000000)::bigint END, d.attempts, d.error_code,
  d.error_message, d.push_no, d.in_doubt, (extract(epoch FROM d.proven_at) * 1000000)::bigint, w.name,
  (SELECT count(*) FROM peers p
   WHERE p.server_id = s.id AND p.generation > p.applied_generation AND p.delivery_error = ''),
  (SELECT count(*) FROM peers p
   WHERE p.server_id = s.id AND p.generation > p.applied_generation AND p.delivery_error <> ''),
  (SELECT count(*) FROM removals r WHERE r.server_id = s.id)
FROM servers s JOIN deliveries d ON d.server_id = s.id
LEFT JOIN networks n ON n.id = s.network_id
LEFT JOIN workers w ON w.id = d.worker_id
WHERE s.name > $1 AND ($3 = '' OR s.name = $3)
ORDER BY s.name LIMIT $2;

-- name: query_peer_counts
SELECT entitlement,
  CASE WHEN generation = 0 THEN 'none' WHEN applied_generation >= generation THEN 'applied'
       WHEN delivery_error <> '' THEN 'failed' ELSE 'pending' END, count(*)
FROM peers WHERE server_id = $1 GROUP BY 1, 2;

-- name: query_dead_letters
SELECT id, topic, partition, message_offset, (extract(epoch FROM broker_time) * 1000000)::bigint,
  (extract(epoch FROM created_at) * 1000000)::bigint, source, event_id, event_type, code, message
FROM dead_letters WHERE id > $1 ORDER BY id LIMIT $2;

-- name: query_dead_letter
SELECT id, topic, partition, message_offset, (extract(epoch FROM broker_time) * 1000000)::bigint,
  (extract(epoch FROM created_at) * 1000000)::bigint, source, event_id, event_type, code, message, encode(sealed, 'hex')
FROM dead_letters WHERE id = $1;

-- name: query_last_dead_letter
SELECT coalesce(max(id), 0) FROM dead_letters;

-- name: query_dead_letter_of
SELECT id, topic, partition, message_offset, (extract(epoch FROM broker_time) * 1000000)::bigint,
  (extract(epoch FROM created_at) * 1000000)::bigint, source, event_id, event_type, code, message
FROM dead_letters WHERE id > $3 AND source = $1 AND event_id = $2 ORDER BY id LIMIT 1;

-- name: query_decision
SELECT (extract(epoch FROM at) * 1000000)::bigint, source, event_id, event_type, key, outcome, code, body, chain_no
FROM audit WHERE source = $1 AND event_id = $2 ORDER BY id DESC LIMIT 1;

-- name: query_inbox_hash
SELECT encode(payload_hash, 'hex') FROM inbox WHERE source = $1 AND id = $2;

-- name: query_audit_head
SELECT chain_no FROM audit_head;

-- name: query_progress_peers
-- Of the peer $2 of the tenant $1, or, where that is empty, of all peers of its subscriber $3.
SELECT count(*), count(*) FILTER (WHERE p.generation > p.applied_generation),
  (extract(epoch FROM max(d.proven_at)) * 1000000)::bigint,
  min(v.name) FILTER (WHERE p.generation > p.applied_generation AND d.error_code <> ''),
  count(*) FILTER (WHERE p.generation > p.applied_generation AND p.delivery_error <> ''),
  min(p.delivery_error) FILTER (WHERE p.generation > p.applied_generation AND p.delivery_error <> '')
FROM tenants t
JOIN peers p ON p.tenant_id = t.id AND (p.name = $2 OR $2 = '')
JOIN servers v ON v.id = p.server_id
JOIN deliveries d ON d.server_id = p.server_id
WHERE t.name = $1 AND p.generation > 0
  AND ($2 <> '' OR p.subscriber_id = (SELECT id FROM subscribers s WHERE s.tenant_id = t.id AND s.name = $3));

-- name: query_progress_fan_out
SELECT EXISTS (
  SELECT FROM tenants t JOIN subscribers s ON s.tenant_id = t.id AND s.name = $2
  JOIN fan_outs f ON f.subscriber_id = s.id
  WHERE t.name = $1);

-- name: query_progress_server
SELECT 1, (d.due OR d.in_doubt)::integer, (extract(epoch FROM d.proven_at) * 1000000)::bigint,
  CASE WHEN d.error_code <> '' THEN s.name END, 0, NULL
FROM servers s JOIN deliveries d ON d.server_id = s.id WHERE s.name = $1;

-- name: query_delivery_error
SELECT d.error_code, d.error_message FROM servers s JOIN deliveries d ON d.server_id = s.id WHERE s.name = $1;

-- What people ask: read-only, in pages.

-- name: query_read_only
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: query_peers
-- The columns of lock_peers, then names. Tenant by tenant, so that each page is a walk along the index of their peers.
SELECT @peer_columns@, t.name, s.name, v.name, c.name, v.region
FROM tenants t
CROSS JOIN LATERAL (
  SELECT * FROM peers q
  WHERE q.tenant_id = t.id AND q.name > CASE WHEN t.name = $1 THEN $2 ELSE '' END
    AND ($4 = '' OR q.subscriber_id = (SELECT u.id FROM subscribers u WHERE u.tenant_id = t.id AND u.name = $4))
    AND ($5 = '' OR q.server_id = (SELECT u.id FROM servers u WHERE u.name = $5))
    AND ($6 = '' OR q.entitlement = $6)
    AND ($7 = '' OR $7 = CASE WHEN q.server_id IS NULL OR q.generation = 0 THEN 'none'
                              WHEN q.applied_generation >= q.generation THEN 'applied'
                              WHEN q.delivery_error <> '' THEN 'failed' ELSE 'pending' END)
    AND ($9 = '' OR q.subscriber_id IN (SELECT u.id FROM customers k JOIN subscribers u ON u.customer_id = k.id
                                        WHERE k.tenant_id = t.id AND k.name = $9))
    AND ($10 = '' OR q.plan = $10)
    AND ($11 = '' OR q.type = $11)
    AND ($12 = '' OR q.server_id IN (SELECT u.id FROM servers u WHERE u.region = $12))
  ORDER BY q.name LIMIT $8) p
LEFT JOIN subscribers s ON s.id = p.subscriber_id
LEFT JOIN customers c ON c.id = s.customer_id
LEFT JOIN servers v ON v.id = p.server_id
WHERE t.name >= $1 AND ($3 = '' OR t.name = $3)
ORDER BY t.name, p.name LIMIT $8;

-- name: query_peer
SELECT @peer_columns@, t.name, s.name, v.name, c.name, v.region
FROM tenants t JOIN peers p ON p.tenant_id = t.id
LEFT JOIN subscribers s ON s.id = p.subscriber_id
LEFT JOIN customers c ON c.id = s.customer_id
LEFT JOIN servers v ON v.id = p.server_id
WHERE t.name = $1 AND p.name = $2;

-- name: query_holds
-- Of a peer, its subscriber and that one's customer.
SELECT @hold_columns@ FROM holds h
WHERE (h.scope_kind = 'peer' AND h.scope_id = $1) OR (h.scope_kind = 'subscriber' AND h.scope_id = $2)
  OR (h.scope_kind = 'customer' AND h.scope_id = (SELECT customer_id FROM subscribers WHERE id = $2))
ORDER BY h.scope_kind, h.owner;

-- name: query_timers
SELECT kind, (extract(epoch FROM due_at) * 1000000)::bigint FROM timers
WHERE (kind NOT IN ('hold_subscriber', 'hold_customer') AND subject_id = $1)
  OR (kind = 'hold_subscriber' AND subject_id = $2)
  OR (kind = 'hold_customer' AND subject_id = (SELECT customer_id FROM subscribers WHERE id = $2))
ORDER BY due_at;

-- name: query_runtime
SELECT connectivity, (extract(epoch FROM connectivity_since) * 1000000)::bigint,
  (extract(epoch FROM last_handshake_at) * 1000000)::bigint, endpoint, rx_bytes, tx_bytes
FROM peer_runtime WHERE peer_id = $1;

-- name: query_tenant_dns
SELECT array_to_string(dns, ',') FROM tenants WHERE id = $1;

-- name: query_fanning_out
SELECT EXISTS (SELECT FROM fan_outs WHERE subscriber_id = $1)
  OR EXISTS (SELECT FROM subscribers s JOIN wider_fan_outs w ON w.kind = 'customer' AND w.subject_id = s.customer_id
             WHERE s.id = $1);

-- name: query_servers
-- The one called $3, or, where that is empty, the page behind $1.
SELECT @server_columns@, n.name, t.name,
  d.due, d.urgent_since IS NOT NULL, (extract(epoch FROM d.due_since) * 1000000)::bigint,
  CASE WHEN d.due THEN (extract(epoch FROM d.next_attempt_at) * 1000000)::bigint END, d.attempts, d.error_code,
  d.error_message, d.push_no, d.in_doubt, (extract(epoch FROM d.proven_at) * 1000000)::bigint, w.name,
  (SELECT count(*) FROM peers p
   WHERE p.server_id = v.id AND p.generation > p.applied_generation AND p.delivery_error = ''),
  (SELECT count(*) FROM peers p
   WHERE p.server_id = v.id AND p.generation > p.applied_generation AND p.delivery_error <> ''),
  (SELECT count(*) FROM removals r WHERE r.server_id = v.id)
FROM servers v JOIN deliveries d ON d.server_id = v.id
LEFT JOIN networks n ON n.id = v.network_id
LEFT JOIN tenants t ON t.id = v.owner_tenant_id
LEFT JOIN workers w ON w.id = d.worker_id
WHERE v.name > $1 AND ($3 = '' OR v.name = $3) AND ($4 = '' OR v.region = $4) AND ($5 = '' OR t.name = $5)
  AND ($6 = '' OR v.state = $6 OR ($6 = 'maintenance' AND v.maintenance)
       OR $6 = CASE WHEN d.due THEN CASE WHEN d.error_code <> '' THEN 'failing' ELSE 'due' END
                    WHEN d.in_doubt THEN 'doubt' ELSE 'proven' END)
ORDER BY v.name LIMIT $2;

-- name: query_foreign
SELECT public_key, array_to_string(allowed_ips, ','), state, (extract(epoch FROM first_seen_at) * 1000000)::bigint
FROM foreign_peers WHERE server_id = $1 ORDER BY first_seen_at, public_key LIMIT $2;

-- name: query_peer_counts
SELECT entitlement,
  CASE WHEN generation = 0 THEN 'none' WHEN applied_generation >= generation THEN 'applied'
       WHEN delivery_error <> '' THEN 'failed' ELSE 'pending' END, count(*)
FROM peers WHERE server_id = $1 GROUP BY 1, 2;

-- name: query_tenants
-- The one called $3, or, where that is empty, the page behind $1.
SELECT @tenant_columns@,
  (SELECT count(*) FROM customers c WHERE c.tenant_id = t.id),
  (SELECT count(*) FROM subscribers s WHERE s.tenant_id = t.id),
  (SELECT count(*) FROM holds h JOIN subscribers s ON h.scope_kind = 'subscriber' AND s.id = h.scope_id
   WHERE h.level = 'awaiting' AND s.tenant_id = t.id)
  + (SELECT count(*) FROM holds h JOIN customers c ON h.scope_kind = 'customer' AND c.id = h.scope_id
     WHERE h.level = 'awaiting' AND c.tenant_id = t.id)
FROM tenants t WHERE t.name > $1 AND ($3 = '' OR t.name = $3) ORDER BY t.name LIMIT $2;

-- name: query_customers
-- Of the tenant $1, or of all: the one called $5, or the page behind $2/$3.
SELECT t.name, c.name, NULL, c.id, c.version, c.revoked, (extract(epoch FROM c.released_at) * 1000000)::bigint,
  (SELECT count(*) FROM subscribers s WHERE s.customer_id = c.id),
  (SELECT count(*) FROM subscribers s JOIN peers p ON p.subscriber_id = s.id
   WHERE s.customer_id = c.id AND p.stage IN ('reserved', 'provisioned'))
FROM customers c JOIN tenants t ON t.id = c.tenant_id
WHERE ($1 = '' OR t.name = $1) AND (t.name, c.name) > ($2, $3) AND ($5 = '' OR c.name = $5)
ORDER BY t.name, c.name LIMIT $4;

-- name: query_subscribers
-- The same; $6: of this customer alone.
SELECT t.name, c.name, s.name, s.id, s.version, s.revoked, (extract(epoch FROM s.released_at) * 1000000)::bigint, 0,
  (SELECT count(*) FROM peers p WHERE p.subscriber_id = s.id AND p.stage IN ('reserved', 'provisioned'))
FROM subscribers s JOIN tenants t ON t.id = s.tenant_id LEFT JOIN customers c ON c.id = s.customer_id
WHERE ($1 = '' OR t.name = $1) AND (t.name, s.name) > ($2, $3) AND ($5 = '' OR s.name = $5) AND ($6 = '' OR c.name = $6)
ORDER BY t.name, s.name LIMIT $4;

-- name: query_networks
-- The one called $3, or the page behind $1; with how many offsets are held, resting, released and free again, and of those
-- that the counter has not reached how many it will pass. $1 and $3 as in query_servers.
SELECT @network_columns@, h.held, f.resting, f.released, a.passed, (SELECT count(*) FROM servers v WHERE v.network_id = n.id)
FROM networks n
CROSS JOIN LATERAL (SELECT count(*) AS held FROM peers p WHERE p.network_id = n.id AND p.address_offset IS NOT NULL) h
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE available_at > clock_now()) AS resting,
    count(*) FILTER (WHERE available_at <= clock_now() AND address_offset <> ALL (n.reserved)) AS released
  FROM network_free WHERE network_id = n.id) f
CROSS JOIN LATERAL (
  SELECT count(*) AS passed FROM (
    SELECT unnest(n.reserved) AS o UNION SELECT address_offset FROM peers WHERE network_id = n.id
    UNION SELECT address_offset FROM network_free WHERE network_id = n.id
    UNION SELECT address_offset FROM removals WHERE network_id = n.id) x
  WHERE x.o >= n.next_offset) a
WHERE n.name > $1 AND ($3 = '' OR n.name = $3) ORDER BY n.name LIMIT $2;

-- name: query_rules
-- Of the tenant $1, or of all, the page behind $2/$3.
SELECT @rule_columns@, t.name, s.name, d.name
FROM access_rules a JOIN tenants t ON t.id = a.tenant_id
LEFT JOIN peers s ON s.id = a.source_peer_id LEFT JOIN peers d ON d.id = a.dest_peer_id
WHERE a.active AND ($1 = '' OR t.name = $1) AND (t.name, a.name) > ($2, $3)
ORDER BY t.name, a.name LIMIT $4;

-- name: query_meshes
SELECT @mesh_columns@ FROM meshes m WHERE m.word IS NOT NULL AND m.name > $1 AND ($3 = '' OR m.name = $3)
ORDER BY m.name LIMIT $2;

-- name: query_links
SELECT v.name, l.other, coalesce(nullif(l.resolved, ''), l.endpoint), array_to_string(l.allowed_ips, ','),
  l.public_key <> '', l.wanted, l.applied_generation >= l.generation
FROM node_links l JOIN servers v ON v.id = l.server_id WHERE l.mesh_id = $1 ORDER BY v.name, l.other;

-- name: query_holders
-- Who had the address $1 at $2 (microseconds), or has it now.
SELECT t.name, p.name, n.name, (extract(epoch FROM a.from_at) * 1000000)::bigint,
  (extract(epoch FROM a.until_at) * 1000000)::bigint
FROM (
  SELECT id, name, CASE WHEN net4::inet >>= $1::inet THEN $1::inet - host(net4)::inet
                        WHEN net6::inet >>= $1::inet AND $1::inet < host(net6)::inet + 4611686018427387904
                          THEN $1::inet - host(net6)::inet END AS address_offset
  FROM networks) n
CROSS JOIN (SELECT coalesce(to_timestamp($2::bigint / 1000000.0), clock_now()) AS at) w
JOIN address_periods a ON a.network_id = n.id AND a.address_offset = n.address_offset AND a.from_at <= w.at
  AND (a.until_at IS NULL OR a.until_at > w.at)
JOIN peers p ON p.id = a.peer_id JOIN tenants t ON t.id = p.tenant_id
ORDER BY t.name, p.name, n.name, a.from_at;

-- name: query_dead_letters
SELECT id, topic, partition, message_offset, (extract(epoch FROM broker_time) * 1000000)::bigint,
  (extract(epoch FROM created_at) * 1000000)::bigint, source, event_id, event_type, code, message, state, kept
FROM dead_letters WHERE id > $1 AND ($3 = '' OR state = $3) ORDER BY id LIMIT $2;

-- name: query_dead_letter
SELECT id, topic, partition, message_offset, (extract(epoch FROM broker_time) * 1000000)::bigint,
  (extract(epoch FROM created_at) * 1000000)::bigint, source, event_id, event_type, code, message, state, kept,
  encode(sealed, 'hex')
FROM dead_letters WHERE id = $1;

-- name: query_last_dead_letter
SELECT coalesce(max(id), 0) FROM dead_letters;

-- name: query_dead_letter_of
SELECT id, topic, partition, message_offset, (extract(epoch FROM broker_time) * 1000000)::bigint,
  (extract(epoch FROM created_at) * 1000000)::bigint, source, event_id, event_type, code, message, state, kept
FROM dead_letters WHERE id > $3 AND source = $1 AND event_id = $2 ORDER BY id LIMIT 1;

-- name: query_decision
SELECT (extract(epoch FROM at) * 1000000)::bigint, source, event_id, event_type, key, outcome, code, body, chain_no
FROM audit WHERE source = $1 AND event_id = $2 ORDER BY id DESC LIMIT 1;

-- name: query_inbox_hash
SELECT encode(payload_hash, 'hex') FROM inbox WHERE source = $1 AND id = $2;

-- name: query_audit_head
SELECT chain_no FROM audit_head;

-- name: query_progress_peers
-- Of the peer $2 of the tenant $1; or, where that is empty, of all peers of its subscriber $3, or of its customer $4.
SELECT count(*), count(*) FILTER (WHERE p.generation > p.applied_generation),
  (extract(epoch FROM max(d.proven_at)) * 1000000)::bigint,
  min(v.name) FILTER (WHERE p.generation > p.applied_generation AND d.error_code <> ''),
  count(*) FILTER (WHERE p.generation > p.applied_generation AND p.delivery_error <> ''),
  min(p.delivery_error) FILTER (WHERE p.generation > p.applied_generation AND p.delivery_error <> ''),
  count(*) FILTER (WHERE p.generation > p.applied_generation AND p.delivery_error = '' AND v.maintenance)
FROM tenants t
JOIN peers p ON p.tenant_id = t.id AND (p.name = $2 OR $2 = '')
JOIN servers v ON v.id = p.server_id
JOIN deliveries d ON d.server_id = p.server_id
WHERE t.name = $1 AND p.generation > 0
  AND ($2 <> '' OR p.subscriber_id IN (
    SELECT s.id FROM subscribers s WHERE s.tenant_id = t.id AND s.name = $3
    UNION ALL SELECT s.id FROM customers c JOIN subscribers s ON s.customer_id = c.id
    WHERE c.tenant_id = t.id AND c.name = $4 AND $3 = ''));

-- name: query_progress_fan_out
-- Of the subscriber $2 of the tenant $1; or, where that is empty, of the customer $3.
SELECT EXISTS (
    SELECT FROM tenants t JOIN subscribers s ON s.tenant_id = t.id AND s.name = $2
    LEFT JOIN wider_fan_outs w ON w.kind = 'customer' AND w.subject_id = s.customer_id
    LEFT JOIN fan_outs f ON f.subscriber_id = s.id
    WHERE t.name = $1 AND coalesce(w.subject_id, f.subscriber_id) IS NOT NULL)
  OR EXISTS (
    SELECT FROM tenants t JOIN customers c ON c.tenant_id = t.id AND c.name = $3
    LEFT JOIN wider_fan_outs w ON w.kind = 'customer' AND w.subject_id = c.id
    LEFT JOIN subscribers s ON s.customer_id = c.id LEFT JOIN fan_outs f ON f.subscriber_id = s.id
    WHERE t.name = $1 AND $2 = '' AND coalesce(w.subject_id, f.subscriber_id) IS NOT NULL);

-- name: query_progress_server
-- A host that is gone on an operator's word has nothing to prove any more.
SELECT (s.retired_word = '')::integer, open.yes, (extract(epoch FROM d.proven_at) * 1000000)::bigint,
  CASE WHEN d.error_code <> '' THEN s.name END, 0, NULL, CASE WHEN s.maintenance THEN open.yes ELSE 0 END
FROM servers s JOIN deliveries d ON d.server_id = s.id
CROSS JOIN LATERAL (SELECT ((d.due OR d.in_doubt) AND s.retired_word = '')::integer AS yes) open
WHERE s.name = $1;

-- name: query_delivery_error
SELECT d.error_code, d.error_message FROM servers s JOIN deliveries d ON d.server_id = s.id WHERE s.name = $1;

-- name: order_lock
SELECT id, state, topic, partition, message_offset FROM dead_letters WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE;

-- name: order_letters
UPDATE dead_letters SET state = $2, settled_at = CASE WHEN $2 = 'discarded' THEN now() END WHERE id = ANY ($1::bigint[]);

-- Messages that were not executed: dead letters, and events that are kept for a newer version.

-- name: store_dead_letters
INSERT INTO dead_letters
  (topic, partition, message_offset, broker_time, source, event_id, event_type, code, message, sealed, kept, tenant, subjects,
   blocks)
SELECT topic, partition, message_offset, to_timestamp(time_us / 1000000.0), source, event_id, event_type, code, message,
  decode(sealed, 'hex'), kept, tenant, string_to_array(subjects, E'\n'), blocks
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::boolean[], $12::text[], $13::text[], $14::boolean[])
  AS r(topic, partition, message_offset, time_us, source, event_id, event_type, code, message, sealed, kept, tenant, subjects,
       blocks)
ON CONFLICT (topic, partition, message_offset) DO NOTHING
RETURNING topic, partition, message_offset;

-- name: kept_subjects
-- Of these subjects: whose configuration waits, and from which place on.
SELECT tenant, r.subject, (extract(epoch FROM f.broker_time) * 1000000)::bigint, f.partition, f.message_offset
FROM unnest($1::text[], $2::text[]) AS r(tenant, subject)
CROSS JOIN LATERAL (
  SELECT d.broker_time, d.partition, d.message_offset FROM dead_letters d
  WHERE d.tenant = r.tenant AND coalesce(d.subjects[1], '') = r.subject
    AND d.kept AND d.blocks AND d.state IN ('open', 'replay')
  ORDER BY d.broker_time, d.partition, d.message_offset LIMIT 1) f;

-- name: kept_replayable
-- Those that this version can execute, behind a place. What waits for one that it cannot is passed over when its turn
-- comes.
SELECT id, topic, partition, message_offset, (extract(epoch FROM broker_time) * 1000000)::bigint, encode(sealed, 'hex')
FROM dead_letters
WHERE ((kept AND state = 'open' AND (event_type = ANY ($1::text[]) OR code = 'waits_for_kept')) OR state = 'replay')
  AND (broker_time, partition, message_offset) > (to_timestamp($2::bigint / 1000000.0), $3::integer, $4::bigint)
ORDER BY broker_time, partition, message_offset LIMIT $5;

-- name: kept_guard
-- One replays at a time: order is kept by asking, under this lock, who is before.
SELECT pg_advisory_xact_lock(7033201641);

-- name: kept_lock
SELECT 1 FROM dead_letters WHERE id = $1 AND (state = 'replay' OR (kept AND state = 'open')) FOR UPDATE;

-- name: kept_replayed
UPDATE dead_letters SET state = 'replayed', settled_at = now() WHERE id = $1;

-- name: kept_refused
-- It stays, for an operator to decide.
UPDATE dead_letters SET state = 'open', kept = $4, code = $2, message = $3 WHERE id = $1;

-- name: worker_enlist
INSERT INTO workers (id, name) VALUES (gen_random_uuid(), $1) RETURNING id;

-- name: worker_heartbeat
-- Made anew where it was cleared away while the worker was cut off from the database.
-- Answers whether the beat before ($3, '' where there was none) is not the one that stands there, as in a database that
-- was restored meanwhile; this beat; and why all loops stop.
WITH before AS (SELECT heartbeat_at FROM workers WHERE id = $1::uuid)
INSERT INTO workers (id, name, heartbeat_at) VALUES ($1::uuid, $2, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp()
RETURNING $3 <> '' AND (SELECT heartbeat_at FROM before) IS DISTINCT FROM nullif($3, '')::timestamptz, heartbeat_at::text,
  (SELECT halted_code FROM installation), (SELECT halted_message FROM installation);

-- name: worker_forget
DELETE FROM workers WHERE heartbeat_at < now() - interval '1 day';

-- name: worker_leave_leases
UPDATE leases SET worker_id = NULL WHERE worker_id = $1::uuid;

-- name: worker_leave_deliveries
UPDATE deliveries SET worker_id = NULL WHERE worker_id = $1::uuid;

-- name: worker_leave
DELETE FROM workers WHERE id = $1::uuid;

-- name: database_running
-- Which running database this is: neither a restored one, nor another server, nor this one after a restart has the same.
SELECT concat_ws('/', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
  (SELECT oid FROM pg_database WHERE datname = current_database()), 'installation'::regclass::oid);

-- name: schema_version
SELECT coalesce(max(version), 0) FROM schema_migrations;

-- name: migration_record
INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3);

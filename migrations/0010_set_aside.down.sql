-- Without what is set aside by its key: it is tried again.
DROP VIEW due_removals;
ALTER TABLE deliveries DROP COLUMN own_way_keys, DROP COLUMN own_way_at, DROP COLUMN not_shown;
ALTER TABLE servers DROP COLUMN guard_digest;
ALTER TABLE server_runtime DROP COLUMN guard_digest;
ALTER TABLE foreign_peers DROP COLUMN in_file;

-- Without the guard: what no event caused is left alone.
ALTER TABLE server_runtime DROP COLUMN ifindex, DROP COLUMN guard_code;
ALTER TABLE deliveries DROP COLUMN strangers_known;
ALTER TABLE servers DROP COLUMN guard_held, DROP COLUMN guard_code;
DROP TABLE foreign_peers;

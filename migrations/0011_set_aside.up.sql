-- What is set aside on a server, and by which key: so that one key that cannot go, or that the host never shows, holds up
-- nobody else.
--
-- Forward-safe while the old version still runs: new columns with defaults and a view. An old worker reads and writes none
-- of it; what it would push and fails with is set aside by the next new one.

ALTER TABLE deliveries
  ADD COLUMN own_way_keys text[] NOT NULL DEFAULT '{}', -- that carry the worker itself to the host: not removed for now
  ADD COLUMN own_way_at timestamptz; -- when one was found last

-- Rows of keys that are to go with the next push: not those that are wanted again, nor such as carry the worker. The two
-- keys of a peer go together.
CREATE VIEW due_removals AS
SELECT m.server_id, m.public_key, m.peer_id, m.created_at
FROM removals m JOIN deliveries d ON d.server_id = m.server_id JOIN peers p ON p.id = m.peer_id
WHERE NOT d.own_way_keys && CASE WHEN p.server_id = m.server_id AND m.public_key IN (p.public_key, p.staged_key)
                              THEN ARRAY[p.public_key, p.staged_key] ELSE ARRAY[m.public_key] END
  AND NOT EXISTS (SELECT FROM wanted_peers w
                  WHERE w.id = m.peer_id AND w.server_id = m.server_id AND m.public_key IN (w.public_key, w.staged_key));

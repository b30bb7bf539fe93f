-- What is set aside on a server, and by which key, so that one key that cannot go, or that the host never shows, holds up
-- nobody else; and which keys an operator's word on the guard speaks of.
--
-- Forward-safe while the old version still runs: new columns with defaults and a view. An old worker reads and writes none
-- of it. What it fails with is set aside by the next new one; keys that it holds back have no digest until the next reading,
-- and count as saved.

ALTER TABLE deliveries
  ADD COLUMN own_way_keys text[] NOT NULL DEFAULT '{}', -- that carry the worker itself to the host: not removed for now
  ADD COLUMN own_way_at timestamptz, -- when one was found last
  ADD COLUMN not_shown integer NOT NULL DEFAULT 0; -- pushes in a row about one key that the host did not show

-- Rows of keys that are to go with the next push: not those that are wanted again, nor such as carry the worker. The two
-- keys of a peer go together.
CREATE VIEW due_removals AS
SELECT m.server_id, m.public_key, m.peer_id, m.created_at
FROM removals m JOIN deliveries d ON d.server_id = m.server_id JOIN peers p ON p.id = m.peer_id
WHERE NOT d.own_way_keys && CASE WHEN p.server_id = m.server_id AND m.public_key IN (p.public_key, p.staged_key)
                              THEN ARRAY[p.public_key, p.staged_key] ELSE ARRAY[m.public_key] END
  AND NOT EXISTS (SELECT FROM wanted_peers w
                  WHERE w.id = m.peer_id AND w.server_id = m.server_id AND m.public_key IN (w.public_key, w.staged_key));

-- Which keys the guard holds, and not only how many.
ALTER TABLE servers ADD COLUMN guard_digest text NOT NULL DEFAULT '';
ALTER TABLE server_runtime ADD COLUMN guard_digest text NOT NULL DEFAULT ''; -- as the last status said it
-- Whether the saved file has the key: what the kernel alone does not show may come back then.
ALTER TABLE foreign_peers ADD COLUMN in_file boolean NOT NULL DEFAULT true;

-- Under a policy that removes nobody, who was there before us was listed and never asked about.
UPDATE deliveries d SET strangers_known = false FROM servers v WHERE v.id = d.server_id AND v.drift_policy <> 'repair';

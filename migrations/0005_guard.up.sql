-- The guard on removals that no event caused: which keys stand on a host and are unknown here, and what may be done about
-- them.
--
-- Forward-safe while the old version still runs: a new table and new columns with defaults. An old worker leaves such keys
-- alone, as it always did, and neither reads nor writes what is new.

-- Keys that a reading has shown and that are nobody's.
CREATE TABLE foreign_peers (
  server_id bigint NOT NULL REFERENCES servers,
  public_key text NOT NULL,
  allowed_ips text[] NOT NULL, -- as the kernel showed them, or the saved file where the kernel has no such peer
  state text NOT NULL CHECK (state IN (
    'seen',      -- left alone: the server's policy is not to repair
    'held',      -- to be removed once an operator approves it
    'kept',      -- left alone on an operator's word
    'removing'   -- to be removed by the next push
  )),
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (server_id, public_key)
);

ALTER TABLE servers
  ADD COLUMN guard_held integer NOT NULL DEFAULT 0, -- keys in state 'held'
  ADD COLUMN guard_code text NOT NULL DEFAULT ''; -- why they are; a code

-- Whether a reading of this very place has listed them once: who stood there before is not removed without a word, nor is
-- who was left alone by an older version.
ALTER TABLE deliveries ADD COLUMN strangers_known boolean NOT NULL DEFAULT false;

ALTER TABLE server_runtime
  ADD COLUMN ifindex integer NOT NULL DEFAULT 0, -- so that an interface that was made anew between two looks is noticed
  ADD COLUMN guard_code text NOT NULL DEFAULT ''; -- of the guard's stop, as the last status said it

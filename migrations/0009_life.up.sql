-- The end of a server: when it was read that none of its keys is left on its host, so that "retired" is a proof or an
-- operator's word, and never a hope.
--
-- Forward-safe while the old version still runs: one new column without a default. An old worker neither reads nor writes
-- it; a server that it retires is looked at by the next new one.
ALTER TABLE servers ADD COLUMN retired_proven_at timestamptz; -- null: not retired, not proven yet, or gone on a word

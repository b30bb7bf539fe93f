-- That an urgent change waits too long is said once, by whichever worker sees it first, and taken back once it is proven:
-- so it has to be known where all workers look. A column with a default and an index: an old worker never reads it, and
-- leaves what it finds there; a new one takes it back.

-- When it was said that something urgent is late there; null: nothing is, or nobody has said so yet.
ALTER TABLE deliveries ADD COLUMN urgent_late_at timestamptz;
-- Looked at many times a second, and empty almost always.
CREATE INDEX deliveries_urgent ON deliveries (urgent_since) WHERE urgent_since IS NOT NULL OR urgent_late_at IS NOT NULL;

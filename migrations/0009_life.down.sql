-- Without the proof of a server's end; what is retired stays retired.
ALTER TABLE servers DROP COLUMN retired_proven_at;

-- A restored backup is noticed by the tail of the audit topic, and stops every worker until an operator says `recover`:
-- the stop has to be a row, for it concerns all workers and outlives them. After it the hosts have seen higher push
-- numbers than the database knows; only then may a number be taken from a host.
--
-- Forward-safe while the old version still runs: only new columns with defaults. An old worker does not look at the stop,
-- as it did not notice a restored backup before.

ALTER TABLE installation
  ADD COLUMN halted_code text NOT NULL DEFAULT '', -- '': the loops run
  ADD COLUMN halted_message text NOT NULL DEFAULT '',
  ADD COLUMN halted_at timestamptz,
  ADD COLUMN recorded boolean NOT NULL DEFAULT false; -- whether the audit says which installation this is

ALTER TABLE deliveries
  ADD COLUMN takes_push_no boolean NOT NULL DEFAULT false; -- since `recover`, until the host's number was passed

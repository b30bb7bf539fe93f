-- A stop that was noted has to hold for every transaction, and not only for workers that have heard of it: one that is
-- committed after the stop would stand in the way of what `recover` folds in. So the tables through which each of them goes
-- ask: nothing is decided, linked or pushed while the installation is halted, be it by a worker, a command or one of the
-- functions for SQL. `recover` says who it is, and waits for those that had asked before (RecoverStore::begin).
--
-- Forward-safe while the old version still runs: while nothing is halted nothing changes. While it is, an old worker gets an
-- error that it takes for an outage, and tries again. An old `recover` or `rebuild` is refused: run the new one.

CREATE FUNCTION refuse_while_halted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  why text;
BEGIN
  SELECT halted_code || ': ' || halted_message INTO why FROM installation WHERE halted_code <> '';
  IF FOUND AND coalesce(current_setting('peerwright.recovers', true), '') <> 'on' THEN
    RAISE EXCEPTION 'halted, %', why USING ERRCODE = 'PW001', HINT = 'run: peerwright recover';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER refuse_while_halted BEFORE INSERT OR UPDATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_while_halted();
CREATE TRIGGER refuse_while_halted BEFORE UPDATE OF push_no ON deliveries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_while_halted();

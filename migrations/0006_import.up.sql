-- Import of a live host: peers that stood there before anybody spoke of them, and the order to look for them.
--
-- Forward-safe while the old version still runs: new columns with defaults and an index. An adopted peer is a provisioned
-- one to an old worker, which neither claims it by its key nor knows of a preshared key that only the host has: it would
-- push such a peer without one. An old worker keeps server.import for a newer one; send it once the last old worker is
-- gone.

ALTER TABLE peers
  ADD COLUMN adopted boolean NOT NULL DEFAULT false, -- found on its host; a provision with its key claims it
  ADD COLUMN preshared_key_unknown boolean NOT NULL DEFAULT false; -- the host has one: never pushed
CREATE INDEX peers_adopted ON peers (public_key) WHERE adopted;

-- The next exec is a reading, and what it shows that is nobody's becomes this tenant's.
ALTER TABLE deliveries
  ADD COLUMN import_tenant_id bigint REFERENCES tenants,
  ADD COLUMN import_cause text NOT NULL DEFAULT '';

-- As it was, with all columns of peers.
DROP VIEW wanted_peers;
CREATE VIEW wanted_peers AS
SELECT p.*,
  EXISTS (SELECT FROM holds h WHERE h.scope_kind = 'peer' AND h.scope_id = p.id AND h.held)
  OR EXISTS (SELECT FROM holds h WHERE h.scope_kind = 'subscriber' AND h.scope_id = p.subscriber_id AND h.held)
  OR EXISTS (SELECT FROM subscribers s JOIN holds h ON h.scope_kind = 'customer' AND h.scope_id = s.customer_id AND h.held
             WHERE s.id = p.subscriber_id) AS walled
FROM peers p
WHERE p.stage = 'provisioned' AND NOT p.expired AND NOT p.over_quota
  AND NOT EXISTS (SELECT FROM holds h WHERE h.scope_kind = 'peer' AND h.scope_id = p.id AND h.held AND h.level = 'cut')
  AND NOT EXISTS (SELECT FROM holds h
                  WHERE h.scope_kind = 'subscriber' AND h.scope_id = p.subscriber_id AND h.held AND h.level = 'cut')
  AND NOT EXISTS (
    SELECT FROM subscribers s LEFT JOIN customers c ON c.id = s.customer_id
    WHERE s.id = p.subscriber_id
      AND (coalesce(p.provisioned_at, '-infinity') <= s.released_at OR coalesce(p.provisioned_at, '-infinity') <= c.released_at
           OR EXISTS (SELECT FROM holds h WHERE h.scope_kind = 'customer' AND h.scope_id = s.customer_id AND h.held
                        AND h.level = 'cut')));

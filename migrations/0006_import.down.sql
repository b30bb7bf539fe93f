-- Adopted peers stay as provisioned ones under their adopted names; what only the host knows of them is forgotten.
DROP VIEW wanted_peers;
DROP INDEX peers_adopted;
ALTER TABLE peers DROP COLUMN adopted, DROP COLUMN preshared_key_unknown;
ALTER TABLE deliveries DROP COLUMN import_tenant_id, DROP COLUMN import_cause;
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

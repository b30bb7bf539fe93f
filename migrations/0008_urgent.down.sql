-- Forgets what was said to be late; what waits stays as it is.
DROP INDEX deliveries_urgent;
ALTER TABLE deliveries DROP COLUMN urgent_late_at;

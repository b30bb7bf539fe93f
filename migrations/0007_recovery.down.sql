-- Takes back what 0007 added. A stop that stands is forgotten with it.
ALTER TABLE deliveries DROP COLUMN takes_push_no;
ALTER TABLE installation
  DROP COLUMN halted_code,
  DROP COLUMN halted_message,
  DROP COLUMN halted_at,
  DROP COLUMN recorded;

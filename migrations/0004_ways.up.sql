-- Ways in to a host: what a login may do there (a shell, one command by sudo, a forced command), and a jump host.
--
-- Forward-safe while the old version still runs: only new columns with defaults. An old worker knows one way: a host that is
-- logged in to otherwise refuses its command, or cannot be reached by it, and is left as it is until a new worker comes by.

ALTER TABLE servers
  ADD COLUMN ssh_way text NOT NULL DEFAULT 'shell' CHECK (ssh_way IN ('shell', 'sudo', 'forced')),
  ADD COLUMN ssh_jump_host text NOT NULL DEFAULT '', -- empty: none
  ADD COLUMN ssh_jump_port integer NOT NULL DEFAULT 22 CHECK (ssh_jump_port BETWEEN 1 AND 65535),
  ADD COLUMN ssh_jump_user text NOT NULL DEFAULT '',
  ADD COLUMN ssh_jump_host_key text NOT NULL DEFAULT '',
  ADD CHECK (ssh_jump_host = '' OR (ssh_jump_user <> '' AND ssh_jump_host_key <> ''));

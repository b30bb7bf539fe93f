-- Without the ways in and the jump hosts: servers that had one are logged in to as root by a shell again.
ALTER TABLE servers
  DROP COLUMN ssh_way, DROP COLUMN ssh_jump_host, DROP COLUMN ssh_jump_port, DROP COLUMN ssh_jump_user,
  DROP COLUMN ssh_jump_host_key;

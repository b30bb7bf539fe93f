-- Without the classic names; nothing that is stored goes.
DROP FUNCTION wg_init_ip_pool(cidr, inet), wg_release_ip(inet), wg_allocate_ip(bigint, cidr), wg_get_next_available_ip(cidr);
DROP FUNCTION network_locked(cidr, bigint), record_address(peers, networks, bigint, text), network_next_offset(networks, boolean);
DROP INDEX removals_of_address;
DROP VIEW wireguard_server_stats, wireguard_peers, wireguard_servers, wg_access_rules, wg_ip_pool, wg_server_config, wg_peers;
DROP FUNCTION network_address(cidr, cidr, bigint);

-- Back to an empty database: everything that 0001 made goes, and with it all that was ever decided.
DROP VIEW wanted_peers;
DROP TABLE dead_letters, audit_head, audit, outbox, inbox, intake, intake_topics, removals, deliveries, fan_outs, holds, peers, servers,
  network_free, networks, subscribers, tenants, leases, workers, installation;

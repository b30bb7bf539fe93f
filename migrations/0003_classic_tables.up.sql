-- The tables and functions by the names that operators of such systems know, over what is stored anyway: views, so that
-- nothing is kept twice, and functions that run in the caller's transaction on the same network row, counter, free list and
-- constraints as intake. Only new objects: an old worker does not notice them.
--
-- The functions, helpers included, work with the caller's rights alone: whoever has none on the tables can do nothing with
-- them, whoever has them needs no other right.

-- The IPv4 address (else the IPv6 one) of an offset of a network, as a single host.
CREATE FUNCTION network_address(net4 cidr, net6 cidr, address_offset bigint) RETURNS inet LANGUAGE sql IMMUTABLE
  AS 'SELECT coalesce(set_masklen(net4::inet, 32) + address_offset, set_masklen(net6::inet, 128) + address_offset)';

CREATE VIEW wg_peers AS
SELECT p.id, p.tenant_id,
  CASE WHEN p.user_id ~ '^[0-9]{1,18}$' THEN p.user_id::bigint END AS user_id,
  coalesce(nullif(p.display_name, ''), p.name) AS name,
  p.type AS peer_type,
  p.public_key,
  nullif(p.preshared_key_hash, '') AS preshared_key_hash,
  array_remove(ARRAY[
    CASE WHEN n.net4 IS NOT NULL THEN text(set_masklen(n.net4::inet, 32) + p.address_offset) END,
    CASE WHEN n.net6 IS NOT NULL THEN text(set_masklen(n.net6::inet, 128) + p.address_offset) END], NULL)
    || p.site_networks::text[] AS allowed_ips,
  network_address(n.net4, n.net6, p.address_offset) AS assigned_ip,
  coalesce(nullif(r.endpoint, ''), nullif(p.endpoint, '')) AS endpoint,
  p.entitlement IN ('active', 'walled_garden') AS enabled,
  CASE WHEN p.stage = 'revoked' THEN p.changed_at END AS revoked_at,
  r.last_handshake_at,
  p.created_at,
  t.name AS tenant,
  p.name AS peer,
  p.user_id AS user_name
FROM peers p JOIN tenants t ON t.id = p.tenant_id
LEFT JOIN networks n ON n.id = p.network_id
LEFT JOIN peer_runtime r ON r.peer_id = p.id;

CREATE VIEW wg_server_config AS
SELECT s.id, s.name,
  nullif(s.private_key_sealed, '') AS private_key_encrypted,
  s.public_key,
  s.listen_port,
  -- The first reserved address of the network is the server's own; null: none is reserved.
  set_masklen(network_address(n.net4, n.net6, n.reserved[1]), masklen(coalesce(n.net4, n.net6))) AS address,
  coalesce(n.net4, n.net6) AS network_cidr,
  nullif(s.post_up, '') AS post_up,
  nullif(s.post_down, '') AS post_down
FROM servers s JOIN networks n ON n.id = s.network_id
WHERE s.word IS NOT NULL;

-- There are few such rows: addresses that come back with the proof of a removal.
CREATE INDEX removals_of_address ON removals (network_id, address_offset) WHERE address_offset IS NOT NULL;

-- One row per address that a peer could have, computed. Free is what the counter has not reached, or what came back and has
-- served its quarantine; everything else that is not reserved is somebody's, or was until just now.
CREATE VIEW wg_ip_pool AS
SELECT n.net4 AS network_cidr,
  set_masklen(n.net4::inet, 32) + o.address_offset AS ip_address,
  o.address_offset <> ALL (n.reserved) AND NOT (
    (f.address_offset IS NOT NULL AND f.available_at <= clock_now())
    OR (f.address_offset IS NULL AND p.id IS NULL AND o.address_offset >= n.next_offset
        AND NOT EXISTS (SELECT FROM removals m WHERE m.network_id = n.id AND m.address_offset = o.address_offset)))
    AS is_allocated,
  o.address_offset = ANY (n.reserved) AS is_reserved
FROM networks n
CROSS JOIN LATERAL generate_series(1, (2 ^ (32 - masklen(n.net4)))::bigint - 2) AS o(address_offset)
LEFT JOIN network_free f ON f.network_id = n.id AND f.address_offset = o.address_offset
LEFT JOIN peers p ON p.network_id = n.id AND p.address_offset = o.address_offset
WHERE n.net4 IS NOT NULL AND n.word IS NOT NULL;

CREATE VIEW wg_access_rules AS
SELECT id, tenant_id, name, source_peer_id, dest_peer_id, nullif(dest_port, 0) AS dest_port, dest_protocol, action, priority
FROM access_rules WHERE active;

CREATE VIEW wireguard_servers AS
SELECT s.id, s.owner_tenant_id AS tenant_id, s.name, s.description, s.endpoint AS public_endpoint, s.listen_port,
  text(n.net4) AS server_ipv4, text(n.net6) AS server_ipv6, s.public_key,
  CASE WHEN s.state = 'retired' THEN 'INACTIVE'
       WHEN s.maintenance THEN 'MAINTENANCE'
       WHEN d.error_code <> '' OR r.up IS FALSE OR s.state = 'draining' THEN 'DEGRADED'
       ELSE 'ACTIVE' END AS status,
  s.dns AS dns_servers,
  ARRAY['0.0.0.0/0', '::/0'] AS allowed_ips,
  s.location, s.metadata::jsonb AS metadata, s.max_peers, s.peer_count AS current_peers, n.next_offset AS next_ip_offset,
  round(100.0 * s.peer_count / nullif(s.max_peers, 0), 1) AS utilization_percent,
  coalesce(r.rx_bytes, 0) AS total_rx_bytes, coalesce(r.tx_bytes, 0) AS total_tx_bytes,
  r.observed_at AS last_stats_update, s.created_by, s.updated_by, s.created_at, s.updated_at,
  CASE WHEN s.state = 'retired' THEN s.updated_at END AS deleted_at
FROM servers s JOIN networks n ON n.id = s.network_id JOIN deliveries d ON d.server_id = s.id
LEFT JOIN server_runtime r ON r.server_id = s.id
WHERE s.word IS NOT NULL;

CREATE VIEW wireguard_peers AS
SELECT p.id, p.tenant_id, p.server_id, c.name AS customer_id, s.name AS subscriber_id,
  coalesce(nullif(p.display_name, ''), p.name) AS name, p.description, p.public_key,
  CASE WHEN n.net4 IS NOT NULL THEN set_masklen(n.net4::inet, 32) + p.address_offset END AS peer_ipv4,
  CASE WHEN n.net6 IS NOT NULL THEN set_masklen(n.net6::inet, 128) + p.address_offset END AS peer_ipv6,
  p.client_routes AS allowed_ips,
  CASE p.entitlement
    WHEN 'active' THEN 'ACTIVE' WHEN 'walled_garden' THEN 'ACTIVE'
    WHEN 'suspended' THEN 'DISABLED' WHEN 'expired' THEN 'EXPIRED'
    ELSE 'INACTIVE' END AS status,
  p.entitlement IN ('active', 'walled_garden') AS enabled,
  coalesce(r.last_handshake_at > clock_now() - interval '3 minutes', false) AS is_online,
  r.last_handshake_at AS last_handshake,
  coalesce(nullif(r.endpoint, ''), nullif(p.endpoint, '')) AS endpoint,
  coalesce(r.rx_bytes, 0) AS rx_bytes, coalesce(r.tx_bytes, 0) AS tx_bytes,
  coalesce(r.rx_bytes + r.tx_bytes, 0) AS total_bytes,
  p.expires_at, p.metadata::jsonb AS metadata, nullif(p.description, '') AS notes, p.created_by,
  split_part(p.cause, '/', 1) AS updated_by, p.created_at, p.changed_at AS updated_at,
  CASE WHEN p.stage = 'revoked' THEN p.changed_at END AS deleted_at
FROM peers p
LEFT JOIN subscribers s ON s.id = p.subscriber_id LEFT JOIN customers c ON c.id = s.customer_id
LEFT JOIN networks n ON n.id = p.network_id LEFT JOIN peer_runtime r ON r.peer_id = p.id
WHERE p.stage <> 'unknown';

CREATE VIEW wireguard_server_stats AS
SELECT s.id AS server_id, s.name,
  count(p.id) FILTER (WHERE p.stage IN ('reserved', 'provisioned')) AS total_peers,
  count(p.id) FILTER (WHERE p.entitlement IN ('active', 'walled_garden')) AS active_peers,
  count(p.id) FILTER (WHERE r.last_handshake_at > clock_now() - interval '3 minutes') AS online_peers,
  coalesce(x.rx_bytes, 0) AS total_rx_bytes, coalesce(x.tx_bytes, 0) AS total_tx_bytes, x.uptime_seconds
FROM servers s LEFT JOIN peers p ON p.server_id = s.id LEFT JOIN peer_runtime r ON r.peer_id = p.id
LEFT JOIN server_runtime x ON x.server_id = s.id
WHERE s.word IS NOT NULL
GROUP BY s.id, x.server_id;

-- The one allocation statement. The network's row is locked by the caller. The counter first: it passes what is reserved,
-- held, resting, or on its way back with the proof of a removal. Then the offset that waited longest after its quarantine.
-- `take` false: only looks.
CREATE FUNCTION network_next_offset(the_network networks, take boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  last_offset bigint := CASE WHEN the_network.net4 IS NOT NULL THEN (2 ^ (32 - masklen(the_network.net4)))::bigint - 2 END;
  last_offset6 bigint := (2 ^ least(128 - masklen(the_network.net6), 62))::bigint - 1;
  found_offset bigint := the_network.next_offset;
  waits_since timestamptz;
BEGIN
  last_offset := least(last_offset, last_offset6); -- of two families the smaller one; a null is passed over
  WHILE found_offset <= last_offset
    AND (found_offset = ANY (the_network.reserved)
         OR EXISTS (SELECT FROM peers p WHERE p.network_id = the_network.id AND p.address_offset = found_offset)
         OR EXISTS (SELECT FROM network_free f WHERE f.network_id = the_network.id AND f.address_offset = found_offset)
         OR EXISTS (SELECT FROM removals r WHERE r.network_id = the_network.id AND r.address_offset = found_offset))
  LOOP
    found_offset := found_offset + 1;
  END LOOP;
  IF found_offset <= last_offset THEN
    IF take THEN UPDATE networks SET next_offset = found_offset + 1 WHERE id = the_network.id; END IF;
    RETURN found_offset;
  END IF;
  SELECT f.address_offset, f.available_at INTO found_offset, waits_since FROM network_free f
  WHERE f.network_id = the_network.id AND f.available_at <= clock_now() AND f.address_offset <> ALL (the_network.reserved)
    AND NOT EXISTS (SELECT FROM peers p WHERE p.network_id = f.network_id AND p.address_offset = f.address_offset)
  ORDER BY f.available_at, f.address_offset LIMIT 1;
  IF take AND found_offset IS NOT NULL THEN
    UPDATE networks SET next_offset = greatest(next_offset, last_offset + 1) WHERE id = the_network.id;
    -- Those before it are reserved: they leave the list with it and come back when the reservation is given up.
    DELETE FROM network_free f
    WHERE f.network_id = the_network.id AND (f.available_at, f.address_offset) <= (waits_since, found_offset);
  END IF;
  RETURN found_offset;
END $$;
-- What these functions do is on record like any decision, with all that a rebuild needs, and said.
CREATE FUNCTION record_address(the_peer peers, the_network networks, the_offset bigint, deed text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  event_id text := gen_random_uuid()::text;
  source text := 'sql:' || session_user;
  event_type text := 'peerwright.address.' || deed || '.v1';
  tenant text := (SELECT name FROM tenants WHERE id = the_peer.tenant_id);
  address text := host(network_address(the_network.net4, the_network.net6, the_offset));
BEGIN
  INSERT INTO audit (source, event_id, event_type, key, outcome, body)
  VALUES (source, event_id, event_type, tenant || '/' || the_peer.name, 'accepted', json_build_object(
    'version', 2, 'source', source, 'id', event_id, 'type', event_type, 'outcome', 'accepted',
    'subject', json_build_object('tenant', tenant, 'peer', the_peer.name, 'network', the_network.name),
    'changes', json_build_object('addresses', json_build_array(json_build_object(
      'peer_id', the_peer.id, 'network_id', the_network.id, 'address_offset', the_offset, 'address', address,
      'state', deed, 'at', to_char(clock_now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'next_offset', (SELECT next_offset FROM networks WHERE id = the_network.id)))))::text);
  INSERT INTO outbox (channel, ce_id, ce_type, key, body)
  VALUES ('status', 'address.status/' || event_id, 'peerwright.address.status.v1', tenant || '/' || the_peer.name,
          json_build_object('tenant', tenant, 'peer', the_peer.name, 'network', the_network.name, 'address', address,
                            'state', deed, 'cause', source || '/' || event_id)::text);
END $$;

-- The network of a range, locked; where several have it, `preferred` or the oldest. Null: there is none.
CREATE FUNCTION network_locked(range cidr, preferred bigint) RETURNS networks LANGUAGE sql AS
'SELECT n FROM networks n WHERE (n.net4 = range OR n.net6 = range) AND n.word IS NOT NULL
 ORDER BY n.id IS NOT DISTINCT FROM preferred DESC, n.id LIMIT 1 FOR NO KEY UPDATE';

-- The address that would be given next; null: none is free, or there is no such network.
CREATE FUNCTION wg_get_next_available_ip(network_cidr cidr) RETURNS inet LANGUAGE plpgsql AS $$
DECLARE
  n networks;
BEGIN
  SELECT * INTO n FROM networks WHERE (net4 = network_cidr OR net6 = network_cidr) AND word IS NOT NULL ORDER BY id LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  RETURN network_address(n.net4, n.net6, network_next_offset(n, false));
END $$;

-- Gives a peer that has no address yet the next one of a network; answers the one that it holds there already. A
-- provision in that network keeps it.
CREATE FUNCTION wg_allocate_ip(peer_id bigint, network_cidr cidr) RETURNS inet LANGUAGE plpgsql AS $$
DECLARE
  n networks;
  p peers;
  taken bigint;
BEGIN
  n := network_locked(network_cidr, (SELECT network_id FROM peers WHERE id = wg_allocate_ip.peer_id));
  IF n.id IS NULL THEN RAISE EXCEPTION 'there is no network %', network_cidr USING ERRCODE = 'no_data_found'; END IF;
  SELECT * INTO p FROM peers WHERE id = wg_allocate_ip.peer_id FOR NO KEY UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'there is no peer %', peer_id USING ERRCODE = 'no_data_found'; END IF;
  IF p.stage = 'revoked' THEN RAISE EXCEPTION 'peer % was revoked', peer_id USING ERRCODE = 'check_violation'; END IF;
  IF p.address_offset IS NOT NULL AND p.network_id = n.id THEN
    RETURN network_address(n.net4, n.net6, p.address_offset);
  END IF;
  IF p.address_offset IS NOT NULL THEN
    RAISE EXCEPTION 'peer % holds an address of another network', peer_id USING ERRCODE = 'check_violation',
      HINT = 'move it with the event peer.move, or release that address';
  END IF;
  taken := network_next_offset(n, true);
  IF taken IS NULL THEN
    RAISE EXCEPTION 'network % has no free address', network_cidr USING ERRCODE = 'no_data_found',
      HINT = 'wait until resting addresses return';
  END IF;
  UPDATE peers SET network_id = n.id, address_offset = taken WHERE id = p.id;
  INSERT INTO address_periods (network_id, address_offset, peer_id, from_at) VALUES (n.id, taken, p.id, clock_now())
  ON CONFLICT (network_id, address_offset, from_at) DO UPDATE SET peer_id = excluded.peer_id, until_at = NULL;
  PERFORM record_address(p, n, taken, 'allocated');
  RETURN network_address(n.net4, n.net6, taken);
END $$;

-- Gives back an address that was allocated and never used: true, and its quarantine begins. False: nobody holds it so, for
-- the address of a peer that is reserved or provisioned is given back by an event alone.
CREATE FUNCTION wg_release_ip(ip inet) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  alone inet := host(ip)::inet;
  n networks;
  p peers;
  released bigint;
BEGIN
  SELECT o.* INTO n FROM networks o
  WHERE (o.net4::inet >>= alone OR (o.net6::inet >>= alone AND alone < host(o.net6)::inet + 4611686018427387904))
    AND o.word IS NOT NULL -- offsets end at 2^62
  ORDER BY EXISTS (SELECT FROM peers q WHERE q.network_id = o.id AND q.stage = 'unknown' AND q.address_offset =
             CASE family(alone) WHEN 4 THEN alone - host(o.net4)::inet ELSE alone - host(o.net6)::inet END) DESC, o.id
  LIMIT 1 FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  released := CASE family(alone) WHEN 4 THEN alone - host(n.net4)::inet ELSE alone - host(n.net6)::inet END;
  SELECT * INTO p FROM peers WHERE network_id = n.id AND address_offset = released FOR NO KEY UPDATE;
  IF NOT FOUND OR p.stage <> 'unknown' THEN RETURN false; END IF;
  UPDATE peers SET network_id = NULL, address_offset = NULL WHERE id = p.id;
  INSERT INTO network_free (network_id, address_offset, available_at)
  VALUES (n.id, released, clock_now() + n.quarantine_seconds * interval '1 second');
  UPDATE address_periods SET until_at = greatest(clock_now(), from_at)
  WHERE network_id = n.id AND address_offset = released AND until_at IS NULL;
  PERFORM record_address(p, n, released, 'released');
  RETURN true;
END $$;

-- Makes the network of a range, or finds it, with the server's address kept back. Its name is the range with '-' for '/',
-- and a network.set of that name changes the rest. Answers how many addresses it has, the server's own among them.
CREATE FUNCTION wg_init_ip_pool(network_cidr cidr, server_address inet) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  n networks;
  own_offset bigint;
  network_name text := replace(text(network_cidr), '/', '-');
  event_id text := gen_random_uuid()::text;
  source text := 'sql:' || session_user;
BEGIN
  IF family(network_cidr) <> 4 OR masklen(network_cidr) > 30 OR masklen(network_cidr) < 8 THEN
    RAISE EXCEPTION 'an IPv4 range from /8 to /30 is needed' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF NOT network_cidr <<= ANY (ARRAY['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10',
                                     '169.254.0.0/16']::cidr[]) THEN
    RAISE EXCEPTION 'the range % has public addresses', network_cidr USING ERRCODE = 'invalid_parameter_value',
      HINT = 'the event network.set with allow_public makes such a network';
  END IF;
  IF family(server_address) <> 4 OR NOT network_cidr::inet >> host(server_address)::inet
    OR host(server_address) IN (host(network_cidr), host(broadcast(network_cidr))) THEN
    RAISE EXCEPTION '% is no address for a server in %', host(server_address), network_cidr
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  own_offset := host(server_address)::inet - host(network_cidr)::inet;
  n := network_locked(network_cidr, NULL);
  IF n.id IS NULL THEN
    INSERT INTO networks AS o (name, net4, reserved, quarantine_seconds, word)
    VALUES (network_name, network_cidr, ARRAY[own_offset], 86400,
            json_build_object('source', source, 'id', event_id,
                              'time_us', (extract(epoch FROM clock_now()) * 1000000)::bigint, 'partition', 0, 'offset', 0)::text)
    ON CONFLICT (name) DO UPDATE -- named by somebody before it was set
    SET net4 = excluded.net4, reserved = excluded.reserved, quarantine_seconds = excluded.quarantine_seconds,
      word = excluded.word WHERE o.word IS NULL;
    n := network_locked(network_cidr, NULL); -- the one made here, or at the same time by somebody else
    IF n.id IS NULL THEN
      RAISE EXCEPTION 'there is a network % with other ranges', network_name USING ERRCODE = 'unique_violation';
    END IF;
  END IF;
  IF own_offset <> ALL (n.reserved) THEN
    IF EXISTS (SELECT FROM peers p WHERE p.network_id = n.id AND p.address_offset = own_offset) THEN
      RAISE EXCEPTION 'a peer holds %', host(server_address) USING ERRCODE = 'unique_violation';
    END IF;
    UPDATE networks SET reserved = (SELECT array_agg(r ORDER BY r) FROM unnest(reserved || own_offset) AS r) WHERE id = n.id;
  END IF;
  INSERT INTO audit (source, event_id, event_type, key, outcome, body)
  SELECT source, event_id, 'peerwright.address.pool.v1', 'network/' || o.name, 'accepted', json_build_object(
    'version', 2, 'source', source, 'id', event_id, 'type', 'peerwright.address.pool.v1', 'outcome', 'accepted',
    'subject', json_build_object('network', o.name),
    'changes', json_build_object('pools', json_build_array(json_build_object(
      'network_id', o.id, 'network', o.name, 'ipv4', o.net4, 'reserved', o.reserved, 'next_offset', o.next_offset,
      'quarantine_seconds', o.quarantine_seconds, 'word', o.word))))::text
  FROM networks o WHERE o.id = n.id;
  RETURN (2 ^ (32 - masklen(network_cidr)))::integer - 2;
END $$;

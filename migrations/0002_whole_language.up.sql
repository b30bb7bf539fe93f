-- The whole language: tenants with limits, customers, reservations, dunning, moves, key rotations, rules, meshes and links,
-- what is observed on hosts, and who held which address when.
--
-- Forward-safe while the old version still runs: only new tables, new columns with defaults, and constraints that are
-- widened. An old worker neither reads nor writes the new columns; what only they express (a reservation, a walled garden)
-- comes from events that an old worker does not know, and keeps for a newer one.

CREATE EXTENSION IF NOT EXISTS btree_gist; -- trusted: the owner of the database may create it

-- The clock that everything is judged by which is due at a time: the database's, and where a test or a rehearsal sets an
-- offset, that much later. Broker's times are moved with it. Leases and retries stay on now().
ALTER TABLE installation ADD COLUMN clock_offset interval NOT NULL DEFAULT '0';
-- With its owner's rights: views ask for it, also for roles that may read nothing but the view.
CREATE FUNCTION clock_now() RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER
  AS 'SELECT now() + clock_offset FROM installation';
DO $$ BEGIN -- no temporary table of the caller's may stand before ours
  EXECUTE format('ALTER FUNCTION clock_now() SET search_path = %I, pg_temp', current_schema());
END $$;

-- Tenants: limits and defaults. A tenant that nobody has set has the defaults.
ALTER TABLE tenants
  ADD COLUMN word text,
  ADD COLUMN version bigint NOT NULL DEFAULT 0,
  ADD COLUMN max_peers bigint, -- null: no limit
  ADD COLUMN peer_count bigint NOT NULL DEFAULT 0, -- reserved, or provisioned and not revoked
  ADD COLUMN reservations_per_hour integer NOT NULL DEFAULT 5 CHECK (reservations_per_hour BETWEEN 0 AND 1000),
  ADD COLUMN reserved_at bigint[] NOT NULL DEFAULT '{}', -- microseconds; the reservations of the last hour
  ADD COLUMN suspensions_limit integer, -- null: none; so many suspensions within the window
  ADD COLUMN suspensions_window_seconds integer NOT NULL DEFAULT 3600,
  ADD COLUMN suspensions_action text NOT NULL DEFAULT 'alert' CHECK (suspensions_action IN ('alert', 'approve')),
  ADD COLUMN suspensions_since bigint NOT NULL DEFAULT 0, -- microseconds: when the current window began
  ADD COLUMN suspensions_count integer NOT NULL DEFAULT 0,
  ADD COLUMN garden text NOT NULL DEFAULT '[]', -- JSON: destinations that stay reachable in the walled garden
  ADD COLUMN recipient_key text NOT NULL DEFAULT '', -- X25519, base64: what is made for its clients is sealed to it
  ADD COLUMN dns text[] NOT NULL DEFAULT '{}';
-- Peers per plan of a tenant: O(1) whatever the number of peers.
CREATE TABLE tenant_plans (
  tenant_id bigint NOT NULL REFERENCES tenants,
  plan text NOT NULL,
  max_peers bigint NOT NULL CHECK (max_peers >= 0),
  peer_count bigint NOT NULL DEFAULT 0 CHECK (peer_count >= 0),
  listed boolean NOT NULL DEFAULT true, -- false: no longer in the tenant's settings, still counted
  PRIMARY KEY (tenant_id, plan)
);

CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenants,
  name text NOT NULL,
  version bigint NOT NULL DEFAULT 0,
  released_at timestamptz, -- peers that were provisioned up to then are revoked
  revoked boolean NOT NULL DEFAULT false, -- for ever: nothing is provisioned again
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, name)
);
ALTER TABLE subscribers
  ADD COLUMN customer_id bigint REFERENCES customers,
  ADD COLUMN released_at timestamptz,
  ADD COLUMN revoked boolean NOT NULL DEFAULT false;
CREATE INDEX subscribers_of_customer ON subscribers (customer_id, id) WHERE customer_id IS NOT NULL;

ALTER TABLE networks
  ADD COLUMN forbidden cidr[] NOT NULL DEFAULT '{}', -- what tunnel traffic must not reach
  ADD COLUMN allow_public boolean NOT NULL DEFAULT false;

ALTER TABLE servers
  ADD COLUMN owner_tenant_id bigint REFERENCES tenants, -- null: shared
  ADD COLUMN state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'draining', 'retired')),
  ADD COLUMN maintenance boolean NOT NULL DEFAULT false, -- its pushes are held, and nothing else
  ADD COLUMN region text NOT NULL DEFAULT '',
  ADD COLUMN location text NOT NULL DEFAULT '',
  ADD COLUMN description text NOT NULL DEFAULT '',
  ADD COLUMN listen_port integer NOT NULL DEFAULT 51820,
  ADD COLUMN default_action text NOT NULL DEFAULT '' CHECK (default_action IN ('', 'allow', 'deny')), -- '': not filtered
  ADD COLUMN tunnel_only_ports text NOT NULL DEFAULT '[]', -- JSON: [{"protocol","port"}]
  ADD COLUMN masquerade boolean NOT NULL DEFAULT false,
  ADD COLUMN drift_policy text NOT NULL DEFAULT 'repair' CHECK (drift_policy IN ('repair', 'adopt', 'report')),
  ADD COLUMN metadata text NOT NULL DEFAULT '{}',
  ADD COLUMN private_key_sealed text NOT NULL DEFAULT '', -- base64; place servers/NAME/private_key
  ADD COLUMN key_wanted text NOT NULL DEFAULT '', -- the public key of private_key_sealed while the host does not have it yet
  ADD COLUMN key_since timestamptz,
  ADD COLUMN post_up text NOT NULL DEFAULT '', -- shown, never executed
  ADD COLUMN post_down text NOT NULL DEFAULT '',
  ADD COLUMN retired_word text NOT NULL DEFAULT '', -- an operator's word that the host is gone
  ADD COLUMN created_by text NOT NULL DEFAULT '',
  ADD COLUMN updated_by text NOT NULL DEFAULT '',
  ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX servers_of_region ON servers (region, id) WHERE region <> '';

ALTER TABLE peers
  DROP CONSTRAINT peers_stage_check,
  DROP CONSTRAINT peers_entitlement_check,
  ADD CONSTRAINT peers_stage_check CHECK (stage IN ('unknown', 'reserved', 'provisioned', 'revoked')),
  ADD CONSTRAINT peers_entitlement_check CHECK (entitlement IN
    ('unprovisioned', 'reserved', 'active', 'walled_garden', 'suspended', 'expired', 'revoked')),
  ADD COLUMN display_name text NOT NULL DEFAULT '',
  ADD COLUMN user_id text NOT NULL DEFAULT '',
  ADD COLUMN type text NOT NULL DEFAULT 'client' CHECK (type IN ('client', 'service', 'gateway')),
  ADD COLUMN plan text NOT NULL DEFAULT '',
  ADD COLUMN endpoint text NOT NULL DEFAULT '', -- where the peer itself can be reached; host:port
  ADD COLUMN site_networks cidr[] NOT NULL DEFAULT '{}', -- hub-side allowed IPs beside its addresses
  ADD COLUMN dns text[] NOT NULL DEFAULT '{}', -- empty: the tenant's, else the server's
  ADD COLUMN mtu integer NOT NULL DEFAULT 0,
  ADD COLUMN hub_keepalive_seconds integer NOT NULL DEFAULT 0,
  ADD COLUMN metadata text NOT NULL DEFAULT '{}',
  ADD COLUMN expires_at timestamptz,
  ADD COLUMN expired boolean NOT NULL DEFAULT false, -- set by the timer, for it waits until intake has caught up
  ADD COLUMN quota_bytes bigint NOT NULL DEFAULT 0, -- 0: none
  ADD COLUMN over_quota boolean NOT NULL DEFAULT false,
  ADD COLUMN reservation text NOT NULL DEFAULT '' CHECK (reservation IN ('', 'reserved', 'activated', 'expired')),
  ADD COLUMN reserved_until timestamptz,
  ADD COLUMN provisioned_at timestamptz,
  ADD COLUMN preshared_key_sealed text NOT NULL DEFAULT '', -- base64; place peers/TENANT/PEER/preshared_key
  ADD COLUMN preshared_key_hash text NOT NULL DEFAULT '', -- SHA-256, hexadecimal
  ADD COLUMN client_key_sealed text NOT NULL DEFAULT '', -- base64; place peers/TENANT/PEER/client_key
  ADD COLUMN staged_key text, -- the next public key: on the host without addresses until its first handshake
  ADD COLUMN staged_until timestamptz,
  ADD COLUMN staged_client_key_sealed text NOT NULL DEFAULT '',
  ADD COLUMN created_by text NOT NULL DEFAULT '',
  ADD CONSTRAINT peers_reserved_check CHECK (stage <> 'reserved' OR
    (server_id IS NOT NULL AND network_id IS NOT NULL AND address_offset IS NOT NULL AND reserved_until IS NOT NULL));
CREATE INDEX peers_walled ON peers (server_id) WHERE entitlement = 'walled_garden';

-- Keys that were staged or rotated out. Whoever writes here holds the table's EXCLUSIVE lock, whoever gives a key to a peer
-- its ROW SHARE lock: so that a key has one holder across this table and peers.public_key.
CREATE TABLE used_keys (
  public_key text PRIMARY KEY,
  peer_id bigint NOT NULL REFERENCES peers,
  at timestamptz NOT NULL DEFAULT now()
);

-- Prefixes behind peers and nodes. On one server none overlaps another, whatever any program believes. Addresses out of
-- the network itself are not here: they are unique by their offset.
CREATE TABLE site_prefixes (
  server_id bigint NOT NULL REFERENCES servers,
  prefix inet NOT NULL,
  peer_id bigint REFERENCES peers,
  link_id bigint,
  EXCLUDE USING gist (server_id WITH =, prefix inet_ops WITH &&)
);
CREATE INDEX site_prefixes_of_peer ON site_prefixes (peer_id) WHERE peer_id IS NOT NULL;
CREATE INDEX site_prefixes_of_link ON site_prefixes (link_id) WHERE link_id IS NOT NULL;

-- Holds grow steps: grace, walled garden, cut, release, each at its time.
ALTER TABLE holds
  DROP CONSTRAINT holds_scope_kind_check,
  ADD CONSTRAINT holds_scope_kind_check CHECK (scope_kind IN ('customer', 'subscriber', 'peer')),
  ADD COLUMN level text NOT NULL DEFAULT 'cut' CHECK (level IN ('none', 'grace', 'walled_garden', 'cut', 'awaiting')),
  ADD COLUMN steps text NOT NULL DEFAULT '[]', -- JSON: [{"level", "at_us"}], the earliest first
  ADD COLUMN since timestamptz; -- of the present level

CREATE INDEX holds_awaiting ON holds (scope_kind, scope_id) WHERE level = 'awaiting';

-- Who may use a network, from the holds as they stand: plans are computed from this, never from a flag noted earlier.
-- A walled garden keeps the key on the host: the firewall does the rest (an old worker takes it off, as a cut). `held` is
-- true at the levels walled_garden and cut alone; an old worker lifts a hold by `held` and leaves its level.
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

-- A key that goes while its peer stays (moved, rotated): the row knows the address that comes back once it is gone.
ALTER TABLE removals
  ADD COLUMN network_id bigint,
  ADD COLUMN address_offset bigint;
CREATE INDEX removals_with_address ON removals (network_id, address_offset) WHERE address_offset IS NOT NULL;

-- Times at which something has to be decided. Hints: the subject's own row says what is due, and is asked under its lock.
CREATE TABLE timers (
  kind text NOT NULL CHECK (kind IN ('reservation', 'expiry', 'quota', 'hold_customer', 'hold_subscriber', 'hold_peer', 'rotation')),
  subject_id bigint NOT NULL,
  owner text NOT NULL DEFAULT '',
  due_at timestamptz NOT NULL,
  PRIMARY KEY (kind, subject_id, owner)
);
CREATE INDEX timers_due ON timers (due_at);

-- Carrying on to many: beside subscribers (fan_outs), all peers of a server (their configurations changed), all servers of
-- a tenant (its rules changed), all servers of a network (what it forbids changed).
CREATE TABLE wider_fan_outs (
  kind text NOT NULL CHECK (kind IN ('customer', 'server', 'tenant', 'network')),
  subject_id bigint NOT NULL,
  after_id bigint NOT NULL DEFAULT 0,
  cause text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (kind, subject_id)
);

CREATE TABLE access_rules (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenants,
  name text NOT NULL,
  active boolean NOT NULL DEFAULT false, -- false: removed, or named by nobody yet but a removal
  source_peer_id bigint REFERENCES peers, -- null: all of the tenant's
  dest_peer_id bigint REFERENCES peers,
  dest_port integer NOT NULL DEFAULT 0 CHECK (dest_port BETWEEN 0 AND 65535), -- 0: any
  dest_protocol text NOT NULL DEFAULT 'any' CHECK (dest_protocol IN ('tcp', 'udp', 'any')),
  action text NOT NULL DEFAULT 'deny' CHECK (action IN ('allow', 'deny')),
  priority integer NOT NULL DEFAULT 100, -- the lower first
  word text,
  UNIQUE (tenant_id, name)
);
CREATE INDEX access_rules_of_source ON access_rules (source_peer_id) WHERE active;
CREATE INDEX access_rules_of_dest ON access_rules (dest_peer_id) WHERE active;

-- Meshes and links: servers (and nodes without SSH) that are each other's peers.
CREATE TABLE meshes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE, -- "mesh/NAME" or "link/NAME"
  members text NOT NULL DEFAULT '[]', -- JSON as the event said it; the rows of node_links follow from it
  active boolean NOT NULL DEFAULT false,
  word text,
  version bigint NOT NULL DEFAULT 0
);
-- One end's entry for the other end.
CREATE TABLE node_links (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  mesh_id bigint NOT NULL REFERENCES meshes,
  server_id bigint NOT NULL REFERENCES servers, -- on whose interface it stands
  other text NOT NULL, -- the other end's name in the mesh
  other_server_id bigint REFERENCES servers, -- null: unmanaged
  public_key text NOT NULL DEFAULT '', -- of the other end; '' until it is known
  allowed_ips text[] NOT NULL,
  endpoint text NOT NULL DEFAULT '', -- host:port, the host may be a name
  resolved text NOT NULL DEFAULT '', -- the literal that was pushed last
  resolve boolean NOT NULL DEFAULT false, -- stale: resolve it again and push
  keepalive_seconds integer NOT NULL DEFAULT 0,
  wanted boolean NOT NULL DEFAULT true,
  generation bigint NOT NULL DEFAULT 0,
  applied_generation bigint NOT NULL DEFAULT 0,
  proven text, -- its fingerprint; '': absent; '? KEY...': unknown, and these keys may stand there; null: never pushed
  refused_generation bigint NOT NULL DEFAULT 0, -- up to it the host refuses the entry for ever
  UNIQUE (mesh_id, server_id, other)
);
CREATE INDEX node_links_of_server ON node_links (server_id);
CREATE INDEX node_links_to_server ON node_links (other_server_id) WHERE other_server_id IS NOT NULL;

-- The firewall that a server was proven to have; null: unknown.
ALTER TABLE deliveries
  ADD COLUMN firewall_hash text NOT NULL DEFAULT '', -- SHA-256 of the text; '' for none
  ADD COLUMN firewall_state text NOT NULL DEFAULT '', -- SHA-256 of what nft showed right after
  ADD COLUMN firewall_known boolean NOT NULL DEFAULT false,
  ADD COLUMN firewall_refused text NOT NULL DEFAULT ''; -- "CODE HASH EPOCH" of the text that the host refuses

-- Runtime figures, apart from what is decided.
CREATE TABLE peer_runtime (
  peer_id bigint PRIMARY KEY REFERENCES peers,
  last_handshake_at timestamptz,
  handshake_epoch bigint NOT NULL DEFAULT 0, -- the same as the host's clock says it: whether a reading shows another one
  endpoint text NOT NULL DEFAULT '',
  connectivity text NOT NULL DEFAULT 'never' CHECK (connectivity IN ('never', 'connected', 'idle', 'disconnected')),
  connectivity_since timestamptz NOT NULL DEFAULT now(),
  first_connected_at timestamptz,
  rx_counter bigint NOT NULL DEFAULT 0, -- as read last, to compute the next delta
  tx_counter bigint NOT NULL DEFAULT 0,
  counter_of text NOT NULL DEFAULT '', -- "SERVER_ID KEY": whose counters they are; another's begin at 0
  rx_bytes bigint NOT NULL DEFAULT 0, -- totals since the peer was provisioned
  tx_bytes bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE TABLE server_runtime (
  server_id bigint PRIMARY KEY REFERENCES servers,
  observe_at timestamptz NOT NULL DEFAULT now(), -- when it is read next
  worker_id uuid,
  observed_at timestamptz,
  counted_at timestamptz, -- when its peers' traffic was counted last; readings in between only look for handshakes
  up boolean,
  uptime_seconds double precision,
  listening boolean,
  forwarding4 boolean,
  forwarding6 boolean,
  unit_active text NOT NULL DEFAULT '',
  unit_enabled text NOT NULL DEFAULT '',
  file_owner text NOT NULL DEFAULT '',
  file_mode text NOT NULL DEFAULT '',
  file_hash text NOT NULL DEFAULT '',
  firewall_state text NOT NULL DEFAULT '',
  drift text NOT NULL DEFAULT '{}', -- JSON: kind -> count
  error_code text NOT NULL DEFAULT '',
  rx_bytes bigint NOT NULL DEFAULT 0,
  tx_bytes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX server_runtime_due ON server_runtime (observe_at);
CREATE TABLE wg_connection_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  peer_id bigint NOT NULL REFERENCES peers,
  event_type text NOT NULL CHECK (event_type IN ('handshake', 'disconnect', 'data_transfer')),
  remote_endpoint text,
  rx_bytes bigint NOT NULL DEFAULT 0, -- deltas
  tx_bytes bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX wg_connection_log_of_peer ON wg_connection_log (peer_id, created_at);
CREATE INDEX wg_connection_log_by_time ON wg_connection_log (created_at);

-- Who held an address, from when to when. Without references: networks and peers are never deleted, and two checks a row
-- cost as much as the row.
CREATE TABLE address_periods (
  network_id bigint NOT NULL,
  address_offset bigint NOT NULL,
  peer_id bigint NOT NULL,
  from_at timestamptz NOT NULL DEFAULT now(),
  until_at timestamptz,
  PRIMARY KEY (network_id, address_offset, from_at)
);
CREATE UNIQUE INDEX address_periods_open ON address_periods (network_id, address_offset) WHERE until_at IS NULL;
UPDATE tenants t SET peer_count = (SELECT count(*) FROM peers p WHERE p.tenant_id = t.id AND p.stage = 'provisioned');
INSERT INTO address_periods (network_id, address_offset, peer_id, from_at)
SELECT network_id, address_offset, id, created_at FROM peers WHERE address_offset IS NOT NULL;

-- How far intake has caught up, and what it could not execute.
ALTER TABLE intake
  ADD COLUMN caught_up_at timestamptz, -- when the end offset was asked for that has been passed
  ADD COLUMN last_offset bigint,
  ADD COLUMN last_hash bytea; -- SHA-256 of the last message executed: a topic that was made anew shows by it
ALTER TABLE intake_topics
  ADD COLUMN partitions integer NOT NULL DEFAULT 0; -- as seen last, with fresh metadata
ALTER TABLE dead_letters
  ADD COLUMN kept boolean NOT NULL DEFAULT false, -- of a type or version that a newer worker may know
  ADD COLUMN state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replay', 'replayed', 'discarded')),
  ADD COLUMN settled_at timestamptz,
  ADD COLUMN tenant text NOT NULL DEFAULT '', -- '': could not be read, or none
  -- "peer/NAME", "subscriber/NAME", ..., the event's own subject first; empty: all of the tenant, or, without one, anybody
  ADD COLUMN subjects text[] NOT NULL DEFAULT '{}',
  ADD COLUMN blocks boolean NOT NULL DEFAULT true; -- false: its source may not speak of them, and nobody waits for it
CREATE INDEX dead_letters_open ON dead_letters (tenant) WHERE state IN ('open', 'replay');

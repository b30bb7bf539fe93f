-- The tables of the first whole path: who may use which network, what is due on which host, what was read and what has
-- to be said. Nothing existed before, so there is no older version to stay compatible with.

CREATE TABLE installation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  kafka_cluster_id text,
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO installation DEFAULT VALUES;

-- Workers and what they hold. A lease hangs on its worker's heartbeat, so that one update every 300 ms keeps them all.
CREATE TABLE workers (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  heartbeat_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE leases (
  kind text PRIMARY KEY,
  worker_id uuid
);
INSERT INTO leases (kind) VALUES ('publisher');

-- Subjects. Identity rows are made when somebody first names them, and never deleted: they carry the last words.
CREATE TABLE tenants (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE subscribers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenants,
  name text NOT NULL,
  version bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, name)
);
CREATE TABLE networks (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  net4 cidr CHECK (family(net4) = 4),
  net6 cidr CHECK (family(net6) = 6),
  reserved bigint[] NOT NULL DEFAULT '{}',
  next_offset bigint NOT NULL DEFAULT 1 CHECK (next_offset >= 1),
  quarantine_seconds integer NOT NULL DEFAULT 0 CHECK (quarantine_seconds >= 0),
  word text, -- the last word on the configuration; null: named by somebody, not yet set
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (word IS NULL OR net4 IS NOT NULL OR net6 IS NOT NULL)
);
-- Offsets that came back. The quarantine starts when the removal is proven, not when it was asked for.
CREATE TABLE network_free (
  network_id bigint NOT NULL REFERENCES networks,
  address_offset bigint NOT NULL CHECK (address_offset >= 1),
  available_at timestamptz NOT NULL,
  PRIMARY KEY (network_id, address_offset)
);
CREATE INDEX network_free_oldest ON network_free (network_id, available_at);

CREATE TABLE servers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  network_id bigint REFERENCES networks,
  ssh_host text NOT NULL DEFAULT '',
  ssh_port integer NOT NULL DEFAULT 22 CHECK (ssh_port BETWEEN 1 AND 65535),
  ssh_user text NOT NULL DEFAULT '',
  ssh_host_key text NOT NULL DEFAULT '',
  exec_prefix text NOT NULL DEFAULT '',
  interface text NOT NULL DEFAULT '',
  config_path text NOT NULL DEFAULT '',
  public_key text NOT NULL DEFAULT '',
  endpoint text NOT NULL DEFAULT '',
  mtu integer NOT NULL DEFAULT 0,
  dns text[] NOT NULL DEFAULT '{}',
  keepalive_seconds integer NOT NULL DEFAULT 0,
  max_peers bigint NOT NULL DEFAULT 0,
  peer_count bigint NOT NULL DEFAULT 0 CHECK (peer_count >= 0),
  generation bigint NOT NULL DEFAULT 0,
  version bigint NOT NULL DEFAULT 0,
  word text,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (word IS NULL OR (network_id IS NOT NULL AND ssh_host <> '' AND ssh_host_key <> ''))
);

CREATE TABLE peers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenants,
  name text NOT NULL,
  stage text NOT NULL DEFAULT 'unknown' CHECK (stage IN ('unknown', 'provisioned', 'revoked')),
  entitlement text NOT NULL DEFAULT 'unprovisioned'
    CHECK (entitlement IN ('unprovisioned', 'active', 'suspended', 'revoked')),
  subscriber_id bigint REFERENCES subscribers,
  server_id bigint REFERENCES servers,
  network_id bigint, -- the server's own, which references it
  address_offset bigint,
  public_key text,
  description text NOT NULL DEFAULT '',
  client_routes text[] NOT NULL DEFAULT '{}',
  keepalive_seconds integer NOT NULL DEFAULT 0,
  word text,
  cause text NOT NULL DEFAULT '',
  changed_at timestamptz NOT NULL DEFAULT now(),
  version bigint NOT NULL DEFAULT 0,
  generation bigint NOT NULL DEFAULT 0,
  applied_generation bigint NOT NULL DEFAULT 0,
  delivery_error text NOT NULL DEFAULT '', -- why the host refuses it for ever; '' again with the next change
  proven text, -- what the host was last read to show: a fingerprint, '' for absent, null for unknown
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, name),
  CHECK (stage <> 'provisioned' OR
         (server_id IS NOT NULL AND network_id IS NOT NULL AND address_offset IS NOT NULL AND public_key IS NOT NULL)),
  CHECK ((stage = 'revoked') = (entitlement = 'revoked'))
) WITH (fillfactor = 85);
-- One holder of a key, for ever, and one of an address, whatever any program believes. Partial, for an identity row is
-- made with neither, and most of what an index costs is paid when rows are made.
CREATE UNIQUE INDEX peers_public_key ON peers (public_key) WHERE public_key IS NOT NULL;
CREATE UNIQUE INDEX peers_address ON peers (network_id, address_offset) WHERE address_offset IS NOT NULL;
CREATE INDEX peers_pending ON peers (server_id, generation) WHERE generation > applied_generation;
CREATE INDEX peers_of_server ON peers (server_id, id) WHERE server_id IS NOT NULL;
CREATE INDEX peers_of_subscriber ON peers (subscriber_id, id) WHERE subscriber_id IS NOT NULL;

-- Reasons why someone is off; one register per scope and owner. A lifted hold stays, for it carries its word.
CREATE TABLE holds (
  scope_kind text NOT NULL CHECK (scope_kind IN ('subscriber', 'peer')),
  scope_id bigint NOT NULL,
  owner text NOT NULL,
  held boolean NOT NULL,
  reason text NOT NULL DEFAULT '',
  word text NOT NULL,
  PRIMARY KEY (scope_kind, scope_id, owner)
);

-- Who may use a network, from the holds as they stand: plans are computed from this, never from a flag noted earlier.
CREATE VIEW wanted_peers AS
SELECT p.* FROM peers p
WHERE p.stage = 'provisioned'
  AND NOT EXISTS (SELECT FROM holds h WHERE h.scope_kind = 'peer' AND h.scope_id = p.id AND h.held)
  AND NOT EXISTS (SELECT FROM holds h WHERE h.scope_kind = 'subscriber' AND h.scope_id = p.subscriber_id AND h.held);

-- A hold on many peers, being carried to them chunk by chunk.
CREATE TABLE fan_outs (
  subscriber_id bigint PRIMARY KEY REFERENCES subscribers,
  after_peer_id bigint NOT NULL DEFAULT 0,
  cause text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now()
);

-- What is due where. A table of its own, so that claiming never waits for a server's row. Whoever changes a row but to
-- claim it, or a server's peers, locks the server's row first.
CREATE TABLE deliveries (
  server_id bigint PRIMARY KEY REFERENCES servers,
  due boolean NOT NULL DEFAULT false,
  due_generation bigint NOT NULL DEFAULT 0,
  due_since timestamptz,
  urgent_since timestamptz,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  error_code text NOT NULL DEFAULT '',
  error_message text NOT NULL DEFAULT '',
  worker_id uuid,
  push_no bigint NOT NULL DEFAULT 0,
  in_doubt boolean NOT NULL DEFAULT true, -- what stands on a host is unknown until it was read for the first time
  proven_at timestamptz,
  file_hash text NOT NULL DEFAULT ''
) WITH (fillfactor = 50);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE due;

-- Keys that have to go from a host, until they are proven gone from its kernel and its saved file.
CREATE TABLE removals (
  server_id bigint NOT NULL REFERENCES servers,
  public_key text NOT NULL,
  peer_id bigint NOT NULL REFERENCES peers,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (server_id, public_key)
);

-- How far each partition was executed: raised in the transaction that executes, by compare-and-set.
CREATE TABLE intake (
  topic text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  last_time timestamptz NOT NULL DEFAULT '-infinity', -- the broker's, never falling
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);
-- Which partitions a topic had when it was seen first: those begin at the log's start, later ones at 0.
CREATE TABLE intake_topics (
  topic text PRIMARY KEY,
  first_partitions integer NOT NULL
);
CREATE TABLE inbox (
  source text NOT NULL,
  id text NOT NULL,
  payload_hash bytea NOT NULL,
  read_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, id)
);

-- Ids are drawn while the subject's row is locked: a subject's messages stand in the order of its decisions.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  channel text NOT NULL CHECK (channel IN ('status', 'dead_letter')),
  ce_id text NOT NULL,
  ce_type text NOT NULL,
  key text NOT NULL,
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  parked_code text
);

-- Every decision. The publisher gives each row its number in the chain and the hash that binds it to the one before.
CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  source text NOT NULL,
  event_id text NOT NULL,
  event_type text NOT NULL,
  key text NOT NULL,
  outcome text NOT NULL,
  code text NOT NULL DEFAULT '',
  body text NOT NULL,
  chain_no bigint,
  chain_hash bytea
);
CREATE UNIQUE INDEX audit_chain ON audit (chain_no) WHERE chain_no IS NOT NULL;
CREATE INDEX audit_unlinked ON audit (id) WHERE chain_no IS NULL;
CREATE INDEX audit_of_event ON audit (source, event_id);
CREATE TABLE audit_head (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  chain_no bigint NOT NULL DEFAULT 0,
  chain_hash bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000',
  published_no bigint NOT NULL DEFAULT 0,
  CHECK (published_no <= chain_no)
);
INSERT INTO audit_head DEFAULT VALUES;

-- Messages that could not be executed, with their original bytes (sealed, for they may hold anything).
CREATE TABLE dead_letters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  partition integer NOT NULL,
  message_offset bigint NOT NULL,
  broker_time timestamptz NOT NULL,
  source text NOT NULL,
  event_id text NOT NULL,
  event_type text NOT NULL,
  code text NOT NULL,
  message text NOT NULL,
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (topic, partition, message_offset)
);

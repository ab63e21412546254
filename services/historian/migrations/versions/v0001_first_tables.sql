-- The first tables, see historian/schema.py for what they mean.

CREATE TABLE dispatch_batch (
  environment TEXT NOT NULL,
  batch_uid TEXT NOT NULL,
  revision_key TEXT NOT NULL,
  market_id TEXT,
  batch_status INTEGER,
  batch_received_at TIMESTAMP WITH TIME ZONE,
  batch_sent_at TIMESTAMP WITH TIME ZONE,
  batch_expires_at TIMESTAMP WITH TIME ZONE,
  batch_type INTEGER,
  start_at TIMESTAMP WITH TIME ZONE,
  dispatch_mode INTEGER,
  binding_flag TEXT,
  revision_no INTEGER,
  contingency_type TEXT,
  path_exclusion TEXT,
  extra JSONB DEFAULT '{}'::jsonb NOT NULL,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT dispatch_batch_pkey PRIMARY KEY (environment, batch_uid, revision_key)
);
CREATE INDEX dispatch_batch_start_at ON dispatch_batch (start_at);

CREATE TABLE instruction (
  environment TEXT NOT NULL,
  batch_uid TEXT NOT NULL,
  revision_key TEXT NOT NULL,
  instruction_uid TEXT NOT NULL,
  revision_no INTEGER,
  plant TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  own_batch_uid TEXT,
  start_at TIMESTAMP WITH TIME ZONE,
  end_at TIMESTAMP WITH TIME ZONE,
  dot_mw DOUBLE PRECISION,
  oos_energy_code TEXT,
  as_type TEXT,
  instruction_type INTEGER,
  pre_goto_mw DOUBLE PRECISION,
  bid_delay_min INTEGER,
  min_accept_mw DOUBLE PRECISION,
  accept_dot_mw DOUBLE PRECISION,
  accept_status TEXT,
  responder TEXT,
  reason_code INTEGER,
  opr_accept_dot_mw DOUBLE PRECISION,
  opr_accept_status TEXT,
  opr_responder TEXT,
  opr_reason_code INTEGER,
  validated_at TIMESTAMP WITH TIME ZONE,
  validated_by TEXT,
  api_validated_at TIMESTAMP WITH TIME ZONE,
  api_validated_by TEXT,
  revision_number INTEGER,
  status_code INTEGER,
  cleared_mw DOUBLE PRECISION,
  award_mw DOUBLE PRECISION,
  self_sched_mw DOUBLE PRECISION,
  hourly_mw DOUBLE PRECISION,
  rmr_test_requestor TEXT,
  configuration_id TEXT,
  transition_from_config_id TEXT,
  transition_to_config_id TEXT,
  agc_flag TEXT,
  rmr_flag TEXT,
  hourly_threshold_mw DOUBLE PRECISION,
  base_schedule_mw DOUBLE PRECISION,
  registered_intertie_flag TEXT,
  extra JSONB DEFAULT '{}'::jsonb NOT NULL,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT instruction_pkey PRIMARY KEY (environment, batch_uid, revision_key, instruction_uid)
);
CREATE INDEX instruction_resource_id_start_at ON instruction (resource_id, start_at);

CREATE TABLE instruction_detail (
  environment TEXT NOT NULL,
  batch_uid TEXT NOT NULL,
  revision_key TEXT NOT NULL,
  instruction_uid TEXT NOT NULL,
  position INTEGER NOT NULL,
  plant TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  seg_no INTEGER,
  service_type TEXT,
  segment_mw DOUBLE PRECISION,
  extra JSONB DEFAULT '{}'::jsonb NOT NULL,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT instruction_detail_pkey PRIMARY KEY (environment, batch_uid, revision_key, instruction_uid, position)
);

CREATE TABLE trajectory_batch (
  environment TEXT NOT NULL,
  batch_uid TEXT NOT NULL,
  batch_received_at TIMESTAMP WITH TIME ZONE,
  batch_sent_at TIMESTAMP WITH TIME ZONE,
  binding_flag TEXT,
  extra JSONB DEFAULT '{}'::jsonb NOT NULL,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT trajectory_batch_pkey PRIMARY KEY (environment, batch_uid)
);
CREATE INDEX trajectory_batch_batch_received_at ON trajectory_batch (batch_received_at);

CREATE TABLE dop (
  environment TEXT NOT NULL,
  batch_uid TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  dop_uid TEXT NOT NULL,
  plant TEXT NOT NULL,
  dop_mw DOUBLE PRECISION,
  target_at TIMESTAMP WITH TIME ZONE,
  sequence_number INTEGER,
  configuration_id TEXT,
  extra JSONB DEFAULT '{}'::jsonb NOT NULL,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT dop_pkey PRIMARY KEY (environment, batch_uid, resource_id, dop_uid)
);
CREATE INDEX dop_resource_id_target_at ON dop (resource_id, target_at);

CREATE TABLE compliance (
  environment TEXT NOT NULL,
  batch_uid TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  compliance_uid TEXT NOT NULL,
  plant TEXT NOT NULL,
  start_at TIMESTAMP WITH TIME ZONE,
  expected_mwh DOUBLE PRECISION,
  compliance_flag TEXT,
  configuration_id TEXT,
  extra JSONB DEFAULT '{}'::jsonb NOT NULL,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT compliance_pkey PRIMARY KEY (environment, batch_uid, resource_id, compliance_uid)
);
CREATE INDEX compliance_resource_id_start_at ON compliance (resource_id, start_at);

CREATE TABLE price (
  node TEXT NOT NULL,
  market TEXT NOT NULL,
  interval_start TIMESTAMP WITH TIME ZONE NOT NULL,
  environment TEXT NOT NULL,
  fetched_at TIMESTAMP WITH TIME ZONE NOT NULL,
  interval_end TIMESTAMP WITH TIME ZONE NOT NULL,
  lmp_usd_per_mwh DOUBLE PRECISION,
  energy_usd_per_mwh DOUBLE PRECISION,
  congestion_usd_per_mwh DOUBLE PRECISION,
  loss_usd_per_mwh DOUBLE PRECISION,
  ghg_usd_per_mwh DOUBLE PRECISION,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  seq BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT price_pkey PRIMARY KEY (node, market, interval_start, environment, fetched_at)
);
CREATE INDEX price_interval_start ON price (interval_start);

CREATE TABLE service_state (
  id BIGINT GENERATED BY DEFAULT AS IDENTITY,
  environment TEXT NOT NULL,
  source TEXT NOT NULL,
  service TEXT NOT NULL,
  instance TEXT NOT NULL,
  online BOOLEAN NOT NULL,
  started_at TIMESTAMP WITH TIME ZONE NOT NULL,
  software_version TEXT NOT NULL,
  upstreams JSONB NOT NULL,
  outbox JSONB,
  cursors JSONB NOT NULL,
  certificate_days_left DOUBLE PRECISION,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  heard_at TIMESTAMP WITH TIME ZONE NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT service_state_pkey PRIMARY KEY (id)
);
CREATE INDEX service_state_environment_service_instance_id ON service_state (environment, service, instance, id);

CREATE TABLE dead_letter (
  id BIGINT GENERATED BY DEFAULT AS IDENTITY,
  topic TEXT NOT NULL,
  payload BYTEA NOT NULL,
  digest BYTEA NOT NULL,
  reason TEXT NOT NULL,
  seen INTEGER DEFAULT 1 NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  retried_at TIMESTAMP WITH TIME ZONE,
  stored_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT dead_letter_pkey PRIMARY KEY (id),
  CONSTRAINT dead_letter_digest UNIQUE (digest)
);

CREATE TABLE source_sequence (
  environment TEXT NOT NULL,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  received JSONB DEFAULT '[]'::jsonb NOT NULL,
  lost JSONB DEFAULT '[]'::jsonb NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT source_sequence_pkey PRIMARY KEY (environment, source, stream)
);

CREATE TABLE lost_events (
  id BIGINT GENERATED BY DEFAULT AS IDENTITY,
  environment TEXT NOT NULL,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  first_seq BIGINT NOT NULL,
  last_seq BIGINT NOT NULL,
  reason TEXT NOT NULL,
  noticed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT lost_events_pkey PRIMARY KEY (id)
);

-- The newest revision of each. The highest number wins (ADS specification, section 6); where CAISO gave none, the later word.

CREATE VIEW dispatch_batch_latest AS
SELECT DISTINCT ON (environment, batch_uid) *
FROM dispatch_batch
ORDER BY environment, batch_uid, revision_no DESC NULLS LAST, time DESC, seq DESC;

-- Without those that a newer revision of their batch does not name any more.
CREATE VIEW instruction_latest AS
SELECT DISTINCT ON (environment, batch_uid, instruction_uid) *
FROM instruction
WHERE NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.environment = instruction.environment
    AND newer.batch_uid = instruction.batch_uid
    AND newer.revision_key <> instruction.revision_key
    AND (newer.revision_no > instruction.revision_no
      OR (newer.revision_no = instruction.revision_no AND newer.time > instruction.time))
)
ORDER BY environment, batch_uid, instruction_uid, revision_no DESC NULLS LAST, revision_number DESC NULLS LAST, time DESC, seq DESC;

-- Descending throughout, so that the key of price serves as it is, read backwards.
CREATE VIEW price_latest AS
SELECT DISTINCT ON (node, market, interval_start, environment) *
FROM price
ORDER BY node DESC, market DESC, interval_start DESC, environment DESC, fetched_at DESC;

-- What happens to alarms, and which of them are not normal now.

CREATE TABLE alarm_event (
  event_no BIGINT NOT NULL,
  environment environment NOT NULL,
  plant TEXT NOT NULL,
  about TEXT NOT NULL,
  rule TEXT NOT NULL,
  code INTEGER NOT NULL,
  priority TEXT NOT NULL,
  what TEXT NOT NULL,
  state_before TEXT NOT NULL,
  state TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  text TEXT NOT NULL,
  value DOUBLE PRECISION,
  threshold DOUBLE PRECISION,
  unit TEXT,
  changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  changed_by TEXT,
  comment TEXT,
  command_id TEXT,
  shelved_until TIMESTAMP WITH TIME ZONE,
  because TEXT,
  origin_no INTEGER NOT NULL,
  seq BIGINT NOT NULL,
  event_id TEXT NOT NULL,
  digest BIGINT,
  time TIMESTAMP WITH TIME ZONE NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT alarm_event_pkey PRIMARY KEY (event_no),
  CONSTRAINT alarm_event_event_id_environment UNIQUE (event_id, environment)
);
CREATE INDEX alarm_event_changed_at ON alarm_event USING brin (changed_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX alarm_event_plant_about_rule_changed_at ON alarm_event (plant, about, rule, changed_at);
COMMENT ON TABLE alarm_event IS 'What happened to alarms: a row each time that one was raised, returned, acknowledged, shelved or suppressed.';
COMMENT ON COLUMN alarm_event.event_no IS 'Number of the event.';
COMMENT ON COLUMN alarm_event.environment IS 'Which CAISO spoke: production, stage (its test systems) or simulator.';
COMMENT ON COLUMN alarm_event.plant IS 'The plant of the operator whom it is for; installation where it is of no plant.';
COMMENT ON COLUMN alarm_event.about IS 'What it is about: a resource by CAISO''s name, or SERVICE/INSTANCE.';
COMMENT ON COLUMN alarm_event.rule IS 'What is alarmed, by the names of docs/alarms.md.';
COMMENT ON COLUMN alarm_event.code IS 'The rule''s number, as registers show it.';
COMMENT ON COLUMN alarm_event.priority IS 'critical, high, medium or low.';
COMMENT ON COLUMN alarm_event.what IS 'raised, returned, acknowledged, shelved, unshelved, shelved-over, suppressed, unsuppressed, out-of-service, in-service.';
COMMENT ON COLUMN alarm_event.state_before IS 'The state by ISA-18.2 that it was in.';
COMMENT ON COLUMN alarm_event.state IS 'The state that it was in then: normal, unacknowledged, acknowledged, returned-unacknowledged, shelved, suppressed, out-of-service.';
COMMENT ON COLUMN alarm_event.is_active IS 'Whether what is alarmed held.';
COMMENT ON COLUMN alarm_event.text IS 'What was wrong, and where, in words.';
COMMENT ON COLUMN alarm_event.value IS 'What was measured, in the column unit.';
COMMENT ON COLUMN alarm_event.threshold IS 'What it was held against, in the column unit.';
COMMENT ON COLUMN alarm_event.unit IS 'The engineering unit of both values.';
COMMENT ON COLUMN alarm_event.changed_at IS 'When it happened (UTC, the clock of the service of alarms).';
COMMENT ON COLUMN alarm_event.changed_by IS 'Who did it, as the command said; nobody has proven it. Null where nobody did.';
COMMENT ON COLUMN alarm_event.comment IS 'What was said with the command.';
COMMENT ON COLUMN alarm_event.command_id IS 'The command''s; null where there was none.';
COMMENT ON COLUMN alarm_event.shelved_until IS 'Until when it was shelved, UTC.';
COMMENT ON COLUMN alarm_event.because IS 'The alarm whose cause it shared, as PLANT/ABOUT/RULE.';
COMMENT ON COLUMN alarm_event.origin_no IS 'The source and its stream, by their number in the table origin.';
COMMENT ON COLUMN alarm_event.seq IS 'The event''s number in its stream, which counts from 1 without gaps.';
COMMENT ON COLUMN alarm_event.event_id IS 'The event''s id: the same fact has the same id however often it is sent.';
COMMENT ON COLUMN alarm_event.digest IS 'Digest of what it says: another under the same key is a contradiction. Null if older than 0003.';
COMMENT ON COLUMN alarm_event.time IS 'When the source made the event (UTC, the source''s clock).';
COMMENT ON COLUMN alarm_event.received_at IS 'When the event reached the historian (UTC, its clock).';
COMMENT ON COLUMN alarm_event.recorded_at IS 'When the transaction that stored it began (UTC, the database''s clock).';

CREATE VIEW alarm_event_history AS
SELECT
  a.event_no, a.environment, a.plant, a.about, a.rule, a.code, a.priority, a.what, a.state_before, a.state,
  a.is_active, a.text, a.value, a.threshold, a.unit, a.changed_at, a.changed_by, a.comment, a.command_id,
  a.shelved_until, a.because, a.seq, a.event_id, a.time, a.received_at, a.recorded_at, o.source, o.stream
FROM alarm_event AS a JOIN origin AS o USING (origin_no);

-- What came later counts as later only if it happened later: events are sent again.
CREATE VIEW alarm_now AS
SELECT * FROM (
  SELECT DISTINCT ON (h.environment, h.plant, h.about, h.rule) h.* FROM alarm_event_history AS h
  ORDER BY h.environment, h.plant, h.about, h.rule, h.changed_at DESC, h.event_no DESC
) AS last WHERE last.state <> 'normal';

COMMENT ON VIEW alarm_now IS 'Alarms that are not normal, as the last that happened to each left it.';
COMMENT ON COLUMN alarm_now.event_no IS 'Number of the event.';
COMMENT ON COLUMN alarm_now.environment IS 'Which CAISO spoke: production, stage (its test systems) or simulator.';
COMMENT ON COLUMN alarm_now.plant IS 'The plant of the operator whom it is for; installation where it is of no plant.';
COMMENT ON COLUMN alarm_now.about IS 'What it is about: a resource by CAISO''s name, or SERVICE/INSTANCE.';
COMMENT ON COLUMN alarm_now.rule IS 'What is alarmed, by the names of docs/alarms.md.';
COMMENT ON COLUMN alarm_now.code IS 'The rule''s number, as registers show it.';
COMMENT ON COLUMN alarm_now.priority IS 'critical, high, medium or low.';
COMMENT ON COLUMN alarm_now.what IS 'raised, returned, acknowledged, shelved, unshelved, shelved-over, suppressed, unsuppressed, out-of-service, in-service.';
COMMENT ON COLUMN alarm_now.state_before IS 'The state by ISA-18.2 that it was in.';
COMMENT ON COLUMN alarm_now.state IS 'The state that it was in then: normal, unacknowledged, acknowledged, returned-unacknowledged, shelved, suppressed, out-of-service.';
COMMENT ON COLUMN alarm_now.is_active IS 'Whether what is alarmed held.';
COMMENT ON COLUMN alarm_now.text IS 'What was wrong, and where, in words.';
COMMENT ON COLUMN alarm_now.value IS 'What was measured, in the column unit.';
COMMENT ON COLUMN alarm_now.threshold IS 'What it was held against, in the column unit.';
COMMENT ON COLUMN alarm_now.unit IS 'The engineering unit of both values.';
COMMENT ON COLUMN alarm_now.changed_at IS 'When it happened (UTC, the clock of the service of alarms).';
COMMENT ON COLUMN alarm_now.changed_by IS 'Who did it, as the command said; nobody has proven it. Null where nobody did.';
COMMENT ON COLUMN alarm_now.comment IS 'What was said with the command.';
COMMENT ON COLUMN alarm_now.command_id IS 'The command''s; null where there was none.';
COMMENT ON COLUMN alarm_now.shelved_until IS 'Until when it was shelved, UTC.';
COMMENT ON COLUMN alarm_now.because IS 'The alarm whose cause it shared, as PLANT/ABOUT/RULE.';
COMMENT ON COLUMN alarm_now.seq IS 'The event''s number in its stream, which counts from 1 without gaps.';
COMMENT ON COLUMN alarm_now.event_id IS 'The event''s id: the same fact has the same id however often it is sent.';
COMMENT ON COLUMN alarm_now.time IS 'When the source made the event (UTC, the source''s clock).';
COMMENT ON COLUMN alarm_now.received_at IS 'When the event reached the historian (UTC, its clock).';
COMMENT ON COLUMN alarm_now.recorded_at IS 'When the transaction that stored it began (UTC, the database''s clock).';
COMMENT ON COLUMN alarm_now.source IS 'SERVICE/INSTANCE that sent events.';
COMMENT ON COLUMN alarm_now.stream IS 'Its outbox: sequence numbers count within it.';
COMMENT ON VIEW alarm_event_history IS 'All that happened to alarms.';
COMMENT ON COLUMN alarm_event_history.event_no IS 'Number of the event.';
COMMENT ON COLUMN alarm_event_history.environment IS 'Which CAISO spoke: production, stage (its test systems) or simulator.';
COMMENT ON COLUMN alarm_event_history.plant IS 'The plant of the operator whom it is for; installation where it is of no plant.';
COMMENT ON COLUMN alarm_event_history.about IS 'What it is about: a resource by CAISO''s name, or SERVICE/INSTANCE.';
COMMENT ON COLUMN alarm_event_history.rule IS 'What is alarmed, by the names of docs/alarms.md.';
COMMENT ON COLUMN alarm_event_history.code IS 'The rule''s number, as registers show it.';
COMMENT ON COLUMN alarm_event_history.priority IS 'critical, high, medium or low.';
COMMENT ON COLUMN alarm_event_history.what IS 'raised, returned, acknowledged, shelved, unshelved, shelved-over, suppressed, unsuppressed, out-of-service, in-service.';
COMMENT ON COLUMN alarm_event_history.state_before IS 'The state by ISA-18.2 that it was in.';
COMMENT ON COLUMN alarm_event_history.state IS 'The state that it was in then: normal, unacknowledged, acknowledged, returned-unacknowledged, shelved, suppressed, out-of-service.';
COMMENT ON COLUMN alarm_event_history.is_active IS 'Whether what is alarmed held.';
COMMENT ON COLUMN alarm_event_history.text IS 'What was wrong, and where, in words.';
COMMENT ON COLUMN alarm_event_history.value IS 'What was measured, in the column unit.';
COMMENT ON COLUMN alarm_event_history.threshold IS 'What it was held against, in the column unit.';
COMMENT ON COLUMN alarm_event_history.unit IS 'The engineering unit of both values.';
COMMENT ON COLUMN alarm_event_history.changed_at IS 'When it happened (UTC, the clock of the service of alarms).';
COMMENT ON COLUMN alarm_event_history.changed_by IS 'Who did it, as the command said; nobody has proven it. Null where nobody did.';
COMMENT ON COLUMN alarm_event_history.comment IS 'What was said with the command.';
COMMENT ON COLUMN alarm_event_history.command_id IS 'The command''s; null where there was none.';
COMMENT ON COLUMN alarm_event_history.shelved_until IS 'Until when it was shelved, UTC.';
COMMENT ON COLUMN alarm_event_history.because IS 'The alarm whose cause it shared, as PLANT/ABOUT/RULE.';
COMMENT ON COLUMN alarm_event_history.seq IS 'The event''s number in its stream, which counts from 1 without gaps.';
COMMENT ON COLUMN alarm_event_history.event_id IS 'The event''s id: the same fact has the same id however often it is sent.';
COMMENT ON COLUMN alarm_event_history.time IS 'When the source made the event (UTC, the source''s clock).';
COMMENT ON COLUMN alarm_event_history.received_at IS 'When the event reached the historian (UTC, its clock).';
COMMENT ON COLUMN alarm_event_history.recorded_at IS 'When the transaction that stored it began (UTC, the database''s clock).';
COMMENT ON COLUMN alarm_event_history.source IS 'SERVICE/INSTANCE that sent events.';
COMMENT ON COLUMN alarm_event_history.stream IS 'Its outbox: sequence numbers count within it.';

-- Views of the tables of 0003: names in place of numbers. Those called _history show every revision, those called _latest what
-- was said last. A filter on any column that they show reaches the table below: none of them sorts or groups what it reads,
-- but price_latest, which groups by what one asks for (node, market, interval).

CREATE VIEW dispatch_batch_history AS
SELECT
  b.event_no, b.environment, b.batch_uid, b.revision_key, b.plant, b.resource_id, b.market_id, b.batch_status,
  b.batch_received_at, b.batch_sent_at, b.batch_expires_at, b.batch_type, b.start_at, b.dispatch_mode, b.binding_flag,
  b.revision_no, b.contingency_type, b.path_exclusion, b.extra, o.source, o.stream, b.seq, b.event_id, b.time, b.received_at,
  b.recorded_at
FROM dispatch_batch AS b
JOIN origin AS o USING (origin_no);

CREATE VIEW dispatch_batch_latest AS
SELECT b.* FROM dispatch_batch_history AS b
WHERE NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.batch_uid = b.batch_uid AND newer.resource_id = b.resource_id AND newer.environment = b.environment
    AND (coalesce(newer.revision_no, -1), newer.time, newer.event_no) > (coalesce(b.revision_no, -1), b.time, b.event_no)
);

CREATE VIEW instruction_history AS
SELECT
  i.event_no, b.environment, b.batch_uid, b.revision_key, i.instruction_uid, b.revision_no, b.plant,
  i.resource_id, i.interval_start, i.interval_end, i.target_at, i.standing, i.standing_mw, i.is_newest, i.own_batch_uid,
  i.start_at,
  i.end_at, i.dot_mw, i.oos_energy_code, i.as_type, i.instruction_type, i.pre_goto_mw, i.bid_delay_min, i.min_accept_mw,
  i.accept_dot_mw, i.accept_status, i.responder, i.reason_code, i.opr_accept_dot_mw, i.opr_accept_status, i.opr_responder,
  i.opr_reason_code, i.validated_at, i.validated_by, i.api_validated_at, i.api_validated_by, i.revision_number,
  i.status_code, i.cleared_mw, i.award_mw, i.self_sched_mw, i.hourly_mw, i.rmr_test_requestor, i.configuration_id,
  i.transition_from_config_id, i.transition_to_config_id, i.agc_flag, i.rmr_flag, i.hourly_threshold_mw,
  i.base_schedule_mw, i.registered_intertie_flag, i.extra, b.batch_type, b.batch_status, b.binding_flag,
  b.start_at AS batch_start_at, coalesce(b.batch_received_at, b.batch_sent_at, b.time) AS batch_received_at,
  o.source, o.stream, b.seq, b.event_id, b.time, b.received_at, b.recorded_at
FROM instruction AS i
JOIN dispatch_batch AS b USING (event_no)
JOIN origin AS o USING (origin_no);

CREATE VIEW instruction_latest AS
SELECT i.* FROM instruction_history AS i
WHERE NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.batch_uid = i.batch_uid AND newer.resource_id = i.resource_id AND newer.environment = i.environment
    AND (coalesce(newer.revision_no, -1), newer.time, newer.event_no) > (coalesce(i.revision_no, -1), i.time, i.event_no)
)
AND i.is_newest;

-- CAISO gives a resource DOTs of two schedules in messages of one kind: five-minute ones (batch_type 0) and hourly ones (1). An
-- exceptional dispatch (4, out of sequence) is of both.
CREATE VIEW dot_history AS
SELECT
  b.environment, b.plant, i.resource_id, followed.schedule, i.interval_start, i.interval_end, i.target_at,
  i.standing, i.standing_mw, i.dot_mw AS instructed_mw, b.batch_type,
  coalesce(b.batch_received_at, b.batch_sent_at, least(b.time, i.interval_start)) AS batch_received_at, b.batch_uid,
  b.revision_no, i.instruction_uid, i.event_no
FROM instruction AS i
JOIN dispatch_batch AS b USING (event_no)
JOIN (VALUES (0, 'five-minute'), (1, 'hourly'), (4, 'five-minute'), (4, 'hourly')) AS followed (batch_type, schedule)
  USING (batch_type)
WHERE i.standing IS NOT NULL AND i.is_newest
AND NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.batch_uid = b.batch_uid AND newer.resource_id = b.resource_id AND newer.environment = b.environment
    AND (coalesce(newer.revision_no, -1), newer.time, newer.event_no) > (coalesce(b.revision_no, -1), b.time, b.event_no)
);

-- The DOTs that count: of several for one interval the one received last. Those that do not stand (cancelled, declined, advisory)
-- are none, nor is one without any time; one in doubt is shown with that word, and with null where its megawatts are not known.
CREATE VIEW dot_latest AS
SELECT
  d.environment, d.plant, d.resource_id, d.schedule, d.interval_start, d.interval_end, d.target_at, d.standing_mw AS dot_mw,
  d.standing, d.batch_type, d.batch_received_at, d.batch_uid, d.revision_no, d.instruction_uid
FROM dot_history AS d
WHERE d.standing <> 'not in force' AND d.interval_start IS NOT NULL
-- Not as NOT EXISTS: then the planner reads all that a resource ever had, also for the newest ten.
AND (
  SELECT true FROM instruction AS i
  JOIN dispatch_batch AS b USING (event_no)
  JOIN (VALUES (0, 'five-minute'), (1, 'hourly'), (4, 'five-minute'), (4, 'hourly')) AS followed (batch_type, schedule)
    USING (batch_type)
  WHERE i.resource_id = d.resource_id AND i.interval_start = d.interval_start AND i.interval_end = d.interval_end AND i.is_newest
    AND i.standing <> 'not in force' AND b.environment = d.environment AND followed.schedule = d.schedule
    AND (
      coalesce(b.batch_received_at, b.batch_sent_at, least(b.time, i.interval_start)), coalesce(b.revision_no, -1), i.event_no,
      i.instruction_uid
    ) > (d.batch_received_at, coalesce(d.revision_no, -1), d.event_no, d.instruction_uid)
    AND NOT EXISTS (
      SELECT FROM dispatch_batch AS newer
      WHERE newer.batch_uid = b.batch_uid AND newer.resource_id = b.resource_id AND newer.environment = b.environment
        AND (coalesce(newer.revision_no, -1), newer.time, newer.event_no) > (coalesce(b.revision_no, -1), b.time, b.event_no)
    )
  LIMIT 1
) IS NOT TRUE;

CREATE VIEW dop_history AS
SELECT
  d.event_no, b.environment, b.batch_uid, b.plant, d.resource_id, d.dop_uid, d.dop_mw, d.target_at,
  d.sequence_number, d.configuration_id, d.extra, b.binding_flag, b.batch_received_at, b.batch_sent_at, o.source, o.stream,
  b.seq, b.event_id, b.time, b.received_at, b.recorded_at
FROM dop AS d
JOIN trajectory_batch AS b USING (event_no)
JOIN origin AS o USING (origin_no);

CREATE VIEW compliance_history AS
SELECT
  c.event_no, b.environment, b.batch_uid, b.plant, c.resource_id, c.compliance_uid, c.start_at, c.expected_mwh,
  c.compliance_flag, c.configuration_id, c.extra, b.batch_received_at, o.source, o.stream, b.seq, b.event_id, b.time,
  b.received_at, b.recorded_at
FROM compliance AS c
JOIN trajectory_batch AS b USING (event_no)
JOIN origin AS o USING (origin_no);

CREATE VIEW instruction_response_history AS
SELECT
  r.event_no, r.environment, r.plant, r.resource_id, r.command_id, r.action, r.batch_uid, r.instruction_uid, r.accept_dot_mw,
  r.reason_code, r.requested_by, r.requested_from, r.requested_at, r.rule, r.outcome, r.refused_by, r.result_code, r.detail,
  o.source, o.stream, r.seq, r.event_id, r.time, r.received_at, r.recorded_at
FROM instruction_response AS r
JOIN origin AS o USING (origin_no);

-- Two sources that follow one certificate both say what became of a command.
CREATE VIEW instruction_response_latest AS
SELECT r.* FROM instruction_response_history AS r
WHERE NOT EXISTS (
  SELECT FROM instruction_response_history AS later
  WHERE later.resource_id = r.resource_id AND later.command_id = r.command_id AND later.plant = r.plant
    AND later.environment = r.environment AND later.source = r.source
    AND (later.outcome <> 'sending', later.time, later.event_no) > (r.outcome <> 'sending', r.time, r.event_no)
);

CREATE VIEW price_history AS
SELECT
  n.node, t.market, p.interval_start, t.interval_end, t.environment, t.fetched_at, p.lmp_usd_per_mwh, p.energy_usd_per_mwh,
  p.congestion_usd_per_mwh, p.loss_usd_per_mwh, p.ghg_usd_per_mwh, o.source, o.stream, t.seq, t.event_id, t.time,
  t.received_at, t.recorded_at, p.report_no
FROM price AS p
JOIN price_report AS t USING (report_no)
JOIN node AS n USING (node_no)
JOIN origin AS o USING (origin_no);

-- Of two with one time the one that came first, as of everything that contradicts itself.
CREATE VIEW price_latest AS
SELECT DISTINCT ON (environment, market, node, interval_start) *
FROM price_history
ORDER BY environment, market, node, interval_start, fetched_at DESC, report_no;

CREATE VIEW upstream_gap_history AS
SELECT
  g.event_no, g.environment, g.upstream, g.account, g.missing_from, g.missing_until, g.detail, o.source, o.stream, g.seq,
  g.event_id, g.time, g.received_at, g.recorded_at
FROM upstream_gap AS g
JOIN origin AS o USING (origin_no);

CREATE VIEW stream_sequence AS
SELECT o.environment, o.source, o.stream, s.received, s.lost, s.updated_at
FROM source_sequence AS s JOIN origin AS o USING (origin_no);

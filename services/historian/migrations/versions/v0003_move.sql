-- What was kept in the tables of 0001 and 0002, into those of 0003. {before} is the schema in which they were set aside.

INSERT INTO node (node) SELECT DISTINCT node FROM {before}.price ORDER BY 1;
INSERT INTO origin (environment, source, stream)
SELECT environment::environment, source, stream FROM {before}.dispatch_batch
UNION SELECT environment::environment, source, stream FROM {before}.instruction
UNION SELECT environment::environment, source, stream FROM {before}.trajectory_batch
UNION SELECT environment::environment, source, stream FROM {before}.dop
UNION SELECT environment::environment, source, stream FROM {before}.compliance
UNION SELECT environment::environment, source, stream FROM {before}.price
UNION SELECT environment::environment, source, stream FROM {before}.source_sequence
UNION SELECT environment::environment, source, stream FROM {before}.lost_events;

-- An event was not a row then: it is made of what its rows said of it. One that named no instruction any more has its batch only.
CREATE TEMPORARY TABLE event_before ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY recorded_at, source, stream, seq) AS event_no, event.*
FROM (
  SELECT DISTINCT ON (environment, batch_uid, revision_key, resource_id)
    environment, batch_uid, revision_key, resource_id, plant, source, stream, seq, event_id, time, received_at, recorded_at
  FROM (
    SELECT environment, batch_uid, revision_key, resource_id, plant, source, stream, seq, event_id, time, received_at, recorded_at
    FROM {before}.instruction
    UNION ALL
    SELECT
      environment, batch_uid, revision_key, coalesce(substring(event_id FROM '^[^/]*/[^/]*/[^/]*/(.*)$'), event_id), NULL,
      source, stream, seq, event_id, time, received_at, recorded_at
    FROM {before}.dispatch_batch AS batch
    WHERE NOT EXISTS (
      SELECT FROM {before}.instruction AS i
      WHERE i.environment = batch.environment AND i.batch_uid = batch.batch_uid AND i.revision_key = batch.revision_key
        AND i.event_id = batch.event_id
    )
  ) AS said
  ORDER BY environment, batch_uid, revision_key, resource_id, plant NULLS LAST, recorded_at
) AS event;

INSERT INTO dispatch_batch (
  event_no, environment, batch_uid, revision_key, resource_id, plant, market_id, batch_status, batch_type, dispatch_mode,
  revision_no, start_at, batch_received_at, batch_sent_at, batch_expires_at, binding_flag, contingency_type, path_exclusion,
  extra, origin_no, seq, event_id, time, received_at, recorded_at
)
SELECT
  e.event_no, e.environment::environment, e.batch_uid, e.revision_key, e.resource_id,
  coalesce(
    e.plant, (SELECT i.plant FROM {before}.instruction AS i WHERE i.resource_id = e.resource_id LIMIT 1), 'unassigned'
  ), b.market_id, b.batch_status,
  b.batch_type, b.dispatch_mode, b.revision_no, b.start_at, b.batch_received_at, b.batch_sent_at, b.batch_expires_at,
  b.binding_flag, b.contingency_type, b.path_exclusion, coalesce(b.extra, '{}'), o.origin_no, e.seq, e.event_id, e.time,
  e.received_at, e.recorded_at
FROM event_before AS e
JOIN origin AS o ON o.environment = e.environment::environment AND o.source = e.source AND o.stream = e.stream
LEFT JOIN {before}.dispatch_batch AS b
  ON b.environment = e.environment AND b.batch_uid = e.batch_uid AND b.revision_key = e.revision_key;

-- One header stood for all resources of a batch, so a revision that left a resource out took its instructions away without
-- a word of its own. What is a day older than the newest word gets one, or old instructions would count again. Of what is newer
-- the resource's own event may be on its way. Digest 0 is of no event: should it come after all, it is kept as a contradiction.
INSERT INTO dispatch_batch (
  event_no, environment, batch_uid, revision_key, resource_id, plant, market_id, batch_status, batch_type, dispatch_mode,
  revision_no, start_at, batch_received_at, batch_sent_at, batch_expires_at, binding_flag, contingency_type, path_exclusion,
  extra, origin_no, seq, event_id, digest, time, received_at, recorded_at
)
SELECT
  (SELECT max(event_no) FROM dispatch_batch) + row_number() OVER (ORDER BY h.time, h.seq, left_out.resource_id),
  h.environment::environment, h.batch_uid, h.revision_key, left_out.resource_id, left_out.plant, h.market_id, h.batch_status,
  h.batch_type, h.dispatch_mode, h.revision_no, h.start_at, h.batch_received_at, h.batch_sent_at, h.batch_expires_at,
  h.binding_flag, h.contingency_type, h.path_exclusion, h.extra, o.origin_no, h.seq, h.event_id, 0, h.time, h.received_at,
  h.recorded_at
FROM {before}.dispatch_batch AS h
JOIN origin AS o ON o.environment = h.environment::environment AND o.source = h.source AND o.stream = h.stream
JOIN LATERAL (
  SELECT DISTINCT b.resource_id, b.plant
  FROM dispatch_batch AS b
  WHERE b.batch_uid = h.batch_uid AND b.environment = h.environment::environment
    AND (h.revision_no > b.revision_no OR (h.revision_no = b.revision_no AND h.time > b.time))
) AS left_out ON true
WHERE h.time < (SELECT max(time) FROM {before}.dispatch_batch) - interval '1 day'
ON CONFLICT DO NOTHING;

CREATE TEMPORARY TABLE instruction_before ON COMMIT DROP AS
SELECT
  e.event_no, i.*, b.batch_type, b.batch_status, b.binding_flag,
  coalesce(b.start_at, i.start_at) AS interval_start,
  CASE
    WHEN i.end_at > coalesce(b.start_at, i.start_at) THEN i.end_at
    WHEN i.start_at > coalesce(b.start_at, i.start_at) THEN
      coalesce(b.start_at, i.start_at) + 2 * (i.start_at - coalesce(b.start_at, i.start_at))
    WHEN b.batch_type = 1 THEN coalesce(b.start_at, i.start_at) + interval '1 hour'
    ELSE coalesce(b.start_at, i.start_at) + interval '5 minutes'
  END AS interval_end
FROM {before}.instruction AS i
JOIN event_before AS e USING (environment, batch_uid, revision_key, resource_id)
JOIN dispatch_batch AS b ON b.event_no = e.event_no;

-- The answers to instructions were not judged then: what is a DOT, is binding and was not cancelled stands as instructed.
INSERT INTO instruction
SELECT
  event_no, resource_id, instruction_uid, interval_start, interval_end,
  CASE
    WHEN start_at > interval_start AND start_at < interval_end THEN start_at
    ELSE interval_start + (interval_end - interval_start) / 2
  END,
  CASE
    WHEN instruction_type IS DISTINCT FROM 0 OR batch_type IS NULL OR batch_type NOT IN (0, 1, 4) THEN NULL
    WHEN dot_mw IS NULL OR batch_status = 4 OR status_code = 4 OR lower(binding_flag) IN ('n', 'no', 'false', '0')
      THEN 'not in force'
    ELSE 'in force'
  END,
  CASE
    WHEN instruction_type = 0 AND batch_type IN (0, 1, 4) AND batch_status IS DISTINCT FROM 4
      AND status_code IS DISTINCT FROM 4 AND coalesce(lower(binding_flag) NOT IN ('n', 'no', 'false', '0'), true) THEN dot_mw
  END,
  true, own_batch_uid, start_at, end_at, dot_mw, oos_energy_code, as_type, instruction_type, pre_goto_mw, bid_delay_min,
  min_accept_mw, accept_dot_mw, accept_status, responder, reason_code, opr_accept_dot_mw, opr_accept_status, opr_responder,
  opr_reason_code, validated_at, validated_by, api_validated_at, api_validated_by, revision_number, status_code, cleared_mw,
  award_mw, self_sched_mw, hourly_mw, rmr_test_requestor, configuration_id, transition_from_config_id,
  transition_to_config_id, agc_flag, rmr_flag, hourly_threshold_mw, base_schedule_mw, registered_intertie_flag, extra
FROM instruction_before;

INSERT INTO instruction_detail
SELECT i.event_no, i.instruction_uid, i.interval_start, d.position, d.seg_no, d.service_type, d.segment_mw, d.extra
FROM {before}.instruction_detail AS d
JOIN event_before AS e USING (environment, batch_uid, revision_key, resource_id)
JOIN instruction AS i ON i.event_no = e.event_no AND i.instruction_uid = d.instruction_uid;

CREATE TEMPORARY TABLE curve_before ON COMMIT DROP AS
SELECT
  coalesce((SELECT max(event_no) FROM dispatch_batch), 0) + row_number() OVER (ORDER BY recorded_at, source, stream, seq) AS event_no, event.*
FROM (
  SELECT DISTINCT ON (environment, batch_uid, resource_id)
    environment, batch_uid, resource_id, plant, source, stream, seq, event_id, time, received_at, recorded_at
  FROM (
    SELECT environment, batch_uid, resource_id, plant, source, stream, seq, event_id, time, received_at, recorded_at
    FROM {before}.dop
    UNION ALL
    SELECT environment, batch_uid, resource_id, plant, source, stream, seq, event_id, time, received_at, recorded_at
    FROM {before}.compliance
    UNION ALL
    SELECT
      environment, batch_uid, coalesce(substring(event_id FROM '^[^/]*/[^/]*/(.*)$'), event_id), NULL, source, stream, seq,
      event_id, time, received_at, recorded_at
    FROM {before}.trajectory_batch AS batch
    WHERE NOT EXISTS (
      SELECT FROM {before}.dop AS d
      WHERE d.environment = batch.environment AND d.batch_uid = batch.batch_uid AND d.event_id = batch.event_id
    )
    AND NOT EXISTS (
      SELECT FROM {before}.compliance AS c
      WHERE c.environment = batch.environment AND c.batch_uid = batch.batch_uid AND c.event_id = batch.event_id
    )
  ) AS said
  ORDER BY environment, batch_uid, resource_id, plant NULLS LAST, recorded_at
) AS event;

INSERT INTO trajectory_batch (
  event_no, environment, batch_uid, resource_id, plant, batch_received_at, batch_sent_at, binding_flag, extra, origin_no, seq,
  event_id, time, received_at, recorded_at
)
SELECT
  e.event_no, e.environment::environment, e.batch_uid, e.resource_id, coalesce(e.plant, 'unassigned'), b.batch_received_at, b.batch_sent_at,
  b.binding_flag, coalesce(b.extra, '{}'), o.origin_no, e.seq, e.event_id, e.time, e.received_at, e.recorded_at
FROM curve_before AS e
JOIN origin AS o ON o.environment = e.environment::environment AND o.source = e.source AND o.stream = e.stream
LEFT JOIN {before}.trajectory_batch AS b ON b.environment = e.environment AND b.batch_uid = e.batch_uid;

INSERT INTO dop
SELECT e.event_no, e.resource_id, d.dop_uid, d.dop_mw, d.target_at, d.sequence_number, d.configuration_id, d.extra
FROM {before}.dop AS d
JOIN curve_before AS e USING (environment, batch_uid, resource_id);

INSERT INTO compliance
SELECT
  e.event_no, e.resource_id, c.compliance_uid, c.start_at, c.expected_mwh, c.compliance_flag, c.configuration_id, c.extra
FROM {before}.compliance AS c
JOIN curve_before AS e USING (environment, batch_uid, resource_id);

-- Before, a report that came twice with two times was kept twice: the first of each id stays.
CREATE TEMPORARY TABLE report_before ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY interval_start, fetched_at, event_id) AS report_no, report.*
FROM (
  SELECT DISTINCT ON (event_id, environment)
    environment, market, interval_start, interval_end, fetched_at, n.node_no AS first_node_no, source, stream, seq, event_id, time,
    received_at, recorded_at
  FROM {before}.price JOIN node AS n USING (node)
  ORDER BY event_id, environment, fetched_at, n.node_no
) AS report;

INSERT INTO price_report (
  report_no, environment, market, interval_start, interval_end, fetched_at, first_node_no, origin_no, seq, event_id, time,
  received_at, recorded_at
)
SELECT
  t.report_no, t.environment::environment, t.market, t.interval_start, t.interval_end, t.fetched_at, t.first_node_no,
  o.origin_no, t.seq, t.event_id, t.time, t.received_at, t.recorded_at
FROM report_before AS t
JOIN origin AS o ON o.environment = t.environment::environment AND o.source = t.source AND o.stream = t.stream
ON CONFLICT DO NOTHING;

INSERT INTO price
SELECT
  p.interval_start, t.report_no, n.node_no, p.lmp_usd_per_mwh, p.energy_usd_per_mwh, p.congestion_usd_per_mwh,
  p.loss_usd_per_mwh, p.ghg_usd_per_mwh
FROM {before}.price AS p
JOIN report_before AS t USING (event_id, environment, fetched_at)
JOIN price_report AS kept ON kept.report_no = t.report_no
JOIN node AS n USING (node)
ORDER BY p.interval_start, t.report_no, n.node_no;

SELECT
  setval('event_number', greatest(1, (SELECT max(event_no) FROM dispatch_batch), (SELECT max(event_no) FROM trajectory_batch))),
  setval('report_number', greatest(1, (SELECT max(report_no) FROM price_report)));

INSERT INTO service_state (
  environment, source, service, instance, online, started_at, software_version, upstreams, outbox, cursors,
  certificate_days_left, time, heard_at, received_at, recorded_at
)
SELECT
  environment::environment, source, service, instance, online, started_at, software_version, upstreams, outbox, cursors,
  certificate_days_left, time, heard_at, received_at, recorded_at
FROM {before}.service_state ORDER BY id;

INSERT INTO dead_letter (kind, topic, payload, payload_bytes, digest, reason, seen, received_at, recorded_at, retried_at, stored_at)
SELECT 'refused', topic, payload, length(payload), digest, reason, seen, received_at, recorded_at, retried_at, stored_at
FROM {before}.dead_letter ORDER BY id;

-- A range of numbers ends before the last that a bigint can hold, and what came was not always taken off what was lost.
INSERT INTO source_sequence (origin_no, received, lost, updated_at)
SELECT o.origin_no, n.received, n.lost - n.received, s.updated_at
FROM {before}.source_sequence AS s
JOIN origin AS o ON o.environment = s.environment::environment AND o.source = s.source AND o.stream = s.stream,
LATERAL (
  SELECT
    coalesce(range_agg(int8range(least((r->>0)::bigint, 9223372036854775806), least((r->>1)::bigint, 9223372036854775806), '[]'))
      FILTER (WHERE which = 'received'), '{}') AS received,
    coalesce(range_agg(int8range(least((r->>0)::bigint, 9223372036854775806), least((r->>1)::bigint, 9223372036854775806), '[]'))
      FILTER (WHERE which = 'lost'), '{}') AS lost
  FROM (
    SELECT 'received' AS which, r FROM jsonb_array_elements(s.received) AS r
    UNION ALL SELECT 'lost', r FROM jsonb_array_elements(s.lost) AS r
  ) AS ranges
) AS n;

INSERT INTO lost_events (origin_no, first_seq, last_seq, reason, noticed_at, found_at)
SELECT
  o.origin_no, n.first_seq, n.last_seq, l.reason, l.noticed_at,
  CASE WHEN s.received @> int8range(n.first_seq, n.last_seq, '[]') THEN s.updated_at END
FROM {before}.lost_events AS l
JOIN origin AS o ON o.environment = l.environment::environment AND o.source = l.source AND o.stream = l.stream
LEFT JOIN source_sequence AS s USING (origin_no),
LATERAL (
  SELECT least(l.first_seq, 9223372036854775806) AS first_seq, least(l.last_seq, 9223372036854775806) AS last_seq
) AS n
ORDER BY l.id;

"""Questions: what analysts ask of the database, as SQL to begin from. A test runs each on a database filled with samples."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A query, and what it answers."""

    title: str
    says: str
    sql: str


QUESTIONS = (
    Question(
        "The DOTs of a resource",
        "One row for each interval, the DOT that counts. The schedule is the one that the resource follows (`dotbus.toml`).",
        """
SELECT interval_start, target_at, dot_mw, standing, revision_no
FROM dot_latest
WHERE resource_id = 'TEST_RESOURCE_1' AND schedule = 'five-minute'
  AND interval_start >= '2026-10-13 14:00Z' AND interval_start < '2026-10-13 15:00Z'
ORDER BY interval_start;""",
    ),
    Question(
        "The DOT in force at a time",
        "Intervals of different lengths may overlap; of those in force the one that CAISO had last counts.",
        """
SELECT dot_mw, interval_start, interval_end
FROM dot_latest
WHERE resource_id = 'TEST_RESOURCE_1' AND schedule = 'five-minute'
  AND interval_start > '2026-10-13 13:00Z' AND interval_start <= '2026-10-13 14:12Z' AND interval_end > '2026-10-13 14:12Z'
ORDER BY batch_received_at DESC LIMIT 1;""",
    ),
    Question(
        "Curtailment",
        "What a resource had to stand at, what its trajectory expected at that time, and how far CAISO held it below its "
        "schedule: SCHD is the scheduled part of the DOT, SUPP below zero the part that was taken away. Of an instruction that "
        "a batch names twice nobody can tell whose the parts are: it has none.",
        """
SELECT i.interval_start, i.standing_mw, curve.dop_mw, i.standing_mw - curve.dop_mw AS above_trajectory_mw,
  parts.scheduled_mw, parts.curtailed_mw,
  parts.curtailed_mw * extract(epoch FROM i.interval_end - i.interval_start) / 3600 AS curtailed_mwh
FROM instruction_latest AS i
LEFT JOIN LATERAL (
  SELECT d.dop_mw FROM dop_history AS d
  WHERE d.resource_id = i.resource_id AND d.environment = i.environment AND d.target_at = i.target_at
    AND d.dop_mw IS NOT NULL AND lower(coalesce(d.binding_flag, 'y')) NOT IN ('n', 'no', 'false', '0')
  ORDER BY coalesce(d.batch_received_at, d.batch_sent_at, least(d.time, d.target_at)) DESC, d.sequence_number DESC NULLS LAST
  LIMIT 1
) AS curve ON true
LEFT JOIN LATERAL (
  SELECT
    sum(segment_mw) FILTER (WHERE service_type = 'SCHD') AS scheduled_mw,
    CASE WHEN count(*) > 0 THEN -least(sum(segment_mw) FILTER (WHERE service_type = 'SUPP'), 0) END AS curtailed_mw
  FROM instruction_detail AS d WHERE d.event_no = i.event_no AND d.instruction_uid = i.instruction_uid
  HAVING (SELECT count(*) FROM instruction AS n WHERE n.event_no = i.event_no AND n.instruction_uid = i.instruction_uid) = 1
) AS parts ON true
WHERE i.resource_id = 'TEST_RESOURCE_1' AND i.batch_type = 0 AND i.standing = 'in force'
  AND i.interval_start >= '2026-10-13 14:00Z' AND i.interval_start < '2026-10-13 15:00Z'
ORDER BY i.interval_start;""",
    ),
    Question(
        "How far actual power was from the DOT",
        "One row for each DOT: megawatt-hours delivered beyond it, and how much of its time is known at all. Each word of the "
        "plant counts from its `time` until the next one, or until nobody vouched for it; what is not good is not known.",
        """
SELECT interval_start, dot_mw,
  sum(deviation_mw * seconds) / 3600 AS deviation_mwh,
  sum(seconds) FILTER (WHERE deviation_mw IS NOT NULL) AS known_s,
  extract(epoch FROM interval_end - interval_start) AS of_s
FROM actual_vs_dot
CROSS JOIN LATERAL (SELECT extract(epoch FROM least(held_until, interval_end) - time) AS seconds) AS held
WHERE resource_id = 'TEST_RESOURCE_1' AND schedule = 'five-minute'
  AND time >= '2026-10-13 14:00Z' AND time < '2026-10-13 15:00Z' AND interval_start IS NOT NULL
GROUP BY interval_start, interval_end, dot_mw
ORDER BY interval_start;""",
    ),
    Question(
        "What a plant said of its points",
        "The last word on each. What is past its `valid_until` is stale, however good it says that it was.",
        """
SELECT point, value, unit, CASE WHEN now() > valid_until THEN 0 ELSE quality END AS quality, reasons, measured_at, written_by
FROM telemetry_latest
WHERE resource_id = 'TEST_RESOURCE_1'
ORDER BY point;""",
    ),
    Question(
        "Who wrote what",
        "Writes of SCADA, refused ones included. `writes` counts those alike that followed within a minute.",
        """
SELECT written_at, point, old_value, new_value, unit, writes, outcome, refused_by, detail, written_by, written_from
FROM point_write_history
WHERE resource_id = 'TEST_RESOURCE_1' AND written_at >= '2026-10-13 14:00Z' AND written_at < '2026-10-13 15:00Z'
ORDER BY written_at;""",
    ),
    Question(
        "The price of a node over a day",
        "A day as the market counts it, with 23 or 25 hours where clocks change.",
        """
SELECT interval_start, lmp_usd_per_mwh, energy_usd_per_mwh, congestion_usd_per_mwh, loss_usd_per_mwh, ghg_usd_per_mwh
FROM price_latest
WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND environment = 'simulator'
  AND interval_start >= timestamp '2026-10-13 00:00' AT TIME ZONE 'America/Los_Angeles'
  AND interval_start < timestamp '2026-10-14 00:00' AT TIME ZONE 'America/Los_Angeles'
ORDER BY interval_start;""",
    ),
    Question(
        "What a price was known to be at a time",
        "Prices are corrected afterwards, and every revision is kept: for an audit, what had been stored by then.",
        """
SELECT DISTINCT ON (interval_start) interval_start, lmp_usd_per_mwh, fetched_at
FROM price_history
WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND interval_start >= '2026-10-13 14:00Z'
  AND interval_start < '2026-10-13 15:00Z' AND fetched_at <= '2026-10-13 14:09Z'
ORDER BY interval_start, fetched_at DESC;""",
    ),
    Question(
        "What was instructed against what was accepted",
        "The participant's answer and the operator's; `standing` and `standing_mw` say what counts after both.",
        """
SELECT interval_start, instruction_uid, dot_mw AS instructed_mw, accept_status, accept_dot_mw, opr_accept_status,
  opr_accept_dot_mw, standing, standing_mw
FROM instruction_latest
WHERE plant = 'sierra' AND interval_start >= '2026-10-13 14:00Z' AND interval_start < '2026-10-13 15:00Z'
ORDER BY interval_start, instruction_uid;""",
    ),
    Question(
        "Who answered",
        "Every answer that was asked for or given by a rule, refused ones included. `sending` as the last word means that the "
        "process ended before it knew what CAISO said, `elsewhere` that another source's row has the command's result.",
        """
SELECT time, resource_id, instruction_uid, action, accept_dot_mw, reason_code, requested_by, rule, outcome, refused_by, detail
FROM instruction_response_latest
WHERE plant = 'sierra' AND time >= '2026-10-13 14:00Z' AND time < '2026-10-13 15:00Z'
ORDER BY time;""",
    ),
    Question(
        "Every revision of a batch",
        "What CAISO said when, and when it reached the database.",
        """
SELECT revision_no, batch_status, resource_id, instruction_uid, dot_mw, time, recorded_at
FROM instruction_history
WHERE batch_uid = 'DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C'
ORDER BY revision_no, recorded_at;""",
    ),
    Question(
        "Gaps",
        "Of each stream how many events came, and which did not though a later one did. What a source published last of all "
        "and nobody has, only `historian gaps` knows.",
        """
SELECT environment, source, stream,
  (SELECT sum(upper(r) - lower(r)) FROM unnest(received) AS r) AS received,
  int8multirange(int8range(1, upper(received))) - received - lost AS missing, lost
FROM stream_sequence
ORDER BY environment, source, stream;""",
    ),
    Question(
        "Lost events",
        "What was given up because its source had it no more, and whether it came after all.",
        """
SELECT o.environment, o.source, o.stream, l.first_seq, l.last_seq, l.reason, l.noticed_at, l.found_at
FROM lost_events AS l JOIN origin AS o USING (origin_no)
ORDER BY l.noticed_at;""",
    ),
    Question(
        "What of CAISO's is missing for good",
        "ADS was not heard for longer than it keeps batches, or prices were given up. No number is missing of any stream for "
        "it, because no event was made.",
        """
SELECT environment, source, upstream, account, missing_from, missing_until, detail
FROM upstream_gap_history
ORDER BY missing_from;""",
    ),
    Question(
        "When a service was away",
        "A row is a stretch of time in which a service said the same of itself.",
        """
SELECT source, time AS since, heard_at AS until, online, upstreams
FROM service_state
WHERE service = 'ads_ingest' AND time >= '2026-10-13 00:00Z'
ORDER BY source, id;""",
    ),
)

"""Questions about dispatch: DOTs, set-points, answers."""

from historian.tables.questions.question import Question

DISPATCH = (
    Question(
        "The DOTs of a resource",
        "One row for each interval that starts in an hour, the DOT that counts. The schedule is the one that the resource "
        "follows (`dotbus.toml`).",
        """
SELECT interval_start, target_at, dot_mw, standing, revision_no
FROM dot_latest
WHERE resource_id = 'TEST_RESOURCE_1' AND schedule = 'five-minute'
  AND interval_start >= '2026-10-13 14:00Z' AND interval_start < '2026-10-13 15:00Z'
ORDER BY interval_start;""",
    ),
    Question(
        "The DOT in force at a time",
        "Intervals of different lengths may overlap; of those in force the one that CAISO had last counts. An exceptional "
        "dispatch may be days long: what lasts longer than a day is looked for further back, by an index of its own.",
        """
SELECT dot_mw, interval_start, interval_end
FROM dot_latest
WHERE resource_id = 'TEST_RESOURCE_1' AND schedule = 'five-minute'
  AND interval_start <= '2026-10-13 14:12Z' AND interval_end > '2026-10-13 14:12Z'
  AND (interval_start > '2026-10-12 14:12Z'
    OR interval_start > '2026-07-13 14:12Z' AND interval_end - interval_start > interval '1 day')
ORDER BY batch_received_at DESC, revision_no DESC LIMIT 1;""",
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
        "The DOT in each five minutes of a trade day",
        "Where an exceptional dispatch lies above the five-minute DOTs it is there in each of its five minutes.",
        """
SELECT hour_ending, interval_no, five_minute_start_pacific, dot_mw, standing
FROM dot_five_minute
WHERE resource_id = 'TEST_RESOURCE_1' AND trade_date = '2026-10-13'
ORDER BY five_minute_start;""",
    ),
    Question(
        "The set-point minute by minute",
        "As the registers had it, had all of CAISO's words come in time: on the ramp between the targets of the DOTs.",
        """
SELECT minute_start_pacific, set_point_mw, slope_mw_per_min, dot_mw, is_whole, standing
FROM set_point_minute
WHERE resource_id = 'TEST_RESOURCE_1' AND schedule = 'five-minute' AND trade_date = '2026-10-13'
ORDER BY minute_start;""",
    ),
    Question(
        "Energy and money of a trade day",
        "What the DOTs in force ask for, hour by hour, and what it is worth at the five-minute price of the resource's node. "
        "`priced` says in how many of the five minutes a price is known.",
        """
SELECT d.hour_ending, sum(d.dot_mw) / 12 AS instructed_mwh, sum(d.dot_mw * p.lmp_usd_per_mwh) / 12 AS worth_usd,
  count(*) AS of_five_minutes, count(p.lmp_usd_per_mwh) AS priced, count(*) FILTER (WHERE d.standing = 'in doubt') AS in_doubt
FROM dot_five_minute AS d
LEFT JOIN price_latest AS p ON p.interval_start = d.five_minute_start AND p.environment = d.environment
  AND p.market = 'RTM' AND p.node = 'TH_NP15_GEN-APND'
  AND p.interval_start >= timestamp '2026-10-13 00:00' AT TIME ZONE 'America/Los_Angeles'
  AND p.interval_start < timestamp '2026-10-14 00:00' AT TIME ZONE 'America/Los_Angeles'
WHERE d.resource_id = 'TEST_RESOURCE_1' AND d.trade_date = '2026-10-13'
GROUP BY d.hour_ending
ORDER BY min(d.five_minute_start);""",
    ),
    Question(
        "The steepest ramps of a trade day",
        "How fast the set-point asks a resource to move, up or down.",
        """
SELECT minute_start_pacific, set_point_mw, slope_mw_per_min, dot_mw
FROM set_point_minute
WHERE resource_id = 'TEST_RESOURCE_1' AND schedule = 'five-minute' AND trade_date = '2026-10-13'
ORDER BY abs(slope_mw_per_min) DESC NULLS LAST, minute_start
LIMIT 10;""",
    ),
    Question(
        "Instructions by kind and day",
        "How many a plant had of each type of batch, and how many of them stand.",
        """
SELECT (interval_start AT TIME ZONE 'America/Los_Angeles')::date AS trade_date, batch_type, count(*) AS instructions,
  count(*) FILTER (WHERE standing = 'in force') AS in_force, count(*) FILTER (WHERE standing = 'in doubt') AS in_doubt
FROM instruction_latest
WHERE resource_id = 'TEST_RESOURCE_1' AND interval_start >= '2026-10-10 07:00Z' AND interval_start < '2026-10-17 07:00Z'
GROUP BY 1, 2
ORDER BY 1, 2;""",
    ),
)

"""Evidence: what a calculation about one resource starts from, as the historian keeps it (pure).

Of each statement one column is told: an event as JSON, in the words of the message that it was, with all that decides.
"""

from datetime import datetime, timedelta
from typing import Final

from historian.api.questions.question import Column, Kind, Question
from historian.api.questions.spans import bounds_of, reaches_in
from historian.api.request.times import Range

LOOK_AHEAD: Final = timedelta(days=1)
"""CAISO dispatches less far ahead."""
VOUCHED_FOR_MOST: Final = timedelta(hours=1)
"""A word on telemetry that is older counts no more, whatever it vouched for; most do for 90 s."""
LAST_BEFORE: Final = 50
"""So many instructions, or points, of before are enough to hold the last one and what contradicts it."""
_EVENT = (Column("event", Kind.DOCUMENT, "", "An event as the message that it was."),)

ACTUAL_COLUMNS = (
    Column("start", Kind.TIME, "", "When it was said."),
    Column("end", Kind.TIME, "", "Until when it counts."),
    Column("actual_mw", Kind.NUMBER, "MW", "What was generated."),
)

# Of one revision a source that does not see the resource says that it is not named: that takes nothing from who does, unless
# the batch is cancelled (batch_status 4). It is the rule of dispatch_batch_latest.
_DISPATCHES = """
    WITH near AS (
      SELECT b.batch_uid FROM instruction AS i JOIN dispatch_batch AS b USING (event_no)
      WHERE i.resource_id = %(resource)s AND i.interval_start >= %(first)s AND i.interval_start < %(last)s
        AND i.standing IS NOT NULL AND b.environment = %(environment)s::environment
      UNION
      SELECT batch_uid FROM (
        SELECT b.batch_uid FROM instruction AS i JOIN dispatch_batch AS b USING (event_no)
        WHERE i.resource_id = %(resource)s AND i.interval_start < %(first)s
          AND i.standing IS NOT NULL AND b.environment = %(environment)s::environment
        ORDER BY i.interval_start DESC LIMIT %(last_before)s
      ) AS before
      UNION
      SELECT b.batch_uid FROM instruction AS i JOIN dispatch_batch AS b USING (event_no)
      WHERE i.resource_id = %(resource)s AND {long} AND i.standing IS NOT NULL
        AND b.batch_type = 4 AND b.environment = %(environment)s::environment
    )
    SELECT jsonb_build_object(
      'kind', 'dispatch', 'version', 1, 'environment', b.environment, 'source', o.source, 'stream', o.stream, 'seq', b.seq,
      'id', b.event_id, 'time', b.time, 'plant', b.plant, 'resource_id', b.resource_id,
      'batch', to_jsonb(b),
      'instructions', coalesce((
        SELECT jsonb_agg(to_jsonb(i) || jsonb_build_object('batch_uid', i.own_batch_uid, 'details', coalesce((
          SELECT jsonb_agg(to_jsonb(d) ORDER BY d.position) FROM instruction_detail AS d
          WHERE d.event_no = i.event_no AND d.instruction_uid = i.instruction_uid
        ), '[]')) ORDER BY i.is_newest)
        FROM instruction AS i WHERE i.event_no = b.event_no AND i.resource_id = b.resource_id
      ), '[]')
    )::text AS event
    FROM near JOIN dispatch_batch AS b ON b.batch_uid = near.batch_uid AND b.resource_id = %(resource)s
      AND b.environment = %(environment)s::environment{plant}
    JOIN origin AS o USING (origin_no)
    WHERE b.revision_key NOT LIKE '%%/unnamed' OR b.batch_status = 4 OR NOT EXISTS (
      SELECT FROM dispatch_batch AS n
      WHERE n.batch_uid = b.batch_uid AND n.resource_id = b.resource_id AND n.environment = b.environment
        AND n.revision_no IS NOT DISTINCT FROM b.revision_no AND n.revision_key NOT LIKE '%%/unnamed'
    )
    ORDER BY b.time, b.event_no"""

_TRAJECTORIES = """
    WITH near AS (
      SELECT event_no FROM dop
      WHERE resource_id = %(resource)s AND target_at >= %(first)s AND target_at < %(last)s
      UNION
      SELECT event_no FROM (
        SELECT event_no FROM dop WHERE resource_id = %(resource)s AND target_at < %(first)s
        ORDER BY target_at DESC LIMIT %(last_before)s
      ) AS before
    )
    SELECT jsonb_build_object(
      'kind', 'trajectory-batch', 'version', 1, 'environment', b.environment, 'source', o.source, 'stream', o.stream,
      'seq', b.seq, 'id', b.event_id, 'time', b.time, 'plant', b.plant, 'resource_id', b.resource_id, 'batch', to_jsonb(b),
      'dops', coalesce((SELECT jsonb_agg(to_jsonb(d)) FROM dop AS d WHERE d.event_no = b.event_no), '[]'),
      'compliance', '[]'::jsonb
    )::text AS event
    FROM near JOIN trajectory_batch AS b USING (event_no) JOIN origin AS o USING (origin_no)
    WHERE b.environment = %(environment)s::environment{plant}
    ORDER BY b.time, b.event_no"""

# One look at the index for each instance, whatever it said since the database was made: who compared each row with all others
# took the square of them.
_HEARD = """
    WITH said AS (
      SELECT * FROM service_state
      WHERE environment = %(environment)s::environment AND service = 'ads_ingest' AND time < %(last)s
    ), near AS (
      SELECT * FROM said WHERE heard_at >= %(first)s
      UNION ALL
      SELECT before.* FROM (SELECT DISTINCT instance FROM said) AS each, LATERAL (
        SELECT * FROM said AS s WHERE s.instance = each.instance AND s.heard_at < %(first)s ORDER BY s.id DESC LIMIT 1
      ) AS before
    )
    SELECT source, online, coalesce((
      SELECT bool_or((upstream->>'ok')::boolean) FROM jsonb_array_elements(upstreams) AS upstream
      WHERE upstream->>'name' = %(upstream)s
    ), false) AS is_ok, time, heard_at, received_at FROM near ORDER BY id"""
HEARD_COLUMNS = (
    Column("source", Kind.TEXT, "", "Which ads_ingest."),
    Column("online", Kind.FLAG, "", "Whether it was there."),
    Column("is_ok", Kind.FLAG, "", "Whether CAISO answered it."),
    Column("time", Kind.TIME, "", "When it first said so."),
    Column("heard_at", Kind.TIME, "", "When it last said so."),
    Column("received_at", Kind.TIME, "", "When its first word came."),
)
PRICE_COLUMNS = (
    Column("interval_start", Kind.TIME, "", "Start of the interval."),
    Column("interval_end", Kind.TIME, "", "End of the interval."),
    Column("lmp_usd_per_mwh", Kind.NUMBER, "USD/MWh", "Locational marginal price."),
)


def dispatches(environment: str, plant: str | None, resource: str, times: Range) -> Question:
    """Every revision of the batches that may say what a resource was asked in a range, in the order in which they were told."""
    return _events(_DISPATCHES.replace("{long}", reaches_in("i.")), environment, plant, resource, times)


def trajectories(environment: str, plant: str | None, resource: str, times: Range) -> Question:
    """The trajectory batches that may have a part in a resource's curve in a range, in the order in which they were told."""
    return _events(_TRAJECTORIES, environment, plant, resource, times)


def _events(sql: str, environment: str, plant: str | None, resource: str, times: Range) -> Question:
    claimed = "" if plant is None else " AND b.plant = %(plant)s"
    parameters: dict[str, object] = {
        **bounds_of(times),
        "environment": environment,
        "resource": resource,
        "last": times.end + LOOK_AHEAD,
        "last_before": LAST_BEFORE,
    }
    parameters |= {} if plant is None else {"plant": plant}
    return Question(sql.format(plant=claimed), parameters, _EVENT)


def heard(environment: str, upstream: str, first: datetime, last: datetime) -> Question:
    """What each ads_ingest said of itself between two times, and last before: was it there, and did CAISO answer it."""
    parameters = {"environment": environment, "upstream": upstream, "first": first, "last": last}
    return Question(_HEARD, parameters, HEARD_COLUMNS)


def five_minute_prices(environment: str, node: str, times: Range) -> Question:
    """The five-minute prices of a node whose intervals lie in a range, or reach into it."""
    sql = """
        SELECT interval_start, interval_end, lmp_usd_per_mwh FROM price_latest
        WHERE environment = %(environment)s::environment AND market = 'RTM' AND node = %(node)s
          AND interval_start > %(first)s AND interval_start < %(end)s AND interval_end > %(start)s
        ORDER BY interval_start"""
    first = times.start - timedelta(hours=1)
    parameters = {"environment": environment, "node": node, "first": first, "start": times.start, "end": times.end}
    return Question(sql, parameters, PRICE_COLUMNS)


def actual_megawatts(environment: str, plant: str | None, resource_id: str, times: Range) -> Question:
    """What a plant generated, where it said so for good: from each word until it was vouched for no more, or the next word.

    Of several sources the last word counts, whosever it is.
    """
    sql = """
        WITH said AS (
          SELECT t.time, least(t.valid_until, lead(t.time) OVER (ORDER BY t.time, t.point_no)) AS until, t.value, t.quality
          FROM telemetry_point AS p JOIN telemetry AS t USING (point_no)
          WHERE p.resource_id = %(resource)s AND p.point = 'actual_mw' AND p.environment = %(environment)s::environment
            AND (%(plant)s::text IS NULL OR p.plant = %(plant)s) AND t.time > %(first)s AND t.time < %(end)s
        )
        SELECT greatest(time, %(start)s), least(until, %(end)s), value FROM said
        WHERE quality = 192 AND value IS NOT NULL AND until > greatest(time, %(start)s)
        ORDER BY time"""
    parameters = {
        "environment": environment,
        "plant": plant,
        "resource": resource_id,
        "first": times.start - VOUCHED_FOR_MOST,
        "start": times.start,
        "end": times.end,
    }
    return Question(sql, parameters, ACTUAL_COLUMNS)

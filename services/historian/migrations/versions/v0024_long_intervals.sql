-- What lasts longer than a day, which of DOTs an exceptional dispatch may, is found by an index that holds nothing else. So the views
-- that tell what was in force look for it as far back as it counts, 92 days, and for all else 24 hours, which a day is not in every
-- session's time zone.
CREATE INDEX instruction_long ON instruction (resource_id, interval_end) WHERE {is_long};

-- Of several DOTs in force in the middle of five minutes the one received last, then of the higher revision, as in the registers;
-- of equals that of the greater UID is shown, and where they ask different things it is in doubt, as in dot_latest.
CREATE OR REPLACE VIEW dot_five_minute AS
SELECT
  f.environment, f.plant, f.resource_id, day.trade_date, {hour_ending f.five_minute_start} AS hour_ending,
  extract(minute FROM f.five_minute_start)::integer / 5 + 1 AS interval_no, f.five_minute_start,
  f.five_minute_start {pacific} AS five_minute_start_pacific, f.dot_mw, f.standing, f.batch_type, f.interval_start,
  f.interval_end, f.target_at, f.batch_received_at, f.batch_uid, f.revision_no, f.instruction_uid
FROM trade_day AS day
CROSS JOIN LATERAL (
  SELECT DISTINCT ON (d.environment, d.resource_id, five_minute_start)
    d.environment, d.plant, d.resource_id, five_minute_start, d.standing_mw AS dot_mw,
    CASE
      WHEN (min(d.standing_mw) OVER equal, count(d.standing_mw) OVER equal, min(d.target_at) OVER equal)
        IS DISTINCT FROM (max(d.standing_mw) OVER equal, count(*) OVER equal, max(d.target_at) OVER equal) THEN 'in doubt'
      ELSE d.standing
    END AS standing,
    d.batch_type, d.interval_start, d.interval_end, d.target_at, d.batch_received_at, d.batch_uid, d.revision_no,
    d.instruction_uid
  FROM (
    SELECT * FROM dot_history AS near
    WHERE near.interval_start > day.begins_at - interval '24 hours' AND near.interval_start < day.ends_at
    UNION ALL
    SELECT * FROM dot_history AS long
    WHERE {is_long long} AND long.interval_end > day.begins_at AND long.batch_type = 4
      AND long.interval_start > day.begins_at - interval '92 days' AND long.interval_start <= day.begins_at - interval '24 hours'
  ) AS d
  CROSS JOIN generate_series(
    greatest(date_bin('5 minutes', d.interval_start + interval '149.999999 s', '2000-01-01 00:00Z'), day.begins_at),
    least(d.interval_end - interval '150.000001 s', day.ends_at - interval '5 minutes'),
    interval '5 minutes'
  ) AS five_minute_start
  WHERE d.schedule = 'five-minute' AND d.standing <> 'not in force'
  WINDOW equal AS (
    PARTITION BY d.environment, d.resource_id, five_minute_start, d.batch_received_at, coalesce(d.revision_no, 0)
  )
  ORDER BY d.environment, d.resource_id, five_minute_start, d.batch_received_at DESC, coalesce(d.revision_no, 0) DESC,
    d.instruction_uid COLLATE "C" DESC, d.event_no DESC
) AS f;

CREATE OR REPLACE VIEW set_point_minute AS
SELECT
  of_day.environment, m.plant, of_day.resource_id, of_day.schedule, day.trade_date, {hour_ending m.minute_start} AS hour_ending,
  m.minute_start, m.minute_start {pacific} AS minute_start_pacific, m.set_point_mw, m.slope_mw_per_min, m.is_whole, m.standing,
  m.dot_mw, m.interval_start, m.interval_end, m.target_at, m.batch_uid, m.revision_no, m.instruction_uid
FROM trade_day AS day
CROSS JOIN LATERAL (
  SELECT
    d.environment, d.resource_id, d.schedule,
    array_agg(d.dot ORDER BY d.batch_received_at DESC, coalesce(d.revision_no, 0) DESC, d.instruction_uid COLLATE "C" DESC,
      d.event_no DESC) AS dots
  FROM (
    SELECT near.*, near AS dot FROM dot_history AS near
    WHERE near.interval_start > day.begins_at - interval '24 hours' AND near.interval_start < day.ends_at + interval '24 hours'
    UNION ALL
    SELECT long.*, long AS dot FROM dot_history AS long
    WHERE {is_long long} AND long.interval_end > day.begins_at AND long.batch_type = 4
      AND long.interval_start > day.begins_at - interval '92 days' AND long.interval_start <= day.begins_at - interval '24 hours'
  ) AS d
  WHERE d.standing <> 'not in force'
  GROUP BY d.environment, d.resource_id, d.schedule
) AS of_day
CROSS JOIN set_points(of_day.dots, day.begins_at, day.ends_at) AS m;

-- Each word on actual_mw beside the DOT in force at its time, of those that CAISO had sent by then: what came later could not be
-- followed. Of several in force the one received last, then of the higher revision, as in the registers; of equals that of the
-- greater UID is shown, and where they ask different things it is in doubt.
CREATE OR REPLACE VIEW actual_vs_dot AS
SELECT
  p.environment, p.plant, p.resource_id, p.source, s.schedule, t.time, least(t.valid_until, later.time) AS held_until,
  t.measured_at, t.value AS actual_mw, t.quality, t.reasons, d.dot_mw, d.standing,
  CASE WHEN t.quality = 192 AND d.standing = 'in force' THEN t.value - d.dot_mw END AS deviation_mw,
  d.interval_start, d.interval_end, d.target_at, d.batch_uid, d.instruction_uid
FROM telemetry_point AS p
JOIN telemetry AS t USING (point_no)
CROSS JOIN (VALUES ('five-minute'), ('hourly')) AS s (schedule)
LEFT JOIN LATERAL (
  SELECT n.time FROM telemetry AS n WHERE n.point_no = t.point_no AND n.time > t.time ORDER BY n.time LIMIT 1
) AS later ON true
LEFT JOIN LATERAL (
  SELECT
    h.standing_mw AS dot_mw, h.interval_start, h.interval_end, h.target_at, h.batch_uid, h.instruction_uid,
    CASE
      WHEN (min(h.standing_mw) OVER equal, count(h.standing_mw) OVER equal)
        IS DISTINCT FROM (max(h.standing_mw) OVER equal, count(*) OVER equal) THEN 'in doubt'
      ELSE h.standing
    END AS standing
  FROM (
    SELECT * FROM dot_history AS near
    WHERE near.interval_start > t.time - interval '24 hours' AND near.interval_start <= t.time
    UNION ALL
    SELECT * FROM dot_history AS long
    WHERE {is_long long} AND long.batch_type = 4
      AND long.interval_start > t.time - interval '92 days' AND long.interval_start <= t.time - interval '24 hours'
  ) AS h
  WHERE h.resource_id = p.resource_id AND h.environment = p.environment AND h.schedule = s.schedule
    AND h.standing <> 'not in force' AND h.batch_received_at <= t.time AND h.interval_end > t.time
  WINDOW equal AS (PARTITION BY h.batch_received_at, coalesce(h.revision_no, 0))
  ORDER BY h.batch_received_at DESC, coalesce(h.revision_no, 0) DESC, h.instruction_uid COLLATE "C" DESC, h.event_no DESC
  LIMIT 1
) AS d ON true
WHERE p.point = 'actual_mw';

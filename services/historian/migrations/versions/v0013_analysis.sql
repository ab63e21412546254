-- What analysts ask by the trade day. PostgreSQL cannot tell from a time that a view computes which rows of the tables below it
-- needs. So each of these views goes from the trade days to the rows of each: a filter on trade_date leaves one of them, and that
-- reaches the index and the month. "hour_ending" and "pacific" in braces stand for CAISO's number of the hour that a time is in, and
-- for the time zone.

-- Made from the zone's rules each time, and not kept: the rules change. CAISO has priced nodes since 2009-04-01.
CREATE VIEW trade_day AS
SELECT
  day::date AS trade_date, day {pacific} AS begins_at, (day + interval '1 day') {pacific} AS ends_at,
  (extract(epoch FROM (day + interval '1 day') {pacific} - day {pacific}) / 3600)::integer AS hours
FROM generate_series(timestamp '2009-04-01', timestamp '2049-12-31', interval '1 day') AS day;

-- Of several DOTs in force in the middle of five minutes the one received last, then of the higher revision, as in the registers;
-- of equals that of the greater UID is shown, and where they ask different things it is in doubt, as in dot_latest.
CREATE VIEW dot_five_minute AS
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
  FROM dot_history AS d
  CROSS JOIN generate_series(
    greatest(date_bin('5 minutes', d.interval_start + interval '149.999999 s', '2000-01-01 00:00Z'), day.begins_at),
    least(d.interval_end - interval '150.000001 s', day.ends_at - interval '5 minutes'),
    interval '5 minutes'
  ) AS five_minute_start
  WHERE d.schedule = 'five-minute' AND d.standing <> 'not in force'
    AND d.interval_start > day.begins_at - interval '1 day' AND d.interval_start < day.ends_at
  WINDOW equal AS (
    PARTITION BY d.environment, d.resource_id, five_minute_start, d.batch_received_at, coalesce(d.revision_no, 0)
  )
  ORDER BY d.environment, d.resource_id, five_minute_start, d.batch_received_at DESC, coalesce(d.revision_no, 0) DESC,
    d.instruction_uid COLLATE "C" DESC, d.event_no DESC
) AS f;

-- The ramp of the registers at each minute between two times: linear through the targets of the DOTs, each in the stretches in
-- which it is in force. One of which another takes away the target is held. Before the first target and after the last one the
-- nearest DOT is held, too. The DOTs come in the order in which they count, the first before all others. A function, since the
-- planner takes a stretch for a thousand minutes and would compile (jit) for a second what takes milliseconds.
CREATE FUNCTION set_points(dots dot_history[], from_at timestamptz, until_at timestamptz)
RETURNS TABLE (
  minute_start timestamptz, set_point_mw double precision, slope_mw_per_min double precision, is_whole boolean, standing text,
  dot_mw double precision, plant text, interval_start timestamptz, interval_end timestamptz, target_at timestamptz,
  batch_uid text, revision_no integer, instruction_uid text
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 300 SET jit = off
AS $$
  WITH dot AS (
    SELECT *, row_number() OVER () AS place FROM unnest(dots)
  ), stretch AS (
    SELECT
      dot.*, lower(part) AS begins_at, upper(part) AS ends_at,
      dot.target_at >= lower(part) AND dot.target_at < upper(part) AS has_target,
      dot.standing = 'in doubt' OR others.ask_something_else AS is_doubtful
    FROM dot
    CROSS JOIN LATERAL (
      SELECT
        range_agg(tstzrange(o.interval_start, o.interval_end)) FILTER (WHERE o.place < dot.place) AS that_count_more,
        bool_or(
          (o.batch_received_at, coalesce(o.revision_no, 0)) = (dot.batch_received_at, coalesce(dot.revision_no, 0))
          AND (o.interval_start, o.interval_end, o.standing_mw, o.target_at)
            IS DISTINCT FROM (dot.interval_start, dot.interval_end, dot.standing_mw, dot.target_at)
        ) AS ask_something_else
      FROM dot AS o
      WHERE o.interval_start < dot.interval_end AND o.interval_end > dot.interval_start
    ) AS others
    CROSS JOIN unnest(
      tstzmultirange(tstzrange(dot.interval_start, dot.interval_end)) - coalesce(others.that_count_more, '{}')
    ) AS part
  ), beside AS (
    SELECT
      stretch.*,
      lag(CASE WHEN has_target THEN target_at ELSE ends_at END) OVER in_order AS before_at,
      lag(standing_mw) OVER in_order AS before_mw,
      lag(is_doubtful) OVER in_order AS before_is_doubtful,
      lag(ends_at) OVER in_order AS before_ends_at,
      lead(CASE WHEN has_target THEN target_at ELSE begins_at END) OVER in_order AS after_at,
      lead(standing_mw) OVER in_order AS after_mw,
      lead(is_doubtful) OVER in_order AS after_is_doubtful,
      lead(begins_at) OVER in_order AS after_begins_at
    FROM stretch
    WINDOW in_order AS (ORDER BY begins_at)
  ), held AS (
    SELECT NULL::timestamptz AS begin_at, standing_mw AS begin_mw, NULL::timestamptz AS end_at, standing_mw AS end_mw,
      true AS is_whole, is_doubtful AS line_is_doubtful,
      CASE WHEN has_target AND before_at IS NOT NULL THEN target_at ELSE begins_at END AS line_from,
      CASE WHEN has_target AND after_at IS NOT NULL THEN target_at ELSE ends_at END AS line_until,
      beside.*
    FROM beside
    UNION ALL
    SELECT before_at, before_mw, target_at, standing_mw, before_ends_at = begins_at, is_doubtful OR before_is_doubtful,
      begins_at, target_at, beside.*
    FROM beside WHERE has_target AND before_at IS NOT NULL
    UNION ALL
    SELECT target_at, standing_mw, after_at, after_mw, after_begins_at = ends_at, is_doubtful OR after_is_doubtful,
      target_at, ends_at, beside.*
    FROM beside WHERE has_target AND after_at IS NOT NULL
  )
  SELECT
    minute, line.begin_mw + (line.end_mw - line.begin_mw) * coalesce(extract(epoch FROM minute - line.begin_at) / line.s, 0),
    coalesce((line.end_mw - line.begin_mw) / line.s * 60, 0 * line.begin_mw), line.is_whole,
    CASE WHEN line.line_is_doubtful THEN 'in doubt' ELSE 'in force' END, line.standing_mw, line.plant, line.interval_start,
    line.interval_end, line.target_at, line.batch_uid, line.revision_no, line.instruction_uid
  FROM (SELECT held.*, extract(epoch FROM end_at - begin_at)::double precision AS s FROM held) AS line
  CROSS JOIN generate_series(
    date_bin('1 minute', greatest(line.line_from, from_at) + interval '59.999999 s', '2000-01-01 00:00Z'),
    least(line.line_until, until_at) - interval '0.000001 s',
    interval '1 minute'
  ) AS minute
$$;
COMMENT ON FUNCTION set_points IS 'The set-point at each minute between two times, of DOTs of one resource and schedule.';

CREATE VIEW set_point_minute AS
SELECT
  of_day.environment, m.plant, of_day.resource_id, of_day.schedule, day.trade_date, {hour_ending m.minute_start} AS hour_ending,
  m.minute_start, m.minute_start {pacific} AS minute_start_pacific, m.set_point_mw, m.slope_mw_per_min, m.is_whole, m.standing,
  m.dot_mw, m.interval_start, m.interval_end, m.target_at, m.batch_uid, m.revision_no, m.instruction_uid
FROM trade_day AS day
CROSS JOIN LATERAL (
  SELECT
    d.environment, d.resource_id, d.schedule,
    array_agg(d ORDER BY d.batch_received_at DESC, coalesce(d.revision_no, 0) DESC, d.instruction_uid COLLATE "C" DESC,
      d.event_no DESC) AS dots
  FROM dot_history AS d
  WHERE d.standing <> 'not in force'
    AND d.interval_start > day.begins_at - interval '1 day' AND d.interval_start < day.ends_at + interval '1 day'
  GROUP BY d.environment, d.resource_id, d.schedule
) AS of_day
CROSS JOIN set_points(of_day.dots, day.begins_at, day.ends_at) AS m;

-- Each price counts for as long as its interval lasts. A component that CAISO did not give counts for nothing.
CREATE VIEW price_hourly AS
SELECT
  h.environment, h.market, h.node, day.trade_date, {hour_ending h.hour_start} AS hour_ending, h.hour_start,
  h.hour_start {pacific} AS hour_start_pacific, h.lmp_usd_per_mwh, h.energy_usd_per_mwh, h.congestion_usd_per_mwh,
  h.loss_usd_per_mwh, h.ghg_usd_per_mwh, h.intervals, h.priced_min
FROM trade_day AS day
CROSS JOIN LATERAL (
  SELECT
    p.environment, p.market, p.node, hour_start,
    sum(p.lmp_usd_per_mwh * weighs.s) / sum(weighs.s) FILTER (WHERE p.lmp_usd_per_mwh IS NOT NULL) AS lmp_usd_per_mwh,
    sum(p.energy_usd_per_mwh * weighs.s) / sum(weighs.s) FILTER (WHERE p.energy_usd_per_mwh IS NOT NULL) AS energy_usd_per_mwh,
    sum(p.congestion_usd_per_mwh * weighs.s) / sum(weighs.s) FILTER (WHERE p.congestion_usd_per_mwh IS NOT NULL)
      AS congestion_usd_per_mwh,
    sum(p.loss_usd_per_mwh * weighs.s) / sum(weighs.s) FILTER (WHERE p.loss_usd_per_mwh IS NOT NULL) AS loss_usd_per_mwh,
    sum(p.ghg_usd_per_mwh * weighs.s) / sum(weighs.s) FILTER (WHERE p.ghg_usd_per_mwh IS NOT NULL) AS ghg_usd_per_mwh,
    count(p.lmp_usd_per_mwh)::integer AS intervals,
    sum(weighs.s) FILTER (WHERE p.lmp_usd_per_mwh IS NOT NULL) / 60 AS priced_min
  FROM price_latest AS p
  CROSS JOIN LATERAL date_bin('1 hour', p.interval_start, '2000-01-01 00:00Z') AS hour_start
  CROSS JOIN LATERAL (SELECT extract(epoch FROM p.interval_end - p.interval_start)::double precision AS s) AS weighs
  WHERE p.interval_start >= day.begins_at AND p.interval_start < day.ends_at
  GROUP BY p.environment, p.market, p.node, hour_start
) AS h;

COMMENT ON VIEW dot_five_minute IS 'The five-minute DOT in force in each five minutes. Say which trade_date.';
COMMENT ON COLUMN dot_five_minute.environment IS 'Which CAISO spoke: production, stage (its test systems) or simulator.';
COMMENT ON COLUMN dot_five_minute.plant IS 'The plant that claimed the resource then; unassigned where none did.';
COMMENT ON COLUMN dot_five_minute.resource_id IS 'CAISO''s resource ID.';
COMMENT ON COLUMN dot_five_minute.trade_date IS 'The day as the market counts it, Pacific; 23 or 25 hours long where clocks change.';
COMMENT ON COLUMN dot_five_minute.hour_ending IS 'CAISO''s number of the hour, 1 to 24 (OPR_HR); 25 is the one that clocks show again in autumn.';
COMMENT ON COLUMN dot_five_minute.interval_no IS 'Number of the five minutes in the hour, 1 to 12.';
COMMENT ON COLUMN dot_five_minute.five_minute_start IS 'Start of the five minutes, UTC. That of their price in RTM, too.';
COMMENT ON COLUMN dot_five_minute.five_minute_start_pacific IS 'The same on Pacific clocks, which show an hour twice in autumn.';
COMMENT ON COLUMN dot_five_minute.dot_mw IS 'The five-minute DOT in force in their middle; null where it is in doubt and not known. MW';
COMMENT ON COLUMN dot_five_minute.standing IS 'In force or in doubt by type, status and answers; in doubt also where another of the same rank asks something else.';
COMMENT ON COLUMN dot_five_minute.batch_type IS '0 five-minute, 1 hourly pre-dispatch, 2 commitment, 3 AS awards, 4 out of sequence, 5 hourly AS.';
COMMENT ON COLUMN dot_five_minute.interval_start IS 'Start of the interval that it holds for: the batch''s, else its own, UTC.';
COMMENT ON COLUMN dot_five_minute.interval_end IS 'End of that interval: its own end, else twice as far as its target, else by its type, UTC.';
COMMENT ON COLUMN dot_five_minute.target_at IS 'When its megawatts are to be reached: its own time inside the interval, else the middle, UTC.';
COMMENT ON COLUMN dot_five_minute.batch_received_at IS 'When CAISO had the batch, as the registers order DOTs by it, UTC.';
COMMENT ON COLUMN dot_five_minute.batch_uid IS 'CAISO''s identifier of the batch (batchUID).';
COMMENT ON COLUMN dot_five_minute.revision_no IS 'CAISO''s revision of the batch (revisionNo); rises with each change of it or of its status.';
COMMENT ON COLUMN dot_five_minute.instruction_uid IS 'CAISO''s identifier of the instruction (instructionUID).';
COMMENT ON VIEW set_point_minute IS 'The set-point of the registers at each minute. Say which schedule, resource and trade_date.';
COMMENT ON COLUMN set_point_minute.environment IS 'Which CAISO spoke: production, stage (its test systems) or simulator.';
COMMENT ON COLUMN set_point_minute.plant IS 'The plant that claimed the resource then; unassigned where none did.';
COMMENT ON COLUMN set_point_minute.resource_id IS 'CAISO''s resource ID.';
COMMENT ON COLUMN set_point_minute.schedule IS 'five-minute (batch_type 0) or hourly (1); an exceptional dispatch (4) is of both, a row for each.';
COMMENT ON COLUMN set_point_minute.trade_date IS 'The day as the market counts it, Pacific; 23 or 25 hours long where clocks change.';
COMMENT ON COLUMN set_point_minute.hour_ending IS 'CAISO''s number of the hour, 1 to 24 (OPR_HR); 25 is the one that clocks show again in autumn.';
COMMENT ON COLUMN set_point_minute.minute_start IS 'The minute: all is as of its first moment, UTC.';
COMMENT ON COLUMN set_point_minute.minute_start_pacific IS 'The same on Pacific clocks, which show an hour twice in autumn.';
COMMENT ON COLUMN set_point_minute.set_point_mw IS 'What the ramp of the registers is at; null where a DOT that it is made of is not known. MW';
COMMENT ON COLUMN set_point_minute.slope_mw_per_min IS 'How it moves; 0 where a DOT is held. MW/min';
COMMENT ON COLUMN set_point_minute.dot_mw IS 'The DOT in force. MW';
COMMENT ON COLUMN set_point_minute.is_whole IS 'False where a DOT is missing between the two that the ramp leads through: it is a guess there.';
COMMENT ON COLUMN set_point_minute.standing IS 'In force, or in doubt where one of the DOTs that it is made of is.';
COMMENT ON COLUMN set_point_minute.interval_start IS 'Start of the interval that it holds for: the batch''s, else its own, UTC.';
COMMENT ON COLUMN set_point_minute.interval_end IS 'End of that interval: its own end, else twice as far as its target, else by its type, UTC.';
COMMENT ON COLUMN set_point_minute.target_at IS 'When its megawatts are to be reached: its own time inside the interval, else the middle, UTC.';
COMMENT ON COLUMN set_point_minute.batch_uid IS 'CAISO''s identifier of the batch (batchUID).';
COMMENT ON COLUMN set_point_minute.revision_no IS 'CAISO''s revision of the batch (revisionNo); rises with each change of it or of its status.';
COMMENT ON COLUMN set_point_minute.instruction_uid IS 'CAISO''s identifier of the instruction (instructionUID).';
COMMENT ON VIEW price_hourly IS 'Prices by the hour. Say which nodes and trade_date.';
COMMENT ON COLUMN price_hourly.environment IS 'Which CAISO spoke: production, stage (its test systems) or simulator.';
COMMENT ON COLUMN price_hourly.market IS 'Market: DAM, RUC, HASP, RTPD or RTM.';
COMMENT ON COLUMN price_hourly.node IS 'CAISO''s name of a pricing node, hub or aggregation point.';
COMMENT ON COLUMN price_hourly.trade_date IS 'The day as the market counts it, Pacific; 23 or 25 hours long where clocks change.';
COMMENT ON COLUMN price_hourly.hour_ending IS 'CAISO''s number of the hour, 1 to 24 (OPR_HR); 25 is the one that clocks show again in autumn.';
COMMENT ON COLUMN price_hourly.hour_start IS 'Start of the hour, UTC.';
COMMENT ON COLUMN price_hourly.hour_start_pacific IS 'The same on Pacific clocks, which show an hour twice in autumn.';
COMMENT ON COLUMN price_hourly.lmp_usd_per_mwh IS 'Mean of the hour, each price for as long as its interval lasts: locational marginal price. USD/MWh';
COMMENT ON COLUMN price_hourly.energy_usd_per_mwh IS 'Mean of the hour, each price for as long as its interval lasts: its energy component. USD/MWh';
COMMENT ON COLUMN price_hourly.congestion_usd_per_mwh IS 'Mean of the hour, each price for as long as its interval lasts: its congestion component. USD/MWh';
COMMENT ON COLUMN price_hourly.loss_usd_per_mwh IS 'Mean of the hour, each price for as long as its interval lasts: its loss component. USD/MWh';
COMMENT ON COLUMN price_hourly.ghg_usd_per_mwh IS 'Mean of the hour, each price for as long as its interval lasts: its greenhouse gas component. USD/MWh';
COMMENT ON COLUMN price_hourly.intervals IS 'How many prices it is made of.';
COMMENT ON COLUMN price_hourly.priced_min IS 'How many minutes of the hour have a price; less than 60 is no whole hour. min';
COMMENT ON VIEW trade_day IS 'The days of the market, from when until when they last.';
COMMENT ON COLUMN trade_day.trade_date IS 'The day as the market counts it, Pacific; 23 or 25 hours long where clocks change.';
COMMENT ON COLUMN trade_day.begins_at IS 'Midnight, Pacific, as UTC.';
COMMENT ON COLUMN trade_day.ends_at IS 'The midnight after it, as UTC.';
COMMENT ON COLUMN trade_day.hours IS 'How long it is: 24, or 23 or 25 where clocks change.';

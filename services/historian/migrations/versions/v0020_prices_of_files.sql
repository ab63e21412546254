-- A price that was imported stands in the table two days before its interval, so that whatever an ingest heard is newer. Whoever asks
-- what was known at a time, and for a day-ahead price that is before the market ran, is told none.
CREATE OR REPLACE VIEW price_history AS
SELECT
  n.node, t.market, p.interval_start, t.interval_end, t.environment,
  CASE WHEN NOT starts_with(o.source, 'import/') THEN t.fetched_at END AS fetched_at, p.lmp_usd_per_mwh,
  p.energy_usd_per_mwh, p.congestion_usd_per_mwh, p.loss_usd_per_mwh, p.ghg_usd_per_mwh, o.source, o.stream, t.seq, t.event_id,
  t.time, t.received_at, t.recorded_at, p.report_no
FROM price AS p
JOIN price_report AS t USING (report_no)
JOIN node AS n USING (node_no)
JOIN origin AS o USING (origin_no);

-- What CAISO said to an ingest goes before what a file says. Of two with one time the one that came first, as of everything that
-- contradicts itself.
CREATE OR REPLACE VIEW price_latest AS
SELECT DISTINCT ON (environment, market, node, interval_start) *
FROM price_history
ORDER BY environment, market, node, interval_start, fetched_at DESC NULLS LAST, report_no;

-- Each price counts for as long as its interval lasts. Of a component that one of the prices lacks there is no mean: the components
-- would not add up to the price.
CREATE OR REPLACE VIEW price_hourly AS
SELECT
  h.environment, h.market, h.node, day.trade_date,
  CASE
    WHEN (h.hour_start - interval '1 hour') AT TIME ZONE 'America/Los_Angeles'
      = h.hour_start AT TIME ZONE 'America/Los_Angeles' THEN 25
    ELSE extract(hour FROM h.hour_start AT TIME ZONE 'America/Los_Angeles')::integer + 1
  END AS hour_ending,
  h.hour_start, h.hour_start AT TIME ZONE 'America/Los_Angeles' AS hour_start_pacific, h.lmp_usd_per_mwh, h.energy_usd_per_mwh,
  h.congestion_usd_per_mwh, h.loss_usd_per_mwh, h.ghg_usd_per_mwh, h.intervals, h.priced_min
FROM trade_day AS day
CROSS JOIN LATERAL (
  SELECT
    p.environment, p.market, p.node, hour_start, sum(p.lmp_usd_per_mwh * weighs.s) / sum(weighs.s) AS lmp_usd_per_mwh,
    CASE WHEN count(p.energy_usd_per_mwh) = count(*) THEN sum(p.energy_usd_per_mwh * weighs.s) / sum(weighs.s) END
      AS energy_usd_per_mwh,
    CASE WHEN count(p.congestion_usd_per_mwh) = count(*) THEN sum(p.congestion_usd_per_mwh * weighs.s) / sum(weighs.s) END
      AS congestion_usd_per_mwh,
    CASE WHEN count(p.loss_usd_per_mwh) = count(*) THEN sum(p.loss_usd_per_mwh * weighs.s) / sum(weighs.s) END
      AS loss_usd_per_mwh,
    CASE WHEN count(p.ghg_usd_per_mwh) = count(*) THEN sum(p.ghg_usd_per_mwh * weighs.s) / sum(weighs.s) END AS ghg_usd_per_mwh,
    count(*)::integer AS intervals, sum(weighs.s) / 60 AS priced_min
  FROM price_latest AS p
  CROSS JOIN LATERAL date_bin('1 hour', p.interval_start, '2000-01-01 00:00Z') AS hour_start
  CROSS JOIN LATERAL (SELECT extract(epoch FROM p.interval_end - p.interval_start)::double precision AS s) AS weighs
  WHERE p.interval_start >= day.begins_at AND p.interval_start < day.ends_at AND p.lmp_usd_per_mwh IS NOT NULL
  GROUP BY p.environment, p.market, p.node, hour_start
) AS h;

COMMENT ON COLUMN price_history.fetched_at IS
  'When OASIS gave it: tells revisions of an interval apart, UTC. Null of an imported price, of which nobody knows it.';
COMMENT ON COLUMN price_latest.fetched_at IS
  'When OASIS gave it: tells revisions of an interval apart, UTC. Null of an imported price, of which nobody knows it.';
COMMENT ON VIEW price_hourly IS
  'Prices by the hour. Say which nodes and trade_date. Of a component that one price of the hour lacks there is no mean.';

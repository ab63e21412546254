"""Questions about prices."""

from historian.tables.questions.question import Question

PRICES = (
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
        "Prices are corrected afterwards, and every revision is kept: what OASIS had told by then. Imports do not say.",
        """
SELECT DISTINCT ON (interval_start) interval_start, lmp_usd_per_mwh, fetched_at
FROM price_history
WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND interval_start >= '2026-10-13 14:00Z'
  AND interval_start < '2026-10-13 15:00Z' AND fetched_at <= '2026-10-13 14:09Z'
ORDER BY interval_start, fetched_at DESC;""",
    ),
    Question(
        "Prices of a trade day by the hour",
        "Each price counts for as long as it lasts; `priced_min` below 60 is an hour that is not whole.",
        """
SELECT hour_ending, hour_start_pacific, lmp_usd_per_mwh, energy_usd_per_mwh, congestion_usd_per_mwh, loss_usd_per_mwh,
  priced_min
FROM price_hourly
WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND environment = 'simulator' AND trade_date = '2026-10-13'
ORDER BY hour_start;""",
    ),
    Question(
        "One day against another",
        "Hours are matched by CAISO's number, so that a day of 23 or 25 hours stands beside one of 24.",
        """
SELECT hour_ending, one.lmp_usd_per_mwh AS one_usd_per_mwh, other.lmp_usd_per_mwh AS other_usd_per_mwh,
  one.lmp_usd_per_mwh - other.lmp_usd_per_mwh AS difference_usd_per_mwh
FROM (
  SELECT hour_ending, lmp_usd_per_mwh FROM price_hourly
  WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND environment = 'simulator' AND trade_date = '2026-10-13'
) AS one
FULL JOIN (
  SELECT hour_ending, lmp_usd_per_mwh FROM price_hourly
  WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND environment = 'simulator' AND trade_date = '2026-10-06'
) AS other USING (hour_ending)
ORDER BY hour_ending;""",
    ),
    Question(
        "A month by day and hour",
        "One row for each hour of a month, as a heat map wants it.",
        """
SELECT trade_date, hour_ending, lmp_usd_per_mwh
FROM price_hourly
WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND environment = 'simulator'
  AND trade_date >= '2026-10-01' AND trade_date < '2026-11-01'
ORDER BY trade_date, hour_start;""",
    ),
    Question(
        "The mean price by weekday and hour",
        "Monday is 1. Of whole hours alone: a mean of what there is would lean to the hours of which more is there.",
        """
SELECT extract(isodow FROM trade_date)::integer AS weekday, hour_ending, avg(lmp_usd_per_mwh) AS lmp_usd_per_mwh,
  count(*) AS hours
FROM price_hourly
WHERE node = 'TH_NP15_GEN-APND' AND market = 'DAM' AND environment = 'simulator'
  AND trade_date >= '2026-10-01' AND trade_date < '2026-11-01' AND priced_min = 60
GROUP BY 1, 2
ORDER BY 1, 2;""",
    ),
    Question(
        "The duration curve of a month",
        "The price that was reached or exceeded in a share of the five minutes.",
        """
SELECT share, percentile_cont(1 - share) WITHIN GROUP (ORDER BY lmp_usd_per_mwh) AS lmp_usd_per_mwh
FROM price_latest
CROSS JOIN unnest(ARRAY[0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1]::double precision[]) AS share
WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND environment = 'simulator'
  AND interval_start >= timestamp '2026-10-01 00:00' AT TIME ZONE 'America/Los_Angeles'
  AND interval_start < timestamp '2026-11-01 00:00' AT TIME ZONE 'America/Los_Angeles'
GROUP BY share
ORDER BY share;""",
    ),
    Question(
        "Day-ahead against real time",
        "What an hour was worth a day before, and then.",
        """
SELECT hour_ending, ahead.lmp_usd_per_mwh AS day_ahead_usd_per_mwh, real.lmp_usd_per_mwh AS real_time_usd_per_mwh,
  real.lmp_usd_per_mwh - ahead.lmp_usd_per_mwh AS real_time_above_usd_per_mwh
FROM (
  SELECT hour_ending, lmp_usd_per_mwh FROM price_hourly
  WHERE node = 'TH_NP15_GEN-APND' AND market = 'DAM' AND environment = 'simulator' AND trade_date = '2026-10-13'
) AS ahead
FULL JOIN (
  SELECT hour_ending, lmp_usd_per_mwh FROM price_hourly
  WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND environment = 'simulator' AND trade_date = '2026-10-13'
) AS real USING (hour_ending)
ORDER BY hour_ending;""",
    ),
    Question(
        "Prices below zero",
        "How long they lasted on each day, and how deep they went.",
        """
SELECT (interval_start AT TIME ZONE 'America/Los_Angeles')::date AS trade_date,
  sum(extract(epoch FROM interval_end - interval_start)) / 60 AS below_zero_min, min(lmp_usd_per_mwh) AS lowest_usd_per_mwh
FROM price_latest
WHERE node = 'BAYSHOR2_1_N001' AND market = 'RTM' AND environment = 'simulator' AND lmp_usd_per_mwh < 0
  AND interval_start >= timestamp '2026-10-01 00:00' AT TIME ZONE 'America/Los_Angeles'
  AND interval_start < timestamp '2026-11-01 00:00' AT TIME ZONE 'America/Los_Angeles'
GROUP BY 1
ORDER BY 1;""",
    ),
    Question(
        "What was corrected afterwards",
        "Prices of which OASIS's first word was not the last.",
        """
SELECT interval_start, count(*) AS revisions, (array_agg(lmp_usd_per_mwh ORDER BY fetched_at))[1] AS first_usd_per_mwh,
  (array_agg(lmp_usd_per_mwh ORDER BY fetched_at DESC))[1] AS last_usd_per_mwh, max(fetched_at) AS corrected_at
FROM price_history
WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND environment = 'simulator'
  AND interval_start >= '2026-10-13 07:00Z' AND interval_start < '2026-10-14 07:00Z' AND fetched_at IS NOT NULL
GROUP BY interval_start
HAVING min(lmp_usd_per_mwh) <> max(lmp_usd_per_mwh)
ORDER BY interval_start;""",
    ),
    Question(
        "Is a month of prices whole",
        "Days of which less is there than they are long, with how many hours of them have all of their prices.",
        """
SELECT d.trade_date, d.hours, count(h.hour_start) FILTER (WHERE h.priced_min = 60) AS whole_hours,
  sum(h.priced_min) / 60 AS priced_hours
FROM trade_day AS d
LEFT JOIN (
  SELECT trade_date, hour_start, priced_min FROM price_hourly
  WHERE node = 'TH_NP15_GEN-APND' AND market = 'RTM' AND environment = 'simulator'
    AND trade_date >= '2026-10-01' AND trade_date < '2026-11-01'
) AS h USING (trade_date)
WHERE d.trade_date >= '2026-10-01' AND d.trade_date < '2026-11-01'
GROUP BY d.trade_date, d.hours
HAVING count(h.hour_start) FILTER (WHERE h.priced_min = 60) < d.hours
ORDER BY d.trade_date;""",
    ),
)

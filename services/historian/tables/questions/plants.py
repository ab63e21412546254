"""Questions about plants: what they delivered, said and wrote."""

from historian.tables.questions.question import Question

PLANTS = (
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
)

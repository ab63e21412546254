-- Each word on actual_mw beside the DOT in force at its time, of those that CAISO had sent by then: what came later could not be
-- followed. Of several in force the one received last, then of the higher revision, as in the registers; of equals that of the
-- greater UID is shown, and where they ask different things it is in doubt. A DOT that began more than a day before is not looked
-- for: without that end every word would read all that the resource ever had.
CREATE VIEW actual_vs_dot AS
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
  FROM dot_history AS h
  WHERE h.resource_id = p.resource_id AND h.environment = p.environment AND h.schedule = s.schedule
    AND h.standing <> 'not in force' AND h.batch_received_at <= t.time
    AND h.interval_start > t.time - interval '1 day' AND h.interval_start <= t.time AND h.interval_end > t.time
  WINDOW equal AS (PARTITION BY h.batch_received_at, coalesce(h.revision_no, 0))
  ORDER BY h.batch_received_at DESC, coalesce(h.revision_no, 0) DESC, h.instruction_uid COLLATE "C" DESC, h.event_no DESC
  LIMIT 1
) AS d ON true
WHERE p.point = 'actual_mw';

COMMENT ON VIEW actual_vs_dot IS 'Each word on actual_mw beside the DOT in force then. Say which schedule, and a time.';
COMMENT ON COLUMN actual_vs_dot.environment IS 'Which CAISO spoke: production, stage (its test systems) or simulator.';
COMMENT ON COLUMN actual_vs_dot.plant IS 'The plant that said it.';
COMMENT ON COLUMN actual_vs_dot.resource_id IS 'CAISO''s resource ID.';
COMMENT ON COLUMN actual_vs_dot.source IS 'SERVICE/PLANT that said it.';
COMMENT ON COLUMN actual_vs_dot.schedule IS 'five-minute (batch_type 0) or hourly (1); an exceptional dispatch (4) is of both, a row for each.';
COMMENT ON COLUMN actual_vs_dot.time IS 'When the source said it (UTC, the source''s clock).';
COMMENT ON COLUMN actual_vs_dot.measured_at IS 'When the value was measured, or written where its writer does not say, UTC; null without a value.';
COMMENT ON COLUMN actual_vs_dot.quality IS 'OPC quality as the source said it: 192 good, 64 uncertain, 0 bad.';
COMMENT ON COLUMN actual_vs_dot.reasons IS 'Why it was less than good, by the names of docs/quality.md.';
COMMENT ON COLUMN actual_vs_dot.interval_start IS 'Start of the interval that it holds for: the batch''s, else its own, UTC.';
COMMENT ON COLUMN actual_vs_dot.interval_end IS 'End of that interval: its own end, else twice as far as its target, else by its type, UTC.';
COMMENT ON COLUMN actual_vs_dot.target_at IS 'When its megawatts are to be reached: its own time inside the interval, else the middle, UTC.';
COMMENT ON COLUMN actual_vs_dot.instruction_uid IS 'CAISO''s identifier of the instruction (instructionUID).';
COMMENT ON COLUMN actual_vs_dot.batch_uid IS 'CAISO''s identifier of the batch (batchUID).';
COMMENT ON COLUMN actual_vs_dot.held_until IS 'Until when it was the last word that its source vouched for, UTC.';
COMMENT ON COLUMN actual_vs_dot.standing IS 'In force or in doubt, as of dot_latest; null where no DOT was in force.';
COMMENT ON COLUMN actual_vs_dot.actual_mw IS 'What the resource delivered, as the plant said it; below 0 what it took. MW';
COMMENT ON COLUMN actual_vs_dot.dot_mw IS 'The DOT in force then, of those that CAISO had sent by then; null where none was or nobody knows. MW';
COMMENT ON COLUMN actual_vs_dot.deviation_mw IS 'Actual less DOT; null unless the one is good and the other in force. MW';

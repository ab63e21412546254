-- CAISO gives a resource DOTs of two schedules in messages of one kind: five-minute ones (batch_type 0) and hourly ones (1). An
-- exceptional dispatch (4, out of sequence) is of both. Only the batch says which, so an instruction shows its batch's words.

CREATE OR REPLACE VIEW instruction_latest AS
SELECT DISTINCT ON (instruction.environment, instruction.batch_uid, instruction.instruction_uid)
  instruction.*,
  batch.batch_type,
  batch.batch_status,
  batch.binding_flag,
  batch.start_at AS batch_start_at,
  coalesce(batch.batch_received_at, batch.batch_sent_at, instruction.time) AS batch_received_at
FROM instruction
LEFT JOIN dispatch_batch AS batch USING (environment, batch_uid, revision_key)
WHERE NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.environment = instruction.environment
    AND newer.batch_uid = instruction.batch_uid
    AND newer.revision_key <> instruction.revision_key
    AND (newer.revision_no > instruction.revision_no
      OR (newer.revision_no = instruction.revision_no AND newer.time > instruction.time))
)
ORDER BY instruction.environment, instruction.batch_uid, instruction.instruction_uid, instruction.revision_no DESC NULLS LAST,
  instruction.revision_number DESC NULLS LAST, instruction.time DESC, instruction.seq DESC;

-- The DOTs that count, each under the schedule that it is of, an exceptional one under both. Interval and target are those of
-- the bus and the registers: the batch's start, the instruction's end or twice as far as its target, which is the middle. Of
-- several for one interval the one received last counts. Advisory and cancelled ones are no instruction. It does not read
-- instruction_latest, so that a question about one resource reads that resource's rows only.
CREATE VIEW dot_latest AS
SELECT DISTINCT ON (environment, resource_id, schedule, interval_start, interval_end)
  environment,
  plant,
  resource_id,
  schedule,
  interval_start,
  interval_end,
  CASE
    WHEN start_at > interval_start AND start_at < interval_end THEN start_at
    ELSE interval_start + (interval_end - interval_start) / 2
  END AS target_at,
  dot_mw,
  batch_type,
  batch_received_at,
  batch_uid,
  revision_no,
  instruction_uid
FROM (
  SELECT
    *,
    CASE
      WHEN end_at > interval_start THEN end_at
      WHEN start_at > interval_start THEN interval_start + 2 * (start_at - interval_start)
      WHEN batch_type = 1 THEN interval_start + interval '1 hour'
      ELSE interval_start + interval '5 minutes'
    END AS interval_end
  FROM (
    SELECT
      instruction.*,
      batch.batch_type,
      batch.batch_status,
      batch.binding_flag,
      coalesce(batch.start_at, instruction.start_at) AS interval_start,
      coalesce(batch.batch_received_at, batch.batch_sent_at, instruction.time) AS batch_received_at
    FROM instruction
    JOIN dispatch_batch AS batch USING (environment, batch_uid, revision_key)
    WHERE NOT EXISTS (
      SELECT FROM dispatch_batch AS newer
      WHERE newer.environment = instruction.environment
        AND newer.batch_uid = instruction.batch_uid
        AND newer.revision_key <> instruction.revision_key
        AND (newer.revision_no > instruction.revision_no
          OR (newer.revision_no = instruction.revision_no AND newer.time > instruction.time))
    )
    AND NOT EXISTS (
      SELECT FROM instruction AS later
      WHERE later.environment = instruction.environment
        AND later.batch_uid = instruction.batch_uid
        AND later.instruction_uid = instruction.instruction_uid
        AND later.revision_key <> instruction.revision_key
        AND (coalesce(later.revision_no, -1), coalesce(later.revision_number, -1), later.time, later.seq)
          > (coalesce(instruction.revision_no, -1), coalesce(instruction.revision_number, -1), instruction.time, instruction.seq)
    )
  ) AS begun
) AS dot
JOIN (VALUES (0, 'five-minute'), (1, 'hourly'), (4, 'five-minute'), (4, 'hourly')) AS followed (batch_type, schedule)
  USING (batch_type)
WHERE dot_mw IS NOT NULL
  AND interval_start IS NOT NULL
  AND instruction_type = 0
  AND batch_status IS DISTINCT FROM 4
  AND status_code IS DISTINCT FROM 4
  AND coalesce(lower(binding_flag) NOT IN ('n', 'no', 'false', '0'), true)
ORDER BY environment, resource_id, schedule, interval_start, interval_end, batch_received_at DESC, revision_no DESC NULLS LAST;

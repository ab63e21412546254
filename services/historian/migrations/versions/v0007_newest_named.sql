-- As in 0003, but for what is newer than a row. Of one revision two sources may be told different parts, because their accounts see
-- different resources: the row without instructions ('/unnamed') is not the newer one of the two, whichever came last.

CREATE OR REPLACE VIEW dispatch_batch_latest AS
SELECT b.* FROM dispatch_batch_history AS b
WHERE NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.batch_uid = b.batch_uid AND newer.resource_id = b.resource_id AND newer.environment = b.environment
    AND (newer.revision_key || '/unnamed' = b.revision_key OR newer.revision_key <> b.revision_key || '/unnamed'
      AND (coalesce(newer.revision_no, -1), newer.time, newer.event_no) > (coalesce(b.revision_no, -1), b.time, b.event_no))
);

CREATE OR REPLACE VIEW instruction_latest AS
SELECT i.* FROM instruction_history AS i
WHERE NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.batch_uid = i.batch_uid AND newer.resource_id = i.resource_id AND newer.environment = i.environment
    AND (newer.revision_key || '/unnamed' = i.revision_key OR newer.revision_key <> i.revision_key || '/unnamed'
      AND (coalesce(newer.revision_no, -1), newer.time, newer.event_no) > (coalesce(i.revision_no, -1), i.time, i.event_no))
)
AND i.is_newest;

-- CAISO gives a resource DOTs of two schedules in messages of one kind: five-minute ones (batch_type 0) and hourly ones (1). An
-- exceptional dispatch (4, out of sequence) is of both.
CREATE OR REPLACE VIEW dot_history AS
SELECT
  b.environment, b.plant, i.resource_id, followed.schedule, i.interval_start, i.interval_end, i.target_at,
  i.standing, i.standing_mw, i.dot_mw AS instructed_mw, b.batch_type,
  coalesce(b.batch_received_at, b.batch_sent_at, least(b.time, i.interval_start)) AS batch_received_at, b.batch_uid,
  b.revision_no, i.instruction_uid, i.event_no
FROM instruction AS i
JOIN dispatch_batch AS b USING (event_no)
JOIN (VALUES (0, 'five-minute'), (1, 'hourly'), (4, 'five-minute'), (4, 'hourly')) AS followed (batch_type, schedule)
  USING (batch_type)
WHERE i.standing IS NOT NULL AND i.is_newest
AND NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.batch_uid = b.batch_uid AND newer.resource_id = b.resource_id AND newer.environment = b.environment
    AND (newer.revision_key || '/unnamed' = b.revision_key OR newer.revision_key <> b.revision_key || '/unnamed'
      AND (coalesce(newer.revision_no, -1), newer.time, newer.event_no) > (coalesce(b.revision_no, -1), b.time, b.event_no))
);

-- The DOTs that count: of several for one interval the one received last. Those that do not stand (cancelled, declined, advisory)
-- are none, nor is one without any time; one in doubt is shown with that word, and with null where its megawatts are not known.
CREATE OR REPLACE VIEW dot_latest AS
SELECT
  d.environment, d.plant, d.resource_id, d.schedule, d.interval_start, d.interval_end, d.target_at, d.standing_mw AS dot_mw,
  d.standing, d.batch_type, d.batch_received_at, d.batch_uid, d.revision_no, d.instruction_uid
FROM dot_history AS d
WHERE d.standing <> 'not in force' AND d.interval_start IS NOT NULL
-- Not as NOT EXISTS: then the planner reads all that a resource ever had, also for the newest ten.
AND (
  SELECT true FROM instruction AS i
  JOIN dispatch_batch AS b USING (event_no)
  JOIN (VALUES (0, 'five-minute'), (1, 'hourly'), (4, 'five-minute'), (4, 'hourly')) AS followed (batch_type, schedule)
    USING (batch_type)
  WHERE i.resource_id = d.resource_id AND i.interval_start = d.interval_start AND i.interval_end = d.interval_end AND i.is_newest
    AND i.standing <> 'not in force' AND b.environment = d.environment AND followed.schedule = d.schedule
    AND (
      coalesce(b.batch_received_at, b.batch_sent_at, least(b.time, i.interval_start)), coalesce(b.revision_no, -1), i.event_no,
      i.instruction_uid
    ) > (d.batch_received_at, coalesce(d.revision_no, -1), d.event_no, d.instruction_uid)
    AND NOT EXISTS (
      SELECT FROM dispatch_batch AS newer
      WHERE newer.batch_uid = b.batch_uid AND newer.resource_id = b.resource_id AND newer.environment = b.environment
        AND (newer.revision_key || '/unnamed' = b.revision_key OR newer.revision_key <> b.revision_key || '/unnamed'
          AND (coalesce(newer.revision_no, -1), newer.time, newer.event_no) > (coalesce(b.revision_no, -1), b.time, b.event_no))
    )
  LIMIT 1
) IS NOT TRUE;

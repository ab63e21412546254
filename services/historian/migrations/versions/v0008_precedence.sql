-- What counts, in the order that the states on the bus and the registers have. {order} stands for that of revisions of a batch:
-- a revision without a number is revision 0; of one revision a cancel (batch_status 4) is the last word, and one that names the
-- resource comes before one that does not (/unnamed), whose source may not see it; of equals the later one.

CREATE OR REPLACE VIEW dispatch_batch_latest AS
SELECT b.* FROM dispatch_batch_history AS b
WHERE NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.batch_uid = b.batch_uid AND newer.resource_id = b.resource_id AND newer.environment = b.environment
    AND {order newer} > {order b}
);

-- An instruction without a name is no other revision of another one without.
CREATE OR REPLACE VIEW instruction_latest AS
SELECT i.* FROM instruction_history AS i
WHERE NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.batch_uid = i.batch_uid AND newer.resource_id = i.resource_id AND newer.environment = i.environment
    AND {order newer} > {order i}
)
AND (i.is_newest OR i.instruction_uid = '');

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
WHERE i.standing IS NOT NULL AND (i.is_newest OR i.instruction_uid = '')
AND NOT EXISTS (
  SELECT FROM dispatch_batch AS newer
  WHERE newer.batch_uid = b.batch_uid AND newer.resource_id = b.resource_id AND newer.environment = b.environment
    AND {order newer} > {order b}
);

-- The DOTs that count: of several for one interval the one received last, then that of the higher revision. Of equals that of the
-- greater UID is shown, and where they ask different things it is in doubt. Those that do not stand (cancelled, declined,
-- advisory) are none, nor is one without any time; one in doubt has null where its megawatts are not known.
CREATE OR REPLACE VIEW dot_latest AS
SELECT
  d.environment, d.plant, d.resource_id, d.schedule, d.interval_start, d.interval_end, d.target_at, d.standing_mw AS dot_mw,
  CASE WHEN (
    SELECT true FROM dot_history AS equal
    WHERE equal.resource_id = d.resource_id AND equal.interval_start = d.interval_start AND equal.interval_end = d.interval_end
      AND equal.environment = d.environment AND equal.schedule = d.schedule AND equal.standing <> 'not in force'
      AND (equal.batch_received_at, coalesce(equal.revision_no, 0)) = (d.batch_received_at, coalesce(d.revision_no, 0))
      AND (equal.standing_mw, equal.target_at) IS DISTINCT FROM (d.standing_mw, d.target_at)
    LIMIT 1
  ) THEN 'in doubt' ELSE d.standing END AS standing,
  d.batch_type, d.batch_received_at, d.batch_uid, d.revision_no, d.instruction_uid
FROM dot_history AS d
WHERE d.standing <> 'not in force' AND d.interval_start IS NOT NULL
-- Not as NOT EXISTS: then the planner reads all that a resource ever had, also for the newest ten.
AND (
  SELECT true FROM dot_history AS other
  WHERE other.resource_id = d.resource_id AND other.interval_start = d.interval_start AND other.interval_end = d.interval_end
    AND other.environment = d.environment AND other.schedule = d.schedule AND other.standing <> 'not in force'
    AND (other.batch_received_at, coalesce(other.revision_no, 0), other.instruction_uid COLLATE "C", other.event_no)
      > (d.batch_received_at, coalesce(d.revision_no, 0), d.instruction_uid COLLATE "C", d.event_no)
  LIMIT 1
) IS NOT TRUE;

-- Two sources that follow one certificate both say what became of a command. Of several results of one source taken counts before
-- refused, that before unknown, and each before word that another source's row has it.
CREATE OR REPLACE VIEW instruction_response_latest AS
SELECT r.* FROM instruction_response_history AS r
WHERE NOT EXISTS (
  SELECT FROM instruction_response_history AS later
  WHERE later.resource_id = r.resource_id AND later.command_id = r.command_id AND later.plant = r.plant
    AND later.environment = r.environment AND later.source = r.source
    AND ({outcome later}, later.time, later.event_no) > ({outcome r}, r.time, r.event_no)
);

COMMENT ON COLUMN dot_latest.standing IS
  'In force or in doubt by type, status and answers; in doubt also where another of the same rank asks something else.';

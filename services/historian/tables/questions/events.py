"""Questions about what is there and what is missing."""

from historian.tables.questions.question import Question

EVENTS = (
    Question(
        "Gaps",
        "Of each stream how many events came, and which did not though a later one did. What a source published last of all "
        "and nobody has, only `historian gaps` knows.",
        """
SELECT environment, source, stream,
  (SELECT sum(upper(r) - lower(r)) FROM unnest(received) AS r) AS received,
  int8multirange(int8range(1, upper(received))) - received - lost AS missing, lost
FROM stream_sequence
ORDER BY environment, source, stream;""",
    ),
    Question(
        "Lost events",
        "What was given up because its source had it no more, and whether it came after all.",
        """
SELECT o.environment, o.source, o.stream, l.first_seq, l.last_seq, l.reason, l.noticed_at, l.found_at
FROM lost_events AS l JOIN origin AS o USING (origin_no)
ORDER BY l.noticed_at;""",
    ),
    Question(
        "What of CAISO's is missing for good",
        "ADS was not heard for longer than it keeps batches, or prices were given up. No number is missing of any stream for "
        "it, because no event was made.",
        """
SELECT environment, source, upstream, account, missing_from, missing_until, detail
FROM upstream_gap_history
ORDER BY missing_from;""",
    ),
    Question(
        "Which alarms there are",
        "The most urgent first. The database has what has come to it; the states of `alarm/#` on the bus may be newer.",
        """
SELECT plant, about, rule, priority, state, is_active, text, changed_at, changed_by, comment, shelved_until, because
FROM alarm_now
WHERE environment = 'production'
ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], priority), changed_at DESC;""",
    ),
    Question(
        "How many alarms operators had",
        "By plant and ten minutes. More than ten within ten minutes are a flood (ISA-18.2): nobody can act on them.",
        """
SELECT plant, date_bin('10 min', changed_at, '2026-01-01Z') AS since, count(*) AS raised
FROM alarm_event_history
WHERE what = 'raised' AND changed_at >= '2026-10-13 00:00Z' AND changed_at < '2026-10-14 00:00Z'
GROUP BY plant, since
ORDER BY raised DESC, plant, since;""",
    ),
    Question(
        "When a service was away",
        "A row is a stretch of time in which a service said the same of itself.",
        """
SELECT source, time AS since, heard_at AS until, online, upstreams
FROM service_state
WHERE service = 'ads_ingest' AND time >= '2026-10-13 00:00Z'
ORDER BY source, id;""",
    ),
)

"""The ledger: which sequence numbers came, and which are lost.

Each function works within a transaction that somebody else opened.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from dotbus.runtime.outbox.sequence import Range
from historian.tables import lost_events
from historian.write.reading.record import Stream
from historian.write.sequences.gaps import Source, Spoken
from historian.write.storing.copying import multirange

STREAMS_IN_FULL = 5
"""How many streams of as many ranges as are looked at together are looked at in one go."""
_NEWS = "unnest(CAST(:origins AS int[]), CAST(CAST(:new AS text[]) AS int8multirange[])) AS k (origin_no, new)"
_AGAIN = sa.text(
    "SELECT s.origin_no, CAST(s.received * k.new AS text) AS again, s.lost && k.new AS found "  # noqa: S608  # our own words
    f"FROM {_NEWS} JOIN source_sequence AS s USING (origin_no) ORDER BY s.origin_no FOR UPDATE OF s"
)
_CAME = sa.text(
    f"INSERT INTO source_sequence (origin_no, received) SELECT origin_no, new FROM {_NEWS} ORDER BY origin_no "  # noqa: S608  # our own words
    "ON CONFLICT (origin_no) DO UPDATE SET received = source_sequence.received + excluded.received, "
    "lost = source_sequence.lost - excluded.received, updated_at = now() "
    "WHERE NOT source_sequence.received @> excluded.received"
)
_FOUND = sa.text(
    "UPDATE lost_events AS l SET found_at = now() FROM source_sequence AS s WHERE l.origin_no = ANY(:origins) "
    "AND s.origin_no = l.origin_no AND l.found_at IS NULL AND s.received @> int8range(l.first_seq, l.last_seq, '[]')"
)
_BEGUN = sa.text("INSERT INTO source_sequence (origin_no) VALUES (:origin_no) ON CONFLICT DO NOTHING")
_NEWLY_LOST = sa.text(
    "SELECT lower(r), upper(r) - 1 FROM unnest(CAST(:ranges AS int8multirange) - coalesce("
    "(SELECT received + lost FROM source_sequence WHERE origin_no = :origin_no FOR UPDATE), '{}')) AS r"
)
_LOST = sa.text(
    "INSERT INTO source_sequence (origin_no, lost) VALUES (:origin_no, CAST(:news AS int8multirange)) "
    "ON CONFLICT (origin_no) DO UPDATE SET lost = source_sequence.lost + excluded.lost, updated_at = now()"
)
_HAVE_AGAIN = sa.text("""
    SELECT k.*, s.origin_no
    FROM unnest(
      CAST(:environments AS text[]), CAST(:sources AS text[]), CAST(:streams AS text[]), CAST(:oldest_seqs AS bigint[])
    ) AS k (environment, source, stream, oldest_seq)
    JOIN origin AS o ON o.environment = CAST(k.environment AS environment) AND o.source = k.source AND o.stream = k.stream
    JOIN source_sequence AS s USING (origin_no)
    WHERE s.lost && int8range(k.oldest_seq, NULL) ORDER BY s.origin_no FOR UPDATE OF s""")
_OLDEST = "unnest(CAST(:origins AS int[]), CAST(:oldest_seqs AS bigint[])) AS k (origin_no, oldest_seq)"
_NOT_LOST = sa.text(
    "UPDATE source_sequence AS s SET lost = s.lost - int8multirange(int8range(k.oldest_seq, NULL)), "  # noqa: S608  # our own words
    f"updated_at = now() FROM {_OLDEST} WHERE s.origin_no = k.origin_no"
)
_LOST_NO_MORE = sa.text(
    "UPDATE lost_events AS l SET last_seq = CASE WHEN l.first_seq < k.oldest_seq THEN k.oldest_seq - 1 ELSE l.last_seq END, "  # noqa: S608  # our own words
    f"found_at = CASE WHEN l.first_seq < k.oldest_seq THEN NULL ELSE now() END FROM {_OLDEST} "
    "WHERE l.origin_no = k.origin_no AND l.found_at IS NULL AND l.last_seq >= k.oldest_seq"
)
# Of each source that was heard: the stream that it speaks of, whether anything of it came or not, and all others that came.
_MISSING = sa.text("""
    SELECT h.environment, h.source, t.stream, lower(m.r), upper(m.r) - 1
    FROM unnest(CAST(:environments AS text[]), CAST(:sources AS text[]), CAST(:streams AS text[]), CAST(:last_seqs AS bigint[]))
      AS h (environment, source, stream, last_seq)
    CROSS JOIN LATERAL (
      SELECT h.stream WHERE h.stream IS NOT NULL
      UNION SELECT stream FROM origin WHERE environment = CAST(h.environment AS environment) AND source = h.source
    ) AS t (stream)
    LEFT JOIN origin AS o
      ON o.environment = CAST(h.environment AS environment) AND o.source = h.source AND o.stream = t.stream
    LEFT JOIN source_sequence AS s USING (origin_no)
    CROSS JOIN LATERAL (SELECT CASE WHEN t.stream = h.stream THEN h.last_seq ELSE upper(s.received) - 1 END) AS e (last_seq)
    CROSS JOIN LATERAL (
      SELECT r FROM unnest(
        int8multirange(int8range(1, e.last_seq, '[]')) - coalesce(s.received + s.lost, '{}')
      ) AS r LIMIT :limit
    ) AS m
    WHERE e.last_seq > 0 AND NOT coalesce(s.received + s.lost, '{}') @> int8range(1, e.last_seq, '[]')
    ORDER BY t.stream IS DISTINCT FROM h.stream, o.origin_no, t.stream, lower(m.r) LIMIT :in_all""")
_CLAIM = sa.text(
    "INSERT INTO source_sequence (origin_no, asked_at) VALUES (:origin_no, now()) "
    "ON CONFLICT (origin_no) DO UPDATE SET asked_at = now() WHERE source_sequence.asked_at IS NULL "
    "OR source_sequence.asked_at < now() - make_interval(secs => :pause_s) RETURNING 1"
)


def add_received(connection: sa.Connection, seqs: Mapping[int, Sequence[int]]) -> dict[int, str]:
    """Note that these events came, by the number of their stream. What was given up and came after all is taken back.

    Locks each stream's row, in their order, so that historians that share a subscription keep one truth.

    Returns:
        By stream, the numbers that had come before, or that came twice now, as PostgreSQL writes them.
    """
    again = {
        origin_no: multirange((seq, seq) for seq, times in sorted(Counter(came).items()) if times > 1)
        for origin_no, came in seqs.items()
        if len(set(came)) < len(came)
    }
    origins = sorted(seqs)
    new = {"origins": origins, "new": [multirange((seq, seq) for seq in set(seqs[origin_no])) for origin_no in origins]}
    before = connection.execute(_AGAIN, new).all()
    connection.execute(_CAME, new)
    if found := [row.origin_no for row in before if row.found]:
        connection.execute(_FOUND, {"origins": found})
    return again | {row.origin_no: str(row.again) for row in before if row.again != "{}"}


def read_missing(
    connection: sa.Connection, heard: Mapping[Source, Spoken | None], limit: int
) -> dict[Stream, tuple[Range, ...]]:
    """Of each stream of these sources that has any: the first ranges that neither came nor were given up.

    A stream that its source speaks of counts up to what it published, any other up to the highest number that came. Those
    that sources speak of come first, should there be more than can be looked at together.
    """
    spoken = list(heard.values())
    parameters: dict[str, object] = {
        "environments": [environment for environment, _ in heard],
        "sources": [source for _, source in heard],
        "streams": [each.stream.stream if each else None for each in spoken],
        "last_seqs": [each.last_seq if each else None for each in spoken],
        "limit": limit,
        "in_all": STREAMS_IN_FULL * limit,
    }
    missing: dict[Stream, list[Range]] = {}
    for environment, source, stream, first, last in connection.execute(_MISSING, parameters):
        missing.setdefault(Stream(environment, source, stream), []).append((first, last))
    return {stream: tuple(ranges) for stream, ranges in missing.items()}


def claim_asking(connection: sa.Connection, origin_no: int, pause_s: float) -> bool:
    """Whether it is for us to ask for what is missing of a stream: false when another historian did so just now."""
    return connection.execute(_CLAIM, {"origin_no": origin_no, "pause_s": pause_s}).one_or_none() is not None


def add_lost(
    connection: sa.Connection, origin_no: int, ranges: Sequence[Range], reason: str, now: datetime
) -> tuple[Range, ...]:
    """Note that these events can no longer be had. Returns what of it was news."""
    # Without a row there is nothing to lock, and what another historian notes as received meanwhile would be lost as well.
    connection.execute(_BEGUN, {"origin_no": origin_no})
    news = connection.execute(_NEWLY_LOST, {"origin_no": origin_no, "ranges": multirange(ranges)}).all()
    if news:
        connection.execute(_LOST, {"origin_no": origin_no, "news": multirange((row[0], row[1]) for row in news)})
        of_all = {"origin_no": origin_no, "reason": reason, "noticed_at": now}
        connection.execute(sa.insert(lost_events), [{**of_all, "first_seq": row[0], "last_seq": row[1]} for row in news])
    return tuple((row[0], row[1]) for row in news)


def take_back(connection: sa.Connection, oldest: Mapping[Stream, int]) -> list[Stream]:
    """Note that sources have what is noted lost, from these numbers on. Returns the streams for which that is news."""
    have = {
        "environments": [stream.environment for stream in oldest],
        "sources": [stream.source for stream in oldest],
        "streams": [stream.stream for stream in oldest],
        "oldest_seqs": list(oldest.values()),
    }
    news = connection.execute(_HAVE_AGAIN, have).all()
    if news:
        of_each = {"origins": [row.origin_no for row in news], "oldest_seqs": [row.oldest_seq for row in news]}
        connection.execute(_NOT_LOST, of_each)
        connection.execute(_LOST_NO_MORE, of_each)
    return [Stream(row.environment, row.source, row.stream) for row in news]

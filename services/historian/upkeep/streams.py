"""Streams: how each source's events came, as the database knows it and as the source last said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dotbus.runtime.outbox.sequence import Range
from historian.write.reading.events import MAX_SEQ
from historian.write.reading.record import Stream

SHOWN_RANGES = 5
ALL_RANGES = 1_000_000

# What each source last said of its outbox. What waits there was not published yet, and is always the newest.
_STREAMS = sa.text(f"""
    WITH said AS (
      SELECT DISTINCT ON (environment, service, instance) environment, source, outbox->>'stream' AS stream, heard_at,
        least(coalesce((outbox->>'last_seq')::numeric, 0), {MAX_SEQ})::bigint
          - least(coalesce((outbox->>'unpublished')::numeric, 0), {MAX_SEQ})::bigint AS last_seq
      FROM service_state WHERE outbox->>'stream' IS NOT NULL
      ORDER BY environment, service, instance, id DESC
    ), account AS (
      SELECT o.origin_no, o.environment::text, o.source, o.stream, s.asked_at, said.heard_at,
        coalesce(said.last_seq, upper(s.received) - 1, 0) AS last_seq,
        coalesce(s.received, '{{}}') AS received, coalesce(s.lost, '{{}}') AS lost
      FROM origin AS o
      LEFT JOIN source_sequence AS s USING (origin_no)
      LEFT JOIN said ON said.environment = o.environment AND said.source = o.source AND said.stream = o.stream
      WHERE CAST(:source AS text) IS NULL OR o.source = :source
    )
    SELECT a.*, a.last_seq > 0 AND NOT a.received + a.lost @> int8range(1, greatest(a.last_seq, 1), '[]') AS is_missing_some,
      (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(a.received) AS r)::bigint AS received_count,
      (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(a.lost) AS r)::bigint AS lost_count,
      lost.since AS lost_since
    FROM account AS a LEFT JOIN (
      SELECT origin_no, min(noticed_at) AS since FROM lost_events WHERE found_at IS NULL GROUP BY origin_no
    ) AS lost USING (origin_no) ORDER BY environment, source, origin_no""")  # noqa: S608  # a number of ours
_MISSING = sa.text("""
    SELECT k.origin_no, lower(m.r), upper(m.r) - 1
    FROM unnest(CAST(:origins AS int[]), CAST(:last_seqs AS bigint[])) AS k (origin_no, last_seq)
    LEFT JOIN source_sequence AS s USING (origin_no)
    CROSS JOIN LATERAL (
      SELECT r FROM unnest(int8multirange(int8range(1, k.last_seq, '[]')) - coalesce(s.received + s.lost, '{}')) AS r
      LIMIT :limit
    ) AS m ORDER BY k.origin_no, m.r""")
_CAME_AT = sa.text("""
    SELECT k.origin_no, max(came.received_at)
    FROM unnest(CAST(:origins AS int[]), CAST(:seqs AS bigint[])) AS k (origin_no, seq)
    JOIN (
      SELECT origin_no, seq, received_at FROM dispatch_batch UNION ALL SELECT origin_no, seq, received_at FROM trajectory_batch
      UNION ALL SELECT origin_no, seq, received_at FROM instruction_response
      UNION ALL SELECT origin_no, seq, received_at FROM upstream_gap
      UNION ALL SELECT origin_no, seq, received_at FROM alarm_event
      UNION ALL SELECT origin_no, seq, received_at FROM price_report
    ) AS came USING (origin_no, seq) GROUP BY k.origin_no""")


@dataclass(frozen=True)
class Account:
    """What is known of one stream.

    Attributes:
        received: how many of its events came.
        missing: ranges that neither came nor were given up, up to what the source said it published.
        lost: how many the source has no more.
        lost_since: when the first of them was given up.
        asked_at: when a historian last asked the source for what is missing.
        heard_at: when the source last spoke of this stream; None when it speaks of another, or never did.
    """

    origin_no: int
    stream: Stream
    received: int
    missing: tuple[Range, ...]
    lost: int
    lost_since: datetime | None
    asked_at: datetime | None
    heard_at: datetime | None

    @property
    def missing_count(self) -> int:
        """How many events are missing."""
        return count(self.missing)


def read_accounts(connection: sa.Connection, source: str | None = None) -> list[Account]:
    """Every stream, or those of one SERVICE/INSTANCE."""
    rows = connection.execute(_STREAMS, {"source": source}).all()
    missing = _missing(connection, {row.origin_no: row.last_seq for row in rows if row.is_missing_some})
    return [
        Account(
            row.origin_no,
            Stream(row.environment, row.source, row.stream),
            row.received_count,
            tuple(missing.get(row.origin_no, ())),
            row.lost_count,
            row.lost_since,
            row.asked_at,
            row.heard_at,
        )
        for row in rows
    ]


def _missing(connection: sa.Connection, last_seqs: Mapping[int, int]) -> dict[int, list[Range]]:
    """What neither came nor was given up of streams, by number, up to these sequence numbers."""
    missing: dict[int, list[Range]] = {}
    wanted = {"origins": list(last_seqs), "last_seqs": list(last_seqs.values()), "limit": ALL_RANGES}
    for origin_no, first, last in connection.execute(_MISSING, wanted):
        missing.setdefault(origin_no, []).append((first, last))
    return missing


def missing_since(connection: sa.Connection, accounts: Sequence[Account]) -> dict[int, datetime]:
    """When the event before the first missing one came, by number of the stream; none where that cannot be told.

    Looks through whole tables, once.
    """
    before = {account.origin_no: account.missing[0][0] - 1 for account in accounts if account.missing}
    if not before:
        return {}
    found = connection.execute(_CAME_AT, {"origins": list(before), "seqs": list(before.values())})
    return {row[0]: row[1] for row in found}


def count(ranges: Sequence[Range]) -> int:
    """How many numbers ranges hold."""
    return sum(last - first + 1 for first, last in ranges)


def shown(ranges: Sequence[Range]) -> str:
    """The first of them as people read them: 5-6, 9."""
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:SHOWN_RANGES]]
    return ", ".join([*texts, "..."] if len(ranges) > SHOWN_RANGES else texts)

"""The ledger: what the historian knows beside the events. Sequence numbers that came or are lost, and service states.

Each function works within a transaction that somebody else opened.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.sequence import Range
from historian.tables import lost_events, service_state
from historian.write.record import Stream

_OF_STATUS_LOCK = 0x73746174
"""First key of the advisory lock that orders the statuses of one service between historians: "stat" in ASCII."""
_AHEAD = timedelta(seconds=10)
"""A status from further in the future is of a clock that is wrong: it must not outlast those that come after it."""

_AGAIN = sa.text(
    "SELECT CAST(received * CAST(:new AS int8multirange) AS text) AS again, lost && CAST(:new AS int8multirange) AS found "
    "FROM source_sequence WHERE origin_no = :origin_no FOR UPDATE"
)
_CAME = sa.text(
    "INSERT INTO source_sequence (origin_no, received) VALUES (:origin_no, CAST(:new AS int8multirange)) "
    "ON CONFLICT (origin_no) DO UPDATE SET received = source_sequence.received + excluded.received, "
    "lost = source_sequence.lost - excluded.received, updated_at = now() "
    "WHERE NOT source_sequence.received @> excluded.received"
)
_FOUND = sa.text(
    "UPDATE lost_events AS l SET found_at = now() FROM source_sequence AS s WHERE l.origin_no = :origin_no "
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
_MISSING = sa.text(
    "SELECT k.origin_no, lower(r), upper(r) - 1 FROM unnest(CAST(:origins AS int[]), CAST(:last_seqs AS bigint[])) "
    "AS k (origin_no, last_seq) LEFT JOIN source_sequence AS s USING (origin_no), LATERAL (SELECT r FROM unnest("
    "int8multirange(int8range(1, k.last_seq, '[]')) - coalesce(s.received + s.lost, '{}')) AS r LIMIT :limit) AS missing"
)
_LAST_SEQS = sa.text(
    "SELECT o.origin_no, o.environment, o.source, o.stream, coalesce(upper(received) - 1, 0) AS last_seq "
    "FROM source_sequence JOIN origin AS o USING (origin_no)"
)
_CLAIM = sa.text(
    "INSERT INTO source_sequence (origin_no, asked_at) VALUES (:origin_no, now()) "
    "ON CONFLICT (origin_no) DO UPDATE SET asked_at = now() WHERE source_sequence.asked_at IS NULL "
    "OR source_sequence.asked_at < now() - make_interval(secs => :pause_s) RETURNING 1"
)


def multirange(ranges: Iterable[Range]) -> str:
    """Ranges, both ends included, as PostgreSQL writes a set of them."""
    return "{" + ",".join(f"[{first},{last}]" for first, last in ranges) + "}"


def add_received(connection: sa.Connection, seqs: Mapping[int, Sequence[int]]) -> dict[int, str]:
    """Note that these events came, by the number of their stream. What was given up and came after all is taken back.

    Locks each stream's row, in their order, so that historians that share a subscription keep one truth.

    Returns:
        By stream, the numbers that had come before, or that came twice now, as PostgreSQL writes them.
    """
    again = {}
    for origin_no in sorted(seqs):
        came = Counter(seqs[origin_no])
        if len(came) < len(seqs[origin_no]):
            again[origin_no] = multirange((seq, seq) for seq, times in sorted(came.items()) if times > 1)
        new = {"origin_no": origin_no, "new": multirange((seq, seq) for seq in came)}
        before = connection.execute(_AGAIN, new).one_or_none()
        connection.execute(_CAME, new)
        if before and before.found:
            connection.execute(_FOUND, {"origin_no": origin_no})
        if before and before.again != "{}":
            again[origin_no] = str(before.again)
    return again


@dataclass(frozen=True)
class Extent:
    """How far a stream has come: its number in the table origin, and the highest sequence number that came."""

    origin_no: int
    last_seq: int


def read_extents(connection: sa.Connection) -> dict[Stream, Extent]:
    """Every stream of which anything came or was given up."""
    return {
        Stream(row.environment, row.source, row.stream): Extent(row.origin_no, row.last_seq)
        for row in connection.execute(_LAST_SEQS)
    }


def read_missing(connection: sa.Connection, last_seqs: Mapping[int, int], limit: int) -> dict[int, list[Range]]:
    """The first ranges that neither came nor were given up, by the number of their stream.

    `last_seqs` says up to which number events should be there, likewise.
    """
    counted = {origin_no: last_seq for origin_no, last_seq in last_seqs.items() if last_seq > 0}
    parameters = {"origins": list(counted), "last_seqs": list(counted.values()), "limit": limit}
    missing: dict[int, list[Range]] = {origin_no: [] for origin_no in last_seqs}
    for origin_no, first, last in connection.execute(_MISSING, parameters):
        missing[origin_no].append((first, last))
    return missing


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


def keep_status(connection: sa.Connection, status: ServiceStatus, received_at: datetime) -> None:
    """Keep what a service says of itself: a row when that changed, else the time of its latest word.

    A status from before the latest is one that the broker sent again. A last will says when its connection was made and not
    when it broke, so it is no older than anything. One from the future is as old as its arrival.
    """
    name = zlib.crc32(f"{status.environment}/{status.source}".encode()) - 2**31
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_OF_STATUS_LOCK, name)))
    last = connection.execute(_last_state(status)).one_or_none()
    last_heard_at = last.heard_at if last and last.heard_at <= received_at + _AHEAD else None
    said_at = status.time if status.time <= received_at + _AHEAD else received_at
    if last_heard_at and status.online and said_at <= last_heard_at:
        return
    details = _details(status)
    heard_at = max(said_at, last_heard_at) if last_heard_at else said_at
    if last and _same(last, status):
        connection.execute(sa.update(service_state).where(service_state.c.id == last.id).values(heard_at=heard_at, **details))
        return
    said = {
        name: getattr(status, name) for name in ("source", "service", "instance", "online", "started_at", "software_version")
    }
    times = {"time": status.time, "heard_at": heard_at, "received_at": received_at}
    connection.execute(sa.insert(service_state).values(environment=str(status.environment), **said, **times, **details))


def _last_state(status: ServiceStatus) -> sa.Select[Any]:
    c = service_state.c
    of_service = sa.and_(c.environment == str(status.environment), c.service == status.service, c.instance == status.instance)
    return sa.select(service_state).where(of_service).order_by(c.id.desc()).limit(1)


def _details(status: ServiceStatus) -> dict[str, Any]:
    return {
        "upstreams": msgspec.to_builtins(status.upstreams),
        "outbox": sa.null() if status.outbox is None else msgspec.to_builtins(status.outbox),
        "cursors": status.cursors,
        "certificate_days_left": status.certificate_days_left,
    }


def _same(last: sa.Row[Any], status: ServiceStatus) -> bool:
    """Whether a service says what it said: there or not, the same process, each upstream heard or failing with one cause.

    Its last will knows nothing of its upstreams.
    """
    if last.online != status.online or last.started_at != status.started_at or last.software_version != status.software_version:
        return False
    return not status.online or _hears(last.upstreams) == _hears(msgspec.to_builtins(status.upstreams))


def _hears(upstreams: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (entry["name"], entry["ok"], None if entry["ok"] else entry["last_error"], *entry.get("complaints", ()))
        for entry in upstreams
    ]

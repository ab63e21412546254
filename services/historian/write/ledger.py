"""The ledger: what the historian knows beside the events. Sequence numbers that came or are lost, service states, dead letters.

Each function works within the transaction that `historian.store` opened.
"""

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.sequence import Range, SequenceRanges
from historian.record import VISIBLE_NUL, Position, Stream
from historian.schema import dead_letter, lost_events, service_state, source_sequence

_OF_STATUS_LOCK = 0x73746174
"""First key of the advisory lock that orders the statuses of one service between historians: "stat" in ASCII."""


@dataclass(frozen=True)
class Known:
    """The sequence numbers of one stream that came, and those that no one has any more."""

    received: SequenceRanges = field(default_factory=SequenceRanges)
    lost: SequenceRanges = field(default_factory=SequenceRanges)


def add_positions(connection: sa.Connection, positions: Iterable[Position]) -> None:
    """Note that these events came. Locks each stream's row, so that historians that share a subscription keep one truth."""
    seqs: defaultdict[Stream, list[int]] = defaultdict(list)
    for position in positions:
        seqs[position.stream].append(position.seq)
    for stream in sorted(seqs, key=lambda s: (s.environment, s.source, s.stream)):
        known = _locked(connection, stream)
        received = known.received.adding(seqs[stream])
        if received != known.received:
            _update(connection, stream, received=received)


def read_known(connection: sa.Connection) -> dict[Stream, Known]:
    """What is known of every stream."""
    return {Stream(row.environment, row.source, row.stream): _known(row) for row in connection.execute(_SEQUENCES)}


def write_lost(
    connection: sa.Connection, stream: Stream, ranges: Sequence[Range], reason: str, now: datetime
) -> tuple[Range, ...]:
    """Note that these events can no longer be had. Returns what of it was news."""
    known = _locked(connection, stream)
    either = known.received.joined(known.lost)
    news = tuple(part for first, last in ranges for part in either.missing(first, last))
    if news:
        _update(connection, stream, lost=known.lost.joined(SequenceRanges.of(news)))
        row = {**_names(stream), "reason": reason, "noticed_at": now}
        connection.execute(sa.insert(lost_events), [{**row, "first_seq": first, "last_seq": last} for first, last in news])
    return news


def keep_dead_letter(connection: sa.Connection, topic: str, payload: bytes, reason: str, received_at: datetime) -> None:
    """Keep what could not be stored as it came. The same bytes on the same topic are one dead letter, counted."""
    connection.execute(
        insert(dead_letter)
        .values(
            topic=topic.replace("\0", VISIBLE_NUL),
            payload=payload,
            digest=hashlib.sha256(topic.encode() + b"\0" + payload).digest(),
            reason=reason.replace("\0", VISIBLE_NUL),
            received_at=received_at,
        )
        .on_conflict_do_update(
            index_elements=["digest"],
            set_={"seen": dead_letter.c.seen + 1, "stored_at": None},
        )
    )


def keep_status(connection: sa.Connection, status: ServiceStatus, received_at: datetime) -> None:
    """Keep what a service says of itself: a row when that changed, else the time of its latest word.

    A status from before the latest is one that the broker sent again. A last will says when its connection was made and not
    when it broke, so it is no older than anything.
    """
    name = zlib.crc32(f"{status.environment}/{status.source}".encode()) - 2**31
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_OF_STATUS_LOCK, name)))
    last = connection.execute(_last_state(status)).one_or_none()
    if last and status.online and status.time <= last.heard_at:
        return
    details = _details(status)
    heard = max(status.time, last.heard_at) if last else status.time
    if last and _same(last, status):
        connection.execute(sa.update(service_state).where(service_state.c.id == last.id).values(heard_at=heard, **details))
        return
    said = {
        name: getattr(status, name) for name in ("source", "service", "instance", "online", "started_at", "software_version")
    }
    times = {"time": status.time, "heard_at": heard, "received_at": received_at}
    connection.execute(sa.insert(service_state).values(environment=str(status.environment), **said, **times, **details))


_SEQUENCES = sa.select(
    source_sequence.c.environment,
    source_sequence.c.source,
    source_sequence.c.stream,
    sa.cast(source_sequence.c.received, sa.Text).label("received"),
    sa.cast(source_sequence.c.lost, sa.Text).label("lost"),
)


def _known(row: sa.Row[Any]) -> Known:
    return Known(SequenceRanges.from_json(row.received), SequenceRanges.from_json(row.lost))


def _locked(connection: sa.Connection, stream: Stream) -> Known:
    connection.execute(insert(source_sequence).values(**_names(stream)).on_conflict_do_nothing())
    return _known(connection.execute(_SEQUENCES.where(_is(stream)).with_for_update()).one())


def _update(connection: sa.Connection, stream: Stream, **ranges: SequenceRanges) -> None:
    values = {name: msgspec.json.decode(entry.to_json()) for name, entry in ranges.items()}
    connection.execute(sa.update(source_sequence).where(_is(stream)).values(updated_at=sa.func.now(), **values))


def _names(stream: Stream) -> dict[str, str]:
    return {"environment": stream.environment, "source": stream.source, "stream": stream.stream}


def _is(stream: Stream) -> sa.ColumnElement[bool]:
    return sa.and_(*(source_sequence.c[name] == value for name, value in _names(stream).items()))


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
    return [(entry["name"], entry["ok"], None if entry["ok"] else entry["last_error"]) for entry in upstreams]

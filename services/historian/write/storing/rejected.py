"""Rejected: deliveries that could not be stored, into the table of dead letters, all of a batch at once."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import sqlalchemy as sa

from historian.database import Connection, KeyTaken, copy_rows, savepoint
from historian.write.reading.arrivals import Arrival, Rejection
from historian.write.reading.size import MAX_PAYLOAD_BYTES
from historian.write.storing.copying import FORMAT, VISIBLE_NUL, Row, pieces

KEPT_OF_OVERSIZED_BYTES = 1024 * 1024
_COLUMNS = ("digest", "kind", "topic", "payload", "payload_bytes", "reason", "seen", "received_at")
_LOCK = sa.text("SELECT digest FROM dead_letter WHERE digest = ANY(:digests) ORDER BY digest FOR UPDATE")
_COUNT = sa.text("""
    UPDATE dead_letter AS l SET seen = least(l.seen + k.seen, 2147483647), stored_at = NULL, kind = k.kind, reason = k.reason
    FROM unnest(CAST(:digests AS bytea[]), CAST(:seen AS bigint[]), CAST(:kinds AS text[]), CAST(:reasons AS text[]))
      AS k (digest, seen, kind, reason)
    WHERE l.digest = k.digest""")


class _Kept(msgspec.Struct):
    """What came first, how often it came, and why it could not be stored the last time."""

    first: Rejection
    last: Rejection
    seen: int = 1


def keep_rejections(connection: Connection, rejections: Iterable[Rejection]) -> None:
    """Keep what could not be stored as it came, within a transaction. The same on the same topic is one row, counted."""
    kept = _of_each(rejections)
    while kept:
        known = list(connection.scalars(_LOCK, {"digests": sorted(kept)}))
        if known:
            _count(connection, {bytes(digest): kept.pop(bytes(digest)) for digest in known})
        try:
            with savepoint(connection):
                copy_rows(connection, "dead_letter", _COLUMNS, pieces(_rows(kept)), FORMAT)
        except KeyTaken:  # by another historian, a moment ago
            continue
        return


def _of_each(rejections: Iterable[Rejection]) -> dict[bytes, _Kept]:
    kept: dict[bytes, _Kept] = {}
    for rejection in rejections:
        digest = _digest_of(rejection.arrival)
        if digest in kept:
            kept[digest].last = rejection
            kept[digest].seen += 1
        else:
            kept[digest] = _Kept(rejection, rejection)
    return kept


def _digest_of(arrival: Arrival) -> bytes:
    made = hashlib.sha256(arrival.topic.encode() + b"\0")
    made.update(arrival.payload)
    return made.digest()


def _count(connection: Connection, kept: dict[bytes, _Kept]) -> None:
    parameters: dict[str, Sequence[object]] = {
        "digests": list(kept),
        "seen": [each.seen for each in kept.values()],
        "kinds": [each.last.kind for each in kept.values()],
        "reasons": [each.last.reason.replace("\0", VISIBLE_NUL) for each in kept.values()],
    }
    connection.execute(_COUNT, parameters)


def _rows(kept: dict[bytes, _Kept]) -> Iterator[Row]:
    """In the order in which they came, as they are listed and as the oldest go."""
    for digest, each in kept.items():
        arrival, payload = each.first.arrival, each.first.arrival.payload
        told = payload[:KEPT_OF_OVERSIZED_BYTES] if len(payload) > MAX_PAYLOAD_BYTES else payload
        yield digest, each.last.kind, arrival.topic, told, len(payload), each.last.reason, each.seen, arrival.received_at

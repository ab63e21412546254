"""Known: which of some events are stored already, and what they said."""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from historian.write.reading.events import (
    Event,
    KeptAlarm,
    KeptAnswer,
    KeptDispatch,
    KeptGap,
    KeptPrices,
    KeptTrajectory,
    KeptWrite,
    Key,
    key_of,
    named_key_of,
)
from historian.write.storing.copying import VISIBLE_NUL

_DISPATCHES = sa.text("""
    SELECT k.no, b.digest
    FROM unnest(CAST(:numbers AS int[]), CAST(:environments AS text[]), CAST(:resources AS text[]), CAST(:batches AS text[]),
      CAST(:revisions AS text[])) AS k (no, environment, resource_id, batch_uid, revision_key)
    JOIN dispatch_batch AS b ON b.batch_uid = k.batch_uid AND b.resource_id = k.resource_id AND b.revision_key = k.revision_key
      AND b.environment = CAST(k.environment AS environment)""")
_TRAJECTORIES = sa.text("""
    SELECT k.no, b.digest
    FROM unnest(CAST(:numbers AS int[]), CAST(:environments AS text[]), CAST(:resources AS text[]), CAST(:batches AS text[]))
      AS k (no, environment, resource_id, batch_uid)
    JOIN trajectory_batch AS b ON b.batch_uid = k.batch_uid AND b.resource_id = k.resource_id
      AND b.environment = CAST(k.environment AS environment)""")
_RESPONSES = sa.text("""
    SELECT k.no, r.digest
    FROM unnest(CAST(:numbers AS int[]), CAST(:environments AS text[]), CAST(:ids AS text[])) AS k (no, environment, event_id)
    JOIN instruction_response AS r ON r.event_id = k.event_id AND r.environment = CAST(k.environment AS environment)""")
_WRITES = sa.text("""
    SELECT k.no, w.digest
    FROM unnest(CAST(:numbers AS int[]), CAST(:environments AS text[]), CAST(:ids AS text[])) AS k (no, environment, event_id)
    JOIN point_write AS w ON w.event_id = k.event_id AND w.environment = CAST(k.environment AS environment)""")
_GAPS = sa.text("""
    SELECT k.no, g.digest
    FROM unnest(CAST(:numbers AS int[]), CAST(:environments AS text[]), CAST(:ids AS text[])) AS k (no, environment, event_id)
    JOIN upstream_gap AS g ON g.event_id = k.event_id AND g.environment = CAST(k.environment AS environment)""")
_ALARMS = sa.text("""
    SELECT k.no, a.digest
    FROM unnest(CAST(:numbers AS int[]), CAST(:environments AS text[]), CAST(:ids AS text[])) AS k (no, environment, event_id)
    JOIN alarm_event AS a ON a.event_id = k.event_id AND a.environment = CAST(k.environment AS environment)""")
_REPORTS = sa.text("""
    SELECT k.no, t.digest
    FROM unnest(CAST(:numbers AS int[]), CAST(:environments AS text[]), CAST(:ids AS text[])) AS k (no, environment, event_id)
    JOIN price_report AS t ON t.event_id = k.event_id AND t.environment = CAST(k.environment AS environment)""")


def digests_of(connection: sa.Connection, events: Sequence[Event]) -> dict[Key, int | None]:
    """The digests of those among these events whose keys are taken; None of one that was stored before digests were kept.

    Of one that does not name its resource also that of one that does, under the key of that.
    """
    dispatches = [event for event in events if isinstance(event, KeptDispatch)]
    trajectories = [event for event in events if isinstance(event, KeptTrajectory)]
    answers = [event for event in events if isinstance(event, KeptAnswer)]
    writes = [event for event in events if isinstance(event, KeptWrite)]
    prices = [event for event in events if isinstance(event, KeptPrices)]
    gaps = [event for event in events if isinstance(event, KeptGap)]
    alarms = [event for event in events if isinstance(event, KeptAlarm)]
    known: dict[Key, int | None] = {}
    if dispatches:
        known |= _find_dispatches(connection, {key_of(event): event for event in dispatches})
        known |= _find_dispatches(connection, {key: event for event in dispatches if (key := named_key_of(event))})
    if trajectories:
        known |= _find(connection, _TRAJECTORIES, trajectories, _batches(trajectories))
    if answers:
        known |= _find(connection, _RESPONSES, answers, {"ids": _texts(event.id for event in answers)})
    if writes:
        known |= _find(connection, _WRITES, writes, {"ids": _texts(event.id for event in writes)})
    if gaps:
        known |= _find(connection, _GAPS, gaps, {"ids": _texts(event.id for event in gaps)})
    if alarms:
        known |= _find(connection, _ALARMS, alarms, {"ids": _texts(event.id for event in alarms)})
    if prices:
        known |= _find(connection, _REPORTS, prices, {"ids": _texts(event.id for event in prices)})
    return known


def _find_dispatches(connection: sa.Connection, events: Mapping[Key, KeptDispatch]) -> dict[Key, int | None]:
    if not events:
        return {}
    keys, of_keys = list(events), list(events.values())
    columns = {**_batches(of_keys), "revisions": _texts(key[-1] for key in keys)}
    return {keys[number]: digest for number, digest in _rows(connection, _DISPATCHES, of_keys, columns)}


def _batches(events: Sequence[KeptDispatch] | Sequence[KeptTrajectory]) -> dict[str, list[str]]:
    return {
        "resources": _texts(event.resource_id for event in events),
        "batches": _texts(event.batch.batch_uid for event in events),
    }


def _texts(values: Iterable[str]) -> list[str]:
    return [value.replace("\0", VISIBLE_NUL) for value in values]


def _find(
    connection: sa.Connection, query: sa.TextClause, events: Sequence[Event], columns: Mapping[str, Sequence[object]]
) -> dict[Key, int | None]:
    return {key_of(events[number]): digest for number, digest in _rows(connection, query, events, columns)}


def _rows(
    connection: sa.Connection, query: sa.TextClause, events: Sequence[Event], columns: Mapping[str, Sequence[object]]
) -> list[tuple[int, int | None]]:
    parameters = {"numbers": list(range(len(events))), "environments": [str(event.environment) for event in events], **columns}
    return [(row[0], row[1]) for row in connection.execute(query, parameters)]

"""Price times: prices of one market and interval, as OASIS gave them at one time. Of one node there is one price: the first.

A time is said in parts, each a report of some nodes. That no two of them name one node, no constraint can see to that would not
cost as much as the prices themselves. So each report has its nodes beside it, and whoever has copied reports looks, before he
commits, whether another one names a node of theirs. He looks while he alone may look at that time.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from historian.database import Connection, KeyTaken, take_turns
from historian.write.reading.digest import PRICE_COLUMNS
from historian.write.reading.events import KeptPrices
from historian.write.storing.copying import number_set

Time = tuple[str, str, datetime, datetime]
"""Environment, market, start of the interval, when it was fetched."""
Values = tuple[float | None, ...]
"""The prices of a node, in the order of the columns."""

_LOCK = 0x70726963
"""First key of the advisory locks: "pric" in ASCII."""
_LOCKS = 256
"""So many for all times: a server has room for some thousand."""
_GROUP = "interval_start, market, fetched_at, environment"
_SHARED = sa.text(f"""
    WITH mine AS MATERIALIZED (SELECT {_GROUP}, report_no, node_nos FROM price_report WHERE report_no = ANY(:mine)),
    asked AS MATERIALIZED (
      SELECT {_GROUP}, range_agg(r) AS node_nos FROM mine CROSS JOIN LATERAL unnest(mine.node_nos) AS r GROUP BY {_GROUP}
    )
    SELECT 1 FROM asked AS g JOIN price_report AS t USING ({_GROUP})
    WHERE NOT EXISTS (SELECT FROM mine AS m WHERE m.report_no = t.report_no) AND t.node_nos && g.node_nos LIMIT 1""")  # noqa: S608  # names of ours
_OTHERS = sa.text("""
    SELECT k.no, t.report_no, t.event_id
    FROM unnest(CAST(:numbers AS int[]), CAST(:environments AS text[]), CAST(:markets AS text[]),
      CAST(:starts AS timestamptz[]), CAST(:fetches AS timestamptz[]), CAST(CAST(:node_nos AS text[]) AS int4multirange[])) AS k
      (no, environment, market, interval_start, fetched_at, node_nos)
    JOIN price_report AS t ON t.interval_start = k.interval_start AND t.market = k.market AND t.fetched_at = k.fetched_at
      AND t.environment = CAST(k.environment AS environment) AND coalesce(t.node_nos && k.node_nos, true)""")
_SAID = sa.text(f"""
    SELECT report_no, node_no, {", ".join(PRICE_COLUMNS)} FROM price
    WHERE interval_start = ANY(CAST(:starts AS timestamptz[])) AND report_no = ANY(:reports) AND node_no = ANY(:nodes)
    ORDER BY report_no""")  # noqa: S608  # names of ours


class Said(msgspec.Struct, frozen=True):
    """The prices of a node that came first, and the event that said them."""

    values: Values
    event_id: str


def time_of(event: KeptPrices) -> Time:
    """Of which time a report is."""
    return (str(event.environment), event.market, event.interval_start, event.fetched_at)


def values_of(event: KeptPrices) -> Iterable[tuple[str, Values]]:
    """Each node with its prices."""
    return zip(event.nodes, zip(*(getattr(event, name) for name in PRICE_COLUMNS), strict=True), strict=True)


def share_a_node(events: Iterable[KeptPrices]) -> bool:
    """Whether two of these reports are of one time and name one node."""
    of_times: dict[Time, list[KeptPrices]] = {}
    for event in events:
        of_times.setdefault(time_of(event), []).append(event)
    for parts in of_times.values():
        if len(parts) > 1 and len(set().union(*(part.nodes for part in parts))) < sum(len(part.nodes) for part in parts):
            return True
    return False


def require_own(connection: Connection, events: Iterable[KeptPrices], report_nos: Sequence[int]) -> None:
    """Within the transaction that copied reports, and shortly before its end: no other report has a node of theirs.

    Raises:
        KeyTaken: one has.
    """
    if not report_nos:
        return
    take_turns(connection, _LOCK, {_lock_of(time_of(event)) for event in events})
    # What others committed before they let go of the lock is seen by a statement that begins after it.
    if connection.scalar(_SHARED, {"mine": list(report_nos)}):
        raise KeyTaken("another report of one time names one of its nodes")


def read_said(connection: Connection, events: Sequence[KeptPrices], nodes: Mapping[str, int]) -> dict[Time, dict[str, Said]]:
    """What is stored of the nodes and times of these reports, whose nodes have these numbers."""
    of_times: dict[Time, dict[int, str]] = {}
    for event in events:
        of_times.setdefault(time_of(event), {}).update((nodes[name], name) for name in event.nodes)
    times = list(of_times)
    parameters: dict[str, Sequence[object]] = {
        "numbers": list(range(len(times))),
        "environments": [environment for environment, _, _, _ in times],
        "markets": [market for _, market, _, _ in times],
        "starts": [interval_start for _, _, interval_start, _ in times],
        "fetches": [fetched_at for _, _, _, fetched_at in times],
        "node_nos": [number_set(of_times[time]) for time in times],
    }
    of_reports: dict[int, tuple[Time, str]] = {}
    for place, report_no, event_id in connection.execute(_OTHERS, parameters):
        of_reports[report_no] = (times[place], event_id)
    wanted: dict[int, str] = {}
    for time in {time for time, _ in of_reports.values()}:
        wanted |= of_times[time]
    if not of_reports:
        return {}
    asked = {
        "starts": list({time[2] for time, _ in of_reports.values()}),
        "reports": list(of_reports),
        "nodes": list(wanted),
    }
    said: dict[Time, dict[str, Said]] = {}
    for report_no, node_no, *values in connection.execute(_SAID, asked):
        time, event_id = of_reports[report_no]
        said.setdefault(time, {}).setdefault(wanted[node_no], Said(tuple(values), event_id))
    return said


def _lock_of(time: Time) -> int:
    environment, market, interval_start, fetched_at = time
    text = f"{environment}/{market}/{interval_start.timestamp()}/{fetched_at.timestamp()}"
    return zlib.crc32(text.encode()) % _LOCKS

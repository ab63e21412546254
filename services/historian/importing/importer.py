"""Importer: prices of a file into the database, through the same keys and bounds as those that come over the bus.

A price of a file says when it holds, and not when OASIS gave it. It is stored as if OASIS had given it two days before its
interval, which is before CAISO can have said any: so whatever an ingest hears of CAISO, before or after, is the newer revision.
Of two files that say different prices of one interval the first stays.
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import msgspec
import sqlalchemy as sa

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Environment, Prices
from dotbus.contracts.topics import Topics
from historian.database import Database
from historian.importing.rows import Row
from historian.tables import node as node_table
from historian.write.reading.arrivals import Arrival
from historian.write.reading.digest import PRICE_COLUMNS
from historian.write.reading.events import KeptPrices
from historian.write.reading.record import Recorder
from historian.write.storing.price_times import Said, Time, read_said
from historian.write.storing.store import Store

SERVICE: Final = "import"
"""Sources of what is imported are import/NAME."""
KNOWN_BEFORE: Final = timedelta(days=2)
_NODES_AT_ONCE: Final = 1000
_EVENTS_AT_ONCE: Final = 500

Group = tuple[str, str, datetime]
"""Environment, market and start of the interval."""
Refused = tuple[int, str]
"""A line, and why nothing of it is stored."""


@dataclass
class Imported:
    """What became of lines.

    Attributes:
        new: prices that are stored now, or would be.
        known: those that were stored already, or stand in the file before.
        refused: those that are not stored.
    """

    new: int = 0
    known: int = 0
    refused: list[Refused] = field(default_factory=list)


class Importer:
    """Stores prices of one file.

    Args:
        database: whose tables are up to date.
        topics: of the installation.
        name: of the source: import/NAME.
        now: when it is done.
    """

    def __init__(self, database: Database, topics: Topics, name: str, now: datetime) -> None:
        self._database = database
        self._topics = topics
        self._recorder = Recorder(topics)
        self._store = Store(database)
        self._source = f"{SERVICE}/{name}"
        self._stream = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        self._now = now
        self._seq = 0

    def take(self, rows: Sequence[Row], *, dry_run: bool = False) -> Imported:
        """Store what of some rows is not stored yet.

        Raises:
            StoreUnavailable: the database takes nothing now; what came before these rows is stored, and some of them may be.
        """
        imported = Imported()
        groups = _grouped(rows, imported)
        news = self._news(groups, imported)
        imported.new = sum(map(len, news.values()))
        if not dry_run:
            events = self._events(news)
            while some := list(islice(events, _EVENTS_AT_ONCE)):
                self._write(some, news, imported)
        return imported

    def _news(self, groups: dict[Group, dict[str, Row]], imported: Imported) -> dict[Group, dict[str, Row]]:
        said = self._said(groups)
        news: dict[Group, dict[str, Row]] = {}
        for group, rows in groups.items():
            there = said.get(_time_of(group), {})
            for name, row in rows.items():
                if name not in there:
                    news.setdefault(group, {})[name] = row
                elif there[name].values == row.values:
                    imported.known += 1
                else:
                    imported.refused.append(
                        (row.line, f"{_named(row)} was imported before as {there[name].values[0]}, which stays")
                    )
        return news

    def _said(self, groups: dict[Group, dict[str, Row]]) -> dict[Time, dict[str, Said]]:
        names = list({name for rows in groups.values() for name in rows})
        with self._database.transaction() as connection:
            array = sa.cast(sa.bindparam("names"), sa.ARRAY(sa.Text))
            asked = sa.select(node_table.c.node, node_table.c.node_no).where(node_table.c.node == sa.any_(array))
            numbers = {row[0]: row[1] for row in connection.execute(asked, {"names": names})}
            known = [
                self._prices(group, [row for name, row in rows.items() if name in numbers]) for group, rows in groups.items()
            ]
            return read_said(connection, [_kept(event) for event in known if event.nodes], numbers)

    def _events(self, news: dict[Group, dict[str, Row]]) -> Iterator[Prices]:
        for group, rows in sorted(news.items(), key=lambda one: one[0]):
            ordered = sorted(rows.values(), key=lambda row: row.node)
            for begin in range(0, len(ordered), _NODES_AT_ONCE):
                self._seq += 1
                yield self._prices(group, ordered[begin : begin + _NODES_AT_ONCE], self._seq)

    def _prices(self, group: Group, rows: Sequence[Row], seq: int = 1) -> Prices:
        environment, market, start = group
        lmp, energy, congestion, loss, ghg = (tuple(row.values[place] for row in rows) for place in range(len(PRICE_COLUMNS)))
        event = Prices(
            environment=Environment(environment),
            source=self._source,
            time=self._now,
            id="",
            stream=self._stream,
            seq=seq,
            market=market,
            interval_start=start,
            interval_end=rows[0].interval_end if rows else start,
            fetched_at=start - KNOWN_BEFORE,
            nodes=tuple(row.node for row in rows),
            lmp_usd_per_mwh=lmp,
            energy_usd_per_mwh=energy,
            congestion_usd_per_mwh=congestion,
            loss_usd_per_mwh=loss,
            ghg_usd_per_mwh=ghg,
        )
        return msgspec.structs.replace(event, id=_id_of(event))

    def _write(self, events: Sequence[Prices], news: dict[Group, dict[str, Row]], imported: Imported) -> None:
        arrivals = [self._arrival(event) for event in events]
        written = self._store.write(arrivals, self._now)
        for rejection in written.rejections:  # somebody imported the same at the same time, or the database refuses it
            event = events[arrivals.index(rejection.arrival)]
            rows = news[str(event.environment), event.market, event.interval_start]
            refused = [(rows[name].line, rejection.reason) for name in event.nodes]
            imported.new -= len(refused)
            imported.refused += refused

    def _arrival(self, event: Prices) -> Arrival:
        topic, payload = self._topics.prices(event.market), encode(event)
        return Arrival(topic, payload, self._now, self._recorder.record(topic, payload))


def _grouped(rows: Iterable[Row], imported: Imported) -> dict[Group, dict[str, Row]]:
    """By interval and node; what stands there twice counts once."""
    groups: dict[Group, dict[str, Row]] = {}
    for row in rows:
        of_interval = groups.setdefault((row.environment, row.market, row.interval_start), {})
        first = of_interval.setdefault(row.node, row)
        if first is row:
            continue
        if first.values == row.values:
            imported.known += 1
        else:
            imported.refused.append((row.line, f"{_named(row)} is {first.values[0]} in line {first.line}, which stays"))
    return groups


def _kept(event: Prices) -> KeptPrices:
    return msgspec.convert(event, KeptPrices, from_attributes=True)


def _time_of(group: Group) -> Time:
    environment, market, start = group
    return environment, market, start, start - KNOWN_BEFORE


def _id_of(event: Prices) -> str:
    values = msgspec.json.encode([event.nodes, *(getattr(event, name) for name in PRICE_COLUMNS)])
    said = hashlib.sha256(values).hexdigest()[:16]
    return f"{SERVICE}/{event.market}/{event.interval_start:%Y%m%dT%H%M%SZ}/{said}"


def _named(row: Row) -> str:
    return f"{row.node} in {row.market} from {row.interval_start:%Y-%m-%dT%H:%MZ}"

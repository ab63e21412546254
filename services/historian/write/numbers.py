"""Numbers: which small number stands for a name in rows, and which numbers new events get.

Names are made known in transactions of their own, so that two historians never wait for each other over one, and are
remembered; what a hostile publisher invents pushes the oldest out of the memory and no more.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

import sqlalchemy as sa

from historian.database import Database
from historian.tables import node, origin
from historian.write.copying import VISIBLE_NUL
from historian.write.events import KeptPrices
from historian.write.record import Position, Recorded, Stream

REMEMBERED = 40_000
"""Of names; a network of CAISO's has half as many nodes."""
_TAKE = sa.text("SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :blocks)")


class _Names:
    """The numbers of one table of names."""

    def __init__(self, database: Database, table: sa.Table, number: str, name: str) -> None:
        self._database = database
        self.known: dict[str, int] = {}
        array = sa.cast(sa.bindparam("names"), sa.ARRAY(sa.Text))
        self._find = sa.select(table.c[name], table.c[number]).where(table.c[name] == sa.any_(array))
        rows = "SELECT unnest(CAST(:names AS text[])) ON CONFLICT DO NOTHING"
        self._make = sa.text(f"INSERT INTO {table.name} ({name}) {rows}")  # names of our tables

    def learn(self, names: Collection[str]) -> None:
        """Know the number of each of these names."""
        unknown = {name for name in names if name not in self.known}
        if len(self.known) + len(unknown) > REMEMBERED:
            self.known, unknown = {}, set(names)
        if unknown:
            self.known |= self._ask({name.replace("\0", VISIBLE_NUL): name for name in unknown})

    def _ask(self, shown: Mapping[str, str]) -> dict[str, int]:
        with self._database.transaction() as connection:
            found = self._find_in(connection, shown)
            if missing := sorted(shown.keys() - found.keys()):
                connection.execute(self._make, {"names": missing})
                found |= self._find_in(connection, missing)
        return {name: found[seen] for seen, name in shown.items()}

    def _find_in(self, connection: sa.Connection, names: Iterable[str]) -> dict[str, int]:
        return {row[0]: row[1] for row in connection.execute(self._find, {"names": list(names)})}

    def forget(self) -> None:
        """Ask the database again for every name."""
        self.known = {}


class _Streams:
    """The numbers of sources and their streams."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.known: dict[Stream, int] = {}

    def learn(self, streams: Iterable[Stream]) -> None:
        """Know the number of each of these streams."""
        unknown = sorted({stream for stream in streams if stream not in self.known})
        if len(self.known) + len(unknown) > REMEMBERED:
            self.known, unknown = {}, sorted(set(streams))
        for stream in unknown:
            self.known[stream] = self._learn(stream)

    def seqs(self, positions: Iterable[Position]) -> dict[int, list[int]]:
        """The sequence numbers of positions by the number of their stream, which is known."""
        seqs: dict[int, list[int]] = {}
        for position in positions:
            seqs.setdefault(self.known[position.stream], []).append(position.seq)
        return seqs

    def of(self, number: int) -> Stream:
        """The stream that has a number."""
        return next(stream for stream, known in self.known.items() if known == number)

    def _learn(self, stream: Stream) -> int:
        named = {"environment": stream.environment, "source": stream.source, "stream": stream.stream}
        is_it = sa.and_(*(origin.c[column] == value for column, value in named.items()))
        with self._database.transaction() as connection:
            make = sa.dialects.postgresql.insert(origin).values(named).on_conflict_do_nothing()
            known = connection.scalar(sa.select(origin.c.origin_no).where(is_it))
            if known is None:
                connection.execute(make)
                known = connection.scalar(sa.select(origin.c.origin_no).where(is_it))
        return int(known or 0)

    def forget(self) -> None:
        """Ask the database again for every stream."""
        self.known = {}


class _Block:
    """Numbers taken from a sequence of the database, many at a time."""

    def __init__(self, database: Database, sequence: str, size: int) -> None:
        self._database = database
        self._sequence = sequence
        self._size = size
        self.free: deque[int] = deque()

    def hold(self, count: int) -> None:
        """Have at least so many numbers that nobody else has or had."""
        if (missing := count - len(self.free)) <= 0:
            return
        with self._database.transaction() as connection:
            for first_no in connection.scalars(_TAKE, {"sequence": self._sequence, "blocks": -(-missing // self._size)}):
                self.free.extend(range(first_no, first_no + self._size))


class Numbers:
    """All numbers that rows need.

    Attributes:
        nodes: by name.
        streams: by stream.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.nodes = _Names(database, node, "node_no", "node")
        self.streams = _Streams(database)
        self._events = _Block(database, "event_number", 1000)
        self._reports = _Block(database, "report_number", 100)

    def learn(self, events: Sequence[Recorded]) -> None:
        """Know every number that the rows of these events need, and have new ones for them."""
        self.streams.learn([recorded.position.stream for recorded in events])
        prices = [recorded.event for recorded in events if isinstance(recorded.event, KeptPrices)]
        self.nodes.learn(set(chain.from_iterable(event.nodes for event in prices)))
        self._events.hold(len(events) - len(prices))
        self._reports.hold(len(prices))

    def next_event_no(self) -> int:
        """For a dispatch, a trajectory or an answer to an instruction that was learnt."""
        return self._events.free.popleft()

    def next_report_no(self) -> int:
        """For a report of prices that was learnt."""
        return self._reports.free.popleft()

    def forget(self) -> None:
        """The database is another one, or may be: nothing is remembered."""
        for names in (self.nodes, self.streams):
            names.forget()
        for numbers in (self._events, self._reports):
            numbers.free.clear()

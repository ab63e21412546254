"""Numbers: which small number stands for a name in rows, and which numbers new events get.

Names are made known in transactions of their own, so that two historians never wait for each other over one, and are
remembered; what a hostile publisher invents pushes the oldest out of the memory and no more.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

import sqlalchemy as sa

from historian.database import Database
from historian.tables import node
from historian.write.reading.events import KeptPrices
from historian.write.reading.record import Position, Recorded, Stream
from historian.write.reading.requirements import OF_DISPATCHES, OF_PRICES
from historian.write.storing.copying import VISIBLE_NUL

REMEMBERED = 40_000
"""Of names; a network of CAISO's has half as many nodes."""
REMEMBERED_STREAMS = 10_000
MAX_STREAMS_OF_SOURCE = 1000
"""A source has one at a time, and another when its outbox is made anew or restored."""
MAX_STREAMS_OF_KIND = 10_000
"""Of all sources of a kind together, or whoever may publish events could name sources without end."""
SILENT_DAYS = 30
"""Streams of which nothing came for so long count no longer."""
NO_MORE = "; no more are taken, unless a source names one in its own status"
KINDS = (OF_DISPATCHES, OF_PRICES)
"""Sources of the events of others do not fill their room. All other sources are of one kind more."""
_AS = "AS k (environment, source, stream)"
_STREAMS = f"unnest(CAST(:environments AS text[]), CAST(:sources AS text[]), CAST(:streams AS text[])) {_AS}"
_FIND_ORIGINS = sa.text(
    f"SELECT k.*, o.origin_no FROM {_STREAMS} JOIN origin AS o "  # noqa: S608  # our own words
    "ON o.environment = CAST(k.environment AS environment) AND o.source = k.source AND o.stream = k.stream"
)
# What is made is in source_sequence as well, so that it has a time.
_HEARD_ORIGINS = f"""
    SELECT o.environment, o.source FROM origin AS o JOIN source_sequence AS s USING (origin_no)
    WHERE s.updated_at > now() - interval '{SILENT_DAYS} days'"""  # noqa: S608  # our own words
_COUNT_OF_SOURCES = sa.text(f"""
    SELECT CAST(environment AS text), source, count(*) FROM ({_HEARD_ORIGINS}) AS h WHERE (environment, source) IN
      (SELECT CAST(k.environment AS environment), k.source FROM {_STREAMS}) GROUP BY environment, source""")  # noqa: S608  # our own words
_COUNT_OF_KINDS = sa.text(f"""
    SELECT coalesce(substring(source from '^({"|".join(KINDS)})'), '') AS kind, count(*) FROM ({_HEARD_ORIGINS}) AS h
    GROUP BY kind""")  # noqa: S608  # our own words
_MAKE_ORIGINS = sa.text(
    "INSERT INTO origin (environment, source, stream) "  # noqa: S608  # our own words
    f"SELECT CAST(k.environment AS environment), k.source, k.stream FROM {_STREAMS} ON CONFLICT DO NOTHING"
)
_BEGIN_SEQUENCES = sa.text(
    "INSERT INTO source_sequence (origin_no) SELECT k FROM unnest(CAST(:origins AS int[])) AS k ON CONFLICT DO NOTHING"
)
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

    def keep_within_bounds(self) -> None:
        """Remember no more than that once a batch is stored: one message may name more, and each writer remembers its own."""
        if len(self.known) > REMEMBERED:
            self.forget()


class Streams:
    """The numbers of sources and their streams."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.known: dict[Stream, int] = {}

    def learn(self, streams: Iterable[Stream], named: Collection[Stream] = ()) -> dict[Stream, str]:
        """Know the number of each of these streams, and of those that their sources named themselves.

        None is made for a stream that is one too many of its source, or of all sources of its kind: whoever may publish events
        of a kind can name them, and names without end. What sources name themselves has room of its own.

        Returns:
            The streams that have no number, and why.
        """
        wanted = dict.fromkeys([*named, *streams])
        unknown = [stream for stream in wanted if stream not in self.known]
        if len(self.known) + len(unknown) > REMEMBERED_STREAMS:
            self.known, unknown = {}, list(wanted)
        if not unknown:
            return {}
        found, without = self._ask(unknown, named)
        self.known |= found
        return without

    def seqs(self, positions: Iterable[Position]) -> dict[int, list[int]]:
        """The sequence numbers of positions by the number of their stream; without those of a stream that has none."""
        seqs: dict[int, list[int]] = {}
        for position in positions:
            number = self.known.get(position.stream)
            if number is not None:
                seqs.setdefault(number, []).append(position.seq)
        return seqs

    def _ask(self, unknown: Sequence[Stream], named: Collection[Stream]) -> tuple[dict[Stream, int], dict[Stream, str]]:
        without: dict[Stream, str] = {}
        with self._database.transaction() as connection:
            found = _numbers_of(connection, unknown)
            if missing := [stream for stream in unknown if stream not in found]:
                without = _beyond_bounds(connection, missing, frozenset(named))
                if made := sorted(set(missing) - without.keys()):
                    connection.execute(_MAKE_ORIGINS, _as_columns(made))
                    new = _numbers_of(connection, made)
                    connection.execute(_BEGIN_SEQUENCES, {"origins": sorted(new.values())})
                    found |= new
        return found, without

    def forget(self) -> None:
        """Ask the database again for every stream."""
        self.known = {}


def _numbers_of(connection: sa.Connection, streams: Sequence[Stream]) -> dict[Stream, int]:
    return {Stream(row[0], row[1], row[2]): row[3] for row in connection.execute(_FIND_ORIGINS, _as_columns(streams))}


def _beyond_bounds(connection: sa.Connection, streams: Sequence[Stream], named: frozenset[Stream]) -> dict[Stream, str]:
    """Those of new streams that there may not be, and why."""
    of_sources = Counter({(row[0], row[1]): row[2] for row in connection.execute(_COUNT_OF_SOURCES, _as_columns(streams))})
    of_kinds: Counter[str] = Counter({row[0]: row[1] for row in connection.execute(_COUNT_OF_KINDS)})
    without = {}
    for stream in streams:
        source, kind, rooms = (stream.environment, stream.source), _kind_of(stream.source), 2 if stream in named else 1
        if of_sources[source] >= rooms * MAX_STREAMS_OF_SOURCE:
            without[stream] = f"{stream.source} has {of_sources[source]} streams{NO_MORE}"
        elif of_kinds[kind] >= rooms * MAX_STREAMS_OF_KIND:
            without[stream] = f"sources {kind}... have {of_kinds[kind]} streams together{NO_MORE}"
        else:
            of_sources[source] += 1
            of_kinds[kind] += 1
    return without


def _kind_of(source: str) -> str:
    return next((kind for kind in KINDS if source.startswith(kind)), "")


def _as_columns(streams: Iterable[Stream]) -> dict[str, list[str]]:
    environments, sources, names = zip(*((each.environment, each.source, each.stream) for each in streams), strict=True)
    return {"environments": list(environments), "sources": list(sources), "streams": list(names)}


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
        self.streams = Streams(database)
        self._events = _Block(database, "event_number", 1000)
        self._reports = _Block(database, "report_number", 100)

    def learn(self, events: Sequence[Recorded]) -> None:
        """Know every number that the rows of these events need, but for their streams', and have new ones for them."""
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

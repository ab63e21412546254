"""Store: a batch of deliveries into the database, all of it, each event once.

Rows are copied as if all of it were new. When a key is taken the batch is sifted: what is known already is passed over, what
says something else under a known key is a contradiction, and the first stays. When the database refuses what a message says,
the batch is halved until the message is found; it becomes a dead letter, and the others are stored all the same.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain

from dotbus.contracts.messages import ServiceStatus, Telemetry
from historian.database import (
    Database,
    KeyTaken,
    StatementRefused,
    StoreUnavailable,
    TableGone,
    TransactionLost,
    copy_rows,
)
from historian.write.reading.arrivals import CONTRADICTION, Arrival, Rejection, Written, recorded_of
from historian.write.reading.events import KeptPrices, Key, named_key_of
from historian.write.reading.record import Position, Recorded, Refused, Stream
from historian.write.sequences.ledger import add_received
from historian.write.storing.copying import FORMAT
from historian.write.storing.months import Months
from historian.write.storing.numbers import Numbers
from historian.write.storing.price_times import require_own, share_a_node
from historian.write.storing.rejected import keep_rejections
from historian.write.storing.rows import COLUMNS, Rows
from historian.write.storing.sifting import Sifted, pass_over, sift
from historian.write.storing.statuses import keep_statuses
from historian.write.storing.telemetry import Points

TRIES = 5
"""How often the same is tried: keys that others take meanwhile, or a fault that an answering database gives one batch alone."""
STATUSES_AT_ONCE = 500
"""In one transaction, which holds a lock for each service: a server has room for some thousand."""
WARY_BATCHES = 50
"""After a repetition so many batches are sifted first, because repetitions come together."""


class Store:
    """What the loop writes with. For one thread.

    Args:
        database: whose tables are up to date.
        stop: ends the search for what is refused, however much of a batch is left. None: nothing does.
    """

    def __init__(self, database: Database, stop: threading.Event | None = None) -> None:
        self._database = database
        self._stop = stop
        self._numbers = Numbers(database)
        self._months = Months(database)
        self._points = Points(database, self._months)
        self._wary_batches = 0

    def write(self, arrivals: Sequence[Arrival], now: datetime, failures: int = 0) -> Written:
        """Store a batch, but for the statuses in it.

        Args:
            arrivals: in their order.
            now: which months may have a part of their own is judged by it.
            failures: how often this batch failed before, one after the other.

        Raises:
            StoreUnavailable: all of it must be written again; what was stored is known then. Also when told to stop before
                all of it was written.
        """
        written = Written()
        try:
            self._keep_each(self._of_known_streams(arrivals, written), written, now, failures)
            self._numbers.nodes.keep_within_bounds()
            said = [each for each in arrivals if isinstance(each.meaning, Telemetry)]
            self._points.keep(said, written, now, self._go_on, blames=failures >= TRIES)
            refused = [
                Rejection(arrival, meaning.reason) for arrival in arrivals if isinstance(meaning := arrival.meaning, Refused)
            ]
            written.rejections += refused
            self._note(written)
        except StoreUnavailable:
            self._numbers.forget()  # the database may be another one when it is back
            self._months.forget()
            raise
        return written

    def _of_known_streams(self, arrivals: Sequence[Arrival], written: Written) -> list[Arrival]:
        """The events of streams that have numbers now."""
        wanted = (position.stream for position in _positions(arrivals))
        without = self._numbers.streams.learn(wanted, _named_by_their_sources(arrivals))
        known = []
        for arrival in arrivals:
            if isinstance(meaning := arrival.meaning, Recorded):
                if (reason := without.get(meaning.position.stream)) is None:
                    known.append(arrival)
                else:
                    written.rejections.append(Rejection(arrival, reason))
                    written.strangers += 1
        return known

    def _keep_each(self, events: Sequence[Arrival], written: Written, now: datetime, failures: int) -> None:
        """Keep events of which some may have one key: the first of each, and the next where that one was refused."""
        while events:
            first, others = _first_of_each(events)
            before = len(written.rejections)
            self._keep(list(first.values()), written, now, failures)
            rejected = {recorded_of(rejection.arrival).key: rejection.kind for rejection in written.rejections[before:]}
            of_kind: defaultdict[str, list[Arrival]] = defaultdict(list)
            for arrival in others:
                key = recorded_of(arrival).key
                if kind := rejected.get(key):
                    of_kind[kind].append(arrival)
                else:
                    pass_over(arrival, recorded_of(first[key]).digest, written)
            # What contradicts something is held against what is stored, however much of it there is, all of it in one go.
            if contradicting := of_kind.pop(CONTRADICTION, None):
                self._keep(contradicting, written, now, failures)
            events = [arrival for arrivals in of_kind.values() for arrival in arrivals]

    def _go_on(self) -> None:
        """Not when told to stop: a batch of thousands that are each refused takes minutes, and the broker has it still."""
        if self._stop and self._stop.is_set():
            raise StoreUnavailable("told to stop before all was written")

    def _keep(self, events: Sequence[Arrival], written: Written, now: datetime, failures: int) -> None:
        self._go_on()
        refused: Exception | None = None
        for _ in range(TRIES):
            is_wary = self._wary_batches > 0 or share_a_node(_prices_of(events)) or _leaves_out(events)
            sifted = self._sift(events) if is_wary else Sifted(list(events))
            refused = self._try(sifted.news, written, now, failures) if sifted.news else None
            if refused is None:
                written.repeats += sifted.repeats
                written.rejections += sifted.rejections
                return
            if not isinstance(refused, KeyTaken | TableGone | TransactionLost):
                break
        if isinstance(refused, TableGone | TransactionLost):
            raise refused
        if len(events) == 1:
            if isinstance(refused, StoreUnavailable) and not refused.may_blame:
                raise refused
            written.rejections.append(Rejection(events[0], str(refused)))
            return
        middle = len(events) // 2
        self._keep(events[:middle], written, now, failures)
        self._keep(events[middle:], written, now, failures)

    def _try(self, events: Sequence[Arrival], written: Written, now: datetime, failures: int) -> Exception | None:
        """Commit events, or say why that cannot be."""
        try:
            self._commit(events, written, now)
        except KeyTaken as taken:
            self._wary_batches = WARY_BATCHES
            return taken
        except TableGone as gone:
            self._months.forget()
            return gone
        except (StatementRefused, TransactionLost) as refused:
            return refused
        except StoreUnavailable as away:
            if away.answered and failures >= TRIES:
                return away
            raise
        self._wary_batches = max(0, self._wary_batches - 1)
        return None

    def _sift(self, events: Sequence[Arrival]) -> Sifted:
        """What of events is not stored yet."""
        self._numbers.nodes.learn(set(chain.from_iterable(event.nodes for event in _prices_of(events))))
        with self._database.transaction() as connection:
            return sift(connection, self._numbers, events)

    def _commit(self, events: Sequence[Arrival], written: Written, now: datetime) -> None:
        recorded = [recorded_of(arrival) for arrival in events]
        self._numbers.learn(recorded)
        rows = Rows(self._numbers)
        for arrival in events:
            rows.add(recorded_of(arrival), arrival.received_at)
        tables = self._months.tables(rows.needed(), now)
        with self._database.transaction() as connection:
            for part, lines in rows.parts():
                copy_rows(connection, tables[part], COLUMNS[part[0]], lines, FORMAT)
            require_own(connection, (entry.event for entry in recorded if isinstance(entry.event, KeptPrices)), rows.report_nos)
            again = add_received(connection, self._numbers.streams.seqs(entry.position for entry in recorded))
        written.events += len(events)
        if again:
            names = {number: stream for stream, number in self._numbers.streams.known.items()}
            written.renumbered |= {names[number]: seqs for number, seqs in again.items()}

    def write_statuses(self, statuses: Sequence[Arrival], written: Written, failures: int = 0) -> None:
        """Keep what services said of themselves. Statuses are to be written in the order in which they came.

        Args:
            statuses: in that order.
            written: what became of the batch that they came in, and of them in the tries before.
            failures: how often these failed before, one after the other.

        Raises:
            StoreUnavailable: the same must be called again.
        """
        ordered = sorted((arrival for arrival in statuses if isinstance(arrival.meaning, ServiceStatus)), key=_service)
        left = ordered[written.statuses :]
        for start in range(0, len(left), STATUSES_AT_ONCE):
            self._keep_statuses(left[start : start + STATUSES_AT_ONCE], written, failures)

    def _keep_statuses(self, statuses: Sequence[Arrival], written: Written, failures: int) -> None:
        """Keep statuses in a transaction, or each half of them in one of its own where the database refuses one of them."""
        self._go_on()
        refused: Exception
        try:
            with self._database.transaction() as connection:
                keep_statuses(connection, [(_said(arrival), arrival.received_at) for arrival in statuses])
        except StatementRefused as error:
            refused = error
        except StoreUnavailable as away:
            if failures < TRIES or not away.may_blame:
                raise
            refused = away
        else:
            written.statuses += len(statuses)
            return
        if len(statuses) > 1:
            middle = len(statuses) // 2
            self._keep_statuses(statuses[:middle], written, failures)
            self._keep_statuses(statuses[middle:], written, failures)
            return
        rejection = Rejection(statuses[0], str(refused))
        with self._database.transaction() as connection:
            keep_rejections(connection, [rejection])
        written.rejections.append(rejection)
        written.statuses += 1

    def _note(self, written: Written) -> None:
        """Keep what is no row of an event. A refused event has come as well: its number is not asked for again."""
        came = [*written.repeats, *_positions(rejection.arrival for rejection in written.rejections)]
        if not (came or written.rejections):
            return
        with self._database.transaction() as connection:
            keep_rejections(connection, written.rejections)
            add_received(connection, self._numbers.streams.seqs(came))


def _prices_of(events: Iterable[Arrival]) -> list[KeptPrices]:
    recorded = (recorded_of(arrival).event for arrival in events)
    return [event for event in recorded if isinstance(event, KeptPrices)]


def _first_of_each(events: Iterable[Arrival]) -> tuple[dict[Key, Arrival], list[Arrival]]:
    """The first event of each key, and all others."""
    first: dict[Key, Arrival] = {}
    others = []
    for arrival in events:
        key = recorded_of(arrival).key
        if key in first:
            others.append(arrival)
        else:
            first[key] = arrival
    return first, others


def _said(arrival: Arrival) -> ServiceStatus:
    if not isinstance(arrival.meaning, ServiceStatus):
        raise TypeError(f"a {type(arrival.meaning).__name__} is no status")
    return arrival.meaning


def _service(arrival: Arrival) -> tuple[str, str]:
    """By service, each one's in the order in which they came."""
    status = _said(arrival)
    return (status.environment, status.source)


def _positions(arrivals: Iterable[Arrival]) -> list[Position]:
    meanings = (arrival.meaning for arrival in arrivals)
    return [meaning.position for meaning in meanings if isinstance(meaning, Recorded | Refused) and meaning.position]


def _leaves_out(events: Iterable[Arrival]) -> bool:
    """Whether a dispatch does not name its resource: no key that is taken tells that another does."""
    return any(named_key_of(recorded_of(arrival).event) for arrival in events)


def _named_by_their_sources(arrivals: Iterable[Arrival]) -> list[Stream]:
    """The stream that each source last spoke of itself, on its own topic."""
    meanings = (arrival.meaning for arrival in arrivals)
    statuses = [meaning for meaning in meanings if isinstance(meaning, ServiceStatus) and meaning.outbox]
    spoken = {(str(status.environment), status.source): status.outbox for status in statuses}
    return [Stream(*source, outbox.stream) for source, outbox in spoken.items() if outbox]

"""Store: a batch of deliveries into the database, all of it, each event once.

Rows are copied as if all of it were new. When a key is taken the batch is sifted: what is known already is passed over, what
says something else under a known key is a contradiction, and the first stays. When the database refuses what a message says,
the batch is halved until the message is found; it becomes a dead letter, and the others are stored all the same.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from dotbus.contracts.messages import ServiceStatus
from historian.database import (
    Connection,
    Database,
    KeyTaken,
    StatementRefused,
    StoreUnavailable,
    TableGone,
    TransactionLost,
    copy_rows,
    savepoint,
)
from historian.write.arrivals import CONTRADICTION, Arrival, Rejection, Written
from historian.write.copying import FORMAT
from historian.write.events import Key
from historian.write.known import digests_of
from historian.write.ledger import add_received, keep_status
from historian.write.months import Months
from historian.write.numbers import Numbers
from historian.write.record import Position, Recorded, Refused
from historian.write.rejected import keep_rejections
from historian.write.rows import COLUMNS, Rows

TRIES = 5
"""How often the same is tried: keys that others take meanwhile, or a fault that an answering database gives one batch alone."""
WARY_BATCHES = 50
"""After a repetition so many batches are sifted first, because repetitions come together."""


class Store:
    """What the loop writes with. For one thread.

    Args:
        database: whose tables are up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers = Numbers(database)
        self._months = Months(database)
        self._wary_batches = 0

    def write(self, arrivals: Sequence[Arrival], now: datetime, failures: int = 0) -> Written:
        """Store a batch, but for the statuses in it.

        Args:
            arrivals: in their order.
            now: which months may have a part of their own is judged by it.
            failures: how often this batch failed before, one after the other.

        Raises:
            StoreUnavailable: all of it must be written again; what was stored is known then.
        """
        written = Written()
        try:
            self._keep_each([arrival for arrival in arrivals if isinstance(arrival.meaning, Recorded)], written, now, failures)
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

    def _keep_each(self, events: Sequence[Arrival], written: Written, now: datetime, failures: int) -> None:
        """Keep events of which some may have one key: the first of each, and the next where that one was rejected."""
        while events:
            first, others = _first_of_each(events)
            self._keep(list(first.values()), written, now, failures)
            rejected = {_recorded(rejection.arrival).key for rejection in written.rejections}
            events = []
            for arrival in others:
                key = _recorded(arrival).key
                if key in rejected:
                    events.append(arrival)
                else:
                    _pass_over(arrival, _recorded(first[key]).digest, written)

    def _keep(self, events: Sequence[Arrival], written: Written, now: datetime, failures: int) -> None:
        refused: Exception | None = None
        for _ in range(TRIES):
            if self._wary_batches:
                events = self._sifted(events, written)
            if not events:
                return
            refused = self._try(events, written, now, failures)
            if refused is None:
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

    def _sifted(self, events: Sequence[Arrival], written: Written) -> list[Arrival]:
        """The events that are not stored yet."""
        with self._database.transaction() as connection:
            known = digests_of(connection, [_recorded(arrival).event for arrival in events])
        news = []
        for arrival in events:
            key = _recorded(arrival).key
            if key in known:
                _pass_over(arrival, known[key], written)
            else:
                news.append(arrival)
        return news

    def _commit(self, events: Sequence[Arrival], written: Written, now: datetime) -> None:
        recorded = [_recorded(arrival) for arrival in events]
        self._numbers.learn(recorded)
        rows = Rows(self._numbers)
        for arrival in events:
            rows.add(_recorded(arrival), arrival.received_at)
        tables = self._months.tables(rows.needed(), now)
        with self._database.transaction() as connection:
            for part, lines in rows.parts():
                copy_rows(connection, tables[part], COLUMNS[part[0]], lines, FORMAT)
            again = add_received(connection, self._numbers.streams.seqs(entry.position for entry in recorded))
        written.events += len(events)
        written.renumbered |= {self._numbers.streams.of(number): seqs for number, seqs in again.items()}

    def write_statuses(self, statuses: Sequence[Arrival], written: Written, failures: int = 0) -> None:
        """Keep what services said of themselves. Statuses are to be written in the order in which they came.

        Args:
            statuses: in that order.
            written: takes what is refused.
            failures: how often these failed before, one after the other.

        Raises:
            StoreUnavailable: all of it must be written again.
        """
        ordered = sorted(statuses, key=_service)
        for part in [ordered] if failures < TRIES else [[arrival] for arrival in ordered]:
            try:
                with self._database.transaction() as connection:
                    refused = [_keep_status(connection, arrival) for arrival in part]
                    rejections = [rejection for rejection in refused if rejection]
                    keep_rejections(connection, rejections)
            except StoreUnavailable as away:
                if failures < TRIES or not away.may_blame:
                    raise
                rejections = [Rejection(arrival, str(away)) for arrival in part]
                with self._database.transaction() as connection:
                    keep_rejections(connection, rejections)
            written.rejections += rejections

    def _note(self, written: Written) -> None:
        """Keep what is no row of an event. A refused event has come as well: its number is not asked for again."""
        came = [*written.repeats, *_positions(written.rejections)]
        if not (came or written.rejections):
            return
        self._numbers.streams.learn([position.stream for position in came])
        with self._database.transaction() as connection:
            keep_rejections(connection, written.rejections)
            add_received(connection, self._numbers.streams.seqs(came))


def _recorded(arrival: Arrival) -> Recorded:
    if not isinstance(arrival.meaning, Recorded):
        raise TypeError(f"a {type(arrival.meaning).__name__} is no event")
    return arrival.meaning


def _first_of_each(events: Iterable[Arrival]) -> tuple[dict[Key, Arrival], list[Arrival]]:
    """The first event of each key, and all others."""
    first: dict[Key, Arrival] = {}
    others = []
    for arrival in events:
        key = _recorded(arrival).key
        if key in first:
            others.append(arrival)
        else:
            first[key] = arrival
    return first, others


def _pass_over(arrival: Arrival, digest: int | None, written: Written) -> None:
    """An event whose key is taken: the same again, or a contradiction of the one that came first."""
    recorded = _recorded(arrival)
    if digest is None or digest == recorded.digest:
        written.repeats.append(recorded.position)
        return
    what = "/".join(part for part in recorded.key if part)
    written.rejections.append(Rejection(arrival, f"says something else than what came first as {what}", CONTRADICTION))


def _keep_status(connection: Connection, arrival: Arrival) -> Rejection | None:
    if not isinstance(arrival.meaning, ServiceStatus):
        return None
    try:
        with savepoint(connection):
            keep_status(connection, arrival.meaning, arrival.received_at)
    except StatementRefused as refused:
        return Rejection(arrival, str(refused))
    return None


def _service(arrival: Arrival) -> tuple[str, str]:
    """By service, each one's in the order in which they came: two historians lock services in the same order."""
    status = arrival.meaning
    return (status.environment, status.source) if isinstance(status, ServiceStatus) else ("", "")


def _positions(rejections: Sequence[Rejection]) -> list[Position]:
    meanings = (rejection.arrival.meaning for rejection in rejections)
    return [meaning.position for meaning in meanings if isinstance(meaning, Recorded | Refused) and meaning.position]

"""Board: what holds for every resource, and which states have to be said again.

A state is due when its content changed, and otherwise so often that `heard_at` stays young; a heartbeat in each would be
traffic without news (the service's status carries that one).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, Self, TypeVar

from ads_ingest.books import DotBook, TrajectoryBook
from ads_ingest.translate import Sender
from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import Dot, Trajectory
from dotbus.contracts.topics import UNASSIGNED, Subject

REFRESH_MOST = timedelta(seconds=30)
REFRESHES_BEFORE_STALE = 3
"""How often a state that did not change is said again before a gateway of this installation would call it stale."""
STRANGERS_KEPT = timedelta(hours=24)
"""How long the state of a resource without a plant stays after all in it is past."""


class Book(Protocol):
    """What a board holds for each resource."""

    @property
    def ends_at(self) -> datetime | None:
        """When the last of what it holds is past; None when it holds nothing."""
        ...

    def pruned(self, now: datetime) -> Self:
        """Without what is past."""
        ...


B = TypeVar("B", bound=Book)
S = TypeVar("S", bound=Dot | Trajectory)


@dataclass(frozen=True)
class _Said(Generic[B]):
    book: B
    heard_at: datetime


class Board(Generic[B, S]):
    """One book for each resource: the configured ones from the start, others when CAISO names them.

    Args:
        configured: the resources of this installation. Their states are said again without news; those of others only when
            they change, and not for ever, because intertie transactions come, go and would add up.
        empty: the book of a resource that nothing is known of.
        books: what was known before a restart.
        make_state: resource, book, heard_at and now to a state.
        topic: plant and resource to the state's topic.
        refresh: how long a state that did not change waits before it is said again.

    Attributes:
        complete: whether all that CAISO has was looked through once. Until then an empty book says nothing: it would replace
            what a broker retained from an outbox that was lost.
    """

    def __init__(
        self,
        configured: Collection[str],
        empty: B,
        books: Mapping[str, B],
        make_state: Callable[[str, B, datetime, datetime], S],
        topic: Callable[[str, str], str],
        refresh: timedelta,
    ) -> None:
        self._refresh = refresh
        self._configured = frozenset(configured)
        self._empty = empty
        self._books = {**dict.fromkeys(configured, empty), **books}
        self._make_state = make_state
        self._topic = topic
        self._said: dict[str, _Said[B]] = {}
        self.complete = False

    @property
    def books(self) -> Mapping[str, B]:
        """The book of each resource."""
        return self._books

    def book(self, resource_id: str) -> B:
        """The book of one resource, an empty one when nothing is known of it."""
        return self._books.get(resource_id, self._empty)

    def put(self, resource_id: str, book: B) -> None:
        """Replace the book of a resource."""
        self._books[resource_id] = book

    def past_strangers(self, now: datetime) -> dict[str, str]:
        """Resources of no plant of which nothing holds any more, each with its state's topic."""
        return {
            resource_id: self._topic(UNASSIGNED, resource_id)
            for resource_id, book in self._books.items()
            if resource_id not in self._configured and (book.ends_at is None or now - book.ends_at > STRANGERS_KEPT)
        }

    def forget(self, resource_ids: Iterable[str]) -> None:
        """Let go of resources whose states were retracted."""
        for resource_id in resource_ids:
            del self._books[resource_id]
            self._said.pop(resource_id, None)

    def due(self, heard_at: datetime, now: datetime) -> list[tuple[str, S]]:
        """The states that have to be said, each with its topic. Call `note_said` once they are safe."""
        self._books = {resource_id: book.pruned(now) for resource_id, book in self._books.items()}
        states = [
            self._make_state(resource_id, book, heard_at, now)
            for resource_id, book in self._books.items()
            if self._is_due(resource_id, book, now)
        ]
        return [(self._topic(state.plant, state.resource_id), state) for state in states]

    def note_said(self, states: Sequence[tuple[str, S]]) -> None:
        """Remember what is safe in the outbox."""
        for _topic, state in states:
            self._said[state.resource_id] = _Said(self._books[state.resource_id], state.heard_at)

    def _is_due(self, resource_id: str, book: B, now: datetime) -> bool:
        said = self._said.get(resource_id)
        if said is None:
            return self.complete or book != self._empty
        return said.book != book or (resource_id in self._configured and abs(now - said.heard_at) >= self._refresh)


def dot_board(sender: Sender, kept: Mapping[str, bytes]) -> Board[DotBook, Dot]:
    """The DOTs, taken up where the kept states left them."""
    books = {state.resource_id: DotBook.of_state(state) for state in _restored(sender, kept, Dot)}

    def make_state(resource_id: str, book: DotBook, heard_at: datetime, now: datetime) -> Dot:
        return Dot(
            environment=sender.environment,
            source=sender.source,
            time=now,
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            heard_at=heard_at,
            received_at=book.received_at,
            intervals=book.intervals,
            withdrawn=book.withdrawn,
        )

    return Board(_configured(sender), DotBook(), books, make_state, sender.installation.topics.dot, refresh_of(sender))


def trajectory_board(sender: Sender, kept: Mapping[str, bytes]) -> Board[TrajectoryBook, Trajectory]:
    """The curves, taken up where the kept states left them."""
    books = {state.resource_id: TrajectoryBook.of_state(state) for state in _restored(sender, kept, Trajectory)}

    def make_state(resource_id: str, book: TrajectoryBook, heard_at: datetime, now: datetime) -> Trajectory:
        return Trajectory(
            environment=sender.environment,
            source=sender.source,
            time=now,
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            heard_at=heard_at,
            received_at=book.received_at,
            points=book.points,
            latest=book.latest,
        )

    return Board(
        _configured(sender), TrajectoryBook(), books, make_state, sender.installation.topics.trajectory, refresh_of(sender)
    )


def refresh_of(sender: Sender) -> timedelta:
    """How often an unchanged state is said again: often enough for the limit that its installation's gateways judge by."""
    return min(REFRESH_MOST, timedelta(seconds=sender.installation.modbus.stale_after_s / REFRESHES_BEFORE_STALE))


def _configured(sender: Sender) -> list[str]:
    return [resource.id for plant in sender.installation.plants for resource in plant.resources]


def _restored(sender: Sender, kept: Mapping[str, bytes], kind: type[S]) -> list[S]:
    """The states of one kind among those that were taken over."""
    subject = Subject.DOT if kind is Dot else Subject.TRAJECTORY
    states: list[S] = []
    for topic, payload in kept.items():
        address = sender.installation.topics.read(topic)
        if address is None or address.subject is not subject:
            continue
        try:
            state = decode(payload)
        except UndecodableMessage:
            continue  # of another version of this software: CAISO will be asked again for what still holds
        if isinstance(state, kind):
            states.append(state)
    return states

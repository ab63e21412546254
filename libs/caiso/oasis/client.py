"""Client: prices of any market, nodes and time, in as many requests as that takes, at the rate that CAISO allows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

from caiso.oasis.connection import Reply, Request
from caiso.oasis.errors import IN_PROCESSING, ErrorReply, OasisFailure, Remedy, has_no_data
from caiso.oasis.locations import Location, LocationList, locations_of, named
from caiso.oasis.prices import Prices, joined
from caiso.oasis.questions import Group, Nodes, Question, split
from caiso.oasis.rate_limit import RateLimit
from caiso.oasis.reply import parse_reply
from caiso.oasis.reports import Market, NoData, meaning_of_no_data
from caiso.oasis.unpack import Bounds

T = TypeVar("T")
TRIES: Final = 5
_FIRST_PAUSE_S: Final = 10.0
_GROUP_PAUSE_S: Final = 30.0
"""A group download that is still being made is there after about so long."""


class Source(Protocol):
    """Where replies come from."""

    def fetch(self, request: Request) -> Reply:
        """The reply to a question."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


@dataclass(frozen=True)
class Answer:
    """The prices in one reply, and its bytes for whoever doubts them. What it says counts as of when it was asked for."""

    prices: Prices
    content: bytes
    asked_at: datetime
    received_at: datetime


class OasisClient:
    """The OASIS web service (interface specification 4.3.5, section 2).

    Args:
        source: asks; an `OasisConnection`.
        limit: of the rate of requests, shared by all who ask from one address.
        bounds: how much a reply may unpack to.
        tries: how often one request is made before its failure is raised, where asking again may help.
        clock: the wall clock.
    """

    def __init__(
        self,
        source: Source,
        limit: RateLimit | None = None,
        *,
        bounds: Bounds | None = None,
        tries: int = TRIES,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source = source
        self._limit = limit or RateLimit()
        self._bounds = bounds or Bounds()
        self._tries = tries
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._source.close()

    def ask(self, question: Question) -> Answer:
        """One request, made when the rate allows it, and its reply.

        Raises:
            OasisFailure: see `errors`; of an `ErrorReply` that says "no data" nobody knows what it means, see `prices`.
        """
        self._limit.wait()
        reply = self._source.fetch(question)
        try:
            prices = parse_reply(reply.status, reply.content, question, self._bounds)
        except OasisFailure as failure:
            failure.content = reply.content
            raise
        return Answer(prices, reply.content, reply.asked_at, reply.received_at)

    def prices(
        self,
        nodes: Sequence[str] | Group,
        market: Market,
        start: datetime,
        end: datetime,
        *,
        version: int | None = None,
        asked: Callable[[Question], None] = lambda _question: None,
    ) -> Prices | None:
        """The prices of some nodes from `start` to `end`, exclusive, as far as they are published; None where none is.

        Args:
            nodes: their names, those of `locations.SHORT_NAMES` among them, or a group.
            market: which.
            start: aware of its zone.
            end: the same.
            version: of the report; None is the usual one.
            asked: told of each request that was answered, for a progress bar.

        Raises:
            ErrorReply: OASIS says that there is no data where there should be some, or refuses the question.
            OasisFailure: it was tried often enough; see `errors`.
        """
        return self._all_of(Question(market, _named(nodes), start, end, version), asked)

    def current(self, nodes: Sequence[str] | Group) -> Prices | None:
        """The prices of the most recently posted five minutes (PRC_CURR_LMP).

        Raises:
            OasisFailure: see `errors`.
        """
        now = self._clock()
        return self._all_of(Question(Market.RTM, _named(nodes), now, now, is_current=True))

    def locations(self, day: datetime | None = None) -> list[Location]:
        """Every node that CAISO lists for a day, today unless another is given, with its type.

        Raises:
            OasisFailure: see `errors`.
        """
        at = day or self._clock()
        found = [location for listing in LocationList for location in self._locations(listing, at)]
        return sorted({location.name: location for location in found}.values())

    def _locations(self, listing: LocationList, at: datetime) -> Iterable[Location]:
        def listed() -> list[Location]:
            self._limit.wait()
            reply = self._source.fetch(listing.request(at))
            return locations_of(reply.status, reply.content, listing, self._bounds)

        return self._patiently(listed)

    def _all_of(self, wanted: Question, asked: Callable[[Question], None] = lambda _question: None) -> Prices | None:
        """What a question of any size comes to; None where nothing is published."""
        found = []
        for question in split(wanted):
            if answer := self._ask_patiently(question):
                found.append(answer.prices)
            asked(question)
        return joined(found) if found else None

    def _ask_patiently(self, question: Question) -> Answer | None:
        """None while OASIS has no data, and there need not be any."""
        try:
            return self._patiently(lambda: self.ask(question))
        except ErrorReply as error:
            if not has_no_data(error):
                raise
            meaning = meaning_of_no_data(question.market, question.start, self._clock())
            if meaning is not NoData.NOT_YET:
                raise ErrorReply(error.code, f"no data: {meaning} ({question})", Remedy.GIVE_UP) from error
        return None

    def _patiently(self, ask: Callable[[], T]) -> T:
        for pause_s in _pauses_s(self._tries):
            try:
                return ask()
            except OasisFailure as failure:
                if failure.remedy not in (Remedy.PAUSE, Remedy.RETRY) or pause_s is None:
                    raise
                is_made = isinstance(failure, ErrorReply) and failure.code == IN_PROCESSING
                self._limit.put_off(_GROUP_PAUSE_S if is_made else pause_s)
        raise AssertionError("the last try returns or raises")


def _named(nodes: Sequence[str] | Group) -> Nodes:
    """Each node once, by CAISO's name."""
    return nodes if isinstance(nodes, Group) else tuple(dict.fromkeys(map(named, nodes)))


def _pauses_s(tries: int) -> Iterator[float | None]:
    """After each try but the last."""
    yield from (_FIRST_PAUSE_S * 2**number for number in range(tries - 1))
    yield None

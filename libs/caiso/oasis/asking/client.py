"""Client: prices of any market, nodes and time, in as many requests as that takes, at the rate that CAISO allows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

from caiso.oasis.asking.connection import Reply, Request
from caiso.oasis.asking.cuts import within
from caiso.oasis.asking.questions import Group, Nodes, Question, split
from caiso.oasis.asking.rate_limit import RateLimit
from caiso.oasis.errors import IN_PROCESSING, ErrorReply, OasisFailure, Remedy, has_no_data
from caiso.oasis.locations import Location, LocationList, is_name, locations_of, named
from caiso.oasis.prices import Prices, joined
from caiso.oasis.reading.reply import parse_reply
from caiso.oasis.reading.unpack import Bounds
from caiso.oasis.reports import Market, NoData, meaning_of_no_data, newest_from, window_end

T = TypeVar("T")
TRIES: Final = 5
_FIRST_PAUSE_S: Final = 10.0
_GROUPS: Final = frozenset(group.value for group in Group)
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
        paused: told of each failure after which it is asked again, and of the seconds until then.
        clock: the wall clock.
    """

    def __init__(
        self,
        source: Source,
        limit: RateLimit | None = None,
        *,
        bounds: Bounds | None = None,
        tries: int = TRIES,
        paused: Callable[[OasisFailure, float], None] = lambda _failure, _pause_s: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source = source
        self._limit = limit or RateLimit()
        self._bounds = bounds or Bounds()
        self._tries = tries
        self._paused = paused
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
        """The prices of the intervals that begin from `start` on and before `end`, as far as they are published.

        A node that CAISO does not know is simply not there, nor is what CAISO left out: see `unpriced` and `missing`.

        Args:
            nodes: their names, those of `locations.SHORT_NAMES` among them, or a group.
            market: which.
            start: aware of its zone.
            end: the same.
            version: of the report; None is the usual one.
            asked: told of each request that was answered, for a progress bar.

        Returns:
            The prices; None where none is published.

        Raises:
            ValueError: a time names no zone, or no node is named, or by no name.
            ErrorReply: OASIS says that there is no data where there should be some, or refuses the question.
            OasisFailure: it was tried often enough; see `errors`.
        """
        questions = split(Question(market, _named(nodes), start, end, version))
        found = [prices for _, several in groupby(questions, _start) if (prices := self._of_span(several, asked))]
        prices = within(joined(found), start, end) if found else None
        return prices or None

    def newest(
        self,
        nodes: Sequence[str] | Group,
        market: Market,
        *,
        version: int | None = None,
        asked: Callable[[Question], None] = lambda _question: None,
    ) -> Prices | None:
        """The newest published prices, of which `newest_of` has those of each node's newest interval.

        Of a group those of the newest hour, or trade day, that has any; of named nodes those of the last two hours, or of today
        and tomorrow.

        Args:
            nodes: as for `prices`.
            market: which.
            version: of the report.
            asked: told of each request that was answered.

        Returns:
            The prices; None where none is published.

        Raises:
            OasisFailure: as of `prices`.
        """
        now = self._clock()
        wanted = Question(market, _named(nodes), newest_from(market, now), window_end(market, now), version)
        spans = [list(several) for _, several in groupby(split(wanted), _start)]
        if not isinstance(nodes, Group):
            found = [prices for several in spans if (prices := self._of_span(several, asked))]
            return joined(found) if found else None
        return next((prices for several in reversed(spans) if (prices := self._of_span(several, asked))), None)

    def current(self, nodes: Sequence[str] | Group) -> Prices:
        """The prices of the most recently posted five minutes (PRC_CURR_LMP). There always are some.

        Args:
            nodes: their names, or `Group.ALL`; this report knows no other group.

        Raises:
            ValueError: it is another group, or no node is named, or by no name.
            ErrorReply: OASIS knows none of the nodes, or refuses the question.
            OasisFailure: see `errors`.
        """
        now = self._clock()
        question = Question(Market.RTM, _named(nodes), now, now, is_current=True)
        prices = self._of_span(split(question), lambda _question: None)
        if prices is None:
            raise AssertionError("of what is current, no data is an error")
        return prices

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

    def _of_span(self, questions: Iterable[Question], asked: Callable[[Question], None]) -> Prices | None:
        """What questions for different nodes of the same time come to, as if all could be named in one.

        None where nothing is published yet. Nodes of which OASIS has no data cost nobody else's prices.
        """
        found, refused = [], []
        for question in questions:
            try:
                if answer := self._ask_patiently(question):
                    found.append(answer.prices)
            except ErrorReply as error:
                if not has_no_data(error):
                    raise
                refused.append(error)
            asked(question)
        if refused and not found:
            raise refused[0]
        return joined(found) if found else None

    def _ask_patiently(self, question: Question) -> Answer | None:
        """None while OASIS has no data, and there need not be any."""
        try:
            return self._patiently(lambda: self.ask(question))
        except ErrorReply as error:
            if not has_no_data(error):
                raise
            if why := _why_no_data(question, self._clock()):
                raise ErrorReply(error.code, f"no data: {why} ({question})", Remedy.GIVE_UP) from error
        return None

    def _patiently(self, ask: Callable[[], T]) -> T:
        for pause_s in _pauses_s(self._tries):
            try:
                return ask()
            except OasisFailure as failure:
                if failure.remedy not in (Remedy.PAUSE, Remedy.RETRY) or pause_s is None:
                    raise
                is_made = isinstance(failure, ErrorReply) and failure.code == IN_PROCESSING
                by_s = _GROUP_PAUSE_S if is_made else pause_s
                self._paused(failure, by_s)
                self._limit.put_off(by_s)
        raise AssertionError("the last try returns or raises")


def _start(question: Question) -> datetime:
    return question.start


def _why_no_data(question: Question, now: datetime) -> str | None:
    """What it means that OASIS has no data; None where there need not be any yet."""
    meaning = NoData.UNEXPECTED if question.is_current else meaning_of_no_data(question.market, question.start, now)
    if meaning is NoData.NOT_YET:
        return None
    is_of_group = isinstance(question.nodes, Group)
    return "prices that should be there" if is_of_group and meaning is NoData.UNEXPECTED else meaning


def _named(nodes: Sequence[str] | Group) -> Nodes:
    """Each node once, by CAISO's name.

    Raises:
        ValueError: none is named, or one by what cannot be its name.
    """
    if isinstance(nodes, Group):
        return nodes
    if not nodes or isinstance(nodes, str):
        raise ValueError(f"{nodes!r} is no list of nodes")
    if wrong := [node for node in nodes if node in _GROUPS or not is_name(node)]:
        raise ValueError(f"{wrong[0]!r} is not the name of one node; a group is one of Group")
    return tuple(dict.fromkeys(map(named, nodes)))


def _pauses_s(tries: int) -> Iterator[float | None]:
    """After each try but the last."""
    yield from (_FIRST_PAUSE_S * 2**number for number in range(tries - 1))
    yield None

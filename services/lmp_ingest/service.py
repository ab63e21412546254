"""The loop: ask OASIS one question after the other, keep what is new, say what changed.

One thread. What it keeps goes into the outbox in one transaction with the market's cursor; the courier takes it to the bus. A
failure is logged once, its bytes are put into quarantine, and the loop goes on: it delays its own track, or all of them when
CAISO as a whole does not answer or says that it is asked too often. While the outbox keeps nothing, nothing is asked or said.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

import msgspec

from caiso.oasis import REPORTS, Group, Market, OasisFailure, Question, Remedy, has_no_data
from dotbus.contracts.messages import Backfill, Prices, Upstream, UpstreamGap
from dotbus.contracts.quality import Reason
from dotbus.runtime.health import UpstreamHealth
from dotbus.runtime.logs import get_logger
from lmp_ingest.caiso import Answer, Caiso
from lmp_ingest.evidence import Evidence
from lmp_ingest.history.bus_requests import Requests
from lmp_ingest.history.past import Past
from lmp_ingest.known.book import Book
from lmp_ingest.known.price_block import PriceBlock, nothing
from lmp_ingest.known.told import Told
from lmp_ingest.meters import Meters
from lmp_ingest.planning import condition, missing, pieces, plan, turns
from lmp_ingest.planning.patience import Patience
from lmp_ingest.planning.track import Pace, Track, due_now, failed, set_back
from lmp_ingest.publishing import Publisher
from lmp_ingest.translate import Sender, gap_events, price_events

LOOK_EVERY_S = 1.0
"""How often the loop looks whether an interval has turned."""

KNOWN_FOR = timedelta(days=1)
"""How long a node of a group is looked for in its answers that CAISO gave a price of. Nodes come and go with the network."""

Answered = Callable[[Track, Question, PriceBlock | None, datetime], Track]
"""What a question that was asked besides, and its answer if there was one, make of a track."""


def upstream_of(market: Market) -> str:
    """The name of a market's upstream in the service's status."""
    return f"oasis_{market.lower()}"


@dataclass(frozen=True)
class Rules:
    """What is asked and how the answers are told.

    Args:
        sender: in whose name messages are said.
        pace: how often each market is asked.
        nodes_per_event: the most nodes in one prices message.
    """

    sender: Sender
    pace: Pace
    nodes_per_event: int


class Loop:
    """CAISO OASIS to the outbox.

    Args:
        caiso: answers questions.
        publisher: keeps what is to be said.
        book: what is known of prices; with what was said before a restart.
        told: which prices were told, before a restart too.
        tracks: what to ask for.
        rules: what is asked, and how the answers are told.
        past: asks for what is long over, while nothing else is due.
        requests: who asks for that.
        patience: when the next request may begin.
        evidence: who tells what went wrong, and keeps the replies.
        meters: what is counted.
        turned: called after each question, when what is known of CAISO may have changed.
        clock: the wall clock.

    Attributes:
        turned_at: when the loop last came round; tells a watchdog that it does.
    """

    def __init__(
        self,
        caiso: Caiso,
        publisher: Publisher,
        book: Book,
        told: Told,
        tracks: Sequence[Track],
        rules: Rules,
        *,
        past: Past,
        requests: Requests,
        patience: Patience,
        evidence: Evidence,
        meters: Meters,
        turned: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime],
    ) -> None:
        self._caiso = caiso
        self._publisher = publisher
        self._book = book
        self._tracks = list(tracks)
        self._rules = rules
        self._past = past
        self._requests = requests
        self._patience = patience
        self._evidence = evidence
        self._meters = meters
        self._turned = turned
        self._clock = clock
        self._told = told
        markets = {track.market: upstream_of(track.market) for track in tracks}
        self._health = {market: UpstreamHealth(name, lambda: caiso.clock_offset_said_s) for market, name in markets.items()}
        self._keeps = True
        self._log = get_logger("service")
        self.turned_at = clock()

    def upstreams(self) -> list[Upstream]:
        """How each market is heard, as of the track that was heard the longest ago, and what is wrong with parts of it."""
        tracks, now = self._tracks, self._clock()
        return [
            msgspec.structs.replace(
                health.snapshot(),
                complaints=condition.complaints(tracks, market, now),
                missing=condition.missing(tracks, market, now),
            )
            for market, health in self._health.items()
        ]

    def backfills(self, now: datetime) -> Sequence[Backfill]:
        """How far the past is that somebody asked for."""
        return self._past.shown(now)

    def run(self, stop: Event) -> None:
        """Ask and say until told to stop."""
        while not stop.is_set():
            if self.step():
                self._turned()
            stop.wait(self.idle_s())

    def idle_s(self) -> float:
        """How long nothing needs to be done."""
        now = self._clock()
        due = now if self._past.next_question(now) else turns.next_due(self._tracks, self._rules.pace, now) or now
        return min(max((max(due, self._patience.not_before) - now).total_seconds(), 0.0), LOOK_EVERY_S)

    def step(self) -> bool:
        """Say which prices turned active, and ask one question if one is due and may be asked. Returns whether one was."""
        try:
            return self._step()
        except sqlite3.Error as error:
            self._kept_nothing(error)
        return True

    def _step(self) -> bool:
        now = self._clock()
        if now < self.turned_at:
            self._begin_anew(now)
        self.turned_at = now
        self._keep(now)
        news = self._requests.answer(now)
        return (now >= self._patience.not_before and self._ask_next(now)) or news

    def _ask_next(self, now: datetime) -> bool:
        """What is live goes before what is missing, and that before what is long over."""
        if track := turns.most_overdue(self._tracks, self._rules.pace, now):
            self._patience.asked(now)
            self._ask(track, now)
        elif behind := pieces.behind_due(self._tracks):
            self._patience.asked(now)
            self._ask_besides(behind, pieces.behind_question(behind), pieces.behind_answered)
        elif incomplete := missing.gap_due(self._tracks, now):
            self._patience.asked(now)
            self._ask_besides(incomplete, missing.gap_question(incomplete, now), missing.gap_answered)
        elif question := self._past.next_question(now):
            self._patience.asked(now)
            if answer := self._past.ask(question):
                self._tracks = missing.filled_by(self._tracks, question, answer.block)
        else:
            return False
        return True

    def _begin_anew(self, now: datetime) -> None:
        """The clock was set back: what was planned by it would come too late."""
        by = self.turned_at - now
        self._log.warning("the clock went back", by_s=round(by.total_seconds(), 3))
        self._tracks = set_back(self._tracks, now)
        self._book.set_back(by, now)
        self._patience.asked(now)

    def _ask(self, track: Track, asked_at: datetime) -> None:
        question = pieces.question(track, self._rules.pace, asked_at)
        try:
            answer = self._caiso.fetch_prices(question, was_given=self._told.has_any_of(question))
        except OasisFailure as failure:
            self._failed(track, question, failure, asked_at)
        else:
            self._answered(track, question, answer, asked_at)

    def _ask_besides(self, track: Track, question: Question, answered: Answered) -> None:
        """What left the lookback, or lies behind, while nothing else is due. It says nothing of how CAISO is heard now."""
        try:
            answer = self._caiso.fetch_prices(question)
        except OasisFailure as failure:
            self._failed_besides(track, question, answered, failure)
            return
        self._evidence.of_answer(track.market, answer)
        block = self._told.completed(answer.block.of(track.nodes))
        after = answered(track, question, block, answer.received_at)
        self._replace(track, after)
        self._book.learn(track.names, block, answer.asked_at, question)
        self._tell(track, after, answer, block)
        self._patience.answered()

    def _failed_besides(self, track: Track, question: Question, answered: Answered, failure: OasisFailure) -> None:
        now = self._clock()
        after = answered(track, question, nothing(track.market, now) if has_no_data(failure) else None, now)
        self._replace(track, after)
        self._patience.pause_after(failure, 1, now)
        if after.given_up:
            self._keep_or_take_back(track, after, now)
        self._evidence.of_gap(failure, question, now, now + missing.GAP_PAUSE)
        self._evidence.of_track(track, after, now)

    def _answered(self, track: Track, question: Question, answer: Answer, asked_at: datetime) -> None:
        market, now = track.market, answer.received_at
        block = self._told.completed(answer.block.of(track.nodes))
        self._evidence.of_answer(market, answer)
        after = self._after(track, question, block, asked_at)
        self._replace(track, after)
        heard = [node for node in track.names if node not in after.unpriced]
        self._book.compare_clocks(self._caiso.clock_offset_said_s)
        self._book.hear(heard, block, answer.asked_at, question)
        self._book.doubt(market, after.unpriced | after.denied, Reason.INCOMPLETE)
        self._tell(track, after, answer, block)
        self._patience.answered()
        self._measure(track, after, now)
        if heard_at := condition.heard_at(self._tracks, market):
            self._health[market].succeeded(heard_at)
        if track.failures:
            self._log.info("answered again", question=str(question), failures=track.failures)

    def _after(self, track: Track, question: Question, block: PriceBlock, asked_at: datetime) -> Track:
        """The track after an answer. Of a group nobody names the nodes: those count that CAISO gave prices of before."""
        pace, denied, known = self._rules.pace, self._book.denied(track.names, question, block), frozenset[str]()
        if isinstance(track.nodes, Group):
            denied |= self._told.denied(question, block, asked_at)
            known = self._told.nodes_of(track.market, asked_at - KNOWN_FOR)
        after = plan.answered(track, question, block, pace, asked_at, denied, known)
        return pieces.queued(track, after, question, pace, asked_at)

    def _tell(self, before: Track, after: Track, answer: Answer, block: PriceBlock) -> None:
        """Keep what an answer brought that was not told yet."""
        rules, now = self._rules, answer.received_at
        news = self._told.news(block)
        events = self._told.numbered(price_events(rules.sender, block, news, now, rules.nodes_per_event))
        self._keep_or_take_back(before, after, now, events)
        self._evidence.of_track(before, after, now)

    def _keep_or_take_back(self, before: Track, after: Track, now: datetime, events: Sequence[Prices] = ()) -> None:
        """Keep what an answer brought, and what it made an end of in the gaps."""
        gone = gap_events(self._rules.sender, upstream_of(after.market), after.told_as, after.given_up, now)
        try:
            self._keep(now, after.market, events, gone)
        except sqlite3.Error as error:  # the same window again, or what it told would never be kept
            self._replace(after, failed(before, f"outbox: {error}", now, now))
            raise

    def _failed(self, track: Track, question: Question, failure: OasisFailure, asked_at: datetime) -> None:
        now = self._clock()
        again = self._patience.pause_after(failure, track.failures + 1, now)
        self._replace(track, failed(track, failure.cause, asked_at, again))
        self._book.doubt(track.market, track.names, Reason.SOURCE_FAILING)
        heard_at = condition.heard_at(self._tracks, track.market)
        if heard_at and self._keeps and failure.remedy is not Remedy.PAUSE:  # what others asked for is not in doubt
            self._health[track.market].succeeded(heard_at)
        else:
            self._health[track.market].failed(now, str(failure))
        self._evidence.of_failure(failure, question, now, again, is_new=failure.cause != track.complaint)

    def _kept_nothing(self, error: sqlite3.Error) -> None:
        now = self._clock()
        self._keeps = False
        if now >= self._patience.not_before:  # it is tried more often than anything is asked
            self._patience.pause(now)
        news = [health.failed(now, f"outbox: {error}") for health in self._health.values()]
        if any(news):
            self._log.exception("the outbox keeps nothing, so nothing is passed on")

    def _keep(
        self,
        now: datetime,
        market: Market | None = None,
        events: Sequence[Prices] = (),
        given_up: Sequence[UpstreamGap] = (),
    ) -> None:
        if self._publisher.commit(now, self._tracks, market, events, given_up) and not self._keeps:
            self._keep_again(now)

    def _keep_again(self, now: datetime) -> None:
        """The outbox keeps again: everything that was said to fail is asked for now, not when it would have been due."""
        self._keeps = True
        self._tracks = due_now(self._tracks)
        self._patience.answered()
        self._patience.asked(now)

    def _replace(self, track: Track, by: Track) -> None:
        self._tracks[self._tracks.index(track)] = by

    def _measure(self, before: Track, after: Track, now: datetime) -> None:
        market = after.market
        self._meters.answers.labels(market).inc()
        self._meters.unpriced.labels(market).set(len(condition.unpriced(self._tracks, market)))
        lengths = (gap.end - gap.start for gap in condition.gaps(self._tracks, market))
        self._meters.missing.labels(market).set(sum(length.total_seconds() for length in lengths))
        if until := condition.cursor(self._tracks, market):
            self._meters.complete_until.labels(market).set(until.timestamp())
        if before.newest and after.newest and after.newest > before.newest:
            begun = after.newest - REPORTS[market].interval
            self._meters.price_lag.labels(market).set((now - begun).total_seconds())

"""The past: asks CAISO the next question of a backfill, and keeps what comes of it. What is live goes before it.

Not while many events wait for the broker: what CAISO gives faster than it is delivered would push newer events out of the
outbox.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from caiso.oasis import Market, OasisFailure, Question
from dotbus.contracts.messages import Backfill, Prices
from dotbus.contracts.topics import Topics
from dotbus.runtime.outbox.outbox import Outbox
from lmp_ingest.caiso import Answer, Caiso
from lmp_ingest.evidence import Evidence
from lmp_ingest.history.history import History, Notes
from lmp_ingest.known.told import Told
from lmp_ingest.meters import Meters
from lmp_ingest.planning.patience import Patience
from lmp_ingest.translate import Sender, price_events

MOST_WAITING: Final = 5_000
"""Nothing is asked for while so many events wait for the broker."""


class Past:
    """Backfills on their way from CAISO to the outbox. Used by the loop, in its thread.

    Args:
        history: the backfills.
        caiso: answers questions.
        outbox: keeps what is to be said.
        told: which prices were told.
        topics: of the installation.
        sender: in whose name messages are said.
        nodes_per_event: the most nodes in one prices message.
        patience: when the next request may begin.
        evidence: who tells what went wrong, and keeps the replies.
        meters: what is counted.
        committed: called when there is something new in the outbox.
        clock: the wall clock.
    """

    def __init__(
        self,
        history: History,
        caiso: Caiso,
        outbox: Outbox,
        told: Told,
        *,
        topics: Topics,
        sender: Sender,
        nodes_per_event: int,
        patience: Patience,
        evidence: Evidence,
        meters: Meters,
        committed: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._history = history
        self._caiso = caiso
        self._outbox = outbox
        self._told = told
        self._topics = topics
        self._sender = sender
        self._nodes_per_event = nodes_per_event
        self._patience = patience
        self._evidence = evidence
        self._meters = meters
        self._committed = committed
        self._clock = clock

    def shown(self, now: datetime) -> tuple[Backfill, ...]:
        """How far each backfill is."""
        return self._history.shown(now)

    def next_question(self, now: datetime) -> Question | None:
        """What is to be asked, if anything and if what came before it is on its way."""
        question = self._history.next_question(now)
        return question if question and self._outbox.span().unpublished < MOST_WAITING else None

    def ask(self, question: Question) -> Answer | None:
        """Ask, and keep what comes. Returns what came, for whom else it concerns.

        Raises:
            sqlite3.Error: nothing of it was kept; the same question comes again.
        """
        try:
            answer = self._caiso.fetch_prices(question)
        except OasisFailure as failure:
            self._failed(question, failure)
            return None
        market = question.market
        self._evidence.of_answer(market, answer)
        block, now = self._told.completed(answer.block), answer.received_at
        events = price_events(self._sender, block, self._told.news(block), now, self._nodes_per_event)
        self._keep(self._history.answered(question, block, now), now, market, self._told.numbered(events))
        self._patience.answered()
        return answer

    def _failed(self, question: Question, failure: OasisFailure) -> None:
        now = self._clock()
        again_at = self._patience.pause_after(failure, 1, now)
        self._evidence.of_gap(failure, question, now, again_at)
        if notes := self._history.failed(question, failure, again_at, now):
            self._keep(notes, now, question.market)

    def _keep(self, notes: Notes, now: datetime, market: Market, events: list[Prices] | None = None) -> None:
        """One transaction: the prices, and how far the backfill is."""
        said = events or []
        stored = self._outbox.commit(now, events=[(self._topics.prices(market), event) for event in said], notes=notes)
        self._history.noted(notes)
        self._meters.events.labels(market).inc(stored)
        self._meters.corrections.labels(market).inc(self._told.remember(said, now))
        self._committed()

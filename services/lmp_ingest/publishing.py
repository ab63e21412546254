"""Publishing: new prices, the states that follow from them and how far a market is complete into the outbox, all or nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime

from caiso.oasis import Market
from dotbus.contracts.messages import Prices, UpstreamGap
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox.outbox import Outbox
from lmp_ingest.known.book import Book
from lmp_ingest.known.told import Told
from lmp_ingest.meters import Meters
from lmp_ingest.planning import condition, gaps
from lmp_ingest.planning.track import Track


class Publisher:
    """What is said of prices, and how far each market is complete.

    Args:
        outbox: where it goes.
        book: what is known of prices, and which of it is due to be said.
        told: which prices were told.
        topics: of this installation.
        meters: what is counted.
        committed: called when there is something new to deliver.
    """

    def __init__(
        self, outbox: Outbox, book: Book, told: Told, topics: Topics, *, meters: Meters, committed: Callable[[], None]
    ) -> None:
        self._outbox = outbox
        self._book = book
        self._told = told
        self._topics = topics
        self._meters = meters
        self._committed = committed
        self._cursors = outbox.cursors()
        self._log = get_logger("service")

    def commit(
        self,
        now: datetime,
        tracks: Sequence[Track],
        market: Market | None = None,
        events: Sequence[Prices] = (),
        given_up: Sequence[UpstreamGap] = (),
    ) -> bool:
        """One transaction: what is new or given up, the states that follow from it, and how far the market is complete.

        Args:
            now: by which states are due.
            tracks: as they are with what is new.
            market: that was answered; None where nothing was.
            events: of it.
            given_up: what will not be asked for any more.

        Returns:
            Whether there was anything to keep, and it was kept.

        Raises:
            sqlite3.Error: nothing of it was kept.
        """
        states = self._book.states(now)
        cursors = self._moved(tracks, market) if market else {}
        if not (states or cursors or events or given_up):
            return False
        stored = self._outbox.commit(
            now,
            events=[
                *((self._topics.prices(event.market), event) for event in events),
                *((self._topics.gap(*event.source.split("/", 1)), event) for event in given_up),
            ],
            states=[(self._topics.lmp(state.market, state.node), state) for state in states],
            cursors=cursors,
        )
        self._book.said(states)
        self._cursors |= cursors
        corrections = self._told.remember(events, now)
        if market:
            self._tell(market, events, corrections)
            self._meters.events.labels(market).inc(stored)
            self._meters.corrections.labels(market).inc(corrections)
        self._committed()
        return True

    def _moved(self, tracks: Sequence[Track], market: Market) -> dict[str, str]:
        """How far a market is complete and what is missing of it, as far as that changed."""
        until, lacking = condition.cursor(tracks, market), condition.gaps(tracks, market)
        found = {market.value: until.isoformat()} if until else {}
        if lacking or gaps.cursor_name(market) in self._cursors:
            found[gaps.cursor_name(market)] = gaps.write(lacking)
        return {name: position for name, position in found.items() if self._cursors.get(name) != position}

    def _tell(self, market: Market, events: Sequence[Prices], corrections: int) -> None:
        """One line for what an answer brought: in the course of a day that is a market's interval."""
        if events:
            until = max(event.interval_end for event in events).isoformat()
            since = min(event.interval_start for event in events).isoformat()
            prices = sum(len(event.nodes) for event in events)
            self._log.info("prices", market=market, since=since, until=until, prices=prices, corrections=corrections)

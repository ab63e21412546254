"""Told: which prices were said already, node by node, so that reading a window again says nothing twice.

In memory; what was told before a restart comes from the outbox's events.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from sys import intern

import msgspec

from caiso.oasis import Market, Question
from dotbus.contracts.messages import Environment, NodePrice, Prices
from lmp_ingest.translate import ByInterval, Values, completed, values_of

_Interval = tuple[str, datetime]
"""A market and an interval's start."""


class Told:
    """The prices told.

    Args:
        environment: the CAISO that is asked now. What was told of another one is another fact.
        memory: how long past an interval's start it is remembered; longer than any window looks back.
        before: the events that were told before a restart, in their order.
    """

    def __init__(self, environment: Environment, memory: timedelta, before: Iterable[Prices] = ()) -> None:
        self._environment = environment
        self._memory = memory
        self._values: dict[_Interval, dict[str, Values]] = {}
        self._ids: dict[_Interval, dict[str, int]] = {}
        for event in before:
            self._note(event)

    def has_any_of(self, question: Question) -> bool:
        """Whether any price that a question asks for was told."""
        return any(
            market == question.market and question.start <= start < question.end and not told.keys().isdisjoint(question.nodes)
            for (market, start), told in self._values.items()
        )

    def completed(self, market: Market, prices: ByInterval) -> ByInterval:
        """An answer's prices with the components that were told before and that it lacks."""
        found = {}
        for start, of in prices.items():
            told = self._values.get((market, start), {})
            found[start] = {node: completed(price, told.get(node)) for node, price in of.items()}
        return found

    def news(self, market: Market, prices: ByInterval) -> ByInterval:
        """The prices that differ from what was last told of their node and interval."""
        found: dict[datetime, dict[str, NodePrice]] = {}
        for start, of in prices.items():
            told = self._values.get((market, start), {})
            if news := {node: price for node, price in of.items() if told.get(node) != values_of(price)}:
                found[start] = news
        return found

    def numbered(self, events: Iterable[Prices]) -> list[Prices]:
        """The events, each with an id of its own.

        A price that was corrected and then set back says what was said before, but is news: its id gets a number.
        """
        return [msgspec.structs.replace(event, id=self._numbered(event)) for event in events]

    def _numbered(self, event: Prices) -> str:
        times = self._ids.get((event.market, event.interval_start), {}).get(event.id, 0)
        return f"{event.id}#{times + 1}" if times else event.id

    def remember(self, events: Iterable[Prices], now: datetime) -> int:
        """Note events as told, and forget those of long ago. Returns how many prices in them are corrections."""
        corrections = sum(self._note(event) for event in events)
        oldest = now - self._memory
        for known in (self._values, self._ids):
            for interval in [interval for interval in known if interval[1] < oldest]:
                del known[interval]
        return corrections

    def _note(self, event: Prices) -> int:
        interval = event.market, event.interval_start
        ids = self._ids.setdefault(interval, {})
        fact = event.id.partition("#")[0]
        ids[fact] = ids.get(fact, 0) + 1
        if event.environment is not self._environment:
            return 0
        values = self._values.setdefault(interval, {})
        corrected = sum(node in values for node in event.nodes)
        columns = (
            event.lmp_usd_per_mwh,
            event.energy_usd_per_mwh,
            event.congestion_usd_per_mwh,
            event.loss_usd_per_mwh,
            event.ghg_usd_per_mwh,
        )
        values.update(zip(map(intern, event.nodes), zip(*columns, strict=True), strict=True))
        return corrected

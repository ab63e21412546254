"""Told: which prices were said already, node by node, so that reading a window again says nothing twice.

In memory; what was told before a restart comes from the outbox's events.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec
import numpy as np

from caiso.oasis import Group, Market, Question
from dotbus.contracts.messages import Environment, Prices
from lmp_ingest.known.price_block import Flags, Floats, Numbers, PriceBlock
from lmp_ingest.known.told_interval import ToldInterval, most_bytes

WHOLE_FOR = timedelta(hours=2)
"""How long past its start an interval of many nodes keeps its values: what runs and the hour before it are read again often."""
OLD_BYTES = 64 * 1024 * 1024
"""So much is remembered of each market beyond that, for prices of the past that are asked for again: five years of one node."""
OBJECT_BYTES = 1_000
"""What an interval takes besides its values, about."""
FEW_NODES = 1_000
"""Intervals of no more nodes keep them for as long as they are remembered."""


@dataclass
class _MarketTold:
    """What was told of one market: of each interval, by the numbers of the nodes that any of them has."""

    numbers: dict[str, int] = field(default_factory=dict)
    intervals: dict[datetime, ToldInterval] = field(default_factory=dict)
    facts: dict[datetime, "array[int]"] = field(default_factory=dict)

    def numbers_of(self, nodes: Sequence[str]) -> Numbers:
        """The number of each node, of a new one the next."""
        known = self.numbers
        return np.array([known.setdefault(node, len(known)) for node in nodes], dtype=np.intp)

    def forget(self, oldest: datetime) -> None:
        """Of what is older than that so much stays as there is room for: what was told of it last."""
        if len(self.facts) * (OBJECT_BYTES + most_bytes(len(self.numbers))) <= OLD_BYTES:
            return  # there is room for all: of years of one node nobody need look at each interval with every answer
        room_bytes = OLD_BYTES
        for start in [start for start in reversed(self.facts) if start < oldest]:
            told = self.intervals.get(start)
            room_bytes -= OBJECT_BYTES + (told.size_bytes if told else 0)
            if room_bytes < 0:
                self.intervals.pop(start, None)
                del self.facts[start]

    def condense(self, oldest: datetime) -> None:
        if len(self.numbers) > FEW_NODES:
            for start, told in self.intervals.items():
                if start < oldest:
                    told.condense()


class Told:
    """The prices told.

    Args:
        environment: the CAISO that is asked now. What was told of another one is another fact.
        memory: how long past an interval's start it is remembered at least; longer than any window looks back.
        before: the events that were told before a restart, in their order.
    """

    def __init__(self, environment: Environment, memory: timedelta, before: Iterable[Prices] = ()) -> None:
        self._environment = environment
        self._memory = memory
        self._markets: dict[str, _MarketTold] = {}
        condensed_at: datetime | None = None
        for event in before:
            self._note(event)
            if condensed_at is None or event.time - condensed_at >= WHOLE_FOR:
                condensed_at = event.time
                self._condense(event.time)

    @property
    def size_bytes(self) -> int:
        """What the prices take, without the nodes' names."""
        return sum(interval.size_bytes for told in self._markets.values() for interval in told.intervals.values())

    def has_any_of(self, question: Question) -> bool:
        """Whether any price that a question asks for was told."""
        told = self._of(question.market)
        intervals = [each for start, each in told.intervals.items() if question.start <= start < question.end]
        numbers = np.arange(len(told.numbers))
        if not isinstance(question.nodes, Group):
            numbers = np.array([told.numbers[node] for node in question.nodes if node in told.numbers], dtype=np.intp)
        return any(each.is_told(numbers).any() for each in intervals)

    def nodes_of(self, market: Market, since: datetime) -> frozenset[str]:
        """The nodes of which a price was told of an interval since a time."""
        told = self._of(market)
        is_told = np.zeros(len(told.numbers), dtype=np.bool_)
        for start, interval in told.intervals.items():
            if start >= since:
                is_told |= interval.is_told(np.arange(len(is_told)))
        return _named(told, is_told)

    def denied(self, question: Question, block: PriceBlock, now: datetime) -> frozenset[str]:
        """The nodes of which an answer lacks a price that was asked for, that was told and whose interval is not over."""
        told = self._of(question.market)
        is_denied = np.zeros(len(told.numbers), dtype=np.bool_)
        numbers = np.array([told.numbers.get(node, -1) for node in block.nodes], dtype=np.intp)
        for start, interval in told.intervals.items():
            if question.start <= start < question.end and start + block.interval > now:
                lacks = interval.is_told(np.arange(len(is_denied)))
                if start in block.starts:
                    lacks[numbers[block.is_priced[block.starts.index(start)] & (numbers >= 0)]] = False
                is_denied |= lacks
        return _named(told, is_denied)

    def completed(self, block: PriceBlock) -> PriceBlock:
        """An answer's prices with the components that were told before and that it lacks."""
        if not np.isnan(block.values).any():
            return block
        told = self._of(block.market)
        numbers, values = told.numbers_of(block.nodes), block.values.copy()
        for place, start in enumerate(block.starts):
            if known := told.intervals.get(start):
                values[place] = known.completed(numbers, values[place])
        return replace(block, values=values)

    def news(self, block: PriceBlock) -> Flags:
        """By interval and node, whether its price differs from what was last told of it."""
        told = self._of(block.market)
        numbers, news = told.numbers_of(block.nodes), block.is_priced.copy()
        for place, start in enumerate(block.starts):
            if known := told.intervals.get(start):
                news[place] = known.is_news(numbers, block.values[place])
        return news

    def numbered(self, events: Iterable[Prices]) -> list[Prices]:
        """The events, each with an id of its own.

        A price that was corrected and then set back says what was said before, but is news: its id gets a number.
        """
        return [msgspec.structs.replace(event, id=self._numbered(event)) for event in events]

    def _numbered(self, event: Prices) -> str:
        facts = self._of(event.market).facts.get(event.interval_start)
        times = facts.count(_fact(event)) if facts else 0
        return f"{event.id}#{times + 1}" if times else event.id

    def remember(self, events: Iterable[Prices], now: datetime) -> int:
        """Note events as told, and forget the oldest of long ago. Returns how many prices in them are corrections."""
        corrections = sum(self._note(event) for event in events)
        for told in self._markets.values():
            told.forget(now - self._memory)
        self._condense(now)
        return corrections

    def _condense(self, now: datetime) -> None:
        for told in self._markets.values():
            told.condense(now - WHOLE_FOR)

    def _of(self, market: str) -> _MarketTold:
        return self._markets.setdefault(str(market), _MarketTold())

    def _note(self, event: Prices) -> int:
        told, start = self._of(event.market), event.interval_start
        facts = told.facts.pop(start, array("Q"))
        facts.append(_fact(event))
        told.facts[start] = facts  # the last one: they are forgotten in the order in which they were told
        if event.environment is not self._environment:
            return 0
        interval = told.intervals.setdefault(start, ToldInterval())
        return interval.note(told.numbers_of(event.nodes), _values(event))


def _named(told: _MarketTold, chosen: Flags) -> frozenset[str]:
    return frozenset(name for name, is_chosen in zip(told.numbers, chosen.tolist(), strict=True) if is_chosen)


def _fact(event: Prices) -> int:
    """What an event says, whatever times it was said: 64 bits of its id."""
    text, _, _ = event.id.partition("#")
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _values(event: Prices) -> Floats:
    columns = (
        event.lmp_usd_per_mwh,
        event.energy_usd_per_mwh,
        event.congestion_usd_per_mwh,
        event.loss_usd_per_mwh,
        event.ghg_usd_per_mwh,
    )
    return np.array(columns, dtype=np.float64).T

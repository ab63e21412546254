"""What is known: each node's prices from now on, what was last said of them, and which facts were told already.

In memory. What a restart must not forget is in the outbox: its states bring the prices back, its event ids keep a fact from
being told twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from dotbus.contracts.messages import Lmp, NodePrice, Prices
from dotbus.runtime.toml_values import Market
from lmp_ingest.translate import ID_TIME, ByInterval, Sender, lmp_state, same_price


@dataclass
class _Page:
    """One node's prices in one market, by interval start."""

    heard_at: datetime
    prices: dict[datetime, NodePrice] = field(default_factory=dict)
    said: Lmp | None = None
    changed: bool = True

    def learn(self, price: NodePrice) -> None:
        known = self.prices.get(price.interval_start)
        if known is None or not same_price(known, price):
            self.prices[price.interval_start] = price
            self.changed = True

    def forget(self, now: datetime) -> None:
        latest = max(self.prices, default=now)
        self.prices = {at: price for at, price in self.prices.items() if price.interval_end > now or at == latest}

    def turns(self, now: datetime) -> bool:
        """Whether another price than the one last said is active now."""
        if self.said is None:
            return True
        active, ahead = self.said.active, self.said.ahead
        return (active is not None and active.interval_end <= now) or (bool(ahead) and ahead[0].interval_start <= now)


class Book:
    """The prices of every node of every market, and what is to be said of them.

    Args:
        sender: in whose name states are said.
        refresh: how long a state that says nothing new waits before it says again when CAISO was heard.
    """

    def __init__(self, sender: Sender, refresh: timedelta) -> None:
        self._sender = sender
        self._refresh = refresh
        self._pages: dict[tuple[Market, str], _Page] = {}

    def restore(self, market: Market, state: Lmp) -> None:
        """Take back what was said before a restart."""
        known = [price for price in (state.published, state.active, *state.ahead) if price is not None]
        prices = {price.interval_start: price for price in known}
        self._pages[market, state.node] = _Page(state.heard_at, prices, said=state, changed=False)

    def hear(self, market: Market, nodes: Iterable[str], prices: ByInterval, now: datetime) -> None:
        """Take in an answer: CAISO was heard about these nodes, and these are its prices."""
        for node in nodes:
            page = self._pages.setdefault((market, node), _Page(now))
            page.heard_at = now
            for priced in prices.values():
                if node in priced:
                    page.learn(priced[node])
            page.forget(now)

    def states(self, now: datetime) -> list[Lmp]:
        """Every state that differs from what was last said, or has been silent for long although CAISO was heard."""
        return [
            lmp_state(self._sender, market, node, page.prices.values(), heard_at=page.heard_at, now=now)
            for (market, node), page in self._pages.items()
            if page.changed or page.turns(now) or self._is_silent(page)
        ]

    def _is_silent(self, page: _Page) -> bool:
        return page.said is not None and abs(page.heard_at - page.said.heard_at) >= self._refresh

    def said(self, states: Iterable[Lmp]) -> None:
        """Remember what was said."""
        for state in states:
            page = self._pages[Market(state.market), state.node]
            page.said, page.changed = state, False


class Told:
    """The price events told, so that reading a window again tells nothing twice.

    Args:
        memory: how long past an interval's start it is remembered; longer than any window looks back.
        ids: of the events that were told before a restart, in their order.
    """

    def __init__(self, memory: timedelta, ids: Iterable[str] = ()) -> None:
        self._memory = memory
        self._ids: dict[str, list[str]] = {}
        for event_id in ids:
            self._ids.setdefault(_fact(event_id), []).append(event_id)

    def news(self, events: Iterable[Prices]) -> Iterator[Prices]:
        """The events that say something else than what was last told of their interval and nodes.

        A price that was corrected and then set back says what was said before, but is news: its id gets a number.
        """
        for event in events:
            told = self._ids.get(_fact(event.id), [])
            if told and told[-1].split("#")[0] == event.id:
                continue
            times = sum(id_.split("#")[0] == event.id for id_ in told)
            yield msgspec.structs.replace(event, id=f"{event.id}#{times + 1}") if times else event

    def remember(self, events: Iterable[Prices], now: datetime) -> int:
        """Note events as told, and forget those of long ago. Returns how many of them are corrections."""
        corrections = 0
        for event in events:
            ids = self._ids.setdefault(_fact(event.id), [])
            corrections += bool(ids)
            ids.append(event.id)
        oldest = f"{now - self._memory:{ID_TIME}}"
        self._ids = {fact: ids for fact, ids in self._ids.items() if _start(fact) > oldest}
        return corrections


def _fact(event_id: str) -> str:
    """What an event is about: market, interval and nodes, the part of its id before the prices."""
    return event_id.rpartition("/")[0]


def _start(fact: str) -> str:
    """The start of the interval, written so that the earlier comes first."""
    return fact.split("/")[2]

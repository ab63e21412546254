"""What is known: each node's prices from now on, what was last said of them, and what speaks against them.

In memory. What a restart must not forget is in the outbox: its states bring the prices back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from caiso.oasis import REPORTS, Market, Question, floor, window_end
from dotbus.contracts.messages import Lmp, NodePrice
from dotbus.contracts.quality import CLOCK_DOUBT_S, Reason, read_reasons
from lmp_ingest.known.price_block import PriceBlock
from lmp_ingest.translate import Sender, completed, lmp_state, same_price, values_of

_CLOCK_DOUBT = timedelta(seconds=CLOCK_DOUBT_S)


@dataclass
class _Page:
    """One node's prices in one market, by interval start.

    `holes` are the intervals that were last answered without the node's price, or not with a whole one; `doubts` is what speaks
    against all of it since the last question.
    """

    heard_at: datetime
    prices: dict[datetime, NodePrice] = field(default_factory=dict)
    holes: frozenset[datetime] = frozenset()
    doubts: frozenset[Reason] = frozenset()
    said: Lmp | None = None
    changed: bool = True

    def learn(self, price: NodePrice) -> None:
        known = self.prices.get(price.interval_start)
        whole = completed(price, values_of(known) if known else None)
        if known is None or not same_price(known, whole):
            self.prices[price.interval_start] = whole
            self.changed = True

    def learn_of(self, node: str, block: PriceBlock, now: datetime, asked: Question | None, *, is_live: bool = True) -> None:
        """Take in what an answer says of the node: what is not over yet, and the latest. The rest would go at once.

        What is over is the latest only of a live answer, or when it is newer than all that is known.
        """
        end = window_end(block.market, now)
        starts = [start for start in block.priced_starts_of(node) if start < end]
        latest = max([*starts, *self.prices], default=now) if self.prices or is_live else now
        for start in starts:
            if start + block.interval > now or start == latest:
                self.learn(block.price(start, node))
        others = [at for at in self.holes if asked and not asked.start <= at < asked.end]
        self.holes = frozenset(at for at in block.holes_of(node).union(others) if at + block.interval > now)
        self.forget(now, end)

    def forget(self, now: datetime, end: datetime) -> None:
        """Keep what is not over yet, and the latest; nothing that cannot be published yet, whose clock or source was wrong."""
        possible = {at: price for at, price in self.prices.items() if at < end}
        latest = max(possible, default=now)
        kept = {at: price for at, price in possible.items() if price.interval_end > now or at == latest}
        self.changed |= len(possible) < len(self.prices)
        self.prices = kept

    def has_more(self, question: Question, node: str, block: PriceBlock) -> bool:
        """Whether a price is known here of what was asked for, and not in the answer."""
        asked = {start for start in self.prices if question.start <= start < question.end}
        return not asked.issubset(block.priced_starts_of(node))

    def set_back(self, by: timedelta) -> None:
        """The clock that said when CAISO was heard went back since: which of the two was right shows when it is heard again."""
        self.heard_at -= by
        if by > _CLOCK_DOUBT:
            self.doubts |= {Reason.CLOCK_IN_DOUBT}

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
        vouched_for: how long what is said of each market holds once CAISO was heard.
    """

    def __init__(self, sender: Sender, refresh: timedelta, vouched_for: Mapping[Market, timedelta]) -> None:
        self._sender = sender
        self._refresh = refresh
        self._vouched_for = vouched_for
        self._pages: dict[tuple[Market, str], _Page] = {}
        self._clock_in_doubt = False

    def restore(self, market: Market, state: Lmp, now: datetime) -> None:
        """Take back what was said before a restart, without what cannot be true: prices without an LMP, or of too far ahead."""
        said = [price for price in (state.published, state.active, *state.ahead) if price is not None]
        prices = {price.interval_start: price for price in said if price.lmp_usd_per_mwh is not None}
        page = _Page(state.heard_at, prices, doubts=read_reasons(state.reasons), said=state)
        page.changed = any(price.lmp_usd_per_mwh is None for price in said)
        page.forget(now, window_end(market, now))
        page.set_back(max(state.heard_at - now, timedelta()))
        self._pages[market, state.node] = page

    def hear(self, nodes: Iterable[str], block: PriceBlock, asked_at: datetime, asked: Question | None = None) -> None:
        """Take in an answer: CAISO was heard about these nodes, and these are its prices and what is missing of them.

        It counts as of when it was asked for: OASIS may have looked at once and answered slowly.

        Args:
            nodes: of which CAISO was heard.
            block: the answer.
            asked_at: when it was asked for.
            asked: the question, of whose time the answer says what is missing; None is all times.
        """
        for node in nodes:
            page = self._pages.setdefault((block.market, node), _Page(asked_at))
            page.heard_at = asked_at
            page.doubts = frozenset()
            page.learn_of(node, block, asked_at, asked)

    def learn(self, nodes: Iterable[str], block: PriceBlock, asked_at: datetime, asked: Question) -> None:
        """Take in the prices of an answer that says nothing of how CAISO is heard now: it was asked for something else."""
        for node in nodes:
            if page := self._pages.get((block.market, node)):
                page.learn_of(node, block, asked_at, asked, is_live=False)

    def denied(self, nodes: Iterable[str], question: Question, block: PriceBlock) -> frozenset[str]:
        """The nodes of which an answer lacks a price that was asked for, that CAISO gave before and that still counts."""
        pages = ((node, self._pages.get((question.market, node))) for node in nodes)
        return frozenset(node for node, page in pages if page and page.has_more(question, node, block))

    def doubt(self, market: Market, nodes: Iterable[str], reason: Reason) -> None:
        """Note what speaks against all that is known of some nodes, until CAISO is heard about them."""
        for node in nodes:
            if page := self._pages.get((market, node)):
                page.doubts |= {reason}

    def compare_clocks(self, offset_s: float | None) -> None:
        """Note how far CAISO's clock is from ours, None when it did not say so: then nobody knows whether they agree."""
        self._clock_in_doubt = offset_s is None or abs(offset_s) > CLOCK_DOUBT_S

    def set_back(self, by: timedelta, now: datetime) -> None:
        """The clock was set back: nothing is known of what is the future now."""
        for (market, _), page in self._pages.items():
            page.forget(now, window_end(market, now))
            page.set_back(by)

    def states(self, now: datetime) -> list[Lmp]:
        """Every state that differs from what was last said, or has been silent for long although CAISO was heard."""
        found = []
        for (market, node), page in self._pages.items():
            reasons = self._against(market, page, now)
            news = page.said is None or reasons != read_reasons(page.said.reasons)
            if news or page.changed or page.turns(now) or self._is_silent(page):
                found.append(self._state(market, node, page, reasons, now))
        return found

    def _state(self, market: Market, node: str, page: _Page, reasons: frozenset[Reason], now: datetime) -> Lmp:
        return lmp_state(
            self._sender,
            market,
            node,
            page.prices.values(),
            heard_at=page.heard_at,
            valid_until=page.heard_at + self._vouched_for[market],
            reasons=reasons,
            now=now,
        )

    def _against(self, market: Market, page: _Page, now: datetime) -> frozenset[Reason]:
        """What speaks against a node's state, by what is known here."""
        reasons = set(page.doubts)
        if self._clock_in_doubt:
            reasons.add(Reason.CLOCK_IN_DOUBT)
        if page.holes and floor(now, REPORTS[market].interval) in page.holes:
            reasons.add(Reason.INCOMPLETE)
        return frozenset(reasons)

    def _is_silent(self, page: _Page) -> bool:
        return page.said is not None and abs(page.heard_at - page.said.heard_at) >= self._refresh

    def said(self, states: Iterable[Lmp]) -> None:
        """Remember what was said."""
        for state in states:
            page = self._pages[Market(state.market), state.node]
            page.said, page.changed = state, False

"""What CAISO said, in its order, and what was true by it at any instant: the truth that registers are held against.

Kept by the model for itself, in its own simple words; nothing of the product's precedence or ramps is used here. All times are
seconds after noon by CAISO's clock, which is the true one.

An instant has two times: `by_s`, what CAISO had said by then, and `at_s`, the moment that it is about.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

FIVE_MINUTE, HOURLY, EXCEPTIONAL = 0, 1, 4
OF_FIVE_MINUTE = frozenset({FIVE_MINUTE, EXCEPTIONAL})
OF_HOURLY = frozenset({HOURLY, EXCEPTIONAL})
Points = Sequence[tuple[float, float]]
"""(seconds, megawatts) in the order of time."""


@dataclass(frozen=True)
class Batch:
    """One revision of a dispatch batch with one DOT."""

    uid: str
    kind: int
    start_s: float
    end_s: float
    mw: float
    said_s: float
    revision: int = 1
    cancelled: bool = False

    @property
    def middle_s(self) -> float:
        """When its DOT is to be reached."""
        return (self.start_s + self.end_s) / 2


@dataclass(frozen=True)
class Curve:
    """One trajectory batch of one resource."""

    uid: str
    resource: str
    said_s: float
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Price:
    """What OASIS published of one five-minute interval."""

    start_s: float
    usd: float
    said_s: float


@dataclass(frozen=True)
class Said:
    """All of it, each in the order in which it was said."""

    batches: tuple[Batch, ...] = ()
    curves: tuple[Curve, ...] = ()
    prices: tuple[Price, ...] = ()

    def with_batch(self, batch: Batch) -> "Said":
        """With one more thing said."""
        return replace(self, batches=(*self.batches, batch))

    def with_curve(self, curve: Curve) -> "Said":
        return replace(self, curves=(*self.curves, curve))

    def with_price(self, price: Price) -> "Said":
        return replace(self, prices=(*self.prices, price))

    def newest(self, by_s: float = float("inf")) -> list[Batch]:
        """The last word on each batch, the cancelled ones too, in the order in which they came."""
        words: dict[str, Batch] = {}
        for batch in self.batches:
            if batch.said_s <= by_s:
                words[batch.uid] = batch
        return list(words.values())

    def dot(self, kinds: frozenset[int], by_s: float, at_s: float) -> Batch | None:
        """The DOT in force: of those whose interval covers the moment the one that CAISO said last."""
        standing = [batch for batch in self.newest(by_s) if batch.kind in kinds and not batch.cancelled]
        covering = [batch for batch in standing if batch.start_s <= at_s < batch.end_s]
        return max(covering, key=lambda batch: batch.said_s, default=None)

    def set_point(self, by_s: float, at_s: float) -> float | None:
        """The ramp of the five-minute schedule; None where no DOT is in force, or one is missing under the line."""

        def dot(moment_s: float) -> Batch | None:
            return self.dot(OF_FIVE_MINUTE, by_s, moment_s)

        if dot(at_s) is None:
            return None
        line = [point for stretch in self._stretches(dot, by_s) for point in _anchors(*stretch)]
        if not line:
            return None
        before = [point for point in line if point[0] <= at_s]
        after = [point for point in line if point[0] > at_s]
        ends = [*before[-1:], *after[:1]]
        begin_s, end_s = min(at_s, ends[0][0]), max(at_s, ends[-1][0])
        edges = [begin_s, *(edge for batch in self.newest(by_s) for edge in (batch.start_s, batch.end_s))]
        if any(dot(edge) is None for edge in edges if begin_s <= edge < end_s):
            return None
        return _on_line(ends, at_s)

    def _stretches(self, dot: Callable[[float], Batch | None], by_s: float) -> list[tuple[float, float, Batch]]:
        """Begin, end and DOT of each time for which one is in force without a break."""
        edges = sorted({edge for batch in self.newest(by_s) for edge in (batch.start_s, batch.end_s)})
        found: list[tuple[float, float, Batch]] = []
        for begin_s, end_s in pairwise(edges):
            batch = dot(begin_s)
            if batch and found and found[-1][1:] == (begin_s, batch):
                found[-1] = found[-1][0], end_s, batch
            elif batch:
                found.append((begin_s, end_s, batch))
        return found

    def mixes(self, instants: Sequence[float]) -> Iterator["Said"]:
        """Every way in which each batch may be as CAISO had said it by one of some instants, each by its own."""
        words = [{batch.uid: batch for batch in self.newest(by_s)} for by_s in instants]
        uids = dict.fromkeys(batch.uid for batch in self.batches)
        for choice in product(*({known.get(uid) for known in words} for uid in uids)):
            yield Said(tuple(sorted((batch for batch in choice if batch), key=lambda batch: batch.said_s)))

    def curve(self, resource: str, by_s: float) -> list[tuple[float, float]]:
        """The assembled trajectory: each batch replaces what was said of its first target time and later."""
        points: list[tuple[float, float]] = []
        for curve in self._curves(resource, by_s):
            points = [point for point in points if point[0] < curve.points[0][0]] + list(curve.points)
        return points

    def trajectory(self, resource: str, by_s: float, at_s: float) -> float | None:
        """The trajectory's megawatts; None before its first point and after its last."""
        points = self.curve(resource, by_s)
        if not points or not points[0][0] <= at_s <= points[-1][0]:
            return None
        return _on_line(points, at_s)

    def latest_curve(self, resource: str, by_s: float) -> Curve | None:
        """The newest batch of a resource."""
        return next(reversed(self._curves(resource, by_s)), None)

    def published(self, by_s: float) -> Price | None:
        """The price of the latest interval that OASIS has published."""
        return max(self._prices(by_s), key=lambda price: price.start_s, default=None)

    def price(self, by_s: float, at_s: float) -> Price | None:
        """The price of the interval that covers a moment."""
        return next((price for price in self._prices(by_s) if price.start_s <= at_s < price.start_s + 300), None)

    def changes(self) -> Iterator[float]:
        """When anything was said."""
        for spoken in (self.batches, self.curves, self.prices):
            yield from (one.said_s for one in spoken)

    def _curves(self, resource: str, by_s: float) -> list[Curve]:
        return [curve for curve in self.curves if curve.resource == resource and curve.said_s <= by_s]

    def _prices(self, by_s: float) -> list[Price]:
        return list({price.start_s: price for price in self.prices if price.said_s <= by_s}.values())


def _anchors(begin_s: float, end_s: float, batch: Batch) -> list[tuple[float, float]]:
    """What the ramp leads through: a DOT's target, or where another one cuts that off the whole time for which it is held."""
    times = (batch.middle_s,) if begin_s <= batch.middle_s < end_s else (begin_s, end_s)
    return [(at_s, batch.mw) for at_s in times]


def _on_line(points: Points, at_s: float) -> float:
    """Linear between points, held outside them."""
    if at_s <= points[0][0]:
        return points[0][1]
    for (begin_s, begin_mw), (end_s, end_mw) in pairwise(points):
        if begin_s <= at_s < end_s:
            return begin_mw + (end_mw - begin_mw) * (at_s - begin_s) / (end_s - begin_s)
    return points[-1][1]

"""The invariant: what a register shows as good is what CAISO said, about this moment, no longer ago than its limit.

News needs time on its way, so a good register may show what was true at any instant within its limit: `by_s` anywhere between
now less the limit and now. What it shows is about now: `at_s` is off by no more than clocks may differ unseen. Nothing older,
nothing of a neighbouring interval, nothing that CAISO never said.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from gateway_story import NOON
from model.gateway import Shown
from model.said import OF_FIVE_MINUTE, OF_HOURLY, Price, Said

from dotbus.contracts.quality import CLOCK_DOUBT_S

STALE_S, CURVE_STALE_S, PRICE_STALE_S = 90.0, 420.0, 900.0
"""The limits that an installation has unless it says otherwise."""
GOOD = 192
NO_INT16 = -0x8000
TOLERANCE = 1e-3
"""Of a float32, in megawatts or dollars."""


@dataclass(frozen=True)
class Violation:
    """A register that reads good and should not."""

    register: str
    shows: object
    now_s: float

    def __str__(self) -> str:
        return f"{self.register} shows {self.shows} as good at {self.now_s:g} s"


class Bench:
    """One image, the truth, and the time."""

    def __init__(self, image: Shown, said: Said, now_s: float) -> None:
        self.image = image
        self.said = said
        self.now_s = now_s
        self.noon_s = NOON.timestamp()
        self.moments = (now_s, now_s - CLOCK_DOUBT_S, now_s + CLOCK_DOUBT_S)

    def instants(self, limit_s: float) -> list[float]:
        """By when CAISO may have said it: now, each change within the limit, and the limit. Between them nothing changes."""
        # Ages are told by two clocks, which may differ by as much.
        oldest_s = self.now_s - limit_s - CLOCK_DOUBT_S
        return [self.now_s, *(change for change in self.said.changes() if oldest_s < change <= self.now_s), oldest_s]

    def word(self, unit: int, address: int) -> int:
        return int.from_bytes(self._bytes(unit, address, 1), "big")

    def int16(self, unit: int, address: int) -> int:
        return int.from_bytes(self._bytes(unit, address, 1), "big", signed=True)

    def uint32(self, unit: int, address: int) -> int:
        return int.from_bytes(self._bytes(unit, address, 2), "big")

    def float32(self, unit: int, address: int) -> float:
        return float(struct.unpack(">f", self._bytes(unit, address, 2))[0])

    def cdab(self, unit: int, address: int) -> float:
        words = self._bytes(unit, address, 2)
        return float(struct.unpack(">f", words[2:] + words[:2])[0])

    def bits(self, unit: int) -> list[bool]:
        packed = self.image.read_bits(unit, 0, 16)
        assert isinstance(packed, bytes)
        return [bool(int.from_bytes(packed, "little") >> i & 1) for i in range(16)]

    def _bytes(self, unit: int, address: int, count: int) -> bytes:
        content = self.image.read_registers(unit, address, count)
        assert isinstance(content, bytes)
        return content


def violations(bench: Bench) -> list[Violation]:
    """Every register of the model's map that reads good and does not hold the invariant."""
    return [Violation(register, shown, bench.now_s) for check in CHECKS for register, shown in check(bench)]


Found = Iterator[tuple[str, object]]


def classic_dops(bench: Bench) -> Found:
    """40001 and 40003 while discrete input 10003 says that trajectories are fresh (with or without 10001)."""
    if bench.bits(1)[2]:
        for place, resource in enumerate(("SOLAR", "BESS")):
            shown = bench.cdab(1, 2 * place)
            if not _is_latest_dop(bench, resource, shown):
                yield f"4000{1 + 2 * place} with 10003", shown


def _is_latest_dop(bench: Bench, resource: str, shown: float) -> bool:
    for by_s in bench.instants(STALE_S):
        curve = bench.said.latest_curve(resource, by_s)
        if curve is None or abs(curve.points[-1][1] - shown) > TOLERANCE:
            continue
        if bench.now_s - curve.said_s <= CURVE_STALE_S + CLOCK_DOUBT_S and bench.now_s <= curve.points[-1][0] + CLOCK_DOUBT_S:
            return True
    return False


def is_latest_dop_by(bench: Bench, resource: str, by_s: float, shown: float) -> bool:
    """Whether a latest DOP is that of the newest curve by what CAISO had said by an instant."""
    curve = bench.said.latest_curve(resource, by_s)
    return curve is not None and abs(curve.points[-1][1] - shown) <= TOLERANCE


def classic_price(bench: Bench) -> Found:
    """40051 while discrete input 10006 says that prices are fresh."""
    if bench.bits(1)[5] and not _is_published(bench, shown := bench.cdab(1, 0x32)):
        yield "40051 with 10006", shown


def published_price(bench: Bench) -> Found:
    if bench.word(2, 180) == GOOD and not _is_published(bench, shown := bench.float32(2, 176)):
        yield "lmp_published_usd_per_mwh", shown


def _is_published(bench: Bench, shown: float) -> bool:
    published = (bench.said.published(by_s) for by_s in bench.instants(PRICE_STALE_S))
    return any(_costs(price, shown) and bench.now_s <= price.start_s + 300 + PRICE_STALE_S + 2 for price in published if price)


def active_price(bench: Bench) -> Found:
    if bench.word(2, 170) != GOOD:
        return
    shown = bench.float32(2, 172)
    prices = (bench.said.price(by_s, at_s) for by_s in bench.instants(PRICE_STALE_S) for at_s in bench.moments)
    if not any(_costs(price, shown) for price in prices):
        yield "lmp_active_usd_per_mwh", shown


def _costs(price: Price | None, shown: float) -> bool:
    return price is not None and price.usd is not None and abs(price.usd - shown) <= TOLERANCE


def dots(bench: Bench) -> Found:
    """The DOT of the schedule that is followed, and the hourly one, each with the start of its interval."""
    for name, quality, value, start, kinds in (
        ("dot", 100, 102, 104, OF_FIVE_MINUTE),
        ("hourly_dot", 140, 142, 144, OF_HOURLY),
    ):
        if bench.word(2, quality) != GOOD:
            continue
        shown = bench.float32(2, value), float(bench.uint32(2, start)) - bench.noon_s
        if not _is_dot(bench, kinds, *shown):
            yield f"{name}_mw", shown


def _is_dot(bench: Bench, kinds: frozenset[int], shown_mw: float, start_s: float) -> bool:
    return any(is_dot_by(bench, kinds, by_s, shown_mw, start_s) for by_s in bench.instants(STALE_S))


def is_dot_by(bench: Bench, kinds: frozenset[int], by_s: float, shown_mw: float, start_s: float) -> bool:
    """Whether a DOT was in force now by what CAISO had said by an instant."""
    found = (bench.said.dot(kinds, by_s, at_s) for at_s in bench.moments)
    return any(dot and abs(dot.mw - shown_mw) <= TOLERANCE and int(dot.start_s) == start_s for dot in found)


def set_point(bench: Bench) -> Found:
    """The ramp. It is made of several DOTs, each of which has news of its own: each as CAISO said it within the limit."""
    if bench.word(2, 120) == GOOD and not is_ramp(bench, shown := bench.float32(2, 122)):
        yield "set_point_mw", shown


def is_ramp(bench: Bench, shown: float) -> bool:
    """Whether a number is on a ramp through DOTs as they were said within the limit."""
    return any(
        _is_between(shown, [mix.set_point(bench.now_s, at_s) for at_s in bench.moments])
        for mix in chain([bench.said], bench.said.mixes(bench.instants(STALE_S)))
    )


def _is_between(shown: float, values: Sequence[float | None]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and min(known) - TOLERANCE <= shown <= max(known) + TOLERANCE


def trajectories(bench: Bench) -> Found:
    for name, block in (("SOLAR", 100), ("BESS", 200)):
        if bench.word(2, block + 50) == GOOD and not _is_trajectory(bench, name, shown := bench.float32(2, block + 52)):
            yield f"trajectory_mw of {name}", shown


def _is_trajectory(bench: Bench, resource: str, shown: float) -> bool:
    for by_s in bench.instants(STALE_S):
        curve = bench.said.latest_curve(resource, by_s)
        if curve is None or bench.now_s - curve.said_s > CURVE_STALE_S + CLOCK_DOUBT_S:
            continue
        bends = [at_s for at_s, _ in bench.said.curve(resource, by_s) if abs(at_s - bench.now_s) <= CLOCK_DOUBT_S]
        if _is_between(shown, [bench.said.trajectory(resource, by_s, at_s) for at_s in (*bench.moments, *bends)]):
            return True
    return False


def whole_numbers(bench: Bench) -> Found:
    """The same DOT as int16 times 100 and times 1000: a good one is the number, rounded, and never "no value"."""
    for unit, scale in ((3, 100), (4, 1000)):
        shown = bench.int16(unit, 1)
        if bench.word(unit, 0) != GOOD:
            continue
        found = (bench.said.dot(OF_FIVE_MINUTE, by_s, at_s) for by_s in bench.instants(STALE_S) for at_s in bench.moments)
        if shown == NO_INT16 or not any(dot and shown == round(dot.mw * scale) for dot in found):
            yield f"dot_mw as int16 times {scale}", shown


CHECKS: Sequence[Callable[[Bench], Found]] = (
    classic_dops,
    classic_price,
    published_price,
    active_price,
    dots,
    set_point,
    trajectories,
    whole_numbers,
)

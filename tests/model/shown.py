"""Shown: what one look after another shows. Two more rules, which no single look can break.

- What a gateway shows as good of the DOT in force, and of the latest DOP of each resource, never goes back to what CAISO had
  said before.
- At one moment, nothing that is uncertain becomes good unless a message came.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from model.forking import LIVE
from model.invariant import GOOD, STALE_S, Bench, Violation, is_dot_by, is_latest_dop_by
from model.said import OF_FIVE_MINUTE

UNCERTAIN = 64
QUALITIES = {100: "dot", 120: "set_point", 140: "hourly_dot", 150: "trajectory of SOLAR", 250: "trajectory of BESS"}


@dataclass
class Shown:
    """What was shown by one gateway since it started.

    Attributes:
        by_s: the earliest instant whose truth explains all DOTs that were shown as good, in their order.
        curves_by_s: the same of the latest DOPs of each resource.
        levels: each quality at the last look.
        count: how many messages had come by then.
    """

    by_s: float = float("-inf")
    curves_by_s: dict[str, float] = field(default_factory=dict)
    now_s: float = float("-inf")
    count: int = 0
    levels: dict[int, int] = field(default_factory=dict)

    def then(self, bench: Bench, taken: int) -> list[Violation]:
        """What is wrong with showing this after all that was shown before."""
        levels = {address: bench.word(2, address) for address in QUALITIES}
        same = (self.now_s, self.count) == (bench.now_s, taken)
        found = [
            Violation(f"{name}, by itself,", "good after uncertain", bench.now_s)
            for address, name in QUALITIES.items()
            if same and self.levels.get(address) == UNCERTAIN and levels[address] == GOOD
        ]
        self.levels, self.now_s, self.count = levels, bench.now_s, taken
        return [*found, *self._goes_back(bench), *self._curves_go_back(bench)]

    def _goes_back(self, bench: Bench) -> list[Violation]:
        if bench.word(2, 100) != GOOD:
            return []
        shown = bench.float32(2, 102), float(bench.uint32(2, 104)) - bench.noon_s
        instants = [by_s for by_s in (*bench.instants(STALE_S), self.by_s) if is_dot_by(bench, OF_FIVE_MINUTE, by_s, *shown)]
        ahead = [by_s for by_s in instants if by_s >= self.by_s]
        if ahead:
            self.by_s = min(ahead)
        return [Violation("dot_mw, after a newer one,", shown, bench.now_s)] if instants and not ahead else []

    def _curves_go_back(self, bench: Bench) -> Iterator[Violation]:
        for resource, block in (("SOLAR", 100), ("BESS", 200)):
            if bench.word(2, block + 59) != GOOD:
                continue
            shown, before_s = bench.float32(2, block + 54), self.curves_by_s.get(resource, float("-inf"))
            instants = [by_s for by_s in (*bench.instants(STALE_S), before_s) if is_latest_dop_by(bench, resource, by_s, shown)]
            ahead = [by_s for by_s in instants if by_s >= before_s]
            if ahead:
                self.curves_by_s[resource] = min(ahead)
            elif instants:
                yield Violation(f"latest_dop_mw of {resource}, after a newer one,", shown, bench.now_s)


LIVE.add(Shown)

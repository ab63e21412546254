"""Every fault at random on the real processes, and each register of a resource held against what CAISO said, while it is good.

    python bench/soak.py [SECONDS [SEED]]

Without arguments SOAK_S and SOAK_SEED say so, else two minutes and any seed, which is printed. A good register that shows what
CAISO did not say within the limit (`stale_after_s`, for prices `price_stale_after_s`, and a second) is wrong: then the exit
status is 1. So it is when a register was never good: what was not held against anything shows nothing.
"""

import contextlib
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the faults, and the parts that they happen to, are the tests'

from faults import caiso_rows, oasis_rows, process_rows
from faults.checks import CHECKS
from faults.display import Display
from faults.forcing import Row
from faults.noise import Noise
from faults.stack import FaultStack
from faults.truth import Verdict

SECONDS, READ_EVERY_S = 120.0, 0.15
HELD_S = (0.5, 12.0)
"""How long a fault is held: from less than a question to more than an interval and every limit but one."""
REST_S = (0.0, 12.0)
NOISE_MOST = 3
GROUPS = {
    "ADS": caiso_rows.ROWS,
    "OASIS": (*oasis_rows.ROWS, *oasis_rows.BY_CHANCE),
    "ingests": process_rows.INGEST_ROWS,
    "broker": process_rows.BROKER_ROWS,
    "gateway": process_rows.GATEWAY_ROWS,
}
TOGETHER = ("ADS", "OASIS")
"""Faults of these come at the same time, too; those of processes have the processes to themselves."""


@dataclass
class Tally:
    """What was read."""

    readings: int = 0
    silent: int = 0
    held_against: Counter[str] = field(default_factory=Counter)
    good: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[Verdict, str]] = field(default_factory=list)
    longest: dict[str, tuple[float, str]] = field(default_factory=dict)

    def note(self, display: Display, verdicts: list[Verdict], under: str) -> None:
        """Count a display. `under` are the faults at that moment."""
        self.readings += 1
        self.silent += display.is_silent
        self.good.update(name for name, column in display.columns.items() if column.level == "good")
        for verdict in verdicts:
            self.held_against[verdict.quantity] += 1
            if verdict.lag_s is None:
                self.wrong.append((verdict, under))
            elif verdict.lag_s > self.longest.get(verdict.quantity, (0.0, ""))[0]:
                self.longest[verdict.quantity] = verdict.lag_s, under


class Soak:
    """Injects faults in one thread and reads in another."""

    def __init__(self, stack: FaultStack, chance: random.Random) -> None:
        self._stack = stack
        self._chance = chance
        self._noise = Noise(stack.broker.port, chance)
        self._over = threading.Event()
        self.tally = Tally()
        stack.judged = self.tally.note
        self.injected: Counter[str] = Counter()
        self.problems: list[str] = []

    def run(self, seconds: float) -> None:
        """Inject until the time is over."""
        reader = threading.Thread(target=self._read)
        reader.start()
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                self._inject(min(self._chance.uniform(*HELD_S), until - time.monotonic()))
                time.sleep(self._chance.uniform(*REST_S))
        finally:
            self._over.set()
            reader.join()
            self._stack.wait_until_judged()
            self._noise.stop()

    def _inject(self, held_s: float) -> None:
        rows = self._chosen()
        names = [row.name for row in rows]
        self._stack.under = ", ".join(names)
        try:
            with ExitStack() as forced:
                for row in rows:
                    self.injected[row.name] += 1
                    forced.enter_context(row.force(self._stack))
                for _ in range(self._chance.randint(0, NOISE_MOST)):
                    names.append(self._chance.choice(sorted(self._noise.faults)))
                    self.injected[names[-1]] += 1
                    self._stack.under = ", ".join(names)
                    self._noise.faults[names[-1]]()
                time.sleep(max(held_s, 0))
        except (
            AssertionError,
            OSError,
            KeyError,
            StopIteration,
            RuntimeError,
        ) as problem:  # what is missing is started again below
            self.problems.append(f"{self._stack.under}: {type(problem).__name__}: {problem}"[:300])
        self._stack.plant.start_missing()
        self._stack.under = f"after {self._stack.under}"

    def _chosen(self) -> list[Row]:
        group = self._chance.choice(list(GROUPS))
        if group in TOGETHER:
            return [self._chance.choice(GROUPS[each]) for each in self._chance.sample(TOGETHER, self._chance.randint(1, 2))]
        return [self._chance.choice(GROUPS[group])]

    def _read(self) -> None:
        while not self._over.wait(READ_EVERY_S):
            self._stack.display()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[FaultStack]:
    """A stack at work."""
    stack = FaultStack(folder)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def report(soak: Soak, seconds: float, seed: int) -> None:
    """Print what was found."""
    tally, kinds = soak.tally, len(soak.injected)
    print(f"{seconds:.0f} s, seed {seed}: {sum(soak.injected.values())} faults of {kinds} kinds, {tally.readings} readings")
    held, wrong = tally.held_against, len(tally.wrong)
    print(f"  {held.total():,} good values held against CAISO's word, {wrong} wrong; {tally.silent} readings unanswered")
    print("  of each: " + ", ".join(f"{check.quantity} {held[check.quantity]:,}" for check in CHECKS))
    for quantity, (lag_s, under) in sorted(tally.longest.items()):
        print(f"  longest lag of a good {quantity}: {lag_s:.1f} s ({under or 'no fault'})")
    for name, count in sorted(tally.good.items()):
        print(f"  {name} good {count / max(tally.readings, 1):.0%} of the time")
    print("  faults: " + ", ".join(f"{name} {count}" for name, count in sorted(soak.injected.items())))
    for verdict, under in tally.wrong[:20]:
        print(f"  WRONG {verdict.quantity} {verdict.shown}, CAISO said {verdict.expected} ({under})")
    for problem in soak.problems:
        print(f"  not forced: {problem}")


def never_good(tally: Tally) -> list[str]:
    """The registers that were not held against anything."""
    found = [check.quantity for check in CHECKS if not tally.held_against[check.quantity]]
    if found:
        print(f"  never good: {', '.join(found)}")
    return found


def main() -> int:
    """Run for the time that was asked for."""
    seconds = float(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SOAK_S", SECONDS))
    given = dict(enumerate(sys.argv)).get(2) or os.environ.get("SOAK_SEED")
    seed = int(given) if given else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as stack:
        soak = Soak(stack, random.Random(seed))
        soak.run(seconds)
        report(soak, seconds, seed)
        return 1 if soak.tally.wrong or never_good(soak.tally) else 0


if __name__ == "__main__":
    sys.exit(main())

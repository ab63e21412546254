"""Everything that runs is killed, frozen, cut off, robbed of its disk and lied to, under load, and nothing is lost or doubled.

    python bench/chaos.py [KILLS [SEED]]

200 kills and any seed unless told. The seed is printed; given again it repeats what is done, though not the moments at which
it strikes. At the end the database is held against all that the simulated CAISO told. Where they differ the status is 1, and
all that was done is printed.
"""

import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1] / "tests")  # the parts are the tests'; and programs here are named as packages

from chaos.run import Outcome, Run  # noqa: E402  # found by the line above
from chaos.stack import Stack  # noqa: E402  # likewise

KILLS = 200
DISK_MB = 4096
EVENTS_A_SECOND = 400.0
TAKEOVERS = 4


def report(outcome: Outcome) -> None:
    """Print what was done and found."""
    print(f"seed {outcome.seed}: {outcome.kills} kills among {len(outcome.done)} strikes in {outcome.lasted_s:.0f} s")
    print("  rows: " + ", ".join(f"{name} {count}" for name, count in outcome.counts.items()))
    print("  CAISO: " + ", ".join(f"{name} {count}" for name, count in outcome.changes.items()))
    print(f"  revisions that CAISO replaced before they could be kept: {outcome.excused}")
    kinds = Counter(name.strip() for line in outcome.done for name in line.partition(": ")[2].partition(" for ")[0].split(","))
    print("  done: " + ", ".join(f"{name} {count}" for name, count in sorted(kinds.items())))
    longest_s, what = max(outcome.catch_ups_s, default=(0.0, ""))
    print(f"  longest until everything was there after a strike: {longest_s:.1f} s ({what.strip()})")
    takeovers = ", ".join(f"{seconds:.1f}" for seconds in outcome.takeovers_s)
    print(f"  one of two historians dies, until the other has each event: at most {takeovers} s")
    print(f"  settled: events within {outcome.settled_s:.0f} s, prices within {outcome.prices_settled_s:.0f} s")
    print(f"  faults: {len(outcome.faults)}")


def tell_what_was_done(outcome: Outcome, folder: Path) -> None:
    """For whoever looks for the cause."""
    print(f"logs are in {folder}")
    print("what was done:", *outcome.done, sep="\n  ")
    print("what is wrong:", *outcome.faults, sep="\n  ")


def main() -> int:
    """Run until so many were killed. The files and logs of a run that fails are kept."""
    kills, seed = (*map(int, sys.argv[1:]), *(KILLS, random.SystemRandom().randrange(10**6))[len(sys.argv) - 1 :])
    print(f"seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    with Stack(folder, disk_mb=DISK_MB, rate=EVENTS_A_SECOND, seed=seed) as stack:
        run = Run(stack, seed)
        try:
            outcome = run.run(kills, TAKEOVERS)
        except BaseException:
            tell_what_was_done(run.outcome, folder)
            raise
    report(outcome)
    if outcome.faults:
        tell_what_was_done(outcome, folder)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

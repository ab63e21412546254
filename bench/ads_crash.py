"""ads_ingest is killed again and again under a stream of batches of which CAISO gives three questions in ten no answer.

    python bench/ads_crash.py [KILLS [BROKER_KILLS [SEED]]]

200 kills of ads_ingest and 20 of the broker, in random order at random moments, unless told. The parts and the judge are those
of bench/chaos.py: at the end every instruction, point and compliance record that the simulated CAISO gave out must be in the
database once, and nothing else. Where it is not the status is 1, and all that was done is printed.
"""

import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1] / "tests")  # the parts are the tests'; and programs here are named as packages

from chaos.run import Outcome, Run  # noqa: E402  # found by the line above
from chaos.stack import Stack  # noqa: E402  # likewise

KILLS, BROKER_KILLS = 200, 20
FAULTS = {"http_503": 0.2, "soap_fault": 0.05, "cut": 0.05}
"""The share of ADS' answers that are one of these."""
DISK_MB = 2048
EVENTS_A_SECOND = 20.0
HELD_S, REST_S = (0.02, 1.0), (0.3, 3.0)


def report(outcome: Outcome) -> None:
    """Print what was done and found."""
    print(f"seed {outcome.seed}: {outcome.kills} kills in {outcome.lasted_s:.0f} s, faults {FAULTS}")
    print("  rows: " + ", ".join(f"{name} {count}" for name, count in outcome.counts.items()))
    print("  CAISO: " + ", ".join(f"{name} {count}" for name, count in outcome.changes.items()))
    print(f"  revisions that CAISO replaced before they could be kept: {outcome.excused}")
    print(*(line for line in outcome.done if ": looked: " in line), sep="\n")
    print(f"  after the last kill every event agreed within {outcome.settled_s:.0f} s")
    print(f"  the look at all prices ended after {outcome.prices_settled_s:.0f} s; faults: {len(outcome.faults)}")


def main() -> int:
    """Run until so many were killed. The files and logs of a run that fails are kept."""
    given = [int(argument) for argument in sys.argv[1:]]
    kills, broker_kills, seed = (*given, *(KILLS, BROKER_KILLS, random.SystemRandom().randrange(10**6))[len(given) :])
    folder = Path(tempfile.mkdtemp(prefix="crash-"))
    with Stack(folder, disk_mb=DISK_MB, rate=EVENTS_A_SECOND, seed=seed) as stack:

        def begin() -> None:
            for fault, share in FAULTS.items():
                if not stack.ask_simulator("/faults", service="ads", fault=fault, share=share):
                    raise SystemExit(f"the simulator does not take the fault {fault}")

        wanted = {"kill ads_ingest": kills, "kill broker": broker_kills}
        outcome = Run(stack, seed).run_only(wanted, HELD_S, REST_S, begin)
    report(outcome)
    if outcome.faults:
        print(f"logs are in {folder}", "what was done:", *outcome.done, "what is wrong:", *outcome.faults, sep="\n  ")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

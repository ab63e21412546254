"""Everything that runs is killed, frozen, cut off and lied to, under load: the short form of bench/chaos.py."""

from pathlib import Path

import pytest
from chaos.run import Run
from chaos.stack import Stack

pytestmark = pytest.mark.e2e

SEED, KILLS, TAKEOVERS = 20261125, 16, 1


def test_what_caiso_told_is_in_the_database_once_whatever_breaks_meanwhile(tmp_path: Path):
    with Stack(tmp_path, disk_mb=1024, rate=150.0, seed=SEED) as stack:
        run = Run(stack, SEED)
        outcome = run.run(KILLS, TAKEOVERS)
    assert outcome.kills >= KILLS
    assert outcome.faults == [], "\n".join([f"seed {SEED}", *outcome.done])

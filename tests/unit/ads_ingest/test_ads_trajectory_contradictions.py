"""Trajectories that are equally new and say different things of one resource are in doubt until a newer one, in any order."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from ads_bench import INSTALLATION, MINUTE, Bench, trajectory
from ads_two_accounts import NAMES, Two

from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Trajectory

IN_DOUBT = ("incomplete",)
FIRST = trajectory("T1", 0, (0, 10), (5, 20), (10, 30))
ADVISORY = FIRST[0], FIRST[1].replace("<dopList>", "<bindingFlag>N</bindingFlag><dopList>")
OTHERS = {
    "another batch received at the same time": trajectory("T2", 0, (2, 25), (7, 45)),
    "another batch received at the same time, for later": trajectory("T2", 0, (20, 25)),
    "the same batch with other megawatts": trajectory("T1", 0, (0, 10), (5, 21), (10, 30)),
    "the same batch with a point less": trajectory("T1", 0, (0, 10), (5, 20)),
    "the same batch received a second later": trajectory("T1", 1 / 60, (0, 10), (5, 21), (10, 30)),
    "the same batch as advisory": ADVISORY,
}
BOTH_ORDERS = pytest.mark.parametrize("order", [NAMES, NAMES[::-1]])
CONTRADICTING = pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    made = Two(tmp_path)
    yield made
    made.outbox.close()


def curve(two: Two) -> Trajectory:
    return decode_as(two.outbox.states()[INSTALLATION.topics.trajectory("north", "R1")], Trajectory)


def drawn(state: Trajectory) -> tuple[object, ...]:
    return state.points, state.latest, state.reasons


@CONTRADICTING
def test_trajectories_of_one_document_that_are_equally_new_and_differ_are_in_doubt_in_any_order(
    tmp_path: Path, other: tuple[str, str]
) -> None:
    seen = []
    for number, listed in enumerate(permutations([FIRST, other])):
        folder = tmp_path / str(number)
        folder.mkdir()
        bench = Bench(folder)
        bench.ads.trajectories = list(listed)
        bench.trajectory.round()
        seen.append(drawn(bench.curve()))
        assert len(bench.outbox.events_of("trajectory/")) == 2, "both are told"
        bench.restart()
        bench.ads.trajectories.append(trajectory("T0", -1, (0, 1.0)))
        bench.now += MINUTE
        bench.trajectory.round()
        assert bench.curve().reasons == IN_DOUBT, "a restart and an older one settle nothing"
        bench.ads.trajectories.append(trajectory("T3", 1, (0, 50)))
        bench.now += MINUTE
        bench.trajectory.round()
        assert ([point.dop_mw for point in bench.curve().points], bench.curve().reasons) == ([50.0], ())
        bench.outbox.close()
    assert seen[0] == seen[1]
    assert seen[0][2] == IN_DOUBT


def test_a_trajectory_that_is_listed_twice_is_one(bench: Bench) -> None:
    bench.ads.trajectories = [FIRST, FIRST]
    bench.trajectory.round()
    assert ([point.dop_mw for point in bench.curve().points], bench.curve().reasons) == ([10.0, 20.0, 30.0], ())
    assert len(bench.outbox.events_of("trajectory/")) == 1


@BOTH_ORDERS
@CONTRADICTING
def test_accounts_that_are_told_a_trajectory_differently_are_in_doubt_until_a_newer_one(
    two: Two, order: tuple[str, ...], other: tuple[str, str]
) -> None:
    two.ads["east"].trajectories, two.ads["west"].trajectories = [FIRST], [other]
    for _ in range(3):
        two.round(MINUTE, order)
        assert curve(two).reasons == IN_DOUBT
    two.restart()
    two.round(MINUTE, order)
    assert curve(two).reasons == IN_DOUBT
    assert len(two.outbox.events_of("trajectory/")) == 2, "both are told"
    for ads in two.ads.values():
        ads.trajectories.append(trajectory("T3", 1, (0, 50)))
    for _ in range(2):
        two.round(MINUTE, order)
    assert ([point.dop_mw for point in curve(two).points], curve(two).reasons) == ([50.0], ())


@BOTH_ORDERS
def test_accounts_that_are_told_the_same_trajectory_agree(two: Two, order: tuple[str, ...]) -> None:
    for ads in two.ads.values():
        ads.trajectories = [FIRST]
    for _ in range(8):
        two.round(MINUTE, order)
        assert curve(two).reasons == ()

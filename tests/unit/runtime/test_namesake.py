"""Two of one name: the one that started later steps back, the other goes on; in whatever order they drop each other."""

from datetime import timedelta

import pytest
from gateway_story import at, status
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.namesake import TOLD_FOR, Namesake

NAME = {"service": "modbus_gateway", "instance": "main"}


def said(started_s: float, time_s: float, *, online: bool = True) -> ServiceStatus:
    return status(time_s, started_at=at(started_s), online=online, upstreams=(), **NAME)


class Process:
    """One gateway, as the broker and its own thread have it act."""

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.known = Namesake(at(started_s))


class Broker:
    """Lets one of a name in at a time, publishes the will of who is dropped, and keeps the last status."""

    def __init__(self, *, says_why: bool) -> None:
        self.says_why = says_why
        self.inside: Process | None = None
        self.retained: ServiceStatus | None = None
        self.drops: dict[float, int] = {}

    def connect(self, process: Process, now_s: float) -> None:
        if self.inside is not None and self.inside is not process:
            dropped, self.inside = self.inside, None
            self.retained = said(dropped.started_s, dropped.started_s, online=False)
            count = self.drops[dropped.started_s] = self.drops.get(dropped.started_s, 0) + 1
            if self.says_why or count % 3 == 0:
                dropped.known = dropped.known.dropped()
        self.inside = process
        if self.retained:
            process.known = process.known.heard(self.retained, at(now_s))

    def speak(self, process: Process, now_s: float) -> None:
        if self.inside is process and not process.known.steps_back:
            self.retained = said(process.started_s, now_s)
            process.known = process.known.heard(self.retained, at(now_s))


@pytest.mark.parametrize("says_why", [True, False])
@settings(max_examples=200, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 1), st.booleans()), min_size=0, max_size=30), later_s=st.floats(0.001, 1e6))
def test_the_later_one_steps_back_and_the_other_never_does(says_why: bool, steps: list[tuple[int, bool]], later_s: float):  # noqa: FBT001
    both, broker, now_s = [Process(0), Process(later_s)], Broker(says_why=says_why), later_s
    fair = [(i % 2, True) for i in range(20)]
    for number, speaks in [*steps, *fair]:
        now_s += 1
        if not both[number].known.steps_back:
            broker.connect(both[number], now_s)
            if speaks:
                broker.speak(both[number], now_s)
    assert both[1].known.steps_back
    assert not both[0].known.steps_back
    assert broker.inside is both[0]


def test_what_an_earlier_run_of_ours_left_on_the_topic_has_nobody_step_back():
    known = Namesake(at(0)).heard(said(-100, -50), at(1)).dropped()
    assert not known.steps_back
    assert not known.heard(said(0, 2), at(2)).steps_back


def test_a_drop_by_somebody_who_says_nothing_has_nobody_step_back():
    assert not Namesake(at(0)).heard(said(0, 1), at(1)).dropped().dropped().steps_back


def test_a_status_that_somebody_forged_has_nobody_step_back_while_nobody_drops_us():
    assert not Namesake(at(0)).heard(said(0, 1), at(1)).heard(said(-5, 2), at(2)).steps_back


def test_the_one_that_goes_on_says_so_for_a_while():
    known = Namesake(at(0)).heard(said(0, 1), at(1)).dropped().heard(said(9, 10), at(10))
    assert "INSTANCE" in known.complaint("modbus_gateway/main", at(11))
    assert not known.complaint("modbus_gateway/main", at(11) + TOLD_FOR + timedelta(seconds=1))
    assert not known.steps_back

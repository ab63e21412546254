"""The database counts as well only while no work fails, whatever else of it still answers."""

import threading
from collections.abc import Callable, Sequence

import pytest

from dotbus.runtime.health import UpstreamHealth
from dotbus.testing.samples import AT
from historian.database import StatementRefused, StoreUnavailable
from historian.write.persistence import RETRY_MOST_S, WAKE_EVERY_S, Persistence


class Stop(threading.Event):
    """Nobody tells anybody to stop, and every pause is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.paused_s = 0.0
        self.meanwhile: Callable[[], None] = lambda: None

    def wait(self, timeout: float | None = None) -> bool:
        self.paused_s += timeout or 0.0
        self.meanwhile()
        return self.is_set()


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def health() -> UpstreamHealth:
    return UpstreamHealth("database")


@pytest.fixture
def persistence(health: UpstreamHealth, stop: Stop) -> Persistence:
    return Persistence(health, clock=lambda: AT, stop=stop)


def failing(causes: Sequence[str | None]) -> Callable[[int], str]:
    """Work that fails so, one cause a try; None is a success."""

    def work(failures: int) -> str:
        cause = causes[failures]
        if cause:
            raise StoreUnavailable(cause)
        return "done"

    return work


def test_what_still_answers_does_not_make_well_what_fails(persistence, health):
    seen = []

    def work(failures: int) -> None:
        persistence.insist(failing([None]))  # such as the look for gaps, each second
        seen.append((health.snapshot().ok, health.failures_in_a_row))
        if failures < 3:
            raise StoreUnavailable("permission denied")

    persistence.insist(work)
    assert seen == [(True, 0), (False, 1), (False, 2), (False, 3)]
    assert (health.snapshot().ok, health.failures_in_a_row) == (True, 0)


def test_work_that_the_database_refuses_for_good_fails_no_longer(persistence, health):
    def work(failures: int) -> None:
        raise StatementRefused("never") if failures else StoreUnavailable("away")

    with pytest.raises(StatementRefused):
        persistence.insist(work)
    assert not health.snapshot().ok
    persistence.insist(failing([None]))
    assert health.snapshot().ok


def test_a_cause_is_told_once_until_the_database_is_well(persistence, capsys):
    for _ in range(2):
        persistence.insist(failing(["one", "two", "one", "two", None]))
    told = capsys.readouterr().out
    assert [told.count(words) for words in ("cause=one", "cause=two", "the database is back")] == [2, 2, 2]


def test_no_pause_is_longer_than_a_few_seconds(persistence, stop):
    persistence.insist(failing([*["away"] * 100, None]))
    assert stop.paused_s <= 100 * RETRY_MOST_S
    assert RETRY_MOST_S <= 5


def test_what_waits_tries_again_as_soon_as_other_work_has_the_database_again(persistence, stop):
    def other_work_recovers() -> None:
        stop.meanwhile = lambda: None
        persistence.insist(failing(["away", None]))
        stop.paused_s = 0.0

    def work(failures: int) -> None:
        if failures == 20:
            stop.meanwhile = other_work_recovers
        if failures < 21:
            raise StoreUnavailable("away")

    persistence.insist(work)
    assert stop.paused_s <= WAKE_EVERY_S


def test_what_ends_because_it_was_told_to_stop_is_no_fault_of_the_database(persistence, health, stop):
    persistence.insist(failing([None]))

    def work(_failures: int) -> None:
        stop.set()
        raise StoreUnavailable("told to stop")

    assert persistence.insist(work) is None
    assert health.snapshot().ok

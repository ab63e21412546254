import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ads_ingest.caiso import Unanswered
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.service import AGAIN_LEAST_S, RETRY_MOST_S, FollowedStream, Loop
from caiso.ads.errors import AdsFailure, CutShort, Malformed, TimedOut
from caiso.ads.records import Question
from dotbus.runtime.quarantine import Quarantine
from dotbus.runtime.schedule import utc_now

T0 = datetime(2026, 3, 1, tzinfo=UTC)
ASKED = Question("getDispatchBatch", "B1")


class Scripted:
    """A stream that does what it is told, round by round."""

    def __init__(self, *rounds: Callable[[], Unanswered]) -> None:
        self._rounds = list(rounds)

    def round(self) -> Unanswered:
        return self._rounds.pop(0)()


def fine() -> Unanswered:
    return Unanswered()


def away() -> Unanswered:
    raise TimedOut(ASKED, "no reply within 30 s")


def partly() -> Unanswered:
    failures: list[AdsFailure] = [Malformed(ASKED, "not XML", b"<raw"), CutShort(ASKED, "cut", b"<half")]
    return Unanswered(failures, failures)


def not_asked_again_yet() -> Unanswered:
    return Unanswered((), [Malformed(ASKED, "not XML", b"<raw")])


def full() -> Unanswered:
    raise sqlite3.OperationalError("disk is full")


def broken() -> Unanswered:
    raise ZeroDivisionError("nobody thought of it")


def followed(folder: Path, *rounds: Callable[[], Unanswered], seen: list[str] | None = None) -> FollowedStream:
    return FollowedStream(
        "ads_dispatch",
        Scripted(*rounds),
        QuarantineLog(Quarantine(folder / "quarantine", 10**6)),
        clock=lambda: T0,
        clock_offset_s=lambda: 0.25,
        failed=lambda failure: seen.append(failure.kind) if seen is not None else None,
    )


def test_a_good_round_is_a_success_with_the_clock_offset(tmp_path: Path) -> None:
    stream = followed(tmp_path, fine)
    assert stream.follow()
    health = stream.health.snapshot()
    assert (health.name, health.ok, health.last_ok_at, health.clock_offset_s) == ("ads_dispatch", True, T0, 0.25)


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        (away, "getDispatchBatch(B1): timed out: no reply within 30 s"),
        (broken, "unforeseen: ZeroDivisionError('nobody thought of it')"),
        (full, "outbox: disk is full"),
    ],
)
def test_every_failure_is_in_the_health_with_its_cause(tmp_path: Path, trouble: Callable[[], Unanswered], cause: str) -> None:
    stream = followed(tmp_path, trouble)
    assert not stream.follow()
    health = stream.health.snapshot()
    assert (health.ok, health.last_error, health.failures_in_a_row) == (False, cause, 1)


def test_raw_bytes_are_quarantined_once_until_all_is_well_again(tmp_path: Path) -> None:
    seen: list[str] = []
    stream = followed(tmp_path, partly, partly, not_asked_again_yet, fine, partly, seen=seen)

    def kept() -> list[bytes]:
        folder = tmp_path / "quarantine"
        return sorted({path.read_bytes() for path in folder.iterdir()}) if folder.exists() else []

    stream.follow()
    stream.follow()
    assert kept() == [b"<half", b"<raw"]
    assert seen == ["malformed", "cut short"] * 2
    (tmp_path / "quarantine").rename(tmp_path / "looked-at")
    stream.follow()
    assert kept() == [], "it is the same failure still"
    stream.follow()
    stream.follow()
    assert kept() == [b"<half", b"<raw"]


class Waiting:
    """A loop whose pauses pass at once."""

    def __init__(self, *streams: FollowedStream, poll_s: float = 10.0, jitter: float = 0.0) -> None:
        self.now_s = 0.0
        self._loop = Loop(streams, poll_s, chance=lambda: jitter, clock=utc_now, monotonic_s=lambda: self.now_s)

    def turn(self) -> float:
        pause_s = self._loop.turn(threading.Event())
        self.now_s += pause_s
        return pause_s


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_the_pause_grows_with_failures_and_never_vanishes(tmp_path: Path, jitter: float) -> None:
    loop = Waiting(followed(tmp_path, fine, *[away] * 12, fine), jitter=jitter)
    pauses = [loop.turn() for _ in range(14)]
    assert pauses[0] == pytest.approx(10.0)
    assert pauses[-1] == pytest.approx(10.0)
    failing = pauses[1:-1]
    assert all(later >= sooner - 1e-6 for sooner, later in pairwise(failing))
    assert failing[0] >= 1.0
    assert failing[-1] == pytest.approx(RETRY_MOST_S * (1 - jitter / 2))


def test_a_single_batch_that_cannot_be_had_slows_nothing_down_and_is_told_in_the_status_of_an_upstream_that_is_well(
    tmp_path: Path,
) -> None:
    stream = followed(tmp_path, partly, not_asked_again_yet, fine)
    loop = Waiting(stream)
    for _ in range(2):
        assert loop.turn() == 10.0
        health = stream.health.snapshot()
        assert health.ok
        assert str(health.complaints[0]).startswith("getDispatchBatch(B1): malformed: not XML")


@pytest.mark.parametrize(
    ("again_in_s", "pause_s"), [(1.5, 1.5), (60.0, 10.0), (-5.0, AGAIN_LEAST_S)], ids=["soon", "after the round", "long due"]
)
def test_what_one_question_did_not_bring_is_asked_for_in_its_own_time_and_never_at_once(
    tmp_path: Path, again_in_s: float, pause_s: float
) -> None:
    again_at = T0 + timedelta(seconds=again_in_s)
    stream = followed(tmp_path, lambda: Unanswered(again_at=again_at), fine)
    loop = Loop([stream], 10.0, chance=lambda: 0.0, clock=lambda: T0, monotonic_s=lambda: 0.0)

    assert loop.turn(threading.Event()) == pytest.approx(pause_s)


def test_a_stream_that_caiso_does_not_answer_waits_and_the_other_is_asked_as_often_as_before(tmp_path: Path) -> None:
    asked_at: list[float] = []

    def note() -> Unanswered:
        asked_at.append(loop.now_s)
        return Unanswered()

    loop = Waiting(followed(tmp_path, *[note] * 20), followed(tmp_path, *[away] * 40))
    while len(asked_at) < 20:
        loop.turn()
    assert asked_at == [10.0 * number for number in range(20)]


def test_a_failing_stream_does_not_keep_the_other_from_its_turn(tmp_path: Path) -> None:
    first, second = followed(tmp_path, full), followed(tmp_path, fine)
    Loop([first, second], 10.0, chance=lambda: 0.0, clock=utc_now).turn(threading.Event())
    assert second.health.snapshot().ok


def test_told_to_stop_it_turns_no_more() -> None:
    stop = threading.Event()
    turned: list[int] = []

    def note() -> None:
        turned.append(1)
        stop.set()

    Loop([followed(Path(), fine)], 0.1, chance=lambda: 0.0, turned=note, clock=utc_now).run(stop)
    assert turned == [1]

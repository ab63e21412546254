import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ads_ingest.evidence import Evidence
from ads_ingest.faults import AdsFailure, CutShort, Malformed, TimedOut
from ads_ingest.records import Question
from ads_ingest.service import RETRY_MOST_S, FollowedStream, Loop
from dotbus.runtime.quarantine import Quarantine
from dotbus.runtime.schedule import utc_now

T0 = datetime(2026, 3, 1, tzinfo=UTC)
ASKED = Question("getDispatchBatch", "B1")


class Scripted:
    """A stream that does what it is told, round by round."""

    def __init__(self, *rounds: Callable[[], list[AdsFailure]]) -> None:
        self._rounds = list(rounds)

    def round(self) -> list[AdsFailure]:
        return self._rounds.pop(0)()


def fine() -> list[AdsFailure]:
    return []


def away() -> list[AdsFailure]:
    raise TimedOut(ASKED, "no reply within 30 s")


def partly() -> list[AdsFailure]:
    return [Malformed(ASKED, "not XML", b"<raw"), CutShort(ASKED, "cut", b"<half")]


def full() -> list[AdsFailure]:
    raise sqlite3.OperationalError("disk is full")


def followed(folder: Path, *rounds: Callable[[], list[AdsFailure]], seen: list[str] | None = None) -> FollowedStream:
    return FollowedStream(
        "ads_dispatch",
        Scripted(*rounds),
        Evidence(Quarantine(folder / "quarantine", 10**6)),
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
        (partly, "getDispatchBatch(B1): malformed: not XML"),
        (full, "outbox: disk is full"),
    ],
)
def test_every_failure_is_in_the_health_with_its_cause(
    tmp_path: Path, trouble: Callable[[], list[AdsFailure]], cause: str
) -> None:
    stream = followed(tmp_path, trouble)
    assert not stream.follow()
    health = stream.health.snapshot()
    assert (health.ok, health.last_error, health.failures_in_a_row) == (False, cause, 1)


def test_raw_bytes_are_quarantined_once_until_all_is_well_again(tmp_path: Path) -> None:
    seen: list[str] = []
    stream = followed(tmp_path, partly, partly, fine, partly, seen=seen)

    def kept() -> list[bytes]:
        return sorted({path.read_bytes() for path in (tmp_path / "quarantine").iterdir()})

    stream.follow()
    stream.follow()
    assert kept() == [b"<half", b"<raw"]
    assert seen == ["malformed", "cut short"] * 2
    (tmp_path / "quarantine").rename(tmp_path / "looked-at")
    stream.follow()
    stream.follow()
    assert kept() == [b"<half", b"<raw"]


def test_the_pause_grows_with_failures_and_never_vanishes(tmp_path: Path) -> None:
    for jitter in (0.0, 1.0):
        stream = followed(tmp_path, fine, *[away] * 12, fine)
        loop = Loop([stream], 10.0, chance=lambda: jitter, clock=utc_now)  # noqa: B023  # used before the next one
        pauses = [loop.turn(threading.Event()) for _ in range(14)]
        assert pauses[0] == pauses[-1] == 10.0
        failing = pauses[1:-1]
        assert failing == sorted(failing)
        assert failing[0] >= 1.0
        assert failing[-1] == RETRY_MOST_S * (1 - jitter / 2)


def test_a_single_batch_that_cannot_be_had_slows_nothing_down(tmp_path: Path) -> None:
    def one_missing() -> list[AdsFailure]:
        return [Malformed(ASKED, "not XML", b"<raw")]

    stream = followed(tmp_path, one_missing, one_missing)
    loop = Loop([stream], 10.0, chance=lambda: 0.0, clock=utc_now)
    assert [loop.turn(threading.Event()) for _ in range(2)] == [10.0, 10.0]
    assert not stream.health.snapshot().ok


def test_an_outage_in_the_middle_of_a_round_slows_the_next_questions_down(tmp_path: Path) -> None:
    def cut_off() -> list[AdsFailure]:
        return [Malformed(ASKED, "not XML", b"<raw"), TimedOut(ASKED, "no reply within 30 s")]

    loop = Loop([followed(tmp_path, cut_off, cut_off, fine)], 1.0, chance=lambda: 0.0, clock=utc_now)
    first, second, after = (loop.turn(threading.Event()) for _ in range(3))
    assert 1.0 <= first < second
    assert after == 1.0


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

"""A CAISO that was away for longer than it keeps batches: what is missing is told, and is an event, once."""

import sqlite3
from datetime import datetime, timedelta

import pytest
from ads_bench import MINUTE, T0, Bench, batch, timed_out, trajectory

from ads_ingest.batches.outages import Followed, Missed, Outages, missed
from ads_ingest.translate import Sender
from caiso.ads.errors import TimedOut
from dotbus.contracts.messages import UpstreamGap

HOUR = timedelta(hours=1)
DISPATCHES = "CAISO was not heard for longer than it keeps batches: dispatch batches of %s to %s are missing"


def told(gap: UpstreamGap) -> tuple[str, str | None, datetime, datetime]:
    return gap.upstream, gap.account, gap.missing_from, gap.missing_until


@pytest.mark.parametrize(
    ("heard_at", "now", "gap"),
    [
        (None, T0, None),
        (T0, T0 + 24 * HOUR, None),
        (T0, T0 + 25 * HOUR, Missed(T0, T0 + HOUR)),
        (T0, T0 - 48 * HOUR, None),
    ],
)
def test_missing_is_what_caiso_had_before_all_that_it_still_has(
    heard_at: datetime | None, now: datetime, gap: Missed | None
) -> None:
    assert missed(heard_at, now) == gap


@pytest.mark.parametrize("restarts", [False, True])
def test_an_outage_longer_than_caiso_keeps_batches_is_an_event_of_each_stream(bench: Bench, *, restarts: bool) -> None:
    bench.ads.batches = [batch(1)]
    bench.dispatch.round()
    bench.trajectory.round()
    bench.later(30 * HOUR)
    if restarts:
        bench.restart()
    bench.ads.batches = [batch(2, at=bench.now)]
    bench.ads.trajectories = [trajectory("T1", 1800, (1805, 1.0))]
    bench.dispatch.round()
    bench.trajectory.round()
    gap = (None, T0, T0 + 6 * HOUR)
    assert [told(event) for event in bench.gaps()] == [("ads_dispatch", *gap), ("ads_trajectory", *gap)]
    assert bench.gaps()[0].detail == DISPATCHES % ("2026-03-01T12:00:00Z", "2026-03-01T18:00:00Z")
    assert bench.gaps()[0].time == bench.now


def test_an_outage_is_one_event_however_often_caiso_answers_after_it(bench: Bench) -> None:
    bench.dispatch.round()
    for _ in range(3):
        bench.later(30 * HOUR)
        for _ in range(3):
            bench.round(MINUTE)
        bench.restart()
    assert len(bench.gaps()) == 3


def test_questions_without_an_answer_make_an_outage_longer(bench: Bench) -> None:
    bench.dispatch.round()
    bench.trajectory.round()
    bench.ads.troubles["getDispatchBatchesSinceUID", None] = timed_out
    for _ in range(30):
        bench.later(HOUR)
        bench.trajectory.round()
        with pytest.raises(TimedOut):
            bench.dispatch.round()
    del bench.ads.troubles["getDispatchBatchesSinceUID", None]
    bench.dispatch.round()
    assert [told(event) for event in bench.gaps()] == [("ads_dispatch", None, T0, T0 + 6 * HOUR)]


def test_an_outage_that_caiso_remembers_leaves_nothing_out(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.dispatch.round()
    bench.later(24 * HOUR)
    bench.ads.batches.append(batch(2, at=bench.now))
    assert bench.dispatch.round().alarms == ()
    assert bench.gaps() == []


@pytest.mark.parametrize("restarts", [False, True])
def test_an_outage_is_an_alarm_for_a_day_or_until_a_later_one(bench: Bench, *, restarts: bool) -> None:
    bench.trajectory.round()
    bench.later(30 * HOUR)
    assert bench.trajectory.round().alarms == (bench.gaps()[0].detail,)
    if restarts:
        bench.restart()
    bench.later(23 * HOUR)
    assert len(bench.trajectory.round().alarms) == 1
    bench.later(2 * HOUR)
    assert bench.trajectory.round().alarms == ()
    bench.later(25 * HOUR)
    assert bench.trajectory.round().alarms == (bench.gaps()[1].detail,)


def test_a_process_that_ends_after_the_event_makes_no_second_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.dispatch.round()
    bench.later(30 * HOUR)
    with monkeypatch.context() as dying:
        dying.setattr(bench.outbox, "keep_note", cannot_keep)
        with pytest.raises(sqlite3.OperationalError):
            bench.dispatch.round()
    bench.restart()
    bench.round(MINUTE)
    bench.round(30 * MINUTE)
    assert [told(event) for event in bench.gaps()] == [("ads_dispatch", None, T0, T0 + 6 * HOUR)]


def cannot_keep(*_what: object) -> None:
    raise sqlite3.OperationalError("the process is gone")


def test_a_clock_of_ours_that_is_set_makes_no_outage_while_caiso_says_the_time(bench: Bench) -> None:
    outages = Outages(followed("ads_dispatch", None), bench.outbox, sender(bench), committed=bench.count_commit)
    outages.note_heard(T0, T0)
    outages.note_heard(T0 + 48 * HOUR, T0 + MINUTE)
    outages.note_heard(T0 + 2 * MINUTE, T0 + 2 * MINUTE)
    assert bench.gaps() == []


def test_each_account_has_outages_of_its_own(bench: Bench) -> None:
    north, south = (
        Outages(followed("ads_dispatch", account), bench.outbox, sender(bench), committed=bench.count_commit)
        for account in ("north", "south")
    )
    for outages in (north, south):
        outages.note_heard(T0, T0)
    later = T0 + 15 * HOUR
    south.note_heard(later, later)
    later += 15 * HOUR
    for outages in (north, south):
        outages.note_heard(later, later)
    assert [told(event) for event in bench.gaps()] == [("ads_dispatch", "north", T0, T0 + 6 * HOUR)]
    assert (len(north.alarms(later)), south.alarms(later)) == (1, ())


def test_a_gap_has_a_number_in_the_stream_of_its_source_that_no_later_event_has(bench: Bench) -> None:
    bench.dispatch.round()
    bench.later(30 * HOUR)
    bench.dispatch.round()
    (gap,) = bench.gaps()
    assert (gap.stream, gap.seq) == (bench.outbox.stream, 1)
    bench.outbox.mark_published([1])
    bench.outbox.prune(bench.now + timedelta(days=365_000))
    bench.restart()
    bench.ads.batches = [batch(2, at=bench.now)]
    bench.dispatch.round()
    assert [event.seq for event in bench.dispatches()] == [2, 3]


def followed(upstream: str, account: str | None) -> Followed:
    return Followed(upstream, account, "dispatch batches")


def sender(bench: Bench) -> Sender:
    return Sender(bench.installation, "ads_ingest/test")

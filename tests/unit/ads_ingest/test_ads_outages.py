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


LIE_S = 40 * 3600.0


def test_one_wrong_date_of_caiso_s_makes_no_outage(bench: Bench) -> None:
    bench.round()
    bench.trajectory.round()
    bench.ads.clock_offset_s = LIE_S
    bench.round(MINUTE)
    bench.trajectory.round()
    bench.ads.clock_offset_s = 0.0
    bench.round(MINUTE)
    bench.trajectory.round()
    assert bench.gaps() == []


@pytest.mark.parametrize("lies_s", [[LIE_S] * 100, [LIE_S, 0.0] * 50, [LIE_S, LIE_S, LIE_S, -LIE_S, -LIE_S, -LIE_S] * 15])
def test_dates_that_lie_for_long_or_now_and_then_make_no_outage(bench: Bench, lies_s: list[float]) -> None:
    bench.round()
    bench.trajectory.round()
    for lie_s in (*lies_s, 0.0, 0.0):
        bench.ads.clock_offset_s = lie_s
        bench.round(MINUTE)
        bench.trajectory.round()
    assert bench.gaps() == []


@pytest.mark.parametrize("lie_s", [LIE_S, -LIE_S])
def test_an_outage_is_told_though_caiso_s_date_lies_and_by_a_clock_that_does_not(bench: Bench, lie_s: float) -> None:
    bench.dispatch.round()
    bench.later(30 * HOUR)
    bench.ads.clock_offset_s = lie_s
    bench.dispatch.round()
    assert [told(event) for event in bench.gaps()] == [("ads_dispatch", None, T0, T0 + 6 * HOUR)]


@pytest.mark.parametrize("lie_s", [LIE_S, -LIE_S])
def test_after_a_restart_a_wrong_date_alone_decides_nothing(bench: Bench, lie_s: float) -> None:
    bench.dispatch.round()
    bench.restart()
    bench.ads.clock_offset_s = lie_s
    bench.round(MINUTE)
    bench.ads.clock_offset_s = 0.0
    bench.round(MINUTE)
    assert bench.gaps() == []


@pytest.mark.parametrize("wrong_by", [-48 * HOUR, 48 * HOUR])
def test_after_a_restart_with_a_wrong_clock_of_ours_an_outage_is_told_once_it_is_set(bench: Bench, wrong_by: timedelta) -> None:
    bench.dispatch.round()
    bench.later(30 * HOUR)
    bench.set_clock(wrong_by)
    bench.ads.clock_offset_s = -wrong_by.total_seconds()
    bench.restart()
    bench.dispatch.round()
    bench.later(MINUTE)
    bench.set_clock(-wrong_by)
    bench.ads.clock_offset_s = 0.0
    bench.dispatch.round()
    assert [told(event)[0] for event in bench.gaps()] == ["ads_dispatch"]
    assert bench.gaps()[0].missing_from == T0


def test_after_a_restart_with_a_clock_of_ours_that_stays_wrong_caiso_s_counts_in_the_end(bench: Bench) -> None:
    bench.dispatch.round()
    bench.later(HOUR)
    bench.set_clock(48 * HOUR)
    bench.ads.clock_offset_s = -48 * 3600.0
    bench.restart()
    for _ in range(20):
        bench.round(MINUTE)
    assert bench.gaps() == [], "by CAISO's clock it was an hour"


def test_what_was_noted_by_one_clock_before_an_upgrade_counts_for_both(bench: Bench) -> None:
    bench.outbox.keep_note("heard/ads_dispatch", (T0 - 30 * HOUR).isoformat())
    bench.restart()
    bench.dispatch.round()
    assert [told(event) for event in bench.gaps()] == [("ads_dispatch", None, T0 - 30 * HOUR, T0 - 24 * HOUR)]


def test_a_caiso_that_never_says_the_time_is_judged_by_our_clock_after_a_while(bench: Bench) -> None:
    outages = Outages(followed("ads_dispatch", None), bench.outbox, sender(bench), committed=bench.count_commit)
    outages.note_heard(T0, None)
    clocks = {"monotonic_s": lambda: bench.monotonic_s}
    outages = Outages(followed("ads_dispatch", None), bench.outbox, sender(bench), committed=bench.count_commit, **clocks)
    for n in range(15):
        outages.note_heard(T0 + 30 * HOUR + n * MINUTE, None)
        bench.later(MINUTE)
    assert [told(event)[2] for event in bench.gaps()] == [T0]


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

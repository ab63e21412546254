from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.messages import (
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Environment,
    Instruction,
    TrajectoryBatch,
    TrajectoryBatchHeader,
)
from dotbus.setpoints.schedules import DotSchedule, TrajectoryCurve

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COMMON = {"environment": Environment.SIMULATOR, "source": "ads_ingest/test", "id": "-", "plant": "north", "resource_id": "R"}


def dispatch(
    uid: str, start_min: float, *dots_mw: float, revision: int | None = 1, status: int = 1, heard_min: float = 0, kind: int = 0
) -> Dispatch:
    header = DispatchBatchHeader(
        batch_uid=uid, batch_type=kind, batch_status=status, start_at=T0 + start_min * MINUTE, revision_no=revision
    )
    instructions = tuple(
        Instruction(instruction_uid=f"{uid}-{n}", resource_id="R", instruction_type=0, dot_mw=dot_mw)
        for n, dot_mw in enumerate(dots_mw)
    )
    return Dispatch(**COMMON, time=T0 + heard_min * MINUTE, batch=header, instructions=instructions)  # type: ignore[arg-type]


def curve(uid: str, received_min: float, *points: tuple[float, float]) -> TrajectoryBatch:
    """A batch of (target minute, MW), numbered in their order."""
    dops = tuple(
        Dop(dop_uid=f"{uid}-{n}", dop_mw=mw, target_at=T0 + minute * MINUTE, sequence_number=n)
        for n, (minute, mw) in enumerate(points, 1)
    )
    header = TrajectoryBatchHeader(batch_uid=uid, batch_received_at=T0 + received_min * MINUTE)
    return TrajectoryBatch(**COMMON, time=T0 + received_min * MINUTE, batch=header, dops=dops)  # type: ignore[arg-type]


def drawn(entry: TrajectoryCurve) -> list[tuple[float, float]]:
    return [((point.target_at - T0) / MINUTE, point.dop_mw) for point in entry.points]


def assembled(*batches: TrajectoryBatch) -> TrajectoryCurve:
    entry = TrajectoryCurve()
    for batch in batches:
        entry = entry.with_batch(batch)
    return entry


def test_a_newer_revision_replaces_all_that_the_batch_said_before() -> None:
    entry = DotSchedule().with_dispatch(dispatch("B1", 0, 10, 11)).with_dispatch(dispatch("B1", 0, 12, revision=2))
    assert [interval.dot_mw for interval in entry.intervals] == [12]


def test_an_older_revision_changes_nothing() -> None:
    entry = DotSchedule().with_dispatch(dispatch("B1", 0, 12, revision=2, heard_min=1))
    assert entry.with_dispatch(dispatch("B1", 0, 10, revision=1, heard_min=2)) == entry


def test_the_same_revision_again_changes_nothing_but_when_it_came() -> None:
    entry = DotSchedule().with_dispatch(dispatch("B1", 0, 12))
    assert entry.with_dispatch(dispatch("B1", 0, 12)) == entry


def test_a_cancelled_batch_takes_its_dots_away() -> None:
    entry = DotSchedule().with_dispatch(dispatch("B1", 0, 10)).with_dispatch(dispatch("B2", 5, 20))
    cancelled = entry.with_dispatch(dispatch("B1", 0, 10, revision=2, status=4))
    assert [interval.batch_uid for interval in cancelled.intervals] == ["B2"]
    assert [interval.batch_uid for interval in entry.without_batch("B2").intervals] == ["B1"]


def test_when_the_newest_dot_came_is_not_moved_by_a_batch_without_one() -> None:
    entry = DotSchedule().with_dispatch(dispatch("B1", 0, 10, heard_min=1)).with_dispatch(dispatch("B2", 5, heard_min=2))
    assert entry.received_at == T0 + MINUTE


def test_pruning_keeps_the_last_dot_past_and_all_ahead() -> None:
    entry = DotSchedule()
    for n in range(5):
        entry = entry.with_dispatch(dispatch(f"B{n}", 5 * n, float(n)))
    assert [interval.dot_mw for interval in entry.pruned(T0 + 12 * MINUTE).intervals] == [1, 2, 3, 4]
    assert [interval.dot_mw for interval in entry.pruned(T0 + 15 * MINUTE).intervals] == [2, 3, 4]
    assert [interval.dot_mw for interval in entry.pruned(T0 + 99 * MINUTE).intervals] == [4]


def test_dots_that_contradict_each_other_do_so_after_their_time_as_well() -> None:
    entry = DotSchedule().with_dispatch(dispatch("B1", 0, 10, 99)).with_dispatch(dispatch("B2", 5, 20))
    assert [interval.dot_mw for interval in entry.pruned(T0 + 6 * MINUTE).intervals] == [10, 99, 20]


def test_the_last_dot_past_of_each_schedule_is_kept() -> None:
    """The ramp from hour to hour begins at it long after a five-minute DOT has ended."""
    entry = DotSchedule().with_dispatch(dispatch("H1", -60, 40, kind=1)).with_dispatch(dispatch("H2", 0, 50, kind=1))
    for n in range(4):
        entry = entry.with_dispatch(dispatch(f"B{n}", 5 * n, float(n)))
    assert [interval.batch_uid for interval in entry.pruned(T0 + 12 * MINUTE).intervals] == ["H1", "H2", "B1", "B2", "B3"]


def test_of_dots_that_end_together_the_one_that_replaced_the_others_is_the_last() -> None:
    """An exceptional dispatch over a five-minute DOT."""
    for order in permutations([dispatch("E", 5, 1, heard_min=4, kind=4), dispatch("B", 5, 2, heard_min=3)]):
        entry = DotSchedule().with_dispatch(order[0]).with_dispatch(order[1])
        assert [interval.batch_uid for interval in entry.pruned(T0 + 11 * MINUTE).intervals] == ["E"]


BATCH_NUMBERS = st.integers(0, 5)
DISPATCHES = st.lists(
    st.builds(
        lambda n, revision, mw, status: dispatch(f"B{n}", 5 * n, mw, revision=revision, status=status),
        BATCH_NUMBERS,
        st.integers(1, 4),
        st.floats(-100, 100),
        st.sampled_from([1, 3]),
    ),
    max_size=12,
)


@given(DISPATCHES)
def test_a_book_is_ordered_and_holds_each_batch_in_its_newest_revision(dispatches: list[Dispatch]) -> None:
    entry = DotSchedule()
    for event in dispatches:
        entry = entry.with_dispatch(event)
    starts = [interval.interval_start for interval in entry.intervals]
    assert starts == sorted(starts)
    newest = {event.batch.batch_uid: 0 for event in dispatches}
    for event in dispatches:
        newest[event.batch.batch_uid] = max(newest[event.batch.batch_uid], event.batch.revision_no or 0)
    assert {interval.batch_uid: interval.revision_no for interval in entry.intervals} == newest


@given(DISPATCHES, st.integers(-5, 40), st.integers(0, 20))
def test_pruning_never_loses_what_is_in_force_or_ahead_and_pruning_again_changes_nothing(
    dispatches: list[Dispatch], now_min: int, later_min: int
) -> None:
    entry, now = DotSchedule(), T0 + now_min * MINUTE
    for event in dispatches:
        entry = entry.with_dispatch(event)
    pruned = entry.pruned(now)
    assert [i for i in entry.intervals if i.interval_end > now] == [i for i in pruned.intervals if i.interval_end > now]
    past = [interval for interval in pruned.intervals if interval.interval_end <= now]
    assert len({(interval.batch_received_at, interval.revision_no) for interval in past}) <= 1
    assert pruned.pruned(now) == pruned
    later = now + later_min * MINUTE
    assert pruned.pruned(later) == entry.pruned(later)


def test_a_newer_batch_replaces_older_points_at_or_after_its_first_target() -> None:
    entry = assembled(curve("A", 0, (0, 10), (5, 20), (10, 30)), curve("B", 5, (5, 21), (15, 41)))
    assert drawn(entry) == [(0, 10), (5, 21), (15, 41)]


def test_two_points_at_one_time_of_one_batch_are_a_step_in_the_order_of_their_numbers() -> None:
    assert drawn(assembled(curve("A", 0, (5, 20), (5, 50), (10, 50)))) == [(5, 20), (5, 50), (10, 50)]


def test_the_latest_point_is_the_last_of_the_newest_batch_even_when_it_is_past() -> None:
    entry = assembled(curve("B", 5, (5, 21), (15, 41)), curve("A", 0, (0, 10), (30, 30))).pruned(T0 + 60 * MINUTE)
    assert entry.latest
    assert (entry.latest.batch_uid, entry.latest.dop_mw) == ("B", 41)
    assert entry.received_at == T0 + 5 * MINUTE


def test_a_batch_without_points_changes_nothing() -> None:
    entry = assembled(curve("A", 0, (0, 10)))
    assert entry.with_batch(curve("B", 5)) == entry


def test_pruning_a_curve_keeps_the_last_point_past() -> None:
    entry = assembled(curve("A", 0, (0, 10), (5, 20), (5, 25), (10, 30)))
    assert drawn(entry.pruned(T0 + 7 * MINUTE)) == [(5, 25), (10, 30)]
    assert drawn(entry.pruned(T0 - MINUTE)) == drawn(entry)
    assert drawn(entry.pruned(T0 + 99 * MINUTE)) == [(10, 30)]


POINTS = st.lists(st.tuples(st.integers(0, 12), st.integers(-50, 50)), min_size=1, max_size=5)


@given(st.lists(POINTS, min_size=1, max_size=4))
def test_the_curve_does_not_depend_on_the_order_in_which_batches_come(many: list[list[tuple[int, int]]]) -> None:
    batches = [curve(f"T{n}", n, *sorted(points, key=lambda p: p[0])) for n, points in enumerate(many)]
    curves = [drawn(assembled(*order)) for order in permutations(batches)]
    assert all(each == curves[0] for each in curves)


@given(st.lists(POINTS, min_size=1, max_size=5), st.integers(-1, 13))
def test_after_each_time_the_curve_is_of_the_newest_batch_that_reaches_back_to_it(
    many: list[list[tuple[int, int]]], minute: int
) -> None:
    batches = [curve(f"T{n}", n, *sorted(points, key=lambda p: p[0])) for n, points in enumerate(many)]
    entry = assembled(*batches)
    at = T0 + minute * MINUTE
    reaching = [n for n, points in enumerate(many) if min(p[0] for p in points) <= minute]
    expected = [mw for _target, mw in sorted(many[max(reaching)], key=lambda p: p[0]) if _target == minute] if reaching else []
    assert [point.dop_mw for point in entry.points if point.target_at == at] == expected


@given(st.lists(POINTS, min_size=1, max_size=5), st.integers(-1, 13))
def test_a_curve_is_ordered_and_pruning_leaves_what_is_ahead(many: list[list[tuple[int, int]]], minute: int) -> None:
    entry = assembled(*(curve(f"T{n}", n, *points) for n, points in enumerate(many)))
    assert all(first.target_at <= second.target_at for first, second in pairwise(entry.points))
    now = T0 + minute * MINUTE
    pruned = entry.pruned(now)
    assert [p for p in pruned.points if p.target_at > now] == [p for p in entry.points if p.target_at > now]
    assert len({point.target_at for point in pruned.points if point.target_at <= now}) <= 1
    assert pruned.pruned(now) == pruned


def test_a_batch_that_is_taken_back_is_named_while_its_interval_lasts() -> None:
    entry = DotSchedule().with_dispatch(dispatch("B1", 0, 10, revision=2))
    gone = entry.without_batch("B1")
    assert [(one.batch_uid, one.revision_no) for one in gone.withdrawn] == [("B1", 2)]
    assert gone.pruned(gone.withdrawn[0].until - timedelta(seconds=1)) == gone
    assert gone.pruned(gone.withdrawn[0].until).withdrawn == ()
    assert gone.without_batch("B1") == gone, "once"


def test_a_batch_that_comes_back_is_withdrawn_no_more() -> None:
    entry = DotSchedule().with_dispatch(dispatch("B1", 0, 10, revision=1)).without_batch("B1")
    assert entry.with_dispatch(dispatch("B1", 0, 10, revision=2)).withdrawn == ()


def test_a_withdrawn_batch_comes_back_in_a_higher_revision_only() -> None:
    """CAISO cancelled revision 4; one of its machines that lags behind lists revision 3 again."""
    held = DotSchedule().with_dispatch(dispatch("B1", 0, 30, revision=3))
    cancelled = held.with_dispatch(dispatch("B1", 0, 30, revision=4, status=4))
    for revision in (3, 4):
        assert cancelled.with_dispatch(dispatch("B1", 0, 30, revision=revision)) == cancelled
    back = cancelled.with_dispatch(dispatch("B1", 0, 30, revision=5))
    assert [interval.dot_mw for interval in back.intervals] == [30]


def test_a_batch_that_asks_nothing_is_told_as_withdrawn_though_it_was_never_held() -> None:
    """Another source may hold an older revision of it."""
    cancelled = DotSchedule().with_dispatch(dispatch("B1", 0, 30, revision=4, status=4))
    assert [(one.batch_uid, one.revision_no, one.until) for one in cancelled.withdrawn] == [("B1", 4, T0 + 5 * MINUTE)]


def test_a_cancel_by_header_alone_is_told_with_the_revision_of_the_header() -> None:
    held = DotSchedule().with_dispatch(dispatch("B1", 0, 30, revision=3))
    assert [one.revision_no for one in held.without_batch("B1", 4).withdrawn] == [4]


@given(st.permutations([(1, 1), (2, 1), (3, 4), (4, 1), (5, 4)]))
def test_in_whatever_order_revisions_come_the_highest_holds(order: list[tuple[int, int]]) -> None:
    entry = DotSchedule()
    for revision, status in order:
        entry = entry.with_dispatch(dispatch("B1", 0, float(revision), revision=revision, status=status))
    assert entry.intervals == ()
    assert [(one.batch_uid, one.revision_no) for one in entry.withdrawn] == [("B1", 5)]


def without_times(event: TrajectoryBatch) -> TrajectoryBatch:
    return msgspec.structs.replace(event, batch=TrajectoryBatchHeader(batch_uid=event.batch.batch_uid))


def test_a_curve_is_as_old_as_its_newest_batch_at_caiso_and_not_as_our_fetch() -> None:
    latest = TrajectoryCurve().with_batch(msgspec.structs.replace(curve("A", 0, (0, 10)), time=T0 + 180 * MINUTE)).latest
    assert latest
    assert latest.batch_received_at == T0


def test_a_batch_whose_age_caiso_does_not_tell_is_no_younger_than_its_first_target() -> None:
    old = msgspec.structs.replace(without_times(curve("A", 0, (0, 10), (5, 20))), time=T0 + 180 * MINUTE)
    latest = TrajectoryCurve().with_batch(old).latest
    assert latest
    assert latest.batch_received_at == T0


def test_reading_the_whole_cache_again_makes_nothing_younger() -> None:
    ahead = without_times(curve("A", 0, (30, 10), (35, 20)))
    entry = TrajectoryCurve().with_batch(ahead)
    assert entry.with_batch(msgspec.structs.replace(ahead, time=T0 + 20 * MINUTE)) == entry
    event = dispatch("B1", 30, 10)
    dots = DotSchedule().with_dispatch(event)
    assert dots.with_dispatch(msgspec.structs.replace(event, time=T0 + 20 * MINUTE)) == dots

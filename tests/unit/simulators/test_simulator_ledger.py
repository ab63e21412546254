"""The cache behind ADS: cursors, revisions, cancellations, and how far back it reaches."""

from datetime import UTC, datetime, timedelta

import pytest

from simulators.ads.answers import declined
from simulators.ads.dispatches import Kind
from simulators.ads.ledger import Ledger, UnknownBatch
from simulators.ads.market import Market, Order
from simulators.ads.plan import Unit
from simulators.ads.records import BatchStatus, BatchType, DispatchBatch

UNITS = (
    Unit("ONE", variable=True, pmin_mw=0.0, pmax_mw=100.0, ramp_mw_per_min=20.0),
    Unit("TWO", variable=False, pmin_mw=5.0, pmax_mw=80.0, ramp_mw_per_min=10.0),
)
START = datetime(2026, 7, 1, 12, 1, tzinfo=UTC)
ME = "client"


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger(Market(UNITS, 300, 1), START)
    made.advance(at(60))
    return made


def uids(batches: list[DispatchBatch]) -> list[str]:
    return [batch.batch_uid for batch in batches]


def first_dot(ledger: Ledger) -> DispatchBatch:
    return next(batch for batch in ledger.dispatches() if batch.batch_type is BatchType.FIVE_MINUTE)


def test_minus_one_gives_the_whole_cache_in_the_order_of_receipt(ledger: Ledger) -> None:
    batches = ledger.dispatches_since("-1", ME)
    assert len(batches) > 12
    unchanged = [batch for batch in batches if batch.revision_no == 1]
    assert [batch.received_at for batch in unchanged] == sorted(batch.received_at for batch in unchanged)


def test_a_cursor_gives_what_came_after_it(ledger: Ledger) -> None:
    all_uids = uids(ledger.dispatches())
    assert uids(ledger.dispatches_since(all_uids[3], ME)) == all_uids[4:]
    assert ledger.dispatches_since(all_uids[-1], ME) == []
    ledger.advance(at(66))
    assert len(ledger.dispatches_since(all_uids[-1], ME)) >= 1


def test_trajectories_have_a_cursor_of_their_own(ledger: Ledger) -> None:
    batches = ledger.trajectories_since("-1")
    assert ledger.trajectories_since(batches[1].batch_uid) == batches[2:]
    with pytest.raises(UnknownBatch):
        ledger.trajectories_since(ledger.dispatches()[0].batch_uid)


@pytest.mark.parametrize("batch_uid", ["", "0", "DISP-00000000-0000-0000-0000-000000000000"])
def test_an_unknown_cursor_is_refused(ledger: Ledger, batch_uid: str) -> None:
    with pytest.raises(UnknownBatch):
        ledger.dispatches_since(batch_uid, ME)
    with pytest.raises(UnknownBatch):
        ledger.trajectories_since(batch_uid)


def test_what_is_older_than_a_day_is_forgotten(ledger: Ledger) -> None:
    old = ledger.dispatches()[0].batch_uid
    ledger.advance(at(26 * 60))
    assert min(batch.received_at for batch in ledger.dispatches()) >= at(2 * 60)
    assert min(batch.received_at for batch in ledger.trajectories()) >= at(2 * 60)
    with pytest.raises(UnknownBatch):
        ledger.dispatch(old)
    with pytest.raises(UnknownBatch):
        ledger.dispatches_since(old, ME)


def test_a_cancelled_batch_is_listed_again_with_a_higher_revision(ledger: Ledger) -> None:
    batch, last = first_dot(ledger), ledger.dispatches()[-1]
    ledger.set_status(batch.batch_uid, BatchStatus.EMERGENCY_CANCELLED)
    listed = ledger.dispatches_since(last.batch_uid, ME)
    assert uids(listed) == [batch.batch_uid]
    assert listed[0].batch_status is BatchStatus.EMERGENCY_CANCELLED
    assert listed[0].revision_no == batch.revision_no + 1
    assert all(each.status_code is BatchStatus.EMERGENCY_CANCELLED for each in listed[0].instructions)


def test_a_revision_changes_one_dot_and_raises_both_revisions(ledger: Ledger) -> None:
    batch = first_dot(ledger)
    revised = ledger.revise(batch.batch_uid, "TWO", 77.5)
    assert [each.dot_mw for each in revised.instructions] == [batch.instructions[0].dot_mw, 77.5]
    assert [each.revision_number for each in revised.instructions] == [1, 2]
    assert revised.revision_no == 2
    assert ledger.dispatch(batch.batch_uid) == revised


def test_a_change_of_the_batch_that_a_client_continues_from_reaches_it_once(ledger: Ledger) -> None:
    batch = ledger.dispatches()[-1]
    ledger.note_fetched(batch, ME)
    ledger.set_status(batch.batch_uid, BatchStatus.EMERGENCY_CANCELLED)
    assert uids(ledger.dispatches_since(batch.batch_uid, ME)) == [batch.batch_uid]
    ledger.note_fetched(ledger.dispatch(batch.batch_uid), ME)
    assert ledger.dispatches_since(batch.batch_uid, ME) == []


def test_what_came_before_the_newer_revision_that_a_client_fetched_of_the_batch_it_continues_from_reaches_it(
    ledger: Ledger,
) -> None:
    last = ledger.dispatches_since("-1", ME)[-1]
    between = ledger.dispatches()[0]
    ledger.set_status(between.batch_uid, BatchStatus.EMERGENCY_CANCELLED)
    ledger.set_status(last.batch_uid, BatchStatus.EMERGENCY_CANCELLED)
    ledger.note_fetched(ledger.dispatch(last.batch_uid), ME)
    assert uids(ledger.dispatches_since(last.batch_uid, ME)) == [between.batch_uid]


def test_a_list_behind_the_newest_revision_leaves_out_what_came_between(ledger: Ledger) -> None:
    last, between = ledger.dispatches()[-1], ledger.dispatches()[0]
    ledger.set_status(between.batch_uid, BatchStatus.EMERGENCY_CANCELLED)
    ledger.set_status(last.batch_uid, BatchStatus.EMERGENCY_CANCELLED)
    assert ledger.dispatches_behind(last.batch_uid) == []
    assert uids(ledger.dispatches_behind(between.batch_uid)) == [last.batch_uid]
    assert ledger.dispatches_behind("-1") == ledger.dispatches()
    with pytest.raises(UnknownBatch):
        ledger.dispatches_behind("DISP-GONE")


@pytest.mark.parametrize(("resource", "dot_mw"), [("THREE", 1.0), ("ONE", float("nan")), ("ONE", float("inf"))])
def test_a_revision_needs_a_dot_of_the_resource_and_a_finite_number(ledger: Ledger, resource: str, dot_mw: float) -> None:
    with pytest.raises(ValueError, match=r"no DOT|finite"):
        ledger.revise(first_dot(ledger).batch_uid, resource, dot_mw)


def test_validation_is_noted_once_and_is_no_revision(ledger: Ledger) -> None:
    uid = first_dot(ledger).batch_uid
    ledger.validate(uid, "first", at(60), lambda _: True)
    ledger.validate(uid, "second", at(61), lambda _: True)
    batch = ledger.dispatch(uid)
    assert {(each.api_validated_by, each.api_validated_at) for each in batch.instructions} == {("first", at(60))}
    assert batch.revision_no == 1


def test_an_hourly_batch_without_answers_times_out(ledger: Ledger) -> None:
    ledger = Ledger(Market(UNITS, 300, 1), START)
    ledger.advance(at(30))
    hourly = next(batch for batch in ledger.dispatches() if batch.batch_type is BatchType.HOURLY)
    assert hourly.batch_status is BatchStatus.ACTIVE
    ledger.advance(hourly.expires_at)
    over = ledger.dispatch(hourly.batch_uid)
    assert (over.batch_status, over.revision_no) == (BatchStatus.TIMED_OUT, 2)
    assert ledger.dispatches()[-1].batch_uid == hourly.batch_uid
    assert {each.status_code for each in over.instructions} == {BatchStatus.TIMED_OUT}


def test_at_a_time_out_the_minimum_is_accepted_or_else_it_is_declined() -> None:
    ledger = Ledger(Market(UNITS, 300, 1), START)
    ledger.advance(at(30))
    with_minimum = ledger.issue(Order(Kind.HOURLY, dot_mw=40.0, min_accept_mw=15.0), at(30))
    without = ledger.issue(Order(Kind.HOURLY, dot_mw=40.0, min_accept_mw=0.0), at(30))
    first = with_minimum.instructions[0]
    ledger.answer(with_minimum.batch_uid, declined(first, 10) or first)
    ledger.advance(max(with_minimum.expires_at, without.expires_at))
    told = [
        [(each.accept_status, each.accept_dot_mw, each.reason_code) for each in ledger.dispatch(batch.batch_uid).instructions]
        for batch in (with_minimum, without)
    ]
    assert told == [[("DECLINE", 0.0, 10), ("PARTIAL", 15.0, 15)], [("DECLINE", 0.0, 16), ("DECLINE", 0.0, 16)]]


@pytest.mark.parametrize("status", [BatchStatus.OPERATOR_RESPONSE, BatchStatus.DEFERRED, BatchStatus.NEW])
def test_a_batch_can_be_given_any_status(ledger: Ledger, status: BatchStatus) -> None:
    batch = ledger.set_status(first_dot(ledger).batch_uid, status)
    assert (batch.batch_status, batch.revision_no) == (status, 2)
    assert {each.status_code for each in batch.instructions} == {status}


def test_a_trajectory_batch_can_be_forgotten_as_well(ledger: Ledger) -> None:
    lost = ledger.trajectories()[1]
    ledger.forget(lost.batch_uid)
    assert lost not in ledger.trajectories()
    with pytest.raises(UnknownBatch):
        ledger.trajectories_since(lost.batch_uid)


def test_validation_is_for_what_the_client_sees(ledger: Ledger) -> None:
    uid = first_dot(ledger).batch_uid
    ledger.validate(uid, "one", at(60), lambda resource_id: resource_id == "ONE")
    assert [each.api_validated_by for each in ledger.dispatch(uid).instructions] == ["one", None]


def test_time_that_steps_back_issues_nothing_twice(ledger: Ledger) -> None:
    before = uids(ledger.dispatches())
    ledger.advance(at(30))
    ledger.advance(at(60))
    assert uids(ledger.dispatches()) == before

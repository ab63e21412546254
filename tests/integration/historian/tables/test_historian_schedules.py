"""The database tells five-minute DOTs from hourly ones, as the bus and the registers do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from historian_parts import arrival, ready, replace, stored

from dotbus.contracts.instruction_states import Standing
from dotbus.contracts.instruction_times import standing_of
from dotbus.contracts.messages import Dispatch
from dotbus.setpoints.intervals import dot_intervals
from dotbus.testing import samples
from historian.write.storing.store import Store
from launcher.look.rows import Rows

pytestmark = pytest.mark.integration

NOON = datetime(2026, 10, 13, 12, 0, tzinfo=UTC)
FIVE_MINUTE, HOURLY, EXCEPTIONAL = 0, 1, 4
RESOURCE = "TEST_RESOURCE_1"
UNANSWERED = dict.fromkeys(
    f"{who}{what}" for who in ("", "opr_") for what in ("accept_status", "accept_dot_mw", "reason_code", "responder")
)
DOTS = "SELECT dot_mw FROM dot_latest WHERE schedule = '{}' ORDER BY interval_start"


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with ready(database) as opened:
        yield Store(opened)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def batch(seq: int, batch_type: int, start_min: float, dot_mw: float, received_min: float, **changes) -> Dispatch:
    """A batch of one DOT as CAISO sends it: a five-minute one names its target, an hourly one its hour."""
    sample = samples.dispatch()
    header = {
        "batch_uid": f"B{seq}",
        "batch_type": batch_type,
        "start_at": at(start_min),
        "batch_received_at": at(received_min),
    }
    of_header = {
        name: changes.pop(name) for name in ("batch_status", "binding_flag", "revision_no", "batch_start_at") if name in changes
    }
    if "batch_start_at" in of_header:
        of_header["start_at"] = of_header.pop("batch_start_at")
    if batch_type == HOURLY:
        times = {"start_at": at(start_min), "end_at": at(start_min + 60)}
    else:
        times = {"start_at": at(start_min + 2.5), "end_at": None if batch_type == FIVE_MINUTE else at(start_min + 5)}
    instruction = {"instruction_uid": f"B{seq}-I0", "dot_mw": dot_mw, **UNANSWERED, **times}
    return replace(
        sample,
        id=f"id-{seq}",
        seq=seq,
        time=at(received_min),
        batch=replace(sample.batch, **(header | of_header)),
        instructions=(replace(samples.instruction(), **(instruction | changes)),),
    )


def write(store: Store, *events: Dispatch) -> None:
    assert store.write([arrival(event, received_at=at(0)) for event in events], at(0)).events == len(events)


def test_an_hourly_batch_received_later_does_not_override_a_five_minute_dot(database, store):
    write(store, batch(1, FIVE_MINUTE, 0, 40.0, -2.5), batch(2, HOURLY, 0, 90.0, -1))
    assert stored(database, DOTS.format("five-minute")) == [(40.0,)]
    assert stored(database, DOTS.format("hourly")) == [(90.0,)]
    types = stored(database, "SELECT dot_mw, batch_type FROM instruction_latest ORDER BY 1")
    assert types == [(40.0, FIVE_MINUTE), (90.0, HOURLY)]


def test_an_exceptional_dot_is_of_both_schedules_and_replaces_the_one_of_its_interval(database, store):
    write(
        store,
        batch(1, FIVE_MINUTE, 0, 40.0, -2.5),
        batch(2, FIVE_MINUTE, 5, 41.0, 2.5),
        batch(3, HOURLY, 0, 90.0, -30),
        batch(4, EXCEPTIONAL, 5, 10.0, 3),
    )
    assert stored(database, DOTS.format("five-minute")) == [(40.0,), (10.0,)]
    assert stored(database, DOTS.format("hourly")) == [(90.0,), (10.0,)]


@pytest.mark.parametrize(
    "changes",
    [{"batch_status": 4}, {"status_code": 4}, {"binding_flag": "N"}, {"instruction_type": 4}],
    ids=["cancelled batch", "cancelled instruction", "advisory", "start-up"],
)
def test_what_is_no_instruction_to_produce_is_no_dot(database, store, changes):
    event = batch(1, EXCEPTIONAL, 0, **({"dot_mw": 10.0, "received_min": -1} | changes))
    write(store, event)
    assert dot_intervals(event) == ()
    assert stored(database, "SELECT * FROM dot_latest") == []


def test_a_dot_without_megawatts_is_in_doubt_and_no_older_one_is_shown_in_its_place(database, store):
    newer = batch(2, FIVE_MINUTE, 0, dot_mw=None, received_min=-1)
    write(store, batch(1, FIVE_MINUTE, 0, 10.0, -2), newer)
    assert dot_intervals(newer) == ()
    assert stored(database, "SELECT standing, dot_mw FROM dot_latest") == [("in doubt", None)]


@pytest.mark.parametrize("batch_type", [2, 3, 5, 10, None])
def test_awards_and_commitments_are_of_no_schedule(database, store, batch_type):
    write(store, batch(1, batch_type, 0, 10.0, -1))
    assert stored(database, "SELECT * FROM dot_latest") == []
    assert stored(database, "SELECT batch_type FROM instruction_latest") == [(batch_type,)]


@pytest.mark.parametrize("batch_type", [FIVE_MINUTE, HOURLY, EXCEPTIONAL])
@pytest.mark.parametrize("end_at", ["as sent", None, at(4), at(-9)])
@pytest.mark.parametrize("start_at", ["as sent", None, at(0), at(-3), at(1), at(200)])
def test_interval_and_target_are_those_that_the_bus_and_the_registers_have(database, store, batch_type, start_at, end_at):
    changes = {name: at for name, at in (("start_at", start_at), ("end_at", end_at)) if at != "as sent"}
    event = batch(1, batch_type, 0, 10.0, -1, **changes)
    (interval,) = dot_intervals(event)
    write(store, event)
    found = stored(database, "SELECT DISTINCT interval_start, interval_end, target_at FROM dot_latest")
    assert found == [(interval.interval_start, interval.interval_end, interval.target_at)]


def test_a_dot_without_any_time_is_kept_and_is_no_dot_of_an_interval(database, store):
    write(store, batch(1, FIVE_MINUTE, 0, 10.0, -1, batch_start_at=None, start_at=None))
    assert stored(database, "SELECT dot_mw FROM instruction_latest") == [(10.0,)]
    assert stored(database, "SELECT * FROM dot_latest") == []


@pytest.mark.parametrize("answer", ["DECLINED", "what is this"])
def test_a_dot_stands_as_it_was_answered(database, store, answer):
    event = batch(1, HOURLY, 0, 10.0, -1, accept_status=answer)
    write(store, event)
    held = standing_of(event.batch, event.instructions[0])
    found = stored(database, "SELECT standing, standing_mw FROM instruction")
    assert found == [(held.standing.value, held.dot_mw)]
    shown = stored(database, "SELECT standing, dot_mw FROM dot_latest")
    assert shown == ([] if held.standing is Standing.NOT_IN_FORCE else found)


def test_a_newer_revision_of_a_batch_replaces_its_dot(database, store):
    one = batch(1, FIVE_MINUTE, 0, 40.0, -2.5, revision_no=1)
    other = replace(batch(1, FIVE_MINUTE, 0, 44.0, -2.5, revision_no=2), id="id-2", seq=2)
    write(store, other, one)
    assert stored(database, DOTS.format("five-minute")) == [(44.0,)]


def test_unnumbered_revisions_of_a_batch_leave_the_later_word(database, store):
    one = batch(1, FIVE_MINUTE, 0, 40.0, -2.5, revision_no=None)
    moved = replace(batch(1, FIVE_MINUTE, 5, 44.0, -2, revision_no=None), id="id-2", seq=2)
    write(store, moved, one)
    assert stored(database, DOTS.format("five-minute")) == [(44.0,)]


def test_a_newer_revision_that_does_not_name_an_instruction_takes_its_dot_away(database, store):
    one = batch(1, FIVE_MINUTE, 0, 40.0, -2.5, revision_no=1)
    left_out = replace(batch(1, FIVE_MINUTE, 0, 40.0, -2, revision_no=2), id="id-2", seq=2, instructions=())
    write(store, one, left_out)
    assert stored(database, "SELECT * FROM dot_latest") == []


def test_a_cancelled_exceptional_dot_gives_way_to_the_one_below(database, store):
    below, above = batch(1, FIVE_MINUTE, 0, 40.0, -2.5), batch(2, EXCEPTIONAL, 0, 10.0, -1, revision_no=1)
    gone = replace(batch(2, EXCEPTIONAL, 0, 10.0, -1, revision_no=2, batch_status=4), id="id-3", seq=3)
    write(store, below, above)
    assert stored(database, DOTS.format("five-minute")) == [(10.0,)]
    write(store, gone)
    assert stored(database, DOTS.format("five-minute")) == [(40.0,)]


def test_the_comparison_reads_the_schedule_that_it_asks_for(database, store):
    write(store, batch(1, FIVE_MINUTE, 0, 40.0, -2.5), batch(2, HOURLY, 0, 90.0, -1))
    rows = Rows(database)
    assert rows.dot_points(RESOURCE, "five-minute") == [(at(2.5), 40.0)]
    assert rows.dot_points(RESOURCE, "hourly") == [(at(30), 90.0)]
    assert (rows.dot_mw("B1-I0", "five-minute"), rows.dot_mw("B2-I0", "five-minute")) == (40.0, None)
    rows.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["named first", "unnamed first"])
def test_what_one_account_is_told_without_instructions_hides_none_that_another_is_told_in_the_same_revision(
    database, store, order: tuple[int, int]
):
    named = batch(1, FIVE_MINUTE, 0, 40.0, -2.5, revision_no=2)
    other = replace(named, id="id-other", seq=1, source="ads_ingest/other", time=at(-1), instructions=())
    store.write([arrival((named, other)[n], received_at=at(0)) for n in order], at(0))

    assert stored(database, DOTS.format("five-minute")) == [(40.0,)]
    assert stored(database, "SELECT dot_mw FROM instruction_latest") == [(40.0,)]
    assert stored(database, "SELECT source FROM dispatch_batch_latest") == [(named.source,)]

    gone = replace(other, id="id-gone", seq=2, time=at(1), batch=replace(other.batch, revision_no=3))
    write(store, gone)
    assert stored(database, DOTS.format("five-minute")) == []
    assert stored(database, "SELECT dot_mw FROM instruction_latest") == []
    assert stored(database, "SELECT revision_no FROM dispatch_batch_latest") == [(3,)]


def test_a_cancel_within_a_revision_takes_its_instructions_away(database, store):
    named = batch(1, FIVE_MINUTE, 0, 40.0, -2.5, revision_no=2, batch_status=1)
    cancelled = replace(named, id="id-2", seq=2, time=at(1), batch=replace(named.batch, batch_status=4), instructions=())
    write(store, named, cancelled)

    assert stored(database, "SELECT dot_mw FROM instruction_latest") == []
    assert stored(database, "SELECT batch_status FROM dispatch_batch_latest") == [(4,)]

"""What the views show as the last word is what the bus and the registers hold, and what names nobody hides nothing."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product

import pytest
from historian_parts import NOW, arrival, dispatch, letters, opened, ready, replace, stored

from ads_ingest.known.instructions import InstructionRecord
from dotbus.contracts.messages import Dispatch
from dotbus.testing import samples
from historian.migrations import Roles, bring_up_to_date, upgrade
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

HOURLY = 1
UNANSWERED = dict.fromkeys(
    f"{who}{what}" for who in ("", "opr_") for what in ("accept_status", "accept_dot_mw", "reason_code", "responder")
)
DOTS = "SELECT dot_mw, standing FROM dot_latest WHERE schedule = 'five-minute'"


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with ready(database) as opened_database:
        yield Store(opened_database)


def said(seq: int, *, is_named: bool = True, told_min: float = 0, **of_batch) -> Dispatch:
    """A dispatch that nobody answered, told so many minutes later."""
    event = dispatch(seq, dot_mw=float(seq), instruction_uid=f"I{seq}", **UNANSWERED)
    batch = replace(event.batch, **of_batch)
    time = event.time + timedelta(minutes=told_min)
    return replace(event, batch=batch, time=time, instructions=event.instructions if is_named else ())


def write(store: Store, *events: Dispatch) -> None:
    for event in events:
        assert store.write([arrival(event)], NOW).rejections == []


def test_a_source_that_does_not_see_a_resource_hides_nothing_that_another_is_told_of_it_under_another_status(database, store):
    write(store, said(1, is_named=False, told_min=5, batch_status=None), said(2, batch_status=1))
    assert stored(database, "SELECT dot_mw FROM instruction_latest") == [(2.0,)]
    assert stored(database, DOTS) == [(2.0, "in force")]
    assert stored(database, "SELECT seq FROM dispatch_batch_latest") == [(2,)]


def test_what_an_earlier_version_showed_though_it_was_cancelled_is_not_shown_by_this_one(database):
    """Another instance may be later with what it was told before: a cancel is the last word of its revision."""
    with opened(database) as opened_database:
        with opened_database.transaction() as connection:
            connection.exec_driver_sql("CREATE SCHEMA dotbus")
            upgrade(connection, "0007")
        write(Store(opened_database), said(1, is_named=False, batch_status=4), said(2, told_min=5, batch_status=1))
        assert stored(database, "SELECT dot_mw FROM instruction_latest") == [(2.0,)]
        bring_up_to_date(opened_database, Roles(), NOW)
    assert stored(database, "SELECT * FROM instruction_latest") == []
    assert stored(database, DOTS) == []


def pairs():
    """Each two things that can be told of a batch, one after the other."""
    states = list(product((None, 0, 1), (None, 1, 4), (True, False)))
    return [(one, other) for one, other in product(states, states) if one != other or one[0] is None]


def test_of_what_is_told_of_a_batch_the_views_show_what_the_bus_holds(database, store):
    held, events = {}, []
    for number, pair in enumerate(pairs()):
        uid = f"B{number}"
        told = [
            said(
                2 * number + place + 1,
                is_named=is_named,
                told_min=place,
                batch_uid=uid,
                batch_type=HOURLY,
                revision_no=revision_no,
                batch_status=status,
            )
            for place, (revision_no, status, is_named) in enumerate(pair)
        ]
        record = InstructionRecord().with_dispatch(told[0]).with_dispatch(told[1])
        held[uid] = {each.instructed_mw for each in record.batches[uid].instructions}
        events += told if number % 2 else reversed(told)
    store.write([arrival(event) for event in events], NOW)
    assert letters(database) == []
    shown = {uid: set() for uid in held}
    for uid, dot_mw in stored(database, "SELECT batch_uid, dot_mw FROM instruction_latest WHERE standing <> 'not in force'"):
        shown[uid].add(dot_mw)
    assert {pairs()[int(uid[1:])]: (shown[uid], held[uid]) for uid in held if shown[uid] != held[uid]} == {}


@pytest.mark.parametrize("other_mw", [1.0, 2.0])
def test_of_two_dots_of_one_rank_the_greater_uid_is_shown_and_in_doubt_where_they_differ(database, store, other_mw):
    """A batch without a number counts as revision 0, as on the bus."""
    one = said(1, batch_uid="Z", revision_no=None)
    other = said(2, batch_uid="A", revision_no=0)
    one = replace(one, instructions=(replace(one.instructions[0], instruction_uid="b"),))
    other = replace(other, instructions=(replace(other.instructions[0], instruction_uid="Z", dot_mw=other_mw),))
    write(store, one, other)
    assert stored(database, DOTS) == [(1.0, "in force" if other_mw == 1.0 else "in doubt")]


def test_instructions_without_a_uid_hide_none_of_their_batch(database, store):
    event = said(1)
    nameless = [replace(event.instructions[0], instruction_uid="", dot_mw=dot_mw) for dot_mw in (5.0, 6.0)]
    write(store, replace(event, instructions=(*event.instructions, *nameless)))
    shown = stored(database, "SELECT dot_mw FROM instruction_latest WHERE is_newest ORDER BY 1")
    assert shown == [(1.0,), (5.0,), (6.0,)]


@pytest.mark.parametrize("event", [said(1, batch_uid=""), samples.trajectory_batch()], ids=["dispatch", "trajectory"])
def test_a_batch_without_a_uid_is_no_other_batch_without_one(database, store, event):
    nameless = replace(event, batch=replace(event.batch, batch_uid=""))
    assert [each.kind for each in store.write([arrival(nameless)], NOW).rejections] == ["refused"]
    assert "batch_uid" in letters(database)[0][1]


def test_the_result_of_a_command_is_not_hidden_by_word_that_another_source_has_it(database, store):
    taken = samples.answered()
    elsewhere = replace(taken, id="later", seq=taken.seq + 1, time=taken.time + timedelta(minutes=1), outcome="elsewhere")
    assert store.write([arrival(taken), arrival(elsewhere)], NOW).events == 2
    assert stored(database, "SELECT outcome FROM instruction_response_latest") == [("taken",)]

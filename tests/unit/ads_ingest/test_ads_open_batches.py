"""What is known of a batch: its four states, when it is asked for next, and whom it speaks against."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ads_ingest.batches.open_batch import ASK_AGAIN_MOST, ATTEMPTS, Known, OpenBatch, known_of
from ads_ingest.batches.open_batches import OpenBatches, vouched_for
from ads_ingest.known.doubts import Doubts
from caiso.ads.errors import AdsFailure, HttpRefused, SoapFault, Unforeseen, UnknownUid
from caiso.ads.records import Question
from dotbus.contracts.messages import DispatchBatchHeader
from dotbus.contracts.schedules import Schedule

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
RECHECK, VOUCHED = 30 * SECOND, 90 * SECOND
ASKED = Question("getDispatchBatch", "B1")
AWAY, FAULT = HttpRefused(ASKED, "status 503"), SoapFault(ASKED, "unknown batch")
NOBODY, EVERYONE = Doubts(), Doubts(everyone=True)


def header(revision_no: int | None = 1, status: int = 1, batch_type: int = 0, **more: object) -> DispatchBatchHeader:
    known = {"batch_uid": "B1", "revision_no": revision_no, "batch_status": status, "batch_type": batch_type, "start_at": T0}
    return DispatchBatchHeader(**known | more)  # type: ignore[arg-type]


def batches(*, had: bool = True) -> OpenBatches:
    known = OpenBatches(RECHECK, VOUCHED, lambda: 0.0)
    known.note_listed([header()], T0)
    if had:
        known.note_names("B1", ["R1"])
        known.note_had(header(), T0 + 5 * MINUTE, (), T0)
    return known


def the_one(known: OpenBatches) -> OpenBatch:
    batch = known.get("B1")
    assert batch
    return batch


def test_a_batch_is_listed_then_held_then_replaced_then_held_again() -> None:
    known = batches(had=False)
    assert the_one(known).known is Known.LISTED
    known.note_had(header(), T0 + 5 * MINUTE, (), T0)
    assert the_one(known).known is Known.HELD
    known.note_told(header(2), T0)
    assert the_one(known).known is Known.REPLACED
    known.note_had(header(2), T0 + 5 * MINUTE, (), T0)
    assert the_one(known).known is Known.HELD


@pytest.mark.parametrize("failure", [AWAY, FAULT])
def test_what_was_never_had_speaks_against_everyone_once_it_cannot_be_had_and_while_it_may_last(failure: AdsFailure) -> None:
    known = batches(had=False)
    assert known.doubts(T0, Schedule.FIVE_MINUTE) == NOBODY, "it has its turn yet"
    known.note_failed("B1", failure, T0)
    assert known.doubts(T0, Schedule.FIVE_MINUTE) == EVERYONE
    assert known.doubts(T0 + 5 * MINUTE, Schedule.FIVE_MINUTE) == NOBODY


@pytest.mark.parametrize(
    "told",
    [{"status": 4}, {"status": 6}, {"status": 0}, {"binding_flag": "N"}, {"batch_type": 3}],
    ids=["cancelled", "deferred", "new", "advisory", "award"],
)
def test_what_asks_nothing_by_its_header_speaks_against_nobody(told: dict[str, object]) -> None:
    known = OpenBatches(RECHECK, VOUCHED, lambda: 0.0)
    known.note_told(header(**told), T0)  # type: ignore[arg-type]
    known.note_failed("B1", FAULT, T0)
    assert known.doubts(T0, Schedule.FIVE_MINUTE) == NOBODY


def test_a_batch_that_caiso_does_not_know_any_more_speaks_against_its_resources_at_once() -> None:
    known = batches()
    known.note_failed("B1", FAULT, T0 + RECHECK)
    assert known.doubts(T0 + RECHECK, Schedule.FIVE_MINUTE) == Doubts(frozenset({"R1"}))
    known.note_told(header(), T0 + MINUTE)
    assert known.doubts(T0 + MINUTE, Schedule.FIVE_MINUTE) == NOBODY, "it does know it"


def test_while_caiso_does_not_answer_its_last_word_counts_for_a_while() -> None:
    known = batches()
    known.note_failed("B1", AWAY, T0 + RECHECK)
    assert known.doubts(T0 + VOUCHED, Schedule.FIVE_MINUTE) == NOBODY
    assert known.doubts(T0 + VOUCHED + SECOND, Schedule.FIVE_MINUTE) == Doubts(frozenset({"R1"}))


def test_an_instruction_in_doubt_speaks_against_its_resource_and_keeps_the_batch_on_the_list() -> None:
    known = OpenBatches(RECHECK, VOUCHED, lambda: 0.0)
    known.note_told(header(status=5, batch_type=1), T0)
    known.note_names("B1", ["R1", "R2"])
    known.note_had(header(status=5, batch_type=1), T0 + 60 * MINUTE, ["R2"], T0)
    assert known.doubts(T0, Schedule.HOURLY) == Doubts(frozenset({"R2"}))
    assert not known.is_settled("B1", T0)
    assert known.is_settled("B1", T0 + 60 * MINUTE)


def test_a_restored_batch_is_in_doubt_until_caiso_confirms_it() -> None:
    known = OpenBatches(RECHECK, VOUCHED, lambda: 0.0)
    known.restore(known_of("B1", 1), "R1", T0 + 5 * MINUTE, T0)
    assert known.doubts(T0, Schedule.FIVE_MINUTE) == Doubts(frozenset({"R1"}))
    assert [batch.batch_uid for batch in known.to_ask_again(T0)] == ["B1"]
    assert known.note_told(header(), T0).known is Known.REPLACED, "its document says whom it names and what it asks"


def test_an_older_revision_changes_and_confirms_nothing() -> None:
    known = batches()
    known.note_told(header(2), T0)
    known.note_had(header(2), T0 + 5 * MINUTE, (), T0)
    told = known.note_told(header(1), T0 + MINUTE)
    assert (told.known, told.header.revision_no, told.confirmed_at) == (Known.HELD, 2, T0)


@given(st.lists(st.sampled_from([AWAY, FAULT]), min_size=1, max_size=30))
def test_each_failure_puts_the_next_question_off_further_up_to_a_bound(failures: list[AdsFailure]) -> None:
    known, now, waits = batches(had=False), T0, []
    for failure in failures:
        batch = known.note_failed("B1", failure, now)
        waits.append(batch.ask_at - now)
        now = batch.ask_at
    assert waits == sorted(waits)
    assert waits[0] == SECOND
    assert waits[-1] <= ASK_AGAIN_MOST


def test_what_failed_together_is_not_asked_for_again_together() -> None:
    chances = iter([0.0, 0.5, 1.0])
    known = OpenBatches(RECHECK, VOUCHED, lambda: next(chances))
    for uid in ("B1", "B2", "B3"):
        known.note_told(header(batch_uid=uid), T0)
    waits = [known.note_failed(uid, AWAY, T0).ask_at - T0 for uid in ("B1", "B2", "B3")]
    assert waits == [SECOND, 0.75 * SECOND, 0.5 * SECOND]


def test_a_batch_is_given_up_after_a_few_unusable_answers_and_never_for_want_of_one() -> None:
    known = batches(had=False)
    for _ in range(50):
        assert not known.note_failed("B1", AWAY, T0).is_given_up
    for _ in range(ATTEMPTS):
        given_up = known.note_failed("B1", FAULT, T0)
    assert given_up.is_given_up
    assert not known.is_settled("B1", T0), "it may be in force"
    assert known.is_settled("B1", T0 + 5 * MINUTE)
    assert batches(had=False).note_failed("B1", Unforeseen(ASKED, "a fault of ours"), T0).is_given_up


def test_the_next_question_is_due_with_the_first_batch_in_force_that_could_not_be_had() -> None:
    known = OpenBatches(RECHECK, VOUCHED, lambda: 0.0)
    for uid in ("B1", "B2", "B3"):
        known.note_told(header(batch_uid=uid), T0)
    assert known.again_at(T0) == T0, "what a round did not come to is due at once"
    known.note_had(header(batch_uid="B3"), T0 + 5 * MINUTE, (), T0)
    known.note_failed("B1", AWAY, T0)
    known.note_failed("B1", AWAY, T0)
    known.note_failed("B2", AWAY, T0)
    assert known.again_at(T0) == T0 + SECOND
    known.note_had(header(batch_uid="B2"), T0 + 5 * MINUTE, (), T0)
    assert known.again_at(T0) == T0 + 2 * SECOND
    assert known.again_at(T0 + 60 * MINUTE) is None, "what is over waits for the round"


def test_a_failing_batch_keeps_no_other_waiting() -> None:
    known = OpenBatches(RECHECK, VOUCHED, lambda: 0.0)
    for uid in ("B1", "B2"):
        known.note_told(header(batch_uid=uid), T0)
    known.note_failed("B1", AWAY, T0)
    assert [batch.batch_uid for batch in known.to_take(T0)] == ["B2"]
    known.note_had(header(batch_uid="B2"), T0 + 5 * MINUTE, (), T0)
    assert [batch.batch_uid for batch in known.to_ask_again(T0 + RECHECK)] == ["B1", "B2"]


def test_what_is_over_settled_and_not_listed_is_forgotten_once_its_validation_is_taken() -> None:
    known = batches()
    known.forget_settled((), T0 + 5 * MINUTE)
    assert known.validations_owed() == ["B1"]
    known.note_validation("B1", taken=True, attempts=3)
    known.forget_settled(("B1",), T0 + 5 * MINUTE)
    assert known.get("B1")
    known.forget_settled((), T0 + 5 * MINUTE)
    assert known.get("B1") is None


def test_what_is_not_known_of_an_hourly_batch_says_nothing_about_five_minute_dots():
    known = OpenBatches(RECHECK, VOUCHED, lambda: 0.0)
    known.restore(known_of("B1", 1, 1), "R1", T0 + 60 * MINUTE, T0)
    assert known.doubts(T0, Schedule.FIVE_MINUTE) == NOBODY
    assert known.doubts(T0, Schedule.HOURLY) == Doubts(frozenset({"R1"}))


def test_what_is_not_confirmed_is_doubted_well_before_a_state_is_stale_and_not_before_it_could_be_asked_for_again():
    confirmed_after = RECHECK + 20 * SECOND
    assert vouched_for(confirmed_after, 90 * SECOND) == 60 * SECOND
    assert vouched_for(confirmed_after, 60 * SECOND) == confirmed_after


def test_a_resource_counts_from_the_oldest_of_caiso_s_last_words_on_its_batches():
    known = batches()
    known.note_told(header(batch_uid="B2"), T0)
    known.note_names("B2", ["R1", "R2"])
    known.note_had(header(batch_uid="B2"), T0 + 10 * MINUTE, (), T0 + RECHECK)
    assert known.confirmed(T0 + RECHECK) == {"R1": T0, "R2": T0 + RECHECK}


@pytest.mark.parametrize(
    ("status", "failure", "later"),
    [(4, None, RECHECK), (1, FAULT, RECHECK), (1, AWAY, VOUCHED + SECOND)],
    ids=["cancelled", "forgotten", "not confirmed"],
)
def test_what_is_withdrawn_or_in_doubt_makes_no_state_old(status: int, failure: AdsFailure | None, later: timedelta):
    known = batches()
    known.note_had(header(2, status), T0 + 5 * MINUTE, (), T0)
    if failure:
        known.note_failed("B1", failure, T0)
    assert known.confirmed(T0 + later) == {}


def test_a_revision_that_waits_for_its_turn_leaves_a_state_as_old_as_what_it_replaces():
    known = batches()
    known.note_told(header(2), T0 + RECHECK)
    assert known.confirmed(T0 + RECHECK) == {"R1": T0}


def test_a_batch_that_caiso_confirmed_after_its_end_is_final():
    known, end = batches(), T0 + 5 * MINUTE
    known.note_told(header(), end)
    assert known.confirmed(end) == {"R1": end}
    assert [each.batch_uid for each in known.to_ask_again(end + RECHECK)] == ["B1"], "clocks may differ by as much"
    known.note_told(header(), end + RECHECK)
    assert (known.confirmed(end + RECHECK), known.to_ask_again(end + 60 * MINUTE)) == ({}, [])
    assert known.doubts_of_batches(end + 60 * MINUTE) == {}


def test_a_batch_that_was_not_confirmed_after_its_end_speaks_against_its_own_dots_alone():
    known, later = batches(), T0 + 5 * MINUTE + VOUCHED
    known.note_failed("B1", AWAY, T0 + 5 * MINUTE)
    assert known.doubts_of_batches(later) == {"B1": frozenset({"R1"})}
    assert known.doubts(later, Schedule.FIVE_MINUTE) == NOBODY
    assert known.confirmed(later) == {}


def test_what_was_confirmed_by_a_clock_that_is_set_back_is_not_final():
    known, later = batches(), T0 + 6 * MINUTE
    known.note_told(header(), T0 + 60 * MINUTE)
    known.read_anew(later)
    assert [each.batch_uid for each in known.to_ask_again(later)] == ["B1"]
    assert known.doubts_of_batches(later) == {"B1": frozenset({"R1"})}


def test_what_is_to_come_and_was_forgotten_speaks_against_its_own_dots_alone_until_it_begins() -> None:
    known, begins = batches(), T0 + 30 * MINUTE
    known.note_had(header(), begins + 5 * MINUTE, (), T0, {"R1": ""}, begins)
    known.note_failed("B1", UnknownUid(ASKED, "unknown batch"), T0)
    for now in (T0 + VOUCHED + SECOND, begins - 3 * SECOND):
        assert (known.doubts(now, Schedule.FIVE_MINUTE), known.doubts_of_batches(now)) == (NOBODY, {"B1": frozenset({"R1"})})
    for now in (begins - SECOND, begins + 4 * MINUTE):
        assert (known.doubts(now, Schedule.FIVE_MINUTE).resources, known.doubts_of_batches(now)) == ({"R1"}, {})


@pytest.mark.parametrize("failure", [FAULT, AWAY], ids=["another fault", "no answer"])
def test_what_is_to_come_and_not_confirmed_speaks_against_the_states_because_it_may_be_revised_to_begin_at_once(
    failure: AdsFailure,
) -> None:
    known, begins = batches(), T0 + 30 * MINUTE
    known.note_had(header(), begins + 5 * MINUTE, (), T0, {"R1": ""}, begins)
    known.note_failed("B1", failure, T0)
    assert known.doubts(T0 + VOUCHED + SECOND, Schedule.FIVE_MINUTE).resources == {"R1"}


def test_a_revision_that_was_not_had_speaks_against_the_states_at_once_because_it_may_be_of_any_time() -> None:
    known, begins = batches(), T0 + 30 * MINUTE
    known.note_had(header(), begins + 5 * MINUTE, (), T0, {"R1": ""}, begins)
    known.note_told(header(2), T0 + SECOND)
    known.note_failed("B1", AWAY, T0 + SECOND)
    assert known.doubts(T0 + 2 * SECOND, Schedule.FIVE_MINUTE).everyone

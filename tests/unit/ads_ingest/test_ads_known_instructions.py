"""What is instructed besides five-minute DOTs: the same whatever the order in which CAISO's revisions come."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ads_ingest.known.instructions import InstructionRecord, known_in
from dotbus.contracts.messages import (
    Dispatch,
    DispatchBatchHeader,
    Environment,
    Instruction,
    Instructions,
    KnownInstruction,
)
from dotbus.contracts.schedules import BatchType

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COMMON = {"environment": Environment.SIMULATOR, "source": "ads_ingest/test", "id": "-", "plant": "north", "resource_id": "R"}


def dispatch(
    *instructions: Instruction,
    uid: str = "B",
    kind: int | None = 4,
    revision: int | None = 1,
    status: int | None = 1,
    heard_min: float = 0,
    start_min: float = 0,
    binding: str | None = "Y",
) -> Dispatch:
    header = DispatchBatchHeader(
        batch_uid=uid,
        batch_type=kind,
        batch_status=status,
        start_at=T0 + start_min * MINUTE,
        batch_expires_at=T0 + 10 * MINUTE,
        revision_no=revision,
        binding_flag=binding,
    )
    return Dispatch(**COMMON, time=T0 + heard_min * MINUTE, batch=header, instructions=instructions)  # type: ignore[arg-type]


def instruction(kind: int | None, uid: str = "I", last_min: float = 30, **told: object) -> Instruction:
    end_at = T0 + last_min * MINUTE
    return Instruction(instruction_uid=uid, resource_id="R", instruction_type=kind, end_at=end_at, **told)  # type: ignore[arg-type]


def only(dispatched: Dispatch) -> KnownInstruction:
    (known,) = known_in(dispatched)
    return known


def book_of(*events: Dispatch) -> InstructionRecord:
    entry = InstructionRecord()
    for event in events:
        entry = entry.with_dispatch(event)
    return entry


def published(entry: InstructionRecord) -> Instructions:
    return Instructions(
        environment=Environment.SIMULATOR,
        source="ads_ingest/test",
        time=T0,
        heard_at=T0,
        plant="north",
        resource_id="R",
        instructions=entry.instructions,
        withdrawn=entry.withdrawn,
    )


@pytest.mark.parametrize(
    ("instruction_type", "what", "limits"),
    [(1, "minimum", (30.0, None)), (2, "maximum", (None, 30.0)), (3, "fixed", (30.0, 30.0)), (0, "dot", (None, None))],
)
def test_a_constraint_says_its_limits_and_a_dot_has_none(
    instruction_type: int, what: str, limits: tuple[float | None, float | None]
) -> None:
    known = only(dispatch(instruction(instruction_type, dot_mw=30.0)))
    assert (known.what, known.min_mw, known.max_mw, known.instructed_mw) == (what, *limits, 30.0)


def test_a_limit_that_is_not_in_force_limits_nothing() -> None:
    known = only(dispatch(instruction(2, dot_mw=30.0), status=6))
    assert (known.standing, known.max_mw, known.standing_mw, known.instructed_mw) == ("not in force", None, None, 30.0)


def test_an_award_says_its_service_and_its_megawatts() -> None:
    known = only(dispatch(instruction(6, as_type="SR", award_mw=4.5, cleared_mw=6.0, self_sched_mw=1.5), kind=3))
    assert (known.what, known.as_type, known.standing_mw, known.cleared_mw) == ("as-award", "SR", 4.5, 6.0)
    assert known.answer is None


def test_a_transition_says_from_which_configuration_to_which() -> None:
    told = instruction(7, transition_from_config_id="1x1", transition_to_config_id="2x1")
    known = only(dispatch(told, kind=2))
    assert (known.transition_from_config_id, known.transition_to_config_id) == ("1x1", "2x1")


def test_five_minute_dots_have_a_state_of_their_own() -> None:
    assert known_in(dispatch(instruction(0, dot_mw=3.0), kind=0)) == ()
    assert [known.what for known in known_in(dispatch(instruction(7), instruction(0, "J", dot_mw=3.0), kind=0))] == [
        "transition"
    ]


def test_an_advisory_batch_instructs_nothing() -> None:
    assert known_in(dispatch(instruction(4), kind=2, binding="N")) == ()


def test_an_hourly_dot_is_open_until_its_batch_expires() -> None:
    answer = only(dispatch(instruction(0, dot_mw=40.0, min_accept_mw=5.0), kind=1)).answer
    assert answer
    assert (answer.answer, answer.is_open, answer.open_until, answer.min_accept_mw) == ("none", True, T0 + 10 * MINUTE, 5.0)


@pytest.mark.parametrize("status", [0, 2, 3, 5, 6, None])
def test_an_hourly_dot_whose_batch_is_not_active_takes_no_answers(status: int | None) -> None:
    answer = only(dispatch(instruction(0, dot_mw=40.0), kind=1, status=status)).answer
    assert answer
    assert (answer.is_open, answer.open_until) == (False, None)


def test_what_was_answered_is_told_with_what_stands_after_it() -> None:
    told = instruction(0, dot_mw=40.0, accept_dot_mw=15.0, accept_status="PARTIAL", responder="somebody", reason_code=13)
    known = only(dispatch(told, kind=1))
    assert known.answer
    assert (known.answer.answer, known.answer.reason_code, known.answer.responder) == ("partly accepted", 13, "somebody")
    assert (known.instructed_mw, known.standing_mw) == (40.0, 15.0)


def test_of_an_instruction_that_a_batch_names_twice_the_newer_counts() -> None:
    twice = (instruction(2, dot_mw=20.0, revision_number=2), instruction(2, dot_mw=10.0, revision_number=1))
    assert only(dispatch(*twice)).max_mw == 20.0


def test_a_cancelled_batch_leaves_and_is_remembered_until_what_it_instructed_is_over() -> None:
    entry = book_of(dispatch(instruction(2, dot_mw=10.0)), dispatch(instruction(2, dot_mw=10.0), revision=2, status=4))
    assert entry.instructions == ()
    (gone,) = entry.withdrawn
    assert (gone.batch_uid, gone.revision_no, gone.batch_status, gone.until) == ("B", 2, 4, T0 + 30 * MINUTE)
    assert entry.with_dispatch(dispatch(instruction(2, dot_mw=10.0))) == entry
    assert entry.pruned(T0 + 30 * MINUTE) == InstructionRecord()


@pytest.mark.parametrize("revision", [1, None])
def test_what_is_said_again_was_told_when_it_was_said_first_also_over_a_restart(revision: int | None) -> None:
    """An answer that CAISO took since then would seem to be older than what it answers."""
    first = dispatch(instruction(0, dot_mw=40.0), kind=1, revision=revision)
    again = dispatch(instruction(0, dot_mw=40.0), kind=1, revision=revision, heard_min=5)
    other = dispatch(instruction(0, dot_mw=30.0), kind=1, revision=revision and 2, heard_min=6)
    restarted = InstructionRecord.of_state(published(book_of(first)))
    for book in (book_of(first, again), book_of(again, first), restarted.with_dispatch(again)):
        assert [each.told_at for each in book.instructions] == [T0]
        assert [each.told_at for each in book.with_dispatch(other).instructions] == [T0 + 6 * MINUTE]


def test_a_revision_that_no_longer_names_the_resource_ends_what_the_one_before_said() -> None:
    entry = book_of(dispatch(instruction(4), kind=2), dispatch(kind=2, revision=2))
    assert entry.instructions == ()
    assert entry.with_dispatch(dispatch(instruction(4), kind=2)).instructions == ()
    assert entry.with_dispatch(dispatch(instruction(4), kind=2, revision=3)).instructions


def test_a_batch_that_came_back_in_a_higher_revision_holds_again() -> None:
    withdrawn = dispatch(instruction(4), kind=2, revision=2, status=4)
    entry = book_of(withdrawn, dispatch(instruction(4), kind=2, revision=3))
    assert [known.revision_no for known in entry.instructions] == [3]
    assert entry.withdrawn == ()


def test_a_header_alone_takes_a_batch_away_until_its_document_says_more() -> None:
    first, deferred = dispatch(instruction(2, dot_mw=10.0)), dispatch(instruction(2, dot_mw=10.0), revision=2, status=6)
    entry = book_of(first).without_batch(deferred.batch, T0 + 30 * MINUTE, T0)
    assert entry.instructions == ()
    assert [known.standing for known in entry.with_dispatch(deferred).instructions] == ["not in force"]


def test_what_is_past_goes_and_what_is_ahead_stays() -> None:
    entry = book_of(dispatch(instruction(2, "I", 10, dot_mw=1.0), instruction(2, "J", 20, dot_mw=2.0)))
    assert [known.instruction_uid for known in entry.pruned(T0 + 10 * MINUTE).instructions] == ["J"]
    assert entry.pruned(T0 + 20 * MINUTE) == InstructionRecord()
    assert entry.pruned(T0) is entry


INSTRUCTIONS = st.builds(
    lambda kind, uid, last_min, mw, revision: instruction(
        kind, uid, last_min, dot_mw=mw, award_mw=mw, revision_number=revision
    ),
    st.sampled_from([None, 0, 1, 2, 3, 4, 5, 6, 7, 9]),
    st.sampled_from(["I", "J"]),
    st.sampled_from([10, 20, 30]),
    st.sampled_from([None, 0.0, 12.5]),
    st.integers(1, 2),
)
EVENTS = st.lists(
    st.builds(
        lambda several, uid, revision, status, heard_min, binding: dispatch(
            *several,
            uid=uid,
            kind={"B": 4, "C": 2, "D": 1, "E": 12}[uid],
            revision=revision,
            status=status,
            heard_min=heard_min,
            binding=binding,
        ),
        st.lists(INSTRUCTIONS, max_size=3, unique_by=lambda each: each.instruction_uid),
        st.sampled_from("BCDE"),
        st.sampled_from([None, 1, 2, 3]),
        st.sampled_from([None, 0, 1, 2, 3, 4, 5, 6]),
        st.integers(0, 3),
        st.sampled_from(["Y", None, "N"]),
    ),
    max_size=8,
)


@given(EVENTS, st.randoms())
def test_any_order_of_any_revisions_however_often_gives_the_same(events: list[Dispatch], chance) -> None:
    again = [*events, *chance.choices(events, k=3)] if events else []
    chance.shuffle(again)
    assert published(book_of(*again)) == published(book_of(*events))


@given(EVENTS)
def test_only_the_highest_revision_of_a_batch_is_told(events: list[Dispatch]) -> None:
    highest: dict[str, int] = {}
    for event in events:
        uid = event.batch.batch_uid
        highest[uid] = max(highest.get(uid, 0), event.batch.revision_no or 0)
    for known in book_of(*events).instructions:
        assert (known.revision_no or 0) == highest[known.batch_uid]
        assert known.batch_until >= known.start_at


@given(EVENTS, st.integers(-5, 40))
def test_after_a_restart_the_same_is_known_and_pruning_again_changes_nothing(events: list[Dispatch], now_min: int) -> None:
    entry = book_of(*events).pruned(T0 + now_min * MINUTE)
    assert entry.pruned(T0 + now_min * MINUTE) is entry
    state = published(entry)
    again = InstructionRecord.of_state(msgspec.json.decode(msgspec.json.encode(state), type=Instructions))
    assert published(again) == state
    assert published(again.pruned(T0 + 99 * MINUTE)) == published(InstructionRecord())


@given(EVENTS, EVENTS)
def test_a_restart_between_two_revisions_changes_nothing(before: list[Dispatch], after: list[Dispatch]) -> None:
    """Where CAISO numbers its revisions; without a number only the time tells, and what is withdrawn keeps none."""
    before = [event for event in before if event.batch.revision_no]
    after = [event for event in after if event.batch.revision_no]
    restarted = InstructionRecord.of_state(published(book_of(*before)))
    for event in after:
        restarted = restarted.with_dispatch(event)
    assert published(restarted) == published(book_of(*before, *after))


def test_a_type_that_nobody_knows_is_told_with_its_numbers() -> None:
    known = only(dispatch(instruction(9, dot_mw=1.0), kind=99))
    assert (known.what, known.instruction_type, known.batch_type) == ("other", 9, 99)
    assert 99 not in list(BatchType)

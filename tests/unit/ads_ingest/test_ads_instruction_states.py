"""The `instructions` state of each resource: said with the events that it follows from, judged by what it rests on."""

from datetime import timedelta

import pytest
from ads_bench import INSTALLATION, MINUTE, RECHECK, T0, Bench, batch, faulted, timed_out
from ads_fake import Batch

from dotbus.contracts.codec import decode
from dotbus.contracts.messages import Instructions
from dotbus.runtime.installation.installation import Installation


def limit(n: int, mw: float = 10.0, *, resource: str = "R1", last_min: float = 60, **told: object) -> Batch:
    """An exceptional dispatch that sets a maximum."""
    ends = f"<endTime>{(T0 + last_min * MINUTE).isoformat()}</endTime>"
    return Batch(f"X{n}", T0, {resource: mw}, batch_type=4, instruction_type=2, told=ends, **told)  # type: ignore[arg-type]


def said(bench: Bench, resource: str = "R1") -> list[tuple[str, float | None]]:
    return [(known.batch_uid, known.max_mw) for known in bench.instructions(resource).instructions]


def test_a_constraint_is_said_as_a_state_and_a_resource_without_one_has_an_empty_state(bench: Bench) -> None:
    bench.ads.batches = [batch(1), limit(1)]
    assert bench.round() == []
    assert said(bench) == [("X1", 10.0)]
    assert said(bench, "R2") == []
    assert bench.instructions().reasons == ()
    assert bench.dots() == [("B1", 1.0)]


def test_a_higher_revision_replaces_it_and_a_cancel_takes_it_away(bench: Bench) -> None:
    bench.ads.batches = [limit(1)]
    bench.round()
    bench.ads.batches = [limit(1, 20.0, revision_no=2)]
    bench.round(RECHECK)
    assert said(bench) == [("X1", 20.0)]
    bench.ads.batches = [limit(1, 20.0, revision_no=3, status=4)]
    bench.round(RECHECK)
    assert said(bench) == []
    assert [(gone.batch_uid, gone.revision_no) for gone in bench.instructions().withdrawn] == [("X1", 3)]


def test_a_cancel_whose_document_cannot_be_had_takes_it_away_all_the_same(bench: Bench) -> None:
    bench.ads.batches = [limit(1)]
    bench.round()
    bench.ads.batches = [limit(1, revision_no=2, status=4)]
    bench.ads.troubles["getDispatchBatch", None] = timed_out
    bench.round(RECHECK)
    assert said(bench) == []


def test_a_revision_that_names_another_resource_moves_it(bench: Bench) -> None:
    bench.ads.batches = [limit(1)]
    bench.round()
    bench.ads.batches = [limit(1, resource="R2", revision_no=2)]
    bench.round(RECHECK)
    assert said(bench) == []
    assert said(bench, "R2") == [("X1", 10.0)]


def test_after_a_restart_it_is_known_and_doubted_until_caiso_confirms_it(bench: Bench) -> None:
    bench.ads.batches = [limit(1), batch(1)]
    bench.round()
    bench.restart()
    bench.ads.troubles["getBatchHeader", "X1"] = timed_out
    bench.round(MINUTE)
    assert said(bench) == [("X1", 10.0)]
    assert bench.instructions().reasons == ("incomplete",)
    bench.ads.troubles.clear()
    bench.round(MINUTE)
    assert bench.instructions().reasons == ()


def test_a_cancel_while_the_process_was_away_is_found_by_the_next_one(bench: Bench) -> None:
    bench.ads.batches = [limit(1)]
    bench.round()
    bench.ads.batches = [limit(1, revision_no=2, status=4)]
    bench.restart()
    bench.round(MINUTE)
    assert said(bench) == []


def test_what_cannot_be_had_doubts_what_is_instructed_and_no_dot(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(Batch("C1", T0, {"R1": 0.0}, batch_type=2, instruction_type=4))
    bench.ads.troubles["getDispatchBatch", "C1"] = faulted
    bench.round(MINUTE)
    assert bench.instructions().reasons == bench.instructions("R2").reasons == ("incomplete",)
    assert bench.reasons() == ()


def test_what_cannot_be_confirmed_grows_old_and_then_is_doubted(bench: Bench) -> None:
    bench.ads.batches = [limit(1)]
    bench.round()
    bench.ads.troubles["getBatchHeader", None] = timed_out
    bench.round(MINUTE)
    assert bench.instructions().heard_at == T0
    bench.round(MINUTE)
    assert bench.instructions().reasons == ("incomplete",)


def test_five_minute_batches_that_cannot_be_had_say_nothing_against_an_award(bench: Bench) -> None:
    bench.ads.batches = [limit(1), batch(1)]
    bench.ads.troubles["getDispatchBatch", "B1"] = faulted
    bench.round()
    bench.round(MINUTE)
    assert bench.instructions().reasons == ()
    assert bench.reasons() == ("incomplete",)


def test_what_is_over_leaves_the_state(bench: Bench) -> None:
    bench.ads.batches = [limit(1, last_min=10)]
    bench.round()
    bench.round(11 * MINUTE)
    assert said(bench) == []
    assert bench.instructions().withdrawn == ()


def test_it_is_said_again_every_thirty_seconds_while_caiso_is_heard(bench: Bench) -> None:
    bench.ads.batches = [limit(1)]
    bench.round()
    first = bench.instructions()
    bench.round(timedelta(seconds=10))
    assert bench.instructions() == first
    bench.round(timedelta(seconds=30))
    assert bench.instructions().heard_at > first.heard_at


def test_a_resource_that_went_to_another_plant_takes_its_state_with_it(bench: Bench) -> None:
    bench.ads.batches = [limit(1)]
    bench.round()
    bench.installation = Installation.model_validate(
        {"environment": "simulator", "plant": [{"name": "south", "resource": [{"id": "R1"}, {"id": "R2"}]}]}
    )
    bench.restart()
    topics = INSTALLATION.topics
    assert topics.instructions("north", "R1") not in bench.outbox.states()
    moved = decode(bench.outbox.states()[topics.instructions("south", "R1")])
    assert isinstance(moved, Instructions)
    assert [known.batch_uid for known in moved.instructions] == ["X1"]


def test_the_state_of_a_resource_without_a_plant_is_retracted_when_all_in_it_is_past(bench: Bench) -> None:
    bench.ads.batches = [limit(1, resource="STRANGER", last_min=10)]
    bench.round()
    topic = INSTALLATION.topics.instructions("unassigned", "STRANGER")
    assert topic in bench.outbox.states()
    bench.round(11 * MINUTE)
    bench.round(MINUTE)
    assert topic not in bench.outbox.states()


def test_a_batch_that_cannot_be_passed_on_leaves_what_was_known(bench: Bench) -> None:
    bench.ads.batches = [limit(1)]
    bench.round()
    before = bench.instructions().instructions
    bench.ads.batches = [limit(1, 20.0, revision_no=2, detail="<instructionDetail><serviceType>X</serviceType>")]
    bench.round(RECHECK)
    assert bench.instructions().instructions == before


def test_an_hourly_dot_shows_until_when_it_can_be_answered_and_then_what_was(bench: Bench) -> None:
    expires = f"<batchExpires>{(T0 + 10 * MINUTE).isoformat()}</batchExpires>"
    bench.ads.batches = [Batch("H1", T0, {"R1": 40.0}, batch_type=1, head=expires)]
    bench.round()
    (open_one,) = bench.instructions().instructions
    assert open_one.answer
    assert (open_one.answer.is_open, open_one.answer.open_until) == (True, T0 + 10 * MINUTE)
    told = "<acceptDot>15</acceptDot><acceptStatus>PARTIAL</acceptStatus><reasonCode>13</reasonCode>"
    bench.ads.batches = [Batch("H1", T0, {"R1": 40.0}, batch_type=1, head=expires, revision_no=2, status=3, told=told)]
    bench.round(RECHECK)
    (answered,) = bench.instructions().instructions
    assert answered.answer
    assert (answered.answer.answer, answered.answer.is_open, answered.standing_mw) == ("partly accepted", False, 15.0)


@pytest.mark.parametrize(
    ("told", "dot_mw", "reasons"),
    [
        ("<acceptDot>400</acceptDot>", 40.0, ("incomplete",)),
        ("<acceptDot>-5</acceptDot>", 40.0, ("incomplete",)),
        ("<acceptDot>15</acceptDot><oprAcceptDot>41</oprAcceptDot>", 40.0, ("incomplete",)),
        ("<acceptDot>5</acceptDot>", -40.0, ("incomplete",)),
        ("<acceptDot>40.004</acceptDot>", 40.0, ()),
        ("<acceptDot>-15</acceptDot>", -40.0, ()),
        ("<acceptDot>0</acceptDot><acceptStatus>PARTIAL</acceptStatus>", 40.0, ()),
    ],
)
def test_more_than_is_instructed_is_not_accepted_of_it(
    bench: Bench, told: str, dot_mw: float, reasons: tuple[str, ...]
) -> None:
    """CAISO takes nothing but 0 to the hourly DOT, so that an answer beyond it is not what was answered."""
    bench.ads.batches = [Batch("H1", T0, {"R1": dot_mw}, batch_type=1, told=told)]
    bench.round()
    (interval,) = bench.dot().intervals
    assert interval.reasons == reasons


def test_what_was_declined_may_go_back_to_any_megawatts(bench: Bench) -> None:
    told = "<acceptDot>55</acceptDot><acceptStatus>DECLINE</acceptStatus><reasonCode>11</reasonCode>"
    bench.ads.batches = [Batch("H1", T0, {"R1": 40.0}, batch_type=1, told=told)]
    bench.round()
    assert (bench.dot().intervals, bench.dot().reasons, bench.instructions().reasons) == ((), (), ())

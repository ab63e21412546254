"""Rounds of the dispatch stream: what becomes an event, what is asked for, what a restart takes up."""

from datetime import timedelta

import pytest
import structlog
from ads_bench import INSTALLATION, MINUTE, RECHECK, T0, Bench, batch, faulted, timed_out
from ads_fake import Trouble
from ads_replies import fault

from ads_ingest.caiso import FAULTS_MOST
from caiso.ads.errors import Busy, SoapFault, TimedOut
from caiso.ads.records import Question
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dot
from dotbus.runtime.installation.installation import Installation


def test_each_new_batch_becomes_an_event_for_each_resource_a_state_and_a_cursor_together(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    assert bench.round() == []
    assert [(event.batch.batch_uid, event.resource_id) for event in bench.dispatches()] == [
        ("B1", "R1"),
        ("B1", "R2"),
        ("B2", "R1"),
        ("B2", "R2"),
    ]
    assert bench.dots("R1") == [("B1", 1.0), ("B2", 2.0)]
    assert bench.dots("R2") == [("B1", -1.0), ("B2", -2.0)]
    assert bench.outbox.cursors() == {"dispatch": "B2"}
    assert bench.ads.validated == {"B1": 1, "B2": 1}


def test_each_batch_is_one_line_in_the_log_and_none_when_it_comes_again(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2)]
    with structlog.testing.capture_logs() as log:
        bench.round()
        bench.round()
    told = [(line["stream"], line["batch_uid"], line["resources"]) for line in log if line["event"] == "batch"]
    assert told == [("dispatch", "B1", 2), ("dispatch", "B2", 2)]


def test_the_first_question_is_for_all_and_the_next_for_what_came_since(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2))
    bench.round()
    since = [question.batch_uid for question in bench.ads.asked if question.operation == "getDispatchBatchesSinceUID"]
    assert since == ["-1", "B1"]
    assert len(bench.dispatches()) == 4


def test_a_batch_is_validated_only_after_it_is_kept(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    seen: list[int] = []
    bench.ads.troubles["validateDispatchBatch", None] = lambda q: seen.append(len(bench.dispatches())) or timed_out(q)
    bench.round()
    assert seen == [2]


def test_a_validation_that_caiso_did_not_hear_is_sent_again_and_is_no_failure(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.troubles["validateDispatchBatch", None] = timed_out
    assert bench.round() == []
    bench.ads.troubles.clear()
    bench.round()
    bench.round()
    assert bench.ads.validated == {"B1": 1}


def test_after_a_restart_open_batches_get_their_validation(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.troubles["validateDispatchBatch", None] = timed_out
    bench.round()
    bench.ads.troubles.clear()
    bench.restart()
    bench.round()
    assert bench.ads.validated == {"B1": 1}


def test_a_configured_resource_without_a_dot_says_so_once_all_was_looked_through(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=5.0)]
    bench.ads.troubles["getDispatchBatch", None] = timed_out
    bench.round()
    assert bench.outbox.states() == {}, "nothing is known yet, so nothing is said"
    bench.ads.troubles.clear()
    bench.round(MINUTE)
    assert bench.dots("R2") == []
    assert bench.dot("R2").received_at is None


def test_a_state_is_said_again_when_it_changes_and_otherwise_every_thirty_seconds(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    first = bench.dot().heard_at
    bench.round(timedelta(seconds=10))
    assert bench.dot().heard_at == first
    bench.round(timedelta(seconds=20))
    assert bench.dot().heard_at == first + timedelta(seconds=30)


def test_a_clock_that_is_set_back_leaves_no_state_of_the_future_and_stops_no_question(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.set_clock(-3 * MINUTE)
    bench.round()
    assert bench.dot().heard_at == bench.now
    assert bench.ads.operations().count("getDispatchBatch") == 2


def test_what_was_heard_by_a_clock_that_was_ahead_is_as_old_as_it_is_though_caiso_is_silent(bench: Bench) -> None:
    bench.set_clock(timedelta(hours=1))
    bench.restart()
    bench.ads.batches = [batch(1, at=bench.now)]
    bench.round()
    bench.ads.troubles["getDispatchBatchesSinceUID", None] = timed_out
    bench.later(20 * MINUTE)
    bench.set_clock(-timedelta(hours=1))
    with pytest.raises(TimedOut):
        bench.round()
    assert bench.dot().heard_at == bench.now - 20 * MINUTE
    assert bench.dot().valid_until == bench.dot().heard_at + timedelta(seconds=90)


def test_by_a_clock_that_is_ahead_of_caiso_s_nothing_was_heard_later_than_caiso_answered(bench: Bench) -> None:
    bench.set_clock(timedelta(hours=1))
    bench.restart()
    bench.ads.clock_offset_s = -3600.0
    bench.ads.batches = [batch(1, at=bench.now)]
    bench.round()
    assert bench.dot().heard_at == T0
    bench.ads.clock_offset_s = 3600.0
    for _ in range(3):
        bench.round(RECHECK)
    assert bench.dot().heard_at == bench.now, "one of ours that is behind makes nothing younger"


def test_one_wrong_date_of_caiso_s_makes_no_state_old(bench: Bench) -> None:
    bench.ads.batches = [batch(1, at=bench.now)]
    bench.round()
    for offset_s in (-40 * 3600.0, 0.0, 40 * 3600.0, 0.0):
        bench.ads.clock_offset_s = offset_s
        bench.round(RECHECK)
        assert bench.dot().heard_at == bench.now


def test_a_state_says_until_when_it_counts_and_is_said_again_before(bench: Bench) -> None:
    bench.ads.batches = [batch(1, R1=1.0, STRANGER=2.0)]
    bench.round()
    for _ in range(20):
        bench.round(timedelta(seconds=10))
        for state in (bench.dot(), bench.dot("R2"), bench.dot("STRANGER", "unassigned")):
            assert state.valid_until == state.heard_at + timedelta(seconds=90)
            assert state.valid_until > bench.now + MINUTE


def test_a_quiet_round_commits_nothing(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    before = bench.commits
    bench.round(timedelta(seconds=5))
    assert bench.commits == before


def test_a_resource_that_nobody_claims_is_passed_on_as_unassigned(bench: Bench) -> None:
    bench.ads.batches = [batch(1, STRANGER=7.0)]
    bench.round()
    assert [event.plant for event in bench.dispatches()] == ["unassigned"]
    assert bench.dots("STRANGER", "unassigned") == [("B1", 7.0)]


def test_the_state_of_a_resource_that_nobody_claims_is_retracted_a_day_after_all_in_it_is_past(bench: Bench) -> None:
    topic = INSTALLATION.topics.dot("unassigned", "STRANGER")
    bench.ads.batches = [batch(1, STRANGER=7.0, R1=3.0)]
    bench.round()
    ends_at = decode_as(bench.outbox.states()[topic], Dot).intervals[-1].interval_end
    bench.ads.batches = []
    bench.round(ends_at + timedelta(hours=24) - bench.now)
    assert topic in bench.outbox.states()
    bench.round(MINUTE)
    assert topic not in bench.outbox.states()
    assert bench.outbox.state_payloads([topic]) == {topic: b""}, "the broker is told to forget it"
    assert bench.dots("R1") == [("B1", 3.0)], "a plant's resource keeps its last DOT"
    bench.restart()
    bench.round(MINUTE)
    assert topic not in bench.outbox.states()
    bench.ads.batches = [batch(2, at=bench.now, STRANGER=8.0)]
    bench.round(MINUTE)
    assert bench.dots("STRANGER", "unassigned") == [("B2", 8.0)], "and says it again when CAISO does"


@pytest.mark.parametrize("status", [4, 6])
@pytest.mark.parametrize("restarts", [0, 1])
def test_a_cancelled_dot_of_a_resource_that_is_not_configured_by_its_name_is_withdrawn_until_its_interval_ends(
    bench: Bench, status: int, restarts: int
) -> None:
    """Another source may be behind, and only a state that names the revision tells a reader so."""
    topic = INSTALLATION.topics.dot("unassigned", "STRANGER")
    bench.ads.batches = [batch(1, STRANGER=7.0)]
    bench.round()
    ends_at = bench.dot("STRANGER", "unassigned").intervals[-1].interval_end
    bench.ads.batches[0].revision_no, bench.ads.batches[0].status = 2, status
    bench.round(RECHECK)
    for _ in range(restarts):
        bench.restart()
    times = []
    while bench.now < ends_at - RECHECK:
        bench.round(RECHECK)
        state = bench.dot("STRANGER", "unassigned")
        assert (state.intervals, [(one.batch_uid, one.revision_no) for one in state.withdrawn]) == ((), [("B1", 2)])
        assert (state.reasons, state.valid_until is not None and state.valid_until > bench.now) == ((), True)
        times.append(state.time)
    assert len(set(times)) > 3, "it is said again as any state is"
    bench.round(ends_at - bench.now)
    bench.round(RECHECK)
    assert topic not in bench.outbox.states()


def test_what_a_pattern_claims_is_its_plants_and_goes_like_what_nobody_claims(bench: Bench) -> None:
    plants = [*INSTALLATION.model_dump(by_alias=True)["plant"], {"name": "south", "patterns": ["SOUTH_*"]}]
    bench.installation = Installation.model_validate({"environment": "simulator", "plant": plants})
    bench.restart()
    topic = INSTALLATION.topics.dot("south", "SOUTH_1")
    bench.ads.batches = [batch(1, SOUTH_1=7.0)]
    bench.round()
    assert [event.plant for event in bench.dispatches()] == ["south"]
    assert bench.dots("SOUTH_1", "south") == [("B1", 7.0)]
    bench.ads.batches = []
    bench.round(timedelta(hours=25))
    assert bench.outbox.state_payloads([topic]) == {topic: b""}


def test_a_batch_that_is_cancelled_after_it_was_kept_leaves_the_state_and_is_an_event(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].status, bench.ads.batches[0].revision_no = 4, 2
    bench.round(timedelta(seconds=10))
    assert bench.dots() == [("B1", 1.0)], "not due yet"
    bench.round(timedelta(seconds=20))
    assert bench.dots() == []
    assert [event.batch.batch_status for event in bench.dispatches()] == [1, 1, 4, 4]


def test_a_cancel_counts_even_when_the_document_cannot_be_had(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].status, bench.ads.batches[0].revision_no = 4, 2
    bench.ads.troubles["getDispatchBatch", "B1"] = timed_out
    assert len(bench.round(RECHECK)) == 1
    assert bench.dots() == []


def test_a_revision_replaces_the_dot_and_resources_that_it_no_longer_names_lose_theirs(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].revision_no, bench.ads.batches[0].dots_mw = 2, {"R1": 50.0}
    bench.round(RECHECK)
    assert (bench.dots("R1"), bench.dots("R2")) == ([("B1", 50.0)], [])


def test_a_restart_asks_at_once_whether_an_open_batch_was_cancelled_meanwhile(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches[0].status, bench.ads.batches[0].revision_no = 4, 2
    bench.restart()
    bench.round(timedelta(seconds=1))
    assert bench.dots() == []


def test_a_restart_takes_up_states_and_cursor_and_doubles_nothing(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.restart()
    bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
    bench.round(MINUTE)
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]
    assert len(bench.dispatches()) == 4


def test_a_cursor_that_caiso_forgot_is_replaced_by_all_it_has_and_doubles_nothing(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2)]
    bench.round()
    bench.ads.batches = [batch(2), batch(3)]
    bench.outbox.commit(T0, cursors={"dispatch": "B0"})
    bench.restart()
    assert bench.round(6 * MINUTE) == []
    assert [event.batch.batch_uid for event in bench.dispatches()] == ["B1", "B1", "B2", "B2", "B3", "B3"]
    assert bench.outbox.cursors() == {"dispatch": "B3"}


def busy(_question: Question) -> Trouble:
    return fault("ADS is busy")


def test_a_busy_caiso_is_asked_again_for_what_is_new_and_never_for_all_that_it_has(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.asked.clear()
    bench.ads.troubles["getDispatchBatchesSinceUID", None] = busy
    for _ in range(10):
        with pytest.raises(Busy):
            bench.round()
    assert {(question.operation, question.batch_uid) for question in bench.ads.asked} == {("getDispatchBatchesSinceUID", "B1")}
    assert bench.outbox.cursors() == {"dispatch": "B1"}


def test_a_fault_that_says_nothing_known_is_taken_for_a_passing_one_until_it_repeats(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2, at=T0 + 5 * MINUTE))
    bench.ads.troubles["getDispatchBatchesSinceUID", "B1"] = faulted
    for _ in range(FAULTS_MOST - 1):
        with pytest.raises(SoapFault):
            bench.round()
    assert "-1" not in [question.batch_uid for question in bench.ads.asked[1:]]
    bench.round()
    assert bench.outbox.cursors() == {"dispatch": "B2"}
    assert "CAISO does not know our last UID" in capsys.readouterr().out
    assert len(bench.dispatches()) == 4, "nothing is told twice"


def test_a_fault_in_between_counts_for_nothing_once_caiso_has_answered(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.asked.clear()
    for _ in range(2 * FAULTS_MOST):
        bench.ads.troubles["getDispatchBatchesSinceUID", None] = faulted
        with pytest.raises(SoapFault):
            bench.round()
        bench.ads.troubles.clear()
        bench.round()
    assert "-1" not in [question.batch_uid for question in bench.ads.asked]


def test_a_fault_that_caiso_answers_everything_with_leaves_the_cursor(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.troubles["getDispatchBatchesSinceUID", None] = faulted
    bench.ads.asked.clear()
    for _ in range(2 * FAULTS_MOST):
        with pytest.raises(SoapFault):
            bench.round()
    assert bench.outbox.cursors() == {"dispatch": "B1"}
    assert [question.batch_uid for question in bench.ads.asked].count("-1") == 2, "once for every few in vain"


def test_states_of_another_environment_are_not_taken_up(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    production = bench.installation.model_copy(update={"environment": "production"})
    bench.installation = production
    bench.ads.batches = []
    bench.restart()
    bench.round(MINUTE)
    assert bench.dots() == []


def test_a_resource_that_went_to_another_plant_takes_its_state_along_and_its_old_topics_are_retracted(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    heard_at = bench.dot().heard_at
    south = {"environment": "simulator", "plant": [{"name": "south", "resource": [{"id": "R1"}]}]}
    bench.installation = Installation.model_validate(south)
    bench.now += MINUTE
    bench.restart()
    assert bench.dots("R1", "south") == [("B1", 1.0)]
    assert bench.dots("R2", "unassigned") == [("B1", -1.0)]
    assert bench.outbox.state_payloads([bench.installation.topics.dot("north", "R1")]).popitem()[1] == b""
    moved = decode_as(bench.outbox.states()[bench.installation.topics.dot("south", "R1")], Dot)
    assert (moved.plant, moved.heard_at, moved.time) == ("south", heard_at, bench.now), "moving it makes it no younger"
    bench.round(MINUTE)
    assert bench.dots("R1", "south") == [("B1", 1.0)]


def test_topics_below_another_root_are_retracted(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    before = set(bench.outbox.states())
    elsewhere = bench.installation.model_copy(update={"topic_root": "elsewhere"})
    bench.installation = elsewhere
    bench.restart()
    assert set(bench.outbox.state_payloads(before).values()) == {b""}
    assert bench.dots() == [("B1", 1.0)]


def test_what_a_clock_that_was_ahead_took_for_past_comes_back_when_it_is_right_again(bench: Bench) -> None:
    bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
    bench.round()
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]
    bench.round(timedelta(hours=1))
    assert bench.dots() == [("B2", 2.0)], "only the last one past is kept"
    events = len(bench.dispatches())
    bench.set_clock(-timedelta(hours=1))
    bench.round()
    assert bench.dots() == [("B1", 1.0), ("B2", 2.0)]
    assert bench.reasons() == ()
    assert len(bench.dispatches()) == events, "no event is told twice"
    bench.ads.batches[1].revision_no, bench.ads.batches[1].status = 2, 4
    bench.round(RECHECK)
    assert bench.dots() == [("B1", 1.0)], "open batches are watched again"


def test_a_batch_without_dots_is_withdrawn_in_no_state_of_dots_when_it_is_read_again(bench: Bench) -> None:
    """A commitment that holds still, after a restart: its header asks for no DOT."""
    bench.ads.batches = [batch(1, R1=7.0), batch(2, R1=3.0)]
    bench.ads.batches[1].batch_type, bench.ads.batches[1].instruction_type = 2, 4
    bench.round()
    bench.restart()
    bench.round(RECHECK)
    assert (bench.dots("R1"), bench.dot("R1").withdrawn) == ([("B1", 7.0)], ())
    assert [known.batch_uid for known in bench.instructions("R1").instructions] == ["B2"]

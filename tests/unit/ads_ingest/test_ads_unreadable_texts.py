"""A text that decides an instruction and has elements in it, or says no known word: in doubt and told, never absent."""

from datetime import timedelta

import pytest
from ads_bench import MINUTE, T0, Bench, batch, trajectory
from ads_fake import Batch
from ads_replies import envelope, packed

IN_DOUBT = ("incomplete",)
ENDS = f"<endTime>{(T0 + timedelta(hours=1)).isoformat()}</endTime>"
FIVE_MINUTE, HOURLY, EXCEPTIONAL = 0, 1, 4
NESTED = "<{0}><b>{1}</b></{0}>"


def newer(bench: Bench, batch_type: int, **told: str) -> Batch:
    """A DOT of 10 MW that was said before, and one of 33 in a newer batch of a type."""
    older, other = batch(1, R1=10.0, R2=10.0), Batch("X1", T0, {"R1": 33.0}, batch_type=batch_type, **told)  # type: ignore[arg-type]
    bench.ads.batches = [older, other]
    return other


@pytest.mark.parametrize(
    ("name", "text"),
    [("acceptStatus", "DECLINED"), ("oprAcceptStatus", "DECLINED"), ("oosEnergyCode", "B"), ("batchUID", "X2")],
)
@pytest.mark.parametrize("batch_type", [HOURLY, EXCEPTIONAL])
def test_a_text_of_a_dot_with_elements_in_it_is_in_doubt_and_told(bench: Bench, batch_type: int, name: str, text: str) -> None:
    newer(
        bench,
        batch_type,
        told=ENDS + "<acceptStatus>ACCEPT</acceptStatus>" * (name != "acceptStatus") + NESTED.format(name, text),
    )
    unanswered = bench.dispatch.round()
    assert [(failure.kind, f"{name} is {text!r}" in str(failure)) for failure in unanswered.failures] == [("unreadable", True)]
    state = bench.instructions()
    assert (state.reasons, [each.standing for each in state.instructions]) == (IN_DOUBT, ["in doubt"])
    doubted = [one.reasons for one in bench.dot().intervals if one.batch_uid == "X1"]
    assert (bench.reasons(), doubted) in [(IN_DOUBT, [()]), ((), [IN_DOUBT])], "the state, or the DOT of the other schedule"
    assert (bench.reasons("R2"), bench.instructions("R2").reasons) == ((), ())


@pytest.mark.parametrize("who", ["accept", "oprAccept"])
def test_an_answer_that_nobody_can_read_is_unclear_and_never_none(bench: Bench, who: str) -> None:
    newer(
        bench, HOURLY, told=ENDS + "<acceptDot>33</acceptDot>" * (who != "accept") + NESTED.format(f"{who}Status", "DECLINED")
    )
    bench.round()
    (instruction,) = bench.instructions().instructions
    assert instruction.answer is not None
    assert (instruction.answer.answer, instruction.standing) == ("unclear", "in doubt")


@pytest.mark.parametrize(
    "name", ["transitionFromConfigId", "transitionToConfigId", "asType", "configurationId", "rmrTestRequestor"]
)
@pytest.mark.parametrize("inside", ["<b>A</b>", "<b/>"])
def test_a_text_of_what_is_no_dot_with_elements_in_it_is_in_doubt_and_told(bench: Bench, name: str, inside: str) -> None:
    newer(bench, FIVE_MINUTE, told=f"{ENDS}<{name}>{inside}</{name}>").instruction_type = 7
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["unreadable"]
    state = bench.instructions()
    assert (state.reasons, [each.standing for each in state.instructions]) == (IN_DOUBT, ["in doubt"])
    assert (bench.dots(), bench.reasons()) == ([("B1", 10.0)], ()), "it says nothing against a DOT"


@pytest.mark.parametrize("flag", ["<b>N</b>", "<b/>", "maybe", "binding"])
@pytest.mark.parametrize("restarts", [0, 1])
def test_a_binding_flag_that_is_no_known_word_is_in_doubt_and_told(bench: Bench, flag: str, restarts: int) -> None:
    newer(bench, FIVE_MINUTE, head=f"<bindingFlag>{flag}</bindingFlag>")
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["unreadable"]
    for _ in range(restarts):
        bench.restart()
        bench.round(MINUTE)
    assert (bench.reasons(), bench.reasons("R2")) == (IN_DOUBT, ())


@pytest.mark.parametrize(("flag", "dots"), [("Y", ["B1", "X1"]), ("true", ["B1", "X1"]), ("", ["B1", "X1"]), ("n", ["B1"])])
def test_a_binding_flag_that_is_a_known_word_or_none_is_in_no_doubt(bench: Bench, flag: str, dots: list[str]) -> None:
    newer(bench, FIVE_MINUTE, head=f"<bindingFlag>{flag}</bindingFlag>")
    assert bench.round() == []
    assert ([uid for uid, _mw in bench.dots()], bench.reasons()) == (dots, ())


@pytest.mark.parametrize("told", ["2026-03-01T12:00:00", "soon", "<b/>"])
def test_an_end_of_answers_that_nobody_can_read_is_in_doubt_and_told_of_what_can_be_answered(bench: Bench, told: str) -> None:
    newer(bench, HOURLY, head=f"<batchExpires>{told}</batchExpires>")
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["unreadable"]
    assert bench.instructions().reasons == IN_DOUBT


def test_an_end_of_answers_that_nobody_can_read_says_nothing_against_what_cannot_be_answered(bench: Bench) -> None:
    newer(bench, FIVE_MINUTE, head="<batchExpires>soon</batchExpires>")
    assert (bench.round(), bench.reasons()) == ([], ())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("<dopList>", "<bindingFlag>maybe</bindingFlag><dopList>"),
        ("<dopList>", "<bindingFlag><b>N</b></bindingFlag><dopList>"),
        ("<sequenceNumber>", "<configurationId><b/></configurationId><sequenceNumber>"),
    ],
)
def test_a_text_of_a_trajectory_that_nobody_can_read_is_in_doubt(bench: Bench, right: str, wrong: str) -> None:
    uid, xml = trajectory("T1", 0, (5, 10.0))
    listed = f"<trajectoryBatchList>{xml.replace(right, wrong, 1)}</trajectoryBatchList>"
    document = f"<APITrajectoryResponse>{listed}</APITrajectoryResponse>"
    bench.ads.trajectories = [(uid, xml)]
    bench.ads.troubles["getTrajectoryData", "-1"] = lambda _question: envelope("getTrajectoryData", packed(document.encode()))
    bench.trajectory.round()
    assert bench.curve().reasons == IN_DOUBT

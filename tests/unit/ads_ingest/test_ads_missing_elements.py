"""What CAISO's schema requires and an instruction lacks: in doubt and told, as what nobody can read is, and never "nothing"."""

import re
from datetime import timedelta

import pytest
from ads_bench import MINUTE, T0, Bench, batch
from ads_fake import Batch
from ads_replies import envelope, packed

IN_DOUBT = ("incomplete",)
ENDS = f"<endTime>{(T0 + timedelta(hours=1)).isoformat()}</endTime>"
FIVE_MINUTE, HOURLY, AWARDS, EXCEPTIONAL, AS_TEST = 0, 1, 3, 4, 12


def told(bench: Bench, other: Batch, lacks: str, instead: str = "") -> None:
    """A DOT of 10 MW that was said before, and 33 MW in a newer batch whose document lacks an element for R1."""
    bench.ads.batches = [batch(1, R1=10.0, R2=10.0), other]
    document = re.sub(rf"<{lacks}>[^<]*</{lacks}>", instead, other.xml(whole=True), count=1)
    assert document != other.xml(whole=True)
    answer = envelope("getDispatchBatch", packed(document.encode()))
    bench.ads.troubles["getDispatchBatch", "X1"] = lambda _question: answer


def newer(batch_type: int = FIVE_MINUTE, **more: object) -> Batch:
    return Batch("X1", T0, {"R1": 33.0}, batch_type=batch_type, told=ENDS, **more)  # type: ignore[arg-type]


ELEMENTS = ["batchType", "startTime", "instructionType", "dot"]


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize("instead", ["", "<{0}/>", "<{0}> </{0}>"])
@pytest.mark.parametrize("restarts", [0, 1])
def test_an_element_that_the_schema_requires_and_a_dot_lacks_is_in_doubt_and_told_and_no_older_dot_is_good(
    bench: Bench, name: str, instead: str, restarts: int
) -> None:
    told(bench, newer(), name, instead.format(name))
    unanswered = bench.dispatch.round()
    assert [(failure.kind, f"{name} is missing" in str(failure)) for failure in unanswered.failures] == [("unreadable", True)]
    for _ in range(restarts):
        bench.restart()
        bench.round(MINUTE)
    assert (bench.reasons(), bench.reasons("R2")) == (IN_DOUBT, ())


@pytest.mark.parametrize("number", ["-1", "-2147483648"])
@pytest.mark.parametrize("name", ["revisionNo", "revisionNumber"])
def test_a_revision_below_zero_is_none_that_anybody_can_read(bench: Bench, name: str, number: str) -> None:
    told(bench, newer(), name, f"<{name}>{number}</{name}>")
    unanswered = bench.dispatch.round()
    assert [f"{name} is '{number}'" in str(failure) for failure in unanswered.failures] == [True]
    assert (bench.dots()[-1:], bench.reasons()) == ([("X1", 33.0)], IN_DOUBT)


@pytest.mark.parametrize("number", ["8", "99", "-1"])
def test_an_instruction_of_a_type_that_nobody_knows_may_be_a_dot_and_is_in_doubt(bench: Bench, number: str) -> None:
    told(bench, newer(), "instructionType", f"<instructionType>{number}</instructionType>")
    unanswered = bench.dispatch.round()
    assert [f"instructionType is {number}" in str(failure) for failure in unanswered.failures] == [True]
    assert (bench.reasons(), bench.reasons("R2")) == (IN_DOUBT, ())
    state = bench.instructions()
    assert (state.reasons, [(each.what, each.standing) for each in state.instructions]) == (IN_DOUBT, [("other", "in doubt")])


@pytest.mark.parametrize("instead", ["", "<dot>abc</dot>"])
@pytest.mark.parametrize("batch_type", [HOURLY, EXCEPTIONAL])
def test_a_dot_without_megawatts_that_anybody_can_read_is_in_doubt_and_not_out_of_force(
    bench: Bench, batch_type: int, instead: str
) -> None:
    told(bench, newer(batch_type), "dot", instead)
    bench.round()
    state = bench.instructions()
    assert (state.reasons, [(each.standing, each.standing_mw) for each in state.instructions]) == (
        IN_DOUBT,
        [("in doubt", None)],
    )


@pytest.mark.parametrize("lacks", ["dot", "instructionType", "startTime", "batchType"])
def test_what_is_cancelled_needs_nothing_more(bench: Bench, lacks: str) -> None:
    told(bench, newer(status=4), lacks)
    assert bench.round() == []
    assert (bench.dots(), bench.reasons(), bench.instructions().reasons) == ([("B1", 10.0)], (), ())


@pytest.mark.parametrize(("batch_type", "instruction_type"), [(AWARDS, 6), (FIVE_MINUTE, 4), (FIVE_MINUTE, 7), (AS_TEST, 99)])
def test_what_is_no_dot_and_known_needs_no_megawatts(bench: Bench, batch_type: int, instruction_type: int) -> None:
    told(bench, newer(batch_type, instruction_type=instruction_type), "dot")
    assert bench.round() == []
    state = bench.instructions()
    assert (state.reasons, [each.standing for each in state.instructions]) == ((), ["in force"])
    assert (bench.dots(), bench.reasons()) == ([("B1", 10.0)], ())


def test_what_the_samples_of_caiso_leave_out_is_in_no_doubt(bench: Bench) -> None:
    """bindingFlag of a trajectory, endTime of a DOT."""
    told(bench, newer(), "endTime")
    assert bench.round() == []
    assert (bench.dots()[-1:], bench.reasons()) == ([("X1", 33.0)], ())

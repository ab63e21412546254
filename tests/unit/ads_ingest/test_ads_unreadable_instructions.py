"""What nobody can read of an instruction that is no DOT: in doubt with all that its resource is instructed, and no DOT."""

from datetime import timedelta

import pytest
from ads_bench import MINUTE, RECHECK, T0, Bench, batch
from ads_fake import Batch
from ads_replies import envelope, packed

IN_DOUBT = ("incomplete",)
HOUR = timedelta(hours=1)
ENDS = f"<endTime>{(T0 + HOUR).isoformat()}</endTime>"
MAXIMUM, START_UP, AWARD, MINIMUM_IN_FIVE_MINUTE = (4, 2), (2, 4), (3, 6), (0, 1)
KINDS = pytest.mark.parametrize("kind", [MAXIMUM, START_UP, AWARD, MINIMUM_IN_FIVE_MINUTE])


def told(bench: Bench, kind: tuple[int, int], right: str = "", wrong: str = "") -> None:
    """A DOT and an instruction of another kind for R1, one with a text told otherwise, and both for R2 as they should be."""
    batch_type, instruction_type = kind
    types = {"batch_type": batch_type, "instruction_type": instruction_type}
    other = Batch("X1", T0, {"R1": 10.0, "R2": 20.0}, told=ENDS, **types)
    bench.ads.batches = [batch(1), other]
    document = packed(other.xml(whole=True).replace(right, wrong, 1).encode())
    bench.ads.troubles["getDispatchBatch", "X1"] = lambda _question: envelope("getDispatchBatch", document)


@KINDS
@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ("<dot>10.0</dot>", "<dot>a lot</dot>", "dot is 'a lot'"),
        ("<statusCode>1</statusCode>", "<statusCode>x</statusCode>", "statusCode is 'x'"),
        (ENDS, f"<startTime>2026-03-01T12:30:00</startTime>{ENDS}", "startTime is '2026-03-01T12:30:00'"),
        (ENDS, "<endTime>2026-03-01T13:00:00</endTime>", "endTime is '2026-03-01T13:00:00'"),
        (ENDS, f"<awardMW>ten</awardMW>{ENDS}", "awardMW is 'ten'"),
        (ENDS, f"<batchUID>X2</batchUID>{ENDS}", "it names batch 'X2'"),
    ],
)
def test_an_instruction_of_any_kind_with_a_text_that_nobody_can_read_is_in_doubt_and_told_and_no_dot_nor_neighbour_is(
    bench: Bench, kind: tuple[int, int], right: str, wrong: str, named: str
) -> None:
    told(bench, kind, right, wrong)
    unanswered = bench.dispatch.round()
    assert [(failure.kind, named in str(failure)) for failure in unanswered.failures] == [("unreadable", True)]
    for _ in range(2):
        doubted, right_one = bench.instructions("R1"), bench.instructions("R2")
        assert (doubted.reasons, [each.standing for each in doubted.instructions]) == (IN_DOUBT, ["in doubt"])
        assert (right_one.reasons, [each.standing for each in right_one.instructions]) == ((), ["in force"])
        assert (bench.reasons("R1"), bench.dots("R1")) == ((), [("B1", 1.0)])
        assert (bench.reasons("R2"), bench.dots("R2")) == ((), [("B1", -1.0)])
        bench.restart()
        bench.round(RECHECK)


@KINDS
def test_the_doubt_ends_with_a_revision_that_can_be_read(bench: Bench, kind: tuple[int, int]) -> None:
    told(bench, kind, "<dot>10.0</dot>", "<dot>a lot</dot>")
    bench.round()
    bench.ads.troubles.clear()
    bench.ads.batches[1].revision_no = 2
    bench.round(RECHECK)
    state = bench.instructions("R1")
    assert (state.reasons, [(each.standing, each.instructed_mw) for each in state.instructions]) == ((), [("in force", 10.0)])


def test_an_unreadable_end_is_in_doubt_for_longer_than_it_is_shown(bench: Bench) -> None:
    told(bench, MAXIMUM, ENDS, "<endTime>2026-03-01T13:00:00</endTime>")
    bench.round()
    bench.round(HOUR)
    assert (bench.instructions("R1").instructions, bench.instructions("R1").reasons) == ((), IN_DOUBT)
    assert bench.instructions("R2").reasons == ()


def test_an_instruction_of_any_kind_that_a_batch_says_twice_and_not_the_same_is_in_doubt_and_no_dot_is(bench: Bench) -> None:
    told(bench, AWARD)
    whole = bench.ads.batches[1].xml(whole=True)
    begin, end = whole.index("<instruction instructionUID='X1-R1'"), whole.index("</instruction>") + len("</instruction>")
    document = packed((whole[:end] + whole[begin:end].replace("10.0", "11.0") + whole[end:]).encode())
    bench.ads.troubles["getDispatchBatch", "X1"] = lambda _question: envelope("getDispatchBatch", document)
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["unreadable"]
    assert (bench.instructions("R1").reasons, bench.reasons("R1"), bench.instructions("R2").reasons) == (IN_DOUBT, (), ())


def test_an_unreadable_five_minute_dot_says_nothing_against_what_else_is_instructed(bench: Bench) -> None:
    told(bench, MAXIMUM)
    bench.ads.batches[0].told = "<endTime>2026-03-01T12:10:00</endTime>"
    bench.round()
    bench.round(MINUTE)
    assert (bench.instructions("R1").reasons, bench.reasons("R1")) == ((), IN_DOUBT)

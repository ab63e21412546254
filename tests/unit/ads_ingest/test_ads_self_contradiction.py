"""A batch that contradicts itself about a resource puts its states in doubt; the same said again does not."""

from collections.abc import Iterable

import pytest
from ads_bench import T0, Bench
from ads_fake import Batch

IN_DOUBT = ("incomplete",)


def told(bench: Bench, detail: Iterable[str] = (), more: str = "") -> None:
    segments = "".join(f"<instructionDetail>{segment}</instructionDetail>" for segment in detail)
    bench.ads.batches = [Batch("B1", T0, {"R1": 40.0}, detail=segments, told=more)]
    bench.dispatch.round()


def supp(number: int | None, mw: float, kind: str = "SUPP") -> str:
    return (f"<segNo>{number}</segNo>" if number is not None else "") + f"<serviceType>{kind}</serviceType><mw>{mw}</mw>"


def test_segments_that_differ_under_one_number_are_in_doubt(bench: Bench) -> None:
    told(bench, [supp(1, -5.0), supp(1, -6.0)])
    assert bench.dot("R1").reasons == IN_DOUBT


@pytest.mark.parametrize(
    ("detail", "supp_mw"),
    [
        ([supp(1, -5.0), supp(1, -5.0)], -5.0),
        ([supp(1, -5.0), supp(2, -5.0)], -10.0),
        ([supp(None, -5.0), supp(None, -5.0)], -10.0),
        ([supp(1, 40.0, "SCHD"), supp(1, -5.0)], -5.0),
    ],
    ids=["the same again", "two numbers", "no numbers", "two service types"],
)
def test_segments_that_do_not_contradict_each_other_are_added_up_once(bench: Bench, detail: list[str], supp_mw: float) -> None:
    told(bench, detail)
    state = bench.dot("R1")
    assert (state.reasons, [each.supp_mw for each in state.intervals]) == ((), [supp_mw])


@pytest.mark.parametrize(("named", "reasons"), [("B1", ()), ("B2", IN_DOUBT)])
def test_an_instruction_that_names_another_batch_than_it_is_in_is_in_doubt(
    bench: Bench, named: str, reasons: tuple[str, ...]
) -> None:
    told(bench, more=f"<batchUID>{named}</batchUID>")
    assert bench.dot("R1").reasons == reasons
    assert bench.dot("R2").reasons == (), "it speaks against its own resource"

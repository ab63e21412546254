"""What names no resource may be anybody's: it takes nothing away, and speaks against everyone until CAISO says it better."""

import re

import pytest
from ads_bench import MINUTE, RECHECK, T0, Bench, batch, trajectory

OWNERLESS = "<instruction instructionUID='B{}-R1'>{}<instructionType>0</instructionType><dot>99</dot></instruction>"


@pytest.mark.parametrize(
    "named", ["", "<resourceId/>", "<resourceId> </resourceId>", f"<resourceId>{'x' * 70_000}</resourceId>"]
)
def test_an_instruction_without_a_resource_withdraws_nothing_and_speaks_against_everyone(bench: Bench, named: str) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    revised = bench.ads.batches[0]
    revised.revision_no, revised.dots_mw, revised.also = 2, {"R2": 7.0}, OWNERLESS.format(1, named)
    bench.later(RECHECK)
    assert [failure.kind for failure in bench.dispatch.round().failures] == ["unreadable"]
    assert (bench.dots("R1"), bench.dots("R2")) == ([("B1", 1.0)], [("B1", 7.0)])
    assert bench.reasons("R1") == bench.reasons("R2") == ("incomplete",)


def test_an_instruction_without_a_resource_in_a_new_batch_speaks_against_what_everyone_has(bench: Bench) -> None:
    bench.ads.batches = [batch(1, at=T0 - 4 * MINUTE)]
    bench.round()
    bench.ads.batches.append(batch(2, R2=2.0))
    bench.ads.batches[-1].also = OWNERLESS.format(2, "")
    bench.round(RECHECK)
    assert bench.reasons("R1") == bench.reasons("R2") == ("incomplete",)


def test_a_revision_that_names_all_its_resources_ends_the_doubt(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.ads.batches[0].also = OWNERLESS.format(1, "")
    bench.round()
    revised = bench.ads.batches[0]
    revised.revision_no, revised.dots_mw, revised.also = 2, {"R2": 7.0}, ""
    bench.round(RECHECK)
    assert (bench.dots("R1"), bench.reasons("R1")) == ([], ())
    assert (bench.dots("R2"), bench.reasons("R2")) == ([("B1", 7.0)], ())


def test_a_cancelled_batch_is_over_for_everyone_whomever_it_names(bench: Bench) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    revised = bench.ads.batches[0]
    revised.revision_no, revised.status, revised.dots_mw, revised.also = 2, 4, {"R2": 7.0}, OWNERLESS.format(1, "")
    bench.round(RECHECK)
    assert (bench.dots("R1"), bench.reasons("R1")) == ([], ())


def test_a_point_without_a_resource_speaks_against_every_curve(bench: Bench) -> None:
    uid, xml = trajectory("T1", 0, (5, 1.5), (10, 99.0), (15, 2.0))
    bench.ads.trajectories = [(uid, re.sub("<resourceId>R1</resourceId><dop>99.0<", "<dop>99.0<", xml))]
    assert "without a resource" in str(bench.trajectory.round().failures[0])
    assert bench.curve("R1").reasons == bench.curve("R2").reasons == ("incomplete",)

"""Two events say the same when nothing differs but what CAISO moves under one revision, and when and by whom it was said."""

from datetime import timedelta

import msgspec
import pytest

from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import (
    Dispatch,
    Instruction,
    InstructionAnswered,
    InstructionDetail,
    PointWritten,
    Prices,
    TrajectoryBatch,
)
from dotbus.testing import samples
from historian.write.reading import digest
from historian.write.reading.events import KeptAnswer, KeptDispatch, KeptPrices, KeptTrajectory, KeptWrite

LATER = samples.AT + timedelta(hours=1)
MOVES = ("batch_sent_at", "batch_expires_at")
STAMPS = ("validated_at", "validated_by", "api_validated_at", "api_validated_by")
NOT_SAID = {"environment": "stage", "source": "ads_ingest/b", "time": LATER, "stream": "another", "seq": 99}
ANSWERED = msgspec.structs.replace(samples.answered(), asked_by=None, asked_from=None)
"""As it was said before these fields."""
EVENTS = (samples.dispatch(), samples.trajectory_batch(), samples.prices(), ANSWERED, samples.answered(), samples.written())
DIGESTS = (
    5962858532504014235,
    -8230830086352258052,
    -2396108770555599339,
    -6526574270603100536,
    5920793040002954128,
    6895966874680439436,
)
KEPT = {
    Dispatch: KeptDispatch,
    TrajectoryBatch: KeptTrajectory,
    InstructionAnswered: KeptAnswer,
    PointWritten: KeptWrite,
    Prices: KeptPrices,
}
replace = msgspec.structs.replace


def digest_of(event):
    return digest.digest_of(msgspec.convert(event, KEPT[type(event)], from_attributes=True))


def of_batch(event=EVENTS[0], **changes):
    return replace(event, batch=replace(event.batch, **changes))


def of_instruction(**changes):
    return replace(samples.dispatch(), instructions=(replace(samples.instruction(), **changes),))


def another(value):
    """Another value of the same type."""
    match value:
        case str():
            return f"{value}."
        case dict():
            return {**value, "another": "1"}
        case tuple():
            return value[1:]
        case int() | float():
            return value + 1
        case _:
            return value + timedelta(seconds=1)


@pytest.mark.parametrize(("event", "digest"), list(zip(EVENTS, DIGESTS, strict=True)))
def test_a_digest_stays_the_same_for_ever(event, digest):
    """Those in databases were made by earlier versions: another one would make a contradiction of each repetition."""
    assert digest_of(event) == digest


@pytest.mark.parametrize("event", EVENTS)
def test_when_and_by_whom_an_event_is_said_is_not_what_it_says(event):
    assert digest_of(replace(event, **NOT_SAID)) == digest_of(event)


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_the_same_after_it_was_on_the_bus(event):
    assert digest_of(decode(encode(event))) == digest_of(event)


@pytest.mark.parametrize("value", [None, LATER])
@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("event", EVENTS[:2])
def test_when_a_batch_became_active_and_until_when_it_is_so_may_move_under_one_revision(event, name, value):
    if name in event.batch.__struct_fields__:
        assert digest_of(of_batch(event, **{name: value})) == digest_of(event)


@pytest.mark.parametrize("stamps", [dict.fromkeys(STAMPS), {"validated_at": LATER, "api_validated_by": "another client"}])
def test_who_confirmed_an_instruction_is_not_what_it_says(stamps):
    assert digest_of(of_instruction(**stamps)) == digest_of(samples.dispatch())


def test_a_time_of_asking_for_prices_is_not_what_they_say():
    assert digest_of(replace(samples.prices(), fetched_at=LATER)) == digest_of(samples.prices())


@pytest.mark.parametrize("name", [name for name in Instruction.__struct_fields__ if name not in STAMPS])
def test_every_other_element_of_an_instruction_is_what_it_says(name):
    event = samples.dispatch()
    value = getattr(event.instructions[0], name)
    assert len({digest_of(of_instruction(**{name: changed})) for changed in (value, another(value))}) == 2


@pytest.mark.parametrize("name", InstructionDetail.__struct_fields__)
def test_every_element_of_a_detail_is_what_it_says(name):
    second = samples.instruction().details[1]
    changed = replace(second, **{name: another(getattr(second, name))})
    assert digest_of(of_instruction(details=(samples.instruction().details[0], changed))) != digest_of(samples.dispatch())


@pytest.mark.parametrize("name", [name for name in samples.dispatch().batch.__struct_fields__ if name not in MOVES])
def test_every_other_element_of_a_batch_is_what_it_says(name):
    assert digest_of(of_batch(**{name: another(getattr(samples.dispatch().batch, name))})) != digest_of(samples.dispatch())


@pytest.mark.parametrize("part", ["dops", "compliance"])
def test_every_element_of_a_curve_is_what_it_says(part):
    event = samples.trajectory_batch()
    first, *others = getattr(event, part)
    for name in first.__struct_fields__:
        changed = replace(first, **{name: another(getattr(first, name))})
        assert digest_of(replace(event, **{part: (changed, *others)})) != digest_of(event), name


@pytest.mark.parametrize("column", ["lmp_usd_per_mwh", "energy_usd_per_mwh", "congestion_usd_per_mwh", "loss_usd_per_mwh"])
def test_every_price_is_what_a_report_says(column):
    event = samples.prices()
    first, second = getattr(event, column)
    assert digest_of(replace(event, **{column: (first, second + 0.00001)})) != digest_of(event)


def test_absent_is_not_zero():
    assert digest_of(of_instruction(dot_mw=None)) != digest_of(of_instruction(dot_mw=0.0))


def test_the_order_in_which_caiso_lists_is_not_what_it_says():
    one, other = samples.instruction(), replace(samples.instruction(), instruction_uid="another")
    listed = [replace(samples.dispatch(), instructions=order) for order in ((one, other), (other, one))]
    curve = samples.trajectory_batch()
    curves = [curve, replace(curve, dops=curve.dops[::-1])]
    assert len({digest_of(event) for event in listed}) == len({digest_of(event) for event in curves}) == 1

"""What is read of an event is all that the contract says of it, in its order, and within bounds."""

import msgspec
import pytest

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import (
    AlarmChanged,
    Compliance,
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Instruction,
    InstructionDetail,
    Prices,
    TrajectoryBatch,
    TrajectoryBatchHeader,
)
from dotbus.contracts.topics import EVENTS, Subject
from dotbus.testing import samples
from historian.write.reading import events

PARTS = (
    (events.KeptBatch, DispatchBatchHeader, ("extra",)),
    (events.KeptInstruction, Instruction, ("details", "extra")),
    (events.KeptDetail, InstructionDetail, ("extra",)),
    (events.KeptCurve, TrajectoryBatchHeader, ("extra",)),
    (events.KeptDop, Dop, ("extra",)),
    (events.KeptCompliance, Compliance, ("extra",)),
)
WHOLE = (
    (events.KeptDispatch, Dispatch),
    (events.KeptTrajectory, TrajectoryBatch),
    (events.KeptPrices, Prices),
    (events.KeptAlarm, AlarmChanged),
)


@pytest.mark.parametrize(("kept", "told", "last"), PARTS)
def test_a_part_has_the_fields_of_the_contract_in_their_order_and_last_those_that_are_no_column(kept, told, last):
    """Digests that are stored rest on the order, and rows on what is last."""
    assert kept.__struct_fields__ == told.__struct_fields__
    assert kept.__struct_fields__[-len(last) :] == last


@pytest.mark.parametrize(("kept", "told"), WHOLE)
def test_an_event_has_every_field_of_the_contract(kept, told):
    assert set(kept.__struct_fields__) == set(told.__struct_fields__)


def test_there_is_a_reader_for_every_topic_of_events():
    assert events.READERS.keys() == EVENTS


@pytest.mark.parametrize("name", ["version", "source", "stream", "seq", "id", "plant", "resource_id", "batch"])
def test_what_an_event_must_have_is_never_made_up(name):
    without = {key: value for key, value in msgspec.json.decode(encode(samples.dispatch())).items() if key != name}
    with pytest.raises(msgspec.ValidationError, match=name):
        events.READERS[Subject.DISPATCH].decode(msgspec.json.encode(without))


@pytest.mark.parametrize("name", ["source", "stream", "id", "plant", "resource_id"])
def test_a_name_has_200_characters_at_most(name):
    longest = msgspec.structs.replace(samples.dispatch(), **{name: "é" * 200})
    assert getattr(events.READERS[Subject.DISPATCH].decode(encode(longest)), name) == "é" * 200
    with pytest.raises(msgspec.ValidationError, match="length <= 200"):
        events.READERS[Subject.DISPATCH].decode(encode(msgspec.structs.replace(longest, **{name: "é" * 201})))


def test_two_states_of_a_batch_have_two_keys():
    def key(**changes):
        event = samples.dispatch()
        message = msgspec.structs.replace(event, batch=msgspec.structs.replace(event.batch, **changes))
        return events.key_of(events.READERS[Subject.DISPATCH].decode(encode(message)))

    assert len({key(), key(revision_no=5), key(batch_status=4), key(revision_no=None)}) == 4

"""What is decoded is a whole message that we understand; what is encoded can be decoded by anybody."""

import gc
import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.codec import UndecodableMessage, UnknownVersion, decode, decode_as, encode
from dotbus.contracts.messages import Dot, Lmp, ReplayRequest
from dotbus.testing import samples


@pytest.mark.parametrize("message", samples.every_message(), ids=lambda message: type(message).__name__)
def test_every_message_comes_back_as_it_went(message):
    assert decode(encode(message)) == message


@pytest.mark.parametrize("message", samples.every_message(), ids=lambda message: type(message).__name__)
def test_every_field_is_written_absent_ones_as_null(message):
    document = json.loads(encode(message))
    assert set(document) == {*message.__struct_fields__, "kind"}


def test_times_are_utc_with_z():
    assert json.loads(encode(samples.dot()))["heard_at"] == "2026-10-13T14:08:00Z"


def test_a_field_from_the_future_is_ignored():
    document = json.loads(encode(samples.lmp())) | {"a_new_field": {"nested": [1]}}
    assert decode(json.dumps(document).encode()) == samples.lmp()


def test_another_major_version_is_refused_aloud():
    document = json.loads(encode(samples.lmp())) | {"version": 2}
    with pytest.raises(UnknownVersion, match=r"version 2 .* speaks version 1"):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize("field", ["environment", "source", "time", "kind", "version", "resource_id", "intervals"])
def test_a_message_that_lacks_what_it_must_have_is_refused(field: str):
    document = json.loads(encode(samples.dot()))
    del document[field]
    with pytest.raises(UndecodableMessage):
        decode(json.dumps(document).encode())


def test_a_time_without_zone_is_refused():
    document = json.loads(encode(samples.dot())) | {"heard_at": "2026-10-13T14:08:00"}
    with pytest.raises(UndecodableMessage, match="heard_at"):
        decode(json.dumps(document).encode())


def test_an_event_without_its_number_is_refused():
    unstamped = msgspec.structs.replace(samples.dispatch(), seq=0)
    with pytest.raises(UndecodableMessage, match="seq"):
        decode(encode(unstamped))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_never_sent_as_absent(number: float):
    broken = msgspec.structs.replace(samples.prices(), lmp_usd_per_mwh=(number, 1.0))
    with pytest.raises(ValueError, match=r"Prices\.lmp_usd_per_mwh\[0\]"):
        encode(broken)


def test_another_kind_than_expected_is_refused():
    assert decode_as(encode(samples.lmp()), Lmp) == samples.lmp()
    with pytest.raises(UndecodableMessage, match="a Lmp where a Dot belongs"):
        decode_as(encode(samples.lmp()), Dot)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_in_one_way(payload: bytes):
    with pytest.raises(UndecodableMessage):
        decode(payload)


@pytest.mark.parametrize("start", [b'{"kind": ', b'{"version": 1, "later": '])
def test_brackets_without_end_are_refused_like_any_other_bytes(start: bytes):
    with pytest.raises(UndecodableMessage):
        decode(start + b"[" * 200_000)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"first_seq": 0}, "first_seq"),
        ({"first_seq": -(10**18)}, "first_seq"),
        ({"last_seq": 10**19}, "last_seq"),
        ({"last_seq": 10**400}, "last_seq"),
        ({"ranges": [], "first_seq": 5}, "last_seq"),
        ({"ranges": [[1, 3], [3, 4]]}, "ranges"),
        ({"ranges": [[1, 1], [3, 2], [4, 4]]}, "ranges"),
        ({"ranges": [[3, 4], [1, 2]]}, "ranges"),
        ({"ranges": [[2, 4]]}, "ranges"),
        ({"ranges": [[1, 3]]}, "ranges"),
        ({"ranges": [[1, 4, 4]]}, "ranges"),
        ({"ranges": [[1, 10**400]]}, "ranges"),
        ({"ranges": [[seq, seq] for seq in range(1, 1_000_001)], "last_seq": 1_000_000}, "ranges"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_request_for_what_cannot_be_is_refused_and_its_field_named(changed, field):
    document = json.loads(encode(samples.replay_request())) | changed
    with pytest.raises(UndecodableMessage, match=field):
        decode(json.dumps(document).encode())


def test_a_request_without_ranges_wants_all_from_its_first_to_its_last():
    document = json.loads(encode(samples.replay_request()))
    del document["ranges"]
    assert decode_as(json.dumps(document).encode(), ReplayRequest).wanted == ((1, 4),)
    assert samples.replay_request().wanted == ((1, 2), (4, 4))


def places_of_floats(value: object, place: tuple[object, ...] = ()):
    """Where a message holds a float, as far as the samples fill it."""
    match value:
        case float():
            yield place
        case tuple():
            for index, entry in enumerate(value):
                yield from places_of_floats(entry, (*place, index))
        case msgspec.Struct():
            for name in value.__struct_fields__:
                yield from places_of_floats(getattr(value, name), (*place, name))


def with_float(value, place: tuple[object, ...], number: float):
    if not place:
        return number
    step, *rest = place
    if isinstance(step, int):
        return (*value[:step], with_float(value[step], tuple(rest), number), *value[step + 1 :])
    return msgspec.structs.replace(value, **{step: with_float(getattr(value, step), tuple(rest), number)})


@pytest.mark.parametrize(
    ("message", "place"),
    [(message, place) for message in samples.every_message() for place in places_of_floats(message)],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else type(value).__name__,
)
def test_no_number_of_any_message_passes_for_absent(message, place):
    for number in (math.nan, -math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="finite"):
            encode(with_float(message, place, number))


def test_large_numbers_are_finite_though_their_sum_is_not():
    columns = {"lmp_usd_per_mwh": (1.7e308, 1.7e308)}
    assert decode(encode(msgspec.structs.replace(samples.prices(), **columns))).lmp_usd_per_mwh == (1.7e308, 1.7e308)


@given(st.floats(), st.text(), st.integers() | st.just(10**30))
def test_a_message_is_refused_exactly_when_a_number_in_it_is_not_finite(number: float, text: str, whole: int):
    interval = msgspec.structs.replace(samples.dot().intervals[0], dot_mw=number, batch_uid=text, revision_no=whole)
    message = msgspec.structs.replace(samples.dot(), intervals=(interval,))
    if math.isfinite(number):
        assert json.loads(encode(message))["intervals"][0]["dot_mw"] == number
    else:
        with pytest.raises(ValueError, match=r"Dot.intervals\[0\].dot_mw is (nan|-?inf)"):
            encode(message)


def structs_in(value: object):
    """A message, and what it is made of."""
    match value:
        case tuple():
            for entry in value:
                yield from structs_in(entry)
        case msgspec.Struct():
            yield value
            for name in value.__struct_fields__:
                yield from structs_in(getattr(value, name))


@pytest.mark.parametrize("message", samples.every_message(), ids=lambda message: type(message).__name__)
def test_the_garbage_collector_never_looks_through_messages(message):
    """They cannot be part of a cycle, and a collection that walks those of a thousand resources stops everything for it."""
    assert not [type(each).__name__ for each in structs_in(message) if gc.is_tracked(each)]


def test_no_message_has_a_dictionary_of_numbers():
    """Nobody looks into dictionaries for numbers that are none: today all of them hold text."""
    schema = json.dumps(msgspec.json.schema_components([type(message) for message in samples.every_message()]))
    assert '"additionalProperties": {"type": "number"' not in schema

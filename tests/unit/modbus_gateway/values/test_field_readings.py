"""A field of a state in registers: what the message says, as good as the state is."""

import pytest
from gateway_story import SOURCE, Gateway, at, dot, installation, interval, lmp, point, price, status, trajectory

from dotbus.contracts.messages import Instructions, KnownInstruction, WithdrawnBatch
from dotbus.contracts.quality import BIT_OF, Level, Reason
from dotbus.judging.arrivals import Arrival
from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.modbus import StateTopic
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.draft import check_map, read_map
from modbus_gateway.map.paths import field_quantity, steps_of
from modbus_gateway.map.quantities import Quantity

UNIT = {"unit_id": 20, "resource": "SOLAR"}
TOLD = ({"shows": "quality", "address": 100}, {"shows": "reasons", "address": 101})


def gateway(topic: str, path: str, **more: object) -> Gateway:
    field = {**UNIT, "topic": topic, "path": path, **more}
    form = {name: field.pop(name) for name in ("type", "length", "on_bad", "stale_after_s", "max") if name in field}
    return Gateway(point=[{**field, "address": 0, **form}, *({**field, **one} for one in TOLD)])


def instructions(*known: KnownInstruction, said_s: float = 0, **changed: object) -> Instructions:
    fields = {**SOURCE, "time": at(said_s), "plant": "sierra", "resource_id": "SOLAR", "heard_at": at(said_s)}
    return Instructions(**{**fields, "instructions": known, **changed})


def instruction(**changed: object) -> KnownInstruction:
    fields = {"what": "start-up", "standing": "in force", "start_at": at(0), "batch_uid": "b", "instruction_uid": "i"}
    return KnownInstruction(**{**fields, "batch_until": at(600), "told_at": at(0), **changed})


def hear(there: Gateway, message: Instructions) -> None:
    there.introduce(message.source, -60)
    there.hear(status(0))
    there.received.take(Arrival(there.topics.instructions("sierra", "SOLAR"), message.time, retained=False, said=message))


def text(there: Gateway, now_s: float, length: int) -> str:
    return b"".join(word.to_bytes(2, "big") for word in there.words(now_s, 20, 0, length)).rstrip(b"\0").decode()


def quality(there: Gateway, now_s: float) -> tuple[int, set[Reason]]:
    level, bits = there.words(now_s, 20, 100, 2)
    return level, {reason for reason, bit in BIT_OF.items() if bits >> bit & 1}


def mistakes(**line: object) -> dict[str, str]:
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(InstallationFile(installation(point=[{"unit_id": 20, "address": 0, **line}]), "plant.toml"))
    return {mistake.key.removeprefix("modbus.point[0]."): mistake.reason for mistake in refused.value.mistakes}


def test_a_text_of_a_state_stands_in_a_string():
    there = gateway("dot", "intervals[0].instruction_uid", length=10)
    there.hear(status(0), dot(interval(0, 12.5)))
    assert text(there, 0, 10) == "instruction 0"
    assert quality(there, 0) == (Level.GOOD, set())


def test_what_is_over_is_expired_and_stale_when_its_state_is():
    there = gateway("dot", "intervals[0].dot_mw")
    there.hear(status(0), dot(interval(0, 12.5, length_s=60)))
    assert quality(there, 59) == (Level.GOOD, set())
    assert quality(there, 60) == (Level.BAD, {Reason.EXPIRED})
    assert Reason.STALE in quality(there, 91)[1]
    assert there.words(60, 20, 0, 2) == [0x7FC0, 0]


def test_an_image_does_not_hold_past_the_end_of_what_a_field_stands_in():
    there = gateway("dot", "intervals[0].dot_mw")
    there.hear(status(0), dot(interval(0, 12.5, length_s=60)))
    assert there.turns_in_s(59) == pytest.approx(1, abs=1e-3)


def test_what_a_message_does_not_say_is_no_value_and_nothing_is_wrong():
    there = gateway("dot", "intervals[3].dot_mw")
    there.hear(status(0), dot(interval(0, 12.5)))
    assert there.words(0, 20, 0, 2) == [0x7FC0, 0]
    assert quality(there, 0) == (Level.GOOD, set())


def test_nothing_said_is_bad():
    assert quality(gateway("lmp", "active.loss_usd_per_mwh"), 0) == (Level.BAD, {Reason.NEVER_RECEIVED})


def test_what_a_source_says_against_a_part_counts_for_its_fields():
    there = gateway("dot", "intervals[0].dot_mw")
    there.hear(status(0), dot(interval(0, 12.5, reasons=("incomplete",))))
    assert quality(there, 0) == (Level.UNCERTAIN, {Reason.INCOMPLETE})


def test_sources_that_say_otherwise_make_a_field_uncertain():
    there = gateway("dot", "intervals[0].dot_mw")
    there.hear(status(0), status(0, instance="b"), dot(interval(0, 12.5)), dot(interval(0, 13.0), source="ads_ingest/b"))
    assert quality(there, 0) == (Level.UNCERTAIN, {Reason.INCOMPLETE})


def test_instructions_are_followed_and_shown():
    there = gateway("instructions", "instructions[0].what", length=8)
    hear(there, instructions(instruction()))
    assert there.topics.instructions("sierra", "SOLAR") in there.map.filters(there.topics)
    assert text(there, 0, 8) == "start-up"
    assert quality(there, 0) == (Level.GOOD, set())


def test_an_instruction_in_doubt_is_uncertain_and_one_that_ended_expired():
    there = gateway("instructions", "instructions[0].instructed_mw")
    hear(there, instructions(instruction(standing="in doubt", end_at=at(30), instructed_mw=5.0)))
    assert quality(there, 0) == (Level.UNCERTAIN, {Reason.INCOMPLETE})
    assert Reason.EXPIRED in quality(there, 30)[1]


@pytest.mark.parametrize("topic", ["dot", "instructions"])
def test_what_another_source_knows_to_be_withdrawn_is_expired(topic):
    gone = WithdrawnBatch(batch_uid="b", until=at(600), revision_no=2)
    path = "intervals[0].dot_mw" if topic == "dot" else "instructions[0].instructed_mw"
    there = gateway(topic, path)
    there.hear(status(0, instance="b"))
    if topic == "dot":
        there.hear(status(0), dot(interval(0, 12.5, batch_uid="b", revision_no=2)))
        there.hear(dot(withdrawn=(gone,), source="ads_ingest/b", reasons=("incomplete",)))
    else:
        hear(there, instructions(instruction(instructed_mw=5.0, revision_no=2)))
        other = instructions(withdrawn=(gone,), source="ads_ingest/b", reasons=("incomplete",))
        there.received.take(Arrival(there.topics.instructions("sierra", "SOLAR"), other.time, retained=False, said=other))
    level, reasons = quality(there, 0)
    assert level == Level.BAD
    assert Reason.EXPIRED in reasons


def test_a_trajectory_field_is_stale_when_no_new_batch_comes():
    there = gateway("trajectory", "latest.dop_mw")
    for said_s in (0, 421):
        there.hear(status(said_s), trajectory(point(0, 1.0), point(900, 2.0), said_s=said_s, received_at=at(0)))
    assert Reason.STALE in quality(there, 421)[1]


def test_price_components_and_times_are_shown():
    there = Gateway(
        point=[
            {"unit_id": 20, "address": 0, "topic": "lmp", "path": "published.loss_usd_per_mwh", "node": "NODE1"},
            {"unit_id": 20, "address": 2, "topic": "lmp", "path": "published.interval_end", "node": "NODE1", "type": "uint64"},
        ]
    )
    there.hear(status(0, service="lmp_ingest"), lmp(price(0, 30.0)))
    assert there.words(0, 20, 0, 2) == [0x7FC0, 0]
    words = there.words(0, 20, 2, 4)
    assert sum(word << 16 * (3 - i) for i, word in enumerate(words)) == int(at(300).timestamp())


def test_the_status_of_an_ingest_is_shown_for_as_long_as_it_counts():
    own = {"topic": "service", "service": "ads_ingest", "instance": "a", "unit_id": 20}
    there = Gateway(
        point=[
            {**own, "path": "upstreams[0].ok", "table": "coil", "address": 0},
            *({**own, "path": "upstreams[0].ok", **one} for one in TOLD),
            {**own, "path": "certificate_days_left", "address": 0},
        ]
    )
    there.hear(status(0, certificate_days_left=12.5))
    assert there.words(0, 20, 0, 2) == [0x4148, 0]
    assert quality(there, 0) == (Level.GOOD, set())
    assert quality(there, 16) == (Level.BAD, {Reason.STALE})
    there.hear(status(17, online=False))
    assert quality(there, 17)[0] == Level.UNCERTAIN


def test_reasons_of_a_state_stand_in_bits():
    there = gateway("dot", "reasons", type="bits", on_bad="hold")
    there.hear(status(0), dot(reasons=("incomplete",)))
    assert there.words(0, 20, 0, 1) == [1 << BIT_OF[Reason.INCOMPLETE]]


def test_a_text_that_does_not_fit_is_invalid_and_not_cut():
    there = gateway("dot", "intervals[0].instruction_uid", length=2)
    there.hear(status(0), dot(interval(0, 12.5)))
    assert there.words(0, 20, 0, 2) == [0, 0]
    assert quality(there, 0) == (Level.BAD, {Reason.INVALID})


def test_a_field_has_limits_of_its_own():
    there = gateway("dot", "intervals[0].dot_mw", max=12.0, stale_after_s=20)
    there.hear(status(0), dot(interval(0, 12.5)))
    assert quality(there, 20) == (Level.UNCERTAIN, {Reason.OUT_OF_LIMITS})
    assert quality(there, 21)[1] == {Reason.STALE}


@pytest.mark.parametrize(
    ("line", "key", "reason"),
    [
        ({}, "quantity", "is missing"),
        ({"topic": "dot", "resource": "SOLAR"}, "path", "goes together with topic"),
        ({"path": "intervals[0].dot_mw"}, "topic", "goes together with path"),
        (
            {"quantity": "dot_mw", "topic": "dot", "path": "received_at", "resource": "SOLAR"},
            "quantity",
            "in place of topic and path",
        ),
        ({"topic": "dot", "path": "intervals[0].dot_wm", "resource": "SOLAR"}, "path", "did you mean 'dot_mw'?"),
        ({"topic": "dot", "path": "intervals.dot_mw", "resource": "SOLAR"}, "path", "choose an entry, such as [0]"),
        ({"topic": "dot", "path": "intervals", "resource": "SOLAR"}, "path", "holds more than one value"),
        ({"topic": "dot", "path": "intervals[x]", "resource": "SOLAR"}, "path", "is no path"),
        ({"topic": "dot", "path": "intervals[0].dot_mw"}, "resource", "is missing: whose dot state?"),
        ({"topic": "dot", "path": "received_at", "resource": "SOLAR", "node": "NODE1"}, "node", "takes no node"),
        ({"topic": "service", "path": "online", "service": "historian", "instance": "a"}, "service", "is none of"),
        ({"topic": "dot", "path": "plant", "resource": "SOLAR"}, "length", "is missing: how many registers"),
        ({"topic": "dot", "path": "plant", "resource": "SOLAR", "type": "uint16"}, "type", "must be a string"),
        ({"topic": "dot", "path": "received_at", "resource": "SOLAR", "length": 2}, "length", "is for a string"),
        ({"topic": "lmp", "path": "heard_at", "resource": "PUMP"}, "resource", "has no node"),
        ({"quantity": "dot_mw", "resource": "SOLAR", "shows": "quality"}, "shows", "is for a topic"),
    ],
)
def test_what_is_wrong_with_a_field_is_told(line, key, reason):
    found = mistakes(**line)
    assert list(found) == [key], found
    assert reason in found[key]


def test_a_field_that_holds_needs_its_quality_at_its_unit():
    line = {"topic": "dot", "path": "intervals[0].dot_mw", "resource": "SOLAR", "on_bad": "hold"}
    assert 'add a [[modbus.point]] dot.intervals[0].dot_mw with shows = "quality" of SOLAR' in mistakes(**line)["on_bad"]
    read_map(
        installation(point=[{"unit_id": 20, "address": 0, **line}, {"unit_id": 20, "address": 2, **line, "shows": "quality"}])
    )


@pytest.mark.parametrize("topic", StateTopic)
def test_every_plain_field_of_every_state_can_be_shown(topic):
    for path in ("source", "time", "environment"):
        assert isinstance(field_quantity(topic, path), Quantity)


def test_a_path_is_read_whole_or_not_at_all():
    assert steps_of("a[0].b") == ("a", 0, "b")
    for wrong in ("", "a.", ".a", "a[0", "a]0[", "a..b", "[0]b", "a b"):
        assert not steps_of(wrong), wrong

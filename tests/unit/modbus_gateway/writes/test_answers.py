"""SCADA answers an instruction by its number: what is sent, what is refused, and what the registers tell of it."""

import sqlite3
import struct
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from write_story import IDENTITY, NOON, OPERATOR, OTHER, SCADA, STRANGER, UNIT, Clock, writables

from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import (
    Environment,
    InstructionAnswer,
    InstructionResponse,
    InstructionResponseReply,
    KnownInstruction,
    PointWritten,
)
from dotbus.contracts.quality import Level
from dotbus.contracts.topics import Topics
from dotbus.runtime.installation.modbus import Table
from dotbus.runtime.mqtt.messages import Delivery, NotConnected, Outgoing, PublishRefused
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.writing import Client
from modbus_gateway.writes.answering import Answering
from modbus_gateway.writes.answers import REFUSED_BY, Outcome
from modbus_gateway.writes.instructions import Listed, Open, number_of
from modbus_gateway.writes.shown import written_tables
from modbus_gateway.writes.taking import Taking

TOPICS = Topics()
BLOCK = 300
ACKNOWLEDGE, ACCEPT, DECLINE, PARTIAL = 1, 2, 3, 4
NAN = float("nan")


def instruction(uid: str = "I1", **changes: object) -> KnownInstruction:
    fields: dict[str, object] = {
        "what": "dot",
        "standing": "in doubt",
        "start_at": NOON + timedelta(hours=1),
        "instructed_mw": 25.0,
        "answer": InstructionAnswer(answer="none", is_open=True, open_until=NOON + timedelta(minutes=10)),
        "instruction_uid": uid,
        "instruction_type": 2,
        "batch_uid": "B1",
        "batch_type": 1,
        "batch_until": NOON + timedelta(hours=2),
        "told_at": NOON,
    }
    return KnownInstruction(**(fields | changes))  # type: ignore[arg-type]


class Broker:
    connected = True

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []
        self.error: Exception | None = None
        self.replies: tuple[list[str], Callable[[Delivery], None]] = ([], lambda _delivery: None)

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = 10.0) -> None:  # noqa: ARG002  # as a bus
        if self.error:
            raise self.error
        self.messages += messages

    def subscribe(self, filters: Sequence[str], on_delivery: Callable[[Delivery], None]) -> None:
        self.replies = (list(filters), on_delivery)


class Others:
    def read_registers(self, _table: Table, _address: int, _count: int) -> bytes | Refusal:
        return Refusal.ADDRESS

    def read_bits(self, _table: Table, _address: int, _count: int) -> bytes | Refusal:
        return Refusal.ADDRESS


class Device:
    """A unit with an answer block, whose commands go out when the test says so."""

    def __init__(self, **more: object) -> None:
        block = {"unit_id": UNIT, "address": BLOCK, "resource": "BESS", "places": 2, "reply_within_s": 60}
        of = writables(answer=[block], **more)
        self.broker, self.clock, self.events = Broker(), Clock(), list[PointWritten]()
        self.fails: Exception | None = None
        self.level, self.open = Level.GOOD, [instruction()]
        self.answering = Answering(
            of.answers, self.broker, "modbus_gateway-sierra", IDENTITY, TOPICS, lambda _block: self.listed
        )
        self.taking = Taking(of, IDENTITY, self._keep, self.clock, answering=self.answering)
        look = written_tables(
            lambda _unit: Others(), of, self.taking.state, lambda one: self.answering.registers(one, self.clock())
        )
        self.tables = look(UNIT)

    @property
    def listed(self) -> Listed:
        return Listed(self.level, tuple(Open(number_of(one), one) for one in self.open))

    def _keep(self, events: Sequence[PointWritten]) -> None:
        if self.fails:
            raise self.fails
        self.events += events

    def write(self, address: int, words: bytes, client: Client = SCADA) -> Refusal | None:
        return self.taking.write_registers(UNIT, BLOCK + address, words, client)

    def answer(
        self,
        action: int,
        sequence: int = 1,
        *,
        number: int | None = None,
        megawatts: float = NAN,
        reason: int = 0,
        client=SCADA,
    ) -> Refusal | None:
        number = number_of(self.open[0]) if number is None else number
        return self.write(0, struct.pack(">IHHfH", number, action, reason, megawatts, sequence), client)

    def send(self) -> list[InstructionResponse]:
        """Let the thread do what waits, and end."""
        self.answering.start()
        self.answering.stop()
        return [decode_as(one.payload, InstructionResponse) for one in self.broker.messages]

    def reply(
        self,
        command_id: str | None,
        outcome: str = "taken",
        *,
        correlation: bytes | None = None,
        topic: str | None = None,
        **more: object,
    ) -> None:
        fields: dict[str, object] = {"environment": Environment.PRODUCTION, "source": "ads_ingest/a", "time": NOON}
        fields |= {"batch_uid": "B1", "instruction_uid": "I1", "result_code": 0, "detail": "so", **more}
        reply = InstructionResponseReply(outcome=outcome, command_id=command_id, **fields)  # type: ignore[arg-type]
        said_on = topic or self.broker.messages[-1].response_topic or ""
        self.broker.replies[1](Delivery(said_on, encode(reply), False, NOON, correlation=correlation))  # noqa: FBT003

    def read(self, address: int, count: int) -> bytes:
        assert self.tables
        content = self.tables.read_registers(Table.HOLDING, BLOCK + address, count)
        assert isinstance(content, bytes)
        return content

    def status(self) -> tuple[int, ...]:
        """Sequence, outcome, CAISO's code, what refused it."""
        return struct.unpack(">4H", self.read(7, 4))


@pytest.fixture
def device() -> Device:
    return Device()


def test_open_instructions_are_listed_with_number_type_megawatts_start_and_end_of_the_time_for_answers(device):
    listed = struct.unpack(">IHHfII", device.read(41, 10))
    start, until = (NOON + timedelta(hours=1)).timestamp(), (NOON + timedelta(minutes=10)).timestamp()
    assert listed == (number_of(device.open[0]), 2, 1, 25.0, start, until)
    assert device.read(51, 2) == b"\xff" * 4
    assert struct.unpack(">HH", device.read(35, 2)) == (192, 1)


def test_a_list_that_is_bad_says_so_and_nothing_can_be_answered_by_it(device):
    number = number_of(device.open[0])
    device.level, device.open = Level.BAD, []
    assert struct.unpack(">HH", device.read(35, 2)) == (0, 0xFFFF)
    assert device.answer(ACCEPT, number=number) is Refusal.COUNT


def test_a_number_stays_while_the_instruction_does_and_is_another_once_caiso_changes_it():
    assert number_of(instruction()) == number_of(instruction())
    changed = [instruction("I2"), instruction(instructed_mw=26.0), instruction(revision_no=2), instruction(batch_uid="B2")]
    assert len({number_of(one) for one in [instruction(), *changed]}) == 5


def test_an_answer_is_the_command_that_others_send_with_who_asked_and_where_the_reply_goes(device):
    assert device.answer(PARTIAL, megawatts=10, reason=12, client=OPERATOR) is None
    assert device.status() == (1, Outcome.SENT, 0xFFFF, 0)
    (command,) = device.send()
    assert (command.action, command.batch_uid, command.instruction_uid) == ("partial", "B1", "I1")
    assert (command.accept_dot_mw, command.reason_code) == (10, 12)
    assert (command.source, command.requested_by) == ("modbus_gateway/sierra", "SCADA of sierra")
    assert (command.asked_by, command.asked_from) == ("CN=operator", "192.168.1.2")
    assert command.expires_at == NOON + timedelta(seconds=60)
    (message,) = device.broker.messages
    assert message.topic == TOPICS.respond("sierra", "BESS", "partial")
    assert TOPICS.is_respond_reply(message.response_topic or "", "sierra", "BESS")
    assert message.response_topic in device.broker.replies[0]
    assert (message.retain, message.correlation) == (False, (command.command_id or "").encode())


def test_what_became_of_it_comes_back_in_registers_with_its_words(device):
    device.answer(DECLINE, reason=11)
    (command,) = device.send()
    device.reply("another", "refused")
    assert device.status()[1] == Outcome.SENT
    device.reply(command.command_id, "refused", result_code=3, refused_by="caiso", detail="zu spät " + "x" * 60)
    assert device.status() == (1, Outcome.REFUSED, 3, REFUSED_BY.index("caiso"))
    assert device.read(11, 24).decode().startswith("zu spät xx")


@pytest.mark.parametrize(
    ("said", "shown"),
    [("taken", Outcome.TAKEN), ("dry-run", Outcome.DRY_RUN), ("unknown", Outcome.UNKNOWN), ("a later word", Outcome.UNKNOWN)],
)
def test_each_outcome_has_its_number(device, said, shown):
    device.answer(ACCEPT)
    (command,) = device.send()
    device.reply(command.command_id, said, refused_by="a later word")
    assert device.status()[1::2] == (shown, 255)


@pytest.mark.parametrize(
    "other",
    [
        {"environment": Environment.SIMULATOR},
        {"source": "console/x"},
        {"source": "ads_ingest_of_mine/a"},
        {"instruction_uid": "I2"},
        {"batch_uid": "B2"},
        {"correlation": b"another"},
        {"topic": "dotbus/v1/plant/sierra/BESS/command/decline/reply/modbus_gateway-sierra"},
    ],
)
def test_a_reply_that_is_not_of_our_command_in_all_that_it_says_is_passed_over(device, other, capsys):
    device.answer(ACCEPT)
    (command,) = device.send()
    device.reply(command.command_id, **other)
    assert device.status()[1] == Outcome.SENT
    assert "passed over" in capsys.readouterr().out
    device.reply(command.command_id, "refused", correlation=command.command_id.encode(), refused_by="caiso")
    assert device.status()[1] == Outcome.REFUSED


def test_a_reply_that_does_not_come_is_no_reply_until_it_comes_late(device):
    device.answer(ACCEPT)
    (command,) = device.send()
    device.clock.seconds += 60
    assert device.status()[1] == Outcome.NO_REPLY
    device.reply(command.command_id)
    assert device.status()[1] == Outcome.TAKEN


def test_to_acknowledge_tells_caiso_nothing_and_is_kept(device):
    assert device.answer(ACKNOWLEDGE) is None
    assert device.status()[:2] == (1, Outcome.ACKNOWLEDGED)
    assert device.send() == []
    assert [(one.point, one.outcome, one.detail) for one in device.events] == [("acknowledge", "taken", "instruction I1")]


def test_each_answer_is_an_event_of_its_own(device):
    device.answer(ACKNOWLEDGE, 1)
    device.answer(ACKNOWLEDGE, 2)
    assert [one.writes for one in device.events] == [1, 1]


@pytest.mark.parametrize(
    "asked",
    [
        {"action": 0},
        {"action": 5},
        {"action": ACCEPT, "number": 12345},
        {"action": PARTIAL},
        {"action": PARTIAL, "megawatts": float("inf")},
        {"action": ACCEPT, "megawatts": 5.0},
        {"action": DECLINE, "megawatts": 0.0},
    ],
)
def test_what_says_no_answer_is_refused_and_sent_to_nobody(device, asked):
    assert device.answer(**asked) is Refusal.COUNT
    assert device.status() == (1, Outcome.REFUSED, 0xFFFF, REFUSED_BY.index("command"))
    assert device.send() == []
    assert [one.refused_by for one in device.events] == ["command"]


def test_answers_that_are_refused_are_told_each_with_what_was_tried_and_those_alike_together(device):
    device.answer(ACCEPT, 1, number=12345)
    device.answer(DECLINE, 2, number=12345)
    device.answer(DECLINE, 3, number=777)
    device.answer(PARTIAL, 4)
    told = [(one.point, one.detail.partition(":")[0], one.writes) for one in device.events]
    own = number_of(device.open[0])
    assert told == [
        ("accept", "instruction number 12345", 1),
        ("decline", "instruction number 12345", 1),
        ("decline", "instruction number 777", 1),
        ("partial", f"instruction number {own}", 1),
    ]
    for sequence in (5, 6, 7):
        device.answer(DECLINE, sequence, number=777)
    assert len(device.events) == 4
    device.clock.seconds += 60
    device.taking.look()
    assert [(one.point, one.writes) for one in device.events[4:]] == [("decline", 3)]


def test_registers_may_be_written_one_by_one_before_the_sequence_number(device):
    number = number_of(device.open[0])
    assert [device.write(0, number.to_bytes(4)), device.write(2, b"\0\2"), device.write(6, b"\0\7")] == [None] * 3
    assert [one.action for one in device.send()] == ["accept"]
    assert device.read(0, 3) == number.to_bytes(4) + b"\0\2"


def test_the_same_number_again_sends_nothing_again(device):
    device.answer(ACCEPT)
    assert device.write(6, b"\0\1") is None
    assert len(device.send()) == 1


def test_while_a_reply_is_waited_for_no_other_answer_is_sent(device):
    device.answer(ACCEPT)
    assert device.answer(DECLINE, 2, reason=10) is Refusal.FAILURE
    assert [one.action for one in device.send()] == ["accept"]


@pytest.mark.parametrize("sequence", [0, 1])
def test_a_sequence_number_that_is_none_or_was_written_sends_nothing(device, sequence):
    device.answer(ACKNOWLEDGE)
    assert device.answer(ACCEPT, sequence) is Refusal.COUNT
    assert device.send() == []


@pytest.mark.parametrize("said", [None, "taken", "refused", "unknown"])
def test_the_whole_request_again_is_answered_as_before_and_sent_once(device, said):
    assert device.answer(ACCEPT, 7) is None
    (command,) = device.send()
    if said:
        device.reply(command.command_id, said, refused_by="caiso" if said == "refused" else None)
    shown = device.status()
    assert device.answer(ACCEPT, 7) is None, "the first reply may have been lost"
    assert device.status() == shown
    assert len(device.broker.messages) == 1
    assert len(device.events) == 1


def test_the_whole_of_what_was_refused_again_is_refused_as_before(device):
    assert [device.answer(ACCEPT, 7, number=12345) for _ in range(2)] == [Refusal.COUNT] * 2
    assert device.status() == (7, Outcome.REFUSED, 0xFFFF, REFUSED_BY.index("command"))


@pytest.mark.parametrize("sequence", [0, 7])
def test_a_number_that_is_none_is_told_as_that_and_leaves_what_became_of_the_last_answer(device, sequence):
    device.answer(ACCEPT, 7)
    (command,) = device.send()
    device.reply(command.command_id)
    assert device.answer(DECLINE, sequence, reason=11) is Refusal.COUNT
    assert device.status() == (7, Outcome.REFUSED, 0xFFFF, REFUSED_BY.index("commit"))
    assert device.write(6, b"\0\7") is None
    assert device.status() == (7, Outcome.TAKEN, 0, 0)


def test_a_reply_that_comes_late_is_shown_whatever_number_was_tried_meanwhile(device):
    device.answer(ACCEPT, 7)
    (command,) = device.send()
    device.clock.seconds += 60
    assert device.answer(ACCEPT, 0) is Refusal.COUNT
    device.reply(command.command_id)
    assert device.status() == (7, Outcome.TAKEN, 0, 0)


@pytest.mark.parametrize("again", [7, 8])
def test_an_answer_that_no_broker_was_there_for_stands_beside_its_own_number_and_may_be_given_again(device, again):
    device.answer(ACKNOWLEDGE, 6)
    device.broker.connected = False
    assert device.answer(ACCEPT, 7) is Refusal.FAILURE
    assert device.status() == (7, Outcome.REFUSED, 0xFFFF, REFUSED_BY.index("bus"))
    assert device.write(6, b"\0\7") is Refusal.COUNT, "the question what became of it"
    device.broker.connected = True
    assert device.answer(ACCEPT, again) is None
    assert [one.action for one in device.send()] == ["accept"]


def test_an_answer_beside_a_point_in_one_request_is_none_and_told_of_both():
    point = {"unit_id": UNIT, "address": BLOCK - 2, "point": "actual_mw"}
    device = Device(writes=[point])
    asked = struct.pack(">fIHHfH", 48.5, number_of(device.open[0]), ACCEPT, 0, NAN, 1)
    assert device.write(-2, asked) is Refusal.ADDRESS
    assert [(one.point, one.refused_by) for one in device.events] == [("actual_mw", "point"), ("answer", "point")]
    assert device.send() == []


def test_what_was_filled_in_too_long_ago_is_not_sent_by_a_later_number(device):
    device.write(0, number_of(device.open[0]).to_bytes(4) + b"\0\2")
    device.clock.seconds += 30
    assert device.write(6, b"\0\1") is Refusal.COUNT
    assert device.send() == []


def test_nobody_sends_what_another_client_filled_in(device):
    device.write(0, number_of(device.open[0]).to_bytes(4) + b"\0\2")
    assert device.write(6, b"\0\1", OTHER) is Refusal.FAILURE
    assert device.answer(ACCEPT, client=STRANGER) is Refusal.FUNCTION
    assert device.send() == []


def test_who_may_not_answer_and_tries_is_kept(device):
    assert device.answer(ACCEPT, client=STRANGER) is Refusal.FUNCTION
    assert [(one.point, one.refused_by, one.written_from) for one in device.events] == [("answer", "role", "192.168.1.1")]


def test_without_a_broker_nothing_is_sent_and_the_client_is_told(device):
    device.broker.connected = False
    assert device.answer(ACCEPT) is Refusal.FAILURE
    assert device.status()[1::2] == (Outcome.REFUSED, REFUSED_BY.index("bus"))
    assert [one.refused_by for one in device.events] == ["bus"]


def test_an_answer_that_cannot_be_kept_is_not_sent(device):
    device.fails = sqlite3.OperationalError("database or disk is full")
    assert device.answer(ACCEPT) is Refusal.FAILURE
    assert device.send() == []


@pytest.mark.parametrize(("error", "shown"), [(NotConnected("gone"), Outcome.UNKNOWN), (PublishRefused("no"), Outcome.REFUSED)])
def test_what_the_broker_is_not_known_to_have_is_told_as_that(device, error, shown):
    device.answer(ACCEPT)
    device.broker.error = error
    device.send()
    assert device.status()[1::2] == (shown, REFUSED_BY.index("bus"))

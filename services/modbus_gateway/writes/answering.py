"""Answering: answers that SCADA gives, sent as commands to whoever asks CAISO, and their replies."""

import queue
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import InstructionAction, InstructionResponse, InstructionResponseReply
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing, PublishRefused
from dotbus.runtime.presence import Identity
from modbus_gateway.map.writable import AnswerBlock
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.writing import Client
from modbus_gateway.writes.answers import (
    TOLD_TO_CAISO,
    Answer,
    AnswerState,
    Command,
    Outcome,
    answer_registers,
    fill,
    pass_time,
    replied,
)
from modbus_gateway.writes.instructions import Listed, place_registers
from modbus_gateway.writes.requests import Piece
from modbus_gateway.writes.unit import Now, Written


class Broker(Protocol):
    """The bus, as far as commands go to it and replies come."""

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        ...

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = 10.0) -> None:
        """Publish, and wait until the broker has it."""
        ...

    def subscribe(self, filters: Sequence[str], on_delivery: Callable[[Delivery], None]) -> None:
        """Ask for topics."""
        ...


@dataclass(frozen=True)
class Commanded:
    """What was commanded, as an event names it: the action in place of a point."""

    plant: str
    resource_id: str
    point: str
    unit: str | None


class Answering:
    """Sends answers in a thread of its own. Safe to use from several threads.

    Args:
        blocks: of the map.
        bus: not started yet.
        client_id: ours at the broker, the last level of the topics that replies come on.
        identity: who sends.
        topics: of the installation.
        listed: what can be answered at a block now; called in the thread that serves.
    """

    def __init__(
        self,
        blocks: Sequence[AnswerBlock],
        bus: Broker,
        client_id: str,
        identity: Identity,
        topics: Topics,
        listed: Callable[[AnswerBlock], Listed],
    ) -> None:
        self._states: dict[AnswerBlock, AnswerState] = {block: AnswerState() for block in blocks}
        self._bus = bus
        self._client_id = client_id
        self._identity = identity
        self._topics = topics
        self._listed = listed
        self._lock = threading.RLock()
        self._waiting: queue.SimpleQueue[tuple[AnswerBlock, str, Outgoing] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="answering", daemon=True)
        self._log = get_logger("answers")
        replies = [self._reply_topic(block, action) for block in blocks for action in InstructionAction]
        if replies:
            bus.subscribe(replies, self._on_reply)

    @property
    def is_alive(self) -> bool:
        """Whether it still works, or did not begin yet; when not, only a restart can help."""
        return self._thread.ident is None or self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def write(
        self, pieces: Sequence[Piece], client: Client, now: Now, keep: Callable[[Sequence[Written]], bool]
    ) -> Refusal | None:
        """What is written to one block.

        Args:
            pieces: all of one block.
            client: who writes, and may.
            now: the time.
            keep: keeps what happened. Returns whether it could; what could not is not sent.
        """
        block = pieces[0].slot.owner
        if not isinstance(block, AnswerBlock):
            raise TypeError(f"{block} is no answer block")
        with self._lock:
            before = pass_time(self._states[block], now)
            sending = fill(before, pieces, self._listed(block), client, now)
            if sending.answer:
                return self._send(block, before, sending.state, sending.answer, client, now, keep)
            if sending.refused_by:
                action, number = sending.tried
                told = sending.detail if number is None else f"instruction number {number}: {sending.detail}"
                keep([written_command(block, action, None, client, sending.refused_by, told)])
            self._states[block] = sending.state
            return sending.refusal

    def registers(self, block: AnswerBlock, now: Now) -> bytes:
        """What the block says now."""
        with self._lock:
            state = self._states[block] = pass_time(self._states[block], now)
        listed = self._listed(block)
        return answer_registers(state, listed) + place_registers(listed, block)

    def _send(
        self,
        block: AnswerBlock,
        before: AnswerState,
        after: AnswerState,
        answer: Answer,
        client: Client,
        now: Now,
        keep: Callable[[Sequence[Written]], bool],
    ) -> Refusal | None:
        uid, is_told = answer.instruction.instruction_uid, answer.action in TOLD_TO_CAISO
        if is_told and not self._bus.connected:
            told = "the broker is not there; nothing was sent"
            keep([written_command(block, answer.action, answer.accept_dot_mw, client, "bus", f"instruction {uid}: {told}")])
            refused = replace(after, sent=before.sent, outcome=Outcome.REFUSED, refused_by="bus", detail=told)
            self._states[block] = replace(refused, may_be_again=True)
            return Refusal.FAILURE
        if not keep([written_command(block, answer.action, answer.accept_dot_mw, client, None, f"instruction {uid}")]):
            return Refusal.FAILURE
        if is_told:
            self._states[block] = self._queue(block, after, answer, client, now)
        else:
            self._states[block] = replace(after, outcome=Outcome.ACKNOWLEDGED)
        return None

    def _queue(self, block: AnswerBlock, state: AnswerState, answer: Answer, client: Client, now: Now) -> AnswerState:
        """Let the command go, with an id of its own. Returns the block that waits for its reply."""
        asked, reply_topic = answer.instruction, self._reply_topic(block, answer.action)
        command = Command(uuid.uuid4().hex, asked.batch_uid, asked.instruction_uid, self._identity.environment, reply_topic)
        self._waiting.put((block, command.id, self._message(block, answer, command, client, now)))
        return replace(state, outcome=Outcome.SENT, command=command, until_s=now.seconds + block.reply_within_s)

    def _message(self, block: AnswerBlock, answer: Answer, command: Command, client: Client, now: Now) -> Outgoing:
        asking = InstructionResponse(
            environment=command.environment,
            source=self._identity.source,
            time=now.wall,
            batch_uid=command.batch_uid,
            instruction_uid=command.instruction_uid,
            action=InstructionAction(answer.action),
            accept_dot_mw=answer.accept_dot_mw,
            reason_code=answer.reason_code,
            requested_by=f"SCADA of {block.plant}",
            asked_by=client.subject or None,
            asked_from=client.address or None,
            command_id=command.id,
            expires_at=now.wall + timedelta(seconds=block.reply_within_s),
        )
        topic = self._topics.respond(block.plant, block.resource_id, answer.action)
        return Outgoing(topic, encode(asking), response_topic=command.reply_topic, correlation=command.id.encode())

    def _reply_topic(self, block: AnswerBlock, action: str) -> str:
        return f"{self._topics.respond_reply(block.plant, block.resource_id, action)}/{self._client_id}"

    def _run(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            block, command_id, message = waiting
            try:
                self._bus.publish([message])
            except BusError as error:
                self._log.error("an answer is not known to be with the broker", command_id=command_id, cause=str(error))
                outcome = Outcome.REFUSED if isinstance(error, PublishRefused) else Outcome.UNKNOWN
                self._note(block, command_id, outcome, str(error))

    def _note(self, block: AnswerBlock, command_id: str, outcome: Outcome, detail: str) -> None:
        with self._lock:
            state = self._states[block]
            if state.command and state.command.id == command_id and state.outcome is Outcome.SENT:
                self._states[block] = replace(state, outcome=outcome, refused_by="bus", detail=detail)

    def _on_reply(self, delivery: Delivery) -> None:
        delivery.ack()
        try:
            reply = decode_as(delivery.payload, InstructionResponseReply)
        except UndecodableMessage as error:
            self._log.warning("a reply to an answer was not understood", topic=delivery.topic, reason=error.reason)
            return
        with self._lock:
            for block, state in self._states.items():
                if state.command is None or state.command.id != reply.command_id:
                    continue
                if misfit := state.command.misfit(reply, delivery.topic, delivery.correlation):
                    self._log.warning("a reply to an answer was passed over", topic=delivery.topic, reason=misfit)
                else:
                    self._states[block] = replied(state, reply)


def written_command(
    block: AnswerBlock, action: str, megawatts: float | None, client: Client, refused_by: str | None, detail: str
) -> Written:
    """What was commanded, as it is kept. Those that are refused alike in all may be told together; each taken one by itself."""
    what = Commanded(block.plant, block.resource_id, action, None if megawatts is None else "MW")
    return Written(what, client, None, megawatts, refused_by, detail, is_command=refused_by is None, about=detail)

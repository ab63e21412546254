"""Commanding: what somebody asks of ads_ingest or of alarms, said on the bus, and what became of it.

A command goes once. Where nobody says what became of it that is told as it is: it may have been carried out. Replies are known
by the command's own id; by the broker's access list only who carries commands out may say one.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Final, Protocol

import msgspec

from console.access.people import Visit
from dotbus.contracts.alarms import AlarmAction
from dotbus.contracts.codec import UndecodableMessage, decode, encode
from dotbus.contracts.messages import (
    AlarmCommand,
    AlarmCommandReply,
    InstructionAction,
    InstructionResponse,
    InstructionResponseReply,
)
from dotbus.contracts.messages.alarms import Comment, Minutes
from dotbus.contracts.messages.envelope import Environment, Int32, NonEmpty, Utc
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing, PublishRefused

REPLY_WITHIN_S: Final = 30.0
"""For so long a command counts, too: what came later would do what nobody expects any more."""
REPLIES: Final = (Subject.RESPOND_REPLY, Subject.ALARM_COMMAND_REPLY)
NOT_SENT: Final = "not sent"
NO_REPLY: Final = "no reply"
UNKNOWN: Final = "unknown"

Command = InstructionResponse | AlarmCommand
Reply = InstructionResponseReply | AlarmCommandReply
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer to an instruction, as a page asks for it.

    Attributes:
        accept_dot_mw: what is accepted; to accept all of it, the megawatts that were seen: others are refused.
        reason_code: why not all of it.
    """

    plant: Name
    resource: Name
    batch_uid: Name
    instruction_uid: Name
    action: InstructionAction
    accept_dot_mw: float | None = None
    reason_code: Int32 | None = None


class AlarmDeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done with an alarm, as a page asks for it.

    Attributes:
        raised_at: of the alarm that was seen: where it was raised again since, nothing is done.
    """

    plant: Name
    about: Name
    rule: Name
    action: AlarmAction
    comment: Comment | None = None
    shelve_min: Minutes | None = None
    raised_at: Utc | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command.

    Attributes:
        outcome: taken, refused, unknown (CAISO was asked and did not answer), dry-run, not sent, or no reply.
        detail: the same in words.
    """

    outcome: NonEmpty
    detail: str


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


@dataclass
class Commander:
    """Sends commands, in the loop of the pages.

    Args:
        bus: not started yet.
        topics: of the installation.
        environment: of the installation: a command for another is refused.
        source: SERVICE/INSTANCE, as every message names us.
        now: the wall clock.
    """

    bus: Broker
    topics: Topics
    environment: Environment
    source: str
    now: Callable[[], datetime]
    reply_within_s: float = REPLY_WITHIN_S
    _waiting: dict[str, asyncio.Future[Reply]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Ask for replies."""
        self._log = get_logger("commands")
        self.bus.subscribe([self.topics.every(subject) for subject in REPLIES], self._on_reply)

    async def answer(self, answer: Answer, visit: Visit, address: str) -> Outcome:
        """Answer an instruction for somebody who may."""
        command = InstructionResponse(
            environment=self.environment,
            source=self.source,
            time=self.now(),
            batch_uid=answer.batch_uid,
            instruction_uid=answer.instruction_uid,
            action=answer.action,
            accept_dot_mw=answer.accept_dot_mw,
            reason_code=answer.reason_code,
            requested_by=visit.person.name,
            asked_by=visit.person.name if visit.session else None,  # who has signed in has proven it
            asked_from=address or None,
            command_id=uuid.uuid4().hex,
            expires_at=self.now() + timedelta(seconds=self.reply_within_s),
        )
        topic = self.topics.respond(answer.plant, answer.resource, answer.action)
        return await self._send(topic, command, command.command_id or "", visit, address)

    async def to_alarm(self, deed: AlarmDeed, visit: Visit, address: str) -> Outcome:
        """Acknowledge, shelve or unshelve an alarm for somebody who may."""
        command = AlarmCommand(
            environment=self.environment,
            source=self.source,
            time=self.now(),
            action=deed.action,
            requested_by=visit.person.name,
            comment=deed.comment,
            shelve_min=deed.shelve_min,
            raised_at=deed.raised_at,
            command_id=uuid.uuid4().hex,
            expires_at=self.now() + timedelta(seconds=self.reply_within_s),
        )
        topic = self.topics.alarm_command(deed.plant, deed.about, deed.rule, deed.action)
        return await self._send(topic, command, command.command_id, visit, address)

    async def _send(self, topic: str, command: Command, command_id: str, visit: Visit, address: str) -> Outcome:
        log = self._log.bind(command_id=command_id, topic=topic, user=visit.person.name, address=address)
        log.info("commanded", command=msgspec.to_builtins(command))
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = waiting
        try:
            outcome = await self._outcome(Outgoing(topic, encode(command)), waiting)
        finally:
            del self._waiting[command_id]
        log.info("command over", outcome=outcome.outcome, detail=outcome.detail)
        return outcome

    async def _outcome(self, message: Outgoing, waiting: "asyncio.Future[Reply]") -> Outcome:
        if not self.bus.connected:
            return Outcome(outcome=NOT_SENT, detail="the console does not hear the broker")
        try:
            await asyncio.to_thread(self.bus.publish, [message])
        except PublishRefused as error:
            return Outcome(outcome=NOT_SENT, detail=str(error))
        except BusError as error:
            return Outcome(outcome=UNKNOWN, detail=f"{error}; the broker may have it nevertheless")
        try:
            reply = await asyncio.wait_for(waiting, self.reply_within_s)
        except TimeoutError:
            silent = f"no reply within {self.reply_within_s:.0f} s: it may have been carried out; what is shown here will tell"
            return Outcome(outcome=NO_REPLY, detail=silent)
        return Outcome(outcome=reply.outcome or UNKNOWN, detail=reply.detail)

    def _on_reply(self, delivery: Delivery) -> None:
        """In the bus's thread."""
        delivery.ack()
        try:
            reply = decode(delivery.payload)
        except UndecodableMessage as error:
            self._log.warning("a reply was not understood", topic=delivery.topic, reason=error.reason)
            return
        if isinstance(reply, Reply) and (waiting := self._waiting.get(reply.command_id or "")):
            waiting.get_loop().call_soon_threadsafe(_settle, waiting, reply)


def _settle(waiting: "asyncio.Future[Reply]", reply: Reply) -> None:
    if not waiting.done():
        waiting.set_result(reply)

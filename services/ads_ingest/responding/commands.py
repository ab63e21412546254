"""Commands: what a delivery on a command topic asks, where its reply belongs, and what is said and kept of it. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ads_ingest.translate import Sender
from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import InstructionAnswered, InstructionResponse, InstructionResponseReply
from dotbus.contracts.topics import Address, Subject, Topics
from dotbus.runtime.mqtt.messages import Delivery

_RETAINED = (
    "a retained command is not taken: it would come again at each start, and nobody can tell how old it is; nothing was sent. "
    "Publish it without the retain flag, and an empty retained message to its topic to take it back"
)
MAX_NAME = 200
"""As long as the historian takes one; CAISO's are shorter."""
SENDING, TAKEN, REFUSED, UNKNOWN, DRY_RUN = "sending", "taken", "refused", "unknown", "dry-run"
ELSEWHERE = "elsewhere"
"""Another instance was the first to say that it asks CAISO, and says what became of it."""

Key = tuple[str, str, str]
"""What tells a command from all others: plant, resource and command_id."""
Content = tuple[str, str, str, float | None, int | None]
"""What a command asks for."""


@dataclass(frozen=True)
class Asked:
    """An answer that is asked for.

    Attributes:
        command: what is asked.
        plant: of the topic that it came on.
        resource_id: of the topic.
        action: the last word of the topic.
        id: tells the command from all others of the resource.
        rule: the rule of the configuration that asks; None when somebody does.
    """

    command: InstructionResponse
    plant: str
    resource_id: str
    action: str
    id: str
    rule: str | None = None

    @property
    def key(self) -> Key:
        """What tells it from all other commands."""
        return self.plant, self.resource_id, self.id

    @property
    def about(self) -> tuple[str, str]:
        """The resource, and the instruction to it."""
        return self.resource_id, self.command.instruction_uid

    @property
    def content(self) -> Content:
        """What it asks for."""
        return content_of(self.action, self.command)


@dataclass(frozen=True)
class Unreadable:
    """A delivery that is no command, and why."""

    plant: str
    resource_id: str
    action: str
    why: str


@dataclass(frozen=True)
class Result:
    """What became of a command.

    Attributes:
        outcome: sending, taken, refused, unknown, dry-run or elsewhere.
        detail: the same in words.
        refused_by: which check, `caiso` where CAISO did.
        result_code: CAISO's.
    """

    outcome: str
    detail: str
    refused_by: str | None = None
    result_code: int | None = None


def read_command(delivery: Delivery, topics: Topics) -> Asked | Unreadable | None:
    """What is asked. None on another topic than a command's, or of an empty payload that takes back what was retained."""
    address = topics.read(delivery.topic)
    if address is None or address.subject is not Subject.RESPOND or (delivery.retained and not delivery.payload):
        return None
    plant, resource_id, action = address.scope, address.name or "", address.action or ""
    if delivery.retained:
        return Unreadable(plant, resource_id, action, _RETAINED)
    try:
        command = decode_as(delivery.payload, InstructionResponse)
    except UndecodableMessage as error:
        return Unreadable(plant, resource_id, action, error.reason)
    asked = Asked(command, plant, resource_id, action, command.command_id or _digest(encode(command)))
    if (why := _unfit_name(asked)) is not None:
        return Unreadable(plant, resource_id, action, why)
    return asked


def _unfit_name(asked: Asked) -> str | None:
    command = asked.command
    names = {
        "batch_uid": command.batch_uid,
        "instruction_uid": command.instruction_uid,
        "requested_by": command.requested_by,
        "source": command.source,
        "command_id": asked.id,
        "the resource of the topic": asked.resource_id,
        "the action of the topic": asked.action,
        **{name: told for name in ("asked_by", "asked_from") if (told := getattr(command, name)) is not None},
    }
    for name, value in names.items():
        if not 0 < len(value) <= MAX_NAME or not value.isprintable():
            return f"{name} must have 1 to {MAX_NAME} characters, all of them printable"
    return None


def reply_topic(delivery: Delivery, address: Address, topics: Topics) -> str:
    """Where the reply goes: to the response topic, if it is one for replies to this resource's commands.

    We may write where the requester may not: elsewhere a reply would be written in our name, on another plant's topic even.
    """
    plant, resource_id, wanted = address.scope, address.name, delivery.response_topic
    if wanted and resource_id and topics.is_respond_reply(wanted, plant, resource_id):
        return wanted
    return f"{delivery.topic}/reply"  # also where a level of the topic is empty, of which none can be made


def reply_of(asked: Asked | Unreadable, result: Result, sender: Sender, now: datetime) -> InstructionResponseReply:
    """What the requester is told."""
    command = asked.command if isinstance(asked, Asked) else None
    return InstructionResponseReply(
        environment=sender.environment,
        source=sender.source,
        time=now,
        batch_uid=command.batch_uid if command else "",
        instruction_uid=command.instruction_uid if command else "",
        result_code=result.result_code,
        detail=result.detail,
        outcome=result.outcome,
        refused_by=result.refused_by,
        command_id=asked.id if isinstance(asked, Asked) else None,
    )


def event_of(asked: Asked, result: Result, sender: Sender, now: datetime) -> InstructionAnswered:
    """What is kept of it."""
    command = asked.command
    stage = result.outcome if result.outcome in {SENDING, ELSEWHERE} else "result"
    which = _digest(msgspec.json.encode((sender.source, asked.plant, asked.resource_id, asked.id)))
    return InstructionAnswered(
        environment=sender.environment,
        source=sender.source,
        time=now,
        id=f"response/{which}/{stage}",
        plant=asked.plant,
        resource_id=asked.resource_id,
        command_id=asked.id,
        action=asked.action,
        batch_uid=command.batch_uid,
        instruction_uid=command.instruction_uid,
        accept_dot_mw=command.accept_dot_mw,
        reason_code=command.reason_code,
        requested_by=command.requested_by,
        requested_from=command.source,
        requested_at=command.time,
        asked_by=command.asked_by,
        asked_from=command.asked_from,
        rule=asked.rule,
        outcome=result.outcome,
        refused_by=result.refused_by,
        result_code=result.result_code,
        detail=result.detail,
    )


def content_of(action: str, said: InstructionAnswered | InstructionResponse) -> Content:
    """What a command asks for."""
    return action, said.batch_uid, said.instruction_uid, said.accept_dot_mw, said.reason_code


def key_of(event: InstructionAnswered) -> Key:
    """Which command an event is of."""
    return event.plant, event.resource_id, event.command_id


def named(answer: Asked | InstructionAnswered) -> Mapping[str, object]:
    """What a line of the log says of an answer."""
    command = answer.command if isinstance(answer, Asked) else answer
    return {
        "action": answer.action,
        "resource_id": answer.resource_id,
        "instruction_uid": command.instruction_uid,
        "requested_by": command.requested_by,
        "command_id": answer.id if isinstance(answer, Asked) else answer.command_id,
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]

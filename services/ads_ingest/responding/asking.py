"""Asking: a command to answer an instruction over the bus, as any other program sends one, and its reply."""

import queue
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import InstructionAction, InstructionResponse, InstructionResponseReply, Instructions
from dotbus.contracts.topics import UNASSIGNED
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.by_hand import NotReached, connected
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing, PublishRefused
from dotbus.runtime.settings.settings import BusSettings

STATE_WITHIN_S = 5.0


@dataclass(frozen=True)
class Wanted:
    """The answer that is wanted.

    Attributes:
        batch_uid: of the instruction; None looks it up in the `instructions` state.
        command_id: tells it from all others; that of an earlier try asks what became of that.
    """

    resource_id: str
    instruction_uid: str
    action: InstructionAction
    requested_by: str
    source: str
    command_id: str
    accept_dot_mw: float | None = None
    reason_code: int | None = None
    batch_uid: str | None = None


class NotAsked(Exception):
    """Nothing was sent; the message says why, and what to look at."""


class NotAnswered(Exception):
    """It was sent, or may have been, and nobody answered in time."""


def ask(
    settings: BusSettings, installation: Installation, wanted: Wanted, within_s: float, clock: Callable[[], datetime]
) -> InstructionResponseReply:
    """Ask for an answer, and wait for what became of it.

    Raises:
        NotAsked: no plant claims the resource, the instruction is not known, the broker is not there or refuses.
        NotAnswered: nobody replied in time.
    """
    topics, resource_id, action = installation.topics, wanted.resource_id, wanted.action.value
    plant = installation.plant_of(resource_id)
    if plant == UNASSIGNED:
        raise NotAsked(f"no plant of this installation claims {resource_id}")
    reply_topic = topics.respond_reply(plant, resource_id, action)
    own_topic = f"{reply_topic}/{secrets.token_hex(6)}"
    replies: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
    states: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
    # On the common topic replies come from a broker that speaks no MQTT 5, which passes on no response topic.
    heard = {own_topic: replies.put, reply_topic: replies.put, topics.instructions(plant, resource_id): states.put}
    try:
        with connected(settings, "ads-ingest", heard, clock) as bus:
            batch_uid = wanted.batch_uid or _batch_of(wanted, states)
            topic, command = topics.respond(plant, resource_id, action), _command(wanted, batch_uid, installation, clock())
            asked = Outgoing(topic, encode(command), response_topic=own_topic, correlation=wanted.command_id.encode())
            _publish(bus, asked, plant)
            return _reply_to(wanted, replies, time.monotonic() + within_s)
    except NotReached as failure:
        raise NotAsked(str(failure)) from failure


def _command(wanted: Wanted, batch_uid: str, installation: Installation, now: datetime) -> InstructionResponse:
    return InstructionResponse(
        environment=installation.environment,
        source=wanted.source,
        time=now,
        batch_uid=batch_uid,
        instruction_uid=wanted.instruction_uid,
        action=wanted.action,
        accept_dot_mw=wanted.accept_dot_mw,
        reason_code=wanted.reason_code,
        requested_by=wanted.requested_by,
        command_id=wanted.command_id,
    )


def _batch_of(wanted: Wanted, states: "queue.SimpleQueue[Delivery]") -> str:
    """The batch of the instruction, from the retained state of its resource."""
    try:
        state = decode_as(states.get(timeout=STATE_WITHIN_S).payload, Instructions)
    except queue.Empty:
        reason = f"the broker has no instructions state of {wanted.resource_id}, or this user may not read it; name the batch"
        raise NotAsked(reason) from None
    except UndecodableMessage as error:
        raise NotAsked(f"the instructions state of {wanted.resource_id} was not understood: {error.reason}") from error
    for known in state.instructions:
        if known.instruction_uid == wanted.instruction_uid:
            return known.batch_uid
    can_be = [known.instruction_uid for known in state.instructions if known.answer and known.answer.is_open]
    answerable = f"these can be answered: {', '.join(can_be)}" if can_be else "none can be answered now"
    raise NotAsked(f"{wanted.resource_id} has no instruction {wanted.instruction_uid} now; {answerable}")


def _publish(bus: Bus, message: Outgoing, plant: str) -> None:
    try:
        bus.publish([message])
    except PublishRefused as error:
        raise NotAsked(f"{error}; the plant {plant}'s own user at the broker may answer for it, and nobody else") from error
    except BusError as error:
        raise NotAnswered(str(error)) from error


def _reply_to(wanted: Wanted, replies: "queue.SimpleQueue[Delivery]", deadline_s: float) -> InstructionResponseReply:
    while True:
        try:
            delivery = replies.get(timeout=max(0.0, deadline_s - time.monotonic()))
        except queue.Empty:
            raise NotAnswered("nobody answered in time: does ads_ingest run?") from None
        with suppress(UndecodableMessage):
            reply = decode_as(delivery.payload, InstructionResponseReply)
            if reply.command_id == wanted.command_id or delivery.correlation == wanted.command_id.encode():
                return reply

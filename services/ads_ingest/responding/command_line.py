"""Accept, decline and partial on the command line: a command on the bus as any other program's, and its reply in words.

The broker decides who may: by the access list of an installation that is the user of the resource's plant, and no service.
Exit status: 0 CAISO has taken the answer, 1 it has not, 2 the command line or the configuration is wrong, 3 nobody knows.
"""

import getpass
import math
import queue
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated

import typer

from ads_ingest.responding.commands import TAKEN, UNKNOWN
from ads_ingest.settings import PREFIX
from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import InstructionAction, InstructionResponse, InstructionResponseReply, Instructions
from dotbus.contracts.topics import UNASSIGNED
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.by_hand import NotReached, connected
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing, PublishRefused
from dotbus.runtime.process import EXIT_FAILED, load_or_exit
from dotbus.runtime.settings.settings import BusSettings, ConfigSettings, load_settings

STATE_WITHIN_S = 10.0
EXIT_UNKNOWN = 3
ANSWER_WITHIN_S = 60.0
"""Longer than CAISO may take to answer it, after one that was before it."""


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


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise typer.BadParameter(f"{number} is no number of megawatts or seconds")
    return number


Resource = Annotated[str, typer.Argument(help="As CAISO names it.")]
InstructionUid = Annotated[str, typer.Argument(help="As the resource's `instructions` state names it.")]
Reason = Annotated[int, typer.Option(min=10, max=16, help="CAISO's reason code.")]
Megawatts = Annotated[float, typer.Option(callback=_finite, help="How much of the DOT is accepted, between 0 and it.")]
Batch = Annotated[str | None, typer.Option(help="Its batchUID; that of the `instructions` state unless given.")]
By = Annotated[str | None, typer.Option(help="Who answers, for the record; this machine's user unless given.")]
CommandId = Annotated[str | None, typer.Option(help="That of an earlier try: asks what became of it, and sends nothing twice.")]
Username = Annotated[str | None, typer.Option(help="The plant's user at the broker; else ADS_INGEST_MQTT_USERNAME.")]
PasswordFile = Annotated[Path | None, typer.Option(help="Its password; else ADS_INGEST_MQTT_PASSWORD_FILE.", readable=False)]
Within = Annotated[float, typer.Option(min=1, max=600, callback=_finite, help="How long to wait for the answer, seconds.")]

Configured = tuple[BusSettings, Installation]


@dataclass(frozen=True)
class Asking:
    """What every answer names: which instruction, who answers, and how the broker is asked."""

    resource_id: Resource
    instruction_uid: InstructionUid
    batch: Batch = None
    by: By = None
    command_id: CommandId = None
    username: Username = None
    password_file: PasswordFile = None
    within_s: Within = ANSWER_WITHIN_S


def add_answer_commands(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """The commands. Only what they need of the configuration is read: the broker and `dotbus.toml`."""

    @app.command()
    @_with_what_every_answer_names
    def accept(asking: Asking) -> None:
        """Accept an instruction for its whole DOT. Over the bus, as the plant; status 1 when refused, 3 when nobody knows."""
        _answer(asking, _wanted(asking, InstructionAction.ACCEPT), clock)

    @app.command()
    @_with_what_every_answer_names
    def decline(asking: Asking, reason: Reason) -> None:
        """Decline an instruction. Over the bus, as the plant; status 1 when refused, 3 when nobody knows."""
        _answer(asking, _wanted(asking, InstructionAction.DECLINE, reason_code=reason), clock)

    @app.command()
    @_with_what_every_answer_names
    def partial(asking: Asking, mw: Megawatts, reason: Reason) -> None:
        """Accept a part of an instruction's DOT. Over the bus, as the plant; status 1 when refused, 3 when nobody knows."""
        _answer(asking, _wanted(asking, InstructionAction.PARTIAL, accept_dot_mw=mw, reason_code=reason), clock)


def _with_what_every_answer_names(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose arguments and options are those of `Asking`, and its own besides."""
    common, own = signature(Asking).parameters, list(signature(command).parameters.values())[1:]

    @wraps(command)
    def with_all(**given: object) -> None:
        command(
            Asking(**{name: given[name] for name in common}),  # type: ignore[arg-type]  # as typer read them
            **{each.name: given[each.name] for each in own},
        )

    named = [*common.values(), *own]
    keyword_only = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in named]
    with_all.__signature__ = Signature(keyword_only)  # type: ignore[attr-defined]  # what typer looks at
    with_all.__annotations__ = {each.name: each.annotation for each in named}
    return with_all


def reply_line(reply: InstructionResponseReply) -> str:
    """What became of an answer, in words."""
    code = "" if reply.result_code is None else f" (CAISO's result code {reply.result_code})"
    return f"{reply.outcome}: {reply.detail}{code}"


def exit_status(reply: InstructionResponseReply) -> int:
    """0 when CAISO has taken it. What this version does not know is not known either."""
    return {TAKEN: 0, UNKNOWN: EXIT_UNKNOWN, None: EXIT_UNKNOWN}.get(reply.outcome, EXIT_FAILED)


def _wanted(
    asking: Asking, action: InstructionAction, *, accept_dot_mw: float | None = None, reason_code: int | None = None
) -> Wanted:
    return Wanted(
        asking.resource_id,
        asking.instruction_uid,
        action,
        asking.by or _user(),
        f"ads-ingest/{socket.gethostname()}",
        asking.command_id or secrets.token_hex(8),
        accept_dot_mw=accept_dot_mw,
        reason_code=reason_code,
        batch_uid=asking.batch,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # of a number that has no name here, as in a container
        return "nobody by name"


def _answer(asking: Asking, wanted: Wanted, clock: Callable[[], datetime]) -> None:
    within_s = asking.within_s
    settings, installation = load_or_exit(lambda: _configured(asking.username, asking.password_file))
    configure_logs("ads_ingest", "by-hand", "console", "error")
    typer.echo(f"asking to {wanted.action} {wanted.instruction_uid}, waiting up to {within_s:.0f} s", err=True)
    try:
        reply = ask(settings, installation, wanted, within_s, clock)
    except NotAsked as failure:
        typer.echo(f"nothing was sent: {failure}", err=True)
        raise typer.Exit(EXIT_FAILED) from failure
    except NotAnswered as failure:
        again = f"the same again with --command-id {wanted.command_id} tells what became of it"
        typer.echo(f"unknown: {failure} CAISO may have the answer; {again}", err=True)
        raise typer.Exit(EXIT_UNKNOWN) from failure
    typer.echo(reply_line(reply))
    raise typer.Exit(exit_status(reply))


def _configured(username: str | None, password_file: Path | None) -> Configured:
    given: Mapping[str, object] = {}
    if username:  # the password of another user is none of this one's
        given = {"username": username, "password": None, "password_file": password_file}
    elif password_file:
        given = {"password": None, "password_file": password_file}
    config = load_settings(ConfigSettings, PREFIX).config
    return load_settings(BusSettings, f"{PREFIX}MQTT_", **given), load_installation(config)

"""Accept, decline and partial on the command line: a command on the bus as any other program's, and its reply in words.

The broker decides who may: by the access list of an installation that is the user of the resource's plant, and no service.
Exit status: 0 CAISO has taken the answer, 1 it has not, 2 the command line or the configuration is wrong, 3 nobody knows.
"""

import getpass
import math
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated

import typer

from ads_ingest.responding.asking import NotAnswered, NotAsked, Wanted, ask
from ads_ingest.responding.commands import TAKEN, UNKNOWN
from ads_ingest.settings import PREFIX
from dotbus.contracts.messages import InstructionAction, InstructionResponseReply
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.process import EXIT_FAILED, load_or_exit
from dotbus.runtime.settings.settings import BusSettings, ConfigSettings, load_settings

EXIT_UNKNOWN = 3
ANSWER_WITHIN_S = 60.0
"""Longer than CAISO may take to answer it, after one that was before it."""


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

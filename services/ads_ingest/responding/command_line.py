"""Accept, decline and partial on the command line: a command on the bus as any other program's, and its reply in words.

The broker decides who may: by the access list of an installation that is the user of the resource's plant, and no service.
Exit status: 0 CAISO has taken the answer, 1 it has not, 2 the command line or the configuration is wrong, 3 nobody knows.
"""

import getpass
import secrets
import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ads_ingest.responding.asking import NotAnswered, NotAsked, Wanted, ask
from ads_ingest.responding.commands import TAKEN, UNKNOWN
from ads_ingest.settings import PREFIX
from dotbus.contracts.messages import InstructionAction, InstructionResponseReply
from dotbus.runtime.installation import Installation
from dotbus.runtime.installation_file import load_installation
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.process import EXIT_FAILED, load_or_exit
from dotbus.runtime.settings import BusSettings, ConfigSettings, load_settings

EXIT_UNKNOWN = 3
ANSWER_WITHIN_S = 60.0
"""Longer than CAISO may take to answer it, after one that was before it."""

Resource = Annotated[str, typer.Argument(help="As CAISO names it.")]
InstructionUid = Annotated[str, typer.Argument(help="As the resource's `instructions` state names it.")]
Reason = Annotated[int, typer.Option(min=10, max=16, help="CAISO's reason code.")]
Megawatts = Annotated[float, typer.Option(help="How much of the DOT is accepted, between 0 and it.")]
Batch = Annotated[str | None, typer.Option(help="Its batchUID; that of the `instructions` state unless given.")]
By = Annotated[str | None, typer.Option(help="Who answers, for the record; this machine's user unless given.")]
CommandId = Annotated[str | None, typer.Option(help="That of an earlier try: asks what became of it, and sends nothing twice.")]
Username = Annotated[str | None, typer.Option(help="The plant's user at the broker; else ADS_INGEST_MQTT_USERNAME.")]
PasswordFile = Annotated[Path | None, typer.Option(help="Its password; else ADS_INGEST_MQTT_PASSWORD_FILE.")]
Within = Annotated[float, typer.Option(min=1, max=600, help="How long to wait for the answer, seconds.")]

Configured = tuple[BusSettings, Installation]


def add_answer_commands(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """The commands. Only what they need of the configuration is read: the broker and `dotbus.toml`."""

    @app.command()
    def accept(
        resource_id: Resource,
        instruction_uid: InstructionUid,
        batch: Batch = None,
        by: By = None,
        command_id: CommandId = None,
        username: Username = None,
        password_file: PasswordFile = None,
        within_s: Within = ANSWER_WITHIN_S,
    ) -> None:
        """Accept an instruction for its whole DOT. Over the bus, as the plant; status 1 when refused, 3 when nobody knows."""
        wanted = _wanted(resource_id, instruction_uid, InstructionAction.ACCEPT, by, command_id, batch_uid=batch)
        _answer(wanted, username, password_file, within_s, clock)

    @app.command()
    def decline(
        resource_id: Resource,
        instruction_uid: InstructionUid,
        reason: Reason,
        batch: Batch = None,
        by: By = None,
        command_id: CommandId = None,
        username: Username = None,
        password_file: PasswordFile = None,
        within_s: Within = ANSWER_WITHIN_S,
    ) -> None:
        """Decline an instruction. Over the bus, as the plant; status 1 when refused, 3 when nobody knows."""
        told = {"reason_code": reason, "batch_uid": batch}
        wanted = _wanted(resource_id, instruction_uid, InstructionAction.DECLINE, by, command_id, **told)
        _answer(wanted, username, password_file, within_s, clock)

    @app.command()
    def partial(
        resource_id: Resource,
        instruction_uid: InstructionUid,
        mw: Megawatts,
        reason: Reason,
        batch: Batch = None,
        by: By = None,
        command_id: CommandId = None,
        username: Username = None,
        password_file: PasswordFile = None,
        within_s: Within = ANSWER_WITHIN_S,
    ) -> None:
        """Accept a part of an instruction's DOT. Over the bus, as the plant; status 1 when refused, 3 when nobody knows."""
        told = {"accept_dot_mw": mw, "reason_code": reason, "batch_uid": batch}
        wanted = _wanted(resource_id, instruction_uid, InstructionAction.PARTIAL, by, command_id, **told)
        _answer(wanted, username, password_file, within_s, clock)


def reply_line(reply: InstructionResponseReply) -> str:
    """What became of an answer, in words."""
    code = "" if reply.result_code is None else f" (CAISO's result code {reply.result_code})"
    return f"{reply.outcome}: {reply.detail}{code}"


def exit_status(reply: InstructionResponseReply) -> int:
    """0 when CAISO has taken it. What this version does not know is not known either."""
    return {TAKEN: 0, UNKNOWN: EXIT_UNKNOWN, None: EXIT_UNKNOWN}.get(reply.outcome, EXIT_FAILED)


def _wanted(
    resource_id: str,
    instruction_uid: str,
    action: InstructionAction,
    by: str | None,
    command_id: str | None,
    **told: object,
) -> Wanted:
    source = f"ads-ingest/{socket.gethostname()}"
    return Wanted(
        resource_id,
        instruction_uid,
        action,
        by or _user(),
        source,
        command_id or secrets.token_hex(8),
        **told,  # type: ignore[arg-type]  # what each action has besides
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # of a number that has no name here, as in a container
        return "nobody by name"


def _answer(
    wanted: Wanted, username: str | None, password_file: Path | None, within_s: float, clock: Callable[[], datetime]
) -> None:
    settings, installation = load_or_exit(lambda: _configured(username, password_file))
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

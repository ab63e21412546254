"""The commands of `dotbus alarms`. Wiring only.

Exit status: 0 nothing to look at, or done; 1 it is not known, or nobody answered; 2 refused; 3 there are alarms to look at.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from dotbus.contracts.alarms import AlarmAction
from dotbus.contracts.messages import AlarmStatus
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.mqtt.by_hand import NotReached
from dotbus.runtime.mqtt.messages import BusError
from dotbus.runtime.process import EXIT_FAILED, EXIT_REFUSED, command_line, load_or_exit
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings, load_settings
from launcher.alarms.asking import AlarmDesk, NotAnswered, Order, alarm_desk
from launcher.alarms.figures import figures_of
from launcher.alarms.heard import name_of
from launcher.alarms.shown import alarm_lines, alarms_document, history_document, history_lines
from launcher.look.rows import DatabaseSilent, Rows
from launcher.look.status import load_watched
from launcher.places import DEFAULT_CONFIG, PREFIX, ConfigFile, PlacesSettings

EXIT_OPEN: Final = 3
SILENT: Final = (
    "the service of alarms says nothing, or not all has come, so what is shown may be old: "
    "does it run, and is the clock right here?"
)
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(min|m|h|d)")
_MINUTES: Final = {"m": 1.0, "min": 1.0, "h": 60.0, "d": 24 * 60.0}


def span_of(text: str) -> timedelta:
    """A stretch of time as a person says it: 30m, 2h, 1.5h, 7d."""
    said = _SPAN.fullmatch(text.strip())
    if said is None or not (minutes := float(said[1]) * _MINUTES[said[2]]):
        raise typer.BadParameter(f"{text}: say a number and m, h or d, such as 30m or 2h")
    return timedelta(minutes=minutes)


alarms_app = command_line("What is wrong, by ISA-18.2. Without a command: the alarms that somebody has to look at.")
Plant = Annotated[str | None, typer.Option(help="What this plant's operator has before him; everything unless given.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Names = Annotated[list[str], typer.Argument(metavar="ALARM", help="PLANT/ABOUT/RULE, or the end of it.", show_default=False)]
By = Annotated[str, typer.Option(envvar="DOTBUS_PERSON", help="Your name: who does it.", show_default=False)]
Comment = Annotated[str | None, typer.Option(help="Why.")]


@alarms_app.callback(invoke_without_command=True)
def list_alarms(
    context: typer.Context,
    config: ConfigFile = DEFAULT_CONFIG,
    plant: Plant = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also normal, shelved and suppressed ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is wrong, by ISA-18.2. Without a command: the alarms that somebody has to look at, from the bus.

    Ends with 0 when there is none, 3 when there are some, 1 when that is not known.
    """
    if context.invoked_subcommand is not None:
        return
    with _desk(config) as desk:
        known = desk.known().of(plant)
    if as_json:
        typer.echo(alarms_document(known))
    else:
        _print(alarm_lines(known, everything=everything))
    if not known.is_whole or not known.summaries:
        typer.echo(SILENT if not known.is_whole else f"nothing is said of a plant {plant}", err=True)
        raise typer.Exit(EXIT_FAILED)
    raise typer.Exit(EXIT_OPEN if known.open else 0)


@alarms_app.command()
def ack(alarms: Names, by: By, config: ConfigFile = DEFAULT_CONFIG, comment: Comment = None) -> None:
    """Acknowledge alarms: somebody knows of them. Each as it is shown; raised again since, it is refused."""
    _order(config, alarms, Order(AlarmAction.ACKNOWLEDGE, by, comment))


@alarms_app.command()
def shelve(
    alarms: Names,
    by: By,
    lasting: Annotated[timedelta, typer.Option("--for", parser=span_of, metavar="SPAN", help="Such as 30m or 2h.")],
    comment: Annotated[str, typer.Option(help="Why.", show_default=False)],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Put alarms away for a time, and say why. They come back by themselves."""
    _order(config, alarms, Order(AlarmAction.SHELVE, by, comment, lasting / timedelta(minutes=1)))


@alarms_app.command()
def unshelve(alarms: Names, by: By, config: ConfigFile = DEFAULT_CONFIG, comment: Comment = None) -> None:
    """Take alarms off the shelf before their time."""
    _order(config, alarms, Order(AlarmAction.UNSHELVE, by, comment))


@alarms_app.command()
def history(
    last: Annotated[str, typer.Option(metavar="SPAN", help="Such as 2h or 7d.")] = "24h",
    plant: Plant = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell what happened to alarms, and figures. From the database; ends with 1 when that does not answer."""
    end = utc_now()
    start = end - span_of(last)
    places = load_or_exit(lambda: load_settings(PlacesSettings, PREFIX)).places
    rows = Rows(places.database_url, places.database_password)
    try:
        events = rows.alarm_events(start, end, plant)
    except DatabaseSilent as silent:
        typer.echo(f"the database does not answer: {silent}", err=True)
        raise typer.Exit(EXIT_FAILED) from silent
    finally:
        rows.close()
    figures = figures_of(events, start, end)
    if as_json:
        typer.echo(history_document(events, figures))
    else:
        _print(history_lines(events, figures))


@contextmanager
def _desk(config: Path) -> Iterator[AlarmDesk]:
    """Of the file only topic_root is needed. Ends the command where nobody answers."""
    topics = load_or_exit(lambda: load_watched(config)).topics
    settings = load_or_exit(lambda: load_settings(BusSettings, f"{PREFIX}MQTT_"))
    configure_logs("dotbus", "alarms", "console", "error")
    try:
        with alarm_desk(settings, topics, utc_now) as desk:
            yield desk
    except (NotReached, NotAnswered, BusError) as failure:
        typer.echo(str(failure), err=True)
        raise typer.Exit(EXIT_FAILED) from failure


def _order(config: Path, names: Sequence[str], order: Order) -> None:
    """Do it with each, and end with 2 where any was refused."""
    with _desk(config) as desk:
        known = desk.known()
        chosen = [_only(name, known.named(name)) for name in names]
        if not all(chosen):
            raise typer.Exit(EXIT_REFUSED)
        taken = [_done(desk, alarm, order) for alarm in chosen if alarm]
    raise typer.Exit(0 if all(taken) else EXIT_REFUSED)


def _done(desk: AlarmDesk, alarm: AlarmStatus, order: Order) -> bool:
    reply = desk.command(alarm, order)
    is_taken = reply.outcome == "taken"
    said = reply.detail if is_taken else f"refused: {reply.detail}"
    typer.echo(f"{name_of(alarm)}: {said} ({alarm.text})", err=not is_taken)
    return is_taken


def _only(name: str, found: Sequence[AlarmStatus]) -> AlarmStatus | None:
    if len(found) == 1:
        return found[0]
    if found:
        typer.echo(f"{name}: is the end of {', '.join(map(name_of, found))}; say more of it", err=True)
    else:
        typer.echo(f"{name}: there is no such alarm; `dotbus alarms --all` shows which there are", err=True)
    return None


def _print(lines: Iterable[Text]) -> None:
    console = Console()
    for line in lines:
        console.print(line, soft_wrap=True)

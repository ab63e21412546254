"""The commands of `dotbus`. Wiring only: each command's work is in the module of its name."""

import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import Annotated
from uuid import uuid4

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.process import EXIT_FAILED, EXIT_REFUSED, Version, command_line, load_or_exit
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings, load_settings
from launcher.alarms.commands import alarms_app
from launcher.demo.children import ChildFailed, Stopped
from launcher.demo.ports import NoFreePort
from launcher.look.compare import Comparison, compare_until
from launcher.look.registers import Registers
from launcher.look.registers_table import registers_table
from launcher.look.rows import Rows
from launcher.look.sent import Simulator
from launcher.look.status import Watch, load_watched, print_report
from launcher.places import DEFAULT_CONFIG, PREFIX, ConfigFile, Places, PlacesSettings
from launcher.setup.certificates import certificates_app
from launcher.setup.online.answers import Whom
from launcher.setup.online.report import ASKED_WITHIN_S, Asked, lines_of, load_report, status_of
from launcher.setup.reload import TAKEN, NotAnswered, ask_for_reload
from launcher.setup.users import users_app
from modbus_gateway.map.documents.live import live_json
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.map_commands import load_map, read_or_exit

CHECK_WITHIN_S = 60.0

app = command_line(
    "dotbus: CAISO dispatch and prices on MQTT, in Modbus registers with honest quality, and in PostgreSQL.",
    no_args_is_help=True,
)
app.add_typer(alarms_app, name="alarms")
app.add_typer(certificates_app, name="certificates")
app.add_typer(users_app, name="users")


@app.callback()
def dotbus(*, version: Version = False) -> None:  # told by its own callback
    """Hears what every command hears."""


@app.command()
def demo(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Compare what was sent with registers and database, then end.")
    ] = False,
) -> None:
    """Run everything here against a simulated CAISO. Broker, database, simulator and five services."""
    try:
        from launcher.demo.demo import running_demo  # noqa: PLC0415  # only the demo extra has it
        from launcher.demo.folders import demonstration_folder  # noqa: PLC0415  # of POSIX only, as all of the demonstration
        from launcher.demo.screen import await_first_dot, introduce, suggest, tell_dots  # noqa: PLC0415
    except ImportError as error:
        typer.echo(f"the demonstration needs its own packages: pip install 'dotbus[demo]' ({error})", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    installation, register_map = _load(config)
    if installation.environment is not Environment.SIMULATOR:
        typer.echo(f"{config}: environment: is {installation.environment}; a demonstration is for simulator only", err=True)
        raise typer.Exit(EXIT_REFUSED)
    console, stop = Console(), _stop_on_signals()
    with demonstration_folder(Path(tempfile.gettempdir())) as folder:
        try:
            with running_demo(config.resolve(), installation, folder, utc_now(), stop) as running:
                introduce(running, installation, console)
                if not check:
                    await_first_dot(running, installation, stop)
                    suggest(running, installation, console)
                    tell_dots(running, register_map, console, stop)
                    console.print(f"Stopping every part; {running.folder} goes, too.", soft_wrap=True)
                    return
                places = Places("127.0.0.1", running.ports.modbus, running.database.reader_url, None, running.simulator_url)
                agrees = _compare(installation, register_map, places, console, stop, still=running.children.check)
        except (ChildFailed, NoFreePort) as failure:
            console.print(Text(str(failure), "bold red"), soft_wrap=True)
            raise typer.Exit(EXIT_FAILED) from failure
        except Stopped:
            agrees = not check
    raise typer.Exit(0 if agrees else EXIT_FAILED)


@app.command()
def compare(
    config: ConfigFile = DEFAULT_CONFIG,
    within_s: Annotated[float, typer.Option(help="How long to try until everything agrees.")] = CHECK_WITHIN_S,
) -> None:
    """Hold registers and database against what the simulator sent. Places come from DOTBUS_* variables."""
    installation, register_map = _load(config)
    places = load_or_exit(lambda: load_settings(PlacesSettings, PREFIX)).places
    agrees = _compare(installation, register_map, places, Console(), _stop_on_signals(), within_s)
    raise typer.Exit(0 if agrees else EXIT_FAILED)


@app.command()
def registers(
    config: ConfigFile = DEFAULT_CONFIG,
    host: Annotated[str, typer.Option(envvar="DOTBUS_MODBUS_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="DOTBUS_MODBUS_PORT")] = 5020,
    unit: Annotated[int | None, typer.Option(help="One unit id only.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Read every register of the map, and say what it means. What SCADA writes is told with what became of it."""
    _, drafted = load_or_exit(lambda: load_map(config))
    readings = read_or_exit(drafted, config, host, port, unit)
    if as_json:
        typer.echo(live_json(readings), nl=False)
    else:
        Console().print(registers_table(readings))


@app.command()
def status(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    once: Annotated[bool, typer.Option("--once", help="Print the table once and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print once, as JSON by schemas/status-report.schema.json.")] = False,
) -> None:
    """Each service's health as a table, live from the bus. The broker comes from DOTBUS_MQTT_* variables.

    Ends with 0 when all is well, 1 when anything is not: a service that is gone, silent or complains, an upstream that is not
    heard, a certificate that ends within 30 days, no service at all, no broker. Each is told in a line below the table.
    Of the file only topic_root is needed, and whom [alarms.service_down] expects: other mistakes in it do not keep anybody from
    seeing what services say of them.
    """
    watched = load_or_exit(lambda: load_watched(config))
    settings = load_or_exit(lambda: load_settings(BusSettings, f"{PREFIX}MQTT_"))
    configure_logs("dotbus", "status", "console", "critical")  # what it would say is in the report
    watch = Watch(Bus(settings, f"dotbus-status-{uuid4().hex[:8]}", clock=utc_now), settings, watched)
    stop = _stop_on_signals()
    report = watch.once(stop) if once or as_json else watch.live(Console(), stop)
    if as_json:
        typer.echo(msgspec.json.encode(report))
    elif once:
        print_report(report, Console())
    if not report.well:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def check(
    config: ConfigFile = DEFAULT_CONFIG,
    against: Annotated[
        Path | None,
        typer.Option(
            help="The file that is in use: tell what its registers say otherwise, and end with 3 if any.", readable=False
        ),
    ] = None,
    *,
    online: Annotated[
        bool,
        typer.Option("--online", help="Ask CAISO, broker, database and gateway whether they answer and take who we are."),
    ] = False,
    ask: Annotated[
        list[Whom] | None, typer.Option(help="Ask only these, of those that --online asks; may be given several times.")
    ] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(
            envvar="DOTBUS_CREDENTIALS_DIR",
            help="The folder of `certificates init`: ask broker and database as each user in it.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    within_s: Annotated[float, typer.Option(min=1.0, help="How long all that is asked may take.")] = ASKED_WITHIN_S,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON by schemas/check-report.schema.json.")] = False,
) -> None:
    """Tell every mistake in the configuration. The file, its register map, and every service whose variables are set.

    With --online it also asks whoever these services talk to, as the services would, all at once and changing nothing: ADS by
    each account, OASIS and its lists of nodes, each user of the broker and of the database, and the Modbus port.

    Ends with 0 when all is well, 2 with mistakes, 1 when somebody who was asked does not answer, does not take who we are, or
    knows no node of a name, and 3 when registers would say something else than those of --against.
    """
    wanted = (ask or list(Whom)) if online or ask else []
    if wanted:
        configure_logs("dotbus", "check", "console", "critical")  # what it would say is in the report
    report = load_report(config, against, Asked(wanted, credentials, within_s), utc_now)
    if as_json:
        typer.echo(msgspec.json.encode(report))
    else:
        for line, is_bad in lines_of(report):
            typer.echo(line, err=is_bad)
    raise typer.Exit(status_of(report))


@app.command()
def reload(
    config: ConfigFile = DEFAULT_CONFIG,
    instance: Annotated[
        str, typer.Option(envvar="MODBUS_GATEWAY_INSTANCE", help="The gateway's name; this machine's unless given.")
    ] = gethostname(),
) -> None:
    """Have a running Modbus gateway read its file again. The broker comes from DOTBUS_MQTT_* variables, and the broker's user.

    Ends with 0 when what is in the file is in force, 2 when it was refused and nothing has changed, 1 when nobody answered.
    """
    installation = load_or_exit(lambda: load_installation(config))  # its map is for the gateway to judge
    settings = load_or_exit(lambda: load_settings(BusSettings, f"{PREFIX}MQTT_"))
    configure_logs("dotbus", "reload", "console", "error")
    try:
        reply = ask_for_reload(settings, installation, instance, utc_now)
    except NotAnswered as silent:
        typer.echo(str(silent), err=True)
        raise typer.Exit(EXIT_FAILED) from silent
    for line in (*reply.changes, f"{reply.outcome}: {reply.detail}", *reply.mistakes):
        typer.echo(line, err=reply.outcome != TAKEN)
    if reply.outcome != TAKEN:
        raise typer.Exit(EXIT_REFUSED)


def _load(config: Path) -> tuple[Installation, RegisterMap]:
    installation, drafted = load_or_exit(lambda: load_map(config))
    return installation, drafted.register_map


def _compare(
    installation: Installation,
    register_map: RegisterMap,
    places: Places,
    console: Console,
    stop: threading.Event,
    within_s: float = CHECK_WITHIN_S,
    still: Callable[[], None] = lambda: None,
) -> bool:
    reader = Registers(places.modbus_host, places.modbus_port, register_map)
    rows = Rows(places.database_url, places.database_password)
    try:
        comparison = Comparison(installation, reader, rows, Simulator(places.simulator_url))
        return compare_until(comparison, console, utc_now, stop, within_s, still)
    finally:
        reader.close()
        rows.close()


def _stop_on_signals() -> threading.Event:
    """Set by Ctrl-C, SIGTERM and a closed terminal. Nothing is interrupted, so a second one leaves nothing half done."""
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):  # Windows has not all of them
            signal.signal(number, lambda _number, _frame: stop.set())
    return stop

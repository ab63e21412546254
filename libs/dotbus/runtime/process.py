"""What every service process does alike: read its configuration, say what is wrong with it, run until told to stop.

Exit status: 0 stopped in order, 1 failed, 2 configuration refused.
"""

import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version as version_of
from typing import Annotated, Protocol, TypeVar

import typer

from dotbus.runtime.logs import configure_logs, get_logger
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.runtime.settings.settings import ServiceSettings
from dotbus.runtime.starting import CannotStart

EXIT_FAILED = 1
EXIT_REFUSED = 2
WAKE_EVERY_S = 1.0
"""The longest that a main thread may wait at once: Python handles a signal when that thread wakes, and one that comes just
before it begins to wait does not wake it. A word to end would never be heard."""
_STOP = ("SIGINT", "SIGTERM")
_ACTS: dict[str, Callable[[], None]] = {}
_CAME: "queue.SimpleQueue[int]" = queue.SimpleQueue()
_WERE_SEEN: set[str] = set()
_NO_REASON_TO_END = ("SIGHUP", "SIGUSR1", "SIGUSR2")
"""By default they end a process: a closed terminal, a rotation of logs, a habit from other daemons. Windows has none."""


class Configuration(Protocol):
    """What a service was configured with; at least what every service has."""

    @property
    def service(self) -> ServiceSettings:
        """The settings that every service has."""
        ...


C = TypeVar("C", bound=Configuration)
T = TypeVar("T")


def _tell_version(wanted: bool) -> None:  # noqa: FBT001  # an option's callback
    if wanted:
        typer.echo(f"dotbus {version_of('dotbus')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which version of dotbus this is, and end.")
]


def service_app(service: str, summary: str, load: Callable[[], C], run: Callable[[C, threading.Event], None]) -> typer.Typer:
    """The command line of a service: run it (the default) or `check` its configuration.

    Args:
        service: its name on the bus.
        summary: the first line of `--help`.
        load: reads the whole configuration, or raises ConfigurationRefused with every mistake.
        run: serves until the event is set.
    """
    app = command_line(summary)

    @app.callback(invoke_without_command=True)
    def serve(context: typer.Context, *, version: Version = False) -> None:  # noqa: ARG001  # told by its own callback
        if context.invoked_subcommand is None:
            _keep_other_signals()  # a large configuration takes seconds to read
            configuration = load_or_exit(load)
            settings = configuration.service
            configure_logs(service, settings.instance, settings.log_format, settings.log_level)
            raise typer.Exit(run_until_stopped(lambda stop: run(configuration, stop)))

    @app.command()
    def check() -> None:
        """Read the whole configuration and tell every mistake. Each comes with its place."""
        load_or_exit(load)
        typer.echo("configuration: no mistakes")

    return app


def command_line(summary: str, *, no_args_is_help: bool = False) -> typer.Typer:
    """A command line that says what is wrong in a whole line.

    In a frame it would be cut where the terminal happens to end, and a path or a reason could not be searched for.
    """
    return typer.Typer(
        help=summary,
        no_args_is_help=no_args_is_help,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def load_or_exit(load: Callable[[], T]) -> T:
    """What `load` reads, or the end of the process with each mistake on a line of its own."""
    try:
        return load()
    except ConfigurationRefused as refused:
        for mistake in refused.mistakes:
            typer.echo(str(mistake), err=True)
        raise typer.Exit(EXIT_REFUSED) from refused


def run_until_stopped(run: Callable[[threading.Event], None]) -> int:
    """Run until SIGTERM or SIGINT, and return the exit status. Failures are logged here and nowhere else."""
    stop = threading.Event()
    log = get_logger("process")
    for number in _known(_STOP):
        signal.signal(number, lambda _number, _frame: stop.set())
    pass_over_other_signals()
    log.info("starting")
    try:
        run(stop)
    except CannotStart as failure:
        log.error("cannot start", cause=str(failure))  # noqa: TRY400  # the cause is around us, a traceback would hide it
        return EXIT_FAILED
    except Exception:
        log.exception("failed")
        return EXIT_FAILED
    log.info("stopped")
    return 0


def pass_over_other_signals() -> None:
    """Let no signal end this process that is no word to end, and say so when one comes."""
    _keep_other_signals()
    threading.Thread(target=_tell, name="signals", daemon=True).start()


def _keep_other_signals() -> None:
    # Not logged by the handler: it may have interrupted the logger itself, which would then wait for itself.
    for number in _known(_NO_REASON_TO_END):
        signal.signal(number, lambda number, _frame: _CAME.put(number))


@contextmanager
def acting_on(name: str, act: Callable[[], None]) -> Iterator[None]:
    """Meanwhile a signal that is otherwise passed over has something done, in a thread of its own. Windows has none.

    One that came before, while the process started, has it done at once.
    """
    _ACTS[name] = act
    try:
        if name in _WERE_SEEN:
            act()
        yield
    finally:
        del _ACTS[name]
        _WERE_SEEN.discard(name)


def _tell() -> None:
    while True:
        name = signal.Signals(_CAME.get()).name
        _WERE_SEEN.add(name)
        if act := _ACTS.get(name):
            act()
            continue
        hint = "SIGTERM ends the process in order; to read a changed configuration, restart it"
        get_logger("process").warning("signal passed over", signal=name, next=hint)


def _known(names: Sequence[str]) -> list[signal.Signals]:
    """Those of the signals that this system has."""
    return [signal.Signals[name] for name in names if name in signal.Signals.__members__]

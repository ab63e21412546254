"""What every service process does alike: read its configuration, say what is wrong with it, run until told to stop.

Exit status: 0 stopped in order, 1 failed, 2 configuration refused.
"""

import signal
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

import typer

from dotbus.runtime.logs import configure_logs, get_logger
from dotbus.runtime.mistakes import ConfigurationRefused
from dotbus.runtime.settings import ServiceSettings

EXIT_FAILED = 1
EXIT_REFUSED = 2


class Configuration(Protocol):
    """What a service was configured with; at least what every service has."""

    @property
    def service(self) -> ServiceSettings:
        """The settings that every service has."""
        ...


C = TypeVar("C", bound=Configuration)
T = TypeVar("T")


def service_app(service: str, summary: str, load: Callable[[], C], run: Callable[[C, threading.Event], None]) -> typer.Typer:
    """The command line of a service: run it (the default) or `check` its configuration.

    Args:
        service: its name on the bus.
        summary: the first line of `--help`.
        load: reads the whole configuration, or raises ConfigurationRefused with every mistake.
        run: serves until the event is set.
    """
    app = typer.Typer(help=summary, add_completion=False, pretty_exceptions_enable=False)

    @app.callback(invoke_without_command=True)
    def serve(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            configuration = load_or_exit(load)
            settings = configuration.service
            configure_logs(service, settings.instance, settings.log_format, settings.log_level)
            raise typer.Exit(run_until_stopped(lambda stop: run(configuration, stop)))

    @app.command()
    def check() -> None:
        """Read the whole configuration and tell every mistake, each with its place."""
        load_or_exit(load)
        typer.echo("configuration: no mistakes")

    return app


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
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    log.info("starting")
    try:
        run(stop)
    except Exception:
        log.exception("failed")
        return EXIT_FAILED
    log.info("stopped")
    return 0

"""The command `historian api`: run it, `check` its configuration, make and revoke `keys`."""

import threading

import typer

from dotbus.runtime.process import service_app
from historian.api.keys.commands import key_app
from historian.api.settings import ApiConfiguration, load_api_configuration
from historian.upkeep.asking import Load, Open

SERVICE = "historian_api"
SUMMARY = "Answer over HTTP what is kept."


def api_app(load: Load, open_database: Open) -> typer.Typer:
    """The command.

    Args:
        load: reads the historian's own configuration, which keys are made with.
        open_database: the database that it names.
    """
    app = service_app(SERVICE, SUMMARY, load_api_configuration, _run)
    app.add_typer(key_app(load, open_database), name="keys")
    return app


def _run(configuration: ApiConfiguration, stop: threading.Event) -> None:
    # Who writes has no use for a server and its packages, which are half a second and 50 MiB.
    if configuration.own.processes > 1:
        from historian.api.processes import run_processes  # noqa: PLC0415

        run_processes(SERVICE, configuration, stop)
    else:
        from historian.api.process import run_api  # noqa: PLC0415

        run_api(configuration, stop)

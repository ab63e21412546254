"""`historian export prices`: prices of the database into a CSV or a Parquet file.

Exit status: 0 all of it is in the file, 1 the database or the disk failed and there is no file, 2 the command line is wrong.
"""

from pathlib import Path
from typing import Annotated

import typer

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.toml_values import Market
from dotbus.runtime.process import command_line
from historian.api.request.times import Zone
from historian.upkeep.asking import Load

File = Annotated[Path, typer.Argument(help="Where to: FILE.csv or FILE.parquet.")]
From = Annotated[str, typer.Option("--from", help="From a trade date on, or a time as 2026-11-01T08:00Z.")]
To = Annotated[str | None, typer.Option("--to", help="Until then, exclusive; else all that is there.")]
Nodes = Annotated[list[str] | None, typer.Option("--node", help="Of this node alone; several times.")]
Markets = Annotated[
    list[Market] | None, typer.Option("--market", help="Of this market alone; several times.", case_sensitive=False)
]
Whose = Annotated[list[Environment] | None, typer.Option("--environment", help="Of this CAISO alone; several times.")]
Tz = Annotated[
    Zone, typer.Option("--tz", help="In which zone times are written, and those without one are meant.", case_sensitive=False)
]


def export_app(load: Load) -> typer.Typer:
    """The `export` commands.

    Args:
        load: reads the configuration.
    """
    app = command_line("Take what is stored elsewhere.", no_args_is_help=True)

    @app.callback()
    def exports() -> None:
        """Takes what is stored elsewhere."""

    @app.command()
    def prices(
        file: File,
        start: From,
        end: To = None,
        node: Nodes = None,
        market: Markets = None,
        environment: Whose = None,
        tz: Tz = Zone.UTC,
    ) -> None:
        """Write the newest price of each node and interval into a file. It is there whole in the end, or not at all."""
        # Who writes to the database has no use for Arrow, which is 100 MiB.
        from historian.exporting.running import run_export  # noqa: PLC0415

        run_export(load, file, (start, end), node or (), market or (), environment or (), tz)

    return app

"""Map commands: the register map as a document, and registers from a table, without a running gateway."""

from pathlib import Path
from typing import Annotated

import typer

from dotbus.runtime.installation.file import read_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Addresses, Table
from dotbus.runtime.process import EXIT_FAILED, EXIT_REFUSED, load_or_exit
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from modbus_gateway.map.documents.document import Format, write_document
from modbus_gateway.map.documents.imports import import_lines
from modbus_gateway.map.documents.live import Reading, live_json, live_table
from modbus_gateway.map.documents.live_cells import read_cells
from modbus_gateway.map.documents.live_written import read_written
from modbus_gateway.map.documents.rows import in_order, rows_of
from modbus_gateway.map.documents.tags import Reader, write_tags
from modbus_gateway.map.documents.written_rows import written_cells, written_rows
from modbus_gateway.map.draft import Draft, draft
from modbus_gateway.wire.client import Client, NoAnswer

Config = Annotated[Path, typer.Option(envvar="MODBUS_GATEWAY_CONFIG", help="What the installation is.", readable=False)]
Unit = Annotated[int | None, typer.Option(help="One unit id only.")]
DEFAULT = Path("dotbus.toml")


def add_map_commands(app: typer.Typer) -> None:
    """The commands `map`, `import-map` and `read`."""
    app.command(name="map")(show_map)
    app.command()(import_map)
    app.command()(read)


def show_map(
    config: Config = DEFAULT,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TABLE,
    reader: Annotated[Reader | None, typer.Option("--for", help="A tag import or command lines in place of it.")] = None,
    unit: Unit = None,
    table: Annotated[Table | None, typer.Option(help="One table only.")] = None,
    device: Annotated[str, typer.Option(help="What the gateway is called in Ignition.")] = "dotbus",
    host: Annotated[str, typer.Option(help="Where mbpoll finds it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its Modbus port.")] = 5020,
) -> None:
    """Print what stands at which register. No gateway has to run, and nothing of the environment is needed but the file."""
    installation, drafted = load_or_exit(lambda: load_map(config))
    register_map = drafted.register_map
    units = sorted(register_map.units)
    if unit is not None and unit not in units:
        _refuse(f"unit {unit} is none of {config}: {', '.join(map(str, units))}")
    if reader is Reader.KEPWARE and unit is None and len(units) > 1:
        _refuse(f"Kepware has a device for each unit: name one by --unit, of {', '.join(map(str, units))}")
    all_rows = in_order([*rows_of(register_map, installation), *written_rows(drafted.writables)])
    rows = [row for row in all_rows if unit in (None, row.unit_id) and table in (None, row.table)]
    told = write_document(rows, form) if reader is None else write_tags(rows, reader, device, host, port)
    typer.echo(told, nl=False)


def import_map(
    file: Annotated[Path, typer.Argument(help="A CSV table, as `map --format csv` writes it.")],
    addresses: Annotated[
        Addresses, typer.Option(help="What [modbus] addresses says in the file they go to.")
    ] = Addresses.FROM_0,
) -> None:
    """Print the registers of a CSV table as tables of dotbus.toml. Nothing is printed when anything is wrong."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"{file}: cannot be read: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    toml, mistakes = import_lines(text, str(file), addresses)
    load_or_exit(lambda: _without(mistakes))
    typer.echo(toml, nl=False)


def read(
    config: Config = DEFAULT,
    host: Annotated[str, typer.Option(help="Where the gateway serves.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its Modbus port.")] = 5020,
    unit: Unit = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Read every value of a running gateway, and tell how good and how old each is. What SCADA writes is among them."""
    _, drafted = load_or_exit(lambda: load_map(config))
    readings = read_or_exit(drafted, config, host, port, unit)
    typer.echo(live_json(readings) if as_json else live_table(readings), nl=False)


def read_or_exit(drafted: Draft, config: Path, host: str, port: int, unit: int | None) -> list[Reading]:
    """Every value of a running gateway, of one unit or of all; else the command ends, and says why."""
    if unit is not None and unit not in drafted.register_map.units:
        _refuse(f"unit {unit} is none of {config}: {', '.join(map(str, sorted(drafted.register_map.units)))}")
    try:
        with Client(host, port) as client:
            shown = read_cells(list(client.read(drafted.register_map, unit)))
            written = read_written(list(client.read_written(written_cells(drafted.writables), unit)))
            return [*shown, *written]
    except NoAnswer as silent:
        typer.echo(str(silent), err=True)
        raise typer.Exit(EXIT_FAILED) from silent


def load_map(config: Path) -> tuple[Installation, Draft]:
    """A file, its register map and what SCADA may write of it.

    Raises:
        ConfigurationRefused: with every mistake of both.
    """
    file = read_installation(config)
    drafted = draft(file)
    _without([*file.mistakes, *drafted.mistakes])
    return file.installation, drafted


def _without(mistakes: list[Mistake]) -> None:
    if mistakes:
        raise ConfigurationRefused(mistakes)


def _refuse(why: str) -> None:
    typer.echo(why, err=True)
    raise typer.Exit(EXIT_REFUSED)

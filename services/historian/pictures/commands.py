"""The commands `chart lmp` and `chart plant`: a picture of what the API answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias, cast
from zoneinfo import ZoneInfo

import typer

from dotbus.runtime.process import EXIT_FAILED
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.starting import packages_of
from historian.pictures.lines import Row, doubts, last_of, missing, steps, through

SUMMARY = (
    "Pictures for a report, SVG or PNG, of what the API answers. DOTBUS_API_URL, DOTBUS_API_KEY_FILE and DOTBUS_API_CA_FILE say"
    " where it is; port 8090 of this machine if they do not."
)
PACIFIC: Final = ZoneInfo("America/Los_Angeles")
COMPONENTS: Final = {"lmp": "LMP", "energy": "Energy", "congestion": "Congestion", "loss": "Loss", "ghg": "Greenhouse gas"}
MOMENTS: Final = 1500
"""Of a set-point: more than a picture is wide."""
Api: TypeAlias = Any
"""dotbus.client.Client, which comes with an extra of its own."""
Drawing: TypeAlias = Any
"""historian.pictures.drawing, likewise."""

_Out = Annotated[Path, typer.Option("--out", help="The file, SVG or PNG by its name. An old one is replaced.", dir_okay=False)]
_Start = Annotated[str, typer.Option(help="Start: a trade date, today, yesterday, or ISO 8601 with its zone.")]
_End = Annotated[str | None, typer.Option(help="End, which does not belong to it; the end of the trade date if not said.")]
_Zone = Annotated[str, typer.Option("--tz", help="Pacific or UTC.")]


@dataclass(frozen=True)
class _Asked:
    """What every picture is asked with."""

    out: Path
    start: str
    end: str | None
    zone: str

    @property
    def said(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "tz": self.zone}

    @property
    def info(self) -> ZoneInfo:
        return PACIFIC if self.zone == "Pacific" else ZoneInfo("UTC")

    @property
    def note(self) -> str:
        return f"Times are {'Pacific (America/Los_Angeles)' if self.zone == 'Pacific' else 'UTC'}."


def chart_app() -> typer.Typer:
    """The command `chart`."""
    app = typer.Typer(help=SUMMARY, no_args_is_help=True)

    @app.command()
    def lmp(
        node: Annotated[list[str], typer.Argument(help="One node, which is shown by its components, or up to five.")],
        out: _Out,
        start: _Start = "today",
        end: _End = None,
        tz: _Zone = "Pacific",
        market: Annotated[str, typer.Option(help="DAM, RUC, HASP, RTPD or RTM.")] = "RTM",
        resolution: Annotated[str, typer.Option(help="raw, hour or day.")] = "raw",
    ) -> None:
        """Prices of nodes."""
        asked = _Asked(out, start, end, tz)
        _told(asked, lambda api, drawing: _prices(api, drawing, asked, node[:5], market, resolution))

    @app.command()
    def plant(
        plant: Annotated[str, typer.Argument(help="The plant.")],
        out: _Out,
        resource: Annotated[str | None, typer.Option(help="One of its resources; the first if not said.")] = None,
        start: _Start = "today",
        end: _End = None,
        tz: _Zone = "Pacific",
        known: Annotated[str, typer.Option(help="then: as a gateway knew it at each moment; now: as of today.")] = "then",
    ) -> None:
        """What a resource of a plant was asked: DOT, set-point, trajectory, price, and when it was in doubt."""
        asked = _Asked(out, start, end, tz)
        _told(asked, lambda api, drawing: _plant(api, drawing, asked, plant, resource, known))

    return app


def _told(asked: _Asked, draw: Callable[[Api, Drawing], None]) -> None:
    with packages_of("chart"):
        client, drawing = import_module("dotbus.client"), import_module("historian.pictures.drawing")
    try:
        drawing.check_name(asked.out)
        draw(client.Client(into="rows"), drawing)
    except (client.NoAnswer, ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from error
    typer.echo(f"written: {asked.out}")


def _prices(api: Api, drawing: Drawing, asked: _Asked, nodes: Sequence[str], market: str, resolution: str) -> None:
    rows = cast("list[Row]", api.prices(nodes, market=market, resolution=resolution, **asked.said))
    of_node = {node: [row for row in rows if row["node"] == node] for node in nodes}
    parts = {f"{name}_usd_per_mwh": label for name, label in COMPONENTS.items()}
    if len(nodes) == 1:
        lines = [steps(label, rows, name) for name, label in parts.items() if any(row[name] is not None for row in rows)]
    else:
        lines = [steps(node, of_node[node], "lmp_usd_per_mwh") for node in nodes]
    notes = [asked.note, *(_price_note(node, of_node[node], asked) for node in nodes)]
    drawing.save(asked.out, f"{', '.join(nodes)}: {market} prices", [drawing.Panel("USD/MWh", lines)], notes, asked.info)


def _price_note(node: str, rows: list[Row], asked: _Asked) -> str:
    if not rows:
        return f"{node}: no price in this range."
    start, end = rows[0]["interval_start"], rows[-1]["interval_end"]
    gone = missing(rows, "lmp_usd_per_mwh", start, end)
    fetched, stretch = last_of(rows, "fetched_at"), _stretch(start, end, gone, asked)
    return f"{node}: prices {stretch}; OASIS gave the last at {_at(fetched, asked)}."


def _plant(api: Api, drawing: Drawing, asked: _Asked, plant: str, resource: str | None, known: str) -> None:
    one = _resource(api.resources(plant), plant, resource)
    name = one["resource_id"]
    dots = api.dot(name, plant=plant, schedule=one["schedule"] or "five-minute", **asked.said)
    step_s = _step_s(dots)
    moments, curve = (
        _until_now(ask(name, known=known, step_s=step_s, **asked.said), known) for ask in (api.set_point, api.trajectory)
    )
    power = [
        through("Set-point", moments, "set_point_mw"),
        steps("DOT", dots, "dot_mw"),
        through("Trajectory", curve, "trajectory_mw"),
    ]
    panels = [drawing.Panel("MW", power, list(doubts(moments, timedelta(seconds=step_s))))]
    if one["node"] is not None:
        prices = api.prices(one["node"], **asked.said)
        panels.append(drawing.Panel("USD/MWh", [steps(f"Price of\n{one['node']}", prices, "lmp_usd_per_mwh")]))
    as_known = "was known at each moment" if known == "then" else "is known now"
    notes = [f"{asked.note} The set-point every {step_s} s, as it {as_known}.", _dot_note(dots, asked)]
    drawing.save(asked.out, f"{plant}: {name}", panels, notes, asked.info)


def _resource(of_plant: Sequence[Row], plant: str, name: str | None) -> Row:
    one = next((row for row in of_plant if name in {None, row["resource_id"]}), None)
    if one is None:
        names = ", ".join(row["resource_id"] for row in of_plant) or "none"
        raise ValueError(f"{plant} has no resource {name or ''}; it has: {names}")
    return one


def _until_now(rows: list[Row], known: str) -> list[Row]:
    """What a gateway will know nobody knows: then ends now."""
    return [row for row in rows if row["time"] <= utc_now()] if known == "then" else rows


def _step_s(dots: list[Row]) -> int:
    """From moment to moment: a minute, or more where a picture could not show it."""
    if not dots:
        return 60
    length: timedelta = dots[-1]["interval_end"] - dots[0]["interval_start"]
    return max(60, 60 * round(length / timedelta(minutes=1) / MOMENTS))


def _dot_note(dots: list[Row], asked: _Asked) -> str:
    if not dots:
        return "CAISO told no DOT for this range."
    start, end = dots[0]["interval_start"], dots[-1]["interval_end"]
    gone, received = missing(dots, "dot_mw", start, end), last_of(dots, "batch_received_at")
    return f"DOTs {_stretch(start, end, gone, asked)}; CAISO's last batch is of {_at(received, asked)}."


def _stretch(start: datetime, end: datetime, gone: timedelta, asked: _Asked) -> str:
    of_it = f", of which {gone} is missing" if gone else ""
    return f"from {_at(start, asked)} to {_at(end, asked)}{of_it}"


def _at(at: datetime | None, asked: _Asked) -> str:
    return "no time" if at is None else at.astimezone(asked.info).strftime("%Y-%m-%d %H:%M")

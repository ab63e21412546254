"""The commands `chart lmp`, `duration`, `days`, `month` and `plant`: a picture of what the API answers."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dotbus.runtime.process import EXIT_FAILED
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.starting import packages_of
from historian.pictures import plant as of_plant
from historian.pictures import prices
from historian.pictures.asked import Api, Asked
from historian.pictures.picture import Picture

SUMMARY = (
    "Pictures for a report, SVG or PNG, of what the API answers. DOTBUS_API_URL, DOTBUS_API_KEY_FILE and DOTBUS_API_CA_FILE say"
    " where it is; port 8090 of this machine if they do not."
)

_Out = Annotated[Path, typer.Option("--out", help="The file, SVG or PNG by its name. An old one is replaced.", dir_okay=False)]
_Start = Annotated[str, typer.Option(help="Start: a trade date, today, yesterday, or ISO 8601 with its zone.")]
_End = Annotated[str | None, typer.Option(help="End, which does not belong to it; the end of the trade date if not said.")]
_Zone = Annotated[str, typer.Option("--tz", help="Pacific or UTC.")]
_Market = Annotated[str, typer.Option(help="DAM, RUC, HASP, RTPD or RTM.")]
_Resolution = Annotated[str, typer.Option(help="raw, hour or day.")]
_Component = Annotated[str, typer.Option(help=f"{', '.join(prices.COMPONENTS)}.")]
_Node = Annotated[str, typer.Argument(help="The node.")]


def chart_app() -> typer.Typer:
    """The command `chart`."""
    app = typer.Typer(help=SUMMARY, no_args_is_help=True)
    _add_ranges(app)
    _add_days(app)

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
        asked = Asked(out, start, end, tz)
        _drawn(asked, lambda api: of_plant.of_resource(api, asked, plant, resource, known, utc_now()))

    return app


def _add_ranges(app: typer.Typer) -> None:
    @app.command()
    def lmp(
        node: Annotated[list[str], typer.Argument(help="One node, which is shown by its components, or up to five.")],
        out: _Out,
        start: _Start = "today",
        end: _End = None,
        tz: _Zone = "Pacific",
        market: _Market = "RTM",
        resolution: _Resolution = "raw",
    ) -> None:
        """Prices of nodes."""
        asked = Asked(out, start, end, tz)
        _drawn(asked, lambda api: prices.over_time(api, asked, node[: prices.MOST_LINES], market, resolution))

    @app.command()
    def duration(
        node: Annotated[list[str], typer.Argument(help="Up to five nodes.")],
        out: _Out,
        start: _Start = "today",
        end: _End = None,
        tz: _Zone = "Pacific",
        market: _Market = "RTM",
        resolution: _Resolution = "raw",
        component: _Component = "lmp",
    ) -> None:
        """For which share of the time prices of nodes were how high: the duration curve."""
        asked = Asked(out, start, end, tz)
        nodes = node[: prices.MOST_LINES]
        _drawn(asked, lambda api: prices.by_duration(api, asked, nodes, market, resolution, component))


def _add_days(app: typer.Typer) -> None:
    @app.command()
    def days(
        node: _Node,
        day: Annotated[list[str], typer.Argument(help="Up to five trade dates; today and yesterday are some.")],
        out: _Out,
        market: _Market = "RTM",
        component: _Component = "lmp",
    ) -> None:
        """Prices of a node on one trade date against others, by the hours since midnight in California."""

        def picture(api: Api) -> Picture:
            dates = [prices.trade_date_named(text, utc_now()) for text in dict.fromkeys(day)][: prices.MOST_LINES]
            return prices.day_against_day(api, Asked(out), node, dates, market, component)

        _drawn(Asked(out), picture)

    @app.command()
    def month(
        node: _Node,
        out: _Out,
        month: Annotated[str | None, typer.Option(help="As 2026-11; this one if not said.")] = None,
        market: _Market = "RTM",
        component: _Component = "lmp",
    ) -> None:
        """Prices of a node in a month by hour, as a heat map."""

        def picture(api: Api) -> Picture:
            first = prices.month_named(month, utc_now())
            return prices.month_by_hour(api, Asked(out), node, first, market, component)

        _drawn(Asked(out), picture)


def _drawn(asked: Asked, picture: Callable[[Api], Picture]) -> None:
    with packages_of("chart"):
        client, drawing = import_module("dotbus.client"), import_module("historian.pictures.drawing")
    try:
        drawing.check_name(asked.out)
        drawing.save(asked.out, picture(client.Client(into="rows")))
    except (client.NoAnswer, ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from error
    typer.echo(f"written: {asked.out}")

"""Pictures of nodes' prices: over time, by how long they were how high, a day against another, a month by hour."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias, cast

from historian.api.request.times import Range, trade_date_of, trade_day
from historian.pictures.asked import Api, Asked, price_note
from historian.pictures.lines import Row, duration, hours_since, steps
from historian.pictures.month import month_of
from historian.pictures.picture import Across, Panel, Picture

UNIT: Final = "USD/MWh"
COMPONENTS: Final = {"lmp": "LMP", "energy": "Energy", "congestion": "Congestion", "loss": "Loss", "ghg": "Greenhouse gas"}
MOST_LINES: Final = 5
_HOUR: Final = timedelta(hours=1)
_MONTH_NOTE: Final = (
    "Rows are trade dates, columns the hour that begins (Pacific)."
    " \u00d7: the hour does not exist that day; +: it is there once more."
)
_OfNode: TypeAlias = Mapping[str, list[Row]]


def over_time(api: Api, asked: Asked, nodes: Sequence[str], market: str, resolution: str) -> Picture:
    """Prices of nodes: one by its components, or several."""
    of_node = _prices(api, nodes, market=market, resolution=resolution, **asked.said)
    if len(nodes) == 1:
        (rows,) = of_node.values()
        named = ((column_of(name), label) for name, label in COMPONENTS.items())
        lines = [steps(label, rows, name) for name, label in named if any(row[name] is not None for row in rows)]
    else:
        lines = [steps(node, rows, column_of("lmp")) for node, rows in of_node.items()]
    notes = [asked.note, *(price_note(node, rows, asked) for node, rows in of_node.items())]
    return Picture(f"{', '.join(nodes)}: {market} prices", [Panel(UNIT, lines)], notes, asked.info)


def by_duration(api: Api, asked: Asked, nodes: Sequence[str], market: str, resolution: str, component: str) -> Picture:
    """For which share of the time the prices of nodes were how high."""
    column = column_of(component)
    of_node = _prices(api, nodes, market=market, resolution=resolution, **asked.said)
    lines = [duration(node, rows, column) for node, rows in of_node.items()]
    notes = [
        f"For which share of the time that has prices the price was at least so high. {asked.note}",
        *(price_note(node, rows, asked, column) for node, rows in of_node.items()),
    ]
    panel = Panel(f"{COMPONENTS[component]}, {UNIT}", lines, across=Across("Share of time, %", 100.0, 10.0))
    return Picture(f"{', '.join(nodes)}: {market} prices by duration", [panel], notes, asked.info)


def day_against_day(api: Api, asked: Asked, node: str, days: Sequence[date], market: str, component: str) -> Picture:
    """Prices of a node on some trade dates, by the hours since midnight."""
    column = column_of(component)
    of_day = {day: _of_range(api, node, trade_day(day), market, "raw") for day in days}
    lines = [hours_since(trade_day(day).start, steps(str(day), rows, column)) for day, rows in of_day.items()]
    hours = max((times.end - times.start) / _HOUR for times in map(trade_day, days))
    notes = [
        "A trade date has 23 or 25 hours where clocks change.",
        *(price_note(f"{node}, {day}", rows, asked, column, trade_day(day)) for day, rows in of_day.items()),
    ]
    across = Across("Hours since midnight in California", hours, 3.0)
    panel = Panel(f"{COMPONENTS[component]}, {UNIT}", lines, across=across)
    against = f" against {', '.join(map(str, days[1:]))}" if days[1:] else ""
    return Picture(f"{node}: {market} prices, {days[0]}{against}", [panel], notes, asked.info)


def month_by_hour(api: Api, asked: Asked, node: str, first: date, market: str, component: str) -> Picture:
    """Prices of a node in the month that begins with a date, an hour's mean in each cell."""
    column = column_of(component)
    times = Range(trade_day(first).start, trade_day((first + timedelta(days=31)).replace(day=1)).start)
    rows = _of_range(api, node, times, market, "hour")
    shown = month_of(rows, column, first, f"{COMPONENTS[component]}, {UNIT}")
    notes = [_MONTH_NOTE, price_note(node, rows, asked, column, times)]
    return Picture(f"{node}: {market} prices by hour, {first:%B %Y}", shown, notes, asked.info)


def column_of(component: str) -> str:
    """The column of a component.

    Raises:
        ValueError: there is none.
    """
    if component not in COMPONENTS:
        raise ValueError(f"there is no component {component}; there are {', '.join(COMPONENTS)}")
    return f"{component}_usd_per_mwh"


def trade_date_named(text: str, now: datetime) -> date:
    """The trade date that a text names.

    Raises:
        ValueError: it names none.
    """
    before = {"today": 0, "yesterday": 1}.get(text)
    if before is not None:
        return trade_date_of(now) - timedelta(days=before)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text} is no trade date: 2026-11-01, today or yesterday") from error


def month_named(text: str | None, now: datetime) -> date:
    """The first day of the month that a text names; of this month if it names none.

    Raises:
        ValueError: it names no month.
    """
    if text is None:
        return trade_date_of(now).replace(day=1)
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise ValueError(f"{text} is no month: 2026-11") from error


def _prices(api: Api, nodes: Sequence[str], **said: object) -> _OfNode:
    rows = cast("list[Row]", api.prices(nodes, **said))
    return {node: [row for row in rows if row["node"] == node] for node in nodes}


def _of_range(api: Api, node: str, times: Range, market: str, resolution: str) -> list[Row]:
    return _prices(api, [node], market=market, resolution=resolution, start=times.start, end=times.end)[node]

"""Dashboard: what Grafana shows of an installation, written as its JSON by `make docs` from the panels below.

A gap stays a gap: nothing is joined over what is absent, and beside each value stands its quality.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dotbus.contracts.quality import Level

WIDE: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "dotbus"}
_PLANT: Final = 'plant=~"$plant"'
_ONE: Final = 'plant=~"$plant",resource=~"$resource"'
_PRICE: Final = 'market=~"$market",node=~"$node"'
_COLOURS: Final = {Level.GOOD: "transparent", Level.UNCERTAIN: "yellow", Level.BAD: "red"}
"""Colour for what is not normal; the word always stands there, too."""


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        kind: Grafana's name of it.
        asks: PromQL, each with the text that names it: a legend, or the column of a table.
        unit: Grafana's name of the unit.
        maps: what numbers are called and how they are coloured.
        hides: columns of a table that say nothing.
        from_one: the colour of a number that is 1 or more.
    """

    kind: str
    title: str
    asks: Sequence[tuple[str, str]]
    width: int = 12
    height: int = 8
    unit: str = "none"
    maps: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    hides: Sequence[str] = ()
    from_one: str = "text"


@dataclass(frozen=True)
class Row:
    """Panels below one title."""

    title: str
    panels: Sequence[Panel]


_QUALITY: Final = {str(level.value): (level.name.lower(), _COLOURS[level]) for level in Level}
_YES: Final = {"1": ("yes", "transparent"), "0": ("no", "red")}


def _at_level(level: Level) -> str:
    return f'count(dotbus_resource_quality{{of="dot",{_PLANT}}} == {level.value}) or vector(0)'


def _column(of: str) -> str:
    return f'max by (plant, resource) (dotbus_resource_mw{{of="{of}",{_PLANT}}})'


def _ages(what: str, expr: str, name: str) -> Panel:
    return Panel("timeseries", f"{what} so long ago", [(expr, name)], unit="s")


def _of_dot(name: str) -> str:
    return f'max by (plant, resource) (dotbus_resource_{name}{{of="dot",{_PLANT}}})'


ROWS: Final = (
    Row(
        "Plants",
        (
            Panel("stat", "DOT good", [(_at_level(Level.GOOD), "resources")], 4, 4),
            Panel("stat", "DOT in doubt", [(_at_level(Level.UNCERTAIN), "resources")], 4, 4, from_one="yellow"),
            Panel("stat", "DOT bad, or none", [(_at_level(Level.BAD), "resources")], 4, 4, from_one="red"),
            Panel(
                "stat",
                "Alarms to acknowledge",
                [('sum(alarms_alarms{state=~"unacknowledged|returned-unacknowledged"}) or vector(0)', "alarms")],
                *(4, 4),
                from_one="red",
            ),
            Panel("stat", "The console hears the broker", [("dotbus_console_hears_broker", "")], 4, 4, maps=_YES),
            Panel("stat", "Services that do not answer", [("count(up == 0) or vector(0)", "services")], 4, 4, from_one="red"),
            Panel(
                "table",
                "Resources, MW",
                [
                    (_of_dot("quality"), "quality of the DOT"),
                    (_column("dot"), "DOT"),
                    (_column("set_point"), "set-point"),
                    (_column("actual"), "actual"),
                    (_column("next_dot"), "next DOT"),
                    (_of_dot("age_seconds"), "heard s ago"),
                    (f"max by (plant, resource) (dotbus_resource_dot_changes_in_seconds{{{_PLANT}}})", "changes in s"),
                ],
                *(WIDE, 10),
                maps=_QUALITY,
            ),
        ),
    ),
    Row(
        "One resource",
        (
            Panel("timeseries", "Megawatts", [(f"dotbus_resource_mw{{{_ONE}}}", "{{resource}} {{of}}")], unit="megwatt"),
            Panel("state-timeline", "Quality", [(f"dotbus_resource_quality{{{_ONE}}}", "{{resource}} {{of}}")], maps=_QUALITY),
            Panel(
                "timeseries", "Heard so long ago", [(f"dotbus_resource_age_seconds{{{_ONE}}}", "{{resource}} {{of}}")], unit="s"
            ),
            Panel("table", "Why it is less than good", [(f"dotbus_resource_reason{{{_ONE}}}", "holds")]),
        ),
    ),
    Row(
        "Prices",
        (
            Panel("timeseries", "USD/MWh", [(f"dotbus_price_usd_per_mwh{{{_PRICE}}}", "{{market}} {{node}}")]),
            Panel("state-timeline", "Quality", [(f"dotbus_price_quality{{{_PRICE}}}", "{{market}} {{node}}")], maps=_QUALITY),
            Panel(
                "timeseries", "Heard so long ago", [(f"dotbus_price_age_seconds{{{_PRICE}}}", "{{market}} {{node}}")], unit="s"
            ),
            Panel("table", "Why it is less than good", [(f"dotbus_price_reason{{{_PRICE}}}", "holds")]),
        ),
    ),
    Row(
        "Services",
        (
            Panel("table", "What each says of itself", [("dotbus_service_state", "holds")]),
            Panel("state-timeline", "Answers Prometheus", [("up", "{{job}}")], maps=_YES),
            Panel(
                "timeseries",
                "Events that wait",
                [
                    ("ads_ingest_events_unpublished", "{{job}}, for the broker"),
                    ("lmp_ingest_events_unpublished", "{{job}}, for the broker"),
                    ("historian_events_missing", "missing in the database"),
                ],
            ),
            Panel("timeseries", "Behind the bus: the database", [("historian_lag_seconds", "{{job}}")], unit="s"),
        ),
    ),
    Row(
        "Upstreams",
        (
            Panel("state-timeline", "Answer", [("dotbus_upstream_ok", "{{source}} {{upstream}}")], maps=_YES),
            _ages("Answered", "dotbus_upstream_age_seconds", "{{source}} {{upstream}}"),
            Panel(
                "timeseries",
                "CAISO's clock minus ours",
                [("ads_ingest_clock_offset_seconds", "{{upstream}}"), ("lmp_ingest_clock_offset_seconds", "{{upstream}}")],
                unit="s",
            ),
            Panel("stat", "Days left of the certificate towards ADS", [("ads_ingest_certificate_days_left", "days")]),
        ),
    ),
    Row(
        "Alarms",
        (
            Panel("timeseries", "Not normal", [("sum by (priority, state) (alarms_alarms)", "{{priority}} {{state}}")]),
            Panel(
                "timeseries", "What happened", [("sum by (what) (increase(alarms_events_total[10m]))", "{{what}} in 10 min")]
            ),
            Panel("table", "Alerts of Prometheus", [('ALERTS{alertstate="firing"}', "fires")], WIDE, hides=["alertstate"]),
        ),
    ),
)


def render_dashboard() -> str:
    """deploy/grafana/dashboards/dotbus.json."""
    dashboard = {
        "uid": "dotbus",
        "title": "dotbus",
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "tags": ["dotbus"],
        "templating": {"list": [_variable(*one) for one in _VARIABLES]},
        "panels": _panels(ROWS),
    }
    return json.dumps(dashboard, indent=2) + "\n"


_VARIABLES: Final = (
    ("plant", "dotbus_resource_quality", ""),
    ("resource", "dotbus_resource_quality", _PLANT),
    ("market", "dotbus_price_quality", ""),
    ("node", "dotbus_price_quality", 'market=~"$market"'),
)
"""What can be chosen: a label, the metric that knows its values, and what of it counts."""


def _variable(label: str, metric: str, matching: str) -> dict[str, Any]:
    query = f"label_values({metric}{{{matching}}}, {label})" if matching else f"label_values({metric}, {label})"
    return {
        "name": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": label},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def _panels(rows: Sequence[Row]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        found.append(_placed({"type": "row", "title": row.title, "collapsed": False, "panels": []}, len(found), 0, y, WIDE, 1))
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > WIDE:
                x, y, height = 0, y + height, 0
            found.append(_placed(_panel(panel), len(found), x, y, panel.width, panel.height))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return found


def _placed(panel: dict[str, Any], number: int, x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return panel | {"id": number + 1, "gridPos": {"x": x, "y": y, "w": width, "h": height}}


def _panel(panel: Panel) -> dict[str, Any]:
    is_table = panel.kind == "table"
    made = {
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "targets": [_target(chr(ord("A") + number), *ask, is_table=is_table) for number, ask in enumerate(panel.asks)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel) if is_table else []},
        "options": _OPTIONS.get(panel.kind, {}),
    }
    return made | {"transformations": _joined(panel)} if is_table else made


_OPTIONS: Final[Mapping[str, Any]] = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "state-timeline": {"showValue": "auto", "mergeValues": True},
    "stat": {"colorMode": "value", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}},
}


def _target(letter: str, expr: str, name: str, *, is_table: bool) -> dict[str, Any]:
    asked = {"refId": letter, "datasource": _SOURCE, "expr": expr, "legendFormat": name or "__auto"}
    return asked | ({"instant": True, "format": "table"} if is_table else {"range": True})


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "noValue": "not known", "custom": {}}
    if panel.kind == "timeseries":
        defaults["custom"] = {"spanNulls": False, "lineInterpolation": "stepAfter", "showPoints": "never"}
    elif panel.kind != "table":
        steps = [{"color": "text", "value": None}, {"color": panel.from_one, "value": 1}]
        defaults |= {"mappings": _mappings(panel), "color": {"mode": "thresholds"}}
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return defaults


def _mappings(panel: Panel) -> list[dict[str, Any]]:
    options = {
        value: {"text": text, "color": colour, "index": n} for n, (value, (text, colour)) in enumerate(panel.maps.items())
    }
    return [{"type": "value", "options": options}] if options else []


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    """The numbers of the first column mean something; the others are numbers."""
    mapped = {"id": "mappings", "value": _mappings(panel)}
    coloured = {"id": "custom.cellOptions", "value": {"type": "color-background"}}
    name = panel.asks[0][1]
    return [{"matcher": {"id": "byName", "options": name}, "properties": [mapped, coloured]}] if panel.maps else []


def _joined(panel: Panel) -> list[dict[str, Any]]:
    """One line for each set of labels, a column for each question."""
    many = len(panel.asks) > 1
    names = {f"Value #{chr(ord('A') + n)}" if many else "Value": name for n, (_, name) in enumerate(panel.asks)}
    hidden = dict.fromkeys(["Time", "__name__", "instance", "job", *panel.hides], True)
    order = {name: number for number, name in enumerate(["plant", "resource", *names])}
    organize = {"excludeByName": hidden, "renameByName": names, "indexByName": order}
    return [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]

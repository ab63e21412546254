"""Views: what readers ask, names in place of numbers. The migrations make them; a test holds their columns to these words.

Most columns show one of a table below and mean what it means there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from historian.tables.alarms import alarm_event
from historian.tables.columns import CODE, DATE, FLAG, NUMBER, PACIFIC_TIME, TEXT, TIME, Kind
from historian.tables.dispatch import dispatch_batch, instruction
from historian.tables.keeping import source_sequence
from historian.tables.keys import node, origin
from historian.tables.prices import price, price_report
from historian.tables.responses import instruction_response
from historian.tables.telemetry import point_write, telemetry, telemetry_point
from historian.tables.trajectory import compliance, dop, trajectory_batch
from historian.tables.upstream_gaps import upstream_gap


@dataclass(frozen=True)
class Shown:
    """A column of a view."""

    name: str
    kind: Kind
    comment: str


@dataclass(frozen=True)
class View:
    """What a view shows."""

    name: str
    comment: str
    columns: tuple[Shown, ...]


def _all_of(table: sa.Table, without: str = "") -> list[Shown]:
    """The columns of a table but some."""
    left_out = without.split()
    return [_shown(column) for column in table.columns if column.name not in left_out]


def _some_of(table: sa.Table, names: str) -> list[Shown]:
    return [_shown(table.columns[name]) for name in names.split()]


def _shown(column: "sa.Column[object]") -> Shown:
    return Shown(column.name, column.type, column.comment or "")


def _own(kind: Kind, comments: Mapping[str, str]) -> list[Shown]:
    return [Shown(name, kind, comment) for name, comment in comments.items()]


def _view(name: str, comment: str, *columns: Iterable[Shown]) -> View:
    return View(name, comment, tuple(column for part in columns for column in part))


_WHOSE = _some_of(dispatch_batch, "plant")
_FROM = _some_of(origin, "source stream")
_EVENT = "seq event_id time received_at recorded_at"
_SCHEDULE = _own(
    TEXT, {"schedule": "five-minute (batch_type 0) or hourly (1); an exceptional dispatch (4) is of both, a row for each."}
)
_HAD_AT = "When CAISO had the batch: batchReceived, else batchSent, else when the source made the event, UTC."

_DISPATCHES = (_all_of(dispatch_batch, "origin_no digest"), _FROM)
_INSTRUCTIONS = (
    _all_of(instruction),
    _some_of(dispatch_batch, f"environment batch_uid revision_key revision_no batch_type batch_status binding_flag {_EVENT}"),
    _own(
        TIME, {"batch_start_at": "Start of the interval that the batch is for (startTime), UTC.", "batch_received_at": _HAD_AT}
    ),
    _WHOSE,
    _FROM,
)
_DOTS = (
    _some_of(dispatch_batch, "environment batch_uid revision_no batch_type"),
    _some_of(instruction, "resource_id interval_start interval_end target_at instruction_uid"),
    _own(TIME, {"batch_received_at": "When CAISO had the batch, as the registers order DOTs by it, UTC."}),
    _WHOSE,
    _SCHEDULE,
)
_STANDING = (
    "In force or in doubt by type, status and answers; in doubt also where another of the same rank asks something else."
)
_RESPONSES = (_all_of(instruction_response, "origin_no digest"), _FROM)
_POINT = _some_of(telemetry_point, "environment plant resource_id point source")
_WRITES = (_all_of(point_write, "origin_no digest"), _FROM)
_TELEMETRY = (_POINT, _all_of(telemetry, "point_no"))
_ACTUAL = (
    _some_of(telemetry_point, "environment plant resource_id source"),
    _SCHEDULE,
    _some_of(telemetry, "time measured_at quality reasons"),
    _some_of(instruction, "interval_start interval_end target_at instruction_uid"),
    _some_of(dispatch_batch, "batch_uid"),
    _own(TIME, {"held_until": "Until when it was the last word that its source vouched for, UTC."}),
    _own(TEXT, {"standing": "In force or in doubt, as of dot_latest; null where no DOT was in force."}),
    _own(
        NUMBER,
        {
            "actual_mw": "What the resource delivered, as the plant said it; below 0 what it took. MW",
            "dot_mw": "The DOT in force then, of those that CAISO had sent by then; null where none was or nobody knows. MW",
            "deviation_mw": "Actual less DOT; null unless the one is good and the other in force. MW",
        },
    ),
)
_ALARMS = (_all_of(alarm_event, "origin_no digest"), _FROM)
_UPSTREAM_GAPS = (_all_of(upstream_gap, "origin_no digest"), _FROM)
_PRICES = (
    _some_of(node, "node"),
    _all_of(price, "node_no"),
    _all_of(price_report, "report_no interval_start first_node_no node_nos origin_no digest fetched_at"),
    _own(
        TIME,
        {
            "fetched_at": "When OASIS gave it: tells revisions of an interval apart, UTC."
            " Null of an imported price, of which nobody knows it."
        },
    ),
    _FROM,
    _own(TEXT, {"imported_from": "The NAME that its file was imported by (source is import/NAME); null of what OASIS gave."}),
)
_TRADE_DATE = _own(DATE, {"trade_date": "The day as the market counts it, Pacific; 23 or 25 hours long where clocks change."})
_HOUR_ENDING = _own(
    CODE,
    {"hour_ending": "CAISO's number of the hour, 1 to 24 (OPR_HR); 25 is the one that clocks show again in autumn."},
)
_DAY = (_TRADE_DATE, _HOUR_ENDING)
_DOT_OF = _some_of(dispatch_batch, "batch_uid revision_no") + _some_of(instruction, "instruction_uid")
_WHEN_IN_FORCE = _some_of(instruction, "interval_start interval_end target_at")
_FIVE_MINUTES = (
    _some_of(dispatch_batch, "environment plant"),
    _some_of(instruction, "resource_id"),
    *_DAY,
    _own(CODE, {"interval_no": "Number of the five minutes in the hour, 1 to 12."}),
    _own(TIME, {"five_minute_start": "Start of the five minutes, UTC. That of their price in RTM, too."}),
    _own(PACIFIC_TIME, {"five_minute_start_pacific": "The same on Pacific clocks, which show an hour twice in autumn."}),
    _own(NUMBER, {"dot_mw": "The five-minute DOT in force in their middle; null where it is in doubt and not known. MW"}),
    _own(TEXT, {"standing": _STANDING}),
    _some_of(dispatch_batch, "batch_type"),
    _WHEN_IN_FORCE,
    _own(TIME, {"batch_received_at": "When CAISO had the batch, as the registers order DOTs by it, UTC."}),
    _DOT_OF,
)
_MINUTES = (
    _some_of(dispatch_batch, "environment plant"),
    _some_of(instruction, "resource_id"),
    _SCHEDULE,
    *_DAY,
    _own(TIME, {"minute_start": "The minute: all is as of its first moment, UTC."}),
    _own(PACIFIC_TIME, {"minute_start_pacific": "The same on Pacific clocks, which show an hour twice in autumn."}),
    _own(
        NUMBER,
        {
            "set_point_mw": "What the ramp of the registers is at; null where a DOT that it is made of is not known. MW",
            "slope_mw_per_min": "How it moves; 0 where a DOT is held. MW/min",
            "dot_mw": "The DOT in force. MW",
        },
    ),
    _own(FLAG, {"is_whole": "False where a DOT is missing between the two that the ramp leads through: it is a guess there."}),
    _own(TEXT, {"standing": "In force, or in doubt where one of the DOTs that it is made of is."}),
    _WHEN_IN_FORCE,
    _DOT_OF,
)
_MEAN = "Mean of the hour, each price for as long as its interval lasts: "
_HOURS = (
    _some_of(price_report, "environment market"),
    _some_of(node, "node"),
    *_DAY,
    _own(TIME, {"hour_start": "Start of the hour, UTC."}),
    _own(PACIFIC_TIME, {"hour_start_pacific": "The same on Pacific clocks, which show an hour twice in autumn."}),
    [
        Shown(column.name, column.type, f"{_MEAN}{(column.comment or '')[:1].lower()}{(column.comment or '')[1:]}")
        for column in price.columns
        if column.name.endswith("_usd_per_mwh")
    ],
    _own(CODE, {"intervals": "How many prices it is made of."}),
    _own(NUMBER, {"priced_min": "How many minutes of the hour have a price; less than 60 is no whole hour. min"}),
)

VIEWS = (
    _view("dot_latest", "The DOTs that count: of several for one interval the one received last. Say which schedule.", *_DOTS,
          _own(TEXT, {"standing": _STANDING}),
          _own(NUMBER, {"dot_mw": "Megawatts that the DOT stands with; null where it is in doubt and they are not known. MW"})),
    _view("dot_history", "Every DOT of the newest revision of its batch, those that do not stand included.", *_DOTS,
          _some_of(instruction, "event_no standing standing_mw"),
          _own(NUMBER, {"instructed_mw": "What CAISO instructed, whatever was answered. MW"})),
    _view("instruction_latest", "Instructions of every type, of the newest revision of each batch.", *_INSTRUCTIONS),
    _view("instruction_history", "Instructions of every type, every revision.", *_INSTRUCTIONS),
    _view("dispatch_batch_latest", "The newest revision of each dispatch batch, as each resource sees it.", *_DISPATCHES),
    _view("dispatch_batch_history", "Every revision of each dispatch batch, as each resource sees it.", *_DISPATCHES),
    _view("dop_history", "Dispatch Operating Points of every trajectory batch.", _all_of(dop),
          _some_of(trajectory_batch, f"environment batch_uid binding_flag batch_received_at batch_sent_at {_EVENT}"),
          _WHOSE, _FROM),
    _view("compliance_history", "Compliance records of every trajectory batch.", _all_of(compliance),
          _some_of(trajectory_batch, f"environment batch_uid batch_received_at {_EVENT}"), _WHOSE, _FROM),
    _view("instruction_response_latest", "What became of each command to answer an instruction.", *_RESPONSES),
    _view("instruction_response_history", "The same with what was said before CAISO was asked.", *_RESPONSES),
    _view("telemetry_latest", "The last word on each point, by each source. It may be old: see valid_until.", *_TELEMETRY),
    _view("telemetry_history", "All that was said of each point. Ask for some points and a time.", *_TELEMETRY),
    _view("point_write_history", "Writes of SCADA to points, taken or refused.", *_WRITES),
    _view("actual_vs_dot", "Each word on actual_mw beside the DOT in force then. Say which schedule, and a time.", *_ACTUAL),
    _view("price_latest", "The newest price of each node and interval. Ask for some nodes or a time.", *_PRICES),
    _view("price_history", "Every revision of every price.", *_PRICES),
    _view("dot_five_minute", "The five-minute DOT in force in each five minutes. Say which trade_date.", *_FIVE_MINUTES),
    _view("set_point_minute", "The set-point of the registers at each minute. Say which schedule, resource and trade_date.",
          *_MINUTES),
    _view(
        "price_hourly",
        "Prices by the hour. Say which nodes and trade_date. Of a component that one price of the hour lacks there is no mean.",
        *_HOURS,
    ),
    _view("trade_day", "The days of the market, from when until when they last.", _TRADE_DATE,
          _own(TIME, {"begins_at": "Midnight, Pacific, as UTC.", "ends_at": "The midnight after it, as UTC."}),
          _own(CODE, {"hours": "How long it is: 24, or 23 or 25 where clocks change."})),
    _view("alarm_now", "Alarms that are not normal, as the last that happened to each left it.", *_ALARMS),
    _view("alarm_event_history", "All that happened to alarms.", *_ALARMS),
    _view("upstream_gap_history", "What sources could not have of CAISO, and will not have any more.", *_UPSTREAM_GAPS),
    _view("stream_sequence", "Which events of each stream came and which are lost; what is in neither is missing.",
          _some_of(origin, "environment source stream"), _some_of(source_sequence, "received lost updated_at")),
)  # fmt: skip
"""Every view, those first that one asks most."""

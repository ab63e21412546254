"""Tables: what is kept, in the words of the messages. The migrations build them; a test holds the two together.

An event is one row of `dispatch_batch`, `trajectory_batch`, `price_report`, `instruction_response`, `point_write`,
`upstream_gap` or `alarm_event`, which says where it came from; what else it tells is in rows of its number in `instruction`,
`instruction_detail`, `dop`, `compliance` and `price`, which are divided by months. What a plant says of itself is no event:
it is in `telemetry`, by months too. Means of prices by the hour are in `price_hour`, for who asks a month.
Nothing is ever changed: a revision is a row of its own. The views (made by the migrations) show names in place of numbers:
`..._history` all revisions, `..._latest` the newest, `dot_latest` the DOTs that count, by the schedule that they are of.
"""

from historian.tables.alarms import alarm_event
from historian.tables.api_keys import api_key
from historian.tables.columns import SCHEMA, environment_type, metadata
from historian.tables.dispatch import dispatch_batch, instruction, instruction_detail
from historian.tables.keeping import dead_letter, lost_events, service_state, source_sequence
from historian.tables.keys import node, origin
from historian.tables.price_hours import price_hour, price_hour_due, price_hour_made
from historian.tables.prices import price, price_report
from historian.tables.responses import instruction_response
from historian.tables.telemetry import point_write, telemetry, telemetry_point
from historian.tables.trajectory import compliance, dop, trajectory_batch
from historian.tables.upstream_gaps import upstream_gap

DIVIDED = {
    instruction: "interval_start",
    instruction_detail: "interval_start",
    dop: "target_at",
    compliance: "start_at",
    price: "interval_start",
    price_hour: "hour_start",
    telemetry: "time",
}
"""The tables that are divided by months, with the column that says of which month a row is."""
EVENT_TABLES = (
    dispatch_batch,
    instruction,
    instruction_detail,
    trajectory_batch,
    dop,
    compliance,
    instruction_response,
    point_write,
    upstream_gap,
    alarm_event,
    price_report,
    price,
)
"""The tables of events, those first that say where one came from."""

__all__ = [
    "DIVIDED",
    "EVENT_TABLES",
    "SCHEMA",
    "alarm_event",
    "api_key",
    "compliance",
    "dead_letter",
    "dispatch_batch",
    "dop",
    "environment_type",
    "instruction",
    "instruction_detail",
    "instruction_response",
    "lost_events",
    "metadata",
    "node",
    "origin",
    "point_write",
    "price",
    "price_hour",
    "price_hour_due",
    "price_hour_made",
    "price_report",
    "service_state",
    "source_sequence",
    "telemetry",
    "telemetry_point",
    "trajectory_batch",
    "upstream_gap",
]

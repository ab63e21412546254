"""Telemetry: what plants said of their resources, and what was written to them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from historian.tables.columns import (
    CODE,
    LARGE,
    NUMBER,
    TEXT,
    TIME,
    by_time,
    environment,
    metadata,
    needed,
    of_event,
    resource_id,
    told,
)

_BY = (
    "Who wrote it, as proven to the source: the subject of a certificate, or a user's name; null where nobody proved anything."
)
_FROM = "The network address that it was written from; it proves nothing."

telemetry_point = sa.Table(
    "telemetry_point",
    metadata,
    sa.Column("point_no", CODE, sa.Identity(), primary_key=True, comment="Number of the point in telemetry."),
    environment(),
    needed("plant", TEXT, "The plant that said it."),
    resource_id(),
    needed("point", TEXT, "available_mw, actual_mw, breaker_closed, agc_on, or a name of the plant's own."),
    needed("source", TEXT, "SERVICE/PLANT that said it."),
    sa.UniqueConstraint("resource_id", "point", "plant", "source", "environment"),
    comment="Points of resources, by who said them.",
)

telemetry = sa.Table(
    "telemetry",
    metadata,
    needed("point_no", CODE, "The point, by its number in the table telemetry_point."),
    needed("time", TIME, "When the source said it (UTC, the source's clock)."),
    *told(
        TIME,
        {"measured_at": "When the value was measured, or written where its writer does not say, UTC; null without a value."},
    ),
    needed("valid_until", TIME, "Until when the source vouched for it, UTC."),
    *told(NUMBER, {"value": "The value in its unit; of what is true or false 1 or 0; null where nobody knew."}),
    *told(TEXT, {"unit": "The engineering unit, such as MW."}),
    needed("quality", sa.SmallInteger(), "OPC quality as the source said it: 192 good, 64 uncertain, 0 bad."),
    needed("reasons", ARRAY(TEXT), "Why it was less than good, by the names of docs/quality.md."),
    *told(TEXT, {"written_by": _BY, "written_from": _FROM}),
    needed("received_at", TIME, "When it reached the historian (UTC, its clock)."),
    sa.UniqueConstraint("point_no", "time"),
    postgresql_partition_by="RANGE (time)",
    comment="What was said of each point: every change down to a second, and each minute what did not change.",
)

point_write = sa.Table(
    "point_write",
    metadata,
    sa.Column("event_no", LARGE, primary_key=True, autoincrement=False, comment="Number of the event."),
    environment(),
    needed("plant", TEXT, "The plant of the resource."),
    resource_id(),
    needed("point", TEXT, "The point that was written, as in telemetry_point; of a command its name in the register map."),
    *told(TEXT, {"unit": "The engineering unit of both values."}),
    *told(
        NUMBER,
        {
            "old_value": "The value before the first of the writes; of true or false 1 or 0; null where there was none.",
            "new_value": "What the last of them wrote, likewise; null where it was no value of this point.",
        },
    ),
    needed("writes", LARGE, "How many writes alike it tells of."),
    needed("written_at", TIME, "When the last of them came, UTC."),
    needed("outcome", TEXT, "taken or refused."),
    *told(TEXT, {"refused_by": "What refused it: point, role, value, limits, commit, watchdog, command, bus, fault."}),
    needed("detail", TEXT, "What happened, in words."),
    *told(TEXT, {"written_by": _BY, "written_from": _FROM}),
    *of_event(),
    sa.UniqueConstraint("event_id", "environment"),
    sa.Index(None, "resource_id", "point", "written_at"),
    by_time("time"),
    comment="Writes of SCADA to points, taken or refused.",
)

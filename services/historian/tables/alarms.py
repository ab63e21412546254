"""Alarms: what happened to each, from its first raising to its last return."""

import sqlalchemy as sa

from historian.tables.columns import (
    CODE,
    FLAG,
    LARGE,
    NUMBER,
    TEXT,
    TIME,
    by_time,
    environment,
    metadata,
    needed,
    of_event,
    told,
)

alarm_event = sa.Table(
    "alarm_event",
    metadata,
    sa.Column("event_no", LARGE, primary_key=True, autoincrement=False, comment="Number of the event."),
    environment(),
    needed("plant", TEXT, "The plant of the operator whom it is for; installation where it is of no plant."),
    needed("about", TEXT, "What it is about: a resource by CAISO's name, or SERVICE/INSTANCE."),
    needed("rule", TEXT, "What is alarmed, by the names of docs/alarms.md."),
    needed("code", CODE, "The rule's number, as registers show it."),
    needed("priority", TEXT, "critical, high, medium or low."),
    needed(
        "what",
        TEXT,
        "raised, returned, acknowledged, shelved, unshelved, shelved-over, suppressed, unsuppressed, out-of-service, "
        "in-service.",
    ),
    needed("state_before", TEXT, "The state by ISA-18.2 that it was in."),
    needed(
        "state",
        TEXT,
        "The state that it was in then: normal, unacknowledged, acknowledged, returned-unacknowledged, shelved, suppressed, "
        "out-of-service.",
    ),
    needed("is_active", FLAG, "Whether what is alarmed held."),
    needed("text", TEXT, "What was wrong, and where, in words."),
    *told(
        NUMBER,
        {"value": "What was measured, in the column unit.", "threshold": "What it was held against, in the column unit."},
    ),
    *told(TEXT, {"unit": "The engineering unit of both values."}),
    needed("changed_at", TIME, "When it happened (UTC, the clock of the service of alarms)."),
    *told(
        TEXT,
        {
            "changed_by": "Who did it, as the command said; nobody has proven it. Null where nobody did.",
            "comment": "What was said with the command.",
            "command_id": "The command's; null where there was none.",
        },
    ),
    *told(TIME, {"shelved_until": "Until when it was shelved, UTC."}),
    *told(TEXT, {"because": "The alarm whose cause it shared, as PLANT/ABOUT/RULE."}),
    *of_event(),
    sa.UniqueConstraint("event_id", "environment"),
    sa.Index(None, "plant", "about", "rule", "changed_at"),
    by_time("changed_at"),
    comment="What happened to alarms: a row each time that one was raised, returned, acknowledged, shelved or suppressed.",
)

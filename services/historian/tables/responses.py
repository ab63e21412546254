"""Responses: who answered CAISO's instructions, and what became of it."""

import sqlalchemy as sa

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

instruction_response = sa.Table(
    "instruction_response",
    metadata,
    sa.Column("event_no", LARGE, primary_key=True, autoincrement=False, comment="Number of the event."),
    environment(),
    needed("plant", TEXT, "The plant of the topic that the command came on, or that claimed the resource."),
    resource_id(),
    needed("command_id", TEXT, "Tells the command from all others of its resource."),
    needed("action", TEXT, "accept, decline or partial; what the command's topic said."),
    needed("batch_uid", TEXT, "The batch that the command names."),
    needed("instruction_uid", TEXT, "The instruction that it names."),
    *told(NUMBER, {"accept_dot_mw": "The megawatts that it names. MW"}),
    *told(CODE, {"reason_code": "The reason that it names, 10 to 16."}),
    needed("requested_by", TEXT, "Who answered, as the command said; nobody has proven it."),
    needed("requested_from", TEXT, "The program that said so, as it called itself; nobody has proven it."),
    needed("requested_at", TIME, "The command's own time, UTC."),
    *told(
        TEXT,
        {
            "asked_by": "Whom the program asked for, as proven to it (the subject of a certificate); as the command said.",
            "asked_from": "The network address of whom it asked for, as the command said.",
        },
    ),
    *told(TEXT, {"rule": "The rule of the configuration that gave the answer; null where somebody asked for it."}),
    needed(
        "outcome",
        TEXT,
        "sending (before CAISO is asked), taken, refused, unknown (CAISO did not answer), dry-run, elsewhere (another source's "
        "row has the result).",
    ),
    *told(TEXT, {"refused_by": "The check that refused it; caiso where CAISO did."}),
    *told(CODE, {"result_code": "CAISO's answer: 0 taken, 1 invalid, 2 outside the period, 3, 4 not found, 5 no right to."}),
    needed("detail", TEXT, "What happened, in words."),
    *of_event(),
    sa.UniqueConstraint("event_id", "environment"),
    sa.Index(None, "resource_id", "command_id"),
    sa.Index(None, "instruction_uid"),
    by_time("time"),
    comment="Commands to answer an instruction and what became of them: two rows for one that went to CAISO, else one.",
)

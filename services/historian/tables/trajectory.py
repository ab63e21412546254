"""Trajectory: the operating points that CAISO expects, and how it judged compliance. Words of the ADS API specification v7."""

import sqlalchemy as sa

from historian.tables.columns import (
    CODE,
    LARGE,
    NUMBER,
    TEXT,
    TIME,
    by_time,
    environment,
    event_no,
    extra,
    metadata,
    needed,
    of_event,
    resource_id,
    told,
)

trajectory_batch = sa.Table(
    "trajectory_batch",
    metadata,
    sa.Column("event_no", LARGE, primary_key=True, autoincrement=False, comment="Number of the event in other tables."),
    environment(),
    needed("batch_uid", TEXT, "CAISO's identifier of the batch (batchUID)."),
    resource_id(),
    needed("plant", TEXT, "The plant that claimed the resource then; unassigned where none did."),
    *told(
        TIME,
        {
            "batch_received_at": "When ADS had the batch (batchReceived), UTC.",
            "batch_sent_at": "When the batch was sent (batchSent), UTC.",
        },
    ),
    *told(TEXT, {"binding_flag": "Whether the batch is binding (bindingFlag); N is advisory."}),
    extra(),
    *of_event(),
    sa.UniqueConstraint("batch_uid", "resource_id", "environment"),
    by_time("batch_received_at"),
    sa.Index(None, "plant", "resource_id"),
    comment="One row for each trajectory batch as one resource sees it.",
)

dop = sa.Table(
    "dop",
    metadata,
    event_no(),
    resource_id(),
    needed("dop_uid", TEXT, "CAISO's identifier of the point (dopUID)."),
    *told(NUMBER, {"dop_mw": "Dispatch Operating Point (mw). MW"}),
    *told(TIME, {"target_at": "When it is to be reached (targetTime), UTC."}),
    *told(CODE, {"sequence_number": "Order of points of one time (sequenceNumber)."}),
    *told(TEXT, {"configuration_id": "Configuration of a multi-stage generator (configurationId)."}),
    extra(),
    sa.Index(None, "resource_id", "target_at"),
    sa.Index(None, "event_no"),
    postgresql_partition_by="RANGE (target_at)",
    comment="Dispatch Operating Points of trajectory batches.",
)

compliance = sa.Table(
    "compliance",
    metadata,
    event_no(),
    resource_id(),
    needed("compliance_uid", TEXT, "CAISO's identifier of the record (complianceUID)."),
    *told(TIME, {"start_at": "Start of the five-minute interval (startTime), UTC."}),
    *told(NUMBER, {"expected_mwh": "Energy expected in the interval (mwh). MWh"}),
    *told(
        TEXT,
        {
            "compliance_flag": "Y when the expected energy was delivered (complFlag).",
            "configuration_id": "Configuration of a multi-stage generator (configurationId).",
        },
    ),
    extra(),
    sa.Index(None, "resource_id", "start_at"),
    sa.Index(None, "event_no"),
    postgresql_partition_by="RANGE (start_at)",
    comment="Whether resources delivered what was expected of them, in CAISO's words.",
)

"""Tables: what is kept, in the words of the messages. The migrations build them; a test holds the two together.

A column is named as the field of the message that it keeps. Three are named anew: an event's `id` is `event_id`, an
instruction's own `batch_uid` element is `own_batch_uid`, and each entry of a price message's columns is a row of its own.

Every row of an event says where it came from (`environment`, `source`, `stream`, `seq`, `event_id`), when it was said (`time`),
when it reached this historian (`received_at`) and when it was committed (`recorded_at`, the database's clock). Keys are
CAISO's own, so that an event that comes twice, or again under a new number, is one row. Times are timestamptz.

Views `instruction_latest`, `dispatch_batch_latest` and `price_latest` show the newest revision of each, `dot_latest` the DOTs
by the schedule that they are of; they are made by the migrations.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

NO_EXTRA = sa.text("'{}'::jsonb")

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s",
    }
)


def _key(name: str, kind: sa.types.TypeEngine[Any] | None = None) -> sa.Column[Any]:
    return sa.Column(name, kind or sa.Text(), primary_key=True)


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text) for name in names]


def _code(*names: str) -> list[sa.Column[int]]:
    """CAISO's integer codes, unknown ones included."""
    return [sa.Column(name, sa.Integer) for name in names]


def _number(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Double) for name in names]


def _time(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.DateTime(timezone=True)) for name in names]


def _extra() -> sa.Column[object]:
    return sa.Column("extra", JSONB, nullable=False, server_default=NO_EXTRA)


def _resource() -> list[sa.Column[str]]:
    return [sa.Column("plant", sa.Text, nullable=False), sa.Column("resource_id", sa.Text, nullable=False)]


def _provenance() -> list[sa.Column[object]]:
    return [
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        _recorded_at(),
    ]


def _recorded_at() -> sa.Column[object]:
    return sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


# `revision_key` is the batch's revision_no and batch_status, such as 2.3, or the event's id when CAISO numbered none: then
# nothing else tells two revisions apart, and a null cannot be part of a key.
dispatch_batch = sa.Table(
    "dispatch_batch",
    metadata,
    _key("environment"),
    _key("batch_uid"),
    _key("revision_key"),
    *_text("market_id"),
    *_code("batch_status"),
    *_time("batch_received_at", "batch_sent_at", "batch_expires_at"),
    *_code("batch_type"),
    *_time("start_at"),
    *_code("dispatch_mode"),
    *_text("binding_flag"),
    *_code("revision_no"),
    *_text("contingency_type", "path_exclusion"),
    _extra(),
    *_provenance(),
    sa.Index(None, "start_at"),
)

instruction = sa.Table(
    "instruction",
    metadata,
    _key("environment"),
    _key("batch_uid"),
    _key("revision_key"),
    _key("instruction_uid"),
    *_code("revision_no"),
    *_resource(),
    *_text("own_batch_uid"),
    *_time("start_at", "end_at"),
    *_number("dot_mw"),
    *_text("oos_energy_code", "as_type"),
    *_code("instruction_type"),
    *_number("pre_goto_mw"),
    *_code("bid_delay_min"),
    *_number("min_accept_mw", "accept_dot_mw"),
    *_text("accept_status", "responder"),
    *_code("reason_code"),
    *_number("opr_accept_dot_mw"),
    *_text("opr_accept_status", "opr_responder"),
    *_code("opr_reason_code"),
    *_time("validated_at"),
    *_text("validated_by"),
    *_time("api_validated_at"),
    *_text("api_validated_by"),
    *_code("revision_number", "status_code"),
    *_number("cleared_mw", "award_mw", "self_sched_mw", "hourly_mw"),
    *_text("rmr_test_requestor", "configuration_id", "transition_from_config_id", "transition_to_config_id"),
    *_text("agc_flag", "rmr_flag"),
    *_number("hourly_threshold_mw", "base_schedule_mw"),
    *_text("registered_intertie_flag"),
    _extra(),
    *_provenance(),
    sa.Index(None, "resource_id", "start_at"),
)

instruction_detail = sa.Table(
    "instruction_detail",
    metadata,
    _key("environment"),
    _key("batch_uid"),
    _key("revision_key"),
    _key("instruction_uid"),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    *_resource(),
    *_code("seg_no"),
    *_text("service_type"),
    *_number("segment_mw"),
    _extra(),
    *_provenance(),
)

trajectory_batch = sa.Table(
    "trajectory_batch",
    metadata,
    _key("environment"),
    _key("batch_uid"),
    *_time("batch_received_at", "batch_sent_at"),
    *_text("binding_flag"),
    _extra(),
    *_provenance(),
    sa.Index(None, "batch_received_at"),
)

dop = sa.Table(
    "dop",
    metadata,
    _key("environment"),
    _key("batch_uid"),
    _key("resource_id"),
    _key("dop_uid"),
    sa.Column("plant", sa.Text, nullable=False),
    *_number("dop_mw"),
    *_time("target_at"),
    *_code("sequence_number"),
    *_text("configuration_id"),
    _extra(),
    *_provenance(),
    sa.Index(None, "resource_id", "target_at"),
)

compliance = sa.Table(
    "compliance",
    metadata,
    _key("environment"),
    _key("batch_uid"),
    _key("resource_id"),
    _key("compliance_uid"),
    sa.Column("plant", sa.Text, nullable=False),
    *_time("start_at"),
    *_number("expected_mwh"),
    *_text("compliance_flag", "configuration_id"),
    _extra(),
    *_provenance(),
    sa.Index(None, "resource_id", "start_at"),
)

# The key begins with what a chart of one node asks for, so that it is also the index for it.
price = sa.Table(
    "price",
    metadata,
    _key("node"),
    _key("market"),
    _key("interval_start", sa.DateTime(timezone=True)),
    _key("environment"),
    _key("fetched_at", sa.DateTime(timezone=True)),
    sa.Column("interval_end", sa.DateTime(timezone=True), nullable=False),
    *_number("lmp_usd_per_mwh", "energy_usd_per_mwh", "congestion_usd_per_mwh", "loss_usd_per_mwh", "ghg_usd_per_mwh"),
    *_provenance(),
    sa.Index(None, "interval_start"),
)

# A row is a stretch of time in which a service said the same of itself: `time` is its first word, `heard_at` its latest.
# What changes with every heartbeat (cursors, the outbox, the times within upstreams) is as of the latest.
service_state = sa.Table(
    "service_state",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("online", sa.Boolean, nullable=False),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("software_version", sa.Text, nullable=False),
    sa.Column("upstreams", JSONB, nullable=False),
    sa.Column("outbox", JSONB),
    sa.Column("cursors", JSONB, nullable=False),
    sa.Column("certificate_days_left", sa.Double),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    _recorded_at(),
    sa.Index(None, "environment", "service", "instance", "id"),
)

# What could not be stored, as it came. `seen` counts how often the same bytes came on the same topic.
dead_letter = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("seen", sa.Integer, nullable=False, server_default=sa.text("1")),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    _recorded_at(),
    sa.Column("retried_at", sa.DateTime(timezone=True)),
    sa.Column("stored_at", sa.DateTime(timezone=True)),
)

# Ranges of sequence numbers as lists of [first, last]: what came, and what the source can no longer give.
source_sequence = sa.Table(
    "source_sequence",
    metadata,
    _key("environment"),
    _key("source"),
    _key("stream"),
    sa.Column("received", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    sa.Column("lost", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

lost_events = sa.Table(
    "lost_events",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
)

EVENT_TABLES = (dispatch_batch, instruction, instruction_detail, trajectory_batch, dop, compliance, price)
"""The tables that `historian.record` makes rows for, in the order in which they are written."""

"""Keeping: what is known beside the events: how services were, what could not be stored, which events came or are lost."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB

from historian.tables.columns import CODE, FLAG, LARGE, NUMBER, TEXT, TIME, environment, metadata, needed, told


def _number() -> "sa.Column[int]":
    return sa.Column("id", LARGE, sa.Identity(), primary_key=True, comment="Number of the row.")


def _recorded_at() -> "sa.Column[object]":
    return needed(
        "recorded_at",
        TIME,
        "When the transaction that stored it began (UTC, the database's clock).",
        server_default=sa.func.now(),
    )


# A row is a stretch of time in which a service said the same of itself. What changes with every heartbeat (cursors, the outbox,
# the times within upstreams) is as of the latest.
service_state = sa.Table(
    "service_state",
    metadata,
    _number(),
    environment(),
    needed("source", TEXT, "SERVICE/INSTANCE."),
    needed("service", TEXT, "The service."),
    needed("instance", TEXT, "Which instance of it."),
    needed("online", FLAG, "Whether it was there; false is its last will or an orderly end."),
    needed("started_at", TIME, "When the process started (UTC, its clock)."),
    needed("software_version", TEXT, "Version of dotbus that it ran."),
    needed("upstreams", JSONB(), "How it heard what it depends on, as of heard_at."),
    sa.Column("outbox", JSONB(), comment="The events that it could send again, as of heard_at."),
    needed("cursors", JSONB(), "Where it was with CAISO, as of heard_at."),
    *told(NUMBER, {"certificate_days_left": "Days until its certificate towards CAISO ends, as of heard_at."}),
    needed("time", TIME, "When it first said so (UTC, its clock)."),
    needed("heard_at", TIME, "When it last said so (UTC, its clock, never later than it came)."),
    needed("received_at", TIME, "When its first word reached the historian (UTC)."),
    _recorded_at(),
    sa.Index(None, "environment", "service", "instance", "id"),
    comment="What services said of themselves: a row for each stretch of time in which one said the same.",
)

dead_letter = sa.Table(
    "dead_letter",
    metadata,
    _number(),
    needed("kind", TEXT, "refused: it could not be stored; contradiction: another event with the same key came first."),
    needed("topic", TEXT, "The topic that it came on."),
    needed("payload", sa.LargeBinary(), "What came, as it came; of what is beyond bounds the beginning."),
    needed("payload_bytes", LARGE, "Size of all that came."),
    needed("digest", sa.LargeBinary(), "SHA-256 of topic and payload.", unique=True),
    needed("reason", TEXT, "Why it could not be stored."),
    needed("seen", CODE, "How often the same came.", server_default=sa.text("1")),
    needed("received_at", TIME, "When it came first (UTC, the historian's clock)."),
    _recorded_at(),
    sa.Column("retried_at", TIME, comment="When it was last tried again."),
    sa.Column("stored_at", TIME, comment="When it could be stored after all; null while it waits."),
    sa.Index("dead_letter_waiting", "id", postgresql_where=sa.text("stored_at IS NULL")),
    comment="Deliveries that could not be stored, or contradict one that was; historian dead-letters shows and retries them.",
)

source_sequence = sa.Table(
    "source_sequence",
    metadata,
    sa.Column(
        "origin_no", CODE, primary_key=True, autoincrement=False, comment="The stream, by its number in the table origin."
    ),
    needed("received", INT8MULTIRANGE(), "The numbers that came.", server_default=sa.text("'{}'")),
    needed(
        "lost",
        INT8MULTIRANGE(),
        "The numbers that did not come and that the source has no more.",
        server_default=sa.text("'{}'"),
    ),
    sa.Column("asked_at", TIME, comment="When a historian last asked the source for what is missing."),
    needed("updated_at", TIME, "When either changed last (UTC, the database's clock).", server_default=sa.func.now()),
    comment="Which events of each stream came.",
)

lost_events = sa.Table(
    "lost_events",
    metadata,
    _number(),
    needed("origin_no", CODE, "The stream, by its number in the table origin."),
    needed("first_seq", LARGE, "The first number that is lost."),
    needed("last_seq", LARGE, "The last of them."),
    needed("reason", TEXT, "Why they cannot be had."),
    needed("noticed_at", TIME, "When that was known (UTC, the historian's clock)."),
    sa.Column(
        "found_at",
        TIME,
        comment="When all of them had come after all, or the source said that it has them; null while they are lost.",
    ),
    comment="Ranges of events that were given up, and when.",
)

"""Keys: what the small numbers in other tables mean."""

import sqlalchemy as sa

from historian.tables.columns import CODE, TEXT, environment, metadata, needed


def _number(name: str, what: str) -> "sa.Column[int]":
    return sa.Column(name, CODE, sa.Identity(), primary_key=True, comment=f"Number of the {what} in other tables.")


node = sa.Table(
    "node",
    metadata,
    _number("node_no", "node"),
    needed("node", TEXT, "CAISO's name of a pricing node, hub or aggregation point.", unique=True),
    comment="Names of pricing nodes.",
)

origin = sa.Table(
    "origin",
    metadata,
    _number("origin_no", "source and stream"),
    environment(),
    needed("source", TEXT, "SERVICE/INSTANCE that sent events."),
    needed("stream", TEXT, "Its outbox: sequence numbers count within it."),
    sa.UniqueConstraint("environment", "source", "stream"),
    comment="Sources of events, with the stream that their sequence numbers count in.",
)

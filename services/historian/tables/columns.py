"""Columns: how the tables of the historian are put together. Every column has a comment: meaning, unit, source.

Nodes, and sources with their streams, stand in rows as small numbers; the tables `node` and `origin` say what they mean, and
the views show the names.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ENUM, JSONB

from dotbus.contracts.messages import Environment

SCHEMA = "dotbus"
"""The schema of the database that holds everything, unless the settings name another."""

Column = sa.Column[Any]
Kind = sa.types.TypeEngine[Any]

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s",
    }
)

environment_type = ENUM(*(str(environment) for environment in Environment), name="environment", metadata=metadata)

TEXT, CODE, LARGE = sa.Text(), sa.Integer(), sa.BigInteger()
NUMBER: sa.Double[float] = sa.Double()
TIME = sa.DateTime(timezone=True)
PACIFIC_TIME = sa.DateTime(timezone=False)
"""What clocks in California show: twice of the hour in autumn."""
DATE = sa.Date()
FLAG = sa.Boolean()


def needed(name: str, kind: Kind, comment: str, **options: Any) -> Column:  # noqa: ANN401  # what sa.Column takes
    """A column that every row has a value in."""
    return sa.Column(name, kind, nullable=False, comment=comment, **options)


def told(kind: Kind, comments: Mapping[str, str]) -> list[Column]:
    """Columns of what CAISO may say; null where it did not."""
    return [sa.Column(name, kind, comment=comment) for name, comment in comments.items()]


def extra() -> Column:
    """What this version does not know."""
    return needed("extra", JSONB(), "Elements that the software did not know, by CAISO's name, as text.", server_default="{}")


def environment() -> Column:
    """Which CAISO spoke."""
    return needed("environment", environment_type, "Which CAISO spoke: production, stage (its test systems) or simulator.")


def event_no() -> Column:
    """The number that rows of one event share."""
    return needed("event_no", LARGE, "The event that said it: the row of that number in the table of its batches.")


def resource_id() -> Column:
    """Which resource. Its name stands in each row, because a number would hide it from the index that gives its newest rows."""
    return needed("resource_id", TEXT, "CAISO's resource ID.")


def of_event() -> list[Column]:
    """Where an event came from and when."""
    return [
        needed("origin_no", CODE, "The source and its stream, by their number in the table origin."),
        needed("seq", LARGE, "The event's number in its stream, which counts from 1 without gaps."),
        needed("event_id", TEXT, "The event's id: the same fact has the same id however often it is sent."),
        sa.Column(
            "digest",
            LARGE,
            comment="Digest of what it says: another under the same key is a contradiction. Null if older than 0003.",
        ),
        needed("time", TIME, "When the source made the event (UTC, the source's clock)."),
        needed("received_at", TIME, "When the event reached the historian (UTC, its clock)."),
        needed(
            "recorded_at",
            TIME,
            "When the transaction that stored it began (UTC, the database's clock).",
            server_default=sa.func.now(),
        ),
    ]


def by_time(name: str) -> sa.Index:
    """An index that knows which pages hold which times: next to nothing for each row, since rows come in the order of time."""
    return sa.Index(None, name, postgresql_using="brin", postgresql_with={"pages_per_range": 16, "autosummarize": "on"})

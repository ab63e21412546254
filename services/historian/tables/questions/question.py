"""A question: a query, and what it answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A query, and what it answers."""

    title: str
    says: str
    sql: str

"""Means: how the prices of an hour, or a day, become one, as SQL: said once for whoever asks and whoever keeps them (pure).

It is of rows that are prices that count, each with its `seconds`, and with `told_at`: when OASIS gave it; null of one out of a
file.
"""

from collections.abc import Iterable


def mean(column: str) -> str:
    """The mean of a column, each price for as long as its interval lasts; null where one of them lacks it."""
    return f"CASE WHEN count({column}) = count(*) THEN sum({column} * seconds) / sum(seconds) END AS {column}"


def mean_columns(columns: Iterable[str]) -> str:
    """Means of columns, how much time they are of, when the newest price was given, and how much time is of files."""
    means = "".join(f"{mean(column)}, " for column in columns)
    return f"""{means}sum(seconds) AS covered_s, max(told_at) AS fetched_at,
          coalesce(sum(seconds) FILTER (WHERE told_at IS NULL), 0) AS imported_s"""

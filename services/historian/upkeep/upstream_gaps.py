"""Gaps of upstreams, as people read them: what sources could not have of CAISO and will not have any more."""

import sqlalchemy as sa

SHOWN = 20

_NEWEST = sa.text("""
    SELECT source, environment::text, upstream, account, detail, count(*) OVER () AS known
    FROM upstream_gap_history ORDER BY missing_from DESC, event_no DESC LIMIT :shown""")


def read_upstream_gaps(connection: sa.Connection, shown: int = SHOWN) -> list[str]:
    """A line for each of the newest gaps of all sources, the newest first, and one for how many more there are."""
    rows = connection.execute(_NEWEST, {"shown": shown}).all()
    lines = [gap_line(row.source, row.environment, row.upstream, row.account, row.detail) for row in rows]
    more = rows[0].known - len(rows) if rows else 0
    return [*lines, f"and {more} older gaps of upstreams: see upstream_gap_history"] if more else lines


def gap_line(source: str, environment: str, upstream: str, account: str | None, detail: str) -> str:
    """What is told of one gap."""
    of_account = f" of account {account}" if account else ""
    return f"{source}, {environment}, {upstream}{of_account}: {detail}"

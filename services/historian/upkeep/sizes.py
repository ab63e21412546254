"""Sizes: how large the tables are."""

import sqlalchemy as sa

_SIZES = sa.text("""
    SELECT coalesce(parent.relname, child.relname) AS name, sum(pg_total_relation_size(child.oid))::bigint AS size_bytes
    FROM pg_class AS child
    LEFT JOIN pg_inherits ON inhrelid = child.oid
    LEFT JOIN pg_class AS parent ON parent.oid = inhparent
    WHERE child.relkind = 'r' AND child.relnamespace = current_schema()::regnamespace
    GROUP BY 1 ORDER BY 1""")


def table_sizes(connection: sa.Connection) -> dict[str, int]:
    """Bytes of each table with its indexes, all months of a divided one together."""
    return {row.name: row.size_bytes for row in connection.execute(_SIZES)}

"""Rights: whether each role is there, whether our user may act as it, and whether it may do what it must and no more."""

from collections.abc import Iterable

import sqlalchemy as sa

from historian.migrations import OWNERS_ALONE, WRITER_CHANGES
from historian.upkeep.findings import Finding, note, ok, wrong

RUN_SCRIPT = "run deploy/postgres/10-roles.sh (docs/deployment.md, Roles)"
_SET_SINCE = 160000
"""From here on a member may be one without the right to act as the role."""
_RELATIONS = sa.text("""
    SELECT c.oid, c.relname, c.relkind, pg_get_userbyid(c.relowner) AS owner
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'S') ORDER BY c.relname""")
_MAY = sa.text("SELECT has_table_privilege(:role, CAST(:oid AS oid), :right)")
_MAY_SEQUENCE = sa.text("SELECT has_sequence_privilege(:role, CAST(:oid AS oid), 'USAGE')")


def examine_roles(
    connection: sa.Connection, schema: str, owner: str | None, writer: str | None, reader: str | None
) -> Iterable[Finding]:
    """Every role that the settings name."""
    missing = [role for role in (owner, writer, reader) if role and not _exists(connection, role)]
    for role in missing:
        yield wrong("roles", f"there is no role {role}", RUN_SCRIPT)
    for acting in (owner, writer):
        if acting and acting not in missing and not _may_act_as(connection, acting):
            yield wrong("roles", f"our user may not act as {acting}", RUN_SCRIPT)
    if missing:
        return
    relations = connection.execute(_RELATIONS, {"schema": schema}).all()
    yield from _owner_rights(relations, owner)
    if writer and relations:
        yield from _writer_rights(connection, schema, writer, relations)
    if reader and relations:
        yield from _reader_rights(connection, schema, reader, relations)
    if not writer:
        yield note("roles", "one user owns and writes everything: it could drop and change what is kept", RUN_SCRIPT)


def examine_reader(connection: sa.Connection, schema: str, role: str) -> Iterable[Finding]:
    """A user who shall read everything, and who need not be told of other roles."""
    relations = connection.execute(_RELATIONS, {"schema": schema}).all()
    if relations:
        yield from _reader_rights(connection, schema, role, relations)


def _owner_rights(relations: Iterable[sa.Row[tuple[object, ...]]], owner: str | None) -> Iterable[Finding]:
    owners = sorted({row.owner for row in relations})
    if owner and owners not in ([], [owner]):
        yield wrong("roles", f"tables are owned by {', '.join(owners)} and not by {owner} alone", RUN_SCRIPT)
    elif owners:
        yield ok("roles", f"{', '.join(owners)} owns the tables")


def _writer_rights(
    connection: sa.Connection, schema: str, role: str, relations: Iterable[sa.Row[tuple[object, ...]]]
) -> Iterable[Finding]:
    lacking = [] if _may_use(connection, schema, role) else [f"USAGE of the schema {schema}"]
    too_much = []
    for row in relations:
        if row.relname in OWNERS_ALONE:
            continue
        if row.relkind == "S":
            lacking += [] if connection.scalar(_MAY_SEQUENCE, {"role": role, "oid": row.oid}) else [f"USAGE of {row.relname}"]
            continue
        needs = ["SELECT"]
        if row.relkind != "v" and row.relname != "alembic_version":
            needs += ["INSERT", *(["UPDATE"] if row.relname in WRITER_CHANGES else [])]
        lacking += [f"{right} of {row.relname}" for right in needs if not _may(connection, role, row, right)]
        too_much += [row.relname] if _may(connection, role, row, "DELETE") else []
    if lacking:
        yield wrong("roles", f"{role} lacks {_some(lacking)}", "`historian migrate` grants it")
    if too_much:
        yield note("roles", f"{role} may delete rows of {_some(too_much)}", f"REVOKE DELETE, or {RUN_SCRIPT}")
    if not lacking and not too_much:
        yield ok("roles", f"{role} may add rows and delete none")


def _reader_rights(
    connection: sa.Connection, schema: str, role: str, relations: Iterable[sa.Row[tuple[object, ...]]]
) -> Iterable[Finding]:
    lacking = [] if _may_use(connection, schema, role) else [f"USAGE of the schema {schema}"]
    lacking += [row.relname for row in _readable(relations) if not _may(connection, role, row, "SELECT")]
    if lacking:
        yield wrong("roles", f"{role} may not read {_some(lacking)}", "`historian migrate` grants it")
    else:
        yield ok("roles", f"{role} may read every table and view")


def _readable(relations: Iterable[sa.Row[tuple[object, ...]]]) -> list[sa.Row[tuple[object, ...]]]:
    return [row for row in relations if row.relkind != "S" and row.relname not in OWNERS_ALONE]


def _exists(connection: sa.Connection, role: str) -> bool:
    return bool(connection.scalar(sa.text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}))


def _may_act_as(connection: sa.Connection, role: str) -> bool:
    kind = "SET" if int(connection.scalar(sa.text("SHOW server_version_num"))) >= _SET_SINCE else "MEMBER"
    return bool(connection.scalar(sa.text("SELECT pg_has_role(session_user, :role, :kind)"), {"role": role, "kind": kind}))


def _may_use(connection: sa.Connection, schema: str, role: str) -> bool:
    may = sa.text("SELECT has_schema_privilege(:role, :schema, 'USAGE')")
    return bool(connection.scalar(may, {"role": role, "schema": schema}))


def _may(connection: sa.Connection, role: str, row: sa.Row[tuple[object, ...]], right: str) -> bool:
    return bool(connection.scalar(_MAY, {"role": role, "oid": row.oid, "right": right}))


def _some(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

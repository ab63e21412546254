"""Examination of a database: whether roles, tables, months, sequences and clock are as a historian needs them.

Each function looks at one thing within a transaction that somebody else opened, changes nothing, and says all that it found.
"""

import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from dotbus.contracts.quality import CLOCK_DOUBT_S
from historian.migrations import head, known_revisions, read_revision
from historian.tables import DIVIDED
from historian.upkeep.findings import Finding, note, ok, wrong
from historian.upkeep.letters import count_letters
from historian.upkeep.months import AHEAD_MONTHS, OTHER, month_of, months_ahead, part_name, parts
from historian.upkeep.streams import Account, count, read_accounts, shown
from historian.write.reading.arrivals import CONTRADICTION, REFUSED

OLDEST, NEWEST = 140000, 180000
"""Of PostgreSQL's version numbers: below there are no ranges of ranges; above nothing was tried."""
SILENT_AFTER = timedelta(seconds=60)
LAG_LONG = timedelta(seconds=60)
LEAST_FREE_BYTES, LEAST_FREE_SHARE = 2_000_000_000, 0.1
_MB = 1_000_000
_LARGEST = 3
STREAMS_SHOWN = 20
"""With gaps; whoever invents streams makes thousands."""
MIGRATE = "`historian migrate` (a start does the same)"

# A sequence gives numbers from its value on, as many as it grows by.
_NUMBERS = sa.text("""
    SELECT k.sequence, k.used, coalesce(s.last_value + s.increment_by - 1, 0) AS given
    FROM (
      SELECT 'event_number' AS sequence, greatest(
        (SELECT max(event_no) FROM dispatch_batch), (SELECT max(event_no) FROM trajectory_batch),
        (SELECT max(event_no) FROM instruction_response), (SELECT max(event_no) FROM upstream_gap),
        (SELECT max(event_no) FROM alarm_event)) AS used
      UNION ALL SELECT 'report_number', max(report_no) FROM price_report
      UNION ALL SELECT 'origin_origin_no_seq', max(origin_no) FROM origin
      UNION ALL SELECT 'node_node_no_seq', max(node_no) FROM node
    ) AS k LEFT JOIN pg_sequences AS s ON s.schemaname = current_schema() AND s.sequencename = k.sequence
    ORDER BY k.sequence""")
_NEWEST_EVENTS = sa.text("""
    SELECT received_at, recorded_at FROM (
      (SELECT received_at, recorded_at FROM dispatch_batch ORDER BY event_no DESC LIMIT 1)
      UNION ALL (SELECT received_at, recorded_at FROM trajectory_batch ORDER BY event_no DESC LIMIT 1)
      UNION ALL (SELECT received_at, recorded_at FROM instruction_response ORDER BY event_no DESC LIMIT 1)
      UNION ALL (SELECT received_at, recorded_at FROM upstream_gap ORDER BY event_no DESC LIMIT 1)
      UNION ALL (SELECT received_at, recorded_at FROM alarm_event ORDER BY event_no DESC LIMIT 1)
      UNION ALL (SELECT received_at, recorded_at FROM price_report ORDER BY report_no DESC LIMIT 1)
    ) AS newest ORDER BY recorded_at DESC LIMIT 1""")
_HISTORIANS = sa.text("""
    SELECT DISTINCT ON (instance) instance, online, heard_at FROM service_state
    WHERE service = 'historian' AND environment = CAST(:environment AS environment) ORDER BY instance, id DESC""")


def examine_version(connection: sa.Connection) -> Iterable[Finding]:
    """Which PostgreSQL it is, and who we are there."""
    number = int(connection.scalar(sa.text("SHOW server_version_num")))
    who = connection.execute(sa.text("SELECT session_user, current_user, current_database()")).one()
    says = f"PostgreSQL {number // 10000}.{number % 10000}, database {who[2]}, as {who[0]}"
    acting = f" acting as {who[1]}" if who[0] != who[1] else ""
    if number < OLDEST:
        yield wrong("connection", says + acting, f"PostgreSQL {OLDEST // 10000} or later is needed")
    elif number >= NEWEST + 10000:
        yield note("connection", f"{says}{acting}; tried up to {NEWEST // 10000}")
    else:
        yield ok("connection", says + acting)
    encoding = connection.scalar(sa.text("SHOW server_encoding"))
    if encoding != "UTF8":
        yield wrong(
            "connection", f"the database is {encoding}", "names and texts need a UTF8 database: make one, and restore into it"
        )


def examine_revision(connection: sa.Connection) -> Iterable[Finding]:
    """Whether the tables are those of this software."""
    revision = read_revision(connection)
    if revision is None:
        yield wrong("migrations", "there are no tables yet", MIGRATE)
    elif revision == head():
        yield ok("migrations", f"revision {revision}")
    elif revision in known_revisions():
        yield wrong("migrations", f"revision {revision}, this software's is {head()}", f"back up, then {MIGRATE}")
    else:
        yield wrong(
            "migrations",
            f"revision {revision} is of a later version of dotbus",
            "run that version, or restore a back-up of before",
        )


def examine_months(connection: sa.Connection, now: datetime) -> Iterable[Finding]:
    """Whether there are parts for what comes, and what is of no month."""
    there = parts(connection)
    missing = sorted(
        part_name(table.name, month)
        for table in DIVIDED
        for month in months_ahead(now)
        if month >= month_of(now) and part_name(table.name, month) not in there
    )
    if missing:
        yield wrong("months", f"there is no {shown_names(missing)}", f"{MIGRATE}; what comes for them waits in the other parts")
    else:
        yield ok("months", f"{len(there)} parts, made {AHEAD_MONTHS} months ahead")
    for table, column in DIVIDED.items():
        name = f"{table.name}_{OTHER}"
        if name not in there:
            yield wrong("months", f"there is no {name}, so what has no time is refused", MIGRATE)
            continue
        rows = connection.execute(sa.text(f"SELECT count(*), count({column}) FROM {name}")).one()  # noqa: S608  # names of ours
        if rows[0]:
            yield note(
                "months",
                f"{rows[0]} rows of {table.name} are of no month: {rows[0] - rows[1]} without a time, {rows[1]} out of bounds",
            )


def examine_numbers(connection: sa.Connection) -> Iterable[Finding]:
    """Whether the database's own sequences give numbers that nothing has yet."""
    behind = [row for row in connection.execute(_NUMBERS) if row.used is not None and row.used > row.given]
    for row in behind:
        yield wrong(
            "numbers",
            f"{row.sequence} gives numbers from {row.given + 1} on, and {row.used} is taken: what comes would be refused",
            f"as the owner: SELECT setval('{row.sequence}', {row.used}); then `historian dead-letters retry`",
        )
    if not behind:
        yield ok("numbers", "those of events, reports, streams and nodes are given once")


def examine_streams(connection: sa.Connection) -> Iterable[Finding]:
    """Whether every event of every source came."""
    accounts = read_accounts(connection)
    whole = [account for account in accounts if not account.missing]
    yield ok(
        "sequences", f"{len(whole)} of {len(accounts)} streams without a gap, {sum(a.received for a in accounts)} events came"
    )
    incomplete = [account for account in accounts if account.missing or account.lost]
    incomplete.sort(key=lambda account: (not account.missing, account.heard_at is None))  # those that a source speaks of first
    for account in incomplete[:STREAMS_SHOWN]:
        yield from _examine_stream(account)
    if (more := len(incomplete) - STREAMS_SHOWN) > 0:
        yield note("sequences", f"{more} more streams have gaps", "`historian gaps` tells of all")


def _examine_stream(account: Account) -> Iterable[Finding]:
    name = f"{account.stream.source} ({account.stream.environment}), stream {account.stream.stream}"
    if account.missing:
        asked = f", asked for at {account.asked_at:%Y-%m-%dT%H:%M:%SZ}" if account.asked_at else ", not asked for yet"
        yield wrong(
            "sequences",
            f"{name}: {count(account.missing)} events are missing ({shown(account.missing)}){asked}",
            f"see that {account.stream.source} runs; `historian replay {account.stream.source}` asks at once",
        )
    if account.lost:
        yield note(
            "sequences",
            f"{name}: {account.lost} events are lost since {account.lost_since}; the source has them no more",
            "the table lost_events says which; whoever has them may send them with the same numbers",
        )


def examine_letters(connection: sa.Connection) -> Iterable[Finding]:
    """What could not be stored."""
    counts = count_letters(connection)
    if refused := counts.get(REFUSED):
        yield note("dead letters", f"{refused} wait", "`historian dead-letters list` says why; `retry` after an update")
    if contradictions := counts.get(CONTRADICTION):
        yield note(
            "dead letters",
            f"{contradictions} say something else than what came first under the same key",
            "`historian dead-letters list`; what came first counts, so look at which is true",
        )
    if not counts:
        yield ok("dead letters", "none")


def examine_sizes(connection: sa.Connection, sizes_bytes: dict[str, int]) -> Iterable[Finding]:
    """How much room it takes, and how much is left where that can be seen."""
    size = int(connection.scalar(sa.text("SELECT pg_database_size(current_database())")))
    largest = sorted(sizes_bytes.items(), key=lambda entry: -entry[1])[:_LARGEST]
    says = f"{size / _MB:,.0f} MB, of which " + ", ".join(f"{name} {bytes_ / _MB:,.0f}" for name, bytes_ in largest)
    folder = _local_folder(connection)
    yield (
        judge_room(says, *shutil.disk_usage(folder)[::2])
        if folder
        else note("disk", f"{says}; what is left cannot be seen from here", "look on the database's machine: df")
    )


def judge_room(says: str, total_bytes: int, free_bytes: int) -> Finding:
    """Whether a disk has room for what comes."""
    left = f"{says}; {free_bytes / _MB:,.0f} MB are free of {total_bytes / _MB:,.0f}"
    if free_bytes < max(LEAST_FREE_BYTES, LEAST_FREE_SHARE * total_bytes):
        return wrong("disk", left, "give it room, or keep less (HISTORIAN_KEEP_..._DAYS); a full disk stops all storing")
    return ok("disk", left)


def examine_clock(before: datetime, after: datetime, theirs: datetime) -> Iterable[Finding]:
    """Whether the database's clock agrees with ours. `theirs` was asked for between `before` and `after`."""
    offset_s = (theirs - (before + (after - before) / 2)).total_seconds()
    if abs(offset_s) > CLOCK_DOUBT_S:
        yield wrong("clock", f"the database's clock is {offset_s:+.1f} s from ours", "set both by NTP")
    else:
        yield ok("clock", f"the database's clock is {offset_s:+.1f} s from ours")


def examine_lag(connection: sa.Connection, environment: str, now: datetime) -> Iterable[Finding]:
    """Whether a historian runs, and how soon what came was committed."""
    for row in connection.execute(_HISTORIANS, {"environment": environment}):
        name = f"historian/{row.instance}"
        if not row.online:
            yield note("lag", f"{name} went at {row.heard_at:%Y-%m-%dT%H:%M:%SZ}", "start it, unless it is gone for good")
        elif now - row.heard_at > SILENT_AFTER:
            yield wrong("lag", f"{name} was last heard at {row.heard_at:%Y-%m-%dT%H:%M:%SZ}", "see that it runs, and its log")
        else:
            yield ok("lag", f"{name} runs")
    newest = connection.execute(_NEWEST_EVENTS).one_or_none()
    if newest is None:
        yield note("lag", "no event was stored yet")
        return
    lag, age = newest.recorded_at - newest.received_at, now - newest.recorded_at
    says = f"the newest event was committed {lag.total_seconds():.1f} s after it came, {age.total_seconds():.0f} s ago"
    yield ok("lag", says) if lag < LAG_LONG else note("lag", says, "the broker may hold more: see historian_lag_seconds")


def shown_names(names: list[str]) -> str:
    """Some names, and how many more."""
    more = len(names) - _LARGEST
    return ", ".join(names[:_LARGEST]) + (f" and {more} more" if more > 0 else "")


def _local_folder(connection: sa.Connection) -> Path | None:
    """Where the database's files are, when that is on this machine and we are told."""
    local = connection.scalar(
        sa.text("SELECT coalesce(inet_server_addr() << '127.0.0.0/8' OR inet_server_addr() = '::1', true)")
    )
    told = connection.scalar(sa.text("SELECT setting FROM pg_settings WHERE name = 'data_directory'"))
    folder = Path(told) if local and told else None
    return folder if folder and folder.is_dir() else None

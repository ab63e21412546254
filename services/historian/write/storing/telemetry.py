"""Telemetry: what plants said of points, each once however often the broker sends it. The first of one time stays."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from dotbus.contracts.messages import Telemetry
from historian.database import Connection, Database, StatementRefused, StoreUnavailable
from historian.write.reading.arrivals import CONTRADICTION, Arrival, Rejection, Written
from historian.write.storing.months import Months
from historian.write.storing.rows import month_no

AT_ONCE = 2000
"""In one transaction."""
_SAID = """
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (no int, environment environment, plant text, resource_id text,
      point text, source text, time timestamptz, measured_at timestamptz, valid_until timestamptz, value double precision,
      unit text, quality smallint, reasons text[], written_by text, written_from text, received_at timestamptz)"""
_POINT = "resource_id, point, plant, source, environment"
_CONTENT = "measured_at, valid_until, value, unit, quality, reasons, written_by, written_from"
# Those that are there are left out first: each try that finds one there would use up a number.
_MAKE_POINTS = sa.text(f"""
    INSERT INTO telemetry_point ({_POINT})
    SELECT DISTINCT {_POINT} FROM ({_SAID}) AS s LEFT JOIN telemetry_point AS p USING ({_POINT}) WHERE p.point_no IS NULL
    ORDER BY {_POINT} ON CONFLICT DO NOTHING""")  # noqa: S608  # our own words
_KEEP = sa.text(f"""
    INSERT INTO telemetry (point_no, time, {_CONTENT}, received_at)
    SELECT point_no, time, {_CONTENT}, received_at FROM ({_SAID}) AS s JOIN telemetry_point USING ({_POINT})
    ORDER BY point_no, time, no ON CONFLICT DO NOTHING""")  # noqa: S608  # our own words
_DIFFERING = sa.text(f"""
    SELECT s.no FROM ({_SAID}) AS s JOIN telemetry_point USING ({_POINT}) JOIN telemetry AS t USING (point_no, time)
    WHERE {" OR ".join(f"s.{name} IS DISTINCT FROM t.{name}" for name in _CONTENT.split(", "))}""")  # noqa: S608  # our own words
_SAYS_ELSE = "says something else than what came first of this point from this source at this time"


class Points:
    """Writes what plants said. For one thread.

    Args:
        months: makes the parts of the table that are missing.
    """

    def __init__(self, database: Database, months: Months) -> None:
        self._database = database
        self._months = months

    def keep(
        self, arrivals: Sequence[Arrival], written: Written, now: datetime, go_on: Callable[[], None], *, blames: bool
    ) -> None:
        """Store telemetry, and note what became of it.

        Args:
            arrivals: of telemetry alone, in their order.
            written: notes it.
            now: which months may have a part of their own is judged by it.
            go_on: raises when told to stop.
            blames: whether a fault of the database that may be a message's is laid at its door: after some tries.

        Raises:
            StoreUnavailable: all of it must be written again; what was stored is known then.
        """
        for start in range(0, len(arrivals), AT_ONCE):
            some = arrivals[start : start + AT_ONCE]
            self._months.tables({("telemetry", month_no(_said(arrival).time)) for arrival in some}, now)
            left = [some]
            while left:
                go_on()
                left += self._keep(left.pop(), written, blames=blames)

    def _keep(self, arrivals: Sequence[Arrival], written: Written, *, blames: bool) -> list[Sequence[Arrival]]:
        """Keep them in a transaction. Returns the two halves of them where the database refuses one."""
        refused: Exception
        rows = msgspec.json.encode([_row(number, arrival) for number, arrival in enumerate(arrivals)]).decode()
        try:
            with self._database.transaction() as connection:
                kept, differing = _write(connection, rows, len(arrivals))
        except StatementRefused as error:
            refused = error
        except StoreUnavailable as away:
            if not (blames and away.may_blame):
                raise
            refused = away
        else:
            written.points += kept
            written.rejections += [Rejection(arrivals[number], _SAYS_ELSE, CONTRADICTION) for number in differing]
            return []
        if len(arrivals) == 1:
            written.rejections.append(Rejection(arrivals[0], str(refused)))
            return []
        middle = len(arrivals) // 2
        return [arrivals[middle:], arrivals[:middle]]


def _write(connection: Connection, rows: str, count: int) -> tuple[int, list[int]]:
    """Insert rows. Returns how many are new, and the places of those that differ from what came first."""
    connection.execute(_MAKE_POINTS, {"rows": rows})
    kept = connection.execute(_KEEP, {"rows": rows}).rowcount
    differing = [] if kept == count else [row.no for row in connection.execute(_DIFFERING, {"rows": rows})]
    return kept, sorted(differing)


def _row(number: int, arrival: Arrival) -> dict[str, object]:
    """As the table has it, and the names of its point. What is true or false is 1 or 0 there."""
    said = _said(arrival)
    value = float(said.value) if isinstance(said.value, bool) else said.value
    return msgspec.structs.asdict(said) | {"no": number, "value": value, "received_at": arrival.received_at}


def _said(arrival: Arrival) -> Telemetry:
    if not isinstance(arrival.meaning, Telemetry):
        raise TypeError(f"a {type(arrival.meaning).__name__} is no telemetry")
    return arrival.meaning

"""From the historian: what it keeps of a day, asked of its views as any reader may (docs/data.md).

The only importer of the database's driver here, and imported when it is asked for: the service itself needs no database.

The historian keeps what each resource was told, not CAISO's documents. What it has of one revision of a batch is put together
again, and played when the first of it came.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec
import psycopg2
from psycopg2.extras import RealDictCursor

from ads_ingest.replaying.played_ads import KeeperAway, Kept, Span
from ads_ingest.settings import HistorianSettings
from caiso.ads import SavedDocument
from caiso.ads.records import (
    BatchHeader,
    DispatchBatch,
    Instruction,
    InstructionDetail,
    TrajectoryBatch,
    TrajectoryBatchList,
    TrajectoryCompliance,
    TrajectoryDop,
    TrajectoryHeader,
)
from dotbus.contracts.messages import Environment
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake

R = TypeVar("R", bound=msgspec.Struct)
Row = Mapping[str, Any]

WHERE: Final = "the historian's database"
_NEAR: Final = timedelta(days=7)
"""So near to when it is told a batch begins, where it says so. PostgreSQL knows which pages hold which beginnings."""
_OF_DISPATCHES: Final = """
    SELECT min(time) AS received_at, array_agg(event_no ORDER BY event_no) AS event_nos, revision_no, batch_uid
    FROM dispatch_batch_history
    WHERE environment = %(environment)s
      AND (%(begin)s::timestamptz IS NULL OR time >= %(begin)s) AND (%(end)s::timestamptz IS NULL OR time <= %(end)s)
      AND (start_at IS NULL OR start_at BETWEEN %(nearest)s AND %(farthest)s)
    GROUP BY batch_uid, revision_no, batch_status, CASE WHEN revision_no IS NULL THEN time END
    ORDER BY min(time), min(event_no)"""
_OF_TRAJECTORIES: Final = """
    SELECT min(time) AS received_at, array_agg(event_no ORDER BY event_no) AS event_nos
    FROM trajectory_batch
    WHERE environment = %(environment)s
      AND (%(begin)s::timestamptz IS NULL OR time >= %(begin)s) AND (%(end)s::timestamptz IS NULL OR time <= %(end)s)
      AND (batch_received_at IS NULL OR batch_received_at BETWEEN %(nearest)s AND %(farthest)s)
    GROUP BY batch_uid
    ORDER BY min(time), min(event_no)"""
_THERE_IS: Final = """
    SELECT environment::text, min(time) AS first, max(time) AS last FROM dispatch_batch_history GROUP BY 1 ORDER BY 1"""


class Historian:
    """Its database, as a reader. Each question is a connection of its own: between two of them may be minutes.

    Args:
        settings: where it is.
    """

    def __init__(self, settings: HistorianSettings) -> None:
        self._address = settings.address
        password = settings.read_database_password()
        self._options: dict[str, Any] = {
            **({"password": password} if password else {}),
            "application_name": "ads-ingest replay",
            "connect_timeout": 5,
            "options": f"-c search_path={settings.database_schema} -c timezone=UTC -c default_transaction_read_only=on",
        }

    def rows(self, question: str, **values: object) -> list[Row]:
        """The rows of an answer.

        Raises:
            KeeperAway: there is none.
        """
        with self._asking() as cursor:
            cursor.execute(question, values)
            return list(cursor.fetchall())

    @contextmanager
    def _asking(self) -> Iterator[RealDictCursor]:
        try:
            with (
                closing(psycopg2.connect(self._address, **self._options)) as connection,
                connection.cursor(cursor_factory=RealDictCursor) as cursor,
            ):
                yield cursor
        except psycopg2.Error as error:
            raise KeeperAway(f"{WHERE}: {' '.join(str(error).split())}") from error


@dataclass(frozen=True)
class KeptBatch:
    """A dispatch batch in one revision, or a trajectory batch, as the historian has it.

    Attributes:
        received_at: when the first of it came.
        historian: who is asked.
        event_nos: the events that tell of it.
        document: makes it of the historian's rows, None when they are dropped meanwhile, being too old.
    """

    received_at: datetime
    historian: Historian
    event_nos: Sequence[int]
    document: Callable[[Historian, Sequence[int]], SavedDocument | None]

    def read(self) -> SavedDocument:
        """What it says.

        Raises:
            KeeperAway: the database does not answer.
        """
        return self.document(self.historian, self.event_nos) or SavedDocument()


def _dispatch(historian: Historian, event_nos: Sequence[int]) -> SavedDocument | None:
    ask, mine = historian.rows, {"event_nos": list(event_nos)}
    header = ask("SELECT * FROM dispatch_batch_history WHERE event_no = %(event_no)s", event_no=event_nos[0])
    instructions = ask(
        "SELECT * FROM instruction_history WHERE event_no = ANY(%(event_nos)s)"
        " ORDER BY event_no, start_at, instruction_uid, revision_number, is_newest",
        **mine,
    )
    details = ask("SELECT * FROM instruction_detail WHERE event_no = ANY(%(event_nos)s) ORDER BY position", **mine)
    if not header:
        return None
    return SavedDocument((DispatchBatch(_record(header[0], BatchHeader), tuple(_instructions(instructions, details))),))


def _trajectory(historian: Historian, event_nos: Sequence[int]) -> SavedDocument | None:
    ask, mine = historian.rows, {"event_nos": list(event_nos)}
    header = ask("SELECT * FROM trajectory_batch WHERE event_no = %(event_no)s", event_no=event_nos[0])
    dops = ask(
        "SELECT * FROM dop_history WHERE event_no = ANY(%(event_nos)s) ORDER BY event_no, target_at, sequence_number, dop_uid",
        **mine,
    )
    compliance = ask(
        "SELECT * FROM compliance_history WHERE event_no = ANY(%(event_nos)s) ORDER BY event_no, start_at, compliance_uid",
        **mine,
    )
    if not header:
        return None
    batch = TrajectoryBatch(
        _record(header[0], TrajectoryHeader),
        tuple(_record(row, TrajectoryDop) for row in dops),
        tuple(_record(row, TrajectoryCompliance) for row in compliance),
    )
    return SavedDocument(trajectories=TrajectoryBatchList((batch,)))


def kept_by_historian(settings: HistorianSettings, environment: Environment, span: Span) -> Sequence[Kept]:
    """What the historian has of a time, in the order in which it came.

    Args:
        settings: where its database is.
        environment: which CAISO's.
        span: the time, by the clock of the source that said it.

    Raises:
        ConfigurationRefused: there is nothing, or the database does not answer.
    """
    historian = Historian(settings)
    asked = {
        "environment": str(environment),
        "begin": span.begin,
        "end": span.end,
        "nearest": span.begin - _NEAR if span.begin else "-infinity",
        "farthest": span.end + _NEAR if span.end else "infinity",
    }
    try:
        found = [(row, _dispatch) for row in _rising(historian.rows(_OF_DISPATCHES, **asked))]
        found += [(row, _trajectory) for row in historian.rows(_OF_TRAJECTORIES, **asked)]
        if not found:
            raise _nothing(historian, environment, span)
    except KeeperAway as error:
        raise ConfigurationRefused([Mistake("environment", "HISTORIAN_DATABASE_URL", str(error))]) from error
    kept = [KeptBatch(row["received_at"], historian, row["event_nos"], document) for row, document in found]
    return sorted(kept, key=lambda batch: batch.received_at)


def _nothing(historian: Historian, environment: Environment, span: Span) -> ConfigurationRefused:
    there_is = {row["environment"]: [row["first"], row["last"]] for row in historian.rows(_THERE_IS)}
    told = span.nothing_of(f"dispatches of {environment}", there_is.get(str(environment), []))
    others = ", ".join(name for name in there_is if name != str(environment))
    also = f"; it has those of {others}, which `environment` in dotbus.toml does not name" if others else ""
    return ConfigurationRefused([Mistake(WHERE, "", told + also)])


def _rising(revisions: Iterable[Row]) -> Iterator[Row]:
    """Without what was told of a batch after a higher revision of it: another source, or account, was late with it."""
    highest: dict[str, int] = {}
    for row in revisions:
        uid, revision = row["batch_uid"], row["revision_no"] or 0
        if revision >= highest.get(uid, revision):
            highest[uid] = revision
            yield row


def _instructions(rows: Iterable[Row], details: Iterable[Row]) -> Iterator[Instruction]:
    """Of one that a batch has twice nobody can tell whose the segments are: neither gets any."""
    rows = list(rows)
    of_each: defaultdict[tuple[int, str], list[InstructionDetail]] = defaultdict(list)
    for detail in details:
        of_each[detail["event_no"], detail["instruction_uid"]].append(_record(detail, InstructionDetail))
    times = Counter((row["event_no"], row["instruction_uid"]) for row in rows)
    for row in rows:
        key = row["event_no"], row["instruction_uid"]
        own = tuple(of_each[key]) if times[key] == 1 else ()
        yield _record({**row, "batch_uid": row["own_batch_uid"], "details": own}, Instruction)


def _record(row: Row, kind: type[R]) -> R:
    """A row as the record whose fields have the names of its columns."""
    return kind(**{name: row[name] for name in kind.__struct_fields__})

"""Rows: what the database holds, asked as psql would ask it."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import NamedTuple

import psycopg2
from chaos.hostile import MARK
from chaos.volume import PREFIX, SOURCE

from historian.tables import SCHEMA

CONNECT_WITHIN_S = 3
ANSWER_WITHIN_MS = 60_000
OURS = f"source NOT LIKE '{MARK}%' AND stream NOT LIKE '{MARK}%'"
OF_CAISO = f"batch_uid NOT LIKE '{PREFIX}%' AND batch_uid NOT LIKE '{MARK}%'"


class InstructionRow(NamedTuple):
    """An instruction of one revision of a batch."""

    batch_uid: str
    revision_no: int
    batch_status: int
    instruction_uid: str
    resource_id: str
    dot_mw: float | None


class DopRow(NamedTuple):
    """A point of a trajectory."""

    batch_uid: str
    dop_uid: str
    resource_id: str
    dop_mw: float
    target_at: datetime
    sequence_number: int


class ComplianceRow(NamedTuple):
    """A compliance record."""

    batch_uid: str
    compliance_uid: str
    resource_id: str
    start_at: datetime
    expected_mwh: float
    compliance_flag: str


class PriceRow(NamedTuple):
    """One price, as it was said once."""

    node: str
    interval_start: datetime
    lmp_usd_per_mwh: float


class StreamRow(NamedTuple):
    """Which numbers of a stream came and which are given up, as PostgreSQL writes them. Streams are numbered as they came."""

    source: str
    stream: str
    origin_no: int
    received: str
    lost: str


class Rows:
    """The database, past every proxy. Each question is a connection of its own: the server may have been killed meanwhile."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def _connected(self) -> Iterator[psycopg2.extensions.connection]:
        options = f"-c search_path={SCHEMA} -c timezone=UTC -c statement_timeout={ANSWER_WITHIN_MS}"
        with closing(psycopg2.connect(self._url, connect_timeout=CONNECT_WITHIN_S, options=options)) as connection:
            yield connection

    def ask(self, query: str, *parameters: object) -> list[tuple]:
        """The rows of a question.

        Raises:
            psycopg2.Error: the database does not answer.
        """
        with self._connected() as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall()

    def has_all_sources(self) -> bool:
        """Whether something of each source is there."""
        try:
            of_dispatches = dict(self.ask("SELECT DISTINCT source, 1 FROM dispatch_batch_history"))
            return SOURCE in of_dispatches and "ads_ingest/a" in of_dispatches and bool(self.ask("SELECT 1 FROM price LIMIT 1"))
        except psycopg2.Error:
            return False

    def volume_numbers(self, first: int, last: int) -> list[int]:
        """Which events of the source of many are there, of a range, ascending; each as often as it is there."""
        query = (
            f"SELECT substr(batch_uid, {len(PREFIX) + 1})::int FROM dispatch_batch WHERE batch_uid BETWEEN %s AND %s ORDER BY 1"
        )
        return [row[0] for row in self.ask(query, f"{PREFIX}{first:09d}", f"{PREFIX}{last:09d}")]

    def volume_instructions(self) -> Iterator[tuple[int, float, str]]:
        """Number, megawatts and resource of each event of the source of many."""
        query = f"""SELECT substr(batch_uid, {len(PREFIX) + 1})::int, dot_mw, resource_id FROM instruction_history
            WHERE batch_uid LIKE '{PREFIX}%%' AND source = %s"""
        yield from self.ask(query, SOURCE)

    def instructions(self) -> list[InstructionRow]:
        """CAISO's, every revision."""
        columns = ", ".join(InstructionRow._fields)
        return [InstructionRow(*row) for row in self.ask(f"SELECT {columns} FROM instruction_history WHERE {OF_CAISO}")]

    def latest_instructions(self) -> list[InstructionRow]:
        """CAISO's, the newest revision of each batch."""
        columns = ", ".join(InstructionRow._fields)
        return [InstructionRow(*row) for row in self.ask(f"SELECT {columns} FROM instruction_latest WHERE {OF_CAISO}")]

    def dops(self) -> list[DopRow]:
        """CAISO's."""
        return [DopRow(*row) for row in self.ask(f"SELECT {', '.join(DopRow._fields)} FROM dop_history WHERE {OF_CAISO}")]

    def compliance(self) -> list[ComplianceRow]:
        """CAISO's."""
        columns = ", ".join(ComplianceRow._fields)
        return [ComplianceRow(*row) for row in self.ask(f"SELECT {columns} FROM compliance_history WHERE {OF_CAISO}")]

    def prices(self) -> list[PriceRow]:
        """Every revision, oldest first within a node and interval."""
        columns = ", ".join(PriceRow._fields)
        query = f"SELECT {columns} FROM price_history WHERE node NOT LIKE '{MARK}%' ORDER BY node, interval_start, fetched_at"
        return [PriceRow(*row) for row in self.ask(query)]

    def latest_prices(self) -> list[PriceRow]:
        """The newest of each node and interval."""
        columns = ", ".join(PriceRow._fields)
        return [PriceRow(*row) for row in self.ask(f"SELECT {columns} FROM price_latest WHERE node NOT LIKE '{MARK}%'")]

    def streams(self) -> list[StreamRow]:
        """Of our sources."""
        query = (
            "SELECT source, stream, origin_no, received::text, lost::text FROM source_sequence JOIN origin USING (origin_no) "
            f"WHERE {OURS}"
        )
        return [StreamRow(*row) for row in self.ask(query)]

    def lost(self) -> Sequence[tuple[str, str, int, int]]:
        """Source, stream and range of what is given up and did not come after all."""
        return self.ask(
            "SELECT o.source, o.stream, l.first_seq, l.last_seq FROM lost_events AS l JOIN origin AS o USING (origin_no) "
            f"WHERE l.found_at IS NULL AND {OURS}"
        )

    def foreign_letters(self) -> list[tuple[str, str, str]]:
        """Kind, topic and reason of dead letters without the hostile publisher's mark."""
        return self.ask(
            "SELECT kind, topic, reason FROM dead_letter WHERE position(%s::bytea IN payload) = 0 AND topic NOT LIKE %s",
            MARK.encode(),
            f"%/{MARK}/%",
        )

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.ask(f"SELECT count(*) FROM {table}")[0][0])

    def out_of_order(self) -> list[tuple[str, int]]:
        """Stream and number where the source of many or a batch of CAISO's stands before what was said earlier."""
        of_volume = f"""SELECT stream, seq FROM (
            SELECT stream, seq, batch_uid, lag(batch_uid) OVER (PARTITION BY stream ORDER BY seq) AS before
            FROM dispatch_batch_history WHERE source = '{SOURCE}' AND batch_uid LIKE '{PREFIX}%'
            ) AS s WHERE before >= batch_uid"""
        of_caiso = f"""SELECT stream, seq FROM (
            SELECT stream, seq, revision_no, lag(revision_no) OVER (PARTITION BY stream, batch_uid, resource_id ORDER BY seq) AS
            before FROM dispatch_batch_history WHERE {OF_CAISO}) AS s WHERE before > revision_no"""
        return [*self.ask(of_volume), *self.ask(of_caiso)]

    def seqs_twice(self) -> list[tuple[str, int]]:
        """Numbers of a stream that stand for two events."""
        return self.ask(
            "SELECT o.stream, e.seq FROM (SELECT origin_no, seq FROM dispatch_batch UNION ALL "
            "SELECT origin_no, seq FROM trajectory_batch UNION ALL SELECT origin_no, seq FROM price_report) AS e "
            f"JOIN origin AS o USING (origin_no) WHERE {OURS} GROUP BY o.stream, e.origin_no, e.seq HAVING count(*) > 1"
        )

"""How long each question of docs/data.md takes in a full database, and whether its plan reads a big table from end to end.

    python bench/questions.py [DAYS]

Ten million five-minute prices and two million DOTs (of DAYS days, default 348), put there with SQL, which takes minutes and
4 GB. Each question is asked as it stands in the document, five times.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # what fills the database is the tests'

from full_database import FULL, UNTIL, fill_to, read_from_end_to_end

from historian.database import Database
from historian.migrations import Roles, bring_up_to_date
from historian.tables.questions import QUESTIONS, Question
from launcher.demo.embedded_database import OWNER_ROLE, READER_ROLE, WRITER_ROLE, embedded_database

ROUNDS = 5


def measure(database: Database, question: Question) -> None:
    """Print the median and the slowest, and what its plan reads whole."""
    took_ms = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        with database.transaction() as connection:
            rows = connection.exec_driver_sql(question.sql).all()
        took_ms.append((time.perf_counter() - begun) * 1000)
    with database.transaction() as connection:
        whole = read_from_end_to_end(connection, question.sql)
    told = f"reads {', '.join(whole)} from end to end" if whole else "no big table from end to end"
    print(
        f"{question.title:46} {statistics.median(took_ms):7.1f} ms, slowest {max(took_ms):7.1f} ms, {len(rows):5} rows, {told}"
    )


def main() -> None:
    """Fill, then ask."""
    volume = replace(FULL, days=int(sys.argv[1])) if sys.argv[1:] else FULL
    with tempfile.TemporaryDirectory() as folder, embedded_database(Path(folder) / "postgres") as embedded:
        database = Database(embedded.historian_url, "dotbus", owner_role=OWNER_ROLE, writer_role=WRITER_ROLE)
        bring_up_to_date(database, Roles(READER_ROLE), UNTIL)
        begun = time.perf_counter()
        fill_to(database, volume)
        took_s = time.perf_counter() - begun
        print(f"{volume.prices:,} five-minute prices and {volume.instructions:,} DOTs, filled in {took_s:.0f} s")
        for question in QUESTIONS:
            measure(database, question)
        database.close()


if __name__ == "__main__":
    main()

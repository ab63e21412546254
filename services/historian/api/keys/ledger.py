"""Ledger: how often each has asked and how many streams each reads, for every process that serves the API together.

SQLite keeps it: in memory for one process, in a file that several open. Each change is one statement, so that two processes
never count one thing twice, and one that is killed leaves nothing half done and no lock behind. What stands there is worth
nothing after the last process, so nothing waits for a disk. Times are of the monotonic clock, which all processes share.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

WAIT_MOST_S: Final = 5.0
"""For another process's statement, which takes microseconds."""
_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS asked (
      what TEXT, who TEXT, questions_left REAL, at_s REAL, is_given INTEGER, is_new INTEGER, PRIMARY KEY (what, who)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS asked_at ON asked (what, at_s);
    CREATE TABLE IF NOT EXISTS stream (stream_no INTEGER PRIMARY KEY, process INTEGER, who TEXT);"""
_LEFT: Final = "min(:most, questions_left + (:now_s - at_s) * :per_s)"
_TAKE: Final = f"""
    INSERT INTO asked VALUES (:what, :who, :most - 1, :now_s, 1, 1)
    ON CONFLICT DO UPDATE SET
      questions_left = {_LEFT} - ({_LEFT} >= 1), is_given = {_LEFT} >= 1, at_s = max(at_s, :now_s), is_new = 0
    RETURNING questions_left, is_given, is_new"""  # noqa: S608  # words of ours
_FORGET_OLDEST: Final = """
    DELETE FROM asked WHERE what = :what AND (SELECT count(*) FROM asked WHERE what = :what) > :known_most
      AND who = (SELECT who FROM asked WHERE what = :what ORDER BY at_s LIMIT 1)"""
_BEGIN: Final = """
    INSERT INTO stream (process, who) SELECT :process, :who
    WHERE (SELECT count(*) FROM stream WHERE who = :who) < :most_each AND (SELECT count(*) FROM stream) < :most
    RETURNING stream_no"""


@dataclass(frozen=True)
class Taken:
    """What came of asking for one more question.

    Attributes:
        is_given: whether it may be asked.
        questions_left: how many more may be; a part of one where it may not.
    """

    is_given: bool
    questions_left: float


class Ledger:
    """What is kept.

    Args:
        path: the file that processes share; None for one process alone.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._database = sqlite3.connect(path or ":memory:", timeout=WAIT_MOST_S, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Keep nothing any more; of a file others may go on."""
        self._database.close()

    def take(self, what: str, who: str, now_s: float, *, per_s: float, most: float, known_most: int) -> Taken:
        """Ask for one more question of somebody.

        Args:
            what: is limited.
            who: asks.
            now_s: of the monotonic clock.
            per_s: so many questions come to who waits.
            most: of them are saved up.
            known_most: so many are remembered; beyond it who asked longest ago is as new.
        """
        said = {"what": what, "who": who, "now_s": now_s, "per_s": per_s, "most": most, "known_most": known_most}
        left, is_given, is_new = self._database.execute(_TAKE, said).fetchone()
        if is_new:
            self._database.execute(_FORGET_OLDEST, said)
        return Taken(bool(is_given), left)

    def known(self, what: str) -> int:
        """How many are remembered."""
        return int(self._database.execute("SELECT count(*) FROM asked WHERE what = ?", (what,)).fetchone()[0])

    def begin_stream(self, who: str, *, most_each: int, most: int) -> int | None:
        """Note one more stream of this process. Returns its number; None where it is one too many."""
        said = {"process": os.getpid(), "who": who, "most_each": most_each, "most": most}
        begun = self._database.execute(_BEGIN, said).fetchone()
        return begun and int(begun[0])

    def end_stream(self, number: int) -> None:
        """Note that it is over."""
        self._database.execute("DELETE FROM stream WHERE stream_no = ?", (number,))

    def streams(self, who: str) -> int:
        """How many somebody reads."""
        return int(self._database.execute("SELECT count(*) FROM stream WHERE who = ?", (who,)).fetchone()[0])

    def end_streams_of(self, process: int) -> None:
        """Note that a process has ended, and its streams with it."""
        self._database.execute("DELETE FROM stream WHERE process = ?", (process,))

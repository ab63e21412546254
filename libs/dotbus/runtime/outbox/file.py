"""The outbox's file: one SQLite database, opened by one process, brought up to date, and changed all or nothing."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dotbus.runtime.starting import CannotStart

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS stream (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, payload BLOB NOT NULL,
  kept_at REAL NOT NULL, published INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS unpublished ON event (seq) WHERE published = 0;
CREATE INDEX IF NOT EXISTS published_age ON event (kept_at) WHERE published = 1;
CREATE TABLE IF NOT EXISTS state (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, revision INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS state_revision ON state (topic, revision);
CREATE TABLE IF NOT EXISTS retraction (topic TEXT PRIMARY KEY, retracted_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, position TEXT NOT NULL);
"""
_LAYOUT: Final = 2
"""With 2 events are packed with Zstandard, which a version before cannot unpack. What that one packed is read as it is."""
_TO_LAYOUT_1: Final = """
ALTER TABLE stream ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
CREATE TABLE count (scope TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
"""
"""`base` is the number after which a stream begins. `count` has the last number that was given, of events (scope "") and of
each plant and market within the stream: one page for all, where SQLite's AUTOINCREMENT would write another with each commit."""
_LOG_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""What SQLite's write-ahead log is cut to after a large transaction."""


class OutboxInUse(CannotStart):
    """Another process has this outbox open: two instances would give one sequence number to two events."""


class OutboxFile:
    """The database behind an outbox.

    Args:
        path: the file; its folder is made when it is not there.

    Attributes:
        database: the connection; hold `lock` while using it.
        lock: one thread at a time.

    Raises:
        OutboxInUse: another process has it.
        CannotStart: a newer version of dotbus made it.
        sqlite3.Error: the file cannot be opened or is none.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._claim(path)
            self.database.executescript(_TABLES)
            self._bring_up_to_date(path)
        except BaseException:
            self.database.close()
            raise

    def _claim(self, path: Path) -> None:
        self.database.execute("PRAGMA busy_timeout = 200")
        self.database.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            self.database.execute("PRAGMA journal_mode = WAL")
            self.database.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
            self.database.execute("PRAGMA synchronous = FULL")
            self.database.execute("BEGIN IMMEDIATE")
            self.database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise OutboxInUse(f"{path} is in use by another process: give each instance its own folder (STATE_DIR)") from error

    def _bring_up_to_date(self, path: Path) -> None:
        (layout,) = self.database.execute("PRAGMA user_version").fetchone()
        if layout > _LAYOUT:
            raise CannotStart(f"{path} was made by a newer version of dotbus: install that, or set STATE_DIR to another folder")
        if layout < _LAYOUT:
            with self.transaction():
                if layout < 1:
                    self._count_by_streams()
                self.database.execute(f"PRAGMA user_version = {_LAYOUT}")

    def _count_by_streams(self) -> None:
        for statement in _TO_LAYOUT_1.strip().splitlines():
            self.database.execute(statement)
        if self.database.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
            self.database.execute("INSERT INTO count SELECT '', seq FROM sqlite_sequence WHERE name = 'event'")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything that happens inside is on the disk afterwards, or nothing of it happened."""
        with self.lock:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.database.execute("COMMIT")
            except BaseException:
                if self.database.in_transaction:  # a full disk makes SQLite roll back by itself
                    self.database.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Give the file back."""
        with self.lock:
            self.database.close()

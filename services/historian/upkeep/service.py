"""Upkeep: what a running historian does beside writing. Tables at the start, months, retention, bounds, sizes, hours."""

from collections.abc import Callable
from datetime import datetime, timedelta

from dotbus.runtime.logs import get_logger
from historian.database import Database, StoreUnavailable, TableInUse
from historian.migrations import Roles, bring_up_to_date
from historian.upkeep.months import add_months, months_ahead, wait_for_no_reader
from historian.upkeep.price_hours import make_hours
from historian.upkeep.retention import Retention, drop_old, shed_dead_letters
from historian.upkeep.sizes import Sizes, read_sizes

MONTHS_EVERY = timedelta(hours=1)
LOOK_EVERY = timedelta(minutes=1)


class Upkeep:
    """Does each of it when it is time.

    Args:
        database: whose owner we may become.
        roles: who is granted what.
        retention: how long what is kept.
        dead_letters_max_bytes: how much dead letters may take; the oldest of the topic with the most go first.
        note_sizes: told what there is.

    Attributes:
        is_prepared: whether the tables were made or are up to date.
    """

    def __init__(
        self,
        database: Database,
        roles: Roles,
        retention: Retention,
        dead_letters_max_bytes: int,
        note_sizes: Callable[[Sizes], None],
    ) -> None:
        self._database = database
        self._roles = roles
        self._retention = retention
        self._dead_letters_max_bytes = dead_letters_max_bytes
        self._note_sizes = note_sizes
        self._months_at: datetime | None = None
        self._look_at: datetime | None = None
        self._hours_at: datetime | None = None
        self.is_prepared = False
        self._log = get_logger("upkeep")

    def prepare(self, now: datetime) -> None:
        """Make or update the tables.

        Raises:
            StoreUnavailable: the database could not be reached or refused.
        """
        for role in bring_up_to_date(self._database, self._roles, now):
            self._log.warning("a role does not exist; it was granted nothing", role=role)
        self.is_prepared = True
        self._log.info("the tables are ready")

    def turn(self, now: datetime) -> None:
        """Do what it is time for. A fault of upkeep holds nothing up: it is told and tried again at the next turn."""
        if self._months_at is None or now >= self._months_at:
            self._months_at = now + MONTHS_EVERY
            self._attempt("months and retention", lambda: self._months(now))
        if self._look_at is None or now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._attempt("sizes and bounds", lambda: self._look(now))
        if self._hours_at is None or now >= self._hours_at:
            self._attempt("price hours", lambda: self._hours(now))

    def _months(self, now: datetime) -> None:
        try:
            with self._database.transaction(as_owner=True) as connection:
                wait_for_no_reader(connection)
                add_months(connection, months_ahead(now))
            for what in drop_old(self._database, self._retention, now):
                self._log.info("beyond retention", dropped=what)
        except TableInUse as error:
            self._months_at = now + LOOK_EVERY
            self._log.info("a table is read now: months of it are made or dropped later", cause=str(error))

    def _hours(self, now: datetime) -> None:
        """As many as wait, some at each turn; when none is left they are looked for again after a while."""
        made = make_hours(self._database, now)
        self._hours_at = None if made else now + LOOK_EVERY

    def _look(self, now: datetime) -> None:
        shed = shed_dead_letters(self._database, self._dead_letters_max_bytes)
        if shed:
            self._log.error("there are too many dead letters; the oldest of the topic with the most are gone", count=shed)
        with self._database.transaction() as connection:
            self._note_sizes(read_sizes(connection, now))

    def _attempt(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except StoreUnavailable:
            self._months_at = self._look_at = None
            raise
        except Exception:  # noqa: BLE001  # upkeep must not end the writing
            self._log.exception("upkeep failed; it is tried again", what=what)

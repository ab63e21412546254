"""Open batch: what is known of one dispatch batch until nothing more is to be asked of it. Pure.

In one of four states. What cannot be had speaks against the resources that it named, or against all while they are not known,
as those of a revision are that nobody could read: against their states while its intervals last, and then against its own DOTs,
because a ramp begins at the DOT before. What was had and CAISO forgot speaks against its own DOTs only until it begins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from ads_ingest.known.doubts import UNTOLD_LENGTH, Doubts
from caiso.ads.errors import AdsFailure, Away, Unforeseen, UnknownUid
from dotbus.contracts.instruction_states import Status, is_nothing_by_status
from dotbus.contracts.instruction_times import is_binding
from dotbus.contracts.messages import DispatchBatchHeader
from dotbus.contracts.quality import CLOCK_DOUBT_S
from dotbus.contracts.schedules import DOT_BATCH_TYPES, BatchType, Schedule, schedules_of
from dotbus.runtime.schedule import backoff_s
from dotbus.setpoints.intervals import open_until

ATTEMPTS = 3
"""Unusable answers after which a batch is given up: what is behind it in CAISO's list is settled once its time is over."""
ASK_AGAIN_FIRST = timedelta(seconds=1)
ASK_AGAIN_MOST = timedelta(minutes=5)
ASKED_SOON = timedelta(seconds=5)
"""How long something newer may be known of and wait for its turn before that speaks against what it replaces."""
KEPT = timedelta(hours=24)
"""How long CAISO can be asked for a batch that is over, or told that we have it: it forgets them (specification, 2.1).

So long an out-of-sequence dispatch may last of which only the header is known: its type tells no length."""
CLOCKS_DIFFER_BY = timedelta(seconds=CLOCK_DOUBT_S)


class Known(Enum):
    """How far a batch is known."""

    LISTED = "CAISO named it, and it was never had"
    HELD = "it was had, and CAISO said nothing newer since"
    REPLACED = "it was had, and CAISO named a newer revision that was not"
    RESTORED = "it was had before a restart, and CAISO has not confirmed it since"


@dataclass(frozen=True)
class OpenBatch:
    """What is known of one batch.

    Attributes:
        header: the newest that CAISO told.
        had: the one that is passed on; None while none is.
        until: when the last of its intervals is over, as far as that is known.
        begins_at: when the first of what was had begins; None while that is not known.
        resources: that any revision of it named.
        named: those of them that the one that was had names.
        in_doubt: resources of which CAISO has not decided a DOT, nobody can read one, or another account is to say whether it
            holds.
        others_in_doubt: resources of which nobody can read an instruction that is no DOT.
        ask_at: when to ask for it next.
        words: of each resource that it names what that comes to, where other accounts may be told of it as well.
        contested: resources of which another account was told otherwise in the same revision.
        confirmed_at: when CAISO was last asked for it and said that what we had is what it is.
        failures: questions without a usable answer in a row, for any reason.
        unusable: those of them that CAISO answered.
        why: the last of them.
        validation_owed: whether CAISO is still to be told that we have it.
        validations_refused: how often it did not take that.
    """

    batch_uid: str
    known: Known
    header: DispatchBatchHeader
    until: datetime
    ask_at: datetime
    had: DispatchBatchHeader | None = None
    begins_at: datetime | None = None
    resources: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    in_doubt: frozenset[str] = frozenset()
    others_in_doubt: frozenset[str] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    confirmed_at: datetime | None = None
    failures: int = 0
    unusable: int = 0
    why: AdsFailure | None = None
    validation_owed: bool = False
    validations_refused: int = 0

    @property
    def is_missing(self) -> bool:
        """Whether CAISO has more of it than was had."""
        return self.known in {Known.LISTED, Known.REPLACED}

    @property
    def could_not_be_had(self) -> bool:
        """Whether it was asked for since, in vain."""
        return self.is_missing and self.failures > 0

    @property
    def is_known_replaced(self) -> bool:
        """Whether what was had is known not to hold any more. After a restart a status that is not known yet says nothing."""
        return self.had is not None and self.is_missing and is_older(self.had, self.header)

    @property
    def is_given_up(self) -> bool:
        """Whether CAISO answered it with something unusable, again and again."""
        return self.unusable >= ATTEMPTS or isinstance(self.why, Unforeseen)

    @property
    def asks_nothing(self) -> bool:
        """Whether its header alone says that nothing of it is a DOT in force now."""
        return not self.may_ask_something or is_nothing_by_status(self.header.batch_status)

    @property
    def may_ask_something(self) -> bool:
        """Whether a DOT of it may be in force, now or when its status changes: not of a cancelled, advisory or other batch."""
        kind = self.header.batch_type
        is_dot = (kind is None or kind in DOT_BATCH_TYPES) and is_binding(self.header.binding_flag)
        return is_dot and self.header.batch_status != Status.CANCELLED

    @property
    def instructs_nothing(self) -> bool:
        """Whether its header alone says so, whatever its type."""
        return is_nothing_by_status(self.header.batch_status) or not is_binding(self.header.binding_flag)

    def may_be_of(self, schedule: Schedule) -> bool:
        """Whether its DOTs are of a schedule, or may be while its type is not known."""
        kind = self.header.batch_type
        return kind is None or (kind in DOT_BATCH_TYPES and schedule in schedules_of(kind))

    def is_current(self, now: datetime) -> bool:
        """Whether it may be in force or ahead. How long an out-of-sequence dispatch lasts only its instructions tell."""
        untold = self.header.batch_type == BatchType.OUT_OF_SEQUENCE or self.header.start_at is None
        return self.until > now or (untold and self.had is None)

    def is_due(self, now: datetime) -> bool:
        """Whether to ask for it now; a clock that was set back puts nothing off."""
        return self.ask_at <= now or self.ask_at - now > ASK_AGAIN_MOST

    def told(self, header: DispatchBatchHeader, now: datetime, recheck: timedelta) -> "OpenBatch":
        """After CAISO said what the batch is now. An older revision than is known confirms nothing."""
        newest = self.header if self.is_missing else self.had or self.header
        if is_news(header, newest) and (self.had is None or is_news(header, self.had)):
            return self._to_be_had(header, now)
        if self.is_missing:
            return self
        if is_older(header, newest):
            return replace(self, ask_at=now + recheck)
        confirmed = self.confirmed(now, recheck)
        # A header cannot tell whether what was contradicted is said otherwise by now: its document is due as before.
        return replace(confirmed, ask_at=min(self.ask_at, confirmed.ask_at)) if self.contested else confirmed

    def _to_be_had(self, header: DispatchBatchHeader, now: datetime) -> "OpenBatch":
        known, until = Known.REPLACED if self.had else Known.LISTED, max(self.until, may_last_until(header, now))
        return replace(self, known=known, header=header, until=until, ask_at=now, failures=0, unusable=0, why=None)

    def confirmed(self, now: datetime, recheck: timedelta) -> "OpenBatch":
        """After CAISO said that what was had is what it is."""
        is_waiting = self.header.batch_status == Status.NEW  # it may be sent any moment: due in the next round
        ask_at = now if is_waiting else now + recheck
        return replace(self, known=Known.HELD, confirmed_at=now, ask_at=ask_at, failures=0, unusable=0, why=None)

    def passed_on(self, header: DispatchBatchHeader, now: datetime, recheck: timedelta) -> "OpenBatch":
        """After its document was had, which may be ahead of what was told of it; one that lags behind does not come here."""
        had = header if is_news(header, self.header) else self.header
        held = replace(self, header=had, had=had, validation_owed=True, validations_refused=0)
        return held.confirmed(now, recheck)

    def failed(self, failure: AdsFailure, now: datetime, jitter: float) -> "OpenBatch":
        """After a question without a usable answer: the next one comes later each time.

        `jitter` (0 to 1) takes up to half of the pause away: what failed together, here and at other clients, is not asked
        for again together.
        """
        first_s, most_s = ASK_AGAIN_FIRST.total_seconds(), ASK_AGAIN_MOST.total_seconds()
        wait = timedelta(seconds=backoff_s(self.failures + 1, first_s, most_s, jitter))
        unusable = self.unusable + (not isinstance(failure, Away))
        return replace(self, failures=self.failures + 1, unusable=unusable, why=failure, ask_at=now + wait)

    def is_final(self, now: datetime) -> bool:
        """Whether it stays as it is: by either clock it was over when CAISO confirmed it, and a cancel comes before that."""
        if self.known is not Known.HELD or self.until > now or self.confirmed_at is None:
            return False
        return self.confirmed_at >= self.until + CLOCKS_DIFFER_BY

    def may_change(self, now: datetime) -> bool:
        """Whether what was had may have a revision: while it lasts, and then until it is final."""
        if self.is_missing:
            return False
        if self.until > now:
            return True
        return self.may_ask_something and not self.is_final(now) and now - self.until < KEPT

    def doubted(self, now: datetime, vouched: timedelta) -> Doubts:
        """Whose states it speaks against at a time.

        Args:
            now: the time.
            vouched: how long CAISO's last word counts while it does not answer.
        """
        if self.until <= now:
            return Doubts()
        return Doubts(self.in_doubt | self.contested) if self._is_to_come(now) else self._against(now, vouched)

    def doubted_alone(self, now: datetime, vouched: timedelta) -> frozenset[str]:
        """Whose DOTs of it are in doubt while that says nothing against the rest of a state: it is over, or to come."""
        is_apart = self.had is not None and (self.until <= now or self._is_to_come(now))
        return self._against(now, vouched).resources if is_apart else frozenset()

    def _is_to_come(self, now: datetime) -> bool:
        """Whether CAISO forgot it, and what was had does not hold yet by either clock.

        It may have been cancelled. What CAISO does not answer about may be revised, and a revision may begin at once.
        """
        is_forgotten = isinstance(self.why, UnknownUid) and not self.is_missing
        return is_forgotten and self.begins_at is not None and self.begins_at - now > CLOCKS_DIFFER_BY

    def vouches_for(self, now: datetime, vouched: timedelta) -> frozenset[str]:
        """Whose states are no younger than CAISO's last word on it, which it does not speak against."""
        is_withdrawn = self.asks_nothing if self.is_missing else not self.may_ask_something
        if self.had is None or is_withdrawn or self.is_final(now):
            return frozenset()
        return self.resources - self._against(now, vouched).resources

    def _against(self, now: datetime, vouched: timedelta) -> Doubts:
        if self.is_missing:
            is_told = self.asks_nothing or not (self.failures or now - self.ask_at > ASKED_SOON)
            everyone = self.is_known_replaced or not self.resources
            disputed = frozenset() if self.asks_nothing else self.contested
            return Doubts(disputed) if is_told else Doubts(self.resources, everyone=everyone)
        is_lost = self.may_ask_something and self.is_unconfirmed(now, vouched)
        return Doubts(self.resources if is_lost else self.in_doubt | self.contested)

    def is_unconfirmed(self, now: datetime, vouched: timedelta) -> bool:
        """Whether CAISO's last word on what was had does not count any more."""
        if self.unusable:
            return True  # CAISO answered, and does not know it any more: that may have been a cancel
        if self.known is Known.RESTORED or self.confirmed_at is None:
            return True
        return abs(now - self.confirmed_at) > vouched and not self.is_final(now)

    def is_settled(self, now: datetime) -> bool:
        """Whether CAISO's list need not name it again, not even after a restart."""
        if self.is_missing:
            return self.is_given_up and self.until <= now
        is_doubted = self.in_doubt or self.others_in_doubt or self.contested
        is_undecided = is_doubted or (self.may_ask_something and self.asks_nothing)
        return not is_undecided or self.until <= now


def known_of(batch_uid: str, revision_no: int | None, batch_type: int | None = None) -> DispatchBatchHeader:
    """The header of a batch of which no more is known."""
    return DispatchBatchHeader(batch_uid=batch_uid, revision_no=revision_no, batch_type=batch_type)


def may_last_until(header: DispatchBatchHeader, now: datetime) -> datetime:
    """Until when a batch may be in force of which only the header is known."""
    until = open_until(header)
    if until is None or header.start_at is None:
        return now + UNTOLD_LENGTH
    tells = header.batch_type in {BatchType.FIVE_MINUTE, BatchType.HOURLY}
    return until if tells else header.start_at + KEPT


def is_news(header: DispatchBatchHeader, known: DispatchBatchHeader | None) -> bool:
    """Whether CAISO has more to say of a batch than we know: a higher revision, or another status in the same one."""
    if known is None:
        return True
    if header.revision_no is None or known.revision_no is None:
        return (header.revision_no, header.batch_status) != (known.revision_no, known.batch_status)
    if header.revision_no != known.revision_no:
        return header.revision_no > known.revision_no
    return header.batch_status != known.batch_status


def is_older(header: DispatchBatchHeader, known: DispatchBatchHeader) -> bool:
    """Whether CAISO says less of a batch than we know: a lower revision."""
    return header.revision_no is not None and known.revision_no is not None and header.revision_no < known.revision_no


def is_outdated(header: DispatchBatchHeader, listed: DispatchBatchHeader) -> bool:
    """Whether a batch lags behind what CAISO said of it: a lower revision, or not cancelled where it is."""
    if is_older(listed, header):
        return False
    if listed.batch_status == Status.CANCELLED and header.batch_status != Status.CANCELLED:
        return True
    return is_older(header, listed)

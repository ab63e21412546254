"""Open batches: what is known of each dispatch batch until nothing more is to be asked of it. Pure.

One record for each batch, in one of four states; each question that fails puts off its own batch and no other. What cannot be
had speaks against the resources that it named, or against all while they are not known, and only while its intervals last.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from ads_ingest.board import Doubts
from ads_ingest.faults import AdsFailure, Away, Unforeseen
from ads_ingest.intervals import is_news, is_older, open_until
from dotbus.contracts.instruction_states import Status, is_nothing_by_status
from dotbus.contracts.instruction_times import DOT_BATCH_TYPES, is_binding
from dotbus.contracts.messages import DispatchBatchHeader
from dotbus.contracts.schedules import BatchType, Schedule, schedules_of

ATTEMPTS = 3
"""Unusable answers after which a batch is given up: what is behind it in CAISO's list is settled once its time is over."""
ASK_AGAIN_FIRST = timedelta(seconds=2)
ASK_AGAIN_MOST = timedelta(minutes=5)
ASKED_SOON = timedelta(seconds=5)
"""How long something newer may be known of and wait for its turn before that speaks against what it replaces."""
UNTOLD_LENGTH = timedelta(hours=1)
"""How long a batch may last whose header does not tell: an out-of-sequence dispatch, or one without a start."""
KEPT = timedelta(hours=24)
"""How long a receipt is owed at most: CAISO forgets batches after a day (specification, 2.1)."""


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
        resources: that any revision of it named.
        in_doubt: resources of which CAISO has not decided an instruction.
        ask_at: when to ask for it next.
        confirmed_at: when CAISO last said that what we had is what it is.
        failures: questions without a usable answer in a row, for any reason.
        unusable: those of them that CAISO answered.
        why: the last of them.
        receipt_owed: whether CAISO is still to be told that we have it.
        receipts_refused: how often it did not take that.
    """

    batch_uid: str
    known: Known
    header: DispatchBatchHeader
    until: datetime
    ask_at: datetime
    had: DispatchBatchHeader | None = None
    resources: frozenset[str] = frozenset()
    in_doubt: frozenset[str] = frozenset()
    confirmed_at: datetime | None = None
    failures: int = 0
    unusable: int = 0
    why: AdsFailure | None = None
    receipt_owed: bool = False
    receipts_refused: int = 0

    @property
    def is_missing(self) -> bool:
        """Whether CAISO has more of it than was had."""
        return self.known in {Known.LISTED, Known.REPLACED}

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

    def may_be_of(self, schedule: Schedule) -> bool:
        """Whether its DOTs are of a schedule, or may be while its type is not known."""
        return self.header.batch_type is None or schedule in schedules_of(self.header.batch_type)

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
        return self.confirmed(now, recheck)

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
        held = replace(self, header=had, had=had, receipt_owed=True, receipts_refused=0)
        return held.confirmed(now, recheck)

    def failed(self, failure: AdsFailure, now: datetime) -> "OpenBatch":
        """After a question without a usable answer: the next one comes later each time."""
        wait = min(ASK_AGAIN_FIRST * 2 ** min(self.failures, 16), ASK_AGAIN_MOST)
        unusable = self.unusable + (not isinstance(failure, Away))
        return replace(self, failures=self.failures + 1, unusable=unusable, why=failure, ask_at=now + wait)

    def doubted(self, now: datetime, vouched: timedelta) -> Doubts:
        """Whose DOTs it speaks against at a time.

        Args:
            now: the time.
            vouched: how long CAISO's last word counts while it does not answer.
        """
        if self.until <= now:
            return Doubts()
        if self.is_missing:
            is_told = self.asks_nothing or not (self.failures or now - self.ask_at > ASKED_SOON)
            everyone = self.known is Known.LISTED and not self.resources
            return Doubts() if is_told else Doubts(self.resources, everyone=everyone)
        is_lost = self.may_ask_something and self._is_unconfirmed(now, vouched)
        return Doubts(self.resources if is_lost else self.in_doubt)

    def _is_unconfirmed(self, now: datetime, vouched: timedelta) -> bool:
        if self.why is not None and not isinstance(self.why, Away):
            return True  # CAISO answered, and does not know it any more: that may have been a cancel
        return self.known is Known.RESTORED or self.confirmed_at is None or abs(now - self.confirmed_at) > vouched

    def is_settled(self, now: datetime) -> bool:
        """Whether CAISO's list need not name it again, not even after a restart."""
        if self.is_missing:
            return self.is_given_up and self.until <= now
        is_undecided = self.in_doubt or (self.may_ask_something and self.asks_nothing)
        return not is_undecided or self.until <= now


class OpenBatches:
    """All that are known.

    Args:
        recheck: how often one that was had is asked for its revision.
        vouched: how long CAISO's last word counts while it does not answer.
    """

    def __init__(self, recheck: timedelta, vouched: timedelta) -> None:
        self._recheck = recheck
        self.vouched = vouched
        self._batches: dict[str, OpenBatch] = {}

    def get(self, batch_uid: str) -> OpenBatch | None:
        """What is known of a batch."""
        return self._batches.get(batch_uid)

    def note_listed(self, headers: Iterable[DispatchBatchHeader], now: datetime) -> None:
        """CAISO listed batches."""
        for header in headers:
            self.note_told(header, now)

    def note_told(self, header: DispatchBatchHeader, now: datetime) -> OpenBatch:
        """CAISO said what a batch is now. Returns what is known of it then."""
        uid = header.batch_uid
        batch = self._batches.get(uid)
        if batch is None:
            return self._put(OpenBatch(uid, Known.LISTED, header, until=may_last_until(header, now), ask_at=now))
        return self._put(batch.told(header, now, self._recheck))

    def note_names(self, batch_uid: str, resources: Collection[str]) -> None:
        """Whom a document names, before it is known whether it can be passed on."""
        batch = self._batches[batch_uid]
        self._put(replace(batch, resources=batch.resources | frozenset(resources)))

    def take_back(self, batch: OpenBatch | None) -> None:
        """As it was before something that could not be kept."""
        if batch:
            self._put(batch)

    def note_had(self, header: DispatchBatchHeader, until: datetime | None, in_doubt: Collection[str], now: datetime) -> None:
        """A batch is in the outbox, as its document says, and lasts until a time."""
        batch = replace(self._batches[header.batch_uid], until=until or now, in_doubt=frozenset(in_doubt))
        self._put(batch.passed_on(header, now, self._recheck))

    def note_failed(self, batch_uid: str, failure: AdsFailure, now: datetime) -> OpenBatch:
        """A question about a batch had no usable answer. Returns what is known of it then."""
        return self._put(self._batches[batch_uid].failed(failure, now))

    def restore(self, header: DispatchBatchHeader, resource_id: str, until: datetime, now: datetime) -> None:
        """A kept state speaks of a batch: after a restart it is open until its last interval ends, and may lack its receipt."""
        if until <= now:
            return
        uid = header.batch_uid
        batch = self._batches.get(uid)
        if batch is None:
            batch = OpenBatch(uid, Known.RESTORED, header, until, now, had=header, receipt_owed=True)
        if (header.revision_no or 0) > (batch.header.revision_no or 0):
            batch = replace(batch, header=header, had=header)
        self._put(replace(batch, until=max(batch.until, until), resources=batch.resources | {resource_id}))

    def read_anew(self, now: datetime) -> None:
        """Everything is to be had again, because what held had counted as past."""
        for batch in list(self._batches.values()):
            if batch.known is Known.HELD:
                bare = known_of(batch.batch_uid, batch.header.revision_no, batch.header.batch_type)
                self._put(replace(batch, known=Known.RESTORED, header=bare, had=bare, ask_at=now))

    def to_take(self, now: datetime) -> list[OpenBatch]:
        """What was never asked for and may be in force, in CAISO's order: before everything else, and all of it."""
        return [each for each in self._batches.values() if each.is_missing and not each.failures and each.is_current(now)]

    def to_ask_again(self, now: datetime) -> list[OpenBatch]:
        """What may be in force and is due: what could not be had, and what was had and may have a revision by now.

        The longest waiting first, so that none waits for another that fails.
        """
        missing = [each for each in self._batches.values() if each.is_missing and each.failures and each.is_current(now)]
        had = [each for each in self._batches.values() if not each.is_missing and each.until > now]
        return sorted((each for each in (*missing, *had) if each.is_due(now)), key=lambda each: each.ask_at)

    def backlog(self, now: datetime) -> list[OpenBatch]:
        """What is over, was never had and is due: first what was never asked for, in CAISO's order."""
        over = (each for each in self._batches.values() if each.is_missing and not each.is_current(now))
        return sorted((each for each in over if each.is_due(now) and not each.is_given_up), key=lambda each: each.failures > 0)

    def lacks_none(self, now: datetime) -> bool:
        """Whether everything that may be in force was had."""
        return not any(each.known is Known.LISTED and each.is_current(now) for each in self._batches.values())

    def missing(self, now: datetime) -> tuple[AdsFailure, ...]:
        """Why each thing that is to be had, or to be confirmed, could not be."""
        return tuple(
            each.why
            for each in self._batches.values()
            if each.why and (each.until > now or (each.is_missing and not each.is_given_up))
        )

    def doubts(self, now: datetime, schedule: Schedule) -> Doubts:
        """Whose DOTs of a schedule are in doubt."""
        concerned = (each for each in self._batches.values() if each.may_be_of(schedule))
        doubts = [each.doubted(now, self.vouched) for each in concerned]
        resources = frozenset(resource for each in doubts for resource in each.resources)
        return Doubts(resources, everyone=any(each.everyone for each in doubts))

    def is_settled(self, batch_uid: str, now: datetime) -> bool:
        """Whether CAISO's list need not name a batch again, not even after a restart."""
        batch = self._batches.get(batch_uid)
        return batch is None or batch.is_settled(now)

    def forget_settled(self, listed: Collection[str], now: datetime) -> None:
        """Let go of what is over, is not listed any more and owes no receipt."""
        for uid, batch in list(self._batches.items()):
            owes = batch.receipt_owed and now - batch.until < KEPT
            if uid not in listed and batch.until <= now and not owes:
                del self._batches[uid]

    def receipts_owed(self) -> list[str]:
        """The batches that are safe with us, which CAISO was not told."""
        return [uid for uid, batch in self._batches.items() if batch.receipt_owed]

    def note_receipt(self, batch_uid: str, *, taken: bool, attempts: int) -> bool:
        """CAISO took a receipt, or refused it. Returns whether it is given up."""
        batch = self._batches[batch_uid]
        refused = batch.receipts_refused + (not taken)
        is_given_up = refused >= attempts
        self._put(replace(batch, receipt_owed=not (taken or is_given_up), receipts_refused=refused))
        return is_given_up

    def put_off_receipt(self, batch_uid: str) -> None:
        """CAISO did not answer about this one: the others come first."""
        self._batches[batch_uid] = self._batches.pop(batch_uid)

    def _put(self, batch: OpenBatch) -> OpenBatch:
        self._batches[batch.batch_uid] = batch
        return batch


def known_of(batch_uid: str, revision_no: int | None, batch_type: int | None = None) -> DispatchBatchHeader:
    """The header of a batch of which no more is known."""
    return DispatchBatchHeader(batch_uid=batch_uid, revision_no=revision_no, batch_type=batch_type)


def may_last_until(header: DispatchBatchHeader, now: datetime) -> datetime:
    """Until when a batch may be in force of which only the header is known."""
    until = open_until(header)
    if until is None or header.start_at is None:
        return now + UNTOLD_LENGTH
    return header.start_at + UNTOLD_LENGTH if header.batch_type == BatchType.OUT_OF_SEQUENCE else until

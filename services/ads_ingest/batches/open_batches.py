"""Open batches: every dispatch batch of which something is to be asked, when to ask, and whom they speak against. Pure.

Each question that fails puts off its own batch and no other.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import itemgetter

from ads_ingest.batches.contradictions import ToldOtherwise
from ads_ingest.batches.open_batch import KEPT, Known, OpenBatch, is_news, is_older, known_of, may_last_until
from ads_ingest.known.doubts import Doubts
from ads_ingest.known.state import KnownState
from caiso.ads.errors import AdsFailure
from dotbus.contracts.messages import DispatchBatchHeader, Dot
from dotbus.contracts.schedules import Schedule
from dotbus.setpoints.schedules import DotSchedule

VOUCHED_SHARE = 2 / 3
"""Of the time for which a state counts. A batch that is not confirmed must be known by then: else all that its resource's
state says would be stale for it."""


def vouched_for(confirmed_after: timedelta, counts_for: timedelta) -> timedelta:
    """How long CAISO's last word on a batch counts while it does not answer for that one.

    Args:
        confirmed_after: when it is confirmed again at the latest, should one question fail.
        counts_for: how long a state counts for its readers without being said again.
    """
    return max(counts_for * VOUCHED_SHARE, confirmed_after)


def oldest(confirmed: Iterable[tuple[datetime, Collection[str]]]) -> Mapping[str, datetime]:
    """Of each resource the first of the times at which something of it was confirmed."""
    found: dict[str, datetime] = {}
    for at, resources in sorted(confirmed, key=itemgetter(0), reverse=True):
        found.update(dict.fromkeys(resources, at))
    return found


class OpenBatches:
    """All that are known.

    Args:
        recheck: how often one that was had is asked for its revision.
        vouched: how long CAISO's last word counts while it does not answer.
        chance: 0 to 1, for pauses that do not end together.
    """

    def __init__(self, recheck: timedelta, vouched: timedelta, chance: Callable[[], float]) -> None:
        self._recheck = recheck
        self.vouched = vouched
        self._chance = chance
        self._batches: dict[str, OpenBatch] = {}
        self._had_before: dict[str, DispatchBatchHeader] = {}
        self._listed_before: frozenset[str] = frozenset()

    def get(self, batch_uid: str) -> OpenBatch | None:
        """What is known of a batch."""
        return self._batches.get(batch_uid)

    def every(self) -> Sequence[OpenBatch]:
        """All that are known at this moment: the threads of other accounts read them, too."""
        return tuple(self._batches.values())

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

    def note_had(
        self,
        header: DispatchBatchHeader,
        until: datetime | None,
        in_doubt: Collection[str],
        now: datetime,
        words: Mapping[str, str] | None = None,
        begins_at: datetime | None = None,
        others_in_doubt: Collection[str] = (),
    ) -> None:
        """A batch is in the outbox, as its document says, which tells these resources their words, and lasts until a time."""
        words = words or {}
        batch = replace(
            self._batches[header.batch_uid],
            begins_at=begins_at,
            until=until or now,
            named=frozenset(words),
            words=words,
            in_doubt=frozenset(in_doubt),
            others_in_doubt=frozenset(others_in_doubt),
        )
        self._put(batch.passed_on(header, now, self._recheck))

    def note_decided(self, batch_uid: str, resources: Collection[str]) -> None:
        """Another account was told what holds of resources that a batch does not name to this one."""
        batch = self._batches.get(batch_uid)
        if batch and not batch.in_doubt.isdisjoint(unnamed := frozenset(resources) - batch.named):
            self._put(replace(batch, in_doubt=batch.in_doubt - unnamed))

    def note_cancelled(self, header: DispatchBatchHeader) -> None:
        """Another account was told that a batch is cancelled, which this one knows of by a state of before a restart alone.

        Its own CAISO may be behind, and would never confirm what that state was made of.
        """
        batch = self._batches.get(header.batch_uid)
        if batch and batch.known is Known.RESTORED and not is_older(header, batch.header):
            self._put(replace(batch, header=header, had=header))

    def note_contested(self, batch_uid: str, resources: frozenset[str]) -> None:
        """Accounts were told different things of these resources in a batch, and of no others."""
        batch = self._batches.get(batch_uid)
        if batch and batch.contested != (own := resources.intersection(batch.words)):
            self._put(replace(batch, contested=own))

    def note_failed(self, batch_uid: str, failure: AdsFailure, now: datetime) -> OpenBatch:
        """A question about a batch had no usable answer. Returns what is known of it then."""
        return self._put(self._batches[batch_uid].failed(failure, now, self._chance()))

    def missing_headers(self, now: datetime) -> tuple[DispatchBatchHeader, ...]:
        """What CAISO listed, was not had, or not as it is now, and is to be had or may last still.

        What is given up speaks against others as long as it may last, also after a restart: CAISO may not list it any more.
        """
        return tuple(each.header for each in self.every() if each.is_missing and not each.is_settled(now))

    def restore_told(
        self, missing: Iterable[DispatchBatchHeader], had: Mapping[str, DispatchBatchHeader], listed_at: datetime
    ) -> None:
        """Before a restart CAISO listed these and they were not had, and those were, as their documents said."""
        headers = tuple(missing)
        self.note_listed(headers, listed_at)
        self._listed_before = frozenset(header.batch_uid for header in headers)
        self._had_before |= had

    def restore(
        self,
        header: DispatchBatchHeader,
        resource_id: str,
        until: datetime,
        now: datetime,
        begins_at: datetime | None = None,
    ) -> None:
        """A kept state speaks of a batch: after a restart CAISO is to confirm it, and it may lack its validation."""
        if now - until >= KEPT:
            return
        uid = header.batch_uid
        batch = self._batches.get(uid)
        if batch is None:
            batch = OpenBatch(uid, Known.RESTORED, header, until, now, had=header, begins_at=begins_at, validation_owed=True)
        if batch.known is Known.LISTED and is_older(header, batch.header):
            batch = replace(batch, known=Known.REPLACED, had=header)
        if (header.revision_no or 0) > (batch.header.revision_no or 0):
            batch = replace(batch, header=header, had=header)
        resources, named = batch.resources | {resource_id}, batch.named | {resource_id}
        begins = min(batch.begins_at, begins_at) if batch.begins_at and begins_at else None
        self._put(replace(batch, until=max(batch.until, until), begins_at=begins, resources=resources, named=named))

    def restore_words(self, told: ToldOtherwise, now: datetime) -> None:
        """What was told of a batch before a restart, and contradicted."""
        for resource_id in told.words:
            self.restore(known_of(told.batch_uid, told.revision_no, told.batch_type), resource_id, told.until, now)
        batch = self._batches.get(told.batch_uid)
        if batch and batch.had and (batch.had.revision_no or 0) == (told.revision_no or 0):
            self._put(replace(batch, words=told.words))

    def read_anew(self, now: datetime) -> None:
        """Everything is to be had again, because what held had counted as past."""
        for batch in self.every():
            if batch.known is Known.HELD:
                self._had_before[batch.batch_uid] = batch.had or batch.header
                bare = known_of(batch.batch_uid, batch.header.revision_no, batch.header.batch_type)
                self._put(replace(batch, known=Known.RESTORED, header=bare, had=bare, ask_at=now))

    def told(self, now: datetime) -> list[OpenBatch]:
        """What CAISO told of, was not asked for since and may be in force, in CAISO's order."""
        return [each for each in self.every() if each.is_missing and not each.failures and each.is_current(now)]

    def to_take(self, now: datetime) -> list[OpenBatch]:
        """What of that is new: before everything else, and all of it, in CAISO's order.

        What was listed before a restart comes behind what was not: it may have been asked for in vain by then.
        """
        new = [each for each in self.told(now) if self._is_new(each)]
        return sorted(new, key=lambda each: each.batch_uid in self._listed_before)

    def _is_new(self, batch: OpenBatch) -> bool:
        """Whether CAISO has more of it than was ever had, before a restart or since."""
        return is_news(batch.header, self._had_before.get(batch.batch_uid))

    def _told_and_had(self, now: datetime) -> list[OpenBatch]:
        return [each for each in self.told(now) if not self._is_new(each)]

    def again_at(self, now: datetime) -> datetime | None:
        """When the first of what may be in force and was not had is to be asked for; None when all was had."""
        in_vain = (each for each in self.every() if each.could_not_be_had and each.is_current(now))
        return min((each.ask_at for each in (*in_vain, *self.to_take(now))), default=None)

    def next_at(self, now: datetime) -> datetime | None:
        """The same, and of what was had before a restart and CAISO has not confirmed."""
        restored = (each for each in self.every() if each.known is Known.RESTORED and each.until > now)
        unconfirmed = (each.ask_at for each in (*restored, *self._told_and_had(now)))
        return min((at for at in (self.again_at(now), *unconfirmed) if at), default=None)

    def to_ask_again(self, now: datetime) -> list[OpenBatch]:
        """What may be in force and is due: what could not be had, and behind all of it what was had, and may have a revision.

        Of each the longest waiting first, so that none waits for another that fails; what is over after all others.
        """
        missing = [each for each in self.every() if each.could_not_be_had and each.is_current(now)]
        had = [each for each in self.every() if each.may_change(now)]
        due = (each for each in (*missing, *had, *self._told_and_had(now)) if each.is_due(now))
        return sorted(due, key=lambda each: (not each.could_not_be_had, each.until <= now, each.ask_at))

    def backlog(self, now: datetime) -> list[OpenBatch]:
        """What is over, was never had and is due: first what was never asked for, in CAISO's order."""
        over = (each for each in self.every() if each.is_missing and not each.is_current(now))
        return sorted((each for each in over if each.is_due(now) and not each.is_given_up), key=lambda each: each.failures > 0)

    def lacks_none(self, now: datetime) -> bool:
        """Whether everything that may be in force was had."""
        return not any(each.known is Known.LISTED and each.is_current(now) for each in self.every())

    def missing(self, now: datetime) -> tuple[AdsFailure, ...]:
        """Why each thing that is to be had, or to be confirmed, could not be."""
        return tuple(
            each.why for each in self.every() if each.why and (each.until > now or (each.is_missing and not each.is_given_up))
        )

    def doubts(self, now: datetime, schedule: Schedule) -> Doubts:
        """Whose DOTs of a schedule are in doubt."""
        concerned = (each for each in self.every() if each.may_be_of(schedule))
        doubts = [each.doubted(now, self.vouched) for each in concerned]
        resources = frozenset(resource for each in doubts for resource in each.resources)
        return Doubts(resources, everyone=any(each.everyone for each in doubts))

    def doubts_of_batches(self, now: datetime) -> Mapping[str, frozenset[str]]:
        """Of each batch that is over, or to come, the resources whose DOTs of it alone are in doubt."""
        found = ((each.batch_uid, each.doubted_alone(now, self.vouched)) for each in self.every())
        return {uid: resources for uid, resources in found if resources}

    def confirmed(self, now: datetime) -> Mapping[str, datetime]:
        """Of each resource the oldest of CAISO's last words on the batches of its state, those in doubt left out."""
        return oldest((each.confirmed_at, each.vouches_for(now, self.vouched)) for each in self.every() if each.confirmed_at)

    def is_settled(self, batch_uid: str, now: datetime) -> bool:
        """Whether CAISO's list need not name a batch again, not even after a restart."""
        batch = self._batches.get(batch_uid)
        return batch is None or batch.is_settled(now)

    def forget_settled(self, needed: Collection[str], now: datetime) -> None:
        """Let go of what is over, was had, is not needed (listed, or in a state) any more and owes no validation."""
        for uid, batch in list(self._batches.items()):
            is_to_be_had = batch.is_missing and not batch.is_given_up
            owes = is_to_be_had or (batch.validation_owed and now - batch.until < KEPT)
            if uid not in needed and batch.until <= now and not owes:
                del self._batches[uid]
                self._had_before.pop(uid, None)

    def validations_owed(self) -> list[str]:
        """The batches that are safe with us, which CAISO was not told."""
        return [uid for uid, batch in self._batches.items() if batch.validation_owed]

    def note_validation(self, batch_uid: str, *, taken: bool, attempts: int) -> bool:
        """CAISO took a validation, or refused it. Returns whether it is given up."""
        batch = self._batches[batch_uid]
        refused = batch.validations_refused + (not taken)
        is_given_up = refused >= attempts
        self._put(replace(batch, validation_owed=not (taken or is_given_up), validations_refused=refused))
        return is_given_up

    def put_off_validation(self, batch_uid: str) -> None:
        """CAISO did not answer about this one: the others come first."""
        self._batches[batch_uid] = self._batches.pop(batch_uid)

    def _put(self, batch: OpenBatch) -> OpenBatch:
        self._batches[batch.batch_uid] = batch
        return batch


def restore_dots(batches: OpenBatches, known_state: KnownState[DotSchedule, Dot], now: datetime) -> None:
    """After a restart: the batches of the kept states are open until their intervals end."""
    for resource_id, entry in known_state.entries.items():
        if not known_state.is_of(resource_id):
            continue
        for interval in entry.intervals:
            header = known_of(interval.batch_uid, interval.revision_no, interval.batch_type)
            batches.restore(header, resource_id, interval.interval_end, now, interval.interval_start)
        for withdrawn in entry.withdrawn:
            batches.restore(known_of(withdrawn.batch_uid, withdrawn.revision_no), resource_id, withdrawn.until, now)

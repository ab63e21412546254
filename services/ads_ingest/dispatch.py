"""Dispatch: one round of the loop for dispatch batches (specification, section 4).

New batches are listed, fetched, kept and only then validated: a crash between any two steps leaves a batch that is asked for
again, or validated again, both of which the outbox and CAISO pass over. What is new comes first, always. Then come batches
that could not be had and those whose interval has not ended, which are asked for their revision because an emergency cancel
comes as one; as many as fit into a short time, so that the next round is not late. What is over comes last: it is asked for
once more, because a ramp begins at the DOT before.

A batch that cannot be had holds back the cursor and nothing else: neither other batches nor, beyond those that it speaks of,
any resource (`open_batches`).
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

import msgspec

from ads_ingest.batches.alarms import DispatchAlarms
from ads_ingest.batches.clock_steps import ClockSteps
from ads_ingest.batches.open_batch import ASKED_SOON, OpenBatch, known_of, may_last_until
from ads_ingest.batches.open_batches import OpenBatches
from ads_ingest.batches.silence import Silence
from ads_ingest.batches.validations import Validations
from ads_ingest.batches.views import Views
from ads_ingest.caiso import Ads, CursorQuestion, WholeQuestion, answered_at, time_of
from ads_ingest.faults import Outdated, Unanswered, Unreadable
from ads_ingest.files.latest import DocumentFiles
from ads_ingest.known.instruction_state import (
    fold_instructions,
    judge_instructions,
    restore_instructions,
    withdraw_instructions,
)
from ads_ingest.known.intervals import is_in_doubt, is_outdated, open_until, unreadable_of
from ads_ingest.known.schedules import DotSchedule
from ads_ingest.known.state import KnownState
from ads_ingest.publishing import Publisher
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.translate import Sender, translate_dispatch, translate_header
from caiso.ads import WHOLE_CACHE
from caiso.ads.errors import AdsFailure, Away, Unforeseen
from caiso.ads.records import DispatchBatch, DispatchBatchList, Question
from dotbus.contracts.instruction_states import Status
from dotbus.contracts.messages import Dispatch, DispatchBatchHeader, Dot
from dotbus.contracts.schedules import DOT_BATCH_TYPES, Schedule

CURSOR = "dispatch"
BACKLOG_PER_ROUND = 25
ASKED_AGAIN_PER_ROUND = 40
ASKED_AGAIN_FOR = timedelta(seconds=10)
"""How long a round goes on asking for what is not new. A question that times out takes longer, and is the last one then."""
AWAY_IN_BACKLOG = 2


class DispatchStream:
    """Follows the dispatch batches.

    Args:
        caiso: who is asked.
        publisher: where they go.
        sender: who passes them on.
        validations: who tells CAISO that we have them.
        quarantine_log: where unusable ones go.
        files: the documents for whoever reads files.
        batches: what is known of each.
        views: which of them this account is shown, and the others are.
        clock: the wall clock.
        clock_steps: whether it was set.
        silence: since when no batch came, and of_trajectories the same of those.
        alarms: what is told though CAISO answers.
        note_seen: told which resources CAISO names, where that matters.
    """

    def __init__(
        self,
        caiso: Ads,
        publisher: Publisher[DotSchedule, Dot],
        sender: Sender,
        *,
        validations: Validations,
        quarantine_log: QuarantineLog,
        files: DocumentFiles,
        batches: OpenBatches,
        clock: Callable[[], datetime],
        views: Views,
        clock_steps: ClockSteps,
        silence: Silence,
        of_trajectories: Silence,
        alarms: DispatchAlarms,
        note_seen: Callable[[Collection[str]], None] = lambda _resources: None,
    ) -> None:
        self._caiso = caiso
        self._silence = silence
        self._of_trajectories = of_trajectories
        self._alarms = alarms
        self._note_seen = note_seen
        self._new = CursorQuestion()
        self._whole = WholeQuestion(
            caiso.get_dispatch_batches_since_uid, _listed_in, _listed_behind, "dispatch batches", "its list left them out"
        )
        self._publisher = publisher
        self._sender = sender
        self._validations = validations
        self._quarantine_log = quarantine_log
        self._files = files
        self._batches = batches
        self._views = views
        self._clock = clock
        self._clock_steps = clock_steps
        self._listed: Sequence[DispatchBatchHeader] = ()
        self._looked_through = publisher.cursor != WHOLE_CACHE
        self._listed_at: datetime | None = None
        batches.note_listed(publisher.missing, clock())  # before a restart
        restore(batches, publisher.known_state, clock())
        if publisher.instructions:
            restore_instructions(batches, publisher.instructions, clock())

    def round(self) -> Unanswered:
        """Ask for what is new and for what may have changed. Returns what could not be had.

        Raises:
            AdsFailure: CAISO could not be asked for new batches.
            sqlite3.Error: the outbox cannot keep anything.
        """
        try:
            return self._round()
        except AdsFailure:
            self._publisher.note_failing()
            if self._publisher.known_state.is_one_of_several:
                self._commit((), self._publisher.cursor, news_only=True)
            raise

    def _round(self) -> Unanswered:
        if back := self._clock_steps.set_back_by():
            self._batches.read_anew(self._clock())
            with self._publisher.lock:
                self._judge(self._clock())
                self._publisher.begin_anew(back, self._clock())
        listed, cursor = self._new.since(self._caiso.get_dispatch_batches_since_uid, self._publisher.cursor)
        unheard: tuple[AdsFailure, ...] = ()
        if not listed.headers and cursor != WHOLE_CACHE and self._silence.is_to_check(self._of_trajectories, self._clock()):
            self._silence.note_checked(self._clock())
            try:
                listed, cursor = self._whole.since(cursor)
            except AdsFailure as failure:  # CAISO did answer what is new
                unheard = (failure,)
        now = self._clock()
        self._alarms.note_heard(now, time_of(self._caiso, now))
        if any(self._batches.get(header.batch_uid) is None for header in listed.headers):
            self._silence.note_news(now)
        self._listed = tuple(translate_header(header) for header in listed.headers)
        self._listed_at = self._listed_at or now
        self._batches.note_listed(self._listed, now)
        self._publisher.note_heard(answered_at(self._caiso, now))
        self._publisher.keep_missing(self._batches.missing_headers())
        self._withdraw_what_asks_nothing()
        if cursor != self._publisher.cursor:
            self._commit((), cursor, news_only=True)
        self._quarantine_log.of_problems("getDispatchBatchesSinceUID", listed.problems, listed.xml, now)
        failures = (*unheard, *self._take_new(), *self._ask_again(), *self._take_backlog())
        self._looked_through = True
        self._publisher.known_state.complete |= self._batches.lacks_none(self._clock())
        if self._publisher.instructions:
            self._publisher.instructions.complete = self._publisher.known_state.complete
        self._commit((), self._settled_to())
        self._publisher.keep_missing(self._batches.missing_headers())
        with self._publisher.lock:
            self._batches.forget_settled(self._needed(), self._clock())
        self._validations.send(self._batches)
        return Unanswered(failures, self._batches.missing(self._clock()), self._alarms.alarms(self._clock()))

    def _withdraw_what_asks_nothing(self) -> None:
        """What the list tells of a cancel counts before any document is asked for, which may take long."""
        for batch in self._batches.to_take(self._clock()):
            if batch.asks_nothing:
                self._withdraw(batch)

    def _take_new(self) -> Iterator[AdsFailure]:
        for batch in self._batches.to_take(self._clock()):
            if failure := self._take(batch):
                yield failure

    def _ask_again(self) -> Iterator[AdsFailure]:
        begun = self._clock()
        due = self._batches.to_ask_again(begun)[:ASKED_AGAIN_PER_ROUND]
        if any(batch.failures for batch in due):
            # It may fail again slowly: what is in doubt is told before.
            self._commit((), self._publisher.cursor, news_only=True)
        for batch in due:
            yield from self._retry(batch) if batch.is_missing else self._recheck(batch)
            if abs(self._clock() - begun) >= ASKED_AGAIN_FOR:
                return

    def _take_backlog(self) -> Iterator[AdsFailure]:
        away = 0
        for batch in self._batches.backlog(self._clock())[:BACKLOG_PER_ROUND]:
            if failure := self._take(batch):
                yield failure
                away += isinstance(failure, Away)
            if away >= AWAY_IN_BACKLOG:
                return

    def _retry(self, batch: OpenBatch) -> Iterator[AdsFailure]:
        if failure := self._take(batch):
            yield failure

    def _recheck(self, batch: OpenBatch) -> Iterator[AdsFailure]:
        """Ask what a batch is now; where only its header cannot be had, the batch itself tells."""
        asked_at = self._clock()
        try:
            header = translate_header(self._caiso.get_batch_header(batch.batch_uid))
        except Away as failure:
            self._batches.note_failed(batch.batch_uid, failure, self._clock())
            yield failure
        except AdsFailure as failure:
            yield failure
            again = self._take(batch)
            if isinstance(again, Away):  # it tells nothing, and the header's answer spoke against the batch
                self._note_failed(batch, failure)
            if again:
                yield again
        else:
            told = self._batches.note_told(header, asked_at)
            if told.is_missing:
                yield from self._retry(told)

    def _take(self, batch: OpenBatch) -> AdsFailure | None:
        """Fetch and keep one batch. Returns why not, or what of it nobody can read."""
        if batch.is_missing and batch.asks_nothing:
            self._withdraw(batch)  # without waiting for a document that may not come
        try:
            document = self._caiso.get_dispatch_batch(batch.batch_uid)
            self._batches.note_names(batch.batch_uid, {each.resource_id for each in document.instructions})
            if is_outdated(translate_header(document.header), batch.header):
                question = Question("getDispatchBatch", batch.batch_uid)
                raise Outdated(question, "an older revision than its header says", document.xml)
            with self._publisher.lock:
                unreadable = self._keep(batch, document)
        except AdsFailure as failure:
            with self._publisher.lock:
                self._note_failed(batch, failure)
            return failure
        self._files.note_dispatch(document, self._clock())
        return unreadable

    def _keep(self, batch: OpenBatch, document: DispatchBatch) -> Unreadable | None:
        """Pass a batch on, all of it or nothing: whatever is wrong with it ends here. Returns what of it nobody can read.

        Raises:
            Unforeseen: this software cannot pass it on.
            sqlite3.Error: the outbox cannot keep anything.
        """
        known_state, instructions, uid = self._publisher.known_state, self._publisher.instructions, batch.batch_uid
        entries, known = dict(known_state.entries), self._batches.get(uid)
        instructed = dict(instructions.entries) if instructions else {}
        try:
            unreadable = self._pass_on(document)
        except Exception as error:
            known_state.take_back(entries)
            if instructions:
                instructions.take_back(instructed)
            self._batches.take_back(known)
            if isinstance(error, sqlite3.Error):
                raise
            raise Unforeseen(Question("getDispatchBatch", uid), repr(error), document.xml) from error
        self._quarantine_log.of_problems(f"getDispatchBatch({uid})", document.problems, document.xml, self._clock())
        return Unreadable(Question("getDispatchBatch", uid), "; ".join(unreadable), document.xml) if unreadable else None

    def _pass_on(self, document: DispatchBatch) -> list[str]:
        """Events, states and cursor into the outbox. Returns what nobody can read, which speaks against its resources."""
        now, header = self._clock(), translate_header(document.header)
        named = {each.resource_id for each in document.instructions}
        self._note_seen(named)
        before = self._named_before(header.batch_uid)
        unnamed = self._views.silence(header, named, before)
        events = translate_dispatch(document, self._sender, now, unnamed.gone)
        fold(self._publisher.known_state, header, events, unnamed.over)
        if self._publisher.instructions:
            fold_instructions(self._publisher.instructions, header, events, unnamed.over, now)
        in_doubt = {event.resource_id for event in events if is_in_doubt(event)}
        in_doubt |= {resource_id for resource_id in unnamed.awaited - unnamed.over if before[resource_id] is not None}
        instructed = chain.from_iterable(event.instructions for event in events)
        unreadable = list(dict.fromkeys(chain.from_iterable(map(unreadable_of, events))))
        untold = may_last_until(header, now) if unreadable else None
        until = max((at for at in (open_until(header, instructed), untold) if at), default=None)
        self._batches.note_had(header, until, in_doubt, now, named)
        self._views.note(header, named, unnamed)
        self._commit(events, self._settled_to(), news_only=True)
        return unreadable

    def _note_failed(self, batch: OpenBatch, failure: AdsFailure) -> None:
        now, was_given_up = self._clock(), batch.is_given_up
        failed = self._batches.note_failed(batch.batch_uid, failure, now)
        if not failed.is_given_up or was_given_up:
            return
        if failed.is_known_replaced:
            held = self._named_before(batch.batch_uid)
            older = [resource for resource, revision in held.items() if (revision or 0) < (failed.header.revision_no or 0)]
            self._withdraw_from(batch.batch_uid, None, None, older)
            self._withdraw_instructions(failed)
        doubts = failed.doubted(now, self._batches.vouched)
        self._quarantine_log.of_loss(failure, ["all"] if doubts.everyone else sorted(doubts.resources), now)

    def _withdraw(self, batch: OpenBatch) -> None:
        """Take the DOTs of a batch away by its header alone. Of a cancel every resource is told while nobody knows its own."""
        with self._publisher.lock:
            self._withdraw_at_once(batch)

    def _withdraw_at_once(self, batch: OpenBatch) -> None:
        named = self._named_by(batch.batch_uid)
        if not named and batch.header.batch_status == Status.CANCELLED and batch.header.batch_type in DOT_BATCH_TYPES:
            named = frozenset(filter(self._publisher.known_state.is_of, self._publisher.known_state.entries))
        if batch.header.batch_type is None or batch.header.batch_type in DOT_BATCH_TYPES:
            self._withdraw_from(batch.batch_uid, batch.header.revision_no, batch.until, named)
        if batch.instructs_nothing:
            self._withdraw_instructions(batch)
        self._commit((), self._publisher.cursor, news_only=True)

    def _withdraw_from(
        self, batch_uid: str, revision_no: int | None, until: datetime | None, resources: Collection[str]
    ) -> None:
        known_state = self._publisher.known_state
        for resource_id in resources:
            known_state.put(resource_id, known_state.entry(resource_id).without_batch(batch_uid, revision_no, until))

    def _withdraw_instructions(self, batch: OpenBatch) -> None:
        if self._publisher.instructions:
            withdraw_instructions(self._publisher.instructions, batch, self._named_by(batch.batch_uid), self._clock())

    def _commit(self, events: Sequence[Dispatch], cursor: str, *, news_only: bool = False) -> None:
        with self._publisher.lock:
            now = self._clock()
            self._judge(now)
            self._publisher.commit(now, events, cursor, news_only=news_only, events_only=self._knows_a_part_only(now))

    def _knows_a_part_only(self, now: datetime) -> bool:
        """Whether nothing of before is known, and what CAISO lists was asked for in part only.

        A state that is made of it would pass for all that holds. What takes longer speaks against the states by then.
        """
        return not self._looked_through and self._listed_at is not None and now - self._listed_at <= ASKED_SOON

    def _judge(self, now: datetime) -> None:
        """What speaks against each state, and since when each counts."""
        known_state, batches = self._publisher.known_state, self._batches
        known_state.doubts = {schedule: batches.doubts(now, schedule) for schedule in Schedule}
        known_state.doubts_of_past = batches.doubts_of_past(now)
        known_state.confirmed = {resource: answered_at(self._caiso, at) for resource, at in batches.confirmed(now).items()}
        known_state.untold = frozenset(resource for resource in known_state.sees if self._is_untold(resource, now))
        if instructions := self._publisher.instructions:
            confirmed = judge_instructions(instructions, batches, now)
            instructions.confirmed = {resource: answered_at(self._caiso, at) for resource, at in confirmed.items()}

    def _is_untold(self, resource_id: str, now: datetime) -> bool:
        """Whether a state holds DOTs that only another account was told of."""
        intervals = self._publisher.known_state.entry(resource_id).intervals
        held = {one.batch_uid for one in intervals if one.interval_end > now}
        return any((batch := self._batches.get(uid)) is None or resource_id not in batch.resources for uid in held)

    def _settled_to(self) -> str:
        """The last listed batch before the first that has to be listed again after a restart."""
        cursor, now = self._publisher.cursor, self._clock()
        for header in self._listed:
            if not self._batches.is_settled(header.batch_uid, now):
                break
            cursor = header.batch_uid
        return cursor

    def _needed(self) -> frozenset[str]:
        """The batches that CAISO lists, and those that a state is made of."""
        in_states = (
            interval.batch_uid for entry in self._publisher.known_state.entries.values() for interval in entry.intervals
        )
        return frozenset(in_states) | {header.batch_uid for header in self._listed}

    def _named_by(self, batch_uid: str) -> frozenset[str]:
        """The resources of this account that a batch has named, as far as that is known: a revision may leave some out."""
        entries, batch = self._publisher.known_state.entries.items(), self._batches.get(batch_uid)
        held = {resource for resource, entry in entries if any(one.batch_uid == batch_uid for one in entry.intervals)}
        return frozenset(filter(self._publisher.known_state.is_of, held.union(batch.resources if batch else ())))

    def _named_before(self, batch_uid: str) -> dict[str, int | None]:
        """The same, each with the revision in which it is held; None when nothing of it is."""
        return {resource: self._held_revision(batch_uid, resource) for resource in self._named_by(batch_uid)}

    def _held_revision(self, batch_uid: str, resource_id: str) -> int | None:
        intervals = self._publisher.known_state.entry(resource_id).intervals
        held = [one.revision_no or 0 for one in intervals if one.batch_uid == batch_uid]
        if self._publisher.instructions:
            said = self._publisher.instructions.entry(resource_id).batches.get(batch_uid)
            held += [said.revision_no or 0] if said and said.instructions else []
        return max(held, default=None)


def _listed_in(listed: DispatchBatchList) -> list[str]:
    return [header.batch_uid for header in listed.headers]


def _listed_behind(listed: DispatchBatchList, begin: int) -> DispatchBatchList:
    return msgspec.structs.replace(listed, headers=listed.headers[begin:])


def restore(batches: OpenBatches, known_state: KnownState[DotSchedule, Dot], now: datetime) -> None:
    """After a restart: the batches of the kept states are open until their intervals end."""
    for resource_id, entry in known_state.entries.items():
        if not known_state.is_of(resource_id):
            continue
        for interval in entry.intervals:
            header = known_of(interval.batch_uid, interval.revision_no, interval.batch_type)
            batches.restore(header, resource_id, interval.interval_end, now)
        for withdrawn in entry.withdrawn:
            batches.restore(known_of(withdrawn.batch_uid, withdrawn.revision_no), resource_id, withdrawn.until, now)


def fold(
    known_state: KnownState[DotSchedule, Dot], header: DispatchBatchHeader, events: Sequence[Dispatch], over: Collection[str]
) -> None:
    """Put a batch into the entries of its resources, and take it out of those of which it holds no more."""
    for event in events:
        known_state.put(event.resource_id, known_state.entry(event.resource_id).with_dispatch(event))
    for resource_id in over:
        entry = known_state.entry(resource_id)
        known_state.put(resource_id, entry.without_batch(header.batch_uid, header.revision_no))

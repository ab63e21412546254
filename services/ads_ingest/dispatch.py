"""Dispatch: one round of the loop for dispatch batches (specification, section 4).

New batches are listed, fetched, kept and only then validated: a crash between any two steps leaves a batch that is asked for
again, or validated again, both of which the outbox and CAISO pass over. What is new comes first, always. Then come batches
that could not be had and those whose interval has not ended, which are asked for their revision because an emergency cancel
comes as one; of each as many as fit into a short time, so that the next round is not late. What was had before a restart is
among these and no news. What is over comes last: it is asked for once more, because a ramp begins at the DOT before.

A batch that cannot be had holds back the cursor and nothing else: neither other batches nor, beyond those that it speaks of,
any resource (`open_batches`).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from ads_ingest.batches.alarms import ClockSteps, DispatchAlarms
from ads_ingest.batches.listing import Listed, Listing
from ads_ingest.batches.open_batch import OpenBatch, is_outdated
from ads_ingest.batches.open_batches import OpenBatches
from ads_ingest.batches.validations import Validations
from ads_ingest.caiso import (
    NONE_IN_VAIN,
    Ads,
    Outdated,
    Patience,
    Unanswered,
    Unreadable,
    time_of,
    true_at,
)
from ads_ingest.dispatch_changes import DispatchChanges
from ads_ingest.files.latest import DocumentFiles
from ads_ingest.publishing import Publisher
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.translate import translate_header
from caiso.ads.errors import AdsFailure, Away, TimedOut, Unforeseen
from caiso.ads.records import DispatchBatch, Question
from dotbus.contracts.messages import Dot
from dotbus.setpoints.schedules import DotSchedule

CURSOR = "dispatch"
BACKLOG_PER_ROUND = 25
ASKED_AGAIN_PER_ROUND = 40
ASKED_AGAIN_FOR = timedelta(seconds=5)
"""How long a round goes on asking for what could not be had, after that for revisions of what was, and then validating.

A question that times out is the last one then; the others of its kind wait for it, and the other kind not."""
TAKEN_FOR = timedelta(seconds=30)
"""How long a round goes on fetching what is new: the rest comes first in the next, which asks for the list and for trajectories
before. CAISO may list thousands, and each may fail."""
AWAY_IN_BACKLOG = 2


class DispatchStream:
    """Follows the dispatch batches.

    Args:
        caiso: who is asked.
        publisher: where they go.
        validations: who tells CAISO that we have them.
        quarantine_log: where unusable ones go.
        files: the documents for whoever reads files.
        batches: what is known of each.
        changes: what a batch makes of what is known.
        clock: the wall clock.
        clock_steps: whether it was set.
        listing: what CAISO names.
        alarms: what is told though CAISO answers.
    """

    def __init__(
        self,
        caiso: Ads,
        publisher: Publisher[DotSchedule, Dot],
        *,
        validations: Validations,
        quarantine_log: QuarantineLog,
        files: DocumentFiles,
        batches: OpenBatches,
        clock: Callable[[], datetime],
        changes: DispatchChanges,
        clock_steps: ClockSteps,
        listing: Listing,
        alarms: DispatchAlarms,
    ) -> None:
        self._caiso = caiso
        self._listing = listing
        self._alarms = alarms
        self._publisher = publisher
        self._of_headers = Patience(clock)
        self._of_documents = Patience(clock, NONE_IN_VAIN)
        self._validations = validations
        self._quarantine_log = quarantine_log
        self._files = files
        self._batches = batches
        self._changes = changes
        self._clock = clock
        self._clock_steps = clock_steps

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
                self._changes.commit(news_only=True)
            raise

    def _round(self) -> Unanswered:
        if back := self._clock_steps.set_back_by():
            self._changes.begin_anew(back)
        asked_at = self._clock()
        listed = self._listing.after(self._publisher.cursor)
        self._note_listed(listed)
        self._withdraw_what_asks_nothing()
        if listed.cursor != self._publisher.cursor:
            self._changes.commit(cursor=listed.cursor, news_only=True)
        heard_at = true_at(self._caiso, min(asked_at, self._clock()))
        failures = (*listed.unanswered, *self._heard(heard_at), *self._ask_again(), *self._take_backlog())
        self._changes.commit_round()
        self._keep_listed()
        is_long = self._for_a_while()
        self._validations.send(self._batches, lambda: is_long() or self._is_past(self._batches.next_at))
        now = self._clock()
        return Unanswered(failures, self._batches.missing(now), self._alarms.alarms(now), self._batches.next_at(now))

    def _note_listed(self, listed: Listed) -> None:
        """What CAISO named is to be had, also after a restart."""
        now = self._clock()
        self._alarms.note_heard(now, time_of(self._caiso, now))
        self._listing.note(listed)
        self._changes.note_listed(listed.headers, now)
        self._keep_listed()
        self._quarantine_log.of_problems("getDispatchBatchesSinceUID", listed.answer.problems, listed.answer.xml, now)

    def _keep_listed(self) -> None:
        self._publisher.keep_listed(self._batches.missing_headers(self._clock()), self._listing.named, self._clock())

    def _withdraw_what_asks_nothing(self) -> None:
        """What the list tells of a cancel counts before any document is asked for, which may take long."""
        for batch in self._batches.told(self._clock()):
            if batch.asks_nothing:
                self._changes.withdraw(batch)

    def _heard(self, at: datetime) -> Iterator[AdsFailure]:
        """CAISO answered. After a silence that counts once all is had that it brought.

        What is said of one batch while others wait would else look as if it knew of them, of an exceptional dispatch say.
        """
        if not self._publisher.is_over_by(at):
            self._publisher.note_heard(at)
        yield from self._take_new()
        self._publisher.note_heard(at)

    def _take_new(self) -> Iterator[AdsFailure]:
        begun = self._clock()
        for batch in self._batches.to_take(begun):
            if failure := self._take(batch):
                self._changes.commit(news_only=True)  # the next may take long: what is in doubt is told before
                yield failure
            if abs(self._clock() - begun) >= TAKEN_FOR:
                return

    def _ask_again(self) -> Iterator[AdsFailure]:
        due = self._batches.to_ask_again(self._clock())
        if any(batch.failures for batch in due):
            # It may fail again slowly: what is in doubt is told before.
            self._changes.commit(news_only=True)
        yield from self._ask_each([batch for batch in due if batch.could_not_be_had], self._retry, lambda: False)
        yield from self._ask_each([batch for batch in due if not batch.could_not_be_had], self._recheck, self._is_missing_due)

    def _ask_each(
        self, due: Sequence[OpenBatch], ask: Callable[[OpenBatch], Iterator[AdsFailure]], is_over: Callable[[], bool]
    ) -> Iterator[AdsFailure]:
        is_long = self._for_a_while()
        for batch in due[:ASKED_AGAIN_PER_ROUND]:
            yield from ask(batch)
            if is_long() or is_over():
                return

    def _for_a_while(self) -> Callable[[], bool]:
        """From now on: whether that was long enough for one kind of question in a round."""
        begun = self._clock()
        return lambda: abs(self._clock() - begun) >= ASKED_AGAIN_FOR

    def _is_missing_due(self) -> bool:
        """Whether something that could not be had is to be asked for again by now, which does not wait for rechecks."""
        return self._is_past(self._batches.again_at)

    def _is_past(self, due_at: Callable[[datetime], datetime | None]) -> bool:
        at = due_at(self._clock())
        return at is not None and at <= self._clock()

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
        """Ask what a batch is now; where only its header cannot be had, or is known already, the batch itself tells."""
        if batch.is_missing:
            yield from self._retry(batch)
            return
        asked_at = self._clock()
        try:
            ask = partial(self._caiso.get_batch_header, batch.batch_uid)
            header = translate_header(self._of_headers.ask(ask, timed_out=_time_outs(batch)))
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
            if told.is_missing or self._is_to_be_compared(told):
                yield from self._retry(told)

    def _is_to_be_compared(self, batch: OpenBatch) -> bool:
        """Whether the document itself matters: another account is told otherwise, or what this one was told is not known."""
        return bool(batch.contested) or (self._publisher.known_state.is_one_of_several and not batch.words)

    def _take(self, batch: OpenBatch) -> AdsFailure | None:
        """Fetch and keep one batch. Returns why not, or what of it nobody can read."""
        if batch.is_missing and batch.asks_nothing:
            self._changes.withdraw(batch)  # without waiting for a document that may not come
        asked_at = self._clock()
        try:
            ask = partial(self._caiso.get_dispatch_batch, batch.batch_uid)
            document = self._of_documents.ask(ask, timed_out=_time_outs(batch))
            self._batches.note_names(batch.batch_uid, document.resources)
            if is_outdated(translate_header(document.header), batch.header):
                question = Question("getDispatchBatch", batch.batch_uid)
                raise Outdated(question, "an older revision than its header says", document.xml)
            with self._publisher.lock:
                unreadable = self._keep(batch, document, asked_at)
        except AdsFailure as failure:
            with self._publisher.lock:
                self._note_failed(batch, failure)
            return failure
        self._files.note_dispatch(document, self._clock())
        return unreadable

    def _keep(self, batch: OpenBatch, document: DispatchBatch, asked_at: datetime) -> Unreadable | None:
        """Pass a batch on, all of it or nothing: whatever is wrong with it ends here. Returns what of it nobody can read.

        Raises:
            Unforeseen: this software cannot pass it on.
            sqlite3.Error: the outbox cannot keep anything.
        """
        uid = batch.batch_uid
        try:
            unreadable = self._changes.pass_on(document, asked_at)
        except sqlite3.Error:
            raise
        except Exception as error:
            raise Unforeseen(Question("getDispatchBatch", uid), repr(error), document.xml) from error
        self._quarantine_log.of_problems(f"getDispatchBatch({uid})", document.problems, document.xml, self._clock())
        return Unreadable(Question("getDispatchBatch", uid), "; ".join(unreadable), document.xml) if unreadable else None

    def _note_failed(self, batch: OpenBatch, failure: AdsFailure) -> None:
        now, was_given_up = self._clock(), batch.is_given_up
        failed = self._batches.note_failed(batch.batch_uid, failure, now)
        if not failed.is_given_up or was_given_up:
            return
        if failed.is_known_replaced:
            self._changes.withdraw_replaced(failed)
        doubts = failed.doubted(now, self._batches.vouched)
        self._quarantine_log.of_loss(failure, ["all"] if doubts.everyone else sorted(doubts.resources), now)


def _time_outs(batch: OpenBatch) -> int:
    """How often a batch timed out, should it have done so the last time: what fails otherwise fails at once."""
    return batch.failures if isinstance(batch.why, TimedOut) else 0

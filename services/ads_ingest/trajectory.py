"""Trajectory: one round of the loop for trajectory batches (specification, section 4). Its cursor is its own.

All that is new comes in one document, so there is nothing to go on with when that cannot be had: it is asked for again, and the
dispatch batches are not held up by it. A batch in it that this software cannot pass on is quarantined, and the curves of its
resources are in doubt for an hour and until its last target time is past, or until a newer batch replaces what nobody could
read: from its own first target time on.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

import msgspec

from ads_ingest.batches.alarms import ClockSteps, Silence
from ads_ingest.batches.contradictions import told_apart, word_of_points
from ads_ingest.batches.open_batch import ASKED_SOON
from ads_ingest.batches.outages import Outages
from ads_ingest.caiso import (
    ALL_THE_TIME,
    Ads,
    CursorQuestion,
    Patience,
    Unanswered,
    Unreadable,
    WholeQuestion,
    time_of,
    true_at,
)
from ads_ingest.files.latest import DocumentFiles
from ads_ingest.known.doubts import UNTOLD_LENGTH, CurveDoubt, Doubts, doubt_between, doubt_of, restored_doubt
from ads_ingest.known.unreadable import unreadable_points_of
from ads_ingest.publishing import Publisher
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.settings import PREFIX
from ads_ingest.translate import Sender, translate_trajectory
from caiso.ads import WHOLE_CACHE, records
from caiso.ads.errors import AdsFailure, Unforeseen
from caiso.ads.records import Question, TrajectoryBatchList
from dotbus.contracts.instruction_times import is_binding
from dotbus.contracts.messages import Trajectory, TrajectoryBatch
from dotbus.contracts.schedules import Schedule
from dotbus.runtime.logs import get_logger
from dotbus.setpoints.intervals import trajectory_points
from dotbus.setpoints.schedules import TrajectoryCurve

CURSOR = "trajectory"


class TrajectoryStream:
    """Follows the trajectory batches.

    Args:
        caiso: who is asked.
        publisher: where they go.
        sender: who passes them on.
        quarantine_log: where unusable parts go.
        files: the documents for whoever reads files.
        clock: the wall clock.
        clock_steps: whether it was set.
        silence: since when no batch came, and of_dispatches the same of those.
        outages: after which batches are missing.
        note_seen: told which resources CAISO names, where that matters.
    """

    def __init__(
        self,
        caiso: Ads,
        publisher: Publisher[TrajectoryCurve, Trajectory],
        sender: Sender,
        *,
        quarantine_log: QuarantineLog,
        files: DocumentFiles,
        clock: Callable[[], datetime],
        clock_steps: ClockSteps,
        silence: Silence,
        of_dispatches: Silence,
        outages: Outages,
        note_seen: Callable[[Collection[str]], None] = lambda _resources: None,
    ) -> None:
        self._caiso = caiso
        self._silence = silence
        self._outages = outages
        self._of_dispatches = of_dispatches
        self._note_seen = note_seen
        self._whether_new = CursorQuestion()
        self._new = CursorQuestion()
        self._of_whether_new, self._of_data = Patience(clock), Patience(clock)
        self._whole = WholeQuestion(self._get_data, _listed_in, _of_these, "trajectories", "it said that nothing is new")
        self._publisher = publisher
        self._sender = sender
        self._quarantine_log = quarantine_log
        self._files = files
        self._clock = clock
        self._clock_steps = clock_steps
        self._in_parts = False
        self._log = get_logger("ads")
        self._unpassed: dict[str, AdsFailure] = {}
        self._lacking_since: datetime | None = None
        doubted = filter(publisher.known_state.is_of, publisher.known_state.doubted())
        self._doubts = {resource: restored_doubt(publisher.known_state.entry(resource), clock()) for resource in doubted}
        publisher.known_state.judge = self._judge

    def round(self) -> Unanswered:
        """Ask whether there is something new, and for it. Returns what could not be passed on.

        Raises:
            AdsFailure: CAISO did not tell.
            sqlite3.Error: the outbox cannot keep anything.
        """
        try:
            return self._round()
        except AdsFailure:
            self._publisher.note_failing()
            if self._publisher.known_state.is_one_of_several:
                self._commit((), self._publisher.cursor)
            raise

    def _round(self) -> Unanswered:
        if back := self._clock_steps.set_back_by():
            with self._publisher.lock:
                self._publisher.begin_anew(back, self._clock())
        self._publisher.known_state.complete = True  # all that is new comes at once, before anything is said
        asked_at = self._clock()
        is_new, cursor = self._whether_new.since(self._is_new, self._publisher.cursor)
        self._lacking_since = (self._lacking_since or self._clock()) if is_new else None
        listed = TrajectoryBatchList()
        if is_new:
            listed, cursor = self._new.since(self._get_data, cursor)
        if not listed.batches and cursor != WHOLE_CACHE and self._silence.is_to_check(self._of_dispatches, self._clock()):
            self._silence.note_checked(self._clock())
            listed, cursor = self._whole.since(cursor)
        if listed.batches:
            self._silence.note_news(self._clock())
        self._tell_parts(listed)
        now = self._clock()
        self._outages.note_heard(now, time_of(self._caiso, now))
        self._publisher.note_heard(true_at(self._caiso, min(asked_at, now)))
        failures = [*self._pass_on(listed), *self._doubt_nameless(listed)]
        self._lacking_since = None
        self._commit((), listed.batches[-1].header.batch_uid if listed.batches else cursor)
        self._quarantine_log.of_problems("getTrajectoryData", listed.problems, listed.xml, self._clock())
        if listed.batches:
            self._files.note_trajectory(listed, self._clock())
        return Unanswered(tuple(failures), tuple(self._unpassed.values()), self._outages.alarms(self._clock()))

    def _is_new(self, cursor: str) -> bool:
        return self._of_whether_new.ask(partial(self._caiso.is_new_traj_data, cursor))

    def _get_data(self, cursor: str) -> TrajectoryBatchList:
        ask = partial(self._caiso.get_trajectory_data, cursor)
        return self._of_data.ask(ask, timed_out=ALL_THE_TIME if cursor == WHOLE_CACHE else None)

    def _tell_parts(self, listed: TrajectoryBatchList) -> None:
        if not listed.is_whole and not self._in_parts:
            hint = f"nothing is lost; with a larger {PREFIX}MAX_REPLY_MB it comes at once"
            self._log.warning("trajectories come in parts, because CAISO's answer is larger than the bound", next=hint)
        self._in_parts = not listed.is_whole

    def _pass_on(self, listed: TrajectoryBatchList) -> Sequence[AdsFailure]:
        """All batches at once, or one by one when that does not go: then each ends what is wrong with it."""
        try:
            return self._keep(listed.batches, listed.xml)
        except sqlite3.Error:
            raise
        except Exception:  # noqa: BLE001  # told below, of the batch that it belongs to
            return tuple(failure for record in listed.batches for failure in self._keep_one(record, listed.xml))

    def _keep_one(self, record: records.TrajectoryBatch, xml: bytes) -> Sequence[AdsFailure]:
        try:
            return self._keep([record], xml)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends with this batch
            uid = record.header.batch_uid
            failure = Unforeseen(Question("getTrajectoryData", uid), repr(error), repr(record).encode())
            failure.__cause__ = error
            for resource_id in record.resources:
                self._doubt(resource_id, doubt_of(resource_id, record, self._clock()), failure)
            return (failure,)

    def _keep(self, listed: Sequence[records.TrajectoryBatch], xml: bytes) -> Sequence[Unreadable]:
        """Returns what nobody can read: it is not on the curve, which is in doubt for that."""
        with self._publisher.lock:
            return self._keep_all(listed, xml)

    def _keep_all(self, listed: Sequence[records.TrajectoryBatch], xml: bytes) -> Sequence[Unreadable]:
        now, known_state = self._clock(), self._publisher.known_state
        entries, doubts, unpassed = dict(known_state.entries), dict(self._doubts), dict(self._unpassed)
        failures: list[Unreadable] = []
        events: list[TrajectoryBatch] = []
        try:
            for record in _advisory_last(listed):
                told = translate_trajectory(record, self._sender, now)
                contradicted = self._fold(told, now)
                failures += self._doubt_points(record, told, contradicted, xml)
                events += [self._told_apart(each, events) if each.resource_id in contradicted else each for each in told]
            self._note_seen({event.resource_id for event in events})
            self._commit(events, self._publisher.cursor)
        except Exception:
            known_state.take_back(entries)
            self._doubts, self._unpassed = doubts, unpassed
            raise
        return tuple(failures)

    def _fold(self, events: Sequence[TrajectoryBatch], now: datetime) -> Mapping[str, CurveDoubt]:
        """Put a batch on the curves. Returns the doubts of those that hold what is as new and says otherwise."""
        known_state, contradicted = self._publisher.known_state, {}
        for event in events:
            entry = known_state.entry(event.resource_id)
            joined = entry.with_batch(event)
            known_state.put(event.resource_id, joined)
            if doubt := self._doubts.get(event.resource_id):
                self._doubts[event.resource_id] = doubt.replaced_by(trajectory_points(event))
            if entry.contradicts(event, now) or self._was_advisory(event):
                contradicted[event.resource_id] = doubt_between(joined, event, now)
        return contradicted

    def _was_advisory(self, event: TrajectoryBatch) -> bool:
        """Whether another account was told the same batch as advisory, of which nothing is held."""
        if not self._publisher.known_state.is_one_of_several or not is_binding(event.batch.binding_flag):
            return False
        return any(not is_binding(each.batch.binding_flag) for each in self._kept(event))

    def _told_apart(self, event: TrajectoryBatch, before: Sequence[TrajectoryBatch]) -> TrajectoryBatch:
        return told_apart(event, [*self._kept(event), *before], word_of_points)

    def _kept(self, event: TrajectoryBatch) -> list[TrajectoryBatch]:
        kept = (each for each in self._publisher.kept(event.id) if isinstance(each, TrajectoryBatch))
        return [each for each in kept if each.resource_id == event.resource_id]

    def _doubt_points(
        self,
        record: records.TrajectoryBatch,
        events: Sequence[TrajectoryBatch],
        contradicted: Mapping[str, CurveDoubt],
        xml: bytes,
    ) -> Iterator[Unreadable]:
        """What of a batch nobody can read, by resource, and so what is not on their curves; and what contradicts them."""
        for resource_id, doubt in contradicted.items():
            told = f"a trajectory of {resource_id} that was received at the same time, or is the same, says otherwise"
            failure = Unreadable(Question("getTrajectoryData", record.header.batch_uid), told, xml)
            self._doubt(resource_id, doubt, failure)
            yield failure
        question = Question("getTrajectoryData", record.header.batch_uid)
        unreadable = {event.resource_id: unreadable_points_of(event) for event in events}
        for resource_id in record.nameless:
            unreadable[resource_id] = [*unreadable.get(resource_id, []), f"a DOP of {resource_id} without a UID"]
        if record.is_ownerless:
            anybody = filter(self._publisher.known_state.is_of, self._publisher.known_state.entries)
            unreadable |= {each: [*unreadable.get(each, []), "a DOP without a resource"] for each in anybody}
        for resource_id, texts in unreadable.items():
            if texts:
                failure = Unreadable(question, "; ".join(texts), xml)
                self._doubt(resource_id, doubt_of(resource_id, record, self._clock()), failure)
                yield failure

    def _doubt_nameless(self, listed: TrajectoryBatchList) -> Iterator[Unreadable]:
        """A batch without a UID may be the newest of its resources."""
        with self._publisher.lock:
            for resource_id in listed.nameless:
                told = f"a batch of {resource_id} without a UID"
                failure = Unreadable(Question("getTrajectoryData", self._publisher.cursor), told, listed.xml)
                self._doubt(resource_id, CurveDoubt(self._clock() + UNTOLD_LENGTH), failure)
                yield failure

    def _doubt(self, resource_id: str, doubt: CurveDoubt, failure: AdsFailure) -> None:
        self._doubts[resource_id] = doubt.beside(self._doubts.get(resource_id))
        self._unpassed[resource_id] = failure

    def _commit(self, events: Sequence[TrajectoryBatch], cursor: str) -> None:
        with self._publisher.lock:
            now = self._clock()
            self._doubts = {resource: doubt for resource, doubt in self._doubts.items() if doubt.until > now}
            self._unpassed = {resource: why for resource, why in self._unpassed.items() if resource in self._doubts}
            self._publisher.commit(now, events, cursor)

    def _judge(self, now: datetime) -> None:
        """Whose curves are in doubt; all while CAISO has something newer that it does not give away."""
        lasting = frozenset(resource for resource, doubt in tuple(self._doubts.items()) if doubt.until > now)
        is_lacking = self._lacking_since is not None and abs(now - self._lacking_since) > ASKED_SOON
        self._publisher.known_state.doubts = dict.fromkeys(Schedule, Doubts(lasting, everyone=is_lacking))


def _advisory_last(listed: Sequence[records.TrajectoryBatch]) -> Sequence[records.TrajectoryBatch]:
    """What is told once as binding and once as advisory contradicts itself, whichever stands first in the list."""
    return sorted(listed, key=lambda record: not is_binding(record.header.binding_flag))


def _listed_in(listed: TrajectoryBatchList) -> list[str]:
    return [batch.header.batch_uid for batch in listed.batches]


def _of_these(listed: TrajectoryBatchList, uids: Collection[str]) -> TrajectoryBatchList:
    return msgspec.structs.replace(listed, batches=tuple(each for each in listed.batches if each.header.batch_uid in uids))

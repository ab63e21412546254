"""Trajectory: one round of the loop for trajectory batches (specification, section 4). Its cursor is its own.

All that is new comes in one document, so there is nothing to go on with when that cannot be had: it is asked for again, and the
dispatch batches are not held up by it. A batch in it that this software cannot pass on is quarantined, and the curves of its
resources are in doubt until a newer one comes or its last target time is past.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from ads_ingest.batches.clock_steps import ClockSteps
from ads_ingest.batches.outages import Outages
from ads_ingest.batches.silence import Silence
from ads_ingest.caiso import Ads, CursorQuestion, WholeQuestion, answered_at, time_of
from ads_ingest.faults import Unanswered, Unreadable
from ads_ingest.files.latest import DocumentFiles
from ads_ingest.known.doubts import Doubts
from ads_ingest.known.intervals import unreadable_points_of
from ads_ingest.known.schedules import TrajectoryCurve
from ads_ingest.publishing import Publisher
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.settings import PREFIX
from ads_ingest.translate import Sender, translate_trajectory
from caiso.ads import WHOLE_CACHE, records
from caiso.ads.errors import AdsFailure, Unforeseen
from caiso.ads.records import Question, TrajectoryBatchList
from dotbus.contracts.messages import Dop, Trajectory, TrajectoryBatch
from dotbus.contracts.schedules import Schedule
from dotbus.runtime.logs import get_logger

CURSOR = "trajectory"
UNTOLD_LENGTH = timedelta(hours=1)
"""How far a batch may reach that names no target time."""


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
        self._whole = WholeQuestion(
            caiso.get_trajectory_data, _listed_in, _listed_behind, "trajectories", "it said that nothing is new"
        )
        self._publisher = publisher
        self._sender = sender
        self._quarantine_log = quarantine_log
        self._files = files
        self._clock = clock
        self._clock_steps = clock_steps
        self._in_parts = False
        self._log = get_logger("ads")
        self._unpassed: dict[str, AdsFailure] = {}
        doubted = filter(publisher.known_state.is_of, publisher.known_state.doubted())
        self._doubted_until = dict.fromkeys(doubted, clock() + UNTOLD_LENGTH)

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
        is_new, cursor = self._whether_new.since(self._caiso.is_new_traj_data, self._publisher.cursor)
        listed = TrajectoryBatchList()
        if is_new:
            listed, cursor = self._new.since(self._caiso.get_trajectory_data, cursor)
        elif cursor != WHOLE_CACHE and self._silence.is_to_check(self._of_dispatches, self._clock()):
            self._silence.note_checked(self._clock())
            listed, cursor = self._whole.since(cursor)
        if listed.batches:
            self._silence.note_news(self._clock())
        self._tell_parts(listed)
        now = self._clock()
        self._outages.note_heard(now, time_of(self._caiso, now))
        self._publisher.note_heard(answered_at(self._caiso, now))
        failures = self._pass_on(listed)
        self._commit((), listed.batches[-1].header.batch_uid if listed.batches else cursor)
        self._quarantine_log.of_problems("getTrajectoryData", listed.problems, listed.xml, self._clock())
        if listed.batches:
            self._files.note_trajectory(listed, self._clock())
        return Unanswered(failures, tuple(self._unpassed.values()), self._outages.alarms(self._clock()))

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
            for resource_id in {*(dop.resource_id for dop in record.dops), *(part.resource_id for part in record.compliance)}:
                self._doubt(resource_id, record.dops, failure)
            return (failure,)

    def _keep(self, listed: Sequence[records.TrajectoryBatch], xml: bytes) -> Sequence[Unreadable]:
        """Returns what nobody can read: it is not on the curve, which is in doubt for that."""
        with self._publisher.lock:
            return self._keep_all(listed, xml)

    def _keep_all(self, listed: Sequence[records.TrajectoryBatch], xml: bytes) -> Sequence[Unreadable]:
        now, known_state = self._clock(), self._publisher.known_state
        entries, doubted_until, unpassed = dict(known_state.entries), dict(self._doubted_until), dict(self._unpassed)
        failures: list[Unreadable] = []
        try:
            events = [event for record in listed for event in translate_trajectory(record, self._sender, now)]
            self._note_seen({event.resource_id for event in events})
            for event in events:
                known_state.put(event.resource_id, known_state.entry(event.resource_id).with_batch(event))
                self._doubted_until.pop(event.resource_id, None)
                if unreadable := unreadable_points_of(event):
                    question = Question("getTrajectoryData", event.batch.batch_uid)
                    failures.append(Unreadable(question, "; ".join(unreadable), xml))
                    self._doubt(event.resource_id, event.dops, failures[-1])
            self._commit(events, self._publisher.cursor)
        except Exception:
            known_state.take_back(entries)
            self._doubted_until, self._unpassed = doubted_until, unpassed
            raise
        return tuple(failures)

    def _doubt(self, resource_id: str, dops: Sequence[Dop | records.TrajectoryDop], failure: AdsFailure) -> None:
        """A curve is in doubt until its last target, or a newer batch."""
        targets = [dop.target_at for dop in dops if dop.target_at]
        self._doubted_until[resource_id] = max(targets, default=self._clock() + UNTOLD_LENGTH)
        self._unpassed[resource_id] = failure

    def _commit(self, events: Sequence[TrajectoryBatch], cursor: str) -> None:
        with self._publisher.lock:
            now = self._clock()
            self._doubted_until = {resource: until for resource, until in self._doubted_until.items() if until > now}
            self._unpassed = {resource: why for resource, why in self._unpassed.items() if resource in self._doubted_until}
            self._publisher.known_state.doubts = dict.fromkeys(Schedule, Doubts(frozenset(self._doubted_until)))
            self._publisher.commit(now, events, cursor)


def _listed_in(listed: TrajectoryBatchList) -> list[str]:
    return [batch.header.batch_uid for batch in listed.batches]


def _listed_behind(listed: TrajectoryBatchList, begin: int) -> TrajectoryBatchList:
    return msgspec.structs.replace(listed, batches=listed.batches[begin:])

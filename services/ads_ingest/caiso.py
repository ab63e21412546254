"""CAISO: what the streams ask the client library, for how long, and how they take what it says or does not.

A round with many questions that time out takes minutes, and whoever stops the process kills it before. So no question begins
once it is told to stop. A round may end between any two: what was had is kept by then, the rest asked for after the next start.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, Protocol, TypeVar

from caiso.ads import WHOLE_CACHE, SoapFault, UnknownUid
from caiso.ads.errors import AdsFailure, TimedOut
from caiso.ads.records import BatchHeader, DispatchBatch, DispatchBatchList, TrajectoryBatchList
from dotbus.contracts.quality import CLOCK_DOUBT_S
from dotbus.runtime.logs import get_logger

T = TypeVar("T")

FAULTS_MOST = 3
"""The third fault in a row that says nothing known is taken for an unknown cursor, and so is each third after it.

All batches again cost CAISO hundreds of questions, which a fault that passes must not cause; and one that stays must not
silence it for ever."""
WITHIN_S = (2.0, 3.0, 5.0, 15.0, math.inf)
"""How long an answer may take at first, and after each time-out; in the end all the time that a question may take.

Little at first: what is new may wait behind it, and an answer that does not come may come to the same question at once."""
ALL_THE_TIME = len(WITHIN_S) - 1
AFTER_ALL_IN_VAIN = 2  # of these: within it most that are slow come
AGAIN_IN_VAIN = timedelta(minutes=5)
"""After a time-out of a question that had all the time, the next one has it so much later: CAISO is silent then, not slow."""
NONE_IN_VAIN = timedelta(0)


class Ads(Protocol):
    """Those of ADS's operations that are asked for here, as `caiso.ads.AdsClient` has them."""

    @property
    def clock_offset_s(self) -> float | None:
        """CAISO's clock minus ours."""
        ...

    @property
    def clock_offset_said_s(self) -> float | None:
        """The same as its last reply said it, believed or not."""
        ...

    def get_dispatch_batches_since_uid(self, batch_uid: str, within_s: float = ...) -> DispatchBatchList:
        """Headers of the batches after one, within a time."""
        ...

    def get_dispatch_batch(self, batch_uid: str, within_s: float = ...) -> DispatchBatch:
        """A batch, within a time."""
        ...

    def get_batch_header(self, batch_uid: str, within_s: float = ...) -> BatchHeader:
        """What its revision and status are now, within a time."""
        ...

    def is_new_traj_data(self, batch_uid: str, within_s: float = ...) -> bool:
        """Whether there are trajectory batches after one, within a time."""
        ...

    def get_trajectory_data(self, batch_uid: str, within_s: float = ...) -> TrajectoryBatchList:
        """The trajectory batches after one, within a time."""
        ...

    def validate_dispatch_batch(self, batch_uid: str, within_s: float = ...) -> None:
        """Tell that a batch was received, within a time."""
        ...


def true_at(client: Ads, asked_at: datetime) -> datetime:
    """As of when an answer counts: when it was asked for, by the earlier of both clocks where they differ.

    CAISO may have looked at once and answered slowly. A clock of ours that is ahead would make what was heard look young for as
    long as it is ahead.
    """
    return min(asked_at, time_of(client, asked_at) or asked_at)


def time_of(client: Ads, now: datetime) -> datetime | None:
    """The time by CAISO's clock, ours where they agree; None while CAISO did not tell it."""
    offset_s = client.clock_offset_s
    if offset_s is None:
        return None
    return now + timedelta(seconds=offset_s) if abs(offset_s) > CLOCK_DOUBT_S else now


class Since(NamedTuple, Generic[T]):
    """An answer, and the cursor that it continues."""

    answer: T
    cursor: str


class CursorQuestion:
    """Asks for what came after a cursor, and for all that CAISO has when it does not know the cursor any more.

    ADS keeps batches for 24 hours, so after a long outage it does not know our last UID, and says so by a fault whose text is
    not documented. All batches again are no harm: the ids of the events are the same, and what is kept already is passed over.
    """

    def __init__(self) -> None:
        self._faults = 0
        self._log = get_logger("ads")

    def since(self, ask: Callable[[str], T], cursor: str) -> Since[T]:
        """What came after a cursor, of one operation of CAISO's.

        Raises:
            AdsFailure: CAISO did not answer; of two faults, the first.
        """
        try:
            answer = ask(cursor)
        except SoapFault as fault:
            return self._from_the_beginning(ask, cursor, fault)
        self._faults = 0
        return Since(answer, cursor)

    def _from_the_beginning(self, ask: Callable[[str], T], cursor: str, fault: SoapFault) -> Since[T]:
        """Raises the fault again when it may be about something else than the cursor."""
        self._faults += 1
        if cursor == WHOLE_CACHE or (self._faults % FAULTS_MOST and not isinstance(fault, UnknownUid)):
            raise fault
        try:
            answer = ask(WHOLE_CACHE)
        except SoapFault:
            raise fault from None
        self._log.warning("CAISO does not know our last UID; it was asked for all that it has", cursor=cursor, cause=str(fault))
        self._faults = 0
        return Since(answer, WHOLE_CACHE)


@dataclass(frozen=True)
class WholeQuestion(Generic[T]):
    """Asks for all that CAISO has, whether there is something though it names nothing new.

    Attributes:
        ask: one operation of CAISO's.
        uids_of: the batches in an answer.
        of: an answer with these batches alone.
        what: the batches, for the log.
        left_out: how CAISO kept back what came after a cursor that it knows, for the log.
    """

    ask: Callable[[str], T]
    uids_of: Callable[[T], Sequence[str]]
    of: Callable[[T, Collection[str]], T]
    what: str
    left_out: str

    def since(self, cursor: str, news_in: Callable[[T], Collection[str]] = lambda _answer: ()) -> Since[T]:
        """What came after the cursor in all that CAISO has, or is news though it stands before; all, when it knows no cursor.

        Raises:
            AdsFailure: CAISO did not tell.
        """
        everything = self.ask(WHOLE_CACHE)
        uids = self.uids_of(everything)
        is_known = cursor in uids
        at = uids.index(cursor) if is_known else -1
        news = news_in(everything)
        before, behind = [uid for uid in uids[: at + 1] if uid in news], uids[at + 1 :]
        if before or behind:
            cause = self.left_out if is_known else "it does not know our last UID"
            message = f"CAISO has {self.what} and did not name them"
            get_logger("ads").warning(message, cause=cause, cursor=cursor, batches=len(before) + len(behind))
        continues = cursor if is_known or not uids else WHOLE_CACHE
        named = {*before, *behind, *([cursor] if before else [])}  # what comes before the cursor must not become it
        return Since(self.of(everything, named), continues)


class Patience:
    """Of one kind of question. A CAISO that is slow is heard, and one that is silent holds up little.

    Args:
        clock: the wall clock.
        in_vain: how long none has more than a few seconds after one that had all of it in vain. Zero for the questions without
            which nothing new comes: what is known meanwhile has time.
    """

    def __init__(self, clock: Callable[[], datetime], in_vain: timedelta = AGAIN_IN_VAIN) -> None:
        self._clock = clock
        self._in_vain = in_vain
        self._came_within = 0
        self._timed_out = 0
        self._in_vain_at: datetime | None = None

    def ask(self, question: Callable[[float], T], *, timed_out: int | None = None) -> T:
        """Ask within a time.

        Args:
            question: takes the most seconds that its answer may take.
            timed_out: how often it timed out before; ALL_THE_TIME where the answer is known to be large, None for how often the
                last ones of its kind did.

        Raises:
            AdsFailure: why there is no answer.
        """
        begun = self._clock()
        most = min(ALL_THE_TIME, max(self._came_within, self._timed_out if timed_out is None else timed_out))
        within_s = WITHIN_S[AFTER_ALL_IN_VAIN if self._was_in_vain_of_late(begun) else most]
        try:
            answer = question(within_s)
        except TimedOut:
            self._timed_out, self._came_within = self._timed_out + 1, 0
            if math.isinf(within_s):
                self._in_vain_at = self._clock()
            raise
        took_s = abs(self._clock() - begun).total_seconds()
        self._timed_out, self._came_within = 0, next(step for step, most_s in enumerate(WITHIN_S) if took_s <= most_s)
        return answer

    def _was_in_vain_of_late(self, now: datetime) -> bool:
        return self._in_vain_at is not None and abs(now - self._in_vain_at) < self._in_vain


class Stopping(Exception):
    """The process was told to stop, so the question was not asked."""


@dataclass(frozen=True)
class UntilStop:
    """Asks CAISO as another does. Each question raises Stopping once the process is told to stop.

    Attributes:
        caiso: who is asked.
        is_stopping: whether the process was told to stop.
    """

    caiso: Ads
    is_stopping: Callable[[], bool]

    @property
    def clock_offset_s(self) -> float | None:
        """As `Ads`; no question."""
        return self.caiso.clock_offset_s

    @property
    def clock_offset_said_s(self) -> float | None:
        """As `Ads`; no question."""
        return self.caiso.clock_offset_said_s

    def get_dispatch_batches_since_uid(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatchList:
        """As `Ads`."""
        return self._asked().get_dispatch_batches_since_uid(batch_uid, within_s)

    def get_dispatch_batch(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatch:
        """As `Ads`."""
        return self._asked().get_dispatch_batch(batch_uid, within_s)

    def get_batch_header(self, batch_uid: str, within_s: float = math.inf) -> BatchHeader:
        """As `Ads`."""
        return self._asked().get_batch_header(batch_uid, within_s)

    def is_new_traj_data(self, batch_uid: str, within_s: float = math.inf) -> bool:
        """As `Ads`."""
        return self._asked().is_new_traj_data(batch_uid, within_s)

    def get_trajectory_data(self, batch_uid: str, within_s: float = math.inf) -> TrajectoryBatchList:
        """As `Ads`."""
        return self._asked().get_trajectory_data(batch_uid, within_s)

    def validate_dispatch_batch(self, batch_uid: str, within_s: float = math.inf) -> None:
        """As `Ads`."""
        self._asked().validate_dispatch_batch(batch_uid, within_s)

    def _asked(self) -> Ads:
        if self.is_stopping():
            raise Stopping
        return self.caiso


class Outdated(AdsFailure):
    """The batch itself lags behind its header: what it says has been replaced."""

    kind = "outdated"


class Unreadable(AdsFailure):
    """A text in a document that was passed on is not of its type, and decides which megawatts hold or when."""

    kind = "unreadable"


@dataclass(frozen=True)
class Unanswered:
    """What a round did not get.

    Attributes:
        failures: the questions of this round that had no usable answer.
        missing: why each thing that CAISO has could not be had, in this round or the last time that it was asked for.
        alarms: what else somebody should look into.
        again_at: when the first of what is missing is to be asked for once more; None when that is no sooner than all else.
    """

    failures: Sequence[AdsFailure] = ()
    missing: Sequence[AdsFailure] = ()
    alarms: Sequence[str] = ()
    again_at: datetime | None = None

"""CAISO: what the streams ask the client library, and how they take what it says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, Protocol, TypeVar

from caiso.ads import WHOLE_CACHE, SoapFault, UnknownUid
from caiso.ads.records import BatchHeader, DispatchBatch, DispatchBatchList, TrajectoryBatchList
from dotbus.contracts.quality import CLOCK_DOUBT_S
from dotbus.runtime.logs import get_logger

T = TypeVar("T")

FAULTS_MOST = 3
"""The third fault in a row that says nothing known is taken for an unknown cursor, and so is each third after it.

All batches again cost CAISO hundreds of questions, which a fault that passes must not cause; and one that stays must not
silence it for ever."""


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

    def validate_dispatch_batch(self, batch_uid: str) -> None:
        """Tell that a batch was received."""
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
        without_first: an answer without the first so many.
        what: the batches, for the log.
        left_out: how CAISO kept back what came after a cursor that it knows, for the log.
    """

    ask: Callable[[str], T]
    uids_of: Callable[[T], Sequence[str]]
    without_first: Callable[[T, int], T]
    what: str
    left_out: str

    def since(self, cursor: str) -> Since[T]:
        """What came after the cursor in all that CAISO has; all, when it knows the cursor no more.

        Raises:
            AdsFailure: CAISO did not tell.
        """
        everything = self.ask(WHOLE_CACHE)
        uids = self.uids_of(everything)
        is_known = cursor in uids
        begin = uids.index(cursor) + 1 if is_known else 0
        if begin < len(uids):
            cause = self.left_out if is_known else "it does not know our last UID"
            message = f"CAISO has {self.what} and did not name them"
            get_logger("ads").warning(message, cause=cause, cursor=cursor, batches=len(uids) - begin)
        continues = cursor if is_known or not uids else WHOLE_CACHE
        return Since(self.without_first(everything, begin), continues)

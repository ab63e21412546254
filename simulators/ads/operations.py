"""The operations of APIWebService: dispatches and trajectories (ADS API specification v7, section 2).

No network and no XML of the envelope: a call and the common name of the client's certificate in, an answer out.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from simulators.ads.answers import Answers
from simulators.ads.clients import Clients, Rights
from simulators.ads.documents import PLAIN, Style, compressed, dispatch_batch, dispatch_response, trajectory_response
from simulators.ads.ledger import WHOLE_CACHE, Ledger, UnknownBatch
from simulators.ads.load_following import RequestRefused, load_following_response
from simulators.ads.records import DispatchBatch, TrajectoryBatch
from simulators.ads.soap import Answer, Call, SoapFault
from simulators.ads.told import Told
from simulators.conduct import Conduct, Continues, UnknownCursor

N = TypeVar("N", int, float)
T = TypeVar("T")
B = TypeVar("B", DispatchBatch, TrajectoryBatch)


class Arrangement(StrEnum):
    """How a list of batches is given: a client must not depend on the first."""

    IN_ORDER = "in order"
    DOUBLED = "every batch twice"
    REVERSED = "the last first"


@dataclass(frozen=True)
class Question:
    """A call of a client, by the common name of its certificate.

    Attributes:
        style: how the documents of the answer are written.
        arrangement: how the lists in it are.
        arrives: whether the client will get the answer whole.
    """

    call: Call
    client: str
    style: Style = PLAIN
    arrangement: Arrangement = Arrangement.IN_ORDER
    arrives: bool = True

    @property
    def batch_uid(self) -> str:
        """The batch UID that is asked about.

        Raises:
            SoapFault: there is none.
        """
        return self.parameter("batchUID").strip()

    def parameter(self, name: str) -> str:
        """A parameter as text.

        Raises:
            SoapFault: there is none.
        """
        try:
            return self.call.parameters[name]
        except KeyError:
            raise SoapFault(f"{self.call.operation} needs the parameter {name}") from None

    def number(self, name: str, kind: type[N]) -> N:
        """A parameter as a number.

        Raises:
            SoapFault: there is none, or it is no such number.
        """
        text = self.parameter(name)
        try:
            return kind(text)
        except ValueError:
            raise SoapFault(f"{name} is {text!r}, which is no {kind.__name__}") from None


@dataclass(frozen=True)
class Ads:
    """What both services rest on."""

    ledger: Ledger
    clients: Clients
    told: Told
    answers: Answers
    conduct: Conduct
    resources: Collection[str]
    clock: Callable[[], datetime]


Operation = Callable[[Question], Answer]


class ApiService:
    """APIWebService: dispatches and trajectories."""

    def __init__(self, ads: Ads) -> None:
        self._ads = ads
        self._operations: dict[str, Operation] = {
            "getDispatchBatchesSinceUID": self._batches_since,
            "getBatchStatus": lambda question: int(self._batch(question).batch_status),
            "getBatchHeader": self._header,
            "getDispatchBatch": self._whole,
            "isNewTrajData": lambda question: bool(self._trajectories_since(question)),
            "getTrajectoryData": self._trajectories,
            "validateDispatchBatch": self._validate,
            "submitMSSLFRequest": self._load_following,
        }

    def answer(self, question: Question) -> Answer:
        """Answer a call.

        Raises:
            SoapFault: no such operation, a parameter is missing, or the batch UID is not in the client's cache.
        """
        self._ads.ledger.advance(self._ads.clock())
        try:
            return operation_of(self._operations, question)(question)
        except (UnknownBatch, RequestRefused) as error:
            raise SoapFault(str(error)) from error

    def _rights(self, question: Question) -> Rights:
        return self._ads.clients.rights(question.client)

    def _batch(self, question: Question) -> DispatchBatch:
        """The batch that is asked about, as the client sees it."""
        return self._seen(self._rights(question).dispatch(self._ads.ledger.dispatch(question.batch_uid)), question)

    def _seen(self, viewable: B | None, question: Question) -> B:
        if viewable is None or self._ads.clients.has_lost(question.client, viewable.batch_uid):
            raise UnknownBatch(question.batch_uid)
        return viewable

    def _batches_since(self, question: Question) -> str:
        def found() -> list[DispatchBatch]:
            if question.batch_uid != WHOLE_CACHE:
                self._batch(question)
            if self._ads.conduct.continues is Continues.NEWEST:
                return self._ads.ledger.dispatches_behind(question.batch_uid)
            return self._ads.ledger.dispatches_since(question.batch_uid, question.client)

        viewable = map(self._rights(question).dispatch, self._or_none(found))
        return dispatch_response(self._listed(viewable, question), question.style).decode()

    def _header(self, question: Question) -> str:
        return dispatch_batch(self._batch(question), question.style, with_instructions=False).decode()

    def _whole(self, question: Question) -> bytes:
        batch = self._batch(question)
        document = compressed(dispatch_batch(batch, question.style, with_instructions=True))
        if question.arrives:
            self._ads.ledger.note_fetched(batch, question.client)
            self._ads.told.note_dispatch(batch, question.client, self._ads.clock())
        return document

    def _trajectories(self, question: Question) -> bytes:
        batches = self._trajectories_since(question)
        if question.arrives:
            for batch in batches:
                self._ads.told.note_trajectory(batch, question.client, self._ads.clock())
        return compressed(trajectory_response(batches, question.style))

    def _trajectories_since(self, question: Question) -> list[TrajectoryBatch]:
        def found() -> list[TrajectoryBatch]:
            if question.batch_uid != WHOLE_CACHE:
                self._seen(viewable(self._ads.ledger.trajectory(question.batch_uid)), question)
            return self._ads.ledger.trajectories_since(question.batch_uid)

        viewable = self._rights(question).trajectory
        return self._listed(map(viewable, self._or_none(found)), question)

    def _or_none(self, found: Callable[[], list[B]]) -> list[B]:
        """The batches since a cursor; none where one that is not in the cache is answered like that."""
        try:
            return found()
        except UnknownBatch:
            if self._ads.conduct.unknown_cursor is UnknownCursor.EMPTY_LIST:
                return []
            raise

    def _listed(self, viewable: Iterable[B | None], question: Question) -> list[B]:
        """What a list has of these."""
        lost = self._ads.clients.has_lost
        batches = [batch for batch in viewable if batch and not lost(question.client, batch.batch_uid)]
        match question.arrangement:
            case Arrangement.DOUBLED:
                return [batch for batch in batches for _ in range(2)]
            case Arrangement.REVERSED:
                return batches[::-1]
            case Arrangement.IN_ORDER:
                return batches

    def _validate(self, question: Question) -> None:
        self._batch(question)
        sees = self._rights(question).sees
        self._ads.ledger.validate(question.batch_uid, question.client, self._ads.clock(), sees)

    def _load_following(self, question: Question) -> str:
        resources = [each for each in self._ads.resources if self._rights(question).sees(each)]
        return load_following_response(question.parameter("request"), resources, question.style).decode()


def operation_of(operations: Mapping[str, T], question: Question) -> T:
    """The operation that is called.

    Raises:
        SoapFault: there is none of this name.
    """
    try:
        return operations[question.call.operation]
    except KeyError:
        raise SoapFault(f"There is no operation {question.call.operation!r}") from None

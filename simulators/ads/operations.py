"""The operations of ADS: what each of the two services answers (ADS API specification v7, sections 2 and 3).

No network and no XML of the envelope: a call and the common name of the client's certificate in, an answer out.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TypeVar

from simulators.ads.documents import Style, compressed, dispatch_batch, dispatch_response, trajectory_response
from simulators.ads.ledger import Ledger, UnknownBatch
from simulators.ads.load_following import RequestRefused, load_following_response
from simulators.ads.records import BatchStatus, BatchType, Instruction
from simulators.ads.soap import Answer, Call, SoapFault
from simulators.ads.told import Told

REASON_CODES = range(10, 17)

Operation = Callable[[Call, str], Answer]
N = TypeVar("N", int, float)


class ResultCode(IntEnum):
    """What the response service answers (section 1.3)."""

    SUCCESS = 0
    INVALID_RESPONSE = 1
    INVALID_RESPONSE_PERIOD = 2
    BATCH_NOT_FOUND = 3
    INSTRUCTION_NOT_FOUND = 4
    UNAUTHORIZED = 5


class AcceptStatus(StrEnum):
    """acceptStatus of an instruction. The specification does not list its values; these are the operations' own words."""

    ACCEPTED = "ACCEPT"
    DECLINED = "DECLINE"
    PARTIAL = "PARTIAL"


class ApiService:
    """APIWebService: dispatches and trajectories."""

    def __init__(
        self, ledger: Ledger, told: Told, resources: Collection[str], style: Style, clock: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._told = told
        self._resources = resources
        self._style = style
        self._clock = clock
        self._operations: dict[str, Operation] = {
            "getDispatchBatchesSinceUID": self._batches_since,
            "getBatchStatus": lambda call, _: int(self._ledger.dispatch(_uid(call)).batch_status),
            "getBatchHeader": self._header,
            "getDispatchBatch": self._batch,
            "isNewTrajData": lambda call, _: bool(self._ledger.trajectories_since(_uid(call))),
            "getTrajectoryData": self._trajectories,
            "validateDispatchBatch": self._validate,
            "submitMSSLFRequest": self._load_following,
        }

    def answer(self, call: Call, client: str) -> Answer:
        """Answer a call of the client with this common name.

        Raises:
            SoapFault: no such operation, a parameter is missing, or the batch UID is not in the cache.
        """
        self._ledger.advance(self._clock())
        try:
            return _operation(self._operations, call)(call, client)
        except (UnknownBatch, RequestRefused) as error:
            raise SoapFault(str(error)) from error

    def _batches_since(self, call: Call, client: str) -> str:
        return dispatch_response(self._ledger.dispatches_since(_uid(call), client), self._style).decode()

    def _header(self, call: Call, _: str) -> str:
        return dispatch_batch(self._ledger.dispatch(_uid(call)), self._style, with_instructions=False).decode()

    def _batch(self, call: Call, client: str) -> bytes:
        batch = self._ledger.dispatch(_uid(call))
        self._ledger.note_fetched(batch, client)
        self._told.note(batch, self._clock())
        return compressed(dispatch_batch(batch, self._style, with_instructions=True))

    def _trajectories(self, call: Call, _: str) -> bytes:
        return compressed(trajectory_response(self._ledger.trajectories_since(_uid(call)), self._style))

    def _validate(self, call: Call, client: str) -> None:
        self._ledger.validate(_uid(call), client, self._clock())

    def _load_following(self, call: Call, _: str) -> str:
        return load_following_response(_parameter(call, "request"), self._resources, self._style).decode()


class ResponseService:
    """APIResponseWebService: the market participant's answers to instructions.

    Clients in `read_only` may see every resource and answer for none.
    """

    def __init__(self, ledger: Ledger, read_only: Collection[str], clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._read_only = read_only
        self._clock = clock
        self._operations: dict[str, Operation] = {
            "acceptInstruction": self._accept,
            "declineInstruction": self._decline,
            "partialAcceptInstruction": self._accept_partly,
        }

    def answer(self, call: Call, client: str) -> Answer:
        """Answer a call of the client with this common name.

        Raises:
            SoapFault: no such operation, or a parameter is missing or of another type.
        """
        self._ledger.advance(self._clock())
        return _operation(self._operations, call)(call, client)

    def _accept(self, call: Call, client: str) -> int:
        return self._respond(call, client, lambda each: _answered(each, AcceptStatus.ACCEPTED, each.dot_mw, None))

    def _decline(self, call: Call, client: str) -> int:
        reason = _number(call, "reasonCode", int)
        if reason not in REASON_CODES:
            return self._respond(call, client, None)
        return self._respond(call, client, lambda each: _answered(each, AcceptStatus.DECLINED, 0.0, reason))

    def _accept_partly(self, call: Call, client: str) -> int:
        reason, accept_dot_mw = _number(call, "reasonCode", int), _number(call, "acceptDOT", float)
        if reason not in REASON_CODES or not math.isfinite(accept_dot_mw):
            return self._respond(call, client, None)

        def answered(each: Instruction) -> Instruction | None:
            # Since 2023-11-15 between 0 and the hourly DOT (CAISO's notice of the day before).
            low_mw, high_mw = sorted((0.0, each.dot_mw or 0.0))
            inside = low_mw <= accept_dot_mw <= high_mw
            return _answered(each, AcceptStatus.PARTIAL, accept_dot_mw, reason) if inside else None

        return self._respond(call, client, answered)

    def _respond(self, call: Call, client: str, answered: Callable[[Instruction], Instruction | None] | None) -> ResultCode:
        """Put an answer on an instruction; one that is None, or gives None, is not valid."""
        batch_uid, instruction_uid = _uid(call), _parameter(call, "instructionUID").strip()
        try:
            batch = self._ledger.dispatch(batch_uid)
        except UnknownBatch:
            return ResultCode.BATCH_NOT_FOUND
        instruction = next((each for each in batch.instructions if each.instruction_uid == instruction_uid), None)
        if instruction is None:
            return ResultCode.INSTRUCTION_NOT_FOUND
        if client in self._read_only:
            return ResultCode.UNAUTHORIZED
        if batch.batch_type is not BatchType.HOURLY or batch.batch_status is not BatchStatus.ACTIVE:
            return ResultCode.INVALID_RESPONSE_PERIOD
        answer = answered(instruction) if answered else None
        if answer is None:
            return ResultCode.INVALID_RESPONSE
        self._ledger.answer(batch_uid, replace(answer, responder=client))
        return ResultCode.SUCCESS


def _answered(each: Instruction, status: AcceptStatus, accept_dot_mw: float | None, reason: int | None) -> Instruction:
    return replace(each, accept_status=status.value, accept_dot_mw=accept_dot_mw, reason_code=reason)


def _operation(operations: dict[str, Operation], call: Call) -> Operation:
    try:
        return operations[call.operation]
    except KeyError:
        raise SoapFault(f"There is no operation {call.operation!r}") from None


def _uid(call: Call) -> str:
    return _parameter(call, "batchUID").strip()


def _parameter(call: Call, name: str) -> str:
    try:
        return call.parameters[name]
    except KeyError:
        raise SoapFault(f"{call.operation} needs the parameter {name}") from None


def _number(call: Call, name: str, kind: type[N]) -> N:
    text = _parameter(call, name)
    try:
        return kind(text)
    except ValueError:
        raise SoapFault(f"{name} is {text!r}, which is no {kind.__name__}") from None

"""The operations of APIResponseWebService: the market participant's answers (ADS API specification v7, section 3)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from simulators.ads.answers import Answered, ResultCode, accepted, declined, partly_accepted
from simulators.ads.ledger import UnknownBatch
from simulators.ads.operations import Ads, Question, operation_of
from simulators.ads.records import BatchStatus, BatchType, DispatchBatch, Instruction
from simulators.ads.soap import Answer


@dataclass(frozen=True)
class _Response:
    """What a client answers: the instruction with it, None where it is not valid; and its words, for the record."""

    to: Callable[[Instruction], Instruction | None]
    accept_dot_mw: float | None = None
    reason_code: int | None = None


class ResponseService:
    """APIResponseWebService: the market participant's answers to instructions."""

    def __init__(self, ads: Ads) -> None:
        self._ads = ads
        self._operations: dict[str, Callable[[Question], _Response]] = {
            "acceptInstruction": lambda _: _Response(accepted),
            "declineInstruction": _decline,
            "partialAcceptInstruction": _accept_partly,
        }

    def answer(self, question: Question) -> Answer:
        """Answer a call with a result code, and note it.

        Raises:
            SoapFault: no such operation, or a parameter is missing or of another type.
        """
        now = self._ads.clock()
        self._ads.ledger.advance(now)
        response = operation_of(self._operations, question)(question)
        batch_uid, instruction_uid = question.batch_uid, question.parameter("instructionUID").strip()
        code = self._result(question.client, batch_uid, instruction_uid, response)
        self._ads.answers.note(
            Answered(
                answered_at=now,
                client=question.client,
                operation=question.call.operation,
                batch_uid=batch_uid,
                instruction_uid=instruction_uid,
                accept_dot_mw=response.accept_dot_mw,
                reason_code=response.reason_code,
                result_code=code,
            )
        )
        return int(code)

    def _result(self, client: str, batch_uid: str, instruction_uid: str, response: _Response) -> ResultCode:
        """Put the answer on the instruction, if it may be."""
        try:
            batch = self._known(batch_uid, client)
        except UnknownBatch:
            return ResultCode.BATCH_NOT_FOUND
        instruction = next((each for each in batch.instructions if each.instruction_uid == instruction_uid), None)
        if instruction is None:
            return ResultCode.INSTRUCTION_NOT_FOUND
        rights = self._ads.clients.rights(client)
        if not rights.may_respond or not rights.sees(instruction.resource_id):
            return ResultCode.UNAUTHORIZED
        if batch.batch_type is not BatchType.HOURLY or batch.batch_status is not BatchStatus.ACTIVE:
            return ResultCode.INVALID_RESPONSE_PERIOD
        if (answered := response.to(instruction)) is not None:
            self._ads.ledger.answer(batch_uid, replace(answered, responder=client))
        return ResultCode.INVALID_RESPONSE if answered is None else ResultCode.SUCCESS

    def _known(self, batch_uid: str, client: str) -> DispatchBatch:
        if self._ads.clients.has_lost(client, batch_uid):
            raise UnknownBatch(batch_uid)
        return self._ads.ledger.dispatch(batch_uid)


def _decline(question: Question) -> _Response:
    reason = question.number("reasonCode", int)
    return _Response(lambda each: declined(each, reason), reason_code=reason)


def _accept_partly(question: Question) -> _Response:
    reason, accept_dot_mw = question.number("reasonCode", int), question.number("acceptDOT", float)
    return _Response(lambda each: partly_accepted(each, accept_dot_mw, reason), accept_dot_mw, reason)

"""Client: the eleven operations of ADS by CAISO's names, each with its typed answer. Every failure is an `AdsFailure`.

UIDs are CAISO's texts and have no order: go on from the last one that was processed, or from WHOLE_CACHE (specification, 2.1).
"""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from caiso.ads.addresses import AdsAddress
from caiso.ads.connection import AdsConnection
from caiso.ads.documents import (
    parse_batch_header,
    parse_dispatch_batch,
    parse_dispatch_list,
    parse_first_trajectories,
    parse_flag,
    parse_number,
    parse_receipt,
    parse_trajectories,
)
from caiso.ads.errors import AdsFailure, Oversized, Unforeseen, Unsendable
from caiso.ads.load_following import (
    LoadFollowingRequest,
    LoadFollowingResponse,
    parse_load_following_response,
    write_load_following_request,
)
from caiso.ads.records import (
    BatchHeader,
    DispatchBatch,
    DispatchBatchList,
    Question,
    Reply,
    ResponseResult,
    TrajectoryBatchList,
)
from caiso.ads.soap import SUBMIT
from caiso.clock_offset import ClockOffset

T = TypeVar("T")
MAX_REPLY_BYTES = 64 * 1024 * 1024
"""Several times what a day of ADS makes, and little enough for any machine."""


class Source(Protocol):
    """Where replies come from."""

    def fetch(self, question: Question) -> Reply:
        """The reply to a question.

        Raises:
            AdsFailure: there is none.
        """
        ...


class AdsClient:
    """The two web services of ADS (specification, sections 2 and 3).

    Args:
        source: where replies come from.
        document_namespace: of the documents that are sent (MSSLFRequest).
        max_bytes: the bound on an unpacked document.
        close: lets go of the source.
        clock: the wall clock, to be compared with CAISO's.
        monotonic_s: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        source: Source,
        *,
        document_namespace: str = "",
        max_bytes: int = MAX_REPLY_BYTES,
        close: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._document_namespace = document_namespace
        self._max_bytes = max_bytes
        self.close = close
        self._clock_offset = ClockOffset(clock, monotonic_s)

    @property
    def clock_offset_s(self) -> float | None:
        """CAISO's clock minus ours in seconds, as its replies agree on (`caiso.clock_offset`); None before one told it."""
        return self._clock_offset.seconds

    @property
    def clock_offset_said_s(self) -> float | None:
        """The same as the last reply said it, believed or not; None before one told it."""
        return self._clock_offset.last_said_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def get_dispatch_batches_since_uid(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatchList:
        """Headers of the batches that ADS received after one, in that order (section 2.1).

        Args:
            batch_uid: after which.
            within_s: the most that the answer may take, seconds, where that is less than any may.

        Raises:
            AdsFailure: why there is no answer; UnknownUid when ADS does not know the UID any more.
        """
        question = Question("getDispatchBatchesSinceUID", batch_uid, within_s=within_s)
        return self._ask(question, self._bounded(parse_dispatch_list))

    def get_batch_status(self, batch_uid: str) -> int:
        """The status of a batch, as `BatchHeader.batch_status` (section 2.2).

        Raises:
            AdsFailure: why there is no answer; UnknownUid when ADS does not know the UID.
        """
        return self._ask(Question("getBatchStatus", batch_uid), parse_number)

    def get_dispatch_batch(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatch:
        """A batch with the instructions that this certificate may see (section 2.3).

        Args:
            batch_uid: which.
            within_s: the most that the answer may take, seconds, where that is less than any may.

        Raises:
            AdsFailure: why there is no answer; UnknownUid when ADS does not know the UID.
        """
        return self._ask(Question("getDispatchBatch", batch_uid, within_s=within_s), self._bounded(parse_dispatch_batch))

    def get_batch_header(self, batch_uid: str, within_s: float = math.inf) -> BatchHeader:
        """A batch without its instructions: what its revision and status are now (section 2.4).

        Args:
            batch_uid: which.
            within_s: the most that the answer may take, seconds, where that is less than any may.

        Raises:
            AdsFailure: why there is no answer; UnknownUid when ADS does not know the UID.
        """
        return self._ask(Question("getBatchHeader", batch_uid, within_s=within_s), self._bounded(parse_batch_header))

    def is_new_traj_data(self, batch_uid: str, within_s: float = math.inf) -> bool:
        """Whether there are trajectory batches after one (section 2.5). Their UIDs are not those of dispatch batches.

        Args:
            batch_uid: after which.
            within_s: the most that the answer may take, seconds, where that is less than any may.

        Raises:
            AdsFailure: why there is no answer; UnknownUid when ADS does not know the UID any more.
        """
        return self._ask(Question("isNewTrajData", batch_uid, within_s=within_s), parse_flag)

    def get_trajectory_data(self, batch_uid: str, within_s: float = math.inf) -> TrajectoryBatchList:
        """The trajectory batches that ADS received after one, in that order (section 2.6).

        All of them come in one document. When that is larger than the bound these are the first of them (`is_whole`).

        Args:
            batch_uid: after which.
            within_s: the most that the answer may take, seconds, where that is less than any may.

        Raises:
            AdsFailure: why there is no answer; UnknownUid when ADS does not know the UID any more.
        """
        try:
            return self._ask(Question("getTrajectoryData", batch_uid, within_s=within_s), self._bounded(parse_trajectories))
        except Oversized as failure:
            first = parse_first_trajectories(failure.content or b"", self._max_bytes)
            if not first.batches:
                raise
            return first

    def validate_dispatch_batch(self, batch_uid: str, within_s: float = math.inf) -> None:
        """Tell ADS that a dispatch batch was received (section 2.7). It passes over instructions that were validated before.

        Args:
            batch_uid: which.
            within_s: the most that the answer may take, seconds, where that is less than any may.

        Raises:
            AdsFailure: why it is not known whether ADS took it.
        """
        self._ask(Question("validateDispatchBatch", batch_uid, within_s=within_s), parse_receipt)

    def submit_mss_lf_request(self, request: LoadFollowingRequest) -> LoadFollowingResponse:
        """Submit load following of a metered subsystem (section 2.8). For such participants only.

        Raises:
            AdsFailure: why it is not known whether ADS took it; Unsendable when it was not asked.
        """
        try:
            document = write_load_following_request(request, self._document_namespace)
        except ValueError as error:
            raise Unsendable(Question(SUBMIT, request.sc_batch_id or ""), str(error)) from error
        question = Question(SUBMIT, request.sc_batch_id or "", (("request", document),))
        return self._ask(question, self._bounded(parse_load_following_response))

    def accept_instruction(self, batch_uid: str, instruction_uid: str) -> ResponseResult:
        """Accept an instruction for its whole DOT (section 3.1).

        Raises:
            AdsFailure: why it is not known what ADS made of it.
        """
        return self._respond("acceptInstruction", batch_uid, instruction_uid)

    def decline_instruction(self, batch_uid: str, instruction_uid: str, reason_code: int) -> ResponseResult:
        """Decline an instruction, for a reason of `ReasonCode` (section 3.2).

        Raises:
            AdsFailure: why it is not known what ADS made of it.
        """
        operation = "declineInstruction"
        return self._respond(operation, batch_uid, instruction_uid, _reason(operation, batch_uid, reason_code))

    def partial_accept_instruction(
        self, batch_uid: str, instruction_uid: str, accept_dot_mw: float, reason_code: int
    ) -> ResponseResult:
        """Accept a part of an instruction's DOT, for a reason of `ReasonCode` (section 3.3).

        Since 2023-11-15 the megawatts must lie between 0 and the hourly DOT (CAISO's notice of the day before).

        Raises:
            AdsFailure: why it is not known what ADS made of it; Unsendable for megawatts that are no number.
        """
        operation = "partialAcceptInstruction"
        accepted = ("acceptDOT", _written(Question(operation, batch_uid), "acceptDOT", accept_dot_mw, float))
        return self._respond(operation, batch_uid, instruction_uid, accepted, _reason(operation, batch_uid, reason_code))

    def _respond(self, operation: str, batch_uid: str, instruction_uid: str, *more: tuple[str, str]) -> ResponseResult:
        question = Question(operation, batch_uid, (("instructionUID", instruction_uid), *more))
        return ResponseResult(self._ask(question, parse_number))

    def _bounded(self, parse: Callable[[Reply, int], T]) -> Callable[[Reply], T]:
        return lambda reply: parse(reply, self._max_bytes)

    def _ask(self, question: Question, parse: Callable[[Reply], T]) -> T:
        content = None
        try:
            reply = self._source.fetch(question)
            content = reply.body
            if reply.clock_offset_s is not None:
                self._clock_offset.note(reply.clock_offset_s)
            return parse(reply)
        except AdsFailure:
            raise
        except Exception as error:
            raise Unforeseen(question, repr(error), content) from error


def _reason(operation: str, batch_uid: str, reason_code: int) -> tuple[str, str]:
    return "reasonCode", _written(Question(operation, batch_uid), "reasonCode", reason_code, int)


def _written(question: Question, name: str, number: float, kind: type[float]) -> str:
    """A number as CAISO reads it.

    Raises:
        Unsendable: it is none.
    """
    try:
        if math.isfinite(number):
            return repr(kind(number))
    except (TypeError, ValueError, OverflowError):  # of a caller without types
        pass
    raise Unsendable(question, f"{name} is {number!r}, which is no number")


def connect(
    address: str | AdsAddress,
    *,
    certificate_file: Path,
    key_file: Path | None = None,
    ca_file: Path,
    timeout_s: float = 30.0,
    max_reply_bytes: int = MAX_REPLY_BYTES,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AdsClient:
    """A client of the ADS at an address, to be closed, or used with `with`.

    Args:
        address: of APIWebService, as CAISO writes it: `https://HOST/ADS/APIWebService/v8`; or both services' addresses.
        certificate_file: the participant's certificate, PEM, its key beside it or in `key_file`, not encrypted.
        key_file: the key, PEM.
        ca_file: CAISO's root and issuing CA, PEM; nothing else is trusted.
        timeout_s: the most that one question may take as a whole, seconds.
        max_reply_bytes: the most that one reply, and one document when unpacked, may be.
        clock: the wall clock, to be compared with CAISO's.

    Raises:
        UnknownAddress: the address is no APIWebService's, or names no version.
        TlsFileUnusable: the certificate, its key or the CA bundle cannot be used; it says which file, and what to do.
    """
    at = AdsAddress.of(address) if isinstance(address, str) else address
    connection = AdsConnection(
        at,
        certificate_file=certificate_file,
        key_file=key_file,
        ca_file=ca_file,
        timeout_s=timeout_s,
        max_reply_bytes=max_reply_bytes,
        clock=clock,
    )
    return AdsClient(
        connection,
        document_namespace=at.document_namespace,
        max_bytes=max_reply_bytes,
        close=connection.close,
        clock=clock,
    )

"""What can go wrong with a question to ADS: one exception for each kind, which says what and where.

AdsFailure
 +-- Away                nothing usable was heard: the same question later may be answered
 |    +-- Unreachable    no connection, or TLS refused
 |    +-- TimedOut       no reply, or not all of it, in time
 |    +-- CutShort       the connection closed inside the reply
 |    +-- HttpRefused    a status other than 200, without a SOAP fault
 +-- SoapFault           CAISO answered with a fault
 +-- Oversized           more bytes than we are ready to hold, packed or unpacked
 +-- Malformed           not the document that the question asks for
 +-- Outdated            the batch lags behind its own header
 +-- Unforeseen          a fault of ours in what CAISO sent: it ends with its batch and not with the process
"""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ads_ingest.records import Question


class AdsFailure(Exception):
    """A question to ADS that got no usable answer.

    Attributes:
        kind: which failure, in words.
        question: what was asked, about which batch.
        reason: what is wrong.
        content: the raw bytes that were received, None when there were none.
    """

    kind: ClassVar[str] = "failure"

    def __init__(self, question: Question, reason: str, content: bytes | None = None) -> None:
        super().__init__(f"{question}: {self.kind}: {reason}")
        self.question = question
        self.reason = reason
        self.content = content


class Away(AdsFailure):
    """Nothing usable was heard. Asking again later is all that can be done."""

    kind = "away"


class Unreachable(Away):
    """No connection to CAISO, or the TLS handshake failed."""

    kind = "unreachable"


class TimedOut(Away):
    """CAISO did not reply, or not completely, in time."""

    kind = "timed out"


class CutShort(Away):
    """The connection closed inside the reply."""

    kind = "cut short"


class HttpRefused(Away):
    """An HTTP status other than 200 without a SOAP fault in it."""

    kind = "HTTP refused"


class SoapFault(AdsFailure):
    """CAISO answered with a SOAP fault; `reason` is its code and text."""

    kind = "SOAP fault"


class Oversized(AdsFailure):
    """The reply, or the document packed in it, is larger than we are ready to hold."""

    kind = "oversized"


class Malformed(AdsFailure):
    """The reply is not XML, not SOAP, or not the document that the question asks for."""

    kind = "malformed"


class Outdated(AdsFailure):
    """The batch itself lags behind its header: what it says has been replaced."""

    kind = "outdated"


class Unforeseen(AdsFailure):
    """What CAISO sent met a fault of this software; its cause is the exception."""

    kind = "unforeseen"

    @property
    def traceback(self) -> str:
        """Where it happened."""
        return "".join(traceback.format_exception(self))


@dataclass(frozen=True)
class Unanswered:
    """What a round did not get.

    Attributes:
        failures: the questions of this round that had no usable answer.
        missing: why each thing that CAISO has could not be had, in this round or the last time that it was asked for.
    """

    failures: Sequence[AdsFailure] = ()
    missing: Sequence[AdsFailure] = ()

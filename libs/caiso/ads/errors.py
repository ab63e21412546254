"""What can go wrong with a question to ADS: one exception for each kind, which says what and where.

AdsFailure
 +-- Away                nothing usable was heard: the same question later may be answered
 |    +-- Unreachable    no connection, or lost before anything came
 |    |    +-- TlsRefused    one of the two ends does not accept the other's certificate
 |    |    +-- HungUp        CAISO closed the connection without a word, as some do on a certificate
 |    +-- TimedOut       no reply, or not all of it, in time
 |    +-- CutShort       the connection closed inside the reply
 |    +-- HttpRefused    a status other than 200, without a SOAP fault
 |    +-- Busy           a SOAP fault that says that ADS cannot answer now
 +-- SoapFault           CAISO answered with a fault
 |    +-- UnknownUid     one that says that it does not know the UID
 +-- Oversized           more bytes than we are ready to hold, packed or unpacked
 +-- Malformed           not the document that the question asks for
 +-- Unsendable          what is to be said cannot be said to CAISO, and was not
 +-- Unforeseen          what CAISO sent met a fault of this software
"""

import traceback
from pathlib import Path
from typing import ClassVar

from caiso.ads.records import Question
from caiso.tls import TlsProblem


class AdsFailure(Exception):
    """A question to ADS that got no usable answer.

    Attributes:
        kind: which failure, in words.
        question: what was asked, about which batch.
        reason: what is wrong. Equal causes read alike, so that each can be logged once.
        content: the raw bytes that were received, None when there were none.
        is_unsent: whether CAISO certainly never had the question. Of a question that changes something this is what tells a
            failure that changed nothing from one of which nobody knows.
    """

    kind: ClassVar[str] = "failure"

    def __init__(self, question: Question, reason: str, content: bytes | None = None, *, is_unsent: bool = False) -> None:
        super().__init__(f"{question}: {self.kind}: {reason}")
        self.question = question
        self.reason = reason
        self.content = content
        self.is_unsent = is_unsent


class Away(AdsFailure):
    """Nothing usable was heard. Asking again later is all that can be done."""

    kind = "away"


class Unreachable(Away):
    """No connection to CAISO, or one that was lost before anything came."""

    kind = "unreachable"


class TlsRefused(Unreachable):
    """One of the two ends does not accept the other's certificate. It stays so until somebody acts, or CAISO does.

    Attributes:
        problem: whose certificate, and what is wrong with it.
        file: where to look: the CA bundle or the client's certificate; None when no file of ours is concerned.
    """

    kind = "TLS refused"

    def __init__(self, question: Question, reason: str, problem: TlsProblem, file: Path | None) -> None:
        super().__init__(question, reason, is_unsent=True)
        self.problem = problem
        self.file = file


class HungUp(Unreachable):
    """CAISO closed the connection before anything came. Many servers do on a certificate that they do not accept.

    Attributes:
        file: the client's certificate that was shown.
    """

    def __init__(self, question: Question, reason: str, file: Path) -> None:
        super().__init__(question, reason)
        self.file = file


class TimedOut(Away):
    """CAISO did not reply, or not completely, in time."""

    kind = "timed out"


class CutShort(Away):
    """The connection closed inside the reply."""

    kind = "cut short"


class HttpRefused(Away):
    """An HTTP status other than 200 without a SOAP fault in it."""

    kind = "HTTP refused"


class Busy(Away):
    """CAISO answered with a SOAP fault that says that it cannot answer now; `reason` is its code and text."""

    kind = "busy"


class SoapFault(AdsFailure):
    """CAISO answered with a SOAP fault; `reason` is its code and text. The specification lists no texts (section 1.4)."""

    kind = "SOAP fault"


class UnknownUid(SoapFault):
    """CAISO says that it does not know the UID: it never gave it out, or more than 24 hours ago (section 2.1)."""

    kind = "unknown UID"


class Oversized(AdsFailure):
    """The reply, or the document packed in it, is larger than we are ready to hold."""

    kind = "oversized"


class Malformed(AdsFailure):
    """The reply is not XML, not SOAP, or not the document that the question asks for."""

    kind = "malformed"


class Unsendable(AdsFailure):
    """What is to be said is nothing that CAISO could read: megawatts that are no number, a character that XML has not."""

    kind = "unsendable"

    def __init__(self, question: Question, reason: str) -> None:
        super().__init__(question, reason, is_unsent=True)


class Unforeseen(AdsFailure):
    """What CAISO sent met a fault of this software; its cause is the exception."""

    kind = "unforeseen"

    @property
    def traceback(self) -> str:
        """Where it happened."""
        return "".join(traceback.format_exception(self))

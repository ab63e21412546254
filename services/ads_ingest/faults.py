"""What the streams have to say of questions without a usable answer, beside what the client library says of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from caiso.ads.errors import AdsFailure


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

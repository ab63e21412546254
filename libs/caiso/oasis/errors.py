"""What can go wrong between a question and its prices, as exceptions that say what, where and what to do.

OasisFailure
 +-- Unreachable      no connection, or TLS refused
 +-- TimedOut         no answer, or not all of it, in time
 +-- CutShort         the connection closed inside the answer
 +-- Throttled        "Acceptable Use Policy Violation": asked too often
 +-- HttpRefused      an HTTP status other than 200
 +-- Oversized        more bytes, members, rows or names than an honest answer has
 +-- Malformed        not a zip, not a table, not the answer to what was asked
 |    +-- NoPrices    one of its members is something else than prices
 +-- Incomplete       an answer that lacks what makes it one: rows, an LMP, a member
 +-- ErrorReply       OASIS's own error report, by its ERR_CODE
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

_SPACE = re.compile(r"[\t-\r\x85\u2028\u2029]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_MOST_SHOWN = 400


def shown(text: str, most: int = _MOST_SHOWN) -> str:
    """A server's text as a message may hold it: one line of at most so many characters, none of which a terminal obeys."""
    clean = _UNPRINTABLE.sub("?", _SPACE.sub(" ", text[: 4 * most]))
    return clean if len(clean) <= most and len(text) <= 4 * most else f"{clean[:most]}..."


def quoted(text: str, most: int = 40) -> str:
    """The same in quotes."""
    return f"'{shown(text, most)}'"


class Remedy(StrEnum):
    """What to do after a failure."""

    PAUSE = "pause"
    """Ask nothing at all for a while: the server as a whole does not answer, or does not want to."""
    RETRY = "retry"
    """Ask the same again later; other questions go on."""
    GIVE_UP = "give_up"
    """Asking again will not help until something is changed; try rarely."""
    BY_MEANING = "by_meaning"
    """No data: what that means depends on what was asked for, see `reports.meaning_of_no_data`."""


class OasisFailure(Exception):
    """A question that brought no prices.

    Attributes:
        remedy: what to do about it.
        cause: what went wrong, in words that are the same as long as it does. As text, a failure also says where. Both are
            `shown`, whatever of the reply is in them.
        content: the bytes that came; None when none did.
    """

    remedy = Remedy.RETRY

    def __init__(self, cause: str, content: bytes | None = None, *, where: str = "") -> None:
        self.cause = shown(cause)
        super().__init__(f"{self.cause}: {shown(where)}" if where else self.cause)
        self.content = content


class Unreachable(OasisFailure):
    """No connection to CAISO, or the TLS handshake failed."""

    remedy = Remedy.PAUSE


class TimedOut(OasisFailure):
    """CAISO did not answer, or not completely, in time."""

    remedy = Remedy.PAUSE


class CutShort(OasisFailure):
    """The connection closed inside the answer."""


class Oversized(OasisFailure):
    """The answer was larger than we are willing to read, packed or unpacked."""


class Throttled(OasisFailure):
    """CAISO says that it was asked too often: status 429, or the same page with status 200."""

    remedy = Remedy.PAUSE


class HttpRefused(OasisFailure):
    """A status other than 200.

    Attributes:
        status: the HTTP status.
        location: where a redirection leads.
    """

    def __init__(self, status: int, location: str | None = None, content: bytes | None = None) -> None:
        where = f"it leads to {shown(location, 200)}, where nothing is asked" if location is not None else ""
        super().__init__(f"HTTP status {status}", content, where=where)
        self.status = status
        self.location = location
        self.remedy = Remedy.PAUSE if status >= 500 else Remedy.GIVE_UP  # noqa: PLR2004  # HTTP's own classes


class Malformed(OasisFailure):
    """Bytes that are not what a reply of OASIS is made of. The message says which member, line or element."""


class NoPrices(Malformed):
    """A member that is something else than a table or a report of prices. Beside others that are, it is passed over."""


class Incomplete(OasisFailure):
    """An answer that lacks what makes it one: any row, any LMP that can be read, or the member that an error stands for.

    It is never "no data": OASIS says that by error 1000 and by nothing else.
    """


class ErrorReply(OasisFailure):
    """OASIS answered with an error report.

    Attributes:
        code: its ERR_CODE.
        description: its ERR_DESC, CAISO's words.
    """

    def __init__(self, code: str, description: str, remedy: Remedy | None = None) -> None:
        super().__init__(f"OASIS error {code}: {description}")
        self.code = code
        self.description = description
        self.remedy = remedy or _REMEDIES.get(code, Remedy.RETRY)


NO_DATA = "1000"
IN_PROCESSING = "1015"
"""GroupZip makes its files in the background, and answers so until they are made."""

_REMEDIES: Mapping[str, Remedy] = MappingProxyType(
    {
        NO_DATA: Remedy.BY_MEANING,
        # Time-outs, memory, files and systems of theirs, and a group download still being made.
        **dict.fromkeys(("1003", "1006", "1007", "1008", "1009", "1010", "1012", "1013", IN_PROCESSING), Remedy.RETRY),
        # The question itself: parameters, dates, span, report, group, number of nodes, version.
        **dict.fromkeys(
            ("1001", "1002", "1004", "1005", "1011", "1014", "1016", "1017", "1018", "1019", "1020"), Remedy.GIVE_UP
        ),
    }
)
"""Interface specification 4.3.5, section 3.2. A code that it does not name is tried again."""


def has_no_data(failure: OasisFailure) -> bool:
    """Whether OASIS itself says that it has nothing of what was asked for."""
    return isinstance(failure, ErrorReply) and failure.code == NO_DATA

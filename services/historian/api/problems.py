"""Problems: what went wrong in the words of RFC 9457: what, where, and what to do about it."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import Enum
from typing import NamedTuple

MEDIA_TYPE = "application/problem+json"
NEAR_MOST = 5


class _Sort(NamedTuple):
    status: int
    title: str


class Sort(Enum):
    """Every sort of problem; its `type` is /problems/ and its name with dashes."""

    NO_HTTP = _Sort(400, "It is no request")
    BAD_PARAMETER = _Sort(400, "A parameter is not understood")
    BAD_TIME = _Sort(400, "A time is not understood")
    BAD_RANGE = _Sort(400, "A range of time cannot be answered")
    BAD_PAGE = _Sort(400, "A page key is not one of ours")
    KEY_NEEDED = _Sort(401, "A key is needed")
    KEY_REFUSED = _Sort(401, "The key is not known, or was revoked")
    UNKNOWN_PATH = _Sort(404, "There is no such path")
    UNKNOWN_NODE = _Sort(404, "No price of such a node is kept")
    UNKNOWN_PLANT = _Sort(404, "There is no such plant")
    UNKNOWN_RESOURCE = _Sort(404, "There is no such resource")
    WRONG_METHOD = _Sort(405, "A question is asked with GET or HEAD")
    NO_SUCH_FORMAT = _Sort(406, "There is no such format")
    FOREIGN_HOST = _Sort(421, "This is not the machine that was meant")
    OLD_HTTP = _Sort(426, "A stream needs HTTP/1.1")
    TOO_OFTEN = _Sort(429, "Asked too often")
    HEAD_TOO_LARGE = _Sort(431, "The request's line and headers are too large")
    FAILED = _Sort(500, "A fault of ours")
    DATABASE_AWAY = _Sort(503, "The database cannot be asked now")
    BUSY = _Sort(503, "Too much is being answered at once")
    TOO_SLOW = _Sort(504, "The answer takes too long")

    @property
    def status(self) -> int:
        """The HTTP status that it is told with."""
        return self.value.status

    @property
    def title(self) -> str:
        """The same for every problem of the sort."""
        return self.value.title

    @property
    def type(self) -> str:
        """Its stable address."""
        return f"/problems/{self.name.lower().replace('_', '-')}"


class Problem(Exception):
    """An answer that says why there is none.

    Args:
        sort: what sort of problem it is.
        detail: what is wrong, where, and what to do.
        near: names that may have been meant.
        retry_after_s: when asking again may work.
    """

    def __init__(self, sort: Sort, detail: str, *, near: Iterable[str] = (), retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.sort = sort
        self.detail = detail
        self.near = tuple(near)
        self.retry_after_s = retry_after_s

    def document(self) -> Mapping[str, object]:
        """The answer's body."""
        told: dict[str, object] = {
            "type": self.sort.type,
            "title": self.sort.title,
            "status": self.sort.status,
            "detail": self.detail,
        }
        return {**told, "near": list(self.near)} if self.near else told

    def headers(self) -> dict[str, str]:
        """What its answer's header says beside."""
        headers = {"Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.sort in (Sort.KEY_NEEDED, Sort.KEY_REFUSED):
            headers["WWW-Authenticate"] = 'Bearer realm="dotbus"'
        if self.sort is Sort.WRONG_METHOD:
            headers["Allow"] = "GET, HEAD"
        return headers


def unknown(sort: Sort, what: str, name: str, known: Iterable[str]) -> Problem:
    """A name that is not known, with those that are near to it."""
    folded = {one.casefold(): one for one in known}
    close = get_close_matches(name.casefold(), folded, n=NEAR_MOST, cutoff=0.5)
    near = [folded[one] for one in close]
    hint = f"; did you mean {near[0]}?" if near else ""
    return Problem(sort, f"{what}: {clipped(name)} is not known here{hint}", near=near)


def clipped(text: str, most: int = 80) -> str:
    """What somebody sent, fit to be repeated: a long one is cut, and what cannot be shown is written as its code."""
    return ascii(text if len(text) <= most else text[:most] + "...")

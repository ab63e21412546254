"""Errors: why there is no answer, each sort as a class of its own, in the words of the problem (RFC 9457) that was told."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus


class NoAnswer(Exception):
    """A question was not answered. Every error of the client is one."""


class NotReached(NoAnswer):
    """Nobody answers at the address, or who does is not who its certificate says."""


class AnswerCut(NoAnswer):
    """An answer ended before its end, or is none that this client can read. Nothing of it is given."""


class Refused(NoAnswer):
    """The API says why it does not answer.

    Attributes:
        status: of HTTP.
        type: the sort of problem, `/problems/` and a name that stays; empty where who answered is not the API.
        title: the same for every problem of the sort.
        detail: what is wrong, where, and what to do.
        near: names that may have been meant.
        retry_after_s: when asking again may work; None where it says nothing.
    """

    def __init__(
        self,
        status: int,
        type: str = "",  # noqa: A002  # its name in RFC 9457
        title: str = "",
        detail: str = "",
        near: Sequence[str] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(": ".join(part for part in (title or f"HTTP status {status}", detail) if part))
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.near = tuple(near)
        self.retry_after_s = retry_after_s


class BadQuestion(Refused):
    """The question is not understood, or asks for too much: its text says what to say instead."""


class KeyRefused(Refused):
    """A key is needed, or the one that was said is not known."""


class NotFound(Refused):
    """There is no such node, plant, resource or question; `near` has names that may have been meant."""


class TooOften(Refused):
    """More was asked than a key may ask, also after waiting as long as the API said."""


class NotNow(Refused):
    """The API or its database cannot answer now, or would take too long."""


_SORTS: Mapping[int, type[Refused]] = {
    HTTPStatus.UNAUTHORIZED: KeyRefused,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.TOO_MANY_REQUESTS: TooOften,
}


def refusal_of(status: int, document: object, retry_after: str | None) -> Refused:
    """A problem's document as an error; one of the status alone where it is none."""
    told = document if isinstance(document, dict) else {}
    texts = {name: str(told.get(name, "")) for name in ("type", "title", "detail")}
    near = told["near"] if isinstance(told.get("near"), list) else []
    sort = _SORTS.get(status, NotNow if status >= HTTPStatus.INTERNAL_SERVER_ERROR else BadQuestion)
    return sort(status, **texts, near=[str(name) for name in near], retry_after_s=_seconds(retry_after))


def _seconds(text: str | None) -> float | None:
    """Retry-After may also be a date, which this API never says."""
    return float(text) if text and text.isascii() and text.isdigit() else None

"""Pages: where the next one begins, in a word that tells nothing to whom it is given (pure).

It is the key of the last row that was told, with a check over it and over the statement: a word that was cut, or of another
sort of question, is refused. It is no secret: whatever it says is bound to a statement like any other parameter.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Final

import msgspec

from historian.api.problems import Problem, Sort
from historian.api.questions.question import Kind, Question

DEFAULT_ROWS: Final = 1000
MOST_ROWS: Final = 10_000
MOST_CHARACTERS: Final = 2048
_CHECK_BYTES: Final = 8
_NOT_OURS: Final = "page: it is not from an answer to this question; ask without it, then follow `next` with all else the same"
_NUMBERS: Final = (Kind.INTEGER, Kind.NUMBER)


def next_page(question: Question, row: Sequence[object]) -> str:
    """The word for what comes after a row of a question."""
    names = [column.name for column in question.columns]
    key = msgspec.json.encode([row[names.index(name)] for name in question.key])
    return base64.urlsafe_b64encode(_check(question, key) + key).rstrip(b"=").decode()


def after_of(question: Question, page: str | None) -> tuple[object, ...] | None:
    """The key that a page goes on from; None for the first one.

    Raises:
        Problem: the word is not one that this question's answer gave.
    """
    if page is None:
        return None
    try:
        raw = base64.b64decode(page + "=" * (-len(page) % 4), altchars=b"-_", validate=True)
        check, key = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if question.key and hmac.compare_digest(check, _check(question, key)):
            return _typed(question, msgspec.json.decode(key))
    except (ValueError, TypeError, OverflowError, msgspec.MsgspecError) as error:
        raise Problem(Sort.BAD_PAGE, _NOT_OURS) from error
    raise Problem(Sort.BAD_PAGE, _NOT_OURS)


def _check(question: Question, key: bytes) -> bytes:
    # Not over the parameters: `today` is another day after midnight, and a page that goes on from a key is right then, too.
    return hashlib.sha256(question.sql.encode() + b"\0" + key).digest()[:_CHECK_BYTES]


def _typed(question: Question, values: Sequence[object]) -> tuple[object, ...]:
    kinds = [question.named(name).kind for name in question.key]
    if len(values) != len(kinds):
        raise ValueError("another key")
    return tuple(_value(kind, value) for kind, value in zip(kinds, values, strict=True))


def _value(kind: Kind, value: object) -> object:
    if kind is Kind.TIME and isinstance(value, str):
        return _bounded(datetime.fromisoformat(value).astimezone(UTC))
    if kind in _NUMBERS and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if kind not in _NUMBERS and isinstance(value, str):
        return value
    raise ValueError("another kind of value")


def _bounded(instant: datetime) -> datetime:
    """One that can be counted on from, whatever the step."""
    if not MINYEAR < instant.year < MAXYEAR:
        raise ValueError("no time of ours")
    return instant

"""Columns: the rows of a reply as arrays, each text once and its number in every row. Pure but for the streams it reads.

A price of every node and hour of a day is two million rows: as Python objects they cost minutes and gigabytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from caiso.oasis.errors import Oversized, shown
from caiso.oasis.reports import Component

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

NO_TIME: Final = np.iinfo(np.int64).min
"""Where a text is no time."""
MOST_TEXTS: Final = 1_000_000
"""Distinct texts of one column. CAISO has 16,600 nodes; more than so many are no answer, and would cost memory without end."""


class Coded(NamedTuple):
    """A column of some rows.

    Attributes:
        texts: the numbers of the texts in it, each once.
        places: by row, which of these stands there.
    """

    texts: Numbers
    places: Numbers

    @property
    def numbers(self) -> Numbers:
        """The number of the text in each row."""
        return self.texts[self.places]

    def numbers_in(self, rows: Integers) -> Numbers:
        """The same of some rows."""
        return self.texts[self.places[rows]]

    def number_in(self, row: int) -> int:
        """The same of one row."""
        return int(self.texts[self.places[row]])


class Texts:
    """The distinct texts of a column, each with its number in the order in which they come.

    Args:
        what: the column, for messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._numbers: dict[bytes | None, int] = {}
        self._texts: list[bytes] = []

    def __len__(self) -> int:
        return len(self._texts)

    def text(self, number: int) -> str:
        """The text that has a number."""
        return self._texts[number].decode(errors="replace")

    def all(self) -> Sequence[bytes]:
        """Every text, by its number."""
        return self._texts

    def coded(self, column: pa.DictionaryArray) -> Coded:
        """A column by numbers. A row without any text has that of the empty one.

        Raises:
            Oversized: there are too many distinct texts.
        """
        distinct = self._numbers_of(column.dictionary.to_numpy(zero_copy_only=False).tolist())
        if len(self) > MOST_TEXTS:
            raise Oversized(f"more than {MOST_TEXTS:,} different values of {self._what}")
        indices = column.indices
        if indices.null_count:
            distinct.append(self._number_of(b""))
            indices = indices.fill_null(len(distinct) - 1)
        return Coded(np.array(distinct, dtype=np.int32), indices.to_numpy())

    def _numbers_of(self, texts: list[bytes | None]) -> list[int]:
        known = list(map(self._numbers.get, texts))
        return [self._number_of(text or b"") if number is None else number for text, number in zip(texts, known, strict=True)]

    def _number_of(self, text: bytes) -> int:
        number = self._numbers.setdefault(text, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text)
        return number


class Known:
    """What each text of a column comes to, worked out once for each.

    Args:
        texts: the column's.
        meaning: of one text.
        kind: of numpy, in which it is held.
    """

    def __init__(self, texts: Texts, meaning: Callable[[bytes], int | float | bool], kind: type) -> None:
        self._texts = texts
        self._meaning = meaning
        self._found: npt.NDArray[Any] = np.empty(0, dtype=kind)

    def of(self, column: Coded) -> npt.NDArray[Any]:
        """Of each row."""
        return self.of_texts(column)[column.places]

    def of_texts(self, column: Coded) -> npt.NDArray[Any]:
        """Of each text that is in the column. There are few where there are many rows."""
        found: npt.NDArray[Any] = self.all()[column.texts]
        return found

    def all(self) -> npt.NDArray[Any]:
        """Of each text, by its number."""
        if len(self._found) < len(self._texts):
            new = [self._meaning(text) for text in self._texts.all()[len(self._found) :]]
            self._found = np.concatenate([self._found, np.array(new, dtype=self._found.dtype)])
        return self._found


def seconds_of(text: bytes) -> int:
    """A time as seconds since 1970 in UTC, `NO_TIME` when it is none, names no offset from UTC, or UTC has no such year."""
    try:
        at = datetime.fromisoformat(text.decode("ascii"))
        return int(at.astimezone(UTC).timestamp()) if at.tzinfo is not None and at.microsecond == 0 else NO_TIME
    except (ValueError, OverflowError):
        return NO_TIME


def time_of(seconds: int) -> datetime:
    """The time that so many seconds since 1970 are."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True)
class RawColumns:
    """Some rows of a member, as they stand there.

    Attributes:
        market: MARKET_RUN_ID, MKT_TYPE.
        node: NODE, RESOURCE_NAME.
        start: of the interval, text.
        end: of it.
        kind: LMP_TYPE, DATA_ITEM.
        usd_per_mwh: the price; NaN where there is none.
        unreadable: by row, what stands where a price belongs and is no number.
    """

    market: pa.DictionaryArray
    node: pa.DictionaryArray
    start: pa.DictionaryArray
    end: pa.DictionaryArray
    kind: pa.DictionaryArray
    usd_per_mwh: Floats
    unreadable: dict[int, str] = field(default_factory=dict)


MOST_BAD_ROWS: Final = 1_000
_QUOTED: Final = 120


class BadRow(NamedTuple):
    """A row that cannot be believed, and what can be read of what it is about; what cannot is None.

    It could have spoken for any node where its node cannot be read, for any interval where its interval cannot, and so on.

    Attributes:
        cause: what is wrong, and `where` the row's own text: the same words whenever the same row comes again.
    """

    cause: str
    where: str
    node: str | None = None
    interval_start: datetime | None = None
    interval_end: datetime | None = None
    component: Component | None = None

    def __str__(self) -> str:
        return f"{self.cause}: {self.where}"


@dataclass
class BadRows:
    """Rows that are left out. Beyond the first thousand they are counted, and one stands for all of them."""

    named: list[BadRow] = field(default_factory=list)
    total: int = 0

    def note(self, row: BadRow) -> None:
        """A row is left out."""
        self.total += 1
        if len(self.named) < MOST_BAD_ROWS:
            self.named.append(row._replace(where=shown(row.where, _QUOTED)))

    def count(self, times: int) -> None:
        """So many more are, which nobody names."""
        self.total += times

    def add(self, others: "BadRows") -> None:
        """Those of another piece of the reply are, too."""
        for row in others.named:
            self.note(row)
        self.count(others.total - len(others.named))

    def all(self) -> tuple[BadRow, ...]:
        """Every one that is named, and one for the others, which may be of any node and interval."""
        more = self.total - len(self.named)
        return (*self.named, *([BadRow("more rows that cannot be believed", f"{more:,}")] if more else []))

"""Hearing: whether anybody heard CAISO at a moment, by what each ads_ingest said of itself (pure).

It is what a gateway would have known of its sources. How it was connected to them, and its own clock, nobody kept.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final, Self

from dotbus.contracts.quality import Quality, Reason

SILENT_AFTER: Final = timedelta(seconds=15)
"""A source says each five seconds that it is there. One that has not for so long is not."""
NOT_KEPT: Final = frozenset({Reason.INCOMPLETE})
"""What speaks against everything while no word of any source is kept: whether CAISO was heard nobody can say."""
HeardRow = tuple[str, bool, bool, datetime, datetime, datetime]
"""Source, whether it was there, whether CAISO answered it, when it first said so and last, and when that first came."""
LOOKED_BACK: Final = 100
"""So many stretches in which nobody heard CAISO are longer than anything counts."""
JUST_AFTER: Final = timedelta(microseconds=1)
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Stretch:
    """A time in which a source said the same of itself.

    Attributes:
        begin: since when.
        heard_at: when it last said so.
    """

    online: bool
    is_ok: bool
    begin: datetime
    heard_at: datetime

    @property
    def hears(self) -> bool:
        """Whether it was there and CAISO answered it."""
        return self.online and self.is_ok


@dataclass(frozen=True)
class Hearing:
    """What every source said of itself.

    Attributes:
        of_sources: of each its stretches, in their order.
        stale_after: how long what CAISO said counts after it was heard last.
    """

    of_sources: tuple[tuple[Stretch, ...], ...]
    stale_after: timedelta

    @classmethod
    def of_rows(cls, rows: Iterable[HeardRow], stale_after_s: float) -> Self:
        """Of the rows of `questions.evidence.heard`, in their order."""
        of_sources: defaultdict[str, list[Stretch]] = defaultdict(list)
        for source, online, is_ok, time, heard_at, received_at in rows:
            known = of_sources[source]
            begin = _offline_since(known[-1].heard_at, time, received_at) if known and not online else time
            known.append(Stretch(online, is_ok, begin, heard_at))
        return cls(tuple(map(tuple, of_sources.values())), timedelta(seconds=stale_after_s))

    def against(self, moment: datetime) -> frozenset[Reason]:
        """What spoke against all that CAISO had said: of several sources the best one's reasons."""
        found = [self._against(stretches, moment) for stretches in self.of_sources]
        return max(found, key=lambda reasons: (Quality.of(reasons).level, -len(reasons)), default=NOT_KEPT)

    def _against(self, stretches: Sequence[Stretch], moment: datetime) -> frozenset[Reason]:
        begun = bisect_right(stretches, moment, key=lambda stretch: stretch.begin)
        last = stretches[begun - 1] if begun else None
        reasons = set[Reason]()
        if last is None or not last.online or moment > last.heard_at + SILENT_AFTER:
            reasons.add(Reason.SOURCE_OFFLINE)
        elif not last.is_ok:
            reasons.add(Reason.SOURCE_FAILING)
        heard = next((one for one in reversed(stretches[max(begun - LOOKED_BACK, 0) : begun]) if one.hears), None)
        heard_at = min(heard.heard_at, moment) if heard else _LONG_AGO
        if moment > heard_at + self.stale_after:
            reasons.add(Reason.STALE)
        return frozenset(reasons)

    def turns(self) -> Iterator[datetime]:
        """When what is known of a source may have changed."""
        for stretch in chain.from_iterable(self.of_sources):
            yield from (
                stretch.begin,
                stretch.heard_at + SILENT_AFTER + JUST_AFTER,
                stretch.heard_at + self.stale_after + JUST_AFTER,
            )


def _offline_since(heard_at: datetime, time: datetime, received_at: datetime) -> datetime:
    """When everybody knew that a source was gone: it said so, or its last will came, which names the time of its connection.

    No later than when its silence would have told it.
    """
    if time > heard_at:
        return time
    return min(max(received_at, heard_at), heard_at + SILENT_AFTER)

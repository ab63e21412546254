"""Listing: what CAISO names in a round, and whether it may have more.

What is new is asked for first, always. All that CAISO has is asked for as well where its list names nothing new, now and then,
and where its lists may have passed something over (`passed_over`). An empty one may also mean that it does not know the UID.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial

import msgspec

from ads_ingest.batches.alarms import CHECK_FIRST, Silence
from ads_ingest.batches.open_batches import OpenBatches
from ads_ingest.batches.passed_over import Named, PassedOver
from ads_ingest.caiso import ALL_THE_TIME, NONE_IN_VAIN, Ads, CursorQuestion, Patience, WholeQuestion
from ads_ingest.translate import translate_header
from caiso.ads import WHOLE_CACHE
from caiso.ads.errors import AdsFailure
from caiso.ads.records import DispatchBatchList
from dotbus.contracts.messages import DispatchBatchHeader


@dataclass(frozen=True)
class Listed:
    """What CAISO named.

    Attributes:
        answer: as it came.
        cursor: the UID that it continues from.
        unanswered: why CAISO could not be asked for all that it has, where that was to be.
    """

    answer: DispatchBatchList
    cursor: str
    unanswered: tuple[AdsFailure, ...] = ()

    @cached_property
    def headers(self) -> Sequence[DispatchBatchHeader]:
        """Of each batch, in CAISO's order."""
        return tuple(translate_header(header) for header in self.answer.headers)


class Listing:
    """Asks for them.

    Args:
        caiso: who is asked.
        batches: what is known of each.
        passed_over: whether CAISO's lists may have.
        clock: the wall clock.
        silence: since when no batch came.
    """

    def __init__(
        self,
        caiso: Ads,
        batches: OpenBatches,
        passed_over: PassedOver,
        *,
        clock: Callable[[], datetime],
        silence: Silence,
    ) -> None:
        self._caiso = caiso
        self._batches = batches
        self._clock = clock
        self._silence = silence
        self._passed_over = passed_over
        self._of_news, self._of_all = Patience(clock, NONE_IN_VAIN), Patience(clock)
        self._new = CursorQuestion()
        self._whole = WholeQuestion(self._ask_for_all, _uids_of, _these_of, "dispatch batches", "its list left them out")

    @property
    def named(self) -> Mapping[str, Named]:
        """Every batch that lists named of late."""
        return self._passed_over.named

    def after(self, cursor: str) -> Listed:
        """What came after a batch, and what CAISO's lists passed over.

        Raises:
            AdsFailure: CAISO could not be asked for new batches.
        """
        listed = Listed(*self._new.since(self._ask, cursor))
        if listed.cursor == WHOLE_CACHE or self._is_news(listed) or not self._passed_over.may_be(listed.cursor, self._clock()):
            return listed
        try:
            return self._all_behind(listed.cursor)
        except AdsFailure as failure:  # CAISO did answer what is new
            return Listed(listed.answer, listed.cursor, (failure,))

    def note(self, listed: Listed) -> None:
        """These are to be had, as is about to be known of each."""
        now = self._clock()
        if self._is_news(listed):
            self._silence.note_news(now)
        self._passed_over.note_listed(listed.cursor, listed.headers, now)

    def _is_news(self, listed: Listed) -> bool:
        return any(self._batches.get(header.batch_uid) is None for header in listed.headers)

    def _all_behind(self, cursor: str) -> Listed:
        self._passed_over.note_asking(self._clock())
        answer, continues = self._whole.since(cursor, self._news_in)
        self._passed_over.note_told(cursor, self._clock())
        return Listed(answer, continues)

    def _ask(self, cursor: str) -> DispatchBatchList:
        return self._listed(self._of_news, cursor, has_time=cursor == WHOLE_CACHE)

    def _ask_for_all(self, cursor: str) -> DispatchBatchList:
        """Where nothing is new for long, nothing waits for it; else it has little time at first."""
        return self._listed(self._of_all, cursor, has_time=self._silence.lasted(self._clock()) >= CHECK_FIRST)

    def _listed(self, patience: Patience, cursor: str, *, has_time: bool) -> DispatchBatchList:
        ask = partial(self._caiso.get_dispatch_batches_since_uid, cursor)
        return patience.ask(ask, timed_out=ALL_THE_TIME if has_time else None)

    def _news_in(self, everything: DispatchBatchList) -> set[str]:
        return self._passed_over.news_in(map(translate_header, everything.headers))


def _uids_of(listed: DispatchBatchList) -> list[str]:
    return [header.batch_uid for header in listed.headers]


def _these_of(listed: DispatchBatchList, uids: Collection[str]) -> DispatchBatchList:
    return msgspec.structs.replace(listed, headers=tuple(each for each in listed.headers if each.batch_uid in uids))

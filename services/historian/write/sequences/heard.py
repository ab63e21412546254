"""Heard: what sources said of themselves, from the writers to whoever asks for what is missing. Bounded, whatever anybody says.

Only what tells of gaps is kept. What is left out when there is too much is told again: a status with the next one, and what is
lost when the source is asked again.
"""

import threading
from collections import deque
from collections.abc import Iterable

import msgspec

from dotbus.contracts.messages import ReplayReply, ServiceStatus

MAX_WORDS = 20_000
"""More than come between two looks."""
MAX_LOST_RANGES = 50_000
"""Of all replies together: five that name as many as one may."""
replace = msgspec.structs.replace
Word = ServiceStatus | ReplayReply


class Heard:
    """Words in the order in which they came. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._words: deque[Word] = deque(maxlen=MAX_WORDS)
        self._lost_ranges = 0

    def add(self, words: Iterable[Word]) -> None:
        """Keep what sources said; beyond the bounds the oldest words go."""
        with self._lock:
            self._words.extend(map(self._in_short, words))

    def take(self) -> list[Word]:
        """What was said since the last time."""
        with self._lock:
            words = list(self._words)
            self._words.clear()
            self._lost_ranges = 0
            return words

    def _in_short(self, word: Word) -> Word:
        if isinstance(word, ServiceStatus):
            return replace(word, software_version="", upstreams=(), cursors={})
        room = MAX_LOST_RANGES - self._lost_ranges
        lost = word.lost if len(word.lost) <= room else ()
        self._lost_ranges += len(lost)
        return replace(word, ranges=(), lost=lost, detail="")

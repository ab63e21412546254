"""Heard answers: what other instances said became of commands, kept beside the outbox's cursors for the next start."""

from collections.abc import Iterator
from contextlib import suppress

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import InstructionAnswered
from dotbus.runtime.outbox.outbox import Outbox

HEARD_MOST = 1000
"""More than are answered while an instruction can be: the oldest is overwritten."""
_PREFIX = "answered-elsewhere/"


class HeardAnswers:
    """The last things that others said, as many as are needed. For one thread.

    Args:
        outbox: has notes; its own events are not here.

    Raises:
        sqlite3.Error: it cannot be read.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        places = sorted(self._places(), key=lambda each: each[1].time)
        self._kept = [event for _place, event in places]
        self._ids = {event.id for event in self._kept}
        self._next = places[-1][0] + 1 if places else 0

    def read(self) -> list[InstructionAnswered]:
        """What was kept before this start, in the order of its times."""
        return self._kept

    def keep(self, event: InstructionAnswered) -> None:
        """Keep what was heard, once however often it is said.

        Raises:
            sqlite3.Error: the disk is full or broken; it was not kept.
        """
        if event.id in self._ids:
            return
        self._outbox.keep_note(f"{_PREFIX}{self._next % HEARD_MOST}", encode(event).decode())
        self._next += 1
        self._ids = {event.id} if len(self._ids) >= 2 * HEARD_MOST else self._ids | {event.id}

    def _places(self) -> Iterator[tuple[int, InstructionAnswered]]:
        for name, text in self._outbox.notes(_PREFIX).items():
            with suppress(UndecodableMessage):  # of another version of this software
                yield int(name.removeprefix(_PREFIX)), decode_as(text.encode(), InstructionAnswered)

"""Reloads: the register map is read again and takes the place of the one in force, or is refused and changes nothing.

The file is read and the new image laid out beside the loop that serves; they are exchanged in it, between two requests.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dotbus.runtime.logs import get_logger
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.changes import compare_maps
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.reloading.memory import undisturbed

TAKEN: Final = "taken"
REFUSED: Final = "refused"
MOST_WAITING: Final = 100
NOT_OF_THE_FILE: Final = "ports, broker and instance are of the environment and take a restart"
_TOLD_IN_LOG: Final = 20


@dataclass(frozen=True)
class Outcome:
    """What came of a reload, as its reply says it."""

    outcome: str
    detail: str
    changes: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()


class Reloads:
    """Reads the file again, once at a time. Whoever asks meanwhile is told what comes of the next time.

    Args:
        register_map: what is in force.
        read: the map as the file is now; raises ConfigurationRefused. Called in another thread.
        change: has another map served, and returns once that is so.
        clock: the wall clock.

    Attributes:
        complaints: that the last one was refused, until one is taken. Replaced as a whole: any thread may read it.
    """

    def __init__(
        self,
        register_map: RegisterMap,
        read: Callable[[], RegisterMap],
        change: Callable[[RegisterMap], Awaitable[None]],
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._map = register_map
        self._read = read
        self._change = change
        self._clock = clock
        self._waiting: list[Callable[[Outcome], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.complaints: tuple[str, ...] = ()
        self._log = get_logger("reload")

    def ask(self, tell: Callable[[Outcome], None]) -> None:
        """Read the file again, in the loop's thread. `tell` is told what came of it, in another one: it may wait."""
        if len(self._waiting) >= MOST_WAITING:
            self._log.warning("too many ask for a reload at once; this one is passed over")
            return
        self._waiting.append(tell)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def settled(self) -> None:
        """Wait until nobody waits for a reload."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            outcome = await self._reload()
            for tell in waiting:
                await asyncio.to_thread(tell, outcome)

    async def _reload(self) -> Outcome:
        try:
            with undisturbed():
                after, lines, moved = await asyncio.to_thread(self._read_and_compare)
                await self._change(after)
        except ConfigurationRefused as refused:
            return self._refused([str(mistake) for mistake in refused.mistakes])
        except Exception as error:  # noqa: BLE001  # whatever is in a file must not end what serves
            self._log.exception("a reload failed")
            return self._refused([f"it cannot be judged: {error!r}"])
        self._map = after
        return self._taken(lines, moved=moved)

    def _read_and_compare(self) -> tuple[RegisterMap, Sequence[str], bool]:
        after = self._read()
        return after, *compare_maps(self._map, after)

    def _taken(self, lines: Sequence[str], *, moved: bool) -> Outcome:
        self.complaints = ()
        told = "registers say something else than before" if moved else "no register says anything else than before"
        self._log.info("the map was read again and is in force", changes=lines[:_TOLD_IN_LOG], lines=len(lines), moved=moved)
        return Outcome(TAKEN, f"{told}; {NOT_OF_THE_FILE}", tuple(lines))

    def _refused(self, mistakes: Sequence[str]) -> Outcome:
        count = f"{len(mistakes)} mistake{'' if len(mistakes) == 1 else 's'}"
        stays = "the map that was in force stays so"
        self.complaints = (
            f"the file was read again at {self._clock():%Y-%m-%dT%H:%M:%SZ} and refused, {count}, {mistakes[0]}",
        )
        self._log.error(
            "the map was read again and refused", stays=stays, mistakes=mistakes[:_TOLD_IN_LOG], count=len(mistakes)
        )
        return Outcome(REFUSED, f"{count}; {stays}", mistakes=tuple(mistakes))

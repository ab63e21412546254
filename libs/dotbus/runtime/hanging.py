"""Hanging: reading a file may hang for ever, as on a mount whose server is gone, and nobody who serves may wait for that.

A thread that hangs cannot be ended. It is left alone, and there are only so many of them.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

T = TypeVar("T")
HANG_MOST: Final = 8
"""So many attempts of one kind may hang at once: each keeps a thread."""


class Hangs(Exception):
    """What was asked for does not come."""


def hanging(called: str) -> int:
    """How many attempts of a kind are under way, or hang."""
    return sum(thread.name == called for thread in threading.enumerate())


def aside(act: Callable[[], None], called: str) -> bool:
    """Act in a thread that nobody waits for. Returns whether it was begun: too many of its kind may hang already."""
    if hanging(called) >= HANG_MOST:
        return False
    threading.Thread(target=act, name=called, daemon=True).start()
    return True


def in_time(act: Callable[[], T], called: str, within_s: float) -> T:
    """What an act returns or raises, if it does in time.

    Args:
        act: may hang.
        called: its kind, and the name of its thread.
        within_s: how long it may take, in seconds.

    Raises:
        Hangs: it does not, or too many before it do not.
    """
    coming = Future[T]()

    def run() -> None:
        try:
            coming.set_result(act())
        except BaseException as error:  # noqa: BLE001  # whoever waits for it raises it
            coming.set_exception(error)

    if not aside(run, called):
        raise Hangs(f"{HANG_MOST} attempts before hang still")
    try:
        return coming.result(within_s)
    except TimeoutError as late:
        if coming.done():
            raise  # the act's own
        raise Hangs(f"nothing came within {within_s:g} s; does the disk or server answer that it is on?") from late

"""How a service hears what it depends on: the last success, the failures since, and whether a cause is new."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from dotbus.contracts.messages import Upstream


class UpstreamHealth:
    """Remembers successes and failures of one upstream. Safe to use from several threads.

    Args:
        name: of the upstream.
        clock_offset_s: its clock minus ours at this moment; None while nobody knows. Asked for with each snapshot: our clock
            may have been set since the last success.
    """

    def __init__(self, name: str, clock_offset_s: Callable[[], float | None] = lambda: None) -> None:
        self._clock_offset_s = clock_offset_s
        self._lock = threading.Lock()
        self._upstream = Upstream(name=name, ok=False)

    def succeeded(self, now: datetime, *, complaints: Sequence[str] = ()) -> bool:
        """Note a success. Returns whether it ends a run of failures: the moment to log a recovery.

        Args:
            now: when.
            complaints: what is wrong with a part of it, though it is well.
        """
        with self._lock:
            before = self._upstream
            self._upstream = msgspec.structs.replace(
                before, ok=True, last_ok_at=now, failures_in_a_row=0, complaints=tuple(complaints)
            )
            return before.failures_in_a_row > 0

    def failed(self, now: datetime, cause: str) -> bool:
        """Note a failure. Returns whether the cause is new since the last success: the moment to log it, once."""
        with self._lock:
            before = self._upstream
            self._upstream = msgspec.structs.replace(
                before, ok=False, last_error=cause, last_error_at=now, failures_in_a_row=before.failures_in_a_row + 1
            )
            return before.failures_in_a_row == 0 or cause != before.last_error

    def snapshot(self) -> Upstream:
        """What is known now."""
        with self._lock:
            known = self._upstream
        return msgspec.structs.replace(known, clock_offset_s=self._clock_offset_s())

    @property
    def failures_in_a_row(self) -> int:
        """Failures since the last success."""
        with self._lock:
            return self._upstream.failures_in_a_row

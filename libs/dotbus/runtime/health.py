"""How a service hears what it depends on: the last success, the failures since, and whether a cause is new."""

import threading
from collections.abc import Sequence
from datetime import datetime

import msgspec

from dotbus.contracts.messages import Upstream


class UpstreamHealth:
    """Remembers successes and failures of one upstream. Safe to use from several threads."""

    def __init__(self, name: str) -> None:
        self._lock = threading.Lock()
        self._upstream = Upstream(name=name, ok=False)

    def succeeded(self, now: datetime, clock_offset_s: float | None = None, *, complaints: Sequence[str] = ()) -> bool:
        """Note a success. Returns whether it ends a run of failures: the moment to log a recovery.

        Args:
            now: when.
            clock_offset_s: the upstream's clock minus ours; None keeps what was known.
            complaints: what is wrong with a part of it, though it is well.
        """
        with self._lock:
            before = self._upstream
            offset = before.clock_offset_s if clock_offset_s is None else clock_offset_s
            self._upstream = msgspec.structs.replace(
                before, ok=True, last_ok_at=now, failures_in_a_row=0, clock_offset_s=offset, complaints=tuple(complaints)
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
            return self._upstream

    @property
    def failures_in_a_row(self) -> int:
        """Failures since the last success."""
        return self.snapshot().failures_in_a_row

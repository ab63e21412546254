"""Faults on demand: which of the next requests go wrong, and how.

What each fault does to a reply is decided where the replies are made (`ads.app`, `oasis.app`).
"""

from collections import deque
from dataclasses import dataclass, replace

_COMPRESSED = ("getDispatchBatch", "getTrajectoryData")
DOT_BATCH, TRAJECTORY_BATCH = "dot", "trajectory"
"""What the market issues, by the names that its faults choose from."""

FAULTS: dict[str, tuple[str, ...]] = {
    "ads": (
        "soap_fault",
        "http_500",
        "http_503",
        "timeout",
        "drip",
        "cut",
        "malformed",
        "oversized",
        "empty_list",
        "empty_trajectory",
        "wrong_date",
        "wrong_gzip",
        "bomb",
    ),
    "oasis": (
        "error_1000",
        "error_1015",
        "throttle",
        "throttle_200",
        "not_zip",
        "wrong_day",
        "nan",
        "header_only",
        "no_node",
        "cut",
        "http_503",
        "timeout",
        "oversized",
        "bomb",
    ),
    "market": ("no_dot", "no_trajectory"),
}
"""Every fault by service. `throttle` is the page with HTTP 429, `throttle_200` the same page with HTTP 200; `bomb` is a small
reply that unpacks to a huge one. Those of the market are batches that are never issued."""

_ONLY_FOR = {
    "empty_list": ("getDispatchBatchesSinceUID",),
    "empty_trajectory": ("getTrajectoryData",),
    "wrong_gzip": _COMPRESSED,
    "bomb": _COMPRESSED,
    "no_dot": (DOT_BATCH,),
    "no_trajectory": (TRAJECTORY_BATCH,),
}


@dataclass(frozen=True)
class Pending:
    """A fault that waits for `times` more requests, of one operation when that is given."""

    service: str
    fault: str
    times: int
    operation: str | None = None

    def fits(self, service: str, operation: str | None) -> bool:
        """Whether a request meets this fault."""
        if service != self.service or (self.operation and self.operation != operation):
            return False
        return operation is None or operation in _ONLY_FOR.get(self.fault, (operation,))


class Faults:
    """The faults that wait, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[Pending] = deque()

    def add(self, pending: Pending) -> None:
        """Let the next requests go wrong; `times` 0 calls the fault off.

        Raises:
            ValueError: there is no such service or fault, or `times` is below zero.
        """
        if pending.fault not in FAULTS.get(pending.service, ()):
            known = "; ".join(f"{service}: {', '.join(names)}" for service, names in FAULTS.items())
            raise ValueError(f"no fault {pending.fault!r} of service {pending.service!r}. There are: {known}")
        if pending.times < 0:
            raise ValueError(f"times is {pending.times}; a fault happens no or some times")
        if pending.times == 0:
            same = (pending.service, pending.fault)
            self._waiting = deque(each for each in self._waiting if (each.service, each.fault) != same)
        else:
            self._waiting.append(pending)

    def take(self, service: str, operation: str | None = None) -> str | None:
        """The fault that this request meets, None when all is well."""
        for index, each in enumerate(self._waiting):
            if each.fits(service, operation):
                if each.times == 1:
                    del self._waiting[index]
                else:
                    self._waiting[index] = replace(each, times=each.times - 1)
                return each.fault
        return None

    def pending(self) -> list[Pending]:
        """What still waits."""
        return list(self._waiting)

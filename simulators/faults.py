"""Faults on demand: which of the next requests go wrong, and how.

What each fault does to a reply is decided where the replies are made (`ads.app`, `oasis.app`).
"""

import math
from collections import Counter
from dataclasses import dataclass, replace

from simulators.chance import fraction
from simulators.oasis.reports import REPORTS

_COMPRESSED = ("getDispatchBatch", "getTrajectoryData")
_LISTS = ("getDispatchBatchesSinceUID", "getTrajectoryData")
DOT_BATCH, TRAJECTORY_BATCH = "dot", "trajectory"
"""What the market issues, by the names that its faults choose from."""

FAULTS: dict[str, tuple[str, ...]] = {
    "ads": (
        "soap_fault",
        "busy",
        "http_500",
        "http_503",
        "timeout",
        "drip",
        "drip_headers",
        "cut",
        "malformed",
        "oversized",
        "empty_list",
        "empty_trajectory",
        "unknown_cursor",
        "doubled_list",
        "reversed_list",
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
        "empty_body",
        "http_302",
        "http_404",
        "http_503",
        "wrong_day",
        "wrong_node",
        "wrong_market",
        "wrong_header",
        "no_node",
        "no_lmp",
        "no_loss",
        "nan",
        "nan_node",
        "blank",
        "blank_node",
        "doubled_rows",
        "header_only",
        "old_prices",
        "stray_member",
        "cut",
        "timeout",
        "oversized",
        "bomb",
    ),
    "market": ("no_dot", "no_trajectory"),
}
"""Every fault by service. `throttle` is the page with HTTP 429, `throttle_200` the same page with HTTP 200; `bomb` is a small
reply that unpacks to a huge one. Those of the market are batches that are never issued."""

_PRICES = tuple({name: None for report in REPORTS for name in (report.queryname, report.group_id)})
_OF_ROWS = (
    *("wrong_day", "wrong_node", "wrong_market", "wrong_header", "no_node", "no_lmp", "no_loss", "doubled_rows", "header_only"),
    *("nan", "nan_node", "blank", "blank_node", "old_prices"),
)
_ONLY_FOR = {
    ("ads", "empty_list"): ("getDispatchBatchesSinceUID",),
    ("ads", "empty_trajectory"): ("getTrajectoryData",),
    ("ads", "unknown_cursor"): (*_LISTS, "isNewTrajData"),
    ("ads", "doubled_list"): _LISTS,
    ("ads", "reversed_list"): _LISTS,
    ("ads", "wrong_gzip"): _COMPRESSED,
    ("ads", "bomb"): _COMPRESSED,
    ("market", "no_dot"): (DOT_BATCH,),
    ("market", "no_trajectory"): (TRAJECTORY_BATCH,),
    **{("oasis", fault): _PRICES for fault in (*_OF_ROWS, "error_1000", "error_1015")},
}


@dataclass(frozen=True)
class Asked:
    """What a fault chooses by: the service, the operation (of OASIS the report or group), of ADS the batch and who asks."""

    service: str
    operation: str | None = None
    batch_uid: str | None = None
    client: str | None = None


@dataclass(frozen=True)
class Pending:
    """A fault that waits for requests.

    Attributes:
        times: how many more requests it meets; None as long as nobody calls it off.
        operation, batch_uid, client: only requests like that, when given.
        share: the part of these requests that it meets, by chance.
    """

    service: str
    fault: str
    times: int | None = 1
    operation: str | None = None
    batch_uid: str | None = None
    client: str | None = None
    share: float = 1.0

    def fits(self, request: Asked) -> bool:
        """Whether a request is one of those that meet this fault."""
        if request.service != self.service:
            return False
        chosen = (self.operation, request.operation), (self.batch_uid, request.batch_uid), (self.client, request.client)
        if any(wanted is not None and wanted != given for wanted, given in chosen):
            return False
        return request.operation is None or request.operation in _ONLY_FOR.get((self.service, self.fault), (request.operation,))

    def is_about(self, other: "Pending") -> bool:
        """Whether it is the same fault for requests that the other one chooses as well."""
        if (self.service, self.fault) != (other.service, other.fault):
            return False
        pairs = (self.operation, other.operation), (self.batch_uid, other.batch_uid), (self.client, other.client)
        return all(wanted in (None, mine) for mine, wanted in pairs)


class Faults:
    """The faults that wait, oldest first. What meets a share of requests depends on the seed and their number alone."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._waiting: list[Pending] = []
        self._drawn: Counter[tuple[str, str | None]] = Counter()

    def add(self, pending: Pending) -> None:
        """Let requests go wrong; `times` 0 calls off what was ordered for the same requests, or some of them.

        A share replaces the one that was ordered for the same requests.

        Raises:
            ValueError: there is no such service or fault, `times` is below zero or `share` not from 0 to 1.
        """
        if pending.fault not in FAULTS.get(pending.service, ()):
            known = "; ".join(f"{service}: {', '.join(names)}" for service, names in FAULTS.items())
            raise ValueError(f"no fault {pending.fault!r} of service {pending.service!r}. There are: {known}")
        if pending.times is not None and pending.times < 0:
            raise ValueError(f"times is {pending.times}; a fault happens no or some times")
        if math.isnan(pending.share) or not 0 <= pending.share <= 1:
            raise ValueError(f"share is {pending.share}, which is not from 0 to 1")
        if pending.times == 0 or pending.times is None:
            self._waiting = [each for each in self._waiting if not each.is_about(pending)]
        if pending.times != 0 and pending.share > 0:
            self._waiting.append(pending)

    def take(self, request: Asked) -> str | None:
        """The fault that this request meets, None when all is well."""
        for index, each in enumerate(self._waiting):
            if each.fits(request) and self._strikes(each, request):
                if each.times == 1:
                    del self._waiting[index]
                elif each.times is not None:
                    self._waiting[index] = replace(each, times=each.times - 1)
                return each.fault
        return None

    def pending(self) -> list[Pending]:
        """What still waits."""
        return list(self._waiting)

    def _strikes(self, pending: Pending, request: Asked) -> bool:
        if pending.share >= 1:
            return True
        drawn = (pending.fault, request.operation)
        self._drawn[drawn] += 1
        return fraction(self._seed, *drawn, self._drawn[drawn]) < pending.share

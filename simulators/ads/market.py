"""What CAISO issues, and when: dispatch and trajectory batches for the configured resources.

Pure and without memory: the same seed, resources and interval length give the same batches, so a truth to compare with can
always be had.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from simulators.ads.dispatches import Issue, dispatch
from simulators.ads.plan import INTERVALS_PER_HOUR, Plan, Unit
from simulators.ads.records import Batch, BatchType, DispatchBatch
from simulators.ads.trajectories import compliance_only, trajectory

# The hourly batches come long before the five-minute ones of their hour, so that of two DOTs that cover a time the
# five-minute one was received last. An exceptional dispatch repeats the five-minute DOT.
_ISSUES = (
    Issue(BatchType.FIVE_MINUTE, "5MinDOT", 0.5),
    Issue(BatchType.HOURLY, "HourlyPreDispatch", 6.0, INTERVALS_PER_HOUR, 0),
    Issue(BatchType.HOURLY_AS_AWARD, "HourlyASAward", 5.9, INTERVALS_PER_HOUR, 0),
    Issue(BatchType.FLEX_RAMP, "FlexRamp", 0.2, INTERVALS_PER_HOUR, 2),
    Issue(BatchType.AS_AWARD, "ASAward", 0.3, INTERVALS_PER_HOUR, 4),
    Issue(BatchType.COMMITMENT, "Commitment", 0.3, INTERVALS_PER_HOUR, 7),
    Issue(BatchType.OUT_OF_SEQUENCE, "OOS", 0.4, INTERVALS_PER_HOUR, 10),
)
_EARLIEST_LEAD = 6
_TRAJECTORY_LEAD = 0.45
_COMPLIANCE_ONLY = Issue(BatchType.FIVE_MINUTE, "compliance", 0.2, INTERVALS_PER_HOUR, 3)


@dataclass(frozen=True)
class Market:
    """The real-time market for some units. `newest_types` adds the batch types that only today's API names."""

    units: tuple[Unit, ...]
    interval_s: int
    seed: int
    newest_types: bool = True

    @property
    def plan(self) -> Plan:
        """Where this market wants each unit."""
        return Plan(self.seed, self.interval_s)

    def issued(self, after: datetime, until: datetime) -> list[Batch]:
        """Every batch received later than `after` and not later than `until`, in the order of their receipt."""
        plan = self.plan
        first, last = plan.interval_at(after), plan.interval_at(until) + _EARLIEST_LEAD + 1
        batches = [
            make()
            for k in range(first, last + 1)
            for lead, make in self._due(k)
            if after < plan.begin(k) - plan.interval * lead <= until
        ]
        return sorted(batches, key=lambda batch: batch.received_at)

    def late_hourly(self, now: datetime) -> DispatchBatch:
        """The hourly pre-dispatch of the hour that covers a time, received then and open for half an interval."""
        plan = self.plan
        k = plan.interval_at(now) // INTERVALS_PER_HOUR * INTERVALS_PER_HOUR
        batch = dispatch(plan, self.units, k, next(issue for issue in _ISSUES if issue.batch_type is BatchType.HOURLY))
        uid = f"{batch.batch_uid}-{int(now.timestamp())}"
        instructions = tuple(replace(each, instruction_uid=f"{uid}-I{index}") for index, each in enumerate(batch.instructions))
        until = now + plan.interval / 2
        return replace(batch, batch_uid=uid, received_at=now, sent_at=now, expires_at=until, instructions=instructions)

    def _due(self, k: int) -> Iterator[tuple[float, Callable[[], Batch]]]:
        """What is issued for interval k: how many intervals before it begins, and how to make it."""
        for issue in _ISSUES:
            if issue.due(k) and (self.newest_types or issue.batch_type is not BatchType.FLEX_RAMP):
                yield issue.lead, partial(dispatch, self.plan, self.units, k, issue)
        yield _TRAJECTORY_LEAD, partial(trajectory, self.plan, self.units, k, _TRAJECTORY_LEAD)
        if _COMPLIANCE_ONLY.due(k):
            yield _COMPLIANCE_ONLY.lead, partial(compliance_only, self.plan, self.units, k, _COMPLIANCE_ONLY.lead)

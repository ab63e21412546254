"""Judging: what one ADS account knows against the DOTs and instructions of the resources that it sees."""

from dataclasses import dataclass
from datetime import datetime

from ads_ingest.batches.open_batches import OpenBatches
from ads_ingest.caiso import Ads, true_at
from ads_ingest.known.instruction_state import KnownInstructions, judge_instructions
from ads_ingest.known.schedules import DotSchedule
from ads_ingest.known.state import KnownState
from dotbus.contracts.messages import Dot
from dotbus.contracts.schedules import Schedule


@dataclass(frozen=True)
class Judge:
    """Judges by the batches of one account.

    Attributes:
        caiso: by whose clock it was heard.
        batches: what it knows of each.
        dots: the states that are made of them.
        instructions: the same of what else they say, where that is published.
    """

    caiso: Ads
    batches: OpenBatches
    dots: KnownState[DotSchedule, Dot]
    instructions: KnownInstructions | None

    def judge(self, now: datetime) -> None:
        """What speaks against each state, and since when each counts."""
        batches, dots = self.batches, self.dots
        dots.doubts = {schedule: batches.doubts(now, schedule) for schedule in Schedule}
        dots.doubts_of_batches = batches.doubts_of_batches(now)
        dots.confirmed = {resource: true_at(self.caiso, at) for resource, at in batches.confirmed(now).items()}
        dots.untold = frozenset(resource for resource in tuple(dots.sees) if self._is_untold(resource, now))
        if instructions := self.instructions:
            confirmed = judge_instructions(instructions, batches, now)
            instructions.confirmed = {resource: true_at(self.caiso, at) for resource, at in confirmed.items()}

    def _is_untold(self, resource_id: str, now: datetime) -> bool:
        """Whether a state holds DOTs that only another account was told of."""
        held = {one.batch_uid for one in self.dots.entry(resource_id).intervals if one.interval_end > now}
        return any((batch := self.batches.get(uid)) is None or resource_id not in batch.resources for uid in held)

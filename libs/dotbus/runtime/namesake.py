"""Namesake: another process that uses our name, and which of the two goes on. Pure.

It is for what must not be done twice: to serve registers, to keep alarms. A broker lets one of two in at a time: each that
connects again drops the other. All that each learns of the other is what it left on the topic of their name. Which of them
started first they read alike there, and the later one steps back.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

from dotbus.contracts.messages import ServiceStatus

TOLD_FOR: Final = timedelta(minutes=10)
"""How long the one that goes on says that there was another."""


@dataclass(frozen=True)
class Namesake:
    """What is known of another process of our name.

    Attributes:
        started_at: when we started.
        has_spoken: whether our own status stood on the topic. What an earlier run of ours left there was replaced by it.
        is_dropped: whether the broker dropped us as it does when another one comes by our name.
        other_at: when the other one started, of several the first; None while nothing is known of any.
        seen_at: when it was seen last.
    """

    started_at: datetime
    has_spoken: bool = False
    is_dropped: bool = False
    other_at: datetime | None = None
    seen_at: datetime | None = None

    def heard(self, status: ServiceStatus, now: datetime) -> Self:
        """After a status on the topic of our name, be it a heartbeat, a last will or what the broker kept."""
        if status.started_at == self.started_at:
            return replace(self, has_spoken=True)
        if not self.has_spoken:
            return self
        others = [at for at in (status.started_at, self.other_at) if at]
        return replace(self, other_at=min(others), seen_at=now)

    def dropped(self) -> Self:
        """After the broker said, or it looks so, that another one came by our name."""
        return replace(self, is_dropped=True)

    @property
    def steps_back(self) -> bool:
        """Whether it is us who came later. A drop alone shows nothing: it may be anybody, who says nothing of when he came."""
        return self.is_dropped and self.other_at is not None and self.other_at < self.started_at

    def complaint(self, source: str, now: datetime) -> str:
        """What the one that goes on says of it; empty while there is nothing to say."""
        if not self.is_dropped or self.seen_at is None or now - self.seen_at > TOLD_FOR or self.steps_back:
            return ""
        return (
            f"another process called itself {source}, too, at {self.seen_at:%Y-%m-%dT%H:%M:%SZ}; it started later and steps "
            "back: give each instance its own INSTANCE"
        )

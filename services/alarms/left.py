"""Left: what the bus has of alarms from before this process: of another one whose place it takes, or of its own lost folder.

A state on the bus has all that is known of an alarm. So who takes over goes on with it, acknowledgements and shelves included,
and nothing stays there of which nobody speaks any more.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from alarms.states.alarm import key_of
from alarms.states.observed import AlarmKey
from dotbus.contracts.alarms import CODE_OF, AlarmRule
from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import AlarmStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.presence import Identity

_MOST: Final = 50_000
"""So many are remembered, so that nobody can fill our memory."""
_RULES: Final = frozenset(rule.value for rule in CODE_OF)


class Left:
    """What came of alarms until this process began.

    Args:
        topics: of the installation.
        identity: who we are.
    """

    def __init__(self, topics: Topics, identity: Identity) -> None:
        self._topics = topics
        self._identity = identity
        self._said: dict[str, AlarmStatus | None] = {}

    @property
    def filters(self) -> list[str]:
        """What is subscribed to until then."""
        return [self._topics.every(Subject.ALARM_STATE), self._topics.every(Subject.ALARM_SUMMARY)]

    def take(self, delivery: Delivery) -> bool:
        """Take a state of an alarm, or a summary. Returns whether it was one."""
        address = self._topics.read(delivery.topic)
        if address is None or address.subject not in {Subject.ALARM_STATE, Subject.ALARM_SUMMARY}:
            return False
        if not delivery.payload:
            self._said.pop(delivery.topic, None)
        elif delivery.topic in self._said or len(self._said) < _MOST:
            is_state = address.subject is Subject.ALARM_STATE
            self._said[delivery.topic] = self._read(delivery) if is_state else None
        return True

    @property
    def topics(self) -> list[str]:
        """Of all that is on the bus."""
        return [*self._said]

    def newer_than(self, kept: Mapping[AlarmKey, AlarmStatus]) -> list[AlarmStatus]:
        """The alarms of which more happened than is kept, as ours from now on."""
        return [
            replace(one, source=self._identity.source)
            for one in self._said.values()
            if one is not None and _order(one) > _order(kept.get(key_of(one)))
        ]

    def gone_since(self, kept: Mapping[AlarmKey, AlarmStatus]) -> list[AlarmKey]:
        """The alarms that are kept and were over for good before another process left: what it knew is newer than all of it."""
        if not self.newer_than(kept):
            return []
        return [key for key in kept if self._topics.alarm_state(*key) not in self._said]

    def clear(self) -> None:
        """It has been taken over."""
        self._said.clear()

    def _read(self, delivery: Delivery) -> AlarmStatus | None:
        """An alarm of ours; None of what cannot be gone on with: another environment's, or a rule of a later version."""
        try:
            status = decode(delivery.payload)
        except UndecodableMessage:
            return None
        if not isinstance(status, AlarmStatus) or status.environment is not self._identity.environment:
            return None
        is_own = self._topics.alarm_state(status.plant, status.about, status.rule) == delivery.topic
        return status if is_own and status.rule in _RULES and status.code == CODE_OF[AlarmRule(status.rule)] else None


def _order(status: AlarmStatus | None) -> tuple[float, int]:
    return (status.changed_at.timestamp(), status.changes) if status else (-1.0, -1)

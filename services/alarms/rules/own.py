"""Rules about this service itself: does it hear the broker, and can it keep what it must not lose. Pure."""

from collections.abc import Callable
from typing import NamedTuple

from alarms.rules.services import service_key
from alarms.states.conditions import is_beyond
from alarms.states.observed import AlarmKey, Observed
from dotbus.contracts.alarms import AlarmRule
from dotbus.runtime.installation.alarms import BrokerLost, DiskFilling


class Disk(NamedTuple):
    """How full the disk is that holds our state."""

    free_bytes: int
    total_bytes: int


def observe_broker(own_source: str, rule: BrokerLost, *, is_connected: bool) -> Observed:
    """Whether there is no connection to the broker. It can be told to people at once, and on the bus afterwards."""
    text = f"{own_source} has no connection to the broker"
    return Observed(service_key(own_source, AlarmRule.BROKER_LOST), rule, not is_connected, text)


def observe_disk(own_source: str, rule: DiskFilling, disk: Disk | None, was_active: Callable[[AlarmKey], bool]) -> Observed:
    """Whether little of the disk is free. None is one that does not answer."""
    key = service_key(own_source, AlarmRule.DISK_FILLING)
    if disk is None or disk.total_bytes <= 0:
        return Observed(key, rule, None, "")
    used = 100.0 - 100.0 * disk.free_bytes / disk.total_bytes
    holds = is_beyond(used, 100.0 - rule.free_percent, rule.deadband_percent, was_beyond=was_active(key))
    text = f"{100.0 - used:.1f} % of the disk of {own_source} is free"
    return Observed(key, rule, holds, text, 100.0 - used, rule.free_percent, "%")

"""Alarms: their states by ISA-18.2, their priorities, and the rules that dotbus ships, each with its number.

An alarm is told from all others by the plant, what it is about (a resource, or a service's instance) and its rule.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

INSTALLATION: Final = "installation"
"""The plant of alarms that are of no plant: services, certificates, disks. No plant may be called so."""
FLOOD_MINUTES: Final = 10
FLOOD_ABOVE: Final = 10
"""More alarms than this within so many minutes are a flood to one operator (ISA-18.2, monitoring)."""
FLOOD_OVER_BELOW: Final = 5
"""A flood is over once fewer came within so many minutes."""


class AlarmPriority(StrEnum):
    """How soon somebody has to act."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AlarmState(StrEnum):
    """Where an alarm is in ISA-18.2's state diagram."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned-unacknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out-of-service"


class AlarmAction(StrEnum):
    """What an operator can do with an alarm."""

    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"


class AlarmRule(StrEnum):
    """What is alarmed."""

    BROKER_LOST = "broker-lost"
    SERVICE_DOWN = "service-down"
    UPSTREAM_GAP = "upstream-gap"
    CLOCK_WRONG = "clock-wrong"
    CERTIFICATE_EXPIRING = "certificate-expiring"
    DISK_FILLING = "disk-filling"
    DOT_STALE = "dot-stale"
    DOT_OUT_OF_LIMITS = "dot-out-of-limits"
    DOT_DEVIATION = "dot-deviation"
    INSTRUCTION_UNANSWERED = "instruction-unanswered"


CODE_OF: Final[Mapping[AlarmRule, int]] = MappingProxyType(
    {
        AlarmRule.BROKER_LOST: 1,
        AlarmRule.SERVICE_DOWN: 2,
        AlarmRule.UPSTREAM_GAP: 3,
        AlarmRule.CLOCK_WRONG: 4,
        AlarmRule.CERTIFICATE_EXPIRING: 5,
        AlarmRule.DISK_FILLING: 6,
        AlarmRule.DOT_STALE: 11,
        AlarmRule.DOT_OUT_OF_LIMITS: 12,
        AlarmRule.DOT_DEVIATION: 13,
        AlarmRule.INSTRUCTION_UNANSWERED: 14,
    }
)
"""What a register shows of a rule. A number never changes its meaning."""

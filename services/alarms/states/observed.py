"""Observed: what a rule says of one subject at one look."""

from dataclasses import dataclass
from typing import NamedTuple

from dotbus.contracts.alarms import AlarmRule
from dotbus.contracts.topics import encode_name
from dotbus.runtime.installation.alarms import Rule


class AlarmKey(NamedTuple):
    """Tells an alarm from all others: whose operator's, about what, by which rule."""

    plant: str
    about: str
    rule: str

    def __str__(self) -> str:
        """As messages name it."""
        return "/".join(map(encode_name, self))


@dataclass(frozen=True)
class Observed:
    """Whether something that is alarmed holds.

    Attributes:
        key: which alarm.
        rule: what is set for it.
        holds: whether it holds now; None where nobody can know.
        text: what is wrong, and where, in words.
        value: what was measured, in `unit`.
        threshold: what it is held against.
        unit: of both.
        because: the alarm whose cause it would share now.
    """

    key: AlarmKey
    rule: Rule
    holds: bool | None
    text: str
    value: float | None = None
    threshold: float | None = None
    unit: str | None = None
    because: AlarmKey | None = None


NEXT_STEP = {
    AlarmRule.BROKER_LOST: "see that the broker runs and can be reached; registers say broker_lost meanwhile",
    AlarmRule.SERVICE_DOWN: "start it again, and read the end of its log",
    AlarmRule.UPSTREAM_GAP: "ask CAISO for what is missing; it will not come by itself (`historian gaps`)",
    AlarmRule.CLOCK_WRONG: "set the clock of the machine (chrony, NTP): nothing that depends on it is good until then",
    AlarmRule.CERTIFICATE_EXPIRING: "renew the certificate with CAISO's identity management, and replace the file",
    AlarmRule.DISK_FILLING: "make room: when the disk is full nothing new can be kept",
    AlarmRule.DOT_STALE: "ask CAISO's operator by telephone what holds; `dotbus status` says what is not heard",
    AlarmRule.DOT_OUT_OF_LIMITS: "tell the scheduling coordinator; see that pmin_mw and pmax_mw are those of the Master File",
    AlarmRule.DOT_DEVIATION: "bring the resource to its DOT, or report the outage",
    AlarmRule.INSTRUCTION_UNANSWERED: "accept, decline or accept in part before its time is over",
}
"""What to do about each."""

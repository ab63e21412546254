"""The `[alarms]` parts of `dotbus.toml`: which rules count, how urgent they are, how long they wait, and against what.

What stands nowhere is as it ships here. A plant (`[plant.alarms.RULE]`) and a resource (`[plant.resource.alarms.RULE]`) change
what is said for all.
"""

from typing import Annotated, TypeVar

from pydantic import Field

from dotbus.contracts.alarms import AlarmPriority
from dotbus.runtime.installation.alarm_receivers import EmailReceiver, WebhookReceiver
from dotbus.runtime.installation.toml_values import Flag, Name, Number, Section

Delay = Annotated[Number, Field(ge=0, le=86_400)]
Least = Annotated[Number, Field(gt=0)]


class Rule(Section):
    """What every rule has.

    Attributes:
        enabled: whether it is looked at; one that is not is out of service.
        priority: how soon somebody has to act.
        on_delay_s: for how long it must hold until the alarm is raised.
        off_delay_s: for how long it must be over until the alarm returns to normal.
    """

    enabled: Flag = True
    priority: AlarmPriority = AlarmPriority.MEDIUM
    on_delay_s: Delay = 0.0
    off_delay_s: Delay = 0.0


class DotStale(Rule):
    """CAISO was not heard of a resource's DOT for longer than `stale_after_s` of [modbus]."""

    priority: AlarmPriority = AlarmPriority.CRITICAL
    on_delay_s: Delay = 5.0
    off_delay_s: Delay = 10.0


class DotOutOfLimits(Rule):
    """A DOT lies outside of the resource's pmin_mw and pmax_mw."""

    priority: AlarmPriority = AlarmPriority.HIGH


class DotDeviation(Rule):
    """What a resource delivers is away from its DOT shortly before the interval ends.

    Attributes:
        band_mw: how far it may be away.
        deadband_mw: by how much it must be back within the band until that is over.
        before_end_s: for how long before the end of the interval it is looked at: before that it may still be on its ramp.
    """

    priority: AlarmPriority = AlarmPriority.HIGH
    on_delay_s: Delay = 10.0
    off_delay_s: Delay = 10.0
    band_mw: Least = 5.0
    deadband_mw: Annotated[Number, Field(ge=0)] = 1.0
    before_end_s: Least = 90.0


class InstructionUnanswered(Rule):
    """The time in which CAISO takes an answer to an instruction is nearly over, and nobody has answered.

    Attributes:
        before_end_s: for how long before its end.
    """

    priority: AlarmPriority = AlarmPriority.HIGH
    before_end_s: Least = 300.0


class BrokerLost(Rule):
    """The service of alarms has no connection to the broker."""

    priority: AlarmPriority = AlarmPriority.CRITICAL
    on_delay_s: Delay = 10.0
    off_delay_s: Delay = 5.0


class ServiceDown(Rule):
    """A service says that it is gone, or says nothing.

    Attributes:
        expected: SERVICE/INSTANCE of those that must be there though nobody has heard of them.
    """

    priority: AlarmPriority = AlarmPriority.HIGH
    on_delay_s: Delay = 10.0
    off_delay_s: Delay = 10.0
    expected: tuple[Name, ...] = ()


class UpstreamGap(Rule):
    """A source could not have something of CAISO's, and will not have it any more.

    Attributes:
        holds_h: for how long after it was said.
    """

    holds_h: Annotated[Number, Field(gt=0, le=168)] = 8.0


class ClockWrong(Rule):
    """A service's clock is away from CAISO's or ours.

    Attributes:
        offset_s: how far it may be away.
        deadband_s: by how much it must be back until that is over.
    """

    priority: AlarmPriority = AlarmPriority.HIGH
    on_delay_s: Delay = 30.0
    off_delay_s: Delay = 30.0
    offset_s: Least = 2.0
    deadband_s: Annotated[Number, Field(ge=0)] = 0.5


class CertificateExpiring(Rule):
    """A service's certificate will not be valid much longer.

    Attributes:
        days: how many days before.
    """

    days: Least = 21.0


class DiskFilling(Rule):
    """Little is left of the disk that holds what must not be lost.

    Attributes:
        free_percent: how much must be free.
        deadband_percent: by how much more must be free until that is over.
    """

    priority: AlarmPriority = AlarmPriority.HIGH
    on_delay_s: Delay = 60.0
    free_percent: Annotated[Number, Field(gt=0, lt=100)] = 10.0
    deadband_percent: Annotated[Number, Field(ge=0, lt=100)] = 2.0


class ResourceAlarms(Section):
    """Rules about a resource, by the names that their tables have."""

    dot_stale: DotStale = DotStale()
    dot_out_of_limits: DotOutOfLimits = DotOutOfLimits()
    dot_deviation: DotDeviation = DotDeviation()
    instruction_unanswered: InstructionUnanswered = InstructionUnanswered()


class Alarms(ResourceAlarms):
    """All rules, and what operators may do.

    Attributes:
        shelve_most_h: for how long an alarm may be shelved at once.
        suppress_after_s: for how long what follows from a cause stays suppressed after the cause is over: until all has been
            said again.
        emails: who is told by e-mail; `webhooks` by HTTP.
    """

    broker_lost: BrokerLost = BrokerLost()
    service_down: ServiceDown = ServiceDown()
    upstream_gap: UpstreamGap = UpstreamGap()
    clock_wrong: ClockWrong = ClockWrong()
    certificate_expiring: CertificateExpiring = CertificateExpiring()
    disk_filling: DiskFilling = DiskFilling()
    shelve_most_h: Annotated[Number, Field(gt=0, le=168)] = 12.0
    suppress_after_s: Annotated[Number, Field(ge=0, le=3600)] = 20.0
    emails: Annotated[tuple[EmailReceiver, ...], Field(alias="email")] = ()
    webhooks: Annotated[tuple[WebhookReceiver, ...], Field(alias="webhook")] = ()


R = TypeVar("R", bound=Rule)


def settled(general: R, *closer: R) -> R:
    """A rule as it counts: what is said closer to its subject counts in place of what is said for all."""
    for one in closer:
        general = general.model_copy(update={name: getattr(one, name) for name in one.model_fields_set})
    return general


def settled_for_resource(installation: ResourceAlarms, plant: ResourceAlarms, resource: ResourceAlarms) -> ResourceAlarms:
    """The rules about one resource."""
    layers = (installation, plant, resource)
    return ResourceAlarms(
        dot_stale=settled(*(one.dot_stale for one in layers)),
        dot_out_of_limits=settled(*(one.dot_out_of_limits for one in layers)),
        dot_deviation=settled(*(one.dot_deviation for one in layers)),
        instruction_unanswered=settled(*(one.instruction_unanswered for one in layers)),
    )

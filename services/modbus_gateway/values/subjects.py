"""Subjects: what cells are about. All that is read of one of them is read at once, and no message is about two. Pure."""

from dataclasses import dataclass, replace

from dotbus.contracts.topics import Topics
from dotbus.readings.subjects import AlarmsOf, Member, PriceAt
from modbus_gateway.map.quantities import Scope
from modbus_gateway.map.register_map import About, Cell, StateField


@dataclass(frozen=True)
class GatewayItself:
    """The gateway, whichever unit shows it."""


@dataclass(frozen=True)
class UnitItself:
    """A unit's map."""

    unit_id: int


@dataclass(frozen=True)
class InstructionsOf:
    """What a resource is instructed besides five-minute DOTs."""

    member: Member


@dataclass(frozen=True)
class PlantAt:
    """The resources of a plant and their prices as one unit shows them."""

    unit_id: int
    about: About


@dataclass(frozen=True)
class ResourceAt:
    """A resource, its instructions and its price together, as one unit shows them."""

    unit_id: int
    about: About


Whole = PlantAt | ResourceAt
"""What is made of what else the unit shows."""
Said = Member | InstructionsOf | PriceAt | StateField | AlarmsOf
"""What is read from states on the bus."""
Subject = Said | Whole | UnitItself | GatewayItself


def subject_of(cell: Cell, unit_id: int) -> Subject:
    """What a cell of a unit is about, whatever stale time of its own it has."""
    about = cell.about if cell.stale_after_s is None else cell.judged_alike.about
    match cell.quantity.scope:
        case Scope.RESOURCE:
            return InstructionsOf(about.members[0]) if cell.quantity.is_instructed else about.members[0]
        case Scope.PRICE:
            return about.prices[0]
        case Scope.STATE | Scope.ALARMS:
            return about.fields[0] if about.fields else about.alarms[0]
        case Scope.PLANT | Scope.TOGETHER:
            return (PlantAt if cell.quantity.scope is Scope.PLANT else ResourceAt)(unit_id, cell.about)
        case Scope.UNIT:
            return UnitItself(cell.about.unit_id if cell.about.unit_id is not None else unit_id)
        case Scope.GATEWAY:
            return GatewayItself()


def called(subject: Subject) -> str:
    """What a subject is called, whatever else the file says of it."""
    match subject:
        case Member():
            return subject.resource.id
        case PriceAt():
            return f"{subject.market.value} {subject.node}"
        case StateField():
            return f"{subject.called} {subject}"
        case AlarmsOf():
            return f"alarms of {subject.plant}"
        case PlantAt():
            return str(subject.about)
        case _:
            return ""


def with_stale_time(subject: Subject, stale_after_s: float) -> Subject:
    """The same judged with another stale time."""
    if isinstance(subject, InstructionsOf):
        return InstructionsOf(replace(subject.member, stale_after_s=stale_after_s))
    return replace(subject, stale_after_s=stale_after_s) if isinstance(subject, Member | PriceAt | StateField) else subject


def topics_of(subject: Subject, topics: Topics) -> tuple[str, ...]:
    """The topics of the states that a subject is read from."""
    match subject:
        case Member():
            names = subject.plant, subject.resource.id
            return topics.dot(*names), topics.trajectory(*names)
        case InstructionsOf(member):
            return (topics.instructions(member.plant, member.resource.id),)
        case PriceAt():
            return (topics.lmp(subject.market, subject.node),)
        case StateField():
            return (subject.topic_in(topics),)
        case AlarmsOf():
            return (topics.alarm_summary(subject.plant),)
        case _:
            return ()


def parts_of(whole: Whole) -> tuple[Said, ...]:
    """What a plant, or a resource with its price, is made of."""
    instructions = map(InstructionsOf, whole.about.members) if isinstance(whole, ResourceAt) else ()
    return (*whole.about.members, *whole.about.prices, *instructions)

"""Resources: what one of them is asked, does and earns now, with what a person must know of it. Pure.

Values are read as the gateway reads them (`dotbus.readings`), so that a page never says good of what a register calls bad.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from console.following import Following, HeardPoint
from console.picture.parts import Shown, ShownDot, ShownInstruction, ShownResource
from console.picture.words import (
    DISPATCHES,
    INSTRUCTIONS,
    PLANT,
    PRICES,
    TRAJECTORIES,
    Speaker,
    in_words,
    level_word,
)
from dotbus.contracts.messages import KnownInstruction
from dotbus.contracts.quality import Quality
from dotbus.contracts.telemetry import quality_at
from dotbus.contracts.topics import Topics
from dotbus.judging.judge import Judged, Known, turns_of_ages
from dotbus.judging.judge_instructions import judge_instructions
from dotbus.judging.precedence import over_at
from dotbus.readings.prices import read_price
from dotbus.readings.reading import Named, Read, Reading, moved, next_of
from dotbus.readings.resources import read_resource
from dotbus.readings.subjects import Member, PriceAt
from dotbus.runtime.installation.modbus import Modbus
from dotbus.runtime.installation.toml_values import Market

OF_NOW: Final = (Market.RTM, Market.RTPD, Market.HASP, Market.DAM)
"""Markets by how near to now their prices are made; RUC has none that is paid for energy."""


@dataclass(frozen=True)
class Asked:
    """What is read for one resource.

    Attributes:
        member: the resource and its plant.
        is_configured: whether the installation's file names it.
        price: the price that it is paid now; None where no node is named.
    """

    member: Member
    is_configured: bool
    price: PriceAt | None

    def topics_in(self, topics: Topics) -> tuple[str, ...]:
        """The topics that its values come from."""
        names = self.member.plant, self.member.resource.id
        of_price = (topics.lmp(self.price.market, self.price.node),) if self.price else ()
        return (topics.dot(*names), topics.trajectory(*names), topics.instructions(*names), *of_price)


@dataclass(frozen=True)
class ReadResource:
    """What was read of one resource, and until when it holds but for what moves."""

    asked: Asked
    of_resource: Read
    of_price: Read | None
    instructions: Known[KnownInstruction]
    turns_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether time alone has changed it."""
        return self.of_resource.is_restless or (self.turns_at is not None and now >= self.turns_at)

    def values(self, now: datetime) -> Named:
        """Its quantities at a moment."""
        return moved(self.of_resource.named, now)


def read(asked: Asked, following: Following, judging: Modbus, now: datetime, before: ReadResource | None) -> ReadResource:
    """Read a resource, its price and its instructions."""
    received, topics = following.received, following.topics
    of_resource = read_resource(asked.member, received, topics, judging, now, before.of_resource if before else None)
    of_price = read_price(asked.price, received, topics, judging, now) if asked.price else None
    topic = topics.instructions(asked.member.plant, asked.member.resource.id)
    known = judge_instructions(received, topic, judging.stale_after_s, now)
    turns = [
        *turns_of_ages(received, topic, judging.stale_after_s),
        *(at for one in known.parts for at in _turns(one.said)),
        *(at for at in (of_resource.turns_at, of_price.turns_at if of_price else None) if at),
    ]
    return ReadResource(asked, of_resource, of_price, known, next_of(turns, now))


def show(known: ReadResource, points: Mapping[str, HeardPoint], now: datetime) -> ShownResource:
    """A resource as a page shows it."""
    values, asked = known.values(now), known.asked
    dot, set_point = values["dot_mw"], values["set_point_mw"]
    heard_at = _since(values["dot_age_s"])
    instructions = known.instructions.whole
    quality = Quality.of([*dot.quality.reasons, *set_point.quality.reasons])
    return ShownResource(
        plant=asked.member.plant,
        resource=asked.member.resource.id,
        is_configured=asked.is_configured,
        level=level_word(quality.level),
        words=in_words(quality, DISPATCHES, heard_at, now),
        dot=_dot(values, "dot", heard_at, now),
        next_dot=_dot(values, "next_dot", heard_at, now),
        set_point=_shown(set_point, DISPATCHES, heard_at, now),
        trajectory=_shown(values["trajectory_mw"], TRAJECTORIES, heard_at, now),
        actual=_point(points.get("actual_mw"), now),
        available=_point(points.get("available_mw"), now),
        price=_price(known, now),
        price_of=f"{asked.price.market} {asked.price.node}" if asked.price else None,
        price_start=_number(known.of_price.named["lmp_active_start"]) if known.of_price else None,
        pmin_mw=asked.member.resource.pmin_mw,
        pmax_mw=asked.member.resource.pmax_mw,
        instructions=tuple(_instruction(one, now) for one in known.instructions.parts if over_at(one.said) > now),
        instructions_level=level_word(instructions.quality().level),
        instructions_words=in_words(instructions.quality(), INSTRUCTIONS, instructions.heard_at, now),
    )


def _dot(values: Named, name: str, heard_at: datetime | None, now: datetime) -> ShownDot:
    return ShownDot(
        mw=_shown(values[f"{name}_mw"], DISPATCHES, heard_at, now),
        start=_number(values[f"{name}_start"]),
        end=_number(values[f"{name}_end"]) if f"{name}_end" in values else None,
        target=_number(values[f"{name}_target"]),
    )


def _price(known: ReadResource, now: datetime) -> Shown | None:
    if known.of_price is None:
        return None
    values = moved(known.of_price.named, now)
    return _shown(values["lmp_active_usd_per_mwh"], PRICES, _since(values["lmp_age_s"]), now)


def _point(heard: HeardPoint | None, now: datetime) -> Shown | None:
    """What the plant measures; None of a plant that says nothing of it."""
    if heard is None:
        return None
    said = heard.said
    value = said.value if isinstance(said.value, float | int) and not isinstance(said.value, bool) else None
    return _shown(Reading(value, quality_at(said, heard.arrived_at, now)), PLANT, said.measured_at, now)


def _instruction(one: Judged[KnownInstruction], now: datetime) -> ShownInstruction:
    said, answer, quality = one.said, one.said.answer, one.quality()
    until = answer.open_until if answer else None
    return ShownInstruction(
        batch_uid=said.batch_uid,
        instruction_uid=said.instruction_uid,
        what=said.what,
        standing=said.standing,
        mw=said.instructed_mw,
        start=said.start_at.timestamp(),
        end=said.end_at.timestamp() if said.end_at else None,
        level=level_word(quality.level),
        words=in_words(quality, INSTRUCTIONS, one.heard_at, now),
        answer=answer.answer if answer else None,
        is_open=bool(answer and answer.is_open and (until is None or now < until)),
        open_until=until.timestamp() if until else None,
        min_accept_mw=answer.min_accept_mw if answer else None,
    )


def _turns(said: KnownInstruction) -> list[datetime]:
    until = said.answer.open_until if said.answer else None
    return [at for at in (over_at(said), until) if at]


def _shown(reading: Reading, speaker: Speaker, heard_at: datetime | None, now: datetime) -> Shown:
    """A value that is bad is not shown: what a person reads, they act on."""
    quality = reading.quality
    value = None if quality.is_bad else _number(reading)
    return Shown(value=value, level=level_word(quality.level), words=in_words(quality, speaker, heard_at, now))


def _number(reading: Reading) -> float | None:
    return None if reading.value is None or isinstance(reading.value, str) else float(reading.value)


def _since(age: Reading) -> datetime | None:
    """When something was heard of which an age is told."""
    return getattr(age.motion, "since", None)

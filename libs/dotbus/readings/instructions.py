"""Instruction readings: what CAISO instructs a resource besides five-minute DOTs, each value with its quality. Pure.

What is in force and what is ahead are told apart by our clock; an instruction in doubt counts as one, and says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Final, Self

from dotbus.contracts.messages import KnownInstruction
from dotbus.contracts.quality import Quality, Reason
from dotbus.contracts.topics import Topics
from dotbus.judging.judge import Judged, Known, turns_of_ages
from dotbus.judging.judge_instructions import NOT_IN_FORCE, judge_instructions
from dotbus.judging.precedence import over_at
from dotbus.judging.received import Received
from dotbus.readings.motion import Until
from dotbus.readings.reading import Named, Read, Reading, described, next_of
from dotbus.readings.subjects import Member
from dotbus.runtime.installation.modbus import Modbus

COMMITMENT_CODES: Final = {"start-up": 1, "shut-down": 2, "commitment": 3}
AWARDS: Final = {
    "RU": "regulation_up_award_mw",
    "RD": "regulation_down_award_mw",
    "SR": "spinning_award_mw",
    "NR": "non_spinning_award_mw",
}
"""CAISO's types of ancillary service (asType) that have a quantity of their own."""
OTHER_AWARDS: Final = frozenset({"EN", "RC", "LFU", "LFD"})
"""Those that have none: ADS API specification, dispatch instruction. An award of one says nothing of the four above."""
CHANGES_CYCLE: Final = 65535
_SAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "minimum": ("min_mw",),
    "maximum": ("max_mw",),
    "fixed": ("standing_mw", "min_mw", "max_mw"),
    "as-award": ("as_type", "award_mw"),
    "as-test": ("standing_mw",),
    "transition": ("transition_to_config_id",),
}
"""What an instruction of a kind says, or nobody knows what it instructs: the fields that its quantities show."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_UNANSWERED: Final = ("none", "unclear")
_One = Judged[KnownInstruction]


def read_instructions(member: Member, received: Received, topics: Topics, judging: Modbus, now: datetime) -> Read:
    """Every quantity of a resource's instructions."""
    topic = topics.instructions(member.plant, member.resource.id)
    stale_after_s = min(judging.stale_after_s, member.stale_after_s or judging.stale_after_s)
    known = judge_instructions(received, topic, stale_after_s, now)
    instructed = Instructed.at(known, now)
    said = received.instructions_said(topic)
    named = {
        **_read_counts(instructed, now),
        "instruction_changes": Reading(None if said is None else said % CHANGES_CYCLE),
        "instructions_age_s": Reading.of_age(known.whole.heard_at, now),
        **_read_constraints(instructed),
        **_read_commitments(instructed, now),
        **_read_awards(instructed),
        **_read_test(instructed),
        **_read_transitions(instructed),
    }
    return Read(named, next_of(chain(turns_of_ages(received, topic, stale_after_s), _turns(known)), now))


@dataclass(frozen=True)
class Instructed:
    """What is instructed at a moment.

    Attributes:
        whole: the best state, for what it does not speak of.
        begun: what is in force, or in doubt.
        ahead: what is to come.
        open: what CAISO takes an answer to, and has none.
    """

    whole: Judged[object]
    begun: Sequence[_One]
    ahead: Sequence[_One]
    open: Sequence[_One]

    @classmethod
    def at(cls, known: Known[KnownInstruction], now: datetime) -> Self:
        """At a moment."""
        lasting = [_whole(one) for one in known.parts if over_at(one.said) > now]
        standing = [one for one in lasting if one.said.standing != NOT_IN_FORCE]
        begun = [one for one in standing if one.said.start_at <= now]
        ahead = [one for one in standing if one.said.start_at > now]
        return cls(known.whole, begun, ahead, [one for one in lasting if _is_open(one.said, now)])

    def in_force(self, *kinds: str, as_type: str | None = None) -> _One | None:
        """Of several of one kind the one of the batch that ADS received last, then of the higher revision."""
        alike = [one for one in self.begun if one.said.what in kinds and as_type in (None, one.said.as_type)]
        return _decided(max(alike, key=_precedence, default=None), alike)

    def begun_last(self, kinds: Iterable[str]) -> _One | None:
        """Of several that change what a unit is, the one that began last."""
        alike = [one for one in self.begun if one.said.what in kinds]
        latest = max((one.said.start_at for one in alike), default=None)
        return self._of_start(alike, latest)

    def next(self, kinds: Iterable[str]) -> _One | None:
        """Of several to come the one that begins first."""
        alike = [one for one in self.ahead if one.said.what in kinds]
        first = min((one.said.start_at for one in alike), default=None)
        return self._of_start(alike, first)

    def _of_start(self, alike: Sequence[_One], start_at: datetime | None) -> _One | None:
        at_once = [one for one in alike if one.said.start_at == start_at]
        return _decided(max(at_once, key=_precedence, default=None), at_once)

    def quality(self, of: Iterable[_One | None], *more: Reason) -> Quality:
        """The quality of what is made of some instructions; that there are none is as good as the state."""
        reasons = [one.reasons for one in of if one] or [self.whole.reasons]
        return Quality.of(chain(more, *reasons))


def _whole(one: _One) -> _One:
    """An instruction, in doubt where it does not say what one of its kind does: that would read as if there were none."""
    said = one.said
    is_silent = any(getattr(said, name) is None for name in _SAYS.get(said.what, ()))
    if said.standing == NOT_IN_FORCE or not (is_silent or _is_of_unknown_type(said)):
        return one
    return one.about(said, Reason.INCOMPLETE)


def _is_of_unknown_type(said: KnownInstruction) -> bool:
    """Whether it awards nobody knows what."""
    return said.what == "as-award" and said.as_type not in AWARDS and said.as_type not in OTHER_AWARDS


def _precedence(one: _One) -> tuple[datetime, int, str]:
    return *_rank(one.said), one.said.instruction_uid


def _rank(said: KnownInstruction) -> tuple[datetime, int]:
    return said.batch_received_at or _LONG_AGO, said.revision_no or 0


def _decided(chosen: _One | None, alike: Sequence[_One]) -> _One | None:
    """What was chosen, in doubt where another one that instructs otherwise has no less precedence."""
    if chosen is None:
        return None
    equals = (one.said for one in alike if _rank(one.said) == _rank(chosen.said))
    is_clear = all(_instructs(said) == _instructs(chosen.said) for said in equals)
    return chosen if is_clear else chosen.about(chosen.said, Reason.INCOMPLETE)


def _instructs(said: KnownInstruction) -> tuple[object, ...]:
    megawatts = said.standing_mw, said.min_mw, said.max_mw, said.award_mw
    return (said.what, said.as_type, *megawatts, said.end_at, said.transition_from_config_id, said.transition_to_config_id)


def _is_open(said: KnownInstruction, now: datetime) -> bool:
    answer = said.answer
    if answer is None or not answer.is_open or answer.answer not in _UNANSWERED:
        return False
    return answer.open_until is None or answer.open_until > now


def _read_counts(instructed: Instructed, now: datetime) -> Named:
    """How many there are. Of what is doubtful by itself the counts are, too."""
    counted = [*instructed.begun, *instructed.ahead, *instructed.open]
    doubt = [Reason.INCOMPLETE] if any(one.reasons - instructed.whole.reasons for one in counted) else []
    quality = instructed.quality([], *doubt)
    closes_at = min((until for one in instructed.open if (until := _open_until(one.said))), default=None)
    shown = None if quality.is_bad else closes_at
    return {
        **described("instructions", quality),
        "instructions_fresh": Reading(instructed.whole.quality().is_good),
        "instructions_in_force": Reading(len(instructed.begun), quality),
        "instructions_ahead": Reading(len(instructed.ahead), quality),
        "instructions_to_answer": Reading(len(instructed.open), quality),
        "answer_closes_in_s": Reading.moving(Until(shown), now) if shown else Reading(None),
    }


def _open_until(said: KnownInstruction) -> datetime | None:
    return said.answer.open_until if said.answer else None


def _read_constraints(instructed: Instructed) -> Named:
    """Between which megawatts a resource is to stay. Constraints that leave nothing between them contradict each other."""
    minimum, maximum, fixed = (instructed.in_force(kind) for kind in ("minimum", "maximum", "fixed"))
    used = [one for one in (minimum, maximum, fixed) if one]
    least_mw = max((one.said.min_mw for one in used if one.said.min_mw is not None), default=None)
    most_mw = min((one.said.max_mw for one in used if one.said.max_mw is not None), default=None)
    is_empty = least_mw is not None and most_mw is not None and least_mw > most_mw
    quality = instructed.quality(used, *([Reason.INCOMPLETE] if is_empty else []))
    ends_at = min((one.said.end_at for one in used if one.said.end_at), default=None)
    return {
        **described("constraint", quality),
        "constraint_minimum_mw": Reading(least_mw, quality),
        "constraint_maximum_mw": Reading(most_mw, quality),
        "constraint_fixed_mw": Reading(fixed.said.standing_mw if fixed else None, quality),
        "constraint_end": Reading.of_time(ends_at, quality),
    }


def _read_commitments(instructed: Instructed, now: datetime) -> Named:
    begun, after = instructed.begun_last(COMMITMENT_CODES), instructed.next(COMMITMENT_CODES)
    quality = instructed.quality([begun, after])
    starts_at = after.said.start_at if after and not quality.is_bad else None
    return {
        **described("commitment", quality),
        "commitment": Reading(COMMITMENT_CODES[begun.said.what] if begun else None, quality),
        "commitment_start": Reading.of_time(begun.said.start_at if begun else None, quality),
        "commitment_end": Reading.of_time(begun.said.end_at if begun else None, quality),
        "next_commitment": Reading(COMMITMENT_CODES[after.said.what] if after else None, quality),
        "next_commitment_start": Reading.of_time(after.said.start_at if after else None, quality),
        "next_commitment_in_s": Reading.moving(Until(starts_at), now) if starts_at else Reading(None),
    }


def _read_awards(instructed: Instructed) -> Named:
    found = {as_type: instructed.in_force("as-award", as_type=as_type) for as_type in AWARDS}
    unknown = [one for one in instructed.begun if _is_of_unknown_type(one.said)]
    quality = instructed.quality([*found.values(), *unknown])
    megawatts = {as_type: one.said.award_mw if one else None for as_type, one in found.items()}
    return {
        **described("as_award", quality),
        **{name: Reading(megawatts[as_type], quality) for as_type, name in AWARDS.items()},
    }


def _read_test(instructed: Instructed) -> Named:
    test = instructed.in_force("as-test")
    quality = instructed.quality([test])
    return {
        **described("as_test", quality),
        "as_test": Reading(test is not None, quality),
        "as_test_mw": Reading(test.said.standing_mw if test else None, quality),
        "as_test_end": Reading.of_time(test.said.end_at if test else None, quality),
    }


def _read_transitions(instructed: Instructed) -> Named:
    """Of a multi-stage generator: the configuration that it leaves and the one that it goes to, and when."""
    begun, after = instructed.begun_last(["transition"]), instructed.next(["transition"])
    quality = instructed.quality([begun, after])
    named = dict(described("transition", quality))
    for name, one in (("transition", begun), ("next_transition", after)):
        named[f"{name}_from"] = Reading(one.said.transition_from_config_id if one else None, quality)
        named[f"{name}_to"] = Reading(one.said.transition_to_config_id if one else None, quality)
        named[f"{name}_start"] = Reading.of_time(one.said.start_at if one else None, quality)
    return named


def _turns(known: Known[KnownInstruction]) -> Iterator[datetime]:
    for part in known.parts:
        yield from (part.said.start_at, over_at(part.said))
        if until := _open_until(part.said):
            yield until

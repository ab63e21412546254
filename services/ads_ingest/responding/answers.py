"""Answers: what was asked and what became of it, folded from what every instance said, in the order in which it was heard.

So nothing is sent twice, and no rule speaks where somebody has spoken.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import count
from typing import TypeVar

from ads_ingest.responding.commands import (
    DRY_RUN,
    ELSEWHERE,
    REFUSED,
    SENDING,
    TAKEN,
    UNKNOWN,
    Asked,
    Content,
    Key,
    Result,
    content_of,
    key_of,
)
from dotbus.contracts.messages import InstructionAction, InstructionAnswered, KnownInstruction

REMEMBERED = 10_000
K = TypeVar("K")
V = TypeVar("V")
_OTHER = Result(REFUSED, "another command had this command_id before; nothing was sent", "message")
_WEIGHT = {UNKNOWN: 0, REFUSED: 1, DRY_RUN: 1, TAKEN: 2}
_MEANT_FOR_OTHERS = frozenset({"message", "topic", "environment", "instruction"})
"""What refuses a command that is about no instruction of ours."""

About = tuple[str, str]
"""A resource, and an instruction to it."""


class Begun(Enum):
    """A command that has no result yet: it is new, or joins the same that is under way already."""

    NEW = "new"
    JOINED = "joined"


@dataclass
class _UnderWay:
    """A command without a result.

    Attributes:
        is_ours: whether it was begun here and goes on.
        claims: which instances said that they ask CAISO, in the order of the broker, with what they said.
    """

    content: Content
    about: About
    is_by_rule: bool
    is_ours: bool = False
    claims: dict[str, tuple[int, InstructionAnswered]] = field(default_factory=dict)


class Answers:
    """The last commands and what became of them, the oldest forgotten first. For one thread.

    Args:
        kept: the events of before, in their order; after a restart those that are on the disk.
        source: who we are.
    """

    def __init__(self, kept: Iterable[InstructionAnswered] = (), source: str = "") -> None:
        self._source = source
        self._order = count()
        self._results: dict[Key, tuple[Content, Result]] = {}
        self._ended_at: dict[Key, datetime] = {}
        self._under_way: dict[Key, _UnderWay] = {}
        self._taken: dict[About, InstructionAnswered] = {}
        self._answered: dict[About, None] = {}
        for event in kept:
            self.note(event)

    def begin(self, asked: Asked) -> Begun | Result:
        """A command came. Returns its result when there is one, and a refusal when another command had its id."""
        known = self._results.get(asked.key)
        under_way = self._under_way.get(asked.key)
        content = known[0] if known else under_way.content if under_way else asked.content
        if content != asked.content:
            return _OTHER
        if known is not None:
            return known[1]
        if under_way is not None and self._goes_on(under_way):
            return Begun.JOINED
        entry = self._under_way.setdefault(asked.key, _UnderWay(asked.content, asked.about, asked.rule is not None))
        entry.is_ours = True
        return Begun.NEW

    def note(self, event: InstructionAnswered) -> None:
        """An instance said what becomes of a command, we ourselves or another."""
        key = key_of(event)
        if event.outcome == SENDING:
            self._note_claim(key, event)
        elif event.outcome == ELSEWHERE:
            self._note_left(key, event.source)
        else:
            self._note_result(key, event)

    def result_of(self, asked: Asked) -> Result | None:
        """What became of a command; None while that is open, or it was never heard of. Another content is refused."""
        known = self._results.get(asked.key)
        if known is None:
            return None
        return known[1] if known[0] == asked.content else _OTHER

    def refusal_of(self, asked: Asked) -> tuple[str | None, datetime] | None:
        """What refused a command, and when; None when nothing did."""
        known = self._results.get(asked.key)
        return (known[1].refused_by, self._ended_at[asked.key]) if known and known[1].outcome == REFUSED else None

    def has_result(self, key: Key) -> bool:
        """Whether any instance said what became of a command."""
        return key in self._results

    def is_ours(self, asked: Asked) -> bool:
        """Whether a command was begun here and goes on."""
        entry = self._under_way.get(asked.key)
        return entry is not None and entry.is_ours

    def is_known(self, asked: Asked) -> bool:
        """Whether a command has a result, or is under way here or elsewhere."""
        entry = self._under_way.get(asked.key)
        return asked.key in self._results or (entry is not None and self._goes_on(entry))

    def has_claimed(self, asked: Asked) -> bool:
        """Whether it was heard that we ask CAISO: then all that was said before has been heard, too."""
        entry = self._under_way.get(asked.key)
        return entry is None or self._source in entry.claims

    def is_elsewhere(self, asked: Asked) -> bool:
        """Whether another instance was the first to say that it asks CAISO."""
        entry = self._under_way.get(asked.key)
        return entry is None or next(iter(entry.claims), self._source) != self._source

    def is_behind(self, asked: Asked) -> bool:
        """Whether another instance said before us that it asks CAISO about the same instruction, and has no answer yet."""
        own = self._under_way.get(asked.key)
        if own is None or self._source not in own.claims:
            return False
        ours, _event = own.claims[self._source]
        others = (entry for entry in self._under_way.values() if entry is not own and entry.about == own.about)
        return any(number < ours for entry in others for number in self._numbers_of_others(entry))

    def claims_of_others(self) -> Iterator[InstructionAnswered]:
        """Where another instance said that it asks CAISO, and there is no result."""
        for entry in tuple(self._under_way.values()):
            for source, (_number, event) in tuple(entry.claims.items()):
                if source != self._source:
                    yield event

    def is_answered_by_somebody(self, about: About) -> bool:
        """Whether anybody but a rule answered an instruction, tries to, or did not want it as a whole."""
        if about in self._answered:
            return True
        return any(entry.about == about and not entry.is_by_rule for entry in self._under_way.values())

    def taken(self, resource_id: str, known: KnownInstruction) -> tuple[str, float | None] | None:
        """The answer to an instruction that CAISO took and has not told yet: how, and with which megawatts.

        What CAISO says afterwards counts instead: it may have changed the instruction, which is to be answered anew then.
        """
        event = self._taken.get((resource_id, known.instruction_uid))
        return None if event is None or known.told_at > event.time else (event.action, event.accept_dot_mw)

    def _note_claim(self, key: Key, event: InstructionAnswered) -> None:
        if key in self._results:
            return  # said again, after its result
        about = (event.resource_id, event.instruction_uid)
        entry = self._under_way.setdefault(key, _UnderWay(content_of(event.action, event), about, event.rule is not None))
        entry.claims.setdefault(event.source, (next(self._order), event))

    def _note_left(self, key: Key, source: str) -> None:
        if key in self._under_way:
            self._under_way[key].claims.pop(source, None)
            self._under_way[key].is_ours &= source != self._source
            self._forget_when_idle(key)

    def _note_result(self, key: Key, event: InstructionAnswered) -> None:
        about = (event.resource_id, event.instruction_uid)
        if _speaks_against_rules(event):
            _put(self._answered, about, None)
        before = self._taken.get(about)
        if event.outcome == TAKEN and (before is None or before.time <= event.time):
            _put(self._taken, about, event)
        self._under_way.pop(key, None)
        known = self._results.get(key)
        if known is None or _weight(event.outcome) >= _weight(known[1].outcome):
            result = Result(event.outcome, event.detail, event.refused_by, event.result_code)
            _put(self._results, key, (content_of(event.action, event), result))
            _put(self._ended_at, key, event.time)

    def _forget_when_idle(self, key: Key) -> None:
        if not self._under_way[key].is_ours and not self._under_way[key].claims:
            del self._under_way[key]

    def _goes_on(self, entry: _UnderWay) -> bool:
        return entry.is_ours or any(True for _number in self._numbers_of_others(entry))

    def _numbers_of_others(self, entry: _UnderWay) -> Iterator[int]:
        return (number for source, (number, _event) in entry.claims.items() if source != self._source)


def _speaks_against_rules(event: InstructionAnswered) -> bool:
    """Somebody's answer bars every rule: one that CAISO has or may have, and a decline or a part whatever became of it."""
    if event.rule is not None:
        return False
    if event.outcome != REFUSED:
        return True
    return event.action != InstructionAction.ACCEPT and event.refused_by not in _MEANT_FOR_OTHERS


def _weight(outcome: str) -> int:
    """Of two results that were said of one command the one that knows more counts."""
    return _WEIGHT.get(outcome, 0)


def _put(remembered: dict[K, V], key: K, value: V) -> None:
    remembered.pop(key, None)
    remembered[key] = value
    if len(remembered) > REMEMBERED:
        del remembered[next(iter(remembered))]

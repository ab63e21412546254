"""Source watch: notices when what is known of a source changes what may be believed, and when it does not.

Sources say every few seconds that they are there. Nearly always that only makes what was known last longer: nothing that they
said needs to be judged anew for it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from dotbus.contracts.quality import Reason
from dotbus.judging.received import Received
from dotbus.judging.source_states import SourceState, source_state, turns_of_state
from dotbus.judging.sources import Source
from dotbus.judging.vouching import against_source, hears, turns


class Question(NamedTuple):
    """Whether CAISO answers an ingest: on one upstream or, without one, on all; and how long an answer counts."""

    service: str
    upstream: str | None
    stale_after_s: float


class Changes(NamedTuple):
    """What changed: the upstreams on which what a source says is to be judged anew, and the questions with another answer.

    `itself` is whether the source is another way than it was.
    """

    upstreams: Collection[str]
    questions: Collection[Question]
    itself: bool


class SourceWatch:
    """What was known of each source when it was looked at last.

    Args:
        upstreams: the names of those that matter.
        questions: those that matter.
    """

    def __init__(self, upstreams: Sequence[str], questions: Sequence[Question]) -> None:
        self._upstreams = tuple(upstreams)
        self._questions = tuple(questions)
        self._against: dict[str, dict[str, frozenset[Reason]]] = {}
        self._states: dict[str, SourceState] = {}
        self._heard_by: dict[Question, set[str]] = {question: set() for question in questions}

    def look(self, name: str, received: Received, now: datetime) -> Changes:
        """Look at a source, and tell what changed since the last time."""
        source = received.source(name)
        against = {upstream: against_source(source, upstream, now) for upstream in self._upstreams}
        before = self._against.get(name, {})
        self._against[name] = against
        if name not in received.sources:
            del self._against[name]
        return Changes(
            [upstream for upstream in self._upstreams if against[upstream] != before.get(upstream)],
            [question for question in self._asked(name) if self._answer_changes(question, name, received, now)],
            self._is_other(name, source, now),
        )

    def turns_at(self, name: str, received: Received, now: datetime) -> datetime | None:
        """When to look at a source again, though it says nothing."""
        source = received.source(name)
        if source is None:
            return None
        asked = [(question.upstream, question.stale_after_s) for question in self._asked(name)]
        return min((at for at in chain(turns(source, asked), turns_of_state(source)) if at > now), default=None)

    def _asked(self, name: str) -> list[Question]:
        service = name.partition("/")[0]
        return [question for question in self._questions if question.service == service]

    def _is_other(self, name: str, source: Source | None, now: datetime) -> bool:
        before = self._states.pop(name, None)
        counts_s = min((question.stale_after_s for question in self._asked(name)), default=0.0)
        if source is not None:
            self._states[name] = source_state(source, counts_s, now)
        return self._states.get(name) != before

    def _answer_changes(self, question: Question, name: str, received: Received, now: datetime) -> bool:
        source, heard_by = received.source(name), self._heard_by[question]
        before = bool(heard_by)
        if source is not None and hears(source, question.stale_after_s, now, question.upstream):
            heard_by.add(name)
        else:
            heard_by.discard(name)
        return bool(heard_by) != before

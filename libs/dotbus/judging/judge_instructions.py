"""Judge instructions: what of the instructions that sources speak of holds, and how good each is. Pure; docs/quality.md."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from dotbus.contracts.messages import Instructions, KnownInstruction
from dotbus.contracts.quality import Reason
from dotbus.judging.judge import Judged, Known, judge_state
from dotbus.judging.precedence import holds, revisions, withdrawals
from dotbus.judging.received import Received

IN_FORCE: Final = "in force"
NOT_IN_FORCE: Final = "not in force"
"""Words of `standing`. Any other, "in doubt" or one that this version does not know, is a doubt."""


def judge_instructions(received: Received, topic: str, stale_after_s: float, now: datetime) -> Known[KnownInstruction]:
    """The instructions that hold, of every source: of each batch the newest revision, unless a source knows it withdrawn."""
    known = judge_state(received, topic, Instructions, stale_after_s, now, earlier=True)
    states = [one.said for one in known.parts]
    newest, withdrawn = revisions(states), withdrawals(states)
    said: defaultdict[tuple[str, str], list[Judged[KnownInstruction]]] = defaultdict(list)
    for one in known.parts:
        for each in one.said.instructions:
            if holds(each, newest, withdrawn):
                doubt = [] if each.standing in (IN_FORCE, NOT_IN_FORCE) else [Reason.INCOMPLETE]
                said[each.batch_uid, each.instruction_uid].append(one.about(each, *doubt))
    return Known(known.whole, lambda: tuple(_agreed(versions) for versions in said.values()))


def _agreed(versions: Sequence[Judged[KnownInstruction]]) -> Judged[KnownInstruction]:
    """One instruction as several sources say it, the best one last: in doubt where they do not say the same."""
    best = max(reversed(versions), key=lambda one: one.quality().level)
    agree = all(_is_same(one.said, best.said) for one in versions)
    return best if agree else best.about(best.said, Reason.INCOMPLETE)


def _is_same(one: KnownInstruction, other: KnownInstruction) -> bool:
    """Whether two sources say the same of an instruction; when each heard of it first does not matter."""
    return msgspec.structs.replace(one, told_at=other.told_at, batch_until=other.batch_until) == other

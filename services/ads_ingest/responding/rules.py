"""Rules: which open instructions the configuration accepts by itself. Pure; off as long as `dotbus.toml` has no such rule."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count

from ads_ingest.responding.answers import Answers
from ads_ingest.responding.checks import NOT_NOW
from ads_ingest.responding.commands import Asked
from ads_ingest.translate import Sender
from dotbus.contracts.instruction_states import Answer
from dotbus.contracts.messages import InstructionAction, InstructionResponse, KnownInstruction
from dotbus.runtime.installation.answers import AcceptanceRule

RETRY_FIRST_S, RETRY_MOST_S = 5.0, 60.0
"""The pauses before an answer that could not be sent is given again, each twice the one before."""


def automatic_answers(
    known: Mapping[str, Sequence[KnownInstruction]], answers: Answers, sender: Sender, now: datetime
) -> Iterator[tuple[Asked, AcceptanceRule]]:
    """The answers that the rules give now, each once: the first rule that fits an open instruction without an answer.

    They are to pass the same checks as a command. Where the rule is a dry run nothing is to be sent.

    Args:
        known: what is instructed, by resource.
        answers: what was answered before.
        sender: who we are, for which installation.
        now: the time.
    """
    for resource_id, instructions in known.items():
        for instruction in instructions:
            rule = next((each for each in sender.installation.acceptance_rules if _fits(each, resource_id, instruction)), None)
            asked = _next(rule, resource_id, instruction, answers, sender, now) if rule else None
            if rule and asked and not answers.is_known(asked) and not answers.is_answered_by_somebody(asked.about):
                yield asked, rule


def _next(
    rule: AcceptanceRule, resource_id: str, instruction: KnownInstruction, answers: Answers, sender: Sender, now: datetime
) -> Asked | None:
    """The answer, under another id after each try that could not be sent only then; None while it is too early for the next."""
    for number in count():
        asked = _asked(rule, resource_id, instruction, number, sender, now)
        refused = answers.refusal_of(asked)
        if refused is None or refused[0] not in NOT_NOW:
            return asked
        pause_s = min(RETRY_MOST_S, RETRY_FIRST_S * 2 ** min(number, 10))
        if now < refused[1] + timedelta(seconds=pause_s):
            return None
    return None


def _fits(rule: AcceptanceRule, resource_id: str, instruction: KnownInstruction) -> bool:
    answer, dot_mw = instruction.answer, instruction.instructed_mw
    if answer is None or not answer.is_open or answer.answer != Answer.NONE or dot_mw is None:
        return False
    return rule.is_of(resource_id) and instruction.batch_type in rule.batch_types and rule.min_mw <= dot_mw <= rule.max_mw


def _asked(
    rule: AcceptanceRule, resource_id: str, instruction: KnownInstruction, number: int, sender: Sender, now: datetime
) -> Asked:
    """A change of the instruction is another question; of the batch's revision alone, or of the rule, it is not."""
    said = (rule.dry_run, instruction.instruction_uid, instruction.revision_number, instruction.instructed_mw, number)
    command_id = hashlib.sha256(repr(said).encode()).hexdigest()[:32]
    command = InstructionResponse(
        environment=sender.environment,
        source=sender.source,
        time=now,
        batch_uid=instruction.batch_uid,
        instruction_uid=instruction.instruction_uid,
        action=InstructionAction.ACCEPT,
        requested_by=f"rule {rule.name}",
        command_id=command_id,
    )
    plant = sender.installation.plant_of(resource_id)
    return Asked(command, plant, resource_id, InstructionAction.ACCEPT.value, command_id, rule.name)

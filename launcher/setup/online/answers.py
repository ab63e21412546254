"""What those who were asked said, for people and, by schemas/check-report.schema.json, for programs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from dotbus.runtime.settings.mistakes import Mistake


class Whom(StrEnum):
    """Whom `--ask` names.

    caiso: ADS by each account, and OASIS. broker: each user of the broker. database: each user of the database. modbus: the
    gateway's port.
    """

    CAISO = "caiso"
    BROKER = "broker"
    DATABASE = "database"
    MODBUS = "modbus"


class FoundMistake(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong in the installation's file or in a variable.

    Attributes:
        where: the file, or `environment`.
        key: the place in it, such as `plant[0].resource[1].node`; the variable's name; empty for a whole file.
        line: of the file, from 1; null where it is not known.
        whose: the plant and the resource, or what else the place is of, in words; empty where the key alone tells.
        reason: what is wrong, in words for a person.
    """

    where: str
    key: str
    line: int | None = None
    whose: str = ""
    reason: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one question.

    Attributes:
        whom: the kind of who was asked.
        asked: who it was, and as whom.
        good: whether it answered, and takes who we are.
        said: the answer, or why there is none and what to do.
        mistakes: what of the installation's file does not fit the answer.
    """

    whom: Whom
    asked: str
    good: bool
    said: str
    mistakes: tuple[FoundMistake, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.asked}: {self.said}", *(f"  {as_text(mistake)}" for mistake in self.mistakes)])


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `dotbus check --json` prints.

    Attributes:
        well: whether nothing is wrong: the command then ends with 0, or with 3 where registers moved.
        config: the installation's file.
        environment: what it says it is; null while it has mistakes.
        plants: their names, in the file's order.
        notes: what is worth knowing of it, a line each.
        mistakes: everything that is wrong with file and variables. While there is any nobody is asked; the command ends with 2.
        answers: of those that were asked, each once; without `--online` none. One that is not good has the command end with 1.
        moved: with `--against`, whether a register would say something else than it does by that file; null without it.
        changes: with `--against`, what would change, a line each.
    """

    well: bool
    config: str
    environment: str | None = None
    plants: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    mistakes: tuple[FoundMistake, ...] = ()
    answers: tuple[Answer, ...] = ()
    moved: bool | None = None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inquiry:
    """A question that is asked while others are.

    Attributes:
        whom: the kind of who is asked.
        about: who it is, for the case that no answer comes.
        ask: asks, and returns what came of it; it has limits of its own.
    """

    whom: Whom
    about: str
    ask: Callable[[], Iterable[Answer]]


def found(mistakes: Iterable[Mistake]) -> tuple[FoundMistake, ...]:
    """Mistakes as a report has them."""
    return tuple(
        FoundMistake(where=one.where, key=one.key, line=one.line, whose=one.whose, reason=one.reason) for one in mistakes
    )


def as_text(mistake: FoundMistake) -> str:
    """One as people read it."""
    return str(Mistake(mistake.where, mistake.key, mistake.reason, mistake.line, mistake.whose))


def are_good(answers: Sequence[Answer]) -> bool:
    """Whether somebody was asked, and everybody answered well."""
    return bool(answers) and all(answer.good for answer in answers)

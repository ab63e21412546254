"""Findings: what an examination found, and what to do about each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    WRONG = "WRONG"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: what it is of, such as roles.
        says: what was found.
        do: what helps; nothing to do where it is ok.
    """

    level: Level
    about: str
    says: str
    do: str = ""


def ok(about: str, says: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, about, says)


def note(about: str, says: str, do: str = "") -> Finding:
    """Worth knowing; nothing fails for it."""
    return Finding(Level.NOTE, about, says, do)


def wrong(about: str, says: str, do: str) -> Finding:
    """Something does not work, or soon will not."""
    return Finding(Level.WRONG, about, says, do)


def lines(findings: Sequence[Finding]) -> list[str]:
    """As people read them."""
    width = max((len(finding.about) for finding in findings), default=0)
    shown = []
    for finding in findings:
        shown.append(f"{finding.level:<5}  {finding.about:<{width}}  {finding.says}")
        if finding.do:
            shown.append(f"{'':<5}  {'':<{width}}  -> {finding.do}")
    return shown


def is_any_wrong(findings: Sequence[Finding]) -> bool:
    """Whether somebody has to act."""
    return any(finding.level is Level.WRONG for finding in findings)

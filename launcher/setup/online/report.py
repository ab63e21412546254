"""What `dotbus check` finds, in one report: mistakes, answers, and registers that would move."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.process import EXIT_FAILED, EXIT_REFUSED
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from launcher.setup.check import check_configuration, what_a_group_is
from launcher.setup.online.answers import Answer, CheckReport, Whom, are_good, as_text, found
from launcher.setup.online.asking import ask_all, inquiries
from modbus_gateway.map.changes import compare_maps
from modbus_gateway.map_commands import load_map

ASKED_WITHIN_S: Final = 90.0
"""OASIS alone takes up to a minute for its lists of nodes, of which it gives one every six seconds."""
EXIT_MOVED: Final = 3
"""Nothing is wrong with the configuration, but SCADA would read something else than before."""
_NOBODY: Final = "there is nobody to ask: no variables of a service, nor of DOTBUS_MQTT_, _DATABASE_ or _MODBUS_, are set here"


@dataclass(frozen=True)
class Asked:
    """Who is to be asked.

    Attributes:
        whom: the kinds; nobody when there are none.
        credentials: the folder of `dotbus certificates init`, if its users of broker and database are to be asked.
        within_s: how long all of it may take.
    """

    whom: Collection[Whom] = ()
    credentials: Path | None = None
    within_s: float = ASKED_WITHIN_S


def load_report(config: Path, against: Path | None, asked: Asked, clock: Callable[[], datetime]) -> CheckReport:
    """Check a file with the variables of the services that are set here, ask who is to be asked, and compare two maps.

    Args:
        config: the file.
        against: the one whose map is in use; None where nothing is compared.
        asked: who is to be asked.
        clock: the wall clock.
    """
    try:
        file = check_configuration(config)
        answers = _ask(file, asked, clock) if asked.whom else []
        changes, moved = _compare(against, config) if against else ((), None)
    except ConfigurationRefused as refused:
        return CheckReport(well=False, config=str(config), mistakes=found(refused.mistakes))
    told = file.installation
    return CheckReport(
        well=not asked.whom or are_good(answers),
        config=str(config),
        environment=told.environment,
        plants=tuple(plant.name for plant in told.plants),
        notes=tuple(filter(None, [what_a_group_is(told)])),
        answers=tuple(answers),
        moved=moved,
        changes=changes,
    )


def status_of(report: CheckReport) -> int:
    """What the command ends with."""
    if report.mistakes:
        return EXIT_REFUSED
    return EXIT_FAILED if not report.well else EXIT_MOVED if report.moved else 0


def lines_of(report: CheckReport) -> Iterator[tuple[str, bool]]:
    """For people: each line, and whether it tells of something that is wrong."""
    yield from ((as_text(mistake), True) for mistake in report.mistakes)
    if report.mistakes:
        return
    yield f"{report.config}: no mistakes ({report.environment}; plants {', '.join(report.plants)})", False
    yield from ((note, False) for note in report.notes)
    yield from ((str(answer), not answer.good) for answer in report.answers)
    yield from ((line, False) for line in report.changes)


def _ask(file: InstallationFile, asked: Asked, clock: Callable[[], datetime]) -> Sequence[Answer]:
    wanted = inquiries(file, asked.whom, asked.credentials, clock)
    if not wanted:
        return [Answer(whom=next(iter(asked.whom)), asked="--online", good=False, said=_NOBODY)]
    return ask_all(wanted, asked.within_s)


def _compare(before: Path, after: Path) -> tuple[tuple[str, ...], bool]:
    lines, moved = compare_maps(load_map(before)[1].register_map, load_map(after)[1].register_map)
    return tuple(lines), moved

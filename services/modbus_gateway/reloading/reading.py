"""Reading again: the installation's file as it is now, held against that which is in force."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from dotbus.runtime.hanging import Hangs, in_time
from dotbus.runtime.installation.file import InstallationFile, read_text, understand_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from modbus_gateway.map.draft import Draft, draft
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.map.writable import Writables

TAKE_A_RESTART: Final = ("environment", "topic_root")
"""What a connection to the broker, its last will and every topic rest on."""
_FROM: Final = "allow_writes_from"
WRITES_TAKE_A_RESTART: Final = {"write": "points", "commit": "commits", "answer": "answers"}
"""What may be written, by its key and its name: what was written and is staged, and who is watched, would be another's."""

READ_WITHIN_S: Final = 10.0
SETTLES_S: Final = 0.25
"""A file that says the same for so long is written to its end. Half of one may be a file without mistakes: with fewer units."""
LOOKS_MOST: Final = 20
_READS: Final = "reads the file again"


def read_again(
    config: Path, in_force: Installation, writables: Writables, pause: Callable[[float], None] = time.sleep
) -> RegisterMap:
    """The register map of the file as it is now.

    Args:
        config: the file.
        in_force: what it said when the gateway started.
        writables: what SCADA may write since then.
        pause: waits so many seconds between two looks at the file.

    Raises:
        ConfigurationRefused: with every mistake, what cannot be changed without a restart among them.
    """
    file = understand_installation(_settled(config, pause), config)
    drafted = draft(file)
    wrong = [*file.mistakes, *drafted.mistakes]
    wrong += file.located(list(_changed(file, in_force)))
    if not wrong:  # else nothing may be laid out that can be written
        wrong += file.located(list(_written_otherwise(file, drafted, writables)))
    if wrong:
        raise ConfigurationRefused(wrong)
    return drafted.register_map


def _settled(config: Path, pause: Callable[[float], None]) -> str:
    """The file's text, once nobody writes it any more."""
    text = _in_time(config)
    for _ in range(LOOKS_MOST):
        pause(SETTLES_S)
        before, text = text, _in_time(config)
        if text == before:
            return text
    raise ConfigurationRefused([Mistake(str(config), "", "is being written while it is read; reload once it is whole")])


def _in_time(config: Path) -> str:
    """The file's text."""
    try:
        return in_time(lambda: read_text(config), _READS, READ_WITHIN_S)
    except Hangs as hangs:
        raise ConfigurationRefused([Mistake(str(config), "", f"cannot be read: {hangs}")]) from hangs


def _changed(file: InstallationFile, in_force: Installation) -> Iterator[Mistake]:
    for key in TAKE_A_RESTART:
        now, was = getattr(file.installation, key), getattr(in_force, key)
        if now != was and file.is_as_given(key):
            yield Mistake(file.where, key, f"is {now} and was {was} when the gateway started: that takes a restart")
    if file.installation.modbus.allow_writes_from != in_force.modbus.allow_writes_from:
        yield _takes_restart(file, _FROM)


def _written_otherwise(file: InstallationFile, drafted: Draft, writables: Writables) -> Iterator[Mistake]:
    """What is written elsewhere or is another's, whichever key says so: its own, `addresses`, or whose a resource is."""
    for key, named in WRITES_TAKE_A_RESTART.items():
        if getattr(drafted.writables, named) != getattr(writables, named):
            yield _takes_restart(file, key)


def _takes_restart(file: InstallationFile, key: str) -> Mistake:
    return Mistake(file.where, f"modbus.{key}", "is not as it was when the gateway started: that takes a restart")

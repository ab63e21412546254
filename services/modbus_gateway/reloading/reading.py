"""Reading again: the installation's file as it is now, held against that which is in force."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dotbus.runtime.hanging import Hangs, in_time
from dotbus.runtime.installation.file import InstallationFile, read_text, understand_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from modbus_gateway.map.draft import draft_map
from modbus_gateway.map.register_map import RegisterMap

TAKE_A_RESTART: Final = ("environment", "topic_root")
"""What a connection to the broker, its last will and every topic rest on."""
_FROM: Final = "allow_writes_from"
WRITES_TAKE_A_RESTART: Final = {"write": "writes", "commit": "commits", "answer": "answers", _FROM: _FROM}
"""What may be written, by its key and its name: what was written and is staged, and who is watched, would be another's."""

READ_WITHIN_S: Final = 10.0
_READS: Final = "reads the file again"


def read_again(config: Path, in_force: Installation) -> RegisterMap:
    """The register map of the file as it is now.

    Args:
        config: the file.
        in_force: what it said when the gateway started.

    Raises:
        ConfigurationRefused: with every mistake, what cannot be changed without a restart among them.
    """
    file = understand_installation(_in_time(config), config)
    register_map, mistakes = draft_map(file)
    wrong = [*file.mistakes, *mistakes, *file.located(list(_changed(file, in_force)))]
    if wrong:
        raise ConfigurationRefused(wrong)
    return register_map


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
    for key, named in WRITES_TAKE_A_RESTART.items():
        if getattr(file.installation.modbus, named) != getattr(in_force.modbus, named):
            yield Mistake(file.where, f"modbus.{key}", "is not as it was when the gateway started: that takes a restart")

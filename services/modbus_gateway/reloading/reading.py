"""Reading again: the installation's file as it is now, held against that which is in force."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Final

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
HANG_MOST: Final = 8
"""So many attempts may hang at once: each keeps a thread."""
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
    """The file's text. It may hang for ever, as on a mount whose server is gone: the thread that waits for it is left alone."""
    if sum(thread.name == _READS for thread in threading.enumerate()) >= HANG_MOST:
        raise ConfigurationRefused([Mistake(str(config), "", f"cannot be read: {HANG_MOST} attempts before hang still")])
    read = Future[str]()
    threading.Thread(target=_read, args=(config, read), name=_READS, daemon=True).start()
    try:
        return read.result(READ_WITHIN_S)
    except TimeoutError as late:
        reason = f"cannot be read: nothing came within {READ_WITHIN_S:g} s; does the disk or server answer that it is on?"
        raise ConfigurationRefused([Mistake(str(config), "", reason)]) from late


def _read(config: Path, into: Future[str]) -> None:
    try:
        into.set_result(read_text(config))
    except BaseException as error:  # noqa: BLE001  # whoever waits for it raises it
        into.set_exception(error)


def _changed(file: InstallationFile, in_force: Installation) -> Iterator[Mistake]:
    for key in TAKE_A_RESTART:
        now, was = getattr(file.installation, key), getattr(in_force, key)
        if now != was and file.is_as_given(key):
            yield Mistake(file.where, key, f"is {now} and was {was} when the gateway started: that takes a restart")
    for key, named in WRITES_TAKE_A_RESTART.items():
        if getattr(file.installation.modbus, named) != getattr(in_force.modbus, named):
            yield Mistake(file.where, f"modbus.{key}", "is not as it was when the gateway started: that takes a restart")

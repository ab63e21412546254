"""The folder of a demonstration: gone at its end, and if that was a kill -9, when the next one starts.

Each holds a lock on a file in its folder for as long as it runs; the system gives the lock back however a process ends. A
folder whose lock can be had is nobody's any more. One without such a file is left alone: not ours, or just being made.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "dotbus-demo-"
_LOCK: Final = "running.lock"


@contextmanager
def demonstration_folder(around: Path) -> Iterator[Path]:
    """A new folder, removed at the end; before that, those that killed demonstrations of the same user left."""
    remove_abandoned(around)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=around) as name:
        folder = Path(name)
        made = folder / f"{_LOCK}.new"
        with made.open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            made.rename(folder / _LOCK)  # nobody finds it before it is held
            yield folder


def remove_abandoned(around: Path) -> None:
    """Remove the folders of demonstrations that do not run any more."""
    for folder in around.glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody else is just doing so
            if folder.lstat().st_uid == os.getuid() and not folder.is_symlink() and _is_abandoned(folder / _LOCK):
                shutil.rmtree(folder)


def _is_abandoned(lock: Path) -> bool:
    with lock.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True

"""Quarantine: what could not be understood is kept as it came, within bounds, so that somebody can look at it."""

import contextlib
import re
from datetime import datetime
from pathlib import Path

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class Quarantine:
    """A folder of raw replies. The oldest go first when it grows beyond its bound.

    Args:
        folder: made on first use.
        max_bytes: what all files together may take.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self.kept = 0
        self.failed = 0

    def keep(self, content: bytes, name: str, now: datetime) -> Path | None:
        """Write raw bytes under a name that tells time and origin. Returns the file.

        Returns None when it could not be written: a full disk must not stop what is still going well.
        """
        stamp = now.strftime("%Y%m%dT%H%M%S.%fZ")
        path = self._folder / f"{stamp}-{_NOT_IN_A_NAME.sub('_', name)[:80]}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content[: self._max_bytes])
            self._bound()
        except OSError:
            self.failed += 1
            return None
        self.kept += 1
        return path

    def _bound(self) -> None:
        total = 0
        for file in sorted((entry for entry in self._folder.iterdir() if entry.is_file()), reverse=True):
            total += file.stat().st_size
            if total > self._max_bytes:
                with contextlib.suppress(FileNotFoundError):  # another process may have let it go
                    file.unlink()

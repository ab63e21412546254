"""Commands of the historian as somebody types them, on a database with this version's tables."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from historian_database import environment
from historian_parts import ready
from typer.testing import CliRunner

from historian.__main__ import build_app

Command = Callable[..., Result]


def commands_of(database: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """What runs `historian` with these words."""
    with ready(database):
        pass
    for name, text in environment(folder, database, broker_port=1).items():
        monkeypatch.setenv(name, text)

    def run(*words: object) -> Result:
        return CliRunner().invoke(build_app(), [str(word) for word in words])

    return run

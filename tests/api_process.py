"""`historian api` as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from historian_database import CONFIG


@contextmanager
def serving(folder: Path, url: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """The process, from its start to the test's end."""
    config = folder / "dotbus.toml"
    config.write_text(CONFIG)
    told = {"CONFIG": str(config), "INSTANCE": "test", "DATABASE_URL": url, **settings}
    environment = os.environ | {f"HISTORIAN_API_{name}": text for name, text in told.items()}
    command = [sys.executable, "-m", "historian", "api"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def answer(url: str, **options: object) -> requests.Response | None:
    with suppress(requests.ConnectionError):
        return requests.get(url, timeout=10, **options)
    return None

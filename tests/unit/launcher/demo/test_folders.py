"""A demonstration that was killed leaves its folder to the next one, which never takes that of one that runs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from launcher.demo.folders import PREFIX, demonstration_folder

HOLDS = """
import sys, time
from pathlib import Path
from launcher.demo.folders import demonstration_folder
with demonstration_folder(Path(sys.argv[1])) as folder:
    (folder / "postgres").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


def start(around: Path) -> tuple[subprocess.Popen[str], Path]:
    running = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(around)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout
    return running, Path(running.stdout.readline().strip())


def end(running: subprocess.Popen[str], number: int) -> None:
    os.kill(running.pid, number)
    running.communicate()


def test_what_a_killed_one_left_is_removed_by_the_next_and_what_runs_stays(tmp_path: Path):
    killed, left = start(tmp_path)
    running, held = start(tmp_path)
    end(killed, signal.SIGKILL)
    assert left.is_dir()
    with demonstration_folder(tmp_path) as own:
        assert (left.exists(), held.is_dir(), own.is_dir()) == (False, True, True)
    assert not own.exists()
    end(running, signal.SIGKILL)


def test_a_folder_that_nobody_has_locked_yet_and_a_link_are_left_alone(tmp_path: Path):
    made, elsewhere = tmp_path / f"{PREFIX}new", tmp_path / "elsewhere"
    made.mkdir()
    elsewhere.mkdir()
    (elsewhere / "running.lock").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    with demonstration_folder(tmp_path):
        assert made.is_dir()
        assert (elsewhere / "running.lock").exists()

"""The product by the oldest pip that a supported Python brings, as a system's own Python has it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
OLDEST_PIP = "22.3" if sys.version_info < (3, 12) else "23.2.1"
"""What Python 3.11.0 and 3.12.0 brought. Both pass over an extra whose name has an underscore."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has nothing but that pip."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    interpreter = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet", f"pip=={OLDEST_PIP}")
    return interpreter


def run(*command: object) -> str:
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_parts_are_installed_with_their_packages_and_run(python: Path):
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    assert f"pip {OLDEST_PIP} " in run(*pip, "--version")

    run(*pip, "install", "--quiet", f"{ROOT}[ads-ingest,lmp-ingest,modbus-gateway]")

    for name in ("ads-ingest", "lmp-ingest", "modbus-gateway"):
        assert "Usage:" in run(python.parent / name, "--help")
    assert "uvloop" in run(*pip, "freeze")

"""What a command prints is the same in every terminal: whole lines, that can be read and searched for."""

import os
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

import hypothesis
import pytest
import trustme
import typer
from rich.console import Console
from typer.testing import CliRunner

from ads_ingest.__main__ import app as ads_ingest
from dotbus.contracts.topics import Topics
from dotbus.testing.bus import FakeBus
from historian.__main__ import build_app
from launcher.__main__ import app
from launcher.look.status import watch
from lmp_ingest.__main__ import app as lmp_ingest

EXAMPLE = Path(__file__).parents[3] / "config/dotbus.example.toml"
WIDTHS = ["40", "80", "200"]


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_refused_argument_is_told_in_one_line_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, columns: str
):
    monkeypatch.setenv("COLUMNS", columns)
    missing = tmp_path / ("a_folder_whose_name_is_longer_than_a_line_of_the_terminal" * 2) / "none.pfx"

    output = CliRunner().invoke(app, ["certificates", "convert", str(missing), "out.pem"]).output

    (line,) = (line for line in output.splitlines() if str(missing) in line)
    assert line.endswith("does not exist.")


@pytest.mark.parametrize("command", [app, ads_ingest, lmp_ingest, build_app()], ids=["dotbus", "ads", "lmp", "historian"])
def test_the_list_of_commands_says_each_in_a_whole_sentence(monkeypatch: pytest.MonkeyPatch, command: typer.Typer):
    monkeypatch.setenv("COLUMNS", "80")

    for path in ([], ["certificates"], ["dead-letters"]):
        assert "..." not in CliRunner().invoke(command, [*path, "--help"]).output.replace("[ARGS]...", "")


def test_what_is_wrong_stays_one_line_when_it_is_piped():
    said = StringIO()
    watch(FakeBus(), Topics(), Console(file=said, width=40), threading.Event(), once=True, settle_s=0)

    assert said.getvalue().startswith("No service is heard under dotbus/v1: ")
    assert said.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ["launcher", "--help"],
        ["launcher", "check", "--config", str(EXAMPLE)],
        ["launcher", "certificates", "show", "CERTIFICATE"],
        *([module, "--help"] for module in ("ads_ingest", "lmp_ingest", "historian", "modbus_gateway", "simulators")),
    ],
    ids=" ".join,
)
def test_a_command_whose_reader_has_enough_ends_without_a_word(tmp_path: Path, command: list[str]):
    certificate = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(certificate))
    arguments = [str(certificate) if part == "CERTIFICATE" else part for part in command]
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run([sys.executable, "-m", *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)

    os.close(writer)
    assert ended.stderr == ""


def test_no_test_of_properties_has_a_deadline():
    assert hypothesis.settings.default.deadline is None


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("ads_ingest", "requests", "ads-ingest"),
        ("lmp_ingest", "requests", "lmp-ingest"),
        ("historian", "sqlalchemy", "historian"),
        ("simulators", "uvicorn", "simulator"),
        ("launcher", "pymodbus", "launcher"),
    ],
)
def test_a_program_without_its_packages_says_which_extra_to_install(module: str, package: str, extra: str):
    without = f"import sys, runpy; sys.modules['{package}'] = None; runpy.run_module('{module}', run_name='__main__')"

    ended = subprocess.run([sys.executable, "-c", without, "--help"], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr == f"the package {package} is not installed; it comes with: pip install 'dotbus[{extra}]'\n"


def test_a_module_of_ours_that_is_missing_is_a_fault_and_not_an_extra():
    without = "import sys, runpy; sys.modules['ads_ingest.caiso'] = None; runpy.run_module('ads_ingest', run_name='__main__')"

    ended = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)

    assert "ModuleNotFoundError" in ended.stderr

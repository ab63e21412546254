"""What a command prints is the same in every terminal: whole lines, that can be read and searched for."""

import errno
import os
import subprocess
import sys
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import pytest
import trustme
import typer
from rich.console import Console
from typer.testing import CliRunner

from ads_ingest.__main__ import app as ads_ingest
from dotbus.runtime.schedule import utc_now
from historian.__main__ import build_app
from launcher.commands import app
from launcher.look.health import BrokerReport, StatusReport, judge
from launcher.look.status import Watch, print_report
from lmp_ingest.__main__ import app as lmp_ingest
from simulators.__main__ import run as run_simulator

simulator = typer.Typer()
simulator.command()(run_simulator)
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

    for path in ([], ["certificates"], ["dead-letters"], ["api"], ["api", "keys"]):
        assert "..." not in CliRunner().invoke(command, [*path, "--help"]).output.replace("[ARGS]...", "")


def test_what_is_wrong_stays_one_line_when_it_is_piped():
    said = StringIO()
    print_report(nothing_heard("dotbus/v1"), Console(file=said, width=40))

    assert said.getvalue().startswith("No service is heard under dotbus/v1: ")
    assert said.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ["launcher", "--help"],
        ["launcher", "check", "--config", str(EXAMPLE)],
        ["launcher", "certificates", "show", "CERTIFICATE"],
        *([module, "--help"] for module in ("ads_ingest", "lmp_ingest", "historian", "alarms", "modbus_gateway", "simulators")),
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


@pytest.mark.parametrize(
    "module", ["launcher", "ads_ingest", "lmp_ingest", "historian", "alarms", "console", "modbus_gateway", "simulators"]
)
def test_every_program_says_its_version(module: str):
    ended = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"dotbus {version('dotbus')}\n", "")


@pytest.mark.parametrize(
    "importing", ["typer", "rich.console", "launcher.look.compare", "launcher.demo.demo", "launcher.demo.screen"]
)
def test_ctrl_c_while_the_demonstration_is_still_being_loaded_is_one_line(importing: str):
    """The signal comes when that module is looked for."""
    source = f"""
import os, runpy, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {importing!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000): pass
sys.meta_path.insert(0, Finder())
sys.argv = ["dotbus", "demo", "--config", {str(EXAMPLE)!r}]
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("launcher", run_name="__main__")
"""
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (130, "dotbus: interrupted\n")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        *((app, [name, "--config", "FILE"]) for name in ("check", "registers", "status", "compare", "demo")),
        (app, ["check", "--config", str(EXAMPLE), "--against", "FILE"]),
        (app, ["certificates", "init", "FOLDER", "--config", "FILE"]),
        (ads_ingest, ["decode", "document.xml", "--config", "FILE"]),
        (simulator, ["--config", "FILE"]),
    ],
)
def test_a_configuration_that_its_user_may_not_read_is_told_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: typer.Typer, arguments: list[str]
):
    file = tmp_path / "dotbus.toml"
    file.write_text("")
    read_text, access = Path.read_text, os.access

    def refused(path: Path, *given: object, **named: object) -> str:
        if path == file:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_text(path, *given, **named)

    monkeypatch.setattr(Path, "read_text", refused)
    monkeypatch.setattr(os, "access", lambda path, mode, **named: str(path) != str(file) and access(path, mode, **named))
    named = {"FILE": str(file), "FOLDER": str(tmp_path / "credentials")}

    ended = CliRunner().invoke(command, [named.get(part, part) for part in arguments])

    assert ended.exit_code == 2
    assert f"{file}: cannot be read: Permission denied; name the file with --config" in ended.output
    assert "Usage" not in ended.output


def test_every_example_of_a_replay_says_which_configuration_it_is_for():
    text = (EXAMPLE.parents[1] / "services/ads_ingest/README.md").read_text(encoding="utf-8")
    block = text.split("## Run it")[1].split("```")[1].replace("\\\n", "")
    replays = [line for line in block.splitlines() if "ads-ingest replay" in line]

    assert len(replays) == 2
    assert all("ADS_INGEST_CONFIG=" in line.split("ads-ingest replay")[0] for line in replays)


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


@pytest.mark.parametrize(
    ("program", "begun", "meant"),
    [
        ("dotbus", "st", ["status"]),
        ("dotbus", "certificates con", ["convert"]),
        ("ads-ingest", "dec", ["decode", "decline"]),
        ("lmp-ingest", "back", ["backfill"]),
        ("historian", "dead-letters l", ["list"]),
        ("modbus-gateway", "ma", ["map"]),
        ("alarms", "ch", ["check"]),
        ("console", "ch", ["check"]),
        ("dotbus-simulator", "--oa", ["--oasis-port", "--oasis-spacing-s"]),
    ],
)
def test_every_program_completes_what_is_begun(program: str, begun: str, meant: list[str]):
    words = [program, *begun.split()]
    asked = {f"_{program.upper().replace('-', '_')}_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words)}
    environment = os.environ | asked | {"COMP_CWORD": str(len(words) - 1)}

    ended = subprocess.run(
        [Path(sys.executable).parent / program], env=environment, capture_output=True, text=True, check=False
    )

    assert (ended.stdout.split(), ended.stderr) == (meant, "")


def nothing_heard(root: str) -> StatusReport:
    return judge(BrokerReport(host="127.0.0.1", port=1883, connected=True), [], (), root, utc_now())


def test_what_services_say_of_a_file_with_mistakes_is_shown_with_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "dotbus.toml"
    file.write_text('topic_root = "elsewhere/v1"\n[[modbus.block]]\nunit_id = 1000\n')
    monkeypatch.setattr(Watch, "once", lambda self, _stop: nothing_heard(self._watched.topics.root))

    ended = CliRunner().invoke(app, ["status", "--once", "--config", str(file)])

    assert (ended.exit_code, "No service is heard under elsewhere/v1" in ended.output) == (1, True), ended.output

"""The units of deploy/systemd: systemd understands them, they are shut in, and they name what is there.

`systemd-analyze` of this machine judges them, else that of Debian in a container.
"""

import os
import re
import shutil
import subprocess
import tomllib
from functools import reduce
from pathlib import Path

import pytest
from console_users import ANNA, kept

from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.schedule import utc_now
from launcher.setup.broker_users import CONSOLE_PAGE
from launcher.setup.check import SERVICES
from launcher.setup.provision import Provision

pytestmark = pytest.mark.integration
TOP = Path(__file__).parents[3]
FOLDER = TOP / "deploy/systemd"
UNITS = sorted(FOLDER.glob("dotbus-*.service"))
WATCH = FOLDER / "dotbus-watch.service"
OF_SERVICES = [unit for unit in UNITS if unit != WATCH]
PARTS = ("ads-ingest", "lmp-ingest", "modbus-gateway", "historian", "historian-api", "alarms", "console")
MOST_EXPOSED = 20
"""Of a hundred: systemd's own words for up to 20 are "OK" with a smile."""
OWN = ("#", "CapabilityBoundingSet", "AmbientCapabilities", "PrivateUsers")
"""What differs where a port below 1024 may be opened."""
OWNS_ANALYZE = """
export DEBIAN_FRONTEND=noninteractive
{ apt-get update && apt-get install -y --no-install-recommends systemd procps; } >/dev/null 2>&1 && exec systemd-analyze "$@"
"""


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """systemd-analyze, which sees the folder where it is."""
    command = ["systemd-analyze"]
    if shutil.which("systemd-analyze") is None:
        inside = ["docker", "run", "--rm", "--volume", f"{folder}:{folder}:ro", "debian:trixie-slim"]
        command = [*inside, "sh", "-c", OWNS_ANALYZE, "sh"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units beside programs that can be started: systemd looks whether these are there."""
    folder = tmp_path_factory.mktemp("systemd")
    for path in (*UNITS, *FOLDER.glob("*.timer")):
        text = path.read_text(encoding="utf-8").replace("/opt/dotbus/bin", str(folder))
        (folder / path.name).write_text(text, encoding="utf-8")
        if program := re.search(rf"^ExecStart={folder}/(\S+)", text, re.MULTILINE):
            (folder / program[1]).write_text("#!/bin/sh\n")
            (folder / program[1]).chmod(0o755)
    return folder


class Unit(dict[str, list[str]]):
    """What a unit says: each key with its values in their order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        for key, value in re.findall(r"^(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            self.setdefault(key, []).append(value)

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return dict(pair.split("=", 1) for line in self["Environment"] for pair in line.split(" "))


def name_of(unit: Path) -> str:
    return unit.stem.removeprefix("dotbus-")


def prefix_of(unit: Path) -> str:
    return f"{name_of(unit).upper().replace('-', '_')}_"


def test_there_is_a_unit_for_every_service():
    assert {name_of(unit) for unit in OF_SERVICES} == set(PARTS)


def test_systemd_understands_every_unit(installed: Path):
    paths = [str(path) for path in sorted(installed.glob("dotbus-*"))]
    verified = analyze(installed, "verify", "--man=no", *paths)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS, ids=name_of)
def test_a_unit_exposes_little_by_systemds_own_measure(installed: Path, unit: Path):
    options = ("--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager")
    measured = analyze(installed, "security", *options, str(installed / unit.name))
    assert measured.returncode == 0, measured.stdout[-2000:] + measured.stderr


@pytest.mark.parametrize("unit", OF_SERVICES, ids=name_of)
def test_a_unit_starts_a_program_that_is_installed_as_a_user_of_its_own_and_again_whenever_it_ends(unit: Path):
    told = Unit(unit)
    scripts = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    (program,) = told["ExecStart"]
    assert Path(program.split()[0]).parent == Path("/opt/dotbus/bin")
    assert Path(program.split()[0]).name in scripts
    assert told["User"] == [unit.stem]
    assert f"u {unit.stem} " in (FOLDER / "dotbus.conf").read_text(encoding="utf-8")
    assert (told["Restart"], told["StartLimitIntervalSec"]) == (["always"], ["0"])


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `dotbus certificates init` makes them."""
    folder = tmp_path_factory.mktemp("credentials")
    Provision(folder).run(load_installation(TOP / "config/dotbus.example.toml"), None, utc_now())
    return folder


@pytest.mark.parametrize("unit", OF_SERVICES, ids=name_of)
def test_a_unit_is_given_credentials_that_are_made_and_those_of_its_own_part_alone(unit: Path, credentials: Path):
    told, part = Unit(unit), name_of(unit).replace("-", "_")
    given = dict(one.split(":") for one in told["LoadCredential"])
    for name, path in given.items():
        made = credentials / Path(path).relative_to("/etc/dotbus/credentials")
        assert made.is_file(), path
        assert (made.parent.name, made.name) == (part, name)
    for value in told.environment.values():
        if value.startswith("%t/credentials/%n/"):
            assert value.removeprefix("%t/credentials/%n/") in given


@pytest.mark.parametrize("unit", OF_SERVICES, ids=name_of)
def test_what_a_unit_says_is_a_configuration_that_its_service_takes(
    unit: Path, credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    part, prefix = name_of(unit).replace("-", "_"), prefix_of(unit)
    for name in [name for name in os.environ if name.startswith((*SERVICES, "DOTBUS_"))]:
        monkeypatch.delenv(name)
    places = {
        "%t/credentials/%n": str(credentials / part),
        f"%S/{unit.stem}": str(tmp_path),
        "/etc/dotbus/dotbus.toml": str(TOP / "config/dotbus.example.toml"),
        "/etc/dotbus/caiso-ca.pem": str(credentials / part / "ca.pem"),
    }
    kept(tmp_path / "users.json", ANNA)
    for name, value in Unit(unit).environment.items():
        assert name.startswith(prefix)
        monkeypatch.setenv(name, reduce(lambda text, there: text.replace(there, places[there]), places, value))
    if part == "ads_ingest":  # whose address nobody knows but the plant
        monkeypatch.setenv("ADS_INGEST_URL", "https://simulator:8447/ADS/APIWebService/v7")
    SERVICES[prefix]()


def test_who_logs_in_at_the_broker_is_the_units_own_user():
    users = {name_of(unit): Unit(unit).environment.get(f"{prefix_of(unit)}MQTT_USERNAME") for unit in OF_SERVICES}
    assert users.pop("historian-api") is None
    assert users.pop("console") == CONSOLE_PAGE
    assert users == {name: name.replace("-", "_") for name in users}


def test_only_the_gateway_may_open_ports_below_1024():
    granted = {name_of(unit): Unit(unit)["CapabilityBoundingSet"] for unit in UNITS}
    assert granted.pop("modbus-gateway") == ["CAP_NET_BIND_SERVICE"]
    assert Unit(FOLDER / "dotbus-modbus-gateway.service")["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    assert all(one == [""] for one in granted.values())


def test_what_shuts_a_unit_in_is_the_same_in_each_of_them():
    def walls(unit: Path) -> list[str]:
        lines = unit.read_text(encoding="utf-8").split("\n# What it cannot do")[1].splitlines()
        return [line for line in lines if not line.startswith(OWN)]

    assert len({tuple(walls(unit)) for unit in OF_SERVICES}) == 1


# The watch asks whom the units say, and starts again whom only that helps.


def test_the_watch_asks_every_unit_at_the_port_that_it_says():
    listed = (FOLDER / "watch.sh").read_text(encoding="utf-8").split("for one in ")[1].split(";")[0]
    asked = dict(one.split(":") for one in listed.split())
    assert asked == {name_of(unit): Unit(unit).environment[f"{prefix_of(unit)}HEALTH_PORT"] for unit in OF_SERVICES}
    (started,) = Unit(WATCH)["ExecStart"]
    assert started == "/bin/sh /usr/local/lib/dotbus/watch.sh"


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """A folder whose files say what `curl` and `systemctl` of the test answer; `restarted` is who was."""
    curl = 'case "$*" in *"$(cat {0}/sick)"*) echo "says no"; exit 22 ;; esac'.replace("{0}", str(tmp_path))
    systemctl = f'case $1 in is-active) [ "$3" != dotbus-console ] ;; restart) echo "$2" >> {tmp_path}/restarted ;; esac'
    for name, text in (("curl", curl), ("systemctl", systemctl)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "restarted").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("sick", "said", "restarted", "status"),
    [
        ("nothing", "", "", 0),
        ("9183/health", "dotbus-modbus-gateway does not work, and is started again: says no\n", "dotbus-modbus-gateway\n", 1),
        ("9184/ready", "dotbus-historian is not ready: says no\n", "", 1),
        ("9187/health", "", "", 0),
    ],
    ids=["all well", "hangs", "not ready", "stopped by somebody"],
)
def test_the_watch_starts_again_what_hangs_and_tells_what_is_not_ready(
    watched: Path, sick: str, said: str, restarted: str, status: int
):
    (watched / "sick").write_text(sick)
    environment = {**os.environ, "PATH": f"{watched}:{os.environ['PATH']}"}
    ran = subprocess.run(["sh", FOLDER / "watch.sh"], env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (status, said)
    assert (watched / "restarted").read_text() == restarted


def test_the_document_installs_every_file_and_enables_every_unit():
    document = (TOP / "docs/deployment.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```\n(install [^`]*systemd-sysusers.*?)^```", document, re.MULTILINE | re.DOTALL)
    installed = {path for pattern in re.findall(r"deploy/\S+", block) for path in TOP.glob(pattern)}
    enabled = {name for line in re.findall(r"^systemctl enable --now (.*)", block, re.MULTILINE) for name in line.split()}
    assert installed == set(FOLDER.iterdir())
    assert enabled == {unit.stem for unit in OF_SERVICES} | {"dotbus-watch.timer"}

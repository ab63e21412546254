"""`historian chart`: pictures for a report of what a real API answers."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from historian_api import NP15, Client, asked_here, kept
from real_postgres import Postgres, new_database
from recorded_day import NOW, events
from typer.testing import CliRunner, Result

from historian.__main__ import build_app

pytestmark = pytest.mark.integration

HOUR = ("--start", "2025-09-01T08:00Z", "--end", "2025-09-01T09:00Z")


@pytest.fixture(scope="module")
def api(postgres: Postgres) -> Iterator[Client]:
    with kept(new_database(postgres), *events()) as url, asked_here(url, now=NOW, requests_per_s=1000) as client:
        yield client


def charted(api: Client, *arguments: str) -> Result:
    return CliRunner(env={"DOTBUS_API_URL": api.address}).invoke(build_app(), ["chart", *arguments])


@pytest.mark.parametrize(("name", "begins"), [("p.svg", b"<?xml"), ("p.png", b"\x89PNG\r\n")])
def test_a_plant_s_hour_is_drawn_by_the_name_of_its_file(api: Client, tmp_path: Path, name: str, begins: bytes):
    done = charted(api, "plant", "sierra", "--out", str(tmp_path / name), *HOUR)

    assert done.exit_code == 0, done.output
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_the_same_answer_gives_the_same_picture(api: Client, tmp_path: Path):
    for name in ("one.svg", "other.svg"):
        assert charted(api, "lmp", NP15, "--out", str(tmp_path / name), *HOUR).exit_code == 0

    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
    assert ET.parse(tmp_path / "one.svg").getroot().tag.endswith("svg")  # our own


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lmp", NP15, "--out", "p.pdf"), "a picture's name ends in .svg or .png"),
        (("lmp", "TH_NP15_GEN-APDN", "--out", "p.svg"), "did you mean TH_NP15_GEN-APND"),
        (("plant", "sierra", "--resource", "NONE", "--out", "p.svg"), "it has: TEST_RESOURCE_1"),
        (("plant", "siera", "--out", "p.svg"), "did you mean sierra"),
        (("lmp", NP15, "--start", "2025-09-01T00:00", "--tz", "UTC", "--end", "soon", "--out", "p.svg"), "is no time"),
        (("lmp", NP15, "--out", "/nowhere/p.svg"), "/nowhere/p.svg"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(api: Client, arguments: tuple[str, ...], said: str):
    done = charted(api, *arguments)

    assert done.exit_code == 1
    assert said in done.output
    assert done.output.count("\n") == 1

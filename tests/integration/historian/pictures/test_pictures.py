"""`historian chart`: pictures for a report of what a real API answers, and what is drawn in them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from historian_api import NP15, SP15, Client, asked_here, kept, prices_of
from real_postgres import Postgres, new_database
from recorded_day import NOW, events
from typer.testing import CliRunner, Result

from historian.__main__ import build_app

pytestmark = pytest.mark.integration

HOUR = ("--start", "2025-09-01T08:00Z", "--end", "2025-09-01T09:00Z")


SPRING, AUTUMN = datetime(2025, 3, 9, 8, tzinfo=UTC), datetime(2024, 11, 3, 7, tzinfo=UTC)
"""Midnight in California of the day of 23 hours and of that of 25."""
HOURS = timedelta(hours=1)
DAM = {"market": "DAM", "minutes": 60}


def days_of_clock_changes() -> list[object]:
    """Hours of both days, day-ahead: prices that rise, one below zero, one absent; then three days of one price."""
    spring = [20.0 + number for number in range(23)]
    autumn = [-5.0, None, *(30.0 + number for number in range(23))]
    return [
        *prices_of(SPRING, spring, first_seq=10_001, **DAM),
        *prices_of(AUTUMN, autumn, first_seq=10_101, **DAM),
        *prices_of(AUTUMN + 25 * HOURS, [10.0] * 72, first_seq=10_301, **DAM),
        *prices_of(AUTUMN, [10.0] * 25, node=SP15, first_seq=10_201, **DAM),
    ]


class Drawn:
    """An SVG, by the names of what is in it."""

    def __init__(self, file: Path) -> None:
        self.text = file.read_text(encoding="utf-8")
        self.named = {one.get("id"): one for one in ET.parse(file).iter() if one.get("id")}  # our own

    def line(self, place: int) -> list[tuple[float, float]]:
        """The points of a line, as far right and as far down as they are."""
        return self.points(f"line-{place}")

    def points(self, name: str) -> list[tuple[float, float]]:
        """The points of what has a name."""
        (path,) = self.named[name].findall("{*}path")
        return [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path.get("d", ""))]

    def pieces(self, place: int) -> int:
        """In how many pieces a line is."""
        return self.named[f"line-{place}"].find("{*}path").get("d", "").count("M ")

    def filled(self, name: str) -> str:
        """The colour of an hour, or that it is hatched."""
        fill = re.search(r"fill: (\S+?)(;|$)", self.named[name].find(".//{*}path").get("style", "")).group(1)
        return "hatched" if fill.startswith("url(#") else fill

    def says(self, text: str) -> bool:
        """Whether a text stands in it: its letters are drawn, and it is beside them."""
        return f"<!-- {text} -->" in self.text


@pytest.fixture(scope="module")
def changing(postgres: Postgres) -> Iterator[Client]:
    with kept(new_database(postgres), *days_of_clock_changes()) as url, asked_here(url, now=NOW, requests_per_s=1000) as client:
        yield client


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


def test_a_day_of_23_hours_against_one_of_25_ends_two_hours_sooner(changing: Client, tmp_path: Path):
    file = tmp_path / "days.svg"
    done = charted(changing, "days", NP15, "2025-03-09", "2024-11-03", "--market", "DAM", "--out", str(file))

    assert done.exit_code == 0, done.output
    drawn = Drawn(file)
    spring, autumn = ([x for x, _ in drawn.line(place)] for place in (0, 1))
    assert (spring[-1] - spring[0]) / (autumn[-1] - autumn[0]) == pytest.approx(23 / 25, rel=1e-3)
    assert spring[0] == autumn[0]
    assert autumn[-1] == pytest.approx(max(x for x, _ in drawn.points("patch_2"))), "25 hours are as wide as the chart"
    assert (drawn.pieces(0), drawn.pieces(1)) == (1, 2), "an hour without a price is a gap"
    assert drawn.says("Hours since midnight in California")
    assert "from 2024-11-03 00:00 to 2024-11-04 00:00, of which 1:00:00 is missing" in drawn.text


def test_a_duration_curve_falls_over_all_of_the_time_whatever_the_order_of_the_prices(changing: Client, tmp_path: Path):
    file = tmp_path / "duration.svg"
    words = ("--market", "DAM", "--start", "2024-11-03", "--end", "2024-11-04", "--out", str(file))
    done = charted(changing, "duration", NP15, SP15, *words)

    assert done.exit_code == 0, done.output
    drawn = Drawn(file)
    heights = [y for _, y in drawn.line(0)]
    assert heights == sorted(heights), "down is more"
    assert len(set(heights)) == 24, "every price is a step"
    assert {y for _, y in drawn.line(1)} == {drawn.line(1)[0][1]}, "one price all day is level"
    assert [drawn.line(place)[end][0] for place in (0, 1) for end in (0, -1)] == [
        *(pytest.approx(x, abs=0.5) for x in (drawn.line(1)[0][0], drawn.line(1)[-1][0]) * 2)
    ]
    assert drawn.says("Share of time, %")


def test_a_month_has_a_cell_for_every_hour_that_exists_and_each_looks_as_its_price_is(changing: Client, tmp_path: Path):
    file = tmp_path / "month.svg"
    done = charted(changing, "month", NP15, "--month", "2024-11", "--market", "DAM", "--out", str(file))

    assert done.exit_code == 0, done.output
    drawn = Drawn(file)
    assert sum(name.startswith("hour-") for name in drawn.named) == 30 * 24 + 1
    assert drawn.filled("hour-2024-11-03-00") == "#a9c9ea", "below zero"
    assert [drawn.filled(f"hour-2024-11-{hour}") for hour in ("03-01", "30-23")] == ["hatched"] * 2, "no price"
    assert drawn.filled("hour-2024-11-03-20") == "#98a1aa", "among the highest fifth"
    assert drawn.filled("hour-2024-11-03-01b") == "#b0b7be", "30 USD/MWh, among the fifth below it"
    assert drawn.filled("hour-2024-11-03-23") == "#f0b48a", "the highest of the month"
    assert drawn.filled("hour-2024-11-05-12") == "#eef0f1", "among the lowest"
    assert [drawn.says(text) for text in ("30", "52", "53", "01+", "Sun 03")] == [True, True, False, True, True]


def test_the_month_in_which_clocks_go_forward_has_an_hour_less(changing: Client, tmp_path: Path):
    file = tmp_path / "month.svg"
    done = charted(changing, "month", NP15, "--month", "2025-03", "--market", "DAM", "--out", str(file))

    assert done.exit_code == 0, done.output
    drawn = Drawn(file)
    assert sum(name.startswith("hour-") for name in drawn.named) == 31 * 24 - 1
    assert "hour-2025-03-09-02" not in drawn.named
    assert drawn.says("\u00d7")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("days", NP15, "09/03/2025"), "09/03/2025 is no trade date: 2026-11-01, today or yesterday"),
        (("month", NP15, "--month", "november"), "november is no month: 2026-11"),
        (("month", NP15, "--month", "2024-11", "--component", "tax"), "there is no component tax; there are lmp, energy"),
        (("duration", "TH_NP15_GEN-APDN", "--start", "2024-11-03"), "did you mean TH_NP15_GEN-APND"),
    ],
)
def test_a_day_a_month_or_a_component_that_is_none_is_said_in_one_line(
    changing: Client, arguments: tuple[str, ...], said: str, tmp_path: Path
):
    done = charted(changing, *arguments, "--out", str(tmp_path / "p.svg"))

    assert (done.exit_code, said in done.output, done.output.count("\n")) == (1, True, 1), done.output
    assert not (tmp_path / "p.svg").exists()

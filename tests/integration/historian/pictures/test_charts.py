"""The pages with charts, in a real Chromium, against a real API on a real PostgreSQL filled with CAISO's recordings."""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chromium import DESK, PHONE, Watched
from chromium import browser as opened_browser
from historian_api import NP15, Client, asked_here, kept, prices_of
from historian_database import opened
from oasis_recordings import independent_prices
from plant_day import MINUTE, ONE, told
from playwright.sync_api import Browser, Page
from real_postgres import Postgres, new_database
from recorded_day import DAWN, DAY_AHEAD, FIVE_MINUTES, NOW, events

from historian.api.keys.store import make_key

pytestmark = pytest.mark.integration

SHOTS = [(DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark")]


@pytest.fixture(scope="module")
def api(postgres: Postgres) -> Iterator[Client]:
    with kept(new_database(postgres), *events()) as url, asked_here(url, now=NOW, requests_per_s=1000) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as one:
        yield one


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    one = Watched(browser, NOW)
    yield one
    one.page.context.close()
    assert one.faults == []


def nodes() -> list[str]:
    return sorted({node for node, _ in independent_prices(DAY_AHEAD, "MW")})


def lmp(api: Client, **words: str) -> str:
    return f"{api.address}/charts/lmp?" + "&".join(f"{name}={text}" for name, text in words.items())


WEEK = {"market": "DAM", "start": "2024-04-12", "end": "2024-04-19"}
HOUR = {"start": "2025-09-01", "end": "2025-09-01"}


def saved(page: Page) -> list[dict[str, str]]:
    """The CSV of what is shown."""
    with page.expect_download() as waiting:
        page.click("#csv")
    with Path(waiting.value.path()).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def drag(page: Page, first: float, last: float) -> None:
    """Choose a stretch of the chart with the mouse, by shares of its width."""
    box = page.locator("#chart .u-over").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + first * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + last * box["width"], middle, steps=5)
    page.mouse.up()


def test_a_week_of_a_node_is_shown_with_its_components_and_saved_as_caiso_recorded_it(api: Client, watched: Watched):
    node = nodes()[0]
    page = watched.open(lmp(api, node=node, resolution="raw", **WEEK))
    rows = saved(page)

    first, last = datetime(2024, 4, 12, 7, tzinfo=UTC), datetime(2024, 4, 20, 7, tzinfo=UTC)
    recorded = {start: parts["LMP"] for (name, start), parts in independent_prices(DAY_AHEAD, "MW").items() if name == node}
    assert len(rows) > 150
    assert {datetime.fromisoformat(row["interval_start"]): float(row["lmp_usd_per_mwh"]) for row in rows} == {
        start: float(price) for start, price in recorded.items() if first <= start < last
    }
    legend = page.locator("#chart .u-legend").inner_text()
    assert all(name in legend for name in ("LMP", "Energy", "Congestion", "Loss"))
    assert "Pacific" in page.inner_text("#notes")


def test_a_stretch_that_is_chosen_is_what_the_table_and_the_csv_have(api: Client, watched: Watched):
    page = watched.open(lmp(api, node=nodes()[0], resolution="raw", **WEEK))
    whole = len(saved(page))
    page.click("#as-table")
    drag(page, 0.25, 0.5)
    chosen = saved(page)

    assert whole * 0.2 < len(chosen) < whole * 0.3
    assert page.locator("#table tbody tr").count() == len(chosen)
    assert page.locator("#table tbody tr").first.locator("td").first.inner_text() == chosen[0]["interval_start"]

    page.click("#closer")
    assert len(saved(page)) < len(chosen)
    page.click("#all")
    assert len(saved(page)) == whole


def test_what_is_missing_is_a_gap_and_said(api: Client, watched: Watched):
    page = watched.open(lmp(api, node=NP15, **HOUR))

    notes = page.inner_text("#notes")
    assert "Missing of TH_NP15_GEN-APND: 2025-09-01 00:00\u201301:00" in notes  # before the recorded hour of this trade date
    # Where the recorded hour begins and ends, the line does.
    assert page.evaluate("shown.chart.data[1].map((y) => y === null)") == [True, *[False] * 24, True]
    assert "Old data" not in notes


def test_old_data_say_so(api: Client, browser: Browser):
    late = Watched(browser, NOW + timedelta(hours=3))
    page = late.open(lmp(api, node=NP15, **HOUR))

    assert "\u25b2 Old data. The last price is of the interval until 2025-09-01 02:00" in page.inner_text("#notes")
    late.page.context.close()


def test_a_day_against_another_counts_hours_since_midnight(api: Client, watched: Watched):
    page = watched.open(lmp(api, node=nodes()[0], view="days", market="DAM", start="2024-04-13", end="2024-04-14"))
    rows = saved(page)

    assert [float(row["hours_since_midnight"]) for row in rows] == [float(hour) for hour in range(24)]
    recorded = independent_prices(DAY_AHEAD, "MW")
    first = recorded[nodes()[0], datetime(2024, 4, 14, 7, tzinfo=UTC)]["LMP"]
    assert float(rows[0]["lmp_usd_per_mwh 2024-04-14"]) == float(first)


def test_a_duration_curve_falls_and_ends_at_all_of_the_time(api: Client, watched: Watched):
    page = watched.open(lmp(api, node=nodes()[0], view="duration", **WEEK))
    rows = saved(page)
    prices = [float(row["lmp_usd_per_mwh"]) for row in rows]

    assert prices == sorted(prices, reverse=True)
    assert float(rows[-1]["share_of_time_percent"]) == 100.0


def test_a_month_by_hour_says_each_price_in_its_cell_and_which_hour_does_not_exist(api: Client, watched: Watched):
    page = watched.open(lmp(api, node=NP15, view="heat", market="DAM", start="2024-03-20", end="2024-03-20"))
    cells = page.locator("table.heat tbody tr").nth(9).locator("td").all_inner_texts()

    assert page.locator("table.heat tbody tr").count() == 31
    assert cells == ["0", "1", "\u00d7", *(str(hour) for hour in range(2, 23))]
    assert page.locator("table.heat td.missing").count() == 30 * 24


def test_a_plant_s_day_has_dots_set_point_trajectory_price_and_bands_of_quality(api: Client, watched: Watched):
    page = watched.open(f"{api.address}/charts/plant/sierra?resource={ONE}&start=2025-09-01&end=2025-09-01")
    rows = saved(page)

    legends = page.locator(".u-legend").all_inner_texts()
    assert all(name in legends[0] for name in ("Set-point", "DOT", "Trajectory"))
    assert f"Price of {NP15}" in legends[1]
    notes = page.inner_text("#notes")
    assert re.search(r"The set-point was bad for .*expired", notes), notes
    assert "Missing of DOTs" in notes
    by_time = {row["time"]: row for row in rows}
    at = by_time["2025-09-01T01:02:00-07:00"]
    assert (float(at["dot_mw"]), at["quality"]) == (10.0, "192")
    recorded = independent_prices(FIVE_MINUTES, "MW")
    assert float(at["lmp_usd_per_mwh"]) == float(recorded[NP15, DAWN]["LMP"])
    assert by_time["2025-09-01T01:17:00-07:00"]["set_point_mw"] == ""


def test_where_no_dot_is_no_line_is_drawn_and_no_value_told(api: Client, watched: Watched):
    """Other lines have points there, at which a chart would take the gap for ended, or show the nearest DOT."""
    page = watched.open(f"{api.address}/charts/plant/sierra?resource={ONE}&start=2025-09-01&end=2025-09-01")
    xs, dots = page.evaluate("[shown.charts[0].data[0], shown.charts[0].data[2]]")

    hole = (DAWN + 15 * MINUTE).timestamp(), (DAWN + 20 * MINUTE).timestamp()
    within = [mw for x, mw in zip(xs, dots, strict=True) if hole[0] <= x < hole[1]]
    assert len(within) >= 5
    assert set(within) == {None}
    assert {mw for x, mw in zip(xs, dots, strict=True) if x < DAWN.timestamp()} == {None}
    assert {mw for x, mw in zip(xs, dots, strict=True) if hole[1] <= x < hole[1] + 299} == {12}


def test_beside_a_gap_no_line_sets_out_for_the_next_value(api: Client, watched: Watched):
    """uPlot draws towards the next value from where a line has no point, and cuts that off only where the gap begins."""
    page = watched.open(f"{api.address}/charts/plant/sierra?resource={ONE}&start=2025-09-01&end=2025-09-01")
    beside = """shown.charts.flatMap((chart) => chart.data.slice(1)).flatMap((ys) => ys.map((y, place) =>
        y === undefined && (ys[place - 1] === null || ys[place + 1] === null || place === 0 || place === ys.length - 1)))"""

    assert not any(page.evaluate(beside))
    assert page.evaluate("shown.charts[0].data[1].some((y) => y === undefined)")


def test_nothing_is_said_of_what_a_gateway_will_know(api: Client, watched: Watched):
    page = watched.open(f"{api.address}/charts/plant/sierra?resource={ONE}&start=2025-09-01&end=2025-09-01")

    assert max(datetime.fromisoformat(row["time"]) for row in saved(page)) <= NOW


def test_a_plant_whose_node_has_no_prices_is_shown_and_says_why(database: str, browser: Browser):
    with kept(database, told(1, DAWN, 10.0)) as url, asked_here(url, now=NOW) as api:
        visitor = Watched(browser, NOW)
        page = visitor.open(f"{api.address}/charts/plant/sierra?start=2025-09-01&end=2025-09-01")

        assert page.evaluate("document.body.dataset.state") == "shown"
        assert "There are no prices: No price of such a node is kept" in page.inner_text("#notes")
        page.context.close()


def test_both_charts_of_a_plant_show_the_same_stretch(api: Client, watched: Watched):
    page = watched.open(f"{api.address}/charts/plant/sierra?resource={ONE}&start=2025-09-01&end=2025-09-01")
    drag(page, 0.04, 0.08)

    first, second = page.evaluate("shown.charts.map((chart) => chart.range)")
    assert first == second
    assert 0 < len(saved(page)) < 100


def test_a_key_is_asked_for_where_one_is_needed_and_kept_in_the_tab_alone(database: str, browser: Browser):
    with kept(database, *prices_of(DAWN, [30.0])) as url, asked_here(url, without_keys=False, now=NOW) as api:
        with opened(url) as owned, owned.transaction(as_owner=True) as connection:
            key = make_key(connection, "anna", None)
        visitor = Watched(browser, NOW)
        page = visitor.page
        page.goto(lmp(api, node=NP15, **HOUR))
        page.wait_for_selector("dialog[open] p:has-text('needed')")
        page.fill("dialog input", "dotbus_not-one-of-theirs")
        page.click("dialog button")
        page.wait_for_selector("dialog[open] p:has-text('not known')")
        assert page.evaluate("sessionStorage.length") == 0
        page.fill("dialog input", key)
        page.click("dialog button")
        visitor.shown()

        assert float(saved(page)[0]["lmp_usd_per_mwh"]) == 30.0
        assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
        assert all(key not in asked for asked in [*visitor.asked, page.url])
        page.context.close()


def test_a_problem_is_told_in_its_own_words(api: Client, browser: Browser):
    visitor = Watched(browser, NOW)
    page = visitor.open(lmp(api, node="TH_NP15_GEN-APDN", **HOUR))

    assert page.evaluate("document.body.dataset.state") == "failed"
    assert "did you mean TH_NP15_GEN-APND" in page.inner_text("#alarm")
    page.context.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "Name a node"),
        ({"node": "A,B,C,D,E,F,G"}, "7 nodes are named, and at most 5 are shown: leave out F, G"),
    ],
)
def test_what_a_page_cannot_show_it_says_and_how_it_can(api: Client, watched: Watched, words: dict[str, str], said: str):
    page = watched.open(lmp(api, **words))

    assert said in page.inner_text("#alarm")
    assert not any("/v1/prices" in asked for asked in watched.asked)


def test_of_the_hour_that_is_there_twice_the_one_that_is_missing_is_named(database: str, watched: Watched):
    midnight = datetime(2024, 11, 3, 7, tzinfo=UTC)
    hourly = {"market": "DAM", "minutes": 60}
    for_two = [
        *prices_of(midnight, [1.0, 2.0], **hourly),
        *prices_of(midnight + timedelta(hours=3), [4.0], first_seq=9, **hourly),
    ]
    with kept(database, *for_two) as url, asked_here(url, now=NOW) as client:
        day = {"node": NP15, "market": "DAM", "start": "2024-11-03", "end": "2024-11-03"}
        notes = watched.open(lmp(client, resolution="raw", **day)).inner_text("#notes")

    assert "2024-11-03 01:00 PST\u201302:00; 2024-11-03 03:00" in notes


def test_a_page_asks_nobody_but_the_server_it_came_from_and_runs_nothing_that_it_did_not_bring(api: Client, watched: Watched):
    page = watched.open(lmp(api, node=nodes()[0], **WEEK))
    policy = api.ask("/charts/lmp").headers["Content-Security-Policy"]

    assert {asked.partition("/charts")[0].partition("/v1")[0] for asked in watched.asked} == {api.address}
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\"><script>window.ran = 1</script>')"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in fault for fault in watched.faults)
    watched.faults.clear()


def test_what_is_named_by_others_is_text_and_nothing_else(api: Client, browser: Browser):
    visitor = Watched(browser, NOW)
    page = visitor.page
    page.goto(f"{api.address}/charts/plant/%3Cimg%20src%3Dx%20onerror%3D%22window.ran%3D1%22%3E")
    visitor.shown()

    assert page.locator("h1 img").count() == 0
    assert page.evaluate("window.ran") is None
    page.context.close()


@pytest.mark.parametrize(("size", "scheme"), SHOTS)
def test_nothing_is_wider_than_the_screen(api: Client, browser: Browser, size: tuple[int, int], scheme: Any, tmp_path: Path):
    pages = {
        "range": lmp(api, node=nodes()[0], **WEEK),
        "nodes": lmp(api, node="+".join(nodes()), **WEEK),
        "days": lmp(api, node=nodes()[0], view="days", market="DAM", start="2024-04-13", end="2024-04-14"),
        "duration": lmp(api, node=nodes()[0], view="duration", **WEEK),
        "heat": lmp(api, node=nodes()[0], view="heat", **WEEK),
        "plant": f"{api.address}/charts/plant/sierra?resource={ONE}&start=2025-09-01&end=2025-09-01",
    }
    visitor = Watched(browser, NOW, size, color_scheme=scheme)
    for name, address in pages.items():
        page = visitor.open(address)
        if name == "plant":
            drag(page, 0.03, 0.1)
        page.screenshot(path=tmp_path / f"{name}-{size[0]}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.evaluate("document.body.dataset.state") == "shown", page.inner_text("#alarm")
    page.context.close()
    assert visitor.faults == []

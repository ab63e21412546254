"""What the page asks for is there: each script and style, and what a module imports."""

import re
from importlib.resources import files

from console.web.assets import CHARTS, OWN, assets, page
from dotbus.web import charts


def test_every_part_that_the_page_names_is_served():
    named = re.findall(r'(?:src|href)="/static/([^"]+)"', page(has_charts=True).decode())

    assert named
    assert set(named) <= set(assets())


def test_every_module_that_a_module_imports_is_served():
    modules = {name: asset.content.decode() for name, asset in assets().items() if asset.media_type == "text/javascript"}
    imported = {part for text in modules.values() for part in re.findall(r'from "(?:\./|/static/)([^"]+)"', text)}

    assert "live.js" in imported
    assert imported <= set(modules)


def test_the_charts_scripts_are_one_in_their_order_and_uplot_is_as_it_was_published():
    sent = assets()[CHARTS[1]].content.decode()
    declared = ["const ZONES", "function aligned", "function drawBands", "class Chart"]

    assert sent.startswith(charts.part("uplot/uPlot.iife.min.js"))
    assert sorted(declared, key=sent.index) == declared


def test_all_of_a_plants_page_is_less_than_100_kb_before_it_is_packed():
    sent = {name: len(asset.content) for name, asset in assets().items() if not name.startswith("sign_in")}

    assert sum(sent.values()) + len(page(has_charts=True)) < 100_000, sent


def test_remarks_are_not_sent_and_every_text_is():
    """What is taken away is found line by line: no text of a script may go on in the next one."""
    for name in OWN:
        source = files("console.pages").joinpath(f"static/{name}").read_text(encoding="utf-8")
        sent = assets()[name].content.decode()
        if name.endswith(".js"):
            assert not re.search(r"^\s|(^|\s)//", sent, re.MULTILINE), name
            assert all(line.count("`") % 2 == 0 for line in source.splitlines()), name
            strings = r"\"(?:[^\"\\\n]|\\.)*\"|`[^`\n]*`"
            code = "\n".join(line for line in source.splitlines() if not line.strip().startswith("//"))
            assert re.findall(strings, sent) == re.findall(strings, re.sub(r"\s// .*", "", code)), name
        elif name.endswith(".css"):
            assert re.findall(r"[-\w]+(?=\s*:)", sent) == re.findall(r"[-\w]+(?=\s*:)", source), name

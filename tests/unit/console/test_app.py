"""What the page asks for is there: each script and style, and what a module imports."""

import re

from console.web.assets import assets, page
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


def test_the_page_has_the_charts_scripts_in_their_order():
    named = re.findall(r'<script src="/static/([^"]+)" defer></script>', page(has_charts=True).decode())

    assert named == [name.rpartition("/")[2] for name in charts.SCRIPTS]

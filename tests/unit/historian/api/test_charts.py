"""The pages with charts: each is one file, and its policy lets its own parts run and nothing else."""

import base64
import hashlib
import re
from importlib.resources import files

import pytest

from historian.api.charts.pages import Page, page

EVERY = pytest.mark.parametrize("of", Page)


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@EVERY
def test_the_policy_names_the_page_s_own_script_and_style_and_no_other(of: Page):
    made = page(of)
    (style,) = re.findall(r"<style>(.*?)</style>", made.html, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", made.html, re.DOTALL)
    rules = dict(rule.split(" ", 1) for rule in made.policy.split("; "))

    assert rules["script-src"] == hashed(script)
    assert rules["style-src"] == hashed(style)
    assert (rules["default-src"], rules["connect-src"]) == ("'none'", "'self'")
    assert (rules["base-uri"], rules["form-action"], rules["frame-ancestors"]) == ("'none'",) * 3


@EVERY
def test_a_page_fetches_nothing_and_has_no_script_or_style_in_its_elements(of: Page):
    frame = re.sub(r"<(style|script)>.*?</\1>", "", page(of).html, flags=re.DOTALL)

    assert re.findall(r"\s(src|href|style|on\w+)=", frame) == []


@EVERY
def test_a_page_is_small(of: Page):
    assert len(page(of).html.encode()) < 110_000


def test_what_others_wrote_stands_beside_its_licence():
    folder = files("dotbus.web.charts").joinpath("uplot")

    assert "The MIT License" in folder.joinpath("LICENSE").read_text()
    assert "v1.6.32" in folder.joinpath("uPlot.iife.min.js").read_text()[:80]

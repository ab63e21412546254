"""Pages: one file each out of its parts, and the policy by which a browser runs these parts and nothing else (pure)."""

import base64
import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Final

from dotbus.web import charts

_SHARED: Final = ("days", "rows", "asking", "showing")


class Page(Enum):
    """The pages, by the name of their own parts."""

    LMP = "lmp"
    PLANT = "plant"


_OWN: Final = {
    Page.LMP: ("asked", "shown", "range", "days", "duration", "month", "page"),
    Page.PLANT: ("asked", "moments", "shown", "notes", "page"),
}
"""The scripts of a page, each a thing that it does; the last one begins it."""


@dataclass(frozen=True)
class Made:
    """A page.

    Attributes:
        html: all of it.
        policy: its Content-Security-Policy: scripts and styles by their hash, questions to this server, and nothing else.
    """

    html: str
    policy: str


@cache
def page(of: Page) -> Made:
    """A page, made once."""
    style = charts.part(charts.STYLE) + _part("shared/look.css")
    own = [f"{room}/{name}.js" for room, names in (("shared", _SHARED), (of.value, _OWN[of])) for name in names]
    script = "\n".join([*map(charts.part, charts.SCRIPTS), *map(_part, own)])
    frame = _part(f"{of.value}/page.html").replace("<!--shown-->", _part("shared/shown.html"))
    html = frame.replace("/*look*/", style).replace("/*scripts*/", script)
    return Made(html, _policy(style, script))


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

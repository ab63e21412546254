"""Pages: one file each out of its parts, and the policy by which a browser runs these parts and nothing else (pure)."""

import base64
import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Final

_UPLOT_STYLE: Final = "uplot/uPlot.min.css"
_UPLOT: Final = "uplot/uPlot.iife.min.js"
_SHARED: Final = (_UPLOT, "times.js", "asking.js", "drawing.js", "showing.js")


class Page(Enum):
    """The pages, by the name of their own parts."""

    LMP = "lmp"
    PLANT = "plant"


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
    style = _part(_UPLOT_STYLE) + _part("look.css")
    script = "\n".join(_part(name) for name in (*_SHARED, f"{of.value}.js"))
    frame = _part(f"{of.value}.html").replace("<!--shown-->", _part("shown.html"))
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

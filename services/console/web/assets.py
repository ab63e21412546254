"""Assets: the parts of which pages consist, read once. What only a reader of the source needs is not sent."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from dotbus.web import charts

TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
OWN: Final = (
    *("look.css", "icon.svg", "console.js", "live.js", "showing.js", "resources.js", "services.js", "trends.js"),
    *("dialog.js", "answers.js", "alarms.js", "sign_in.css"),
)
_REMARKS: Final = re.compile(r"^[ \t]*(//.*)?\n|^[ \t]+|[ \t]+// .*$|^\"use strict\";\n", re.MULTILINE)
"""Of a script whose texts end on their line: remarks, what stands before a line, and what counts in a file of its own alone."""
_ROOM: Final = re.compile(r"/\*.*?\*/|(?<=[{};:,])\s+|\s+(?=[{};])|;(?=\s*\})", re.DOTALL)
"""Of a style: remarks, and what stands between its words and at the end of a rule."""
CHARTS: Final = ("charts.css", "charts.js")
"""The charts' style, and their scripts as one: each file is asked for by itself."""


@dataclass(frozen=True)
class Asset:
    """A part of a page.

    Attributes:
        packed: the same by gzip, which every browser takes: less than half of it.
    """

    content: bytes
    packed: bytes
    media_type: str
    tag: str


@cache
def page(*, has_charts: bool) -> bytes:
    """The one page, of a plant with the charts' parts: what it shows is in its address."""
    style, script = CHARTS
    parts = f'<link rel="stylesheet" href="/static/{style}">\n<script src="/static/{script}" defer></script>\n'
    return _read("page.html").replace("<!-- charts -->\n", parts if has_charts else "").encode()


@cache
def sign_in_page() -> str:
    """Where people say who they are. Three words in it are replaced: {{said}}, {{next}}, {{token}}."""
    return _read("sign_in.html")


@cache
def assets() -> dict[str, Asset]:
    """All that a page consists of besides itself, by name."""
    sent = {name: _sent(name, _read(f"static/{name}")) for name in OWN}
    script = "".join(_sent(name, charts.part(name)) for name in charts.SCRIPTS)
    sent |= {CHARTS[0]: _sent(charts.STYLE, charts.part(charts.STYLE)), CHARTS[1]: script}
    return {name: _asset(name, text.encode()) for name, text in sent.items()}


def _sent(name: str, text: str) -> str:
    """A part as it is sent."""
    if name.endswith(".css"):
        return _ROOM.sub("", text)
    is_ours = name.endswith(".js") and not name.endswith(".min.js")
    return _REMARKS.sub("", text) if is_ours else text


def _read(name: str) -> str:
    return files("console.pages").joinpath(name).read_text(encoding="utf-8")


def _asset(name: str, content: bytes) -> Asset:
    return Asset(
        content,
        gzip.compress(content, mtime=0),
        TYPES[name[name.rindex(".") :]],
        f'"{hashlib.sha256(content).hexdigest()[:20]}"',
    )

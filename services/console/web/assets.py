"""Assets: the parts of which pages consist, read once."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from dotbus.web import charts

TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
OWN: Final = (
    *("look.css", "icon.svg", "console.js", "live.js", "showing.js", "resources.js", "services.js", "trends.js"),
    *("dialog.js", "answers.js", "alarms.js"),
)


_CHARTS: Final = {name.rpartition("/")[2]: name for name in (charts.STYLE, *charts.SCRIPTS)}
"""The charts' style and scripts: what the page calls each, and where it is."""


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
    """The one page, of a plant with the charts' parts in their order: what it shows is in its address."""
    style, *scripts = _CHARTS
    parts = [f'<link rel="stylesheet" href="/static/{style}">']
    parts += [f'<script src="/static/{script}" defer></script>' for script in scripts]
    return _read("page.html").replace(b"<!-- charts -->\n", "".join(f"{part}\n" for part in parts if has_charts).encode())


@cache
def sign_in_page() -> str:
    """Where people say who they are. Three words in it are replaced: {{said}}, {{next}}, {{token}}."""
    return _read("sign_in.html").decode()


@cache
def assets() -> dict[str, Asset]:
    """All that a page consists of besides itself, by name."""
    ours = {name: _read(f"static/{name}") for name in OWN}
    shared = {short: charts.part(name).encode() for short, name in _CHARTS.items()}
    return {name: _asset(name, content) for name, content in (ours | shared).items()}


def _read(name: str) -> bytes:
    return files("console.pages").joinpath(name).read_bytes()


def _asset(name: str, content: bytes) -> Asset:
    return Asset(
        content,
        gzip.compress(content, mtime=0),
        TYPES[name[name.rindex(".") :]],
        f'"{hashlib.sha256(content).hexdigest()[:20]}"',
    )

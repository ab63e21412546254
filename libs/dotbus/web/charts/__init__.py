"""Charts in a browser: uPlot as it was published, and our scripts around it. Plain scripts, in the order of `SCRIPTS`.

What they declare is known to every script of a page after them, modules included.
"""

from importlib.resources import files
from typing import Final

STYLE: Final = "uplot/uPlot.min.css"
SCRIPTS: Final = ("uplot/uPlot.iife.min.js", "times.js", "lines.js", "bands.js", "chart.js")


def part(name: str) -> str:
    """The text of a script or of the style."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")

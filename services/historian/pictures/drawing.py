"""Drawing: lines into SVG or PNG. The only door to matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from historian.pictures.lines import Doubt, Line

FORMATS: Final = (".svg", ".png")
_STYLES: Final = (("#1d4f7c", "-"), ("#5d4a7a", "--"), ("#3f6b4f", ":"), ("#7a5a2e", "-."), ("#5a6068", (0, (5, 2, 1, 2))))
"""Lines differ by their dashes, not by colour alone."""
_WIDTH_IN: Final = 11.0
_PANEL_IN: Final = (4.2, 2.2)


@dataclass(frozen=True)
class Panel:
    """One of the charts of a picture.

    Attributes:
        unit: of its lines.
        lines: each with a style of its own.
        doubts: are hatched behind them.
    """

    unit: str
    lines: Sequence[Line]
    doubts: Sequence[Doubt] = ()


@dataclass(frozen=True)
class _Kind:
    is_bad: bool
    label: str
    colour: str
    hatch: str


_DOUBTS: Final = (
    _Kind(is_bad=True, label="Set-point bad", colour="#a32c00", hatch="xxx"),
    _Kind(is_bad=False, label="Set-point uncertain", colour="#8a6100", hatch="///"),
)


def save(path: Path, title: str, panels: Sequence[Panel], notes: Sequence[str], zone: tzinfo) -> None:
    """Draw panels one below the other and write them: SVG or PNG by the end of the file's name. An old file is replaced.

    Raises:
        OSError: it cannot be written.
    """
    # The same answer gives the same file.
    settings: Any = {"svg.hashsalt": "dotbus", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context(settings):
        heights = _PANEL_IN[: len(panels)]
        figure = Figure(figsize=(_WIDTH_IN, sum(heights) + 0.6 + 0.2 * len(notes)), layout="constrained")
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)
        for axes, panel in zip(rows[:, 0], panels, strict=True):
            _draw(axes, panel, zone)
        figure.suptitle(title, fontweight="bold")
        figure.supxlabel("\n".join(notes), fontsize=8, ha="left", x=0.01)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})


def check_name(path: Path) -> None:
    """See that a file's name says what it is.

    Raises:
        ValueError: it does not.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"{path}: a picture's name ends in {' or '.join(FORMATS)}")


def _draw(axes: Any, panel: Panel, zone: tzinfo) -> None:  # noqa: ANN401  # matplotlib's types know no dates
    for line, (colour, dashes) in zip(panel.lines, _STYLES, strict=False):
        times = [at.astimezone(zone) for at, _ in line.points]
        values = [float("nan") if value is None else value for _, value in line.points]
        axes.plot(times, values, color=colour, linestyle=dashes, linewidth=1.5, label=line.label)
    for kind in _DOUBTS:
        _hatch(axes, [one for one in panel.doubts if one.is_bad is kind.is_bad], kind)
    locator: Any = AutoDateLocator(tz=zone)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]
    axes.set_ylabel(panel.unit)
    axes.grid(color="#d3d6d9", linewidth=0.6)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _hatch(axes: Any, doubts: Sequence[Doubt], kind: _Kind) -> None:  # noqa: ANN401  # likewise
    label = kind.label
    for doubt in doubts:
        looks = {"fill": False, "edgecolor": kind.colour, "hatch": kind.hatch, "alpha": 0.35, "linewidth": 0}
        axes.axvspan(doubt.start, doubt.end, label=label, **looks)
        label = "_"  # the legend has it once

"""Drawing: a picture into SVG or PNG. The only door to matplotlib.

What a person may look for in an SVG has a name there: a line is `line-` and its place, an hour of a month `hour-DATE-HH` (that
which comes a second time ends in `b`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from historian.pictures.lines import Line, QualityBand
from historian.pictures.month import Kind, Month, kind_of
from historian.pictures.picture import Across, Panel, Picture

FORMATS: Final = (".svg", ".png")
_STYLES: Final = (("#1d4f7c", "-"), ("#5d4a7a", "--"), ("#3f6b4f", ":"), ("#7a5a2e", "-."), ("#5a6068", (0, (5, 2, 1, 2))))
"""Lines differ by their dashes, not by colour alone."""
_WIDTH_IN: Final = 11.0
_PANEL_IN: Final = (4.2, 2.2)
_ROW_IN: Final = 0.22
_SHADES: Final = ("#eef0f1", "#d9dcdf", "#c6cbd0", "#b0b7be", "#98a1aa")
_CELLS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    Kind.SPIKE: {"facecolor": "#f0b48a"},
    Kind.NEGATIVE: {"facecolor": "#a9c9ea"},
    Kind.MISSING: {"facecolor": "none", "hatch": "////"},
}
_WORDS: Final[Mapping[Kind, Mapping[str, Any]]] = {Kind.SPIKE: {"fontweight": "bold"}, Kind.NEGATIVE: {"fontstyle": "italic"}}
"""A cell differs by its letters, too, not by colour alone."""
NO_HOUR: Final = "\u00d7"
"""In place of the hour that does not exist."""
_GREAT: Final = 1000.0
"""From here on a cell tells thousands."""


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


def save(path: Path, picture: Picture) -> None:
    """Draw a picture and write it: SVG or PNG by the end of the file's name. An old file is replaced.

    Raises:
        OSError: it cannot be written.
    """
    # The same answer gives the same file.
    settings: Any = {"svg.hashsalt": "dotbus", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context(settings):
        heights = _heights_in(picture.shown)
        figure = Figure(figsize=(_WIDTH_IN, sum(heights) + 0.6 + 0.2 * len(picture.notes)), layout="constrained")
        rows = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
        if isinstance(picture.shown, Month):
            _draw_month(rows[0, 0], picture.shown)
        else:
            for axes, panel in zip(rows[:, 0], picture.shown, strict=True):
                _draw(axes, panel, picture.zone)
        figure.suptitle(picture.title, fontweight="bold")
        figure.supxlabel("\n".join(picture.notes), fontsize=8, ha="left", x=0.01)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})


def check_name(path: Path) -> None:
    """See that a file's name says what it is.

    Raises:
        ValueError: it does not.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"{path}: a picture's name ends in {' or '.join(FORMATS)}")


def _heights_in(shown: Sequence[Panel] | Month) -> Sequence[float]:
    return (_ROW_IN * (len(shown.days) + 1),) if isinstance(shown, Month) else _PANEL_IN[: len(shown)]


def _draw(axes: Any, panel: Panel, zone: tzinfo) -> None:  # noqa: ANN401  # matplotlib's types know no dates
    for place, (line, (colour, dashes)) in enumerate(zip(panel.lines, _STYLES, strict=False)):
        xs, ys = _numbers(line, zone)
        axes.plot(xs, ys, color=colour, linestyle=dashes, linewidth=1.5, label=line.label, gid=f"line-{place}")
    for kind in _DOUBTS:
        _hatch(axes, [one for one in panel.doubts if one.is_bad is kind.is_bad], kind)
    if panel.across:
        _scale(axes, panel.across)
    else:
        locator: Any = AutoDateLocator(tz=zone)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]
    axes.set_ylabel(panel.unit)
    axes.grid(color="#d3d6d9", linewidth=0.6)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _numbers(line: Line, zone: tzinfo) -> tuple[list[Any], list[float]]:
    xs = [at.astimezone(zone) if isinstance(at, datetime) else at for at, _ in line.points]
    return xs, [float("nan") if value is None else value for _, value in line.points]


def _scale(axes: Any, across: Across) -> None:  # noqa: ANN401  # likewise
    axes.set_xlim(0.0, across.end)
    axes.set_xticks([number * across.step for number in range(int(across.end // across.step) + 1)])
    axes.set_xlabel(across.label)


def _hatch(axes: Any, doubts: Sequence[QualityBand], kind: _Kind) -> None:  # noqa: ANN401  # likewise
    label = kind.label
    for doubt in doubts:
        looks = {"fill": False, "edgecolor": kind.colour, "hatch": kind.hatch, "alpha": 0.35, "linewidth": 0}
        axes.axvspan(doubt.start, doubt.end, label=label, **looks)
        label = "_"  # the legend has it once


def _draw_month(axes: Any, month: Month) -> None:  # noqa: ANN401  # likewise
    limits = month.limits
    for row, day in enumerate(month.days):
        for column, name in enumerate(month.columns):
            if (day, name) in month.cells:
                _draw_hour(axes, (column, row), _name_of(day, name), month.cells[day, name], limits)
            elif not name.endswith("+"):
                axes.text(column + 0.5, row + 0.5, NO_HOUR, ha="center", va="center", fontsize=7, color="#555c64")
    axes.set_xlim(0, len(month.columns))
    axes.set_ylim(len(month.days), 0)
    axes.set_xticks([place + 0.5 for place in range(len(month.columns))], month.columns, fontsize=8)
    axes.set_yticks([place + 0.5 for place in range(len(month.days))], [f"{day:%a %d}" for day in month.days], fontsize=7)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_title(month.unit, loc="left", fontsize=9)
    axes.legend(handles=_keys(limits), loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)


def _draw_hour(axes: Any, at: tuple[int, int], gid: str, value: float | None, limits: Sequence[float]) -> None:  # noqa: ANN401
    kind, shade = kind_of(value, limits)
    axes.add_patch(_cell(at, kind, shade, gid=gid))
    if value is not None:
        text = f"{value:.0f}" if abs(value) < _GREAT else f"{value / _GREAT:.1f}k"
        centre = {"ha": "center", "va": "center", "fontsize": 7}
        axes.text(at[0] + 0.5, at[1] + 0.5, text, **centre, **_WORDS.get(kind, {}))


def _cell(at: tuple[int, int], kind: Kind, shade: int, **more: Any) -> Rectangle:  # noqa: ANN401
    looks = {"facecolor": _SHADES[shade]} if kind is Kind.SHADE else _CELLS[kind]
    return Rectangle(at, 1, 1, **{"edgecolor": "#b9bdc2", "linewidth": 0.4, **looks, **more})


def _keys(limits: Sequence[float]) -> list[Rectangle]:
    """What each look of a cell means."""
    missing = _cell((0, 0), Kind.MISSING, 0, label="no price")
    if not limits:
        return [missing]
    *shades, spike = (f"{limit:.2f}" for limit in limits)
    words = [f"to {shades[0]}", *(f"above {limit}" for limit in shades)]
    return [
        _cell((0, 0), Kind.NEGATIVE, 0, label="below zero"),
        *(_cell((0, 0), Kind.SHADE, shade, label=text) for shade, text in enumerate(words)),
        _cell((0, 0), Kind.SPIKE, 0, label=f"highest 2 %:\nabove {spike}"),
        missing,
    ]


def _name_of(day: date, column: str) -> str:
    return f"hour-{day}-{column.replace('+', 'b')}"

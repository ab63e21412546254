"""Negotiation: which format and which coding an answer is given in, by the suffix of its path or the headers of who asks. Pure.

As RFC 9110 section 12 has it: a media range counts by its most particular match, `q=0` refuses, and what is not named at all is
refused unless a wildcard names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from historian.api.problems import Problem, Sort


class Format(StrEnum):
    """What an answer may be written in. The value is the suffix that asks for it."""

    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"


class Coding(StrEnum):
    """What an answer may be packed in, by its name in Content-Encoding."""

    NONE = "identity"
    GZIP = "gzip"
    ZSTD = "zstd"


MEDIA_TYPES: Mapping[Format, str] = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
}
"""As IANA lists them (text/csv with the parameters of RFC 7111 and 4180)."""
VARY = "Accept, Accept-Encoding"
_ALSO_CALLED = {"application/csv": Format.CSV, "application/parquet": Format.PARQUET, "application/x-parquet": Format.PARQUET}
_FORMATS = {media.partition(";")[0]: form for form, media in MEDIA_TYPES.items()} | _ALSO_CALLED
_SUFFIXES: Mapping[str, Format] = {str(form): form for form in Format}
_PREFERRED = tuple(Format)
"""Of formats that one likes alike: what every program reads comes first."""
_CODINGS = (Coding.ZSTD, Coding.GZIP, Coding.NONE)
MAX_HEADER = 2000
"""Longer ones are not read: no program that asks in earnest names so much."""


@dataclass(frozen=True)
class _Wish:
    name: str
    quality: float


def split_suffix(path: str) -> tuple[str, Format | None]:
    """The path without a suffix that names a format, and that format: a node or plant may have dots in its name."""
    stem, _, suffix = path.rpartition(".")
    form = _SUFFIXES.get(suffix)
    return (stem, form) if stem and form else (path, None)


def choose_format(accept: str | None, offered: tuple[Format, ...] = _PREFERRED) -> Format:
    """The format that Accept likes best of those that are offered; the first one where it does not say.

    Raises:
        Problem: it refuses all of them.
    """
    if not accept or not accept.strip():
        return offered[0]
    wishes = _read(accept)
    liked = {form: _how_liked(form, wishes) for form in offered}
    best = max(offered, key=lambda form: liked[form])  # the first of equals
    if liked[best] <= 0:
        media = ", ".join(MEDIA_TYPES[form].partition(";")[0] for form in offered)
        raise Problem(
            Sort.NO_SUCH_FORMAT, f"Accept takes none of {media}; name one of them, or end the path in .{' or .'.join(offered)}"
        )
    return best


def choose_coding(accept_encoding: str | None, form: Format) -> Coding:
    """How an answer is packed. Parquet is packed in itself, and who names nothing gets it as it is."""
    if not accept_encoding or form is Format.PARQUET:
        return Coding.NONE
    asked = {wish.name: wish.quality for wish in _read(accept_encoding)}
    every = asked.get("*", 0.0)
    liked = {coding: asked.get(coding, every) for coding in _CODINGS}
    liked[Coding.NONE] = asked.get(Coding.NONE, 0.0)
    best = max(_CODINGS, key=lambda coding: liked[coding])
    return best if liked[best] > 0 else Coding.NONE


def _read(header: str) -> list[_Wish]:
    return [_wish(part) for part in header[:MAX_HEADER].lower().split(",") if part.strip()]


def _wish(part: str) -> _Wish:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        key, _, text = parameter.partition("=")
        if key.strip() == "q":
            quality = _quality(text)
    return _Wish(name, quality)


def _quality(text: str) -> float:
    """What is no quality refuses: who says nonsense of a format is not sent it."""
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def _how_liked(form: Format, wishes: list[_Wish]) -> float:
    """The quality of the most particular range that names it."""
    names = [media for media, of in _FORMATS.items() if of is form]
    ranges = (names, [f"{media.partition('/')[0]}/*" for media in names], ["*/*", "*"])
    for alike in ranges:
        found = [wish.quality for wish in wishes if wish.name in alike]
        if found:
            return max(found)
    return 0.0

r"""Copying: values as PostgreSQL's COPY reads them. Tabs between columns, a line a row, \N for absent. Pure."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

ABSENT = r"\N"
VISIBLE_NUL = "␀"
"""U+2400: what stands in place of U+0000, which PostgreSQL's text cannot hold."""

_special = re.compile("[\0\\\\\t\n\r]")
_ESCAPES = str.maketrans({"\0": VISIBLE_NUL, "\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def text(value: str) -> str:
    """A text, whatever is in it."""
    return value.translate(_ESCAPES) if _special.search(value) else value


def extra(value: dict[str, str]) -> str:
    """Elements that are not known, as JSON."""
    if not value:
        return "{}"
    visible = {name.replace("\0", VISIBLE_NUL): entry.replace("\0", VISIBLE_NUL) for name, entry in value.items()}
    return text(msgspec.json.encode(visible).decode())


_AS_TEXT: dict[type, Callable[[Any], str]] = {
    type(None): lambda _value: ABSENT,
    str: text,
    int: str,
    float: repr,
    datetime: datetime.isoformat,
    dict: extra,
}


def line(values: Iterable[Any]) -> bytes:
    """A row."""
    return ("\t".join([ABSENT if value is None else _AS_TEXT[type(value)](value) for value in values]) + "\n").encode()

"""Shown: columns of answers that show one of a view of the database, and mean what it means there (pure)."""

from historian.api.questions.question import Column, Kind
from historian.tables.document import meaning_of, unit_of
from historian.tables.views import VIEWS, Shown

_KINDS = {
    "Text": Kind.TEXT,
    "ENUM": Kind.TEXT,
    "Double": Kind.NUMBER,
    "Integer": Kind.INTEGER,
    "BigInteger": Kind.INTEGER,
    "Boolean": Kind.FLAG,
    "DateTime": Kind.TIME,
    "JSONB": Kind.DOCUMENT,
}
"""By the name of the type that a table declares."""
_VIEWS = {view.name: {column.name: column for column in view.columns} for view in VIEWS}


def columns_of(view: str, names: str) -> tuple[Column, ...]:
    """Some columns of a view, in the order of their names here."""
    return tuple(_column(_VIEWS[view][name]) for name in names.split())


def _column(shown: Shown) -> Column:
    kind = _KINDS[type(shown.kind).__name__]
    unit = "" if kind is Kind.TIME else unit_of(shown.name, shown.kind)
    # SQLAlchemy has a kind of text of its own for names, which msgspec takes for none.
    return Column(str(shown.name), kind, unit, meaning_of(shown.comment))


def names_of(columns: tuple[Column, ...], of: str = "") -> str:
    """Columns as SQL lists them, with the alias of what they are of (`of` is `i.`)."""
    return ", ".join(f"{of}{column.name}" for column in columns)

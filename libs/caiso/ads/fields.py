"""Fields: one record of an ADS document by its table, whole.

What the table does not know is kept in `extra` by name and text; so is the text of a known element that is not of its type,
whose field then stays None.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from caiso.ads import schema
from caiso.ads.errors import Malformed, Oversized
from caiso.ads.records import Reply
from caiso.ads.unpack import NotUnpackable, TooLarge
from caiso.ads.xml import Element, NotThisDocument, attributes, leaves, leaves_inside, local_name, own_text

R = TypeVar("R")
_NAME_CHARACTERS = 200


class NoIdentity(Exception):
    """A record lacks what tells it from others, or whom it is for."""


@contextmanager
def judging(reply: Reply) -> Iterator[None]:
    """Names the question and keeps the bytes with whatever is wrong in them."""
    try:
        yield
    except TooLarge as error:
        raise Oversized(reply.question, str(error), reply.body) from error
    except (NotThisDocument, NotUnpackable, NoIdentity) as error:
        raise Malformed(reply.question, str(error), reply.body) from error


def each(elements: Iterable[Element], read: Callable[[Element], R], problems: list[str]) -> Iterator[R]:
    """What `read` makes of each element; those without identity become problems."""
    for element in elements:
        try:
            yield read(element)
        except NoIdentity as error:
            problems.append(f"line {element.sourceline}: {error}")


def read_fields(
    element: Element, table: schema.Table, needed: tuple[str, ...] = (), parts: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The fields of one record, `extra` among them.

    Args:
        element: the record.
        table: its known attributes and child elements.
        needed: fields without which it has no identity.
        parts: child elements that hold records of their own, and the name of those.

    Raises:
        NoIdentity: a needed field is not there, or is nothing that can be a name.
    """
    record = _Record(table)
    for name, text in attributes(element):
        record.take(name, text, f"@{name}")
    for child in element:
        record.take_child(child, parts or {})
    missing = [name for name in needed if not _is_name(record.fields.get(name, ""))]
    if missing:
        raise NoIdentity(f"<{local_name(element)}> without a usable {' and '.join(missing)}")
    return record.fields | {"extra": record.extra}


def _is_name(text: str) -> bool:
    """Whether a text can name something in topics and keys: brokers refuse what cannot be printed, and what is endless."""
    return 0 < len(text) <= _NAME_CHARACTERS and text.isprintable()


class _Record:
    """Collects the fields of one record and what is beside them."""

    def __init__(self, table: schema.Table) -> None:
        self._table = table
        self.fields: dict[str, Any] = {}
        self.extra: dict[str, str] = {}

    def take(self, name: str, text: str, path: str) -> None:
        """One attribute or element: into its field when it is known, of its type and the first of its name."""
        field, read = self._table.get(name, ("", None))
        stripped = text.strip()
        if read is None:
            self._keep(path, stripped)
        elif stripped:
            value = read(stripped)
            if value is None or field in self.fields:
                self._keep(name, stripped)
            else:
                self.fields[field] = value

    def take_child(self, child: Element, parts: Mapping[str, str]) -> None:
        """One child element with all that is in it."""
        name = local_name(child)
        if name in parts:
            beside = (part for part in child if local_name(part) != parts[name])
            texts = [leaf for part in beside for leaf in leaves(part, f"{name}.{local_name(part)}")]
        elif name in self._table:
            self.take(name, own_text(child), name)
            texts = list(leaves_inside(child, name))
        else:
            texts = list(leaves(child, name))
        for path, text in texts:
            self._keep(path, text)

    def _keep(self, path: str, text: str) -> None:
        """Under its path, with [2], [3] and so on behind it when the path repeats."""
        key, count = path, 1
        while key in self.extra:
            count += 1
            key = f"{path}[{count}]"
        self.extra[key] = text

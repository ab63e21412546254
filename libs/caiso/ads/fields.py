"""Fields: the records of an ADS document by their tables, whole.

What a table does not know is kept in `extra` by name and text; so is the text of a known element that is not of its type, or
has elements in it where a text belongs: its field then stays None.

A batch of a thousand resources has some 40,000 elements, and nobody who waits for a set-point should wait for them: names are
looked up in CAISO's spelling, namespace included, and each of them is taken apart once for a document.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, TypeVar

from caiso.ads.errors import Malformed, Oversized
from caiso.ads.records import Reply
from caiso.ads.schema import READ_ONCE, Reader, Table, read_text
from caiso.ads.unpack import NotUnpackable, TooLarge
from caiso.ads.xml import (
    Element,
    NotThisDocument,
    children,
    is_about_schema,
    leaves,
    leaves_beside,
    leaves_inside,
    local_name,
    name_of_tag,
    whole_text,
    written_attributes,
)

R = TypeVar("R")
_NAME_CHARACTERS: Final = 200
_BESIDE_CHARACTERS: Final = 16_000_000
_ENTRY_CHARACTERS: Final = 64
"""What each takes beside its own: four bytes of a document may be one."""
PROBLEMS_MOST: Final = 1000
"""How many of them a document is told of one by one."""
_NO_PARTS: Final[Mapping[str, str]] = MappingProxyType({})


class NoIdentity(Exception):
    """A record lacks what tells it from others, or whom it is for.

    Attributes:
        resource_id: whom it is for, where it says so.
    """

    def __init__(self, reason: str, resource_id: str | None) -> None:
        super().__init__(reason)
        self.resource_id = resource_id


@contextmanager
def judging(reply: Reply) -> Iterator[None]:
    """Names the question and keeps the bytes with whatever is wrong in them."""
    try:
        yield
    except TooLarge as error:
        raise Oversized(reply.question, str(error), reply.body) from error
    except (NotThisDocument, NotUnpackable, NoIdentity) as error:
        raise Malformed(reply.question, str(error), reply.body) from error


def each(
    elements: Iterable[Element], read: Callable[[Element], R], problems: list[str], nameless: set[str | None] | None = None
) -> Iterator[R]:
    """What `read` makes of each element; those without identity become problems, the first of them one by one.

    `nameless` takes up the resources that those are for, None for one that names no usable resource.
    """
    for element in elements:
        try:
            yield read(element)
        except NoIdentity as error:
            if nameless is not None:
                nameless.add(error.resource_id)
            if len(problems) < PROBLEMS_MOST:
                problems.append(f"line {element.sourceline}: {error}")
            elif len(problems) == PROBLEMS_MOST:
                problems.append("and more than anybody can be told of")


_Known = tuple[str, str | None, Reader]
"""What a name stands for: CAISO's name, the field, None when the table does not have it, and how its text is read."""


class _Names(dict[str, _Known]):
    """Names as they are written, with what each stands for; one that was not seen before is taken apart."""

    def __init__(self, known: Mapping[str, _Known]) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, written: str) -> _Known:
        name = name_of_tag(written)
        self[written] = found = self._known.get(name) or (name, None, read_text)
        return found


class _Texts(dict[str, object | None]):
    """Texts with what each means; one that was not seen before is read."""

    def __init__(self, read: Reader) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> object | None:
        self[text] = value = self._read(text)
        return value


class FieldReader:
    """Reads the records of one kind in one document.

    Args:
        table: their known attributes and child elements.
        needed: fields without which a record has no identity.
        parts: child elements that hold records of their own, and the name of those.
    """

    def __init__(self, table: Table, needed: tuple[str, ...] = (), parts: Mapping[str, str] = _NO_PARTS) -> None:
        self._names = _Names({name: (name, field, _reading_once(read)) for name, (field, read) in table.items()})
        self._needed = needed
        self._parts = parts
        self._room = _BESIDE_CHARACTERS

    def read(self, element: Element) -> dict[str, Any]:
        """The fields of one record; with `extra` when there is something beside them.

        Raises:
            NoIdentity: a needed field is not there, or is nothing that can be a name.
            NotThisDocument: what is beside the fields of this document's records takes more room than it may.
        """
        fields: dict[str, Any] = {}
        beside: list[tuple[str, str]] = []
        names = self._names
        for written, said in written_attributes(element):
            _name, field, read = names[written]
            text = said.strip()
            if field and text and (value := read(text)) is not None:
                fields[field] = value
            else:
                beside += self._unread_attribute(written, field, text)
        for child in children(element):
            name, field, read = names[child.tag]
            if field is None:
                beside += self._unknown(child, name)
                continue
            if len(child):  # what it says is not in the text before them alone
                beside += self._bounded([(name, whole_text(child))])
            elif (told := child.text) and (told := told.strip()):
                value = read(told)
                if value is None or field in fields:
                    beside.append((name, told))
                else:
                    fields[field] = value
            if len(child) or child.keys():
                beside += self._bounded(leaves_inside(child, name))
        if self._needed:
            self._identify(element, fields)
        return fields | {"extra": _numbered(beside)} if beside else fields

    def _unread_attribute(self, written: str, field: str | None, text: str) -> Iterator[tuple[str, str]]:
        """A text that is no value of its field, or of an attribute that is none; an empty one says that a value is absent."""
        if is_about_schema(written) or (field and not text):
            return iter(())
        name = name_of_tag(written)
        return self._bounded([(name if field else f"@{name}", text)])

    def _unknown(self, child: Element, name: str) -> Iterator[tuple[str, str]]:
        """What is in a child element that is no field, but the records that are read elsewhere."""
        if name not in self._parts:
            return self._bounded(leaves(child, name))
        return self._bounded(leaves_beside(child, name, self._parts[name]))

    def _bounded(self, texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Long names inside each other make paths that are many times as long as the document."""
        for path, text in texts:
            self._room -= len(path) + len(text) + _ENTRY_CHARACTERS
            if self._room < 0:
                raise NotThisDocument("it has more that CAISO's schema does not know than anybody can be told of")
            yield path, text

    def _identify(self, element: Element, fields: Mapping[str, Any]) -> None:
        missing = [name for name in self._needed if not _is_name(fields.get(name, ""))]
        if missing:
            resource_id = None if "resource_id" in missing else fields.get("resource_id")
            raise NoIdentity(f"<{local_name(element)}> without a usable {' and '.join(missing)}", resource_id)


def _numbered(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """By path, with [2], [3] and so on behind one that repeats."""
    numbered: dict[str, str] = {}
    counts: dict[str, int] = {}
    for path, text in texts:
        count = counts[path] = counts.get(path, 0) + 1
        numbered[path if count == 1 else f"{path}[{count}]"] = text
    return numbered


def _reading_once(read: Reader) -> Reader:
    """Times and codes say the same thing many times in a document."""
    return _Texts(read).__getitem__ if read in READ_ONCE else read


def _is_name(text: str) -> bool:
    """Whether a text can name something in topics and keys: brokers refuse what cannot be printed, and what is endless."""
    return 0 < len(text) <= _NAME_CHARACTERS and text.isprintable()

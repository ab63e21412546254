"""XML: bytes to XML elements, bounded and without surprises. The only importer of lxml.

No entities, no DTD, no network; attributes and names are bounded before libxml2 reads them, depth and text sizes by it. Names
are local names: ADS has changed its namespaces with each version.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from lxml import etree

from caiso.ads.unpack import TooLarge

Element = etree._Element  # noqa: SLF001 - lxml has no public name for the type of an element

_DTD_MARK = b"<!DOCTYPE"
_UTF_16 = {b"<\0": "utf-16-le", b"\0<": "utf-16-be", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""By the first two bytes."""
_DECLARED = re.compile(rb"\s*<\?xml[^<>]*?\bencoding\s*=\s*[\"']([^\"']*)[\"'][^<>]*\?>", re.IGNORECASE)
_VALUE = rb"""\s*=\s*(?:"[^"<>]*"|'[^'<>]*')"""
_DEFAULT_NAMESPACE = re.compile(
    rb"""(\s*(?:<\?xml[^<>]*\?>\s*)?<[^\s<>!?/"']+(?:\s+[^\s<>="']+""" + _VALUE + rb")*?)\s+xmlns" + _VALUE
)
"""Of the root. Names are local names, and libxml2 spells the namespace out whenever an element is asked for its name."""
_ENCODINGS = re.compile(rb"utf-?8|us-ascii|ascii|iso-8859-[0-9]+|latin-?1|windows-125[0-9]", re.IGNORECASE)
"""Those in which a tag is written as in ASCII, so that one can look for it in the bytes."""
_HEAD_BYTES = 4096
"""In which a declaration and the tag of the root are looked for."""
ATTRIBUTES_MOST: Final = 64
"""Of one element, its namespaces among them; those of CAISO's documents have two. lxml looks for each of them among all."""
NAME_BYTES_MOST: Final = 1000
"""Of a name in a tag, with the space around it."""
_TOO_MANY_ATTRIBUTES = re.compile(rb"""<(?:[^<>="']*+=\s*+(?:"[^"<]*+"|'[^'<]*+')){%d}""" % (ATTRIBUTES_MOST + 1))
_TOO_LONG_A_NAME = re.compile(
    rb"""<(?![!?])(?:[^<>="']{0,%d}+=\s*+(?:"[^"<]*+"|'[^'<]*+'))*+[^<>="']{%d}""" % (NAME_BYTES_MOST, NAME_BYTES_MOST + 1)
)
"""Neither goes on behind the next tag, nor looks at anything twice: both take as long as the document is large."""
_LARGE_TEXT_BYTES = 10_000_000
"""Up to here libxml2 allows a text without being told to. Once it is, it allows depth, too: 2048 elements, else 256."""
PARTS_MOST: Final = 1_000_000
"""Elements and attributes of one document. One takes some 200 bytes of memory and may be written in four."""
_PART = re.compile(rb"""<[^/!?]|=\s*["']""")
"""What each element and each attribute begins with. Other text may look so as well: more are counted, never less."""
WHOLE_TEXT_CHARACTERS: Final = 1000
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


class NotThisDocument(Exception):
    """The bytes are not well-formed XML, or not the document that is expected."""


def read_xml(xml: bytes, root_name: str, *, large_texts: bool = False) -> Element:
    """The root element of a document.

    Args:
        xml: the document.
        root_name: the local name that its root must have.
        large_texts: allow a text of more than 10 MB, as a packed document in a SOAP reply may be.

    Raises:
        NotThisDocument: it is not well-formed, has a document type declaration, or has another root.
        TooLarge: it has more than `PARTS_MOST` elements and attributes.
    """
    root = read_any_xml(xml, large_texts=large_texts)
    if local_name(root) != root_name:
        raise NotThisDocument(f"<{local_name(root)}> where <{root_name}> belongs")
    return root


def read_any_xml(xml: bytes, *, large_texts: bool = True) -> Element:
    """The root element of a document, whatever it is called.

    Raises:
        NotThisDocument: it is not well-formed, or has a document type declaration.
        TooLarge: it has more than `PARTS_MOST` elements and attributes.
    """
    xml = _harmless(xml)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=large_texts and len(xml) > _LARGE_TEXT_BYTES,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotThisDocument(f"not well-formed XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotThisDocument("it has a document type declaration, which no CAISO document has")
    return root


def read_beginning(xml: bytes, root_name: str) -> Element:
    """The root of a document that is cut behind the end of an element, with all that comes before.

    Raises:
        NotThisDocument: what is there is not well-formed, has a document type declaration, or has another root.
        TooLarge: it has more than `PARTS_MOST` elements and attributes.
    """
    parser = etree.XMLPullParser(("start",), resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        parser.feed(_harmless(xml))
        root: Element = next(iter(parser.read_events()))[1]  # type: ignore[assignment]  # of a start event
    except (etree.XMLSyntaxError, ValueError, StopIteration) as error:
        raise NotThisDocument(f"not well-formed XML: {error}") from error
    if local_name(root) != root_name:
        raise NotThisDocument(f"<{local_name(root)}> where <{root_name}> belongs")
    return root


def _harmless(xml: bytes) -> bytes:
    """A document in which nothing is that would make more of it than its bytes, and not more than anybody can hold of the rest.

    Raises:
        NotThisDocument: there is.
        TooLarge: it has more than `PARTS_MOST` elements and attributes. It is told before any of them is made.
    """
    xml = _without_default_namespace(_with_plain_tags(xml))
    if _first_beyond(xml) is not None:
        raise TooLarge(f"the document has more than {PARTS_MOST} elements and attributes")
    if _DTD_MARK in xml:
        raise NotThisDocument("it has a document type declaration, which no CAISO document has")
    if _TOO_MANY_ATTRIBUTES.search(xml):
        raise NotThisDocument(f"an element has more than {ATTRIBUTES_MOST} attributes, which none of CAISO's has")
    if _TOO_LONG_A_NAME.search(xml):
        raise NotThisDocument(f"a name is longer than {NAME_BYTES_MOST} bytes, which none of CAISO's is")
    return xml


def within_bound(xml: bytes) -> bytes:
    """As much of the beginning of a document as has no more than `PARTS_MOST` elements and attributes."""
    return xml[: _first_beyond(xml)]


def _first_beyond(xml: bytes) -> int | None:
    """Where the first element or attribute begins that is one too many; None without one."""
    if xml.count(b"<") + xml.count(b"=") <= PARTS_MOST:
        return None
    beyond = next(islice(_PART.finditer(xml), PARTS_MOST, None), None)
    return beyond.start() if beyond else None


def _with_plain_tags(xml: bytes) -> bytes:
    """The same document in an encoding in which tags are written as in ASCII.

    Raises:
        NotThisDocument: it is in one that no CAISO document is in.
    """
    if codec := _UTF_16.get(xml[:2]):
        try:
            xml = xml.decode(codec).lstrip("\ufeff").encode()
        except UnicodeError as error:
            raise NotThisDocument(f"not well-formed UTF-16: {error}") from error
    declared = _DECLARED.match(xml[:_HEAD_BYTES])
    if codec and declared:
        return xml[declared.end() :]
    if declared and not _ENCODINGS.fullmatch(declared[1]):
        raise NotThisDocument(f"it is in the encoding {declared[1][:40]!r}, which no CAISO document is in")
    if not xml[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise NotThisDocument("it does not begin as XML does")
    return xml


def _without_default_namespace(xml: bytes) -> bytes:
    found = _DEFAULT_NAMESPACE.match(xml[:_HEAD_BYTES])
    return found[1] + xml[found.end() :] if found else xml


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    return name_of_tag(str(element.tag))


def name_of_tag(tag: str) -> str:
    """The name in `{namespace}name`."""
    return tag.rpartition("}")[2]


def is_about_schema(key: str) -> bool:
    """Whether an attribute speaks of the schema (xsi:type and the like), and not of what the element says."""
    return key.startswith(_XSI)


def written_attributes(element: Element) -> list[tuple[str, str]]:
    """The attributes of an element as `{namespace}name` and as they are written, those that speak of the schema among them."""
    return element.items()  # type: ignore[return-value]  # bytes come only of what was put in as such


def attributes(element: Element) -> Iterator[tuple[str, str]]:
    """The attributes of an element by local name, trimmed, without those that speak of the schema."""
    for key, text in written_attributes(element):
        if not is_about_schema(key):
            yield name_of_tag(key), text.strip()


def children(element: Element) -> list[Element]:
    """The elements in an element. All at once, which costs lxml less than one by one."""
    return element[:]  # type: ignore[index,return-value]  # the stubs know no slices


def descendants(element: Element, name: str) -> Iterable[Element]:
    """Every element of a local name below another, in document order."""
    return element.iterdescendants(f"{{*}}{name}")


def written(element: Element) -> bytes:
    """An element as a document of its own."""
    return etree.tostring(element, with_tail=False)


def own_text(element: Element) -> str:
    """The text at the beginning of an element, trimmed."""
    return (element.text or "").strip()


def whole_text(element: Element) -> str:
    """All text in an element and below, in one line; of more than `WHOLE_TEXT_CHARACTERS` the beginning."""
    pieces: list[str] = []
    room = WHOLE_TEXT_CHARACTERS
    for text in element.itertext():
        if piece := " ".join(str(text)[:WHOLE_TEXT_CHARACTERS].split()):
            pieces.append(piece)
            room -= len(piece)
        if room < 0:
            break
    return " ".join(pieces)[:WHOLE_TEXT_CHARACTERS]


def leaves(element: Element, path: str) -> Iterator[tuple[str, str]]:
    """The texts and attributes of an element and of all below it, each with its path: `a.b` an element, `a.b@c` an attribute.

    An element that has neither text nor anything in it is told with an empty text: that it is there says something.
    """
    yield from _own(element, path)
    yield from _below(element, path)


def leaves_inside(element: Element, path: str) -> Iterator[tuple[str, str]]:
    """As `leaves`, without the text of the element itself."""
    yield from _attributes(element, path)
    yield from _below(element, path)


def leaves_beside(element: Element, path: str, name: str) -> Iterator[tuple[str, str]]:
    """As `leaves_inside`, without the children of one name."""
    for key, text in attributes(element):
        yield f"{path}@{key}", text
    if len(element) == sum(1 for _child in element.iterchildren(f"{{*}}{name}")):
        return  # nothing is beside them, and nobody had to ask each for its name
    for child in element:
        if local_name(child) != name:
            yield from leaves(child, f"{path}.{local_name(child)}")


def _attributes(element: Element, path: str) -> list[tuple[str, str]]:
    return [(f"{path}@{key}", text) for key, text in attributes(element)]


def _own(element: Element, path: str) -> Iterator[tuple[str, str]]:
    told, text = _attributes(element, path), own_text(element)
    if text or not (told or len(element)):
        yield path, text
    yield from told


def _below(element: Element, path: str) -> Iterator[tuple[str, str]]:
    """In document order. Elements may stand within each other deeper than Python calls functions."""
    waiting = [(iter(element), path)]
    while waiting:
        children, above = waiting[-1]
        child = next(children, None)
        if child is None:
            waiting.pop()
            continue
        at = f"{above}.{local_name(child)}"
        yield from _own(child, at)
        waiting.append((iter(child), at))

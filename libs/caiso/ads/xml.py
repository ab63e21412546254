"""Markup: bytes to XML elements, bounded and without surprises. The only importer of lxml.

No entities, no DTD, no network; depth and text sizes are bounded by libxml2. Names are local names: ADS has changed its
namespaces with each version.
"""

from collections.abc import Iterable, Iterator

from lxml import etree

Element = etree._Element  # noqa: SLF001 - lxml has no public name for the type of an element

_DTD_MARKS = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
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
    """
    if any(mark in xml for mark in _DTD_MARKS):
        raise NotThisDocument("it has a document type declaration, which no CAISO document has")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=large_texts,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotThisDocument(f"not well-formed XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotThisDocument("it has a document type declaration, which no CAISO document has")
    if local_name(root) != root_name:
        raise NotThisDocument(f"<{local_name(root)}> where <{root_name}> belongs")
    return root


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    return etree.QName(element).localname


def attributes(element: Element) -> Iterator[tuple[str, str]]:
    """The attributes of an element by local name, without those that speak of the schema (xsi:type and the like)."""
    for key, text in element.items():
        if not str(key).startswith(_XSI):
            yield etree.QName(key).localname, str(text)


def descendants(element: Element, name: str) -> Iterable[Element]:
    """Every element of a local name below another, in document order."""
    return (found for found in element.iter(f"{{*}}{name}") if found is not element)


def own_text(element: Element) -> str:
    """The text at the beginning of an element, trimmed."""
    return (element.text or "").strip()


def whole_text(element: Element) -> str:
    """All text in an element and below, in one line."""
    return " ".join(" ".join(str(text) for text in element.itertext()).split())


def leaves(element: Element, path: str) -> Iterator[tuple[str, str]]:
    """The texts and attributes of an element and of all below it, each with its path: `a.b` an element, `a.b@c` an attribute.

    An element that has neither text nor anything in it is told with an empty text: that it is there says something.
    """
    inside = list(_inside(element, path))
    if own_text(element) or not inside:
        yield path, own_text(element)
    yield from inside


def leaves_inside(element: Element, path: str) -> Iterator[tuple[str, str]]:
    """As `leaves`, without the text of the element itself."""
    return _inside(element, path)


def _inside(element: Element, path: str) -> Iterator[tuple[str, str]]:
    for name, text in attributes(element):
        yield f"{path}@{name}", text.strip()
    for child in element:
        yield from leaves(child, f"{path}.{local_name(child)}")

"""Saved replies: a file that somebody kept - the zip of a reply, or a table or report out of it - to prices."""

import io
import zipfile

from caiso.oasis.prices import Prices
from caiso.oasis.reading.reply import parse_reply
from caiso.oasis.reading.unpack import MAGIC, Bounds


def parse_saved(content: bytes, bounds: Bounds | None = None) -> Prices:
    """The prices in a saved reply, of any node and time, of the market that its first row names.

    Raises:
        OasisFailure: see `errors`.
    """
    if not content.startswith(MAGIC) and not _is_page(content):
        content = _zipped(content)
    return parse_reply(200, content, bounds=bounds)


def _is_page(content: bytes) -> bool:
    return content.lstrip()[:20].lower().startswith((b"<html", b"<!doctype"))


def _zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("reply", content)
    return packed.getvalue()

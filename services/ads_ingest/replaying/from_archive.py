"""From the archive: CAISO's own documents, as `files.archive` wrote them, those of each account by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ads_ingest.files.archive import ArchivedDocument, archived
from ads_ingest.replaying.played_ads import NotPlayable, Span
from caiso.ads import NotADocument, SavedDocument, parse_saved
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from dotbus.runtime.settings.values import MB

MAX_BYTES: Final = 512 * MB
ONLY = ""
"""The name of the account whose documents are not in a folder of its own."""


@dataclass(frozen=True)
class ArchivedPart:
    """One document of an archive."""

    document: ArchivedDocument

    @property
    def received_at(self) -> datetime:
        """When it came."""
        return self.document.received_at

    def read(self) -> SavedDocument:
        """What it says.

        Raises:
            NotPlayable: it is gone, damaged, or no document of ADS.
        """
        try:
            return parse_saved(self.document.read(), MAX_BYTES)
        except (NotADocument, OSError) as error:
            raise NotPlayable(f"{self.document.path}: {error}") from error


def kept_in_archive(folder: Path, span: Span) -> Mapping[str, Sequence[ArchivedPart]]:
    """The documents of an archive in a time, by the account whose they are, in the order in which they came.

    What one account was told says nothing about the resources of another, here as on that day.

    Raises:
        ConfigurationRefused: there are none.
    """
    try:
        found = {ONLY: list(archived(folder))}
        found |= {part.name: list(archived(part)) for part in sorted(folder.iterdir()) if part.is_dir()}
    except OSError as error:
        raise ConfigurationRefused([Mistake(str(folder), "", f"is no archive: {error.strerror}")]) from error
    wanted = {name: [ArchivedPart(each) for each in own if each.received_at in span] for name, own in found.items()}
    if not any(wanted.values()):
        times = sorted(each.received_at for own in found.values() for each in own)
        raise ConfigurationRefused([Mistake(str(folder), "", span.nothing_of("documents", times))])
    return {name: sorted(own, key=_in_order) for name, own in wanted.items() if own}


def _in_order(part: ArchivedPart) -> tuple[datetime, str]:
    return part.received_at, part.document.path.name

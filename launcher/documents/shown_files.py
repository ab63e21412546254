"""Files that a page shows: below the link to each of them stands its text, which `make docs` writes anew."""

import re
from pathlib import Path
from typing import Final

_SHOWN: Final = re.compile(
    r"^(?P<head>\[(?P<file>[^\]]+)\]\((?P=file)\)\n\n```\w+\n).*?^(?P<end>```)$",
    re.MULTILINE | re.DOTALL,
)


def with_shown_files(page: Path) -> str:
    """A page with the files that it shows, as they are now."""

    def filled(found: re.Match[str]) -> str:
        return f"{found['head']}{(page.parent / found['file']).read_text(encoding='utf-8')}{found['end']}"

    return _SHOWN.sub(filled, page.read_text(encoding="utf-8"))

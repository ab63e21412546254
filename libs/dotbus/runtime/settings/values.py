"""What settings hold: ports, sizes, files that can be read, folders that can be made.

A reason never repeats the value: it may be a secret that was put into the wrong variable. A file that is to be
none is named where its whole path is given and its folder is there.
"""

import ssl
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

_PARTS_OF_A_PATH: Final = 3
"""The root, a folder and a file: a secret may begin with a slash."""
_MADE_BY: Final = "`dotbus certificates init` makes passwords, under Compose the first `docker compose up` does: do that first"


def _is_readable(file: Path) -> Path:
    return _read(file, if_missing=_named(file), otherwise=_named(file))


def _named(file: Path) -> str:
    try:
        is_path = file.is_absolute() and len(file.parts) >= _PARTS_OF_A_PATH and file.parent.is_dir()
    except OSError:
        is_path = False  # it is longer than any
    return f": {file}" if is_path else ""


def _is_made(file: Path) -> Path:
    return _read(file, if_missing=f"; {_MADE_BY}")


def _read(file: Path, if_missing: str = "", otherwise: str = "") -> Path:
    try:
        with file.open("rb"):
            return file
    except OSError as error:
        hint = if_missing if isinstance(error, FileNotFoundError) else otherwise
        raise ValueError(f"must name a file that can be read: {error.strerror}{hint}") from error


def _holds_text(file: Path) -> Path:
    try:
        file.read_text(encoding="utf-8")
    except UnicodeError as error:
        raise ValueError("must name a file that holds a text in UTF-8") from error
    return file


def _holds_certificates(file: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError as error:
        raise ValueError(f"holds no certificate in PEM form{_named(file)}") from error
    return file


def _is_folder(path: Path) -> Path:
    try:
        usable = next(place for place in (path, *path.parents) if place.exists()).is_dir()
    except OSError as error:
        raise ValueError(f"must name a folder: {error.strerror}") from error
    if not usable:
        raise ValueError("must name a folder, and there is a file")
    return path


def read_secret(file: Path | None, given: SecretStr | None = None) -> str | None:
    """A secret from its file, else as it was given; None when it is neither."""
    if file:
        return file.read_text(encoding="utf-8").strip()
    return given.get_secret_value() if given else None


Port = Annotated[int, Field(ge=1, le=65535)]
Megabytes = Annotated[float, Field(gt=0, le=65536)]
Days = Annotated[float, Field(ge=1, le=3650)]
ReadableFile = Annotated[Path, AfterValidator(_is_readable)]
SecretFile = Annotated[Path, AfterValidator(_is_made), AfterValidator(_holds_text)]
AuthorityFile = Annotated[ReadableFile, AfterValidator(_holds_certificates)]
Folder = Annotated[Path, AfterValidator(_is_folder)]
MB = 1024 * 1024

"""What keeps a program from starting and is an operator's to mend, said in one line: what, where, and what to do.

Everything else that fails is a fault of ours, and is shown with its traceback.
"""

import errno
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_OURS: Final = frozenset(
    {
        "caiso",
        "dotbus",
        "ads_ingest",
        "lmp_ingest",
        "modbus_gateway",
        "historian",
        "alarms",
        "console",
        "simulators",
        "launcher",
    }
)
_MENDED_BY: Final = {
    errno.EADDRINUSE: "something else listens there: end it, or set {port} to a free one",
    errno.EADDRNOTAVAIL: "this machine has no such address: set {host} to one that it has",
    errno.EACCES: "a port below 1024 needs a privilege (CAP_NET_BIND_SERVICE): grant it, or set {port} to a higher one",
}


class CannotStart(Exception):
    """Something around us is in the way; the message says what, where, and what to do about it."""


@contextmanager
def listening(what: str, at: tuple[str, int], host: str, port: str) -> Iterator[None]:
    """Meanwhile a port is opened.

    Args:
        what: is served there.
        at: address and port that are to be listened on.
        host: the name of the setting of the address, for the message.
        port: that of the port.

    Raises:
        CannotStart: it cannot be listened on.
    """
    try:
        yield
    except OSError as error:
        raise CannotStart(f"cannot listen for {what} on {at[0]}:{at[1]}: {_mended_by(error, host, port)}") from error


@contextmanager
def keeping(folder: Path, setting: str) -> Iterator[None]:
    """Meanwhile what must not be lost is opened in a folder.

    Args:
        folder: holds it.
        setting: the name of the folder's setting, for the message.

    Raises:
        CannotStart: it is not to be written to, or what is there is damaged.
    """
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}: let the service's user write there, or set {setting} to another folder"
        raise CannotStart(f"cannot keep anything in {folder}: {reason}") from error
    except sqlite3.Error as error:
        # Never "delete it": what waits for the broker would be lost.
        reason = f"{error}: see that the service's user may write there, the disk has room, and {setting} is the right folder"
        raise CannotStart(f"cannot use the outbox in {folder}: {reason}") from error


@contextmanager
def packages_of(extra: str) -> Iterator[None]:
    """Meanwhile a program's own modules are imported. When packages of its extra are missing, one line says so and ends it."""
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if not package or package in _OURS:
            raise
        raise SystemExit(f"the package {package} is not installed; it comes with: pip install 'dotbus[{extra}]'") from None


def _mended_by(error: OSError, host: str, port: str) -> str:
    if isinstance(error, socket.gaierror):
        return f"{host} is neither an address nor a name that is known here"
    # Since Python 3.12 asyncio passes over what is not ours and then says, without a number, that nothing was left.
    number = errno.EADDRNOTAVAIL if error.errno is None else error.errno
    return _MENDED_BY.get(number, error.strerror or str(error)).format(host=host, port=port)

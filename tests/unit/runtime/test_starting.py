"""What keeps a service from starting is said in one line: what, where, and what to do."""

import errno
import os
import socket
import sqlite3
from pathlib import Path

import pytest

from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.starting import CannotStart, keeping, listening


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EADDRINUSE, "in use"), "something else listens there: end it, or set X_PORT to a free one"),
        (OSError(errno.EADDRNOTAVAIL, "no"), "this machine has no such address: set X_HOST to one that it has"),
        (
            OSError("could not bind on any address out of ..."),
            "this machine has no such address: set X_HOST to one that it has",
        ),
        (
            PermissionError(errno.EACCES, "no"),
            "a port below 1024 needs a privilege (CAP_NET_BIND_SERVICE): grant it, or set X_PORT",
        ),
        (socket.gaierror(-2, "no"), "X_HOST is neither an address nor a name that is known here"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "Too many open files"),
    ],
)
def test_a_port_that_cannot_be_listened_on_is_told_with_its_address_and_what_mends_it(error: OSError, said: str):
    with pytest.raises(CannotStart) as told, listening("Modbus", ("10.0.0.1", 502), "X_HOST", "X_PORT"):
        raise error

    assert str(told.value).startswith(f"cannot listen for Modbus on 10.0.0.1:502: {said}")


def test_a_real_port_that_is_taken_is_told_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = taken.getsockname()
        with pytest.raises(CannotStart, match=f"{at[1]}: something else"), listening("health", at, "HOST", "PORT"):
            socket.create_server(at)


def test_a_folder_that_cannot_be_made_is_told_with_its_setting(tmp_path: Path):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "state"

    with pytest.raises(CannotStart, match=rf"{folder}: .+ STATE_DIR"), keeping(folder, "STATE_DIR"):
        Outbox(folder / "outbox.sqlite", max_age_s=1, max_bytes=1)


def test_an_outbox_that_is_damaged_is_told_and_left_alone(tmp_path: Path):
    damaged = tmp_path / "outbox.sqlite"
    damaged.write_bytes(b"no database" * 1000)

    with pytest.raises(CannotStart, match="file is not a database") as told, keeping(tmp_path, "STATE_DIR"):
        Outbox(damaged, max_age_s=1, max_bytes=1)

    assert isinstance(told.value.__cause__, sqlite3.DatabaseError)
    assert damaged.read_bytes() == b"no database" * 1000

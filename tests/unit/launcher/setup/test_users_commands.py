"""`dotbus users`: what it writes, and what it refuses."""

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.access.passwords import is_password_of
from console.access.users import read_users
from launcher.setup.users import users_app

EXAMPLE = Path(__file__).parents[4] / "config/dotbus.example.toml"
PASSWORD = "correct horse battery"


class Command:
    """The commands on one file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, *arguments: str, piped: str = "") -> tuple[int, str]:
        result = CliRunner().invoke(users_app, [*arguments, "--file", str(self.file)], input=piped)
        return result.exit_code, result.output


@pytest.fixture
def users(tmp_path: Path) -> Command:
    return Command(tmp_path / "users.json")


def test_a_user_is_added_with_a_password_that_is_piped_in_and_kept_for_its_owner_alone(users: Command):
    status, said = users("add", "anna", "--role", "operator", piped=f"{PASSWORD}\n")
    assert (status, said) == (0, "added anna: operator, every plant\n")
    assert stat.S_IMODE(users.file.stat().st_mode) == 0o600
    assert PASSWORD not in users.file.read_text()
    assert is_password_of(read_users(users.file)["anna"].password, PASSWORD)


def test_a_user_of_a_plant_needs_a_plant_that_there_is(users: Command):
    assert users("add", "anna", "--plant", "sierra", piped=PASSWORD) == (
        1,
        "--plant needs --config, dotbus.toml: a plant that is spelt otherwise there would be none\n",
    )
    status, said = users("add", "anna", "--plant", "siera", "--config", str(EXAMPLE), piped=PASSWORD)
    assert status == 1
    assert "did you mean 'sierra'?" in said
    assert users("add", "anna", "--plant", "sierra", "--config", str(EXAMPLE), piped=PASSWORD)[0] == 0
    assert users("list") == (0, "anna: viewer, sierra\n")


def test_a_name_that_is_taken_and_a_password_that_is_too_short_change_nothing(users: Command):
    users("add", "anna", piped=PASSWORD)
    before = users.file.read_bytes()
    assert users("add", "anna", piped=PASSWORD)[0] == 1
    status, said = users("add", "ben", piped="short\n")
    assert status == 1
    assert "12 to 1000" in said
    assert users.file.read_bytes() == before


def test_role_password_and_removal_change_that_user_alone(users: Command):
    for name in ("anna", "ben"):
        users("add", name, piped=PASSWORD)
    ben = read_users(users.file)["ben"]
    assert users("role", "anna", "engineer", "--plant", "sierra", "--config", str(EXAMPLE)) == (0, "anna: engineer, sierra\n")
    assert users("role", "anna", "operator") == (0, "anna: operator, sierra\n")
    assert users("role", "anna", "operator", "--every-plant") == (0, "anna: operator, every plant\n")
    assert users("password", "anna", piped="another horse battery\n")[0] == 0
    assert is_password_of(read_users(users.file)["anna"].password, "another horse battery")
    assert read_users(users.file)["ben"] == ben
    assert users("remove", "anna") == (0, "removed anna\n")
    assert read_users(users.file) == {"ben": ben}


def test_a_user_that_there_is_not_is_told_with_the_one_that_was_meant(users: Command):
    users("add", "anna", piped=PASSWORD)
    assert users("remove", "ana") == (1, "there is no user 'ana'; did you mean 'anna'?\n")


def test_a_spoilt_file_is_not_overwritten(users: Command):
    users.file.write_text("{")
    users.file.chmod(0o600)
    status, said = users("add", "anna", piped=PASSWORD)
    assert status == 1
    assert "is no file of users" in said
    assert users.file.read_text() == "{"


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(users: Command):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "launcher", "users", "add", "anna", "--file", str(users.file)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        shown = b""
        for question in (b"Password of anna: ", b"Repeat for confirmation: "):
            while question not in shown:
                shown += os.read(ours, 1024)
            os.write(ours, f"{PASSWORD}\n".encode())
        assert process.wait(30) == 0
    shown += os.read(ours, 1024)
    os.close(ours)
    assert PASSWORD.encode() not in shown
    assert b"added anna" in shown

"""The file of users: what is taken from it, and what is refused."""

from pathlib import Path

import pytest
from console_users import ANNA, BEN, HASH, PASSWORD, kept

from console.access.passwords import PasswordRefused, hash_password, is_password_of
from console.access.people import Person, Role
from console.access.users import UsersFile, UsersRefused, check_name, decode_users, encode_users, read_users


def test_what_is_written_is_read_again(tmp_path: Path):
    assert read_users(kept(tmp_path / "users.json", ANNA, BEN)) == {"anna": ANNA, "ben": BEN}


def test_a_file_that_others_may_read_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(UsersRefused, match="chmod 600"):
        read_users(kept(tmp_path / "users.json", ANNA, mode=0o640))


def test_a_file_that_is_not_there_says_what_makes_it(tmp_path: Path):
    with pytest.raises(UsersRefused, match="dotbus users add"):
        read_users(tmp_path / "users.json")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"version": 2, "users": []}',
        encode_users([ANNA]).replace(b"operator", b"owner"),
        encode_users([ANNA]).replace(b"argon2id", b"argon2i"),
        encode_users([ANNA]).replace(HASH.encode(), b"in the clear"),
        encode_users([ANNA, ANNA]),
        encode_users([ANNA]).replace(b'"anna"', b'" anna"'),
        encode_users([ANNA]).replace(b'"plant"', b'"plnat"'),
    ],
)
def test_what_is_no_file_of_users_is_refused_whole(content: bytes):
    with pytest.raises(UsersRefused):
        decode_users(content)


@pytest.mark.parametrize("name", ["", " anna", "anna\n", "a" * 101, "\x1b[31m"])
def test_a_name_that_others_could_not_be_told_is_refused(name: str):
    with pytest.raises(UsersRefused):
        check_name(name)


def test_a_file_that_changes_is_read_again_and_one_that_is_spoilt_lets_nobody_in(tmp_path: Path):
    path, complaints = kept(tmp_path / "users.json", ANNA, BEN), list[str]()
    file = UsersFile(path, complaints.append)
    assert set(file.users) == {"anna", "ben"}
    kept(path, ANNA)
    file.look()
    assert set(file.users) == {"anna"}
    path.write_bytes(b"{")
    file.look()
    file.look()
    assert file.users == {}
    assert len(complaints) == 1
    path.unlink()
    file.look()
    assert "cannot be read" in complaints[1]


def test_a_password_is_kept_so_that_it_cannot_be_read_and_is_known_again():
    assert HASH.startswith("$argon2id$")
    assert "correct" not in HASH
    assert is_password_of(HASH, PASSWORD)
    assert not is_password_of(HASH, "correct horse batterx")
    assert not is_password_of("no hash", PASSWORD)


def test_a_letter_with_its_accent_is_the_same_however_a_keyboard_says_it():
    assert is_password_of(hash_password("Ole\u0301 ole ole ole"), "Ol\u00e9 ole ole ole")


@pytest.mark.parametrize("password", ["short", "x" * 1001])
def test_a_password_that_is_too_short_or_too_long_is_refused(password: str):
    with pytest.raises(PasswordRefused, match="12 to 1000"):
        hash_password(password)


@pytest.mark.parametrize(("role", "may"), [(Role.VIEWER, False), (Role.OPERATOR, True), (Role.ENGINEER, True)])
def test_whoever_is_above_a_viewer_operates(role: Role, *, may: bool):
    assert Person("p", role).may_operate is may


def test_who_is_of_one_plant_sees_no_other():
    assert [ANNA.person.may_see(plant) for plant in ("sierra", "delta")] == [True, False]
    assert BEN.person.may_see("delta")

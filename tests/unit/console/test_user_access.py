"""Signing in: who is let in, and what those who are not may learn."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from argon2 import Parameters, extract_parameters
from console_users import ANNA, BEN, PASSWORD, kept

from console.access import user_access
from console.access.failed_tries import OF_USER_HERE
from console.access.passwords import is_password_of
from console.access.people import Asking
from console.access.sessions import Sessions
from console.access.user_access import NotSignedIn, SignedIn, UserAccess
from console.access.users import UsersFile

T = TypeVar("T")


class World:
    """Users in a file, and a clock that a test sets."""

    def __init__(self, folder: Path) -> None:
        self.path = kept(folder / "users.json", ANNA, BEN)
        self.now_s = 0.0
        self.ended: list[str] = []
        complain = pytest.fail
        sessions = Sessions(60, 600, self.ended.append)
        self.access = UserAccess(UsersFile(self.path, complain), sessions, lambda: self.now_s)

    def try_in(self, name: str, password: str, address: str = "10.0.0.1") -> SignedIn | NotSignedIn:
        return run(self.access.sign_in(name, password, address))

    def token(self) -> str:
        outcome = self.try_in("anna", PASSWORD)
        assert isinstance(outcome, SignedIn)
        return outcome.token


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_who_has_signed_in_is_known_by_the_token(world: World):
    visit = world.access.who(Asking("10.0.0.1", {}, world.token()))
    assert visit is not None
    assert (visit.person.name, visit.person.plant) == ("anna", "sierra")
    assert world.access.who(Asking("10.0.0.1", {})) is None


def test_a_wrong_password_and_a_name_of_nobody_are_answered_alike_and_with_the_same_work(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """Whoever measures how long it takes learns nothing: what an argon2 takes is said by its parameters alone."""
    looked_at: list[Parameters] = []

    def look(hashed: str, password: str) -> bool:
        looked_at.append(extract_parameters(hashed))
        return is_password_of(hashed, password)

    monkeypatch.setattr(user_access, "is_password_of", look)
    for name in ("anna", "nobody"):
        outcome = world.try_in(name, "wrong")
        assert isinstance(outcome, NotSignedIn)
        assert outcome.wait_s == 0.0
    of_anna, of_nobody = looked_at
    assert of_anna == of_nobody


def test_a_name_of_nobody_is_counted_as_one_of_somebody(world: World):
    for name in ("anna", "nobody"):
        waits = [
            outcome.wait_s for _ in range(OF_USER_HERE + 1) if isinstance(outcome := world.try_in(name, "wrong"), NotSignedIn)
        ]
        assert waits == [0.0] * OF_USER_HERE + [1.0]


def test_while_it_is_to_be_waited_the_right_password_is_not_looked_at_here_but_elsewhere(world: World):
    for _ in range(OF_USER_HERE):
        world.try_in("anna", "wrong")
    assert isinstance(world.try_in("anna", PASSWORD), NotSignedIn)
    assert isinstance(world.try_in("anna", PASSWORD, "10.0.0.2"), SignedIn)
    world.now_s = 1.0
    assert isinstance(world.try_in("anna", PASSWORD), SignedIn)


def test_tries_at_once_are_not_taken_for_one(world: World):
    async def all_at_once() -> list[SignedIn | NotSignedIn]:
        return await asyncio.gather(*(world.access.sign_in("anna", "wrong", "10.0.0.1") for _ in range(20)))

    outcomes = run(all_at_once())
    assert sum(isinstance(one, NotSignedIn) and one.wait_s == 0 for one in outcomes) == OF_USER_HERE


def test_who_signs_out_is_not_known_any_more(world: World):
    token = world.token()
    world.access.sign_out(token)
    assert world.access.who(Asking("10.0.0.1", {}, token)) is None
    assert len(world.ended) == 1


def test_who_is_removed_from_the_file_is_signed_out_at_the_next_look(world: World):
    token = world.token()
    kept(world.path, BEN)
    world.access.look([])
    assert world.access.who(Asking("10.0.0.1", {}, token)) is None


def test_an_open_page_keeps_its_session(world: World):
    token = world.token()
    visit = world.access.who(Asking("10.0.0.1", {}, token))
    assert visit is not None
    assert visit.session is not None
    for at_s in range(0, 300, 30):
        world.now_s = at_s
        world.access.look([visit.session])
    assert world.ended == []
    world.now_s += 60
    world.access.look([])
    assert world.ended == [visit.session]

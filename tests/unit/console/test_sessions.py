"""How long a session lasts, and what ends it."""

import msgspec
from console_users import ANNA, BEN

from console.access.people import Role
from console.access.sessions import SESSIONS_MOST, Sessions, key_of

IDLE_S, LASTS_S = 60.0, 600.0
USERS = {"anna": ANNA, "ben": BEN}


def begun() -> tuple[Sessions, list[str], str]:
    ended: list[str] = []
    sessions = Sessions(IDLE_S, LASTS_S, ended.append)
    return sessions, ended, sessions.begin(ANNA, 0)


def test_a_token_that_was_given_is_known_and_no_other():
    sessions, _, token = begun()
    found = sessions.find(token, 1)
    assert found is not None
    assert (found[0], found[1].user) == (key_of(token), ANNA)
    assert sessions.find(token + "x", 1) is None
    assert token not in repr(vars(sessions)), "who reads our memory cannot use what is kept"


def test_each_sign_in_has_tokens_of_its_own():
    sessions, _, token = begun()
    other = sessions.begin(ANNA, 0)
    assert other != token
    found, others = sessions.find(token, 0), sessions.find(other, 0)
    assert found
    assert others
    assert found[1].csrf != others[1].csrf


def test_it_ends_when_it_is_not_used_and_every_use_prolongs_it():
    sessions, ended, token = begun()
    for at_s in (59, 118, 177):
        assert sessions.find(token, at_s)
    assert sessions.find(token, 237) is None
    assert ended == [key_of(token)]


def test_an_open_page_is_a_use_but_no_reason_to_last_for_ever():
    sessions, ended, token = begun()
    at_s = 0
    while not ended:
        at_s += 30
        sessions.use(key_of(token), at_s)
        sessions.look(USERS, at_s)
    assert at_s == LASTS_S


def test_an_open_page_does_not_wake_a_session_that_is_over():
    sessions, ended, token = begun()
    sessions.use(key_of(token), 61)
    sessions.look(USERS, 61)
    assert ended == [key_of(token)]


def test_who_is_gone_or_has_another_password_or_role_or_plant_is_signed_out_and_nobody_else():
    for change in ({"password": BEN.password + "x"}, {"role": Role.VIEWER}, {"plant": None}, None):
        sessions, ended, token = begun()
        bens = sessions.begin(BEN, 0)
        sessions.look(USERS, 1)
        assert ended == []
        changed = {"ben": BEN} if change is None else USERS | {"anna": msgspec.structs.replace(ANNA, **change)}
        sessions.look(changed, 2)
        assert ended == [key_of(token)]
        assert sessions.find(bens, 2)


def test_of_too_many_the_oldest_ends():
    sessions, ended, token = begun()
    for _ in range(SESSIONS_MOST):
        sessions.begin(BEN, 1)
    assert ended == [key_of(token)]
    assert len(sessions) == SESSIONS_MOST

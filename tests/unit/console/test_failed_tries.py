"""Who has to wait after passwords that were wrong, and who has not."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.access.failed_tries import (
    COUNTED_MOST,
    FORGOTTEN_AFTER_S,
    OF_ADDRESS,
    OF_USER,
    OF_USER_HERE,
    WAIT_MOST_AT_ADDRESS_S,
    WAIT_MOST_S,
    FailedTries,
)


def failed(tries: FailedTries, user: str, addresses: Iterable[str], now_s: float = 0) -> None:
    for address in addresses:
        tries.begin(user, address, now_s)


def test_some_slips_of_the_finger_are_free_and_then_each_wait_is_twice_as_long():
    tries = FailedTries()
    failed(tries, "anna", ["10.0.0.1"] * (OF_USER_HERE - 1))
    assert tries.wait_s("anna", "10.0.0.1", 0) == 0
    waits = []
    for _ in range(4):
        failed(tries, "anna", ["10.0.0.1"])
        waits.append(tries.wait_s("anna", "10.0.0.1", 0))
    assert waits == [1, 2, 4, 8]
    assert tries.wait_s("anna", "10.0.0.1", 8) == 0, "then it may be tried again"


def test_whoever_guesses_at_one_place_does_not_lock_the_user_out_elsewhere():
    tries = FailedTries()
    failed(tries, "anna", ["10.0.0.66"] * 1000)
    assert tries.wait_s("anna", "10.0.0.66", 0) == WAIT_MOST_S
    assert tries.wait_s("anna", "10.0.0.1", 0) == 0


def test_whoever_guesses_from_many_places_has_one_try_at_each_and_the_user_still_has_theirs():
    tries = FailedTries()
    failed(tries, "anna", [f"10.0.1.{place}" for place in range(OF_USER)])
    assert tries.wait_s("anna", "10.0.1.0", 0) > 0
    assert tries.wait_s("anna", "10.0.2.1", 0) == 0
    failed(tries, "anna", ["10.0.2.1"])
    assert tries.wait_s("anna", "10.0.2.1", 0) > 0


def test_whoever_tries_many_users_from_one_place_waits_but_others_there_for_a_minute_at_most():
    tries = FailedTries()
    for user in range(1000):
        tries.begin(str(user), "10.0.0.66", 0)
    assert tries.wait_s("anna", "10.0.0.66", 0) == WAIT_MOST_AT_ADDRESS_S


def test_the_right_password_is_no_failure_and_forgives_those_before_it_here():
    tries = FailedTries()
    for _ in range(OF_ADDRESS * 3):
        tries.begin("anna", "10.0.0.1", 0)
        tries.succeeded("anna", "10.0.0.1")
    failed(tries, "anna", ["10.0.0.1"] * (OF_USER_HERE - 1))
    assert tries.wait_s("anna", "10.0.0.1", 0) == 0


def test_what_is_long_ago_is_forgotten():
    tries = FailedTries()
    failed(tries, "anna", ["10.0.0.1"] * 100)
    assert tries.wait_s("anna", "10.0.0.1", FORGOTTEN_AFTER_S) == 0
    failed(tries, "anna", ["10.0.0.1"], FORGOTTEN_AFTER_S)
    assert tries.wait_s("anna", "10.0.0.1", FORGOTTEN_AFTER_S) == 0


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),  # who has a network chooses the rest of their address
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("somewhere", "elsewhere", False),
    ],
)
def test_an_address_is_the_network_that_one_household_has(one: str, other: str, *, are_same: bool):
    tries = FailedTries()
    failed(tries, "anna", [one] * 100)
    assert (tries.wait_s("anna", other, 0) > 0) is are_same


def test_what_is_counted_is_bounded():
    tries = FailedTries()
    for place in range(COUNTED_MOST):
        tries.begin("anna", f"place {place}", 0)
    assert len(tries._failures) <= COUNTED_MOST


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.floats(0, 100)), max_size=200))
def test_where_a_user_never_failed_and_no_other_did_the_first_try_is_taken(history: list[tuple[str, str, float]]):
    tries, now_s = FailedTries(), 0.0
    for user, address, later_s in history:
        now_s += later_s
        tries.begin(user, address, now_s)
    assert tries.wait_s("a", "new", now_s) == 0

import hashlib
from base64 import b64decode

import pytest

from launcher.setup.broker_users import BrokerUser, access_list, hash_password, is_hash_of, password_file, plant_user

# Made by Mosquitto's own `mosquitto_passwd -b FILE user correct-horse` (2.0.21).
OF_MOSQUITTO = (
    "$7$101$do0bUlWyyzgux3Yo$89YmdfV4ix3cHOBoWaSDOIIPdrTGOf/pPOmya+imMqZ3xG/GmrXlhm55rb/NUvuwHDbkE0qWRoxMw3rYsvMvRA=="
)


def test_a_hash_is_of_its_password_and_of_no_other():
    hashed = hash_password("correct-horse")

    assert is_hash_of(hashed, "correct-horse")
    assert not is_hash_of(hashed, "correct-horse ")
    assert hash_password("correct-horse") != hashed, "each hash has its own salt"


def test_a_hash_that_mosquitto_made_is_understood():
    assert is_hash_of(OF_MOSQUITTO, "correct-horse")
    assert not is_hash_of(OF_MOSQUITTO, "battery-staple")


def test_a_hash_is_written_as_mosquitto_writes_it():
    nothing, kind, iterations, salt, digest = hash_password("correct-horse").split("$")

    assert (nothing, kind) == ("", "7")
    assert len(b64decode(salt)) == 12
    assert b64decode(digest) == hashlib.pbkdf2_hmac("sha512", b"correct-horse", b64decode(salt), int(iterations))


@pytest.mark.parametrize(
    "damaged", ["", "correct-horse", "$7$x$AAAA$AAAA", "$6$AAAA$AAAA", "$7$10$not base64$AAAA", "$7$0$AAAA$AAAA"]
)
def test_a_damaged_hash_is_of_no_password(damaged: str):
    assert not is_hash_of(damaged, "correct-horse")


def test_the_password_file_keeps_lines_that_hold_and_drops_users_that_are_gone():
    before = password_file({"historian": "one", "plant-delta": "two", "console": "three"})

    after = password_file({"historian": "one", "console": "four"}, before)

    assert after.splitlines()[0] == before.splitlines()[0]
    assert after.splitlines()[1] != before.splitlines()[2]
    assert [line.split(":")[0] for line in after.splitlines()] == ["historian", "console"]


def test_a_plants_name_can_break_neither_password_file_nor_topic():
    assert plant_user("Sierra: north/south") == "plant-Sierra%3A north%2Fsouth"


def test_the_access_list_names_each_topic_under_its_user():
    text = access_list([BrokerUser("one", writes=("a/+",), reads=("b/#", "c")), BrokerUser("two")])

    assert text == "user one\ntopic write a/+\ntopic read b/#\ntopic read c\n\nuser two\n"

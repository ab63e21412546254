"""Who gets a place at the server, who leaves for it, and what of it is told."""

import ipaddress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modbus_gateway.wire.admission import ACTIVE_S, Closings, Limits, Reason, place_for, plain_address

NOW_S = 1000.0
SCADA, FLOOD = "10.0.0.1", "10.0.0.66"


@dataclass(frozen=True, eq=False)
class Seen:
    address: str
    idle_s: float
    has_asked: bool = True

    @property
    def idle_since_s(self) -> float:
        return NOW_S - self.idle_s


def place(address: str, present: list[Seen], **limits: object) -> Seen | Reason | None:
    return place_for(address, present, Limits(**limits), NOW_S)  # type: ignore[arg-type]


def test_while_there_is_room_nobody_leaves():
    assert place(SCADA, [Seen("10.0.0.9", 299)] * 63) is None


def test_the_one_that_is_idle_longest_leaves_for_a_new_one():
    longest = Seen("10.0.1.40", 250)
    present = [Seen(f"10.0.1.{n}", 100 + n) for n in range(63)]

    assert place(SCADA, [*present, longest]) is longest


def test_one_that_never_sent_anything_is_idle_since_it_connected():
    silent = Seen("10.0.1.1", 30, has_asked=False)

    assert place(SCADA, [Seen("10.0.1.2", 20), silent], connections=2) is silent


def test_whoever_has_just_asked_stays_whatever_comes():
    assert place(SCADA, [Seen(f"10.0.1.{n}", ACTIVE_S - 0.1) for n in range(64)]) is Reason.FULL


def test_of_several_addresses_the_one_with_the_most_places_gives_one():
    slow = Seen(SCADA, 290)
    crowd = [Seen(FLOOD, 20 + n) for n in range(3)]

    assert place("10.0.0.2", [slow, *crowd], connections=4) is crowd[-1]


def test_a_crowd_takes_from_itself_and_not_from_a_slow_client_elsewhere():
    slow = Seen(SCADA, 290)
    fresh = [Seen(FLOOD, 0.9, has_asked=False) for _ in range(3)]

    assert place(FLOOD, [slow, *fresh], connections=4) is Reason.FULL
    older = Seen(FLOOD, 15, has_asked=False)
    assert place(FLOOD, [slow, *fresh, older], connections=5) is older


def test_a_new_scada_finds_room_at_once_in_a_crowd_that_has_only_just_connected():
    crowd = [Seen(f"10.0.0.{60 + n % 2}", n / 100, has_asked=False) for n in range(64)]

    assert isinstance(place(SCADA, crowd), Seen)


def test_a_newcomer_finds_room_among_half_open_connections_of_its_own_address():
    silent = [Seen(SCADA, 1 + n / 10, has_asked=False) for n in range(3)]
    asking = Seen(SCADA, 60)

    assert place(SCADA, [*silent, asking], per_address=4) is silent[-1]
    assert place(SCADA, [Seen(SCADA, 0.5, has_asked=False), Seen(SCADA, 5)], per_address=2) is Reason.ADDRESS_FULL


def test_an_address_that_has_all_its_places_gives_up_its_own():
    own, elsewhere = Seen(SCADA, 50), Seen("10.0.0.9", 290)

    assert place(SCADA, [own, Seen(SCADA, 20), elsewhere], per_address=2) is own
    assert place(SCADA, [Seen(SCADA, 1), Seen(SCADA, 2), elsewhere], per_address=2) is Reason.ADDRESS_FULL


def test_who_may_not_connect_makes_nobody_leave():
    allow = (ipaddress.ip_network("10.0.0.0/24"),)

    assert place("192.0.2.1", [Seen(SCADA, 290)], connections=1, allow=allow) is Reason.NOT_ALLOWED
    assert place("", [], allow=allow) is Reason.NOT_ALLOWED


@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0, 400), st.booleans()), max_size=12),
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_no_place_is_taken_from_who_is_at_work_or_from_who_has_fewer(
    seen: list[tuple[int, float, bool]], newcomer: int, connections: int, per_address: int
):
    present = [Seen(f"10.0.0.{n}", idle_s, asked) for n, idle_s, asked in seen]
    address = f"10.0.0.{newcomer}"

    taken = place(address, present, connections=connections, per_address=per_address)

    def places(one: str) -> int:
        return sum(other.address == one for other in present)

    if isinstance(taken, Seen):
        assert not (taken.has_asked and taken.idle_s < ACTIVE_S)
        assert places(taken.address) >= places(address)
    if taken is None:
        assert len(present) < connections
        assert places(address) < per_address


@pytest.mark.parametrize(
    ("peer", "plain"), [("::ffff:10.0.0.1", "10.0.0.1"), ("fe80::1%eth0", "fe80::1"), ("10.0.0.1", "10.0.0.1"), ("", "")]
)
def test_an_address_has_one_spelling(peer: str, plain: str):
    assert plain_address(peer) == plain


def test_what_was_closed_is_told_at_once_and_then_in_one_line_a_minute():
    closings = Closings()
    assert closings.take(0) is None
    closings.note(Reason.FULL, FLOOD)
    assert closings.take(0) == {"reasons": {"all places taken": 1}, "busiest": {FLOOD: 1}}

    for n in range(5000):
        closings.note(Reason.NOT_ALLOWED, f"10.1.{n % 250}.{n // 250}")
        closings.note(Reason.FULL, FLOOD)
    assert closings.take(59.9) is None
    told = closings.take(60)

    assert told is not None
    assert told["reasons"] == {"not allowed": 5000, "all places taken": 5000}
    assert (len(told["busiest"]), told["busiest"][FLOOD]) == (5, 5000)
    assert closings.take(200) is None


def test_what_is_not_told_yet_is_told_at_the_end():
    closings = Closings()
    for now_s in (0, 1):
        closings.note(Reason.IDLE, SCADA)
        told = closings.take(now_s, last=True)
    assert told == {"reasons": {"idle too long": 1}, "busiest": {SCADA: 1}}


def test_of_each_reason_the_last_detail_is_told_once_and_cut():
    closings = Closings()
    closings.note(Reason.CERTIFICATE, FLOOD, "certificate has expired")
    closings.note(Reason.CERTIFICATE, SCADA, "x" * 1000)
    closings.note(Reason.IDLE, SCADA)
    told = closings.take(NOW_S)
    assert told
    assert list(told["details"]) == [str(Reason.CERTIFICATE)]
    assert str(told["details"][str(Reason.CERTIFICATE)]) == f"{SCADA}: {'x' * 190}"
    closings.note(Reason.IDLE, SCADA)
    later = closings.take(NOW_S + 100)
    assert later
    assert "details" not in later

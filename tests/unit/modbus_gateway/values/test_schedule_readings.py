"""How long what a DOT asks lasts, which batch said it, when the one before it was, and what a price is the sum of."""

import struct

import pytest
from gateway_story import NOON, Gateway, at, dot, interval, lmp, price, status, trajectory

from dotbus.contracts.messages import NodePrice

SOLAR = {"unit_id": 20, "resource": "SOLAR"}
OF_DOT = ["dot_changes_in_s", "dot_target_in_s", "dot_batch_type", "dot_schedule", "dot_fresh"]
POINTS = [
    *({**SOLAR, "address": address, "quantity": name} for address, name in enumerate(OF_DOT)),
    {**SOLAR, "address": 5, "quantity": "dot_revision"},
    {**SOLAR, "address": 7, "quantity": "previous_dot_start"},
    {**SOLAR, "address": 9, "quantity": "previous_dot_end"},
]
NOTHING = 0xFFFF
COMPONENTS = ("energy", "congestion", "loss", "ghg")


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(point=POINTS, stale_after_s=900)


def u32(value: float) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">I", int(value))))


def test_what_is_asked_changes_where_another_dot_asks_otherwise_and_not_where_one_asks_the_same(gateway):
    gateway.hear(status(0), dot(interval(0, 10), interval(300, 10), interval(600, 20)))
    assert [gateway.words(s, 20, 0, 1) for s in (1, 299, 301, 599)] == [[599], [301], [299], [1]]


def test_what_is_asked_changes_where_an_exceptional_dispatch_cuts_in(gateway):
    cut = interval(100, 40, length_s=60, batch_type=4, batch_received_at=at(-10))
    gateway.hear(status(0), dot(interval(0, 10), cut))
    assert gateway.words(30, 20, 0, 4) == [70, 120, NOTHING, 1]
    assert gateway.words(101, 20, 0, 4) == [59, 29, 4, 3]
    assert gateway.words(161, 20, 0, 1) == [139]


def test_what_is_asked_ends_with_the_last_dot_that_caiso_has_said(gateway):
    gateway.hear(status(0), dot(interval(0, 10)))
    assert gateway.words(10, 20, 0, 2) == [290, 140]


def test_seconds_are_rounded_up_and_the_target_is_0_once_past(gateway):
    gateway.hear(status(0), status(149, instance="a"), dot(interval(0, 10), said_s=149))
    assert [gateway.words(s, 20, 1, 1) for s in (149.4, 150, 160)] == [[1], [0], [0]]


def test_seconds_count_down_without_a_message(gateway):
    gateway.hear(status(0), dot(interval(0, 10)))
    assert [gateway.words(s, 20, 0, 1)[0] for s in (1, 2, 3, 50)] == [299, 298, 297, 250]


def test_the_batch_of_the_dot_in_force_is_told(gateway):
    sample = {"batch_uid": "DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C", "batch_type": 0, "revision_no": 4}  # CAISO's own
    gateway.hear(status(0), dot(interval(0, 12.0, **sample), interval(-300, 5)))
    assert gateway.words(1, 20, 2, 5) == [0, 1, 1, *u32(4)]
    assert gateway.words(1, 20, 7, 4) == [*u32(NOON.timestamp() - 300), *u32(NOON.timestamp())]


@pytest.mark.parametrize("number", [-1, 2**31 - 1])
def test_a_number_that_a_register_cannot_carry_speaks_against_no_dot(number):
    gateway = Gateway(point=[*POINTS, {**SOLAR, "address": 20, "quantity": "dot_quality"}])
    gateway.hear(status(0), dot(interval(0, 10, batch_type=number)))
    assert (gateway.words(1, 20, 2, 1), gateway.words(1, 20, 20, 1)) == ([NOTHING], [192])


@pytest.mark.parametrize("said", [(), (dot(interval(-300, 10)),), (dot(interval(0, 10), heard_at=at(-1000)),)])
def test_without_a_dot_that_may_be_believed_nothing_counts_down_and_it_is_not_fresh(gateway, said):
    gateway.hear(status(0), *said)
    assert gateway.words(1, 20, 0, 5) == [NOTHING, NOTHING, NOTHING, NOTHING, 0]


def test_the_classic_map_tells_that_the_dots_of_all_its_resources_are_fresh():
    gateway = Gateway(block=[{"profile": "classic", "unit_id": 1, "resources": ["SOLAR", "BESS"]}])
    gateway.hear(status(0), dot(interval(0, 10)))
    assert gateway.bits(1, 1, 3, 1) == [0]
    gateway.hear(dot(interval(0, 10), resource="BESS"), trajectory())
    assert gateway.bits(1, 1, 3, 1) == [1]
    assert gateway.bits(301, 1, 3, 1) == [0]


def test_a_price_has_the_components_that_oasis_says_and_no_others():
    names = [f"lmp_{which}_{component}_usd_per_mwh" for which in ("active", "published") for component in COMPONENTS]
    points = [{"unit_id": 20, "address": 2 * i, "quantity": name, "node": "NODE1"} for i, name in enumerate(names)]
    gateway = Gateway(point=points)
    # TH_NP15_GEN-APND on 2025-09-01 at 08:00 UTC, as OASIS said it: no GHG component
    said = NodePrice(
        interval_start=at(0),
        interval_end=at(300),
        fetched_at=at(0),
        lmp_usd_per_mwh=41.87119,
        energy_usd_per_mwh=43.69776,
        congestion_usd_per_mwh=0.0,
        loss_usd_per_mwh=-1.82657,
    )
    gateway.hear(status(0, service="lmp_ingest"), lmp(price(300, 40.0), active=said))
    content = gateway.read_registers(20, 0, 16)
    assert isinstance(content, bytes)
    assert [round(value, 5) for value in struct.unpack(">3f", content[:12])] == [43.69776, 0.0, -1.82657]
    assert content[12:] == bytes.fromhex("7fc00000") * 5

"""How the ingests are, the broker, and certificates, as registers show it."""

import struct
from datetime import timedelta

import pytest
from gateway_story import NOON, Gateway, at, status, upstreams

NOTHING = 0xFFFF
NAMES = ["online", "hearing", "failing", "worst"]
OF_ADS, CLOCKS, CERTIFICATE, TLS, SINCE = 20, 28, 29, 30, 32


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])


def seconds(gateway: Gateway, now_s: float) -> float:
    high, low = gateway.words(now_s, 11, SINCE, 2)
    return (high << 16 | low) - NOON.timestamp()


def test_no_instance_is_0_and_has_no_worst_and_its_clock_does_not_agree(gateway):
    assert gateway.words(0, 11, OF_ADS, 4) == [0, 0, 0, NOTHING]
    assert gateway.words(0, 11, CLOCKS, 1) == [0]


def test_each_instance_is_counted_by_how_it_is(gateway):
    gateway.hear(status(0), status(0, instance="b", upstreams=upstreams(0, ok=False)), status(0, service="lmp_ingest"))
    assert gateway.words(1, 11, OF_ADS, 8) == [2, 1, 1, 64, 1, 1, 0, 192]
    gateway.hear(status(2, instance="b", online=False))
    assert gateway.words(2, 11, OF_ADS, 4) == [1, 1, 0, 0]


def test_an_instance_that_falls_silent_is_online_no_more_without_a_message(gateway):
    gateway.hear(status(0), status(10, instance="b"))
    assert [gateway.words(s, 11, OF_ADS, 4) for s in (15, 15.1, 25.1)] == [[2, 2, 0, 192], [1, 1, 0, 0], [0, 0, 0, 0]]


def test_an_instance_whose_answer_is_too_old_is_failing_without_a_message(gateway):
    for said_s in range(0, 101, 5):
        gateway.hear(status(said_s, upstreams=upstreams(0)))
    assert gateway.words(100.5, 11, OF_ADS, 4) == [1, 0, 1, 64]


def test_clocks_agree_only_while_those_of_all_that_are_online_do(gateway):
    gateway.hear(status(0), status(0, service="lmp_ingest"))
    assert gateway.words(1, 11, CLOCKS, 1) == [1]
    gateway.hear(status(4, service="lmp_ingest", instance="b"), at_s=1)
    assert gateway.words(1, 11, CLOCKS, 1) == [0]


def test_the_classic_map_has_a_flag_of_the_clocks():
    gateway = Gateway(block=[{"profile": "classic", "unit_id": 1, "lmp_node": "NODE2"}])
    assert gateway.bits(0, 1, 4, 1) == [0]
    gateway.hear(status(0))
    assert (gateway.bits(1, 1, 4, 1), gateway.bits(15.5, 1, 4, 1)) == ([1], [0])


def test_the_ads_certificate_that_ends_first_counts(gateway):
    assert gateway.words(0, 11, CERTIFICATE, 1) == [NOTHING]
    gateway.hear(status(0, certificate_days_left=30.9), status(0, instance="b", certificate_days_left=12.2))
    assert gateway.words(1, 11, CERTIFICATE, 1) == [12]
    gateway.hear(status(2, instance="b", certificate_days_left=-3.5))
    assert gateway.words(2, 11, CERTIFICATE, 1) == [0]
    assert gateway.words(16, 11, CERTIFICATE, 1) == [0]
    assert gateway.words(18, 11, CERTIFICATE, 1) == [NOTHING]


def test_the_days_of_our_own_certificate_count_down_and_a_renewed_one_counts_at_once(gateway):
    assert gateway.words(0, 11, TLS, 1) == [NOTHING]
    ends = [at(0) + timedelta(days=2)]
    gateway.images.watch_certificate(lambda: ends[0])
    assert [gateway.words(s, 11, TLS, 1) for s in (0, 1, 86401, 4 * 86400)] == [[2], [1], [0], [0]]
    ends[0] += timedelta(days=90)
    assert gateway.words(4 * 86400 + 1, 11, TLS, 1) == [87]


def test_since_when_the_broker_is_there_or_not_is_told_and_nobody_counts_ingests_without_it(gateway):
    gateway.now_s = 5
    gateway.images.turn(connected=True)
    gateway.hear(status(6))
    assert seconds(gateway, 7) == 5
    gateway.now_s = 20
    gateway.images.turn(connected=False)
    assert (gateway.words(21, 11, 5, 1), seconds(gateway, 21)) == ([0], 20)
    assert gateway.words(21, 11, OF_ADS, 4) == [NOTHING] * 4


def test_a_number_of_days_is_written_as_others_are():
    gateway = Gateway(point=[{"unit_id": 20, "address": 0, "quantity": "tls_certificate_days_left", "type": "float32"}])
    gateway.images.watch_certificate(lambda: at(0) + timedelta(days=400))
    content = gateway.render(0).read_registers(20, 0, 2)
    assert isinstance(content, bytes)
    assert struct.unpack(">f", content) == (400.0,)

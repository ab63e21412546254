import pytest
from gateway_story import NOON, Gateway, dot, interval, lmp, price, status, trajectory

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import Topics
from dotbus.judging.arrivals import Problem, read_delivery
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.testing import samples

TOPICS = Topics()
ACCEPTED = (Environment.PRODUCTION,)


def read(topic: str, payload: bytes):
    return read_delivery(Delivery(topic, payload, retained=True, received_at=NOON), TOPICS, ACCEPTED)


@pytest.mark.parametrize("message", [dot(interval(0, 1)), trajectory(), lmp(price(0, 1)), status(0)])
def test_each_state_is_read_from_its_own_topic(message):
    arrival = read(Gateway(block=[{"profile": "plant", "unit_id": 1}]).topic(message), encode(message))
    assert (arrival.said, arrival.at, arrival.retained) == (message, NOON, True)


@pytest.mark.parametrize("payload", [b"{", b"12.5", b'{"version": 2, "kind": "dot"}', b"\xff", b'{"version":1}'])
def test_what_cannot_be_decoded_says_why(payload):
    arrival = read(TOPICS.dot("sierra", "SOLAR"), payload)
    assert arrival.said is Problem.UNDECODABLE
    assert arrival.detail


def test_an_empty_payload_says_that_nobody_speaks():
    assert read(TOPICS.dot("sierra", "SOLAR"), b"").said is None


def test_another_kind_or_another_resource_on_a_topic_is_not_believed():
    assert read(TOPICS.dot("sierra", "SOLAR"), encode(trajectory())).said is Problem.UNDECODABLE
    assert read(TOPICS.dot("sierra", "SOLAR"), encode(dot(resource="BESS"))).said is Problem.UNDECODABLE
    assert read(TOPICS.service("ads_ingest", "b"), encode(status(0))).said is Problem.UNDECODABLE


def test_an_environment_that_is_not_accepted_is_not_a_value():
    sample = samples.dot()
    arrival = read(TOPICS.dot(sample.plant, sample.resource_id), encode(sample))
    assert arrival.said is Problem.WRONG_ENVIRONMENT
    assert "simulator" in arrival.detail


def test_other_topics_and_other_services_are_of_no_use():
    assert read("elsewhere/v1/plant/sierra/SOLAR/dot", b"{}") is None
    assert read(TOPICS.service("historian", "a"), encode(status(0, service="historian"))) is None
    assert read(TOPICS.dispatch("sierra", "SOLAR"), b"{}") is None

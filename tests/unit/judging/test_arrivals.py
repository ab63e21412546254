import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from gateway_story import at

from dotbus.contracts.codec import encode
from dotbus.contracts.topics import Topics
from dotbus.judging.arrivals import Problem, read_delivery
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.testing import samples

TOPICS = Topics()
TIME = re.compile(r"\d{4}-\d\d-\d\dT")


def with_each_time_impossible(part: Any, whole: Any) -> Iterator[tuple[str, str]]:
    """The whole as JSON, once for each time in it, which is then long before ours."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(value, dict | list):
            yield from with_each_time_impossible(value, whole)
        elif isinstance(value, str) and TIME.match(value):
            part[key] = "1999-12-31T23:59:59Z"
            yield str(key), json.dumps(whole)
            part[key] = value


def arrived(topic: str, payload: bytes, environment: str) -> Any:
    arrival = read_delivery(Delivery(topic, payload, retained=False, received_at=at(0)), TOPICS, [environment])
    assert arrival is not None
    return arrival.said


@pytest.mark.parametrize("kind", ["dot", "trajectory", "instructions", "lmp"])
def test_no_time_that_is_not_ours_is_taken_wherever_it_stands_in_a_message(kind):
    message = getattr(samples, kind)()
    names = (message.market, message.node) if kind == "lmp" else (message.plant, message.resource_id)
    topic, payload = getattr(TOPICS, kind)(*names), encode(message)
    assert arrived(topic, payload, message.environment) == message
    whole = json.loads(payload)
    found = list(with_each_time_impossible(whole, whole))
    assert len(found) > 3
    for name, text in found:
        assert arrived(topic, text.encode(), message.environment) is Problem.UNDECODABLE, name

"""Noise: what a third party says on the topics of ingests that are at work, from what it heard there before."""

import json
import random
from collections import defaultdict
from collections.abc import Callable

import paho.mqtt.client as mqtt

from dotbus.contracts.topics import DEFAULT_ROOT

KEPT_OF_EACH = 200


class Noise:
    """Hears every state, and says some of it again or what is none.

    Args:
        port: of the broker on loopback.
        chance: decides what and where.

    Attributes:
        faults: what can be done, by name.
    """

    def __init__(self, port: int, chance: random.Random) -> None:
        self._chance = chance
        self._heard: dict[str, list[bytes]] = defaultdict(list)
        self.faults: dict[str, Callable[[], None]] = {
            "bus_retracted": lambda: self._say(self._any_topic(), b""),
            "bus_malformed": lambda: self._say(self._any_topic(), b"{"),
            "bus_older_again": self._say_older,
            "bus_other_resource": self._say_of_another,
            "bus_null": self._say_null,
            "bus_status_again": self._say_old_status,
        }
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "noise", protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{DEFAULT_ROOT}/#", qos=1)
        self._client.on_message = self._hear
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def stop(self) -> None:
        """Fall silent."""
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        if message.payload.startswith(b"{") and len(message.payload) > 1:
            heard = self._heard[message.topic]
            heard.append(bytes(message.payload))
            del heard[:-KEPT_OF_EACH]

    def _any_topic(self, *kinds: str) -> str | None:
        """A topic of a state that was heard."""
        wanted = kinds or ("/dot", "/trajectory", "/lmp/")
        topics = sorted(topic for topic in list(self._heard) if any(kind in topic for kind in wanted) and "-batch" not in topic)
        return self._chance.choice(topics) if topics else None

    def _say(self, topic: str | None, payload: bytes) -> None:
        if topic is not None:
            self._client.publish(topic, payload, qos=1, retain=True)

    def _say_older(self) -> None:
        if topic := self._any_topic():
            self._say(topic, self._chance.choice(self._heard[topic]))

    def _say_of_another(self) -> None:
        topics = sorted(topic for topic in list(self._heard) if topic.endswith("/dot"))
        if len(topics) > 1:
            here, there = self._chance.sample(topics, 2)
            self._say(here, self._heard[there][-1])

    def _say_null(self) -> None:
        if topic := self._any_topic("/dot"):
            message = json.loads(self._heard[topic][-1])
            for interval in message["intervals"]:
                interval["dot_mw"] = None
            self._say(topic, json.dumps(message).encode())

    def _say_old_status(self) -> None:
        if topic := self._any_topic("/service/ads_ingest", "/service/lmp_ingest"):
            self._say(topic, self._chance.choice(self._heard[topic]))

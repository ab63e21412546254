"""Follow a plant on the bus: what its DOTs are worth, as lines of JSON, and each dispatch kept exactly once in SQLite.

pip install paho-mqtt
python follow_plant.py --host broker.example --ca ca.pem --user plant-sierra --password-file sierra.password --plant sierra
"""

import argparse
import contextlib
import json
import re
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import paho.mqtt.client as mqtt
from dots import Dots, Reading
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

LOOK_EVERY_S = 0.5
AWAY_S = 7 * 86_400  # for so long the broker keeps what we have not taken


class Events:
    """Dispatches and trajectory batches, each once: its id is the key, and what is done with it is in the same transaction."""

    def __init__(self, path: Path, environment: str) -> None:
        self._environment = environment
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(
            "PRAGMA synchronous = FULL;"
            "CREATE TABLE IF NOT EXISTS event (id TEXT PRIMARY KEY, source TEXT, stream TEXT, plant_seq INTEGER, payload TEXT);"
        )

    def take(self, payload: bytes) -> dict[str, Any] | None:
        """Keep an event on disk. None when it is there already, and so was acted on, or is not of our environment."""
        event = json.loads(payload)
        if event["version"] != 1 or event["environment"] != self._environment:
            return None
        row = [event["id"], event["source"], event["stream"], event["plant_seq"], payload.decode()]
        self._database.execute("BEGIN IMMEDIATE")
        try:
            new = self._database.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount
            # Whatever has to be done once per dispatch goes here: it is done when, and only when, its id is kept.
            self._database.execute("COMMIT")
        except sqlite3.Error:
            self._database.execute("ROLLBACK")
            raise
        return dict(event, missing=self._missing(event)) if new else None

    def _missing(self, event: dict[str, Any]) -> int:
        """How many numbers of the plant are not here, between the lowest and the highest that are. They may be on their way."""
        query = "SELECT max(plant_seq) - min(plant_seq) + 1 - count(plant_seq) FROM event WHERE source = ? AND stream = ?"
        return self._database.execute(query, (event["source"], event["stream"])).fetchone()[0] or 0


class Follower:
    """One connection to the broker. Everything runs in one thread."""

    def __init__(self, told: argparse.Namespace) -> None:
        self._plant = f"{told.root}/plant/{_level(told.plant)}"
        self._filters = [f"{self._plant}/+/{kind}" for kind in ("dot", "dispatch", "trajectory-batch")]
        self._filters.append(f"{told.root}/service/ads_ingest/+")
        self._dots, self._events = Dots(told.environment, told.stale_after_s), Events(told.database, told.environment)
        self._shown: dict[str, Reading | None] = {self._dot_of(name): None for name in told.resource}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, told.client_id, protocol=mqtt.MQTTv5, manual_ack=True)
        self._client.username_pw_set(told.user, told.password_file.read_text().strip())
        self._client.tls_set(ca_certs=str(told.ca))
        self._client.on_connect, self._client.on_disconnect = self._on_connect, self._on_disconnect
        self._client.on_subscribe, self._client.on_message = self._on_subscribe, self._on_message
        self._session = Properties(PacketTypes.CONNECT)
        self._session.SessionExpiryInterval = AWAY_S
        self._client.connect_async(told.host, told.port, keepalive=10, clean_start=False, properties=self._session)

    def run(self) -> None:
        """For ever: connect, hear, and say what changed. Time alone changes it, too."""
        self._connect()
        while True:
            if self._client.loop(LOOK_EVERY_S) != mqtt.MQTT_ERR_SUCCESS:
                self._dots.turn(is_up=False)
                self._tell()
                time.sleep(1)
                self._connect()
            self._tell()

    def _connect(self) -> None:
        try:
            self._client.reconnect()
        except OSError as away:
            _say(broker=str(away))

    def _on_connect(self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object) -> None:
        if reason.is_failure:
            raise SystemExit(f"the broker refuses: {reason}")
        self._dots.turn(is_up=True)
        client.subscribe([(each, SubscribeOptions(qos=1)) for each in self._filters])  # each time: states come anew

    def _on_subscribe(self, _client: object, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object) -> None:
        if any(reason.is_failure for reason in reasons):
            raise SystemExit(f"the broker lets us hear only some of {self._filters}: {[str(reason) for reason in reasons]}")

    def _on_disconnect(self, _client: object, _data: object, _flags: object, _reason: object, _properties: object) -> None:
        self._dots.turn(is_up=False)

    def _on_message(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        kind = message.topic.rsplit("/", 1)[1]
        if kind in ("dispatch", "trajectory-batch"):
            self._take_event(message)
        else:
            self._dots.take(message.topic, bytes(message.payload), retained=message.retain)
            if kind == "dot":
                self._shown.setdefault(message.topic, None)
        client.ack(message.mid, message.qos)  # after it is kept: else the broker says it again

    def _take_event(self, message: mqtt.MQTTMessage) -> None:
        try:
            event = self._events.take(bytes(message.payload))
        except (KeyError, TypeError, ValueError) as unread:
            _say(unread=message.topic, why=repr(unread))
            return
        if event:
            _say(event=event["id"], resource=event["resource_id"], missing=event["missing"])

    def _dot_of(self, resource: str) -> str:
        return f"{self._plant}/{_level(resource)}/dot"

    def _tell(self) -> None:
        for topic, before in self._shown.items():
            now = self._dots.read(topic)
            self._shown[topic] = now
            if before is None or _worth(now) != _worth(before):
                worth = {"dot_mw": now.dot_mw, "quality": now.quality, "reasons": sorted(now.reasons), "until": now.until}
                _say(resource=unquote(topic.split("/")[-2]), **worth, age_s=now.age_s and round(now.age_s, 1))


def _level(name: str) -> str:
    """A name as a level of a topic."""
    return re.sub(r"[/+#%\x00-\x1f\x7f]", lambda found: f"%{ord(found[0]):02X}", name)


def _worth(reading: Reading) -> tuple[object, ...]:
    return reading.dot_mw, reading.quality, reading.reasons, reading.until


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    """Read what was asked for, and follow."""
    parser = argparse.ArgumentParser(description="Follow a plant on the bus.")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, default=8883)
    parser.add_argument("--ca", type=Path, required=True, help="the certificate of the CA that the broker's is of")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--client-id", help="names our session at the broker; no two clients may share one")
    parser.add_argument("--root", default="dotbus/v1")
    parser.add_argument("--plant", required=True)
    parser.add_argument("--resource", action="append", default=[], help="told of also before anything was said of it")
    parser.add_argument("--environment", choices=("production", "stage", "simulator"), default="production")
    parser.add_argument("--stale-after-s", type=float, default=90.0)
    parser.add_argument("--database", type=Path, default=Path("dispatches.sqlite"))
    told = parser.parse_args()
    told.client_id = told.client_id or f"follow-{told.plant}"
    with contextlib.suppress(KeyboardInterrupt):
        Follower(told).run()


if __name__ == "__main__":
    main()

"""A hostile publisher: a user of the bus who says whatever can harm. All that it says bears its mark."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import paho.mqtt.client as mqtt
from chaos.installation import MARKET

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import MAX_RANGES, Environment, OutboxSpan, Prices, ReplayRequest
from dotbus.contracts.topics import Topics
from dotbus.testing import samples

MARK = "HOSTILE"
SOURCE = f"{MARK}/x"
LARGE_BYTES = 16 * 1024 * 1024
TOPICS = Topics()
REAL = ("ads_ingest/a", "lmp_ingest/a", "volume/a")
ABSURD_SEQ = 2**62


class Hostile:
    """Says what it is told to, once for each call.

    Attributes:
        sayings: what it can say, by name.
    """

    def __init__(self, port: int, chance: random.Random) -> None:
        self._chance = chance
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "hostile", protocol=mqtt.MQTTv5)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        self.sayings: dict[str, Callable[[], None]] = {
            "garbage": self._garbage,
            "large": self._large,
            "status of another": self._status_of_another,
            "own status": self._own_status,
            "replay": self._replay,
            "far events": self._far_events,
            "many nodes": self._many_nodes,
            "refused events": self._refused_events,
        }

    def stop(self) -> None:
        """Fall silent."""
        self._client.disconnect()
        self._client.loop_stop()

    def _say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain)

    def _topic(self) -> str:
        return self._chance.choice(
            (
                TOPICS.dispatch(MARK, "R"),
                TOPICS.trajectory_batch("sierra", "R"),
                TOPICS.prices(MARKET),
                TOPICS.service(MARK, "x"),
            )
        )

    def _garbage(self) -> None:
        for _ in range(20):
            body = self._chance.randbytes(self._chance.randint(0, 2000))
            self._say(self._topic(), MARK.encode() + body)
        self._say(TOPICS.dispatch(MARK, "R"), encode(samples.dispatch()).replace(b"12.0", b'"HOSTILE"', 1)[:-1])

    def _large(self) -> None:
        self._say(self._topic(), MARK.encode() + bytes(LARGE_BYTES))

    def _status_of_another(self) -> None:
        """Somebody else's numbers, on a topic of ours and on a topic of theirs under our name."""
        source = self._chance.choice(REAL)
        span = OutboxSpan(stream=MARK, first_seq=ABSURD_SEQ, last_seq=ABSURD_SEQ, unpublished=0)
        status = msgspec.structs.replace(self._status(), source=source, outbox=span)
        self._say(TOPICS.service(MARK, "x"), encode(status), retain=True)

    def _own_status(self) -> None:
        """Numbers beyond every bound, times of the future, and names that no row holds."""
        text = json.loads(encode(self._status()))
        text["time"] = self._chance.choice(("2036-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-11-25T00:00:00Z"))
        text["outbox"] = {"stream": MARK + "x" * self._chance.choice((1, 40_000)), "unpublished": 0}
        text["outbox"] |= {"first_seq": self._chance.choice((1, 2**65, 10**400)), "last_seq": self._chance.choice((7, 2**65))}
        self._say(TOPICS.service(MARK, "x"), json.dumps(text).encode(), retain=True)

    def _status(self):
        now = datetime.now(UTC)
        return msgspec.structs.replace(
            samples.service_status(),
            source=SOURCE,
            service=MARK,
            instance="x",
            software_version=MARK,
            time=now,
            started_at=now,
            environment=Environment.SIMULATOR,
        )

    def _replay(self) -> None:
        """Everything, many times over, of streams that are and of streams that are not."""
        ranges = tuple((number, number) for number in range(1, 4 * MAX_RANGES, 4))[:MAX_RANGES]
        for source in REAL:
            service, instance = source.split("/")
            for wanted in ((), ranges):
                request = ReplayRequest(
                    environment=Environment.SIMULATOR,
                    source=SOURCE,
                    time=datetime.now(UTC),
                    stream=self._chance.choice((MARK, samples.STREAM)),
                    first_seq=wanted[0][0] if wanted else 1,
                    last_seq=wanted[-1][1] if wanted else ABSURD_SEQ,
                    ranges=wanted,
                )
                self._say(TOPICS.replay(service, instance), encode(request))
            self._say(TOPICS.replay(service, instance), MARK.encode())

    def _far_events(self) -> None:
        """Whole events of a stream of our own with absurd numbers, and of streams that real sources never had."""
        for source in (SOURCE, self._chance.choice(REAL)):
            number = self._chance.randrange(10**9)
            batch = msgspec.structs.replace(samples.dispatch().batch, batch_uid=f"{MARK}-{number}")
            seq = ABSURD_SEQ + self._chance.randrange(1000)
            event = msgspec.structs.replace(
                samples.dispatch(), source=source, stream=f"{MARK}{number % 3}", seq=seq, id=f"{MARK}{number}", plant=MARK
            )
            whole = msgspec.structs.replace(event, batch=batch)
            self._say(TOPICS.dispatch(MARK, whole.resource_id), encode(whole))

    def _refused_events(self) -> None:
        """Events that are none, with numbers far beyond those of a real source's stream."""
        for source in REAL:
            text = {"type": "dispatch", "environment": "simulator", "source": source, "stream": MARK, "seq": ABSURD_SEQ}
            self._say(TOPICS.dispatch(MARK, "R"), json.dumps({**text, "plant": MARK}).encode())

    def _many_nodes(self) -> None:
        count = 5000
        column = tuple(float(number) for number in range(count))
        start = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=5 * self._chance.randrange(1000))
        prices = Prices(
            environment=Environment.SIMULATOR,
            source=SOURCE,
            time=datetime.now(UTC),
            id=f"{MARK}{self._chance.randrange(10**9)}",
            stream=MARK,
            seq=1 + self._chance.randrange(1000),
            market=MARKET,
            interval_start=start,
            interval_end=start + timedelta(minutes=5),
            fetched_at=datetime.now(UTC),
            nodes=tuple(f"{MARK}{number}" for number in range(count)),
            lmp_usd_per_mwh=column,
            energy_usd_per_mwh=column,
            congestion_usd_per_mwh=column,
            loss_usd_per_mwh=column,
            ghg_usd_per_mwh=column,
        )
        self._say(TOPICS.prices(MARKET), encode(prices))

"""The world: one resource's life from CAISO to a register, as plain data that can be forked.

CAISO - two ADS ingests and one of OASIS, each with its disk - their lines - the broker - its line to the gateway - the gateway.
While nobody disturbs it each part does what it does in the product: `pass_time` lets every ingest ask and speak, and the
gateway show. What may go wrong is in `actions`.
"""

from collections.abc import Iterator, Sequence

from model.ads import Ads
from model.bus import Broker, Packet
from model.clocks import TrueTime
from model.forking import LIVE
from model.gateway import Gateway
from model.ingests import AdsProcess, Ingest, OasisProcess
from model.invariant import Bench, Violation, violations
from model.said import FIVE_MINUTE, HOURLY, Batch, Curve, Price, Said
from model.shown import Shown

from dotbus.runtime.installation.installation import Installation

STEP_S = 30.0
"""The longest time in which every ingest asks and speaks once. A poll is due more often in the product, never more seldom."""
LONG_S = 240.0
"""What takes longer goes by in steps twice as long, for the sake of the machine."""
BEGINNING = Said(
    batches=(
        Batch("H1", HOURLY, 0, 3600, 20, -1000),
        Batch("B1", FIVE_MINUTE, 0, 300, 40, -150),
        Batch("B2", FIVE_MINUTE, 300, 600, 55, 150),
    ),
    # One that is new and soon over, one that is old and goes on.
    curves=(Curve("C1", "SOLAR", 100, ((100, 43), (330, 53))), Curve("C2", "BESS", -100, ((-100, -10), (900, -30)))),
    prices=(Price(0, 30.0, -100), Price(300, 35.0, 200)),
)
POINTS = [
    {"unit_id": unit, "address": address, "quantity": quantity, **changed}
    for unit, scale in ((3, 100), (4, 1000))
    for address, quantity, changed in (
        (0, "dot_quality", {"resource": "SOLAR"}),
        (1, "dot_mw", {"resource": "SOLAR", "type": "int16", "scale": scale}),
    )
]
PLACE = {
    "environment": "production",
    "plant": [{"name": "sierra", "resource": [{"id": "SOLAR", "node": "NODE1"}, {"id": "BESS"}]}],
    "modbus": {"block": [{"profile": "classic", "unit_id": 1}, {"profile": "plant", "unit_id": 2}], "point": POINTS},
}


class World:
    """All parts at one time.

    Attributes:
        early: the first packet on each state's topic, which may come again at any time.
    """

    def __init__(self, installation: Installation, ads: Sequence[str] = ("a", "b"), oasis: Sequence[str] = ("a",)) -> None:
        self.true = TrueTime(210.0)
        self.ads = Ads(BEGINNING)
        around = installation, self.ads, self.true
        made = [
            *(Ingest(f"ads_ingest/{name}", AdsProcess, *around) for name in ads),
            *(Ingest(f"lmp_ingest/{name}", OasisProcess, *around) for name in oasis),
        ]
        self.ingests: dict[str, Ingest] = {
            ("p" if one.source.startswith("lmp_ingest") else one.source[-1]): one for one in made
        }
        self.broker = Broker()
        self.gateway = Gateway(installation, self.true)
        self.early: dict[str, Packet] = {}
        self.shown = Shown()

    @classmethod
    def begun(cls, **parts: Sequence[str]) -> "World":
        """At work for half a minute: all is well, the first DOT in force, a minute before the next."""
        world = cls(Installation.model_validate(PLACE), **parts)
        for ingest in world.ingests.values():
            ingest.start()
        world.start_gateway()
        for _ in range(3):
            list(world.pass_time(10.0))
        world.broker.save()
        return world

    @property
    def now_s(self) -> float:
        return self.true.now_s

    @property
    def of_ads(self) -> list[str]:
        """The ADS ingests there are."""
        return [name for name in self.ingests if name != "p"]

    @property
    def price_topic(self) -> str:
        return self.gateway.topics.lmp("RTM", "NODE1")

    @property
    def dot_topic(self) -> str:
        return self.gateway.topics.dot("sierra", "SOLAR")

    @property
    def curve_topic(self) -> str:
        return self.gateway.topics.trajectory("sierra", "SOLAR")

    @property
    def said(self) -> Said:
        return self.ads.said

    def pass_time(self, length_s: float) -> Iterator[Violation]:
        """Time passes, in steps; every part does its work. Yields what a register showed wrongly, at any of them."""
        end_s = float(round(self.now_s + length_s))
        while self.now_s < end_s:
            self.true.now_s = min(self.now_s + (STEP_S if length_s <= LONG_S else 2 * STEP_S), end_s)
            yield from self.look()
            for ingest in self.ingests.values():
                if ingest.process and self.broker.runs and not ingest.connected:
                    ingest.connect()
                self.deliver(ingest.line.send(ingest.turn()))
            yield from self.look()

    def look(self) -> list[Violation]:
        """What a client that reads now would take for good and is not."""
        if self.gateway.images is None or self.gateway.busy:
            return []
        bench = Bench(self.gateway.look(), self.said, self.now_s)
        return [*violations(bench), *self.shown.then(bench, self.gateway.taken)]

    def deliver(self, packets: Sequence[Packet]) -> None:
        """Packets reach the broker, which keeps them and passes them on."""
        if not self.broker.runs:
            return
        for packet in packets:
            self.broker.take(packet)
            if "/service/" not in packet.topic:
                self.early.setdefault(packet.topic, packet)
        if self.gateway.images and self.gateway.images.received.connected:
            self.gateway.hear(self.gateway.line.send([*packets]))

    def connect_gateway(self) -> None:
        """A connection, and with it what the broker retains: states first, as they were subscribed to."""
        self.gateway.turn(connected=True)
        retained = sorted(self.broker.retained.items(), key=lambda entry: "/service/" in entry[0])
        self.gateway.hear(self.gateway.line.send([Packet(topic, payload, retained=True) for topic, payload in retained]))

    def start_gateway(self) -> None:
        """A new process, which has shown nothing yet."""
        self.gateway.start()
        self.shown = Shown()
        if self.broker.runs:
            self.connect_gateway()

    def disconnect_gateway(self) -> None:
        self.gateway.line.breaks()
        self.gateway.turn(connected=False)

    def disconnect(self, ingest: Ingest) -> None:
        """An ingest's connection breaks: what was on it is lost, and the broker says its last will."""
        ingest.line.breaks()
        if ingest.connected:
            ingest.connected = False
            self.deliver([ingest.will()])


LIVE.add(World)

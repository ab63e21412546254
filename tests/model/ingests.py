"""The ingests: a disk that outlives them, a process that does not, the line to the broker, and what they say of themselves.

The streams, books, boards and prices are the product's own. What its courier and presence do with threads is done here by a
turn: each state that changed, all of them on a new connection, and only then a heartbeat.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from gateway_story import at
from model.ads import Ads, AdsLine, Disk, Nothing
from model.bus import Line, Packet
from model.clocks import Monotonic, PartClock, TrueTime
from model.forking import LIVE
from oasis_blocks import block

from ads_ingest.batches.alarms import ClockSteps, Silence
from ads_ingest.batches.listing import Listing
from ads_ingest.batches.passed_over import PassedOver
from ads_ingest.batches.validations import Validations
from ads_ingest.batches.views import View, Views
from ads_ingest.dispatch import DispatchStream
from ads_ingest.dispatch_changes import DispatchChanges
from ads_ingest.known.from_batches import known_dots, known_trajectories, valid_for
from ads_ingest.publishing import Publisher, UnassignedResources
from ads_ingest.service import FollowedStream
from ads_ingest.settings import AdsPace
from ads_ingest.taking_over import take_over
from ads_ingest.trajectory import TrajectoryStream
from ads_ingest.translate import Sender
from ads_ingest.wiring import open_batches
from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import Lmp, NodePrice, ServiceStatus, Upstream
from dotbus.runtime.health import UpstreamHealth
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.toml_values import Market
from lmp_ingest.known.book import Book, _Page
from lmp_ingest.known.price_block import PriceBlock
from lmp_ingest.translate import Sender as PriceSender

NODE, MARKET = "NODE1", Market.RTM
REFRESH = timedelta(seconds=30)
PACE = AdsPace(poll_s=10.0, recheck_s=30.0)
VOUCHED_FOR = timedelta(seconds=900)


class Process(Protocol):
    """What runs in an ingest until it is killed."""

    def ask(self) -> None:
        """Ask CAISO once, and keep what it said."""
        ...

    def upstreams(self) -> tuple[Upstream, ...]:
        """How CAISO is heard."""
        ...


class Ingest:
    """An ingest as the bus sees it.

    Attributes:
        begin: makes its process, with what is on disk.
        process: the running one, None while there is none.
        said: the revision of each state that was said on this connection.
        connected: to the broker.
        given_away: a topic that is not said any more, because the configuration gives its resource to another plant.
    """

    def __init__(
        self, source: str, begin: Callable[["Ingest"], "Process"], installation: Installation, ads: Ads, true: TrueTime
    ) -> None:
        self.source = source
        self.begin = begin
        self.topics = installation.topics
        self.installation = installation
        self.clock = PartClock(true)
        self.caiso = AdsLine(ads, self.clock)
        self.disk = Disk()
        self.line = Line()
        self.process: Process | None = None
        self.started_at = self.clock()
        self.connected = False
        self.said: dict[str, int] = {}
        self.given_away = ""

    @property
    def status_topic(self) -> str:
        return self.topics.service(*self.source.split("/"))

    def start(self) -> None:
        self.started_at = self.clock()
        self.process = self.begin(self)

    def kill(self) -> None:
        """The process is gone, and with it the connection."""
        self.process = None

    def connect(self) -> None:
        self.connected, self.said = True, {}

    def will(self) -> Packet:
        """What the broker says of it when its connection breaks."""
        return Packet(self.status_topic, encode(self._status((), online=False, said_at=self.started_at)))

    def turn(self) -> list[Packet]:
        """Ask CAISO once, and say what is to be said. Nothing while it cannot speak."""
        if self.process is None:
            return []
        self.process.ask()
        return self.say() if self.connected else []

    def say(self) -> list[Packet]:
        """Every state that was not said yet, and then a heartbeat. It beats while CAISO keeps it waiting, too."""
        if self.process is None:
            return []
        changed = {topic: rev for topic, rev in self.disk.revisions.items() if self.said.get(topic) != rev}
        self.said |= changed
        states = [Packet(topic, self.disk.kept[topic]) for topic in changed if topic != self.given_away]
        return [*states, Packet(self.status_topic, encode(self._status(self.process.upstreams())))]

    def _status(self, upstreams: tuple[Upstream, ...], *, online: bool = True, said_at: Any = None) -> ServiceStatus:
        service, instance = self.source.split("/")
        return ServiceStatus(
            environment=self.installation.environment,
            source=self.source,
            time=said_at or self.clock(),
            service=service,
            instance=instance,
            online=online,
            started_at=self.started_at,
            software_version="1",
            upstreams=upstreams,
        )


class AdsProcess:
    """Both streams, as the product wires them."""

    def __init__(self, ingest: Ingest) -> None:
        sender, nothing = Sender(ingest.installation, ingest.source), Nothing()
        kept = take_over(ingest.disk, sender, ingest.clock())
        told = {"committed": nothing.committed, "unassigned": UnassignedResources()}
        validations = Validations(ingest.caiso, enabled=False)
        around = {"quarantine_log": nothing, "files": nothing, "clock": ingest.clock}
        lasts = valid_for(PACE.recheck_s)
        known = known_dots(sender, kept, lasts)
        dots = Publisher(ingest.disk, known, ingest.topics, "dispatch", **told)
        known_state = known_trajectories(sender, kept, valid_for(PACE.poll_s))
        curves = Publisher(ingest.disk, known_state, ingest.topics, "trajectory", **told)
        batches = open_batches(PACE, ingest.installation, lasts, lambda: 0.0)
        views = Views(View(batches, known.sees, nothing.noted))
        of_dispatches = of_trajectories = Unwatched(ingest.clock())
        dispatch = DispatchStream(
            ingest.caiso,
            dots,
            validations=validations,
            batches=batches,
            changes=DispatchChanges(ingest.caiso, dots, sender, batches=batches, views=views, clock=ingest.clock),
            clock_steps=steps_of(ingest),
            listing=Listing(
                ingest.caiso,
                batches,
                NonePassedOver(batches, {}, timedelta(0)),
                clock=ingest.clock,
                silence=of_dispatches,
            ),
            alarms=Unalarmed(),
            **around,
        )
        trajectory = TrajectoryStream(
            ingest.caiso,
            curves,
            sender,
            clock_steps=steps_of(ingest),
            silence=of_trajectories,
            of_dispatches=of_dispatches,
            outages=Unalarmed(),
            **around,
        )
        followed = {"clock": ingest.clock, "clock_offset_s": CaisoOffset(ingest.caiso)}
        self.streams = [
            FollowedStream("ads_dispatch", dispatch, nothing, **followed),
            FollowedStream("ads_trajectory", trajectory, nothing, **followed),
        ]

    def ask(self) -> None:
        for stream in self.streams:
            stream.follow()

    def upstreams(self) -> tuple[Upstream, ...]:
        return tuple(stream.health.snapshot() for stream in self.streams)


class Unwatched(Silence):
    """No silence is looked into, and none is remembered: what is explored is shorter than one."""

    def note_news(self, now: datetime) -> None:
        pass

    def is_to_check(self, *_of: object) -> bool:
        return False

    def lasted(self, *_of: object) -> timedelta:
        return timedelta(0)


class NonePassedOver(PassedOver):
    """Lists here continue from where a batch came first, so that nothing is passed over, and none is remembered."""

    def note_listed(self, *_of: object) -> None:
        pass

    def may_be(self, *_of: object) -> bool:
        return False


class Unalarmed:
    """No outage is noted, and none is remembered: what is explored is shorter than one."""

    def note_heard(self, *_at: datetime) -> None:
        pass

    def alarms(self, _now: datetime) -> tuple[str, ...]:
        return ()


def steps_of(ingest: Ingest) -> ClockSteps:
    """Sees whether an ingest's clock was set."""
    return ClockSteps(ingest.clock, Monotonic(ingest.clock.true))


class CaisoOffset:
    """CAISO's clock minus an ingest's, as its last answer told."""

    def __init__(self, line: AdsLine) -> None:
        self.line = line

    def __call__(self) -> float | None:
        return self.line.clock_offset_s


class OasisProcess:
    """One market of one node: the product's price book, asked for everything each time."""

    def __init__(self, ingest: Ingest) -> None:
        self.ingest = ingest
        self.health = UpstreamHealth("oasis_rtm", CaisoOffset(ingest.caiso))
        self.book = Book(PriceSender(ingest.installation.environment, ingest.source), REFRESH, {MARKET: VOUCHED_FOR})
        for payload in ingest.disk.states().values():
            self.book.restore(MARKET, decode_as(payload, Lmp), ingest.clock())

    def ask(self) -> None:
        caiso, now = self.ingest.caiso, self.ingest.clock()
        if caiso.answers:
            caiso.was_heard = True
            self.book.compare_clocks(caiso.clock_offset_s)
            self.book.hear([NODE], self._answer(), now)
            self.health.succeeded(now)
        else:
            self.health.failed(now, "no reply")
        states = self.book.states(now)
        self.ingest.disk.commit(now, states=[(self.ingest.topics.lmp(MARKET, NODE), state) for state in states])
        self.book.said(states)

    def upstreams(self) -> tuple[Upstream, ...]:
        return (self.health.snapshot(),)

    def _answer(self) -> PriceBlock:
        fetched_at = self.ingest.clock()
        prices = [
            NodePrice(
                interval_start=at(price.start_s),
                interval_end=at(price.start_s + 300),
                fetched_at=fetched_at,
                lmp_usd_per_mwh=price.usd,
            )
            for price in self.ingest.caiso.ads.said.prices
        ]
        return block(MARKET, [(NODE, price) for price in prices], fetched_at=fetched_at)


LIVE |= {Ingest, AdsProcess, Listing, OasisProcess, CaisoOffset, Book, _Page}

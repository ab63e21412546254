"""A story for lmp_ingest's loop: scripted replies, a clock that stands still unless it is moved, and a real outbox."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from oasis_recordings import zipped
from prometheus_client import CollectorRegistry

from caiso import oasis
from caiso.oasis import REPORTS, Market, Question, Reply
from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import Backfill, BackfillReply, BackfillRequest, Lmp, Prices, Upstream, UpstreamGap
from dotbus.runtime.ingest import open_outbox, open_quarantine
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.presence import Identity
from lmp_ingest.caiso import Caiso
from lmp_ingest.history.bus_requests import RequestsOnBus
from lmp_ingest.history.history import History
from lmp_ingest.meters import Meters
from lmp_ingest.service import Loop
from lmp_ingest.settings import OasisSettings
from lmp_ingest.translate import Sender
from lmp_ingest.wiring import wire_loop

BEGIN = datetime(2025, 9, 1, 18, tzinfo=UTC)
FIVE = timedelta(minutes=5)
HEADER = "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,NODE,MARKET_RUN_ID,LMP_TYPE,VALUE\n"


PriceRow = tuple[datetime, str, str, object]
"""Interval start, node, LMP_TYPE and price."""


def table(market: Market, rows: list[PriceRow]) -> bytes:
    """The zip with such rows."""
    interval = REPORTS[market].interval
    lines = [
        f"{start:%Y-%m-%dT%H:%M:%S}-00:00,{start + interval:%Y-%m-%dT%H:%M:%S}-00:00,{node},{market},{kind},{price}\n"
        for start, node, kind, price in rows
    ]
    return zipped(prices__csv=(HEADER + "".join(lines)).encode())


def prices_of(market: Market, rows: Iterable[PriceRow]) -> oasis.Prices:
    """The same, read. A price that is None is blank."""
    return oasis.parse_reply(200, table(market, [(*row[:3], "" if row[3] is None else row[3]) for row in rows]))


class ScriptedOasis:
    """Answers each question by a function that a test may change on the way."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.answer: Callable[[Question], bytes] = lambda _: b""
        self.status = 200
        self.clock_offset_said_s: float | None = 0.25
        self.asked: list[tuple[datetime, Question]] = []

    def fetch(self, question: Question) -> Reply:
        asked_at = self.clock()
        self.asked.append((asked_at, question))
        content = self.answer(question)
        return Reply(self.status, content, min(asked_at, self.clock()), self.clock())


class QuietBus:
    """A bus on which a test alone speaks; what is published on it is kept."""

    def __init__(self) -> None:
        self.published: list[Outgoing] = []
        self._hear: Callable[[Delivery], None] = lambda _delivery: None

    def subscribe(self, _filters: list[str], hear: Callable[[Delivery], None]) -> None:
        self._hear = hear

    def say(self, payload: bytes, now: datetime) -> None:
        self._hear(Delivery("backfill", payload, retained=False, received_at=now))

    def publish(self, messages: list[Outgoing], timeout_s: float = 10.0) -> None:
        assert timeout_s < 10, "nobody waits long for who asks"
        self.published += messages


class Story:
    """A loop whose clock stands still unless it is moved."""

    def __init__(
        self, folder: Path, markets: tuple[Market, ...], nodes: tuple[str, ...], *, begin: datetime = BEGIN, **settings: object
    ) -> None:
        self.now = begin
        # No further back than each hour, unless a story is about that: a week of prices would hide what it is about.
        self.settings = OasisSettings(state_dir=folder, **{"corrections_far_back_days": 1, **settings})
        self.installation = Installation.model_validate(
            {
                "environment": "simulator",
                "plant": [{"name": "p", "resource": [{"id": "R"}]}],
                "prices": {"markets": markets, "nodes": nodes},
            }
        )
        self.oasis = ScriptedOasis(lambda: self.now)
        self.registry = CollectorRegistry()
        self.start()

    def start(self) -> None:
        self.outbox = open_outbox(self.settings)
        self.loop: Loop = wire_loop(
            self.settings,
            Caiso(self.oasis, self.settings.bounds),
            self.outbox,
            Sender(self.installation.environment, "lmp_ingest/test"),
            installation=self.installation,
            quarantine=open_quarantine(self.settings),
            meters=Meters(self.registry),
            clock=lambda: self.now,
            committed=lambda: None,
            chance=lambda: 0.0,
            requests=self._requests,
        )

    def _requests(self, history: History) -> RequestsOnBus:
        identity = Identity("lmp_ingest", "test", self.installation.environment, self.now)
        self.bus = QuietBus()
        return RequestsOnBus(self.bus, history, self.outbox, self.installation.topics, identity, clock=lambda: self.now)

    def ask(self, **wanted: object) -> BackfillReply:
        """What the service replies to a request for prices of the past."""
        of_all = {"environment": self.installation.environment, "source": "test", "time": self.now}
        return self.ask_in_words(encode(BackfillRequest(**of_all | wanted)))

    def ask_in_words(self, payload: bytes) -> BackfillReply:
        """The same to whatever is said."""
        self.bus.say(payload, self.now)
        self.loop.step()
        return decode_as(self.bus.published.pop().payload, BackfillReply)

    def backfill(self, request_id: str) -> Backfill | None:
        """How far one is."""
        return next((one for one in self.loop.backfills(self.now) if one.request_id == request_id), None)

    def restart(self) -> None:
        self.outbox.close()
        self.registry = CollectorRegistry()
        self.start()

    def run(self, seconds: float) -> None:
        """Let time pass as the loop itself asks for it."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.loop.step()
            self.now += timedelta(seconds=max(self.loop.idle_s(), 0.01))

    def leap(self, seconds: float, by_s: float) -> None:
        """Let much time pass in large steps."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.loop.step()
            self.now += timedelta(seconds=by_s)

    def events(self) -> list[Prices]:
        return [decode_as(event.payload, Prices) for event in self.outbox.events_of("prices/")]

    def gaps(self) -> list[UpstreamGap]:
        return [decode_as(event.payload, UpstreamGap) for event in self.outbox.events_of("gap/")]

    def state(self, market: Market, node: str) -> Lmp | None:
        payload = self.outbox.states().get(self.installation.topics.lmp(market, node))
        return decode_as(payload, Lmp) if payload else None

    def health(self, market: Market) -> Upstream:
        return next(one for one in self.loop.upstreams() if one.name == f"oasis_{market.lower()}")

    def count(self, name: str, market: Market, **labels: str) -> float:
        return self.registry.get_sample_value(f"lmp_ingest_{name}", {"market": market.value, **labels}) or 0.0

    def quarantined(self) -> list[Path]:
        return sorted((self.settings.state_dir / "quarantine").glob("*"))


def published(clock: Callable[[], datetime], price: float = 10.0) -> Callable[[Question], bytes]:
    """Everything asked for that begins until five minutes from now, in one price."""

    def answer(question: Question) -> bytes:
        interval = REPORTS[question.market].interval
        until = min(question.end, clock() + FIVE)
        count = max(0, -((question.start - until) // interval))
        starts = [question.start + number * interval for number in range(count)]
        return table(question.market, [(start, node, "LMP", price) for start in starts for node in question.nodes])

    return answer

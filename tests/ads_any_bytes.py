"""A CAISO that answers with any bytes, in any order, and what holds of the loop that asks it, whatever they are.

Some answers are those of an honest CAISO, so that the loop has something to lose. What may be published as good is judged by a
reader of its own, which knows of the bytes no more than that megawatts and the UID of their batch stand in one answer.
"""

import base64
import re
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from html import escape, unescape
from pathlib import Path

from ads_bench import MINUTE, RECHECK, T0, Bench, batch, trajectory
from ads_fake import FakeAds
from ads_replies import envelope, packed

from ads_ingest.quarantine import QuarantineLog
from ads_ingest.service import FollowedStream, Loop
from caiso.ads.errors import AdsFailure, TimedOut, Unforeseen
from caiso.ads.records import Question, Reply
from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import Dot

TIMEOUT_S = 30.0
ANSWERS_MOST = 40
ANSWERS_END = b"\0\0"
"""Between the answers that some bytes stand for."""
TURNS_MOST = 2 * ANSWERS_MOST
QUESTIONS_MOST = 200
"""What one turn asks at most beside what CAISO lists."""
TURNS_UNTIL_GOOD = 6
"""Each of the two streams comes three times: at once, after its longest pause, and once more."""
DATES = tuple(round((datetime(year, 1, 1, tzinfo=UTC) - T0).total_seconds()) for year in (1970, 2200))
"""How far the Date of a reply can be from our time, seconds (`caiso.http`)."""
UNPACKED_MOST = 2_000_000
GOOD, GOOD_MW, GOOD_CURVE = "GOOD-AFTER-ALL", 41.875, "GOOD-CURVE"
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]{24,}")


class Way(Enum):
    """How some bytes answer a question."""

    HONEST = "not at all: it is answered as it should be"
    WHOLE = "they are the whole reply"
    STATUS = "they are a reply of status 500"
    INLINE = "as the result"
    ESCAPED = "as the result, escaped"
    PACKED = "as the result, Base64 of gzip"
    BASE64 = "as the result, Base64"
    DAMAGED = "they stand in an honest reply where something else stood"
    CUT = "an honest reply ends within itself"
    ANOTHER = "with the reply to the question before"
    TIMED_OUT = "not at all: nothing comes"
    DATED = "honestly, by a clock that they tell"
    KILLED = "not at all: the process ends"


RESULTS: Mapping[Way, Callable[[bytes], str]] = {
    Way.INLINE: lambda content: content.decode("utf-8", "replace"),
    Way.ESCAPED: lambda content: escape(content.decode("utf-8", "replace")),
    Way.PACKED: packed,
    Way.BASE64: lambda content: base64.b64encode(content).decode(),
}


class Killed(BaseException):
    """The process of the ingest is gone, here and now."""


@dataclass(frozen=True)
class Answer:
    """To one question."""

    way: Way
    content: bytes = b""


@dataclass
class AnyBytesAds:
    """Answers each question with the next answer, and honestly once none is left.

    Attributes:
        honest: a CAISO that answers as it should.
        later: lets time pass.
        answers: those to come.
        texts: all that was answered, as it may be read.
        asked: how many questions.
    """

    honest: FakeAds
    later: Callable[[timedelta], None]
    answers: list[Answer]
    texts: list[str] = field(default_factory=list)
    asked: int = 0
    _before: bytes = b""

    def fetch(self, question: Question) -> Reply:
        """As the source does."""
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else Answer(Way.HONEST)
        if answer.way is Way.KILLED:
            raise Killed
        if answer.way is Way.TIMED_OUT:
            within_s = min(question.within_s, TIMEOUT_S)
            self.later(timedelta(seconds=within_s))
            raise TimedOut(question, f"no reply within {within_s:g} s")
        body = self._body(question, answer)
        self._before = body
        self.texts += texts_in(body)
        status, ahead_s = 500 if answer.way is Way.STATUS else 200, None
        if answer.way is Way.DATED:
            ahead_s = DATES[0] + int.from_bytes(answer.content[:4], "big") % (DATES[1] - DATES[0])
        return Reply(question, status, body, ahead_s)

    def _body(self, question: Question, answer: Answer) -> bytes:
        honest, content = self.honest.fetch(question).body, answer.content
        if in_result := RESULTS.get(answer.way):
            return envelope(question.operation, in_result(content))
        match answer.way:
            case Way.WHOLE | Way.STATUS:
                return content
            case Way.DAMAGED:
                at, piece = int.from_bytes(content[:2], "big") % (len(honest) + 1), content[2:]
                return honest[:at] + piece + honest[at + len(piece) :]
            case Way.CUT:
                return honest[: int.from_bytes(content[:2], "big") % (len(honest) + 1)]
            case Way.ANOTHER:
                return self._before
            case _:
                return honest


def texts_in(body: bytes) -> Iterator[str]:
    """Whatever a reply may be read as: as it is, and each whole gzip in it, all of them without what XML escapes."""
    yield unescape(unescape(body.decode("utf-8", "replace")))
    for found in _BASE64.finditer(body):
        text = b"".join(found[0].split())
        try:
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            document = member.decompress(base64.b64decode(text + b"=" * (-len(text) % 4)), UNPACKED_MOST)
        except (zlib.error, ValueError):
            continue
        if member.eof:
            yield unescape(document.decode("utf-8", "replace"))


def answers_from(content: bytes) -> list[Answer]:
    """What some bytes stand for: answers between zero bytes, each of which tells its way by its first."""
    ways = tuple(Way)
    pieces = [piece for piece in content.split(ANSWERS_END) if piece][:ANSWERS_MOST]
    return [Answer(ways[piece[0] % len(ways)], piece[1:]) for piece in pieces]


class Running:
    """Both streams, the loop that follows them, and its clock."""

    def __init__(self, folder: Path, answers: Sequence[Answer]) -> None:
        self.bench = Bench(folder)
        self.ads = AnyBytesAds(self.bench.ads, self.bench.later, list(answers))
        self.bench.source = self.ads
        self.unforeseen: list[AdsFailure] = []
        self.begin()

    def begin(self) -> None:
        """A process begins."""
        self.bench.restart()
        self.streams = [
            self._followed("ads_dispatch", self.bench.dispatch),
            self._followed("ads_trajectory", self.bench.trajectory),
        ]
        clocks = {"clock": lambda: self.bench.now, "monotonic_s": lambda: self.bench.monotonic_s}
        self.loop = Loop(self.streams, 10.0, chance=lambda: 0.5, **clocks)

    def _followed(self, name: str, stream: object) -> FollowedStream:
        log = QuarantineLog(self.bench.quarantine)
        return FollowedStream(name, stream, log, clock=lambda: self.bench.now, failed=self._note)  # type: ignore[arg-type]

    def _note(self, failure: AdsFailure) -> None:
        if isinstance(failure, Unforeseen):
            self.unforeseen.append(failure)

    def turn(self) -> None:
        """Once around, and the pause behind it. Raises what must not be."""
        asked, honest, begun_s = self.ads.asked, len(self.bench.ads.asked), self.bench.monotonic_s
        try:
            pause_s = self.loop.turn(threading.Event())
        except Killed:
            self.begin()
            pause_s = 1.0
        assert self.ads.asked - asked <= QUESTIONS_MOST + sum(text.count("atchUID") for text in self.ads.texts), (
            "it asks without end"
        )
        assert pause_s > 0 or self.bench.monotonic_s > begun_s, "it asks without a pause"
        del self.bench.ads.asked[honest:]
        for stream in self.streams:
            told = str(stream.health.snapshot().last_error)
            assert not told.startswith(("unforeseen", "outbox")), told
        self.bench.later(timedelta(seconds=pause_s))

    def dots(self) -> Iterator[Dot]:
        """The states of all resources."""
        for payload in self.bench.outbox.states().values():
            try:
                state = decode(payload)
            except UndecodableMessage as error:
                raise AssertionError("a state that nobody can read") from error
            if isinstance(state, Dot):
                yield state

    def judge_dots(self) -> None:
        """No DOT is on the bus of which CAISO did not say both the megawatts and the batch."""
        for state in self.dots():
            for interval in state.intervals:
                assert self.was_said(interval.batch_uid, interval.dot_mw), (state.resource_id, interval)

    def was_said(self, batch_uid: str, dot_mw: float) -> bool:
        """Whether both stand in one answer."""
        return any(batch_uid in text and dot_mw in numbers_in(text) for text in self.ads.texts)


def numbers_in(text: str) -> set[float]:
    """All that a text may be read to say."""
    return {float(number) for number in _NUMBER.findall(text)}


@contextmanager
def running(answers: Sequence[Answer]) -> Iterator[Running]:
    """An ingest in a folder of its own, which has heard the first batches."""
    with tempfile.TemporaryDirectory() as folder:
        ingest = Running(Path(folder), answers)
        ingest.bench.ads.batches = [batch(1), batch(2, at=T0 + 5 * MINUTE)]
        ingest.bench.ads.trajectories = [trajectory("T1", 0, (0, 10.0), (5, 20.0))]
        try:
            yield ingest
        finally:
            ingest.bench.outbox.close()


def check_any_bytes(answers: Sequence[Answer]) -> list[AdsFailure]:
    """Raises AssertionError for what must not be. Returns each fault of ours that ended with the batch that met it."""
    with running(answers) as ingest:
        for _ in range(TURNS_MOST):
            if not ingest.ads.answers:
                break
            ingest.turn()
            ingest.judge_dots()
        check_recovery(ingest)
        return ingest.unforeseen


def check_recovery(ingest: Running) -> None:
    """What an honest CAISO says next is on the bus soon."""
    bench = ingest.bench
    begins = bench.now.replace(second=0, microsecond=0)
    bench.ads.batches.append(batch(0, at=begins, R1=GOOD_MW))
    bench.ads.batches[-1].batch_uid = GOOD
    minute = (begins - T0) / MINUTE
    bench.ads.trajectories.append(trajectory(GOOD_CURVE, minute, (minute, 1.0), (minute + 5, 2.0)))
    for _ in range(TURNS_UNTIL_GOOD):
        ingest.turn()
    assert (GOOD, GOOD_MW) in bench.dots(), "a good batch did not come through"
    assert GOOD_CURVE in {point.batch_uid for point in bench.curve().points}, "a good trajectory did not come through"
    bench.later(RECHECK)
    ingest.turn()
    ingest.judge_dots()

"""What a resource's DOT on the bus is worth now: docs/quality.md for `dot` states, as a short program. It opens no connection.

It judges no better than that page and now and then worse: when the time of day is set it knows nothing until it hears it again,
and where a source goes back on what it said, or two contradict each other, it has no value.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

Message = Mapping[str, Any]
GOOD, UNCERTAIN, BAD = 192, 64, 0
LESS_THAN_BAD = {"source_offline", "source_failing", "broker_lost", "out_of_limits", "clock_in_doubt", "incomplete"}
AGREE_S, COMPARED_FOR_S, A_MINUTE_S, STEP_S, DAY_S = 2.0, 300.0, 60.0, 0.5, 86_400.0
NEVER_S = float("-inf")
ENVIRONMENTS = ("production", "stage", "simulator")
YEARS, MOST = range(2000, 2100), 500  # of times, and of parts in a list
HOURLY, EXCEPTIONAL = 1, 4  # batch types; all others are five-minute
ASKS = ("interval_start", "interval_end", "target_at", "dot_mw", "supp_mw", "must_follow")


@dataclass(frozen=True)
class Reading:
    """A DOT and how far it may be believed. Without `dot_mw` there is nothing to act on: it is bad."""

    quality: int
    reasons: frozenset[str]
    dot_mw: float | None = None
    until: str | None = None
    age_s: float | None = None


@dataclass
class Said:
    """A message, when it first came, and on which connection it came last."""

    message: Message
    arrived_s: float
    connection: int

    def age_s(self, now_s: float) -> float:
        """How long ago CAISO said or confirmed it. A clock that is ahead makes nothing young."""
        said_s, heard_s = seconds(self.message["time"]), seconds(self.message["heard_at"])
        return now_s - min(heard_s, self.arrived_s, self.arrived_s - (said_s - heard_s))


@dataclass
class Source:
    """An instance of ads_ingest: its latest status, how far its clock is ahead of ours, and which of its runs speak."""

    status: Message | None = None
    status_s: float = NEVER_S
    connection: int = 0
    is_will: bool = False
    upstreams: list[Message] = field(default_factory=list)
    ahead_s: deque[float] = field(default_factory=lambda: deque(maxlen=3))
    compared_s: float = NEVER_S
    run_s: float = NEVER_S
    run_heard_s: float = NEVER_S
    doubled_s: float = NEVER_S


class Dots:
    """All that came about DOTs. One environment counts: a test dispatch must never drive a plant by accident.

    `now` is the time of day in seconds since 1970, `ticks` seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        environment: str,
        stale_after_s: float = 90.0,
        now: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment, self._stale_after_s, self._now, self._ticks = environment, stale_after_s, now, ticks
        self._states: dict[str, dict[str, Said]] = {}
        self._unread: dict[str, str] = {}
        self._sources: dict[str, Source] = {}
        self._retracted_s: dict[str, float] = {}
        self._known: dict[tuple[str, str], dict[str, tuple[int, float]]] = {}
        self._withdrawn: dict[str, dict[str, tuple[int, float]]] = {}
        self._connection, self._connected = 0, False
        self._set_by_s = now() - ticks()

    def turn(self, *, is_up: bool) -> None:
        """The broker came or went. What it does not say again on a new connection may be gone: that is in doubt."""
        self._connected = is_up
        self._connection += is_up

    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """A message on `plant/PLANT/RESOURCE/dot` or `service/ads_ingest/INSTANCE`."""
        now_s, names = self._look(), [unquote(name) for name in topic.split("/")]
        if not payload:
            self._states.pop(topic, None)
            self._unread.pop(topic, None)
            self._sources.pop("/".join(names[-2:]), None)
            self._retracted_s[topic] = now_s
            return
        try:
            message = _message(payload, "dot" if names[-1] == "dot" else "service")
            if message["environment"] != self._environment:
                self._unread.setdefault(topic, "wrong_environment")
            elif names[-1] == "dot":
                self._take_dots(topic, names, message)
            else:
                self._take_status(topic, names, message, retained=retained)
        except (AttributeError, KeyError, TypeError, ValueError):
            self._unread[topic] = "invalid"  # until a good message comes

    def _take_dots(self, topic: str, names: list[str], message: Message) -> None:
        if [message["plant"], message["resource_id"]] != names[-3:-1]:
            raise ValueError(topic)
        _check(message)
        now_s = self._now()
        said_s = min(seconds(message["time"]), now_s + AGREE_S)
        if said_s <= self._retracted_s.get(topic, NEVER_S):
            return
        self._unread.pop(topic, None)
        states, key = self._states.setdefault(topic, {}), (topic, message["source"])
        old = states.get(message["source"])
        if old is None or said_s >= min(seconds(old.message["time"]), old.arrived_s + AGREE_S):
            arrived_s = old.arrived_s if old and old.message == message else now_s  # the same again keeps its first arrival
            states[message["source"]] = Said(message, arrived_s, self._connection)
        for known, items, end in (
            (self._known.setdefault(key, {}), message["intervals"], "interval_end"),
            (self._withdrawn.setdefault(topic, {}), message.get("withdrawn", ()), "until"),
        ):
            for each in items:
                known[each["batch_uid"]] = max(known.get(each["batch_uid"], (0, 0.0)), (revision(each), seconds(each[end])))
            for uid in [uid for uid, (_, end_s) in known.items() if end_s < now_s - DAY_S]:
                del known[uid]

    def _take_status(self, topic: str, names: list[str], message: Message, *, retained: bool) -> None:
        said_s, began_s, now_s, online = *map(seconds, (message["time"], message["started_at"])), self._now(), message["online"]
        is_will, is_live = not online and said_s == began_s, online and not retained
        at_s = now_s if is_will else min(said_s, now_s + AGREE_S)
        if message["source"] != "/".join(names[-2:]) or at_s <= self._retracted_s.get(topic, NEVER_S):
            return
        source = self._sources.setdefault(message["source"], Source())
        source.connection = self._connection
        slack_s = AGREE_S if not online or (is_live and source.is_will) else 0.0
        if source.status is None or at_s >= source.status_s - slack_s:
            source.status, source.status_s, source.is_will = message, max(at_s, source.status_s), is_will
            source.upstreams = message["upstreams"] if online else source.upstreams
        if is_live:
            source.ahead_s.append(said_s - now_s)
            source.compared_s = now_s
            if began_s >= source.run_s or now_s > source.run_heard_s + A_MINUTE_S:
                source.run_s, source.run_heard_s = began_s, now_s
            elif said_s > source.run_s + AGREE_S:
                source.doubled_s = now_s  # two processes speak by one name

    def _look(self) -> float:
        """The time of day. When it was set since the last look, all is to be heard again and clocks to be compared anew."""
        now_s = self._now()
        set_by_s = now_s - self._ticks()
        if abs(set_by_s - self._set_by_s) > STEP_S:
            self._states, self._unread, self._sources = {}, {}, {}
        self._set_by_s = set_by_s
        return now_s

    def read(self, topic: str, *, hourly: bool = False) -> Reading:
        """The DOT in force on a topic: of the five-minute schedule, or of the hourly one."""
        now_s, states = self._look(), self._states.get(topic, {})
        if not states or self._unread.get(topic) == "invalid":
            return Reading(BAD, frozenset({self._unread.get(topic, "never_received")}))
        holding = list(self._holding(topic))
        followed = [(dot, said) for dot, said in holding if _is_followed(dot, hourly=hourly)]
        force = [each for each in followed if seconds(each[0]["interval_start"]) <= now_s < seconds(each[0]["interval_end"])]
        gone = self._withdrawn.get(topic, {})  # by whoever said so once, and says it no more
        is_torn = any(revision(dot) <= gone[dot["batch_uid"]][0] for dot, _ in force if dot["batch_uid"] in gone)
        is_torn |= any(_is_other_version(other, dot) for dot, _ in force for other, _ in holding)
        if is_torn or any(self._goes_back(topic, said, now_s) for said in states.values()):
            return Reading(BAD, frozenset({"incomplete"}))
        if not force:
            return Reading(BAD, frozenset({"expired"}))
        top = max(_rank(dot) for dot, _ in force)
        alike = [(dot, said) for dot, said in force if _rank(dot) == top]
        last = max(_uid(dot) for dot, _ in alike)  # as the gateway takes of such as are alike
        first = [(dot, self._against(said, now_s) | _own(dot), said) for dot, said in alike if _uid(dot) == last]
        dot, reasons, said = max(first, key=lambda each: (quality(each[1]), -len(each[1])))
        if any(_rank(other) == top and _contradict(other, dot) for other, _ in followed):
            return Reading(BAD, frozenset({"incomplete"}))
        if not seconds(dot["interval_start"]) <= seconds(dot["target_at"]) <= seconds(dot["interval_end"]):
            reasons |= {"invalid"}
        if not quality(reasons):
            return Reading(BAD, reasons)
        return Reading(quality(reasons), reasons, dot["dot_mw"], dot["interval_end"], said.age_s(now_s))

    def _holding(self, topic: str) -> Iterator[tuple[Message, Said]]:
        """The DOTs of each batch in its highest revision, unless that is withdrawn."""
        every = [(dot, said) for said in self._states[topic].values() for dot in said.message["intervals"]]
        gone = [each for said in self._states[topic].values() for each in said.message.get("withdrawn", ())]
        for dot, said in every:
            said_of_it = [each for each in [*(other for other, _ in every), *gone] if each["batch_uid"] == dot["batch_uid"]]
            is_gone = any(revision(each) >= revision(dot) for each in said_of_it if "until" in each)
            if revision(dot) == max(revision(each) for each in said_of_it) and not is_gone:
                yield dot, said

    def _goes_back(self, topic: str, said: Said, now_s: float) -> bool:
        """Whether a source said more of a batch before than it says now. Then nobody can say what holds."""
        now = {dot["batch_uid"]: revision(dot) for dot in sorted(said.message["intervals"], key=revision)}
        gone = {each["batch_uid"]: revision(each) for each in sorted(said.message.get("withdrawn", ()), key=revision)}
        may_hold = "incomplete" in _own(said.message)
        return any(
            now[uid] < before if uid in now else end_s > now_s and (gone[uid] < before if uid in gone else may_hold)
            for uid, (before, end_s) in self._known[topic, said.message["source"]].items()
        )

    def _against(self, said: Said, now_s: float) -> frozenset[str]:
        """What speaks against all that a message says."""
        source, until = self._sources.get(said.message["source"], Source()), said.message.get("valid_until")
        upstreams = [each for each in source.upstreams if each.get("name") == "ads_dispatch"]
        status = source.status if source.connection == self._connection else None
        ahead_s = max(source.ahead_s, default=float("inf"))
        offsets_s = [each.get("clock_offset_s") for each in upstreams]
        found = {
            "broker_lost": not self._connected or said.connection != self._connection,
            "stale": abs(said.age_s(now_s)) > self._stale_after_s or (until is not None and now_s > seconds(until)),
            "source_offline": status is not None and not status["online"],
            "source_failing": (status is not None and not (upstreams and all(each.get("ok") for each in upstreams)))
            or now_s <= source.doubled_s + A_MINUTE_S,
            "clock_in_doubt": status is None
            or abs(ahead_s) > AGREE_S
            or now_s > source.compared_s + COMPARED_FOR_S
            or any(each is None or max(abs(each), abs(each + ahead_s)) > AGREE_S for each in offsets_s)
            or max(_claims_s(said.message)) > said.arrived_s + AGREE_S,
        }
        return _own(said.message) | {reason for reason, holds in found.items() if holds}


def seconds(text: str) -> float:
    """A time of the bus, in seconds since 1970."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or at.year not in YEARS:
        raise ValueError(text)
    return at.timestamp()


def revision(item: Message) -> int:
    """The revision of a batch; none counts as 0."""
    return item.get("revision_no") or 0


def quality(reasons: frozenset[str]) -> int:
    """The worst level of all reasons."""
    return GOOD if not reasons else UNCERTAIN if reasons <= LESS_THAN_BAD else BAD


def _message(payload: bytes, kind: str) -> Message:
    """What a payload says; an error where it is none of ads_ingest's messages of this kind."""
    message: Message = json.loads(payload)
    is_known = (message["kind"], message["version"]) == (kind, 1) and message["environment"] in ENVIRONMENTS
    if not is_known or not message["source"].startswith("ads_ingest/"):
        raise ValueError(kind)
    return message


def _check(message: Message) -> None:
    """An error where a message does not say all that is read of it."""
    _own(message)
    _claims_s(message)
    seconds(message.get("valid_until") or message["heard_at"])
    for dot in message["intervals"]:
        start_s, end_s, _target_s = (seconds(dot[name]) for name in ("interval_start", "interval_end", "target_at"))
        if end_s <= start_s or not isinstance(dot["dot_mw"], int | float) or not isinstance(dot["batch_uid"], str):
            raise ValueError(dot)
    if max(len(message["intervals"]), len(message.get("withdrawn", ()))) > MOST:
        raise ValueError(message)


def _claims_s(message: Message) -> list[float]:
    """Every time at which something has happened."""
    happened = ("time", "heard_at", "received_at", "batch_received_at")
    return [seconds(each[name]) for each in (message, *message["intervals"]) for name in happened if each.get(name)]


def _own(said: Message) -> frozenset[str]:
    """What a message or a DOT says against itself."""
    known = LESS_THAN_BAD | {"never_received", "stale", "expired", "invalid", "wrong_environment"}
    return frozenset(reason if reason in known else "incomplete" for reason in said.get("reasons", ()))


def _is_followed(dot: Message, *, hourly: bool) -> bool:
    return dot.get("batch_type") in (HOURLY, EXCEPTIONAL) if hourly else dot.get("batch_type") != HOURLY


def _rank(dot: Message) -> tuple[float, int]:
    """Of several DOTs in force the highest counts."""
    return seconds(dot["batch_received_at"]) if dot.get("batch_received_at") else NEVER_S, revision(dot)


def _uid(dot: Message) -> str:
    return str(dot.get("instruction_uid") or "")


def _is_other_version(one: Message, other: Message) -> bool:
    """Whether two sources say one instruction differently."""
    words = [{name: said for name, said in dot.items() if name != "reasons" and said is not None} for dot in (one, other)]
    return words[0] != words[1] and all(one.get(name) == other.get(name) for name in ("batch_uid", "instruction_uid"))


def _contradict(one: Message, other: Message) -> bool:
    """Whether two DOTs of equal rank ask something else for a time that both have."""
    starts, ends = ([seconds(dot[name]) for dot in (one, other)] for name in ("interval_start", "interval_end"))
    return max(starts) < min(ends) and any(one.get(name) != other.get(name) for name in ASKS)

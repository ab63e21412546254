"""A subscriber of somebody else's: the rule of docs/quality.md, written from that page alone, with nothing of ours."""

from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

Message = Mapping[str, Any]
Reasons = frozenset[str]
Value = tuple[float | None, Reasons]

BAD = frozenset({"never_received", "stale", "expired", "invalid", "wrong_environment"})
UNCERTAIN = frozenset({"source_offline", "source_failing", "broker_lost", "out_of_limits", "clock_in_doubt", "incomplete"})
ENVIRONMENTS = ("production", "simulator", "stage")
NAMES = {
    "dot": ("plant", "resource_id"),
    "trajectory": ("plant", "resource_id"),
    "instructions": ("plant", "resource_id"),
    "lmp": ("market", "node"),
    "service": ("service", "instance"),
}
LIMITS = {"dot": "dot", "trajectory": "trajectory", "instructions": "dot", "lmp": "price"}
TIMES = frozenset(
    {
        "time",
        "heard_at",
        "valid_until",
        "received_at",
        "batch_received_at",
        "target_at",
        "fetched_at",
        "interval_start",
        "interval_end",
        "start_at",
        "end_at",
        "batch_until",
        "started_at",
        "until",
    }
)
NUMBERS = frozenset({"dot_mw", "dop_mw", "standing_mw", "lmp_usd_per_mwh"})
PRICE = ("interval_start", "interval_end", "fetched_at")
NEEDED = {
    "intervals": ("interval_start", "interval_end", "dot_mw", "batch_uid", "instruction_uid"),
    "instructions": ("what", "standing", "start_at", "batch_uid", "instruction_uid"),
    "withdrawn": ("batch_uid",),
    "points": ("target_at", "dop_mw"),
    "latest": (),
    "published": PRICE,
    "active": PRICE,
    "ahead": PRICE,
    "upstreams": ("name", "ok"),
}
WHOLE = {
    "dot": ("time", "heard_at", "intervals"),
    "trajectory": ("time", "heard_at", "points"),
    "instructions": ("time", "heard_at", "instructions"),
    "lmp": ("time", "heard_at"),
    "service": ("time", "started_at", "online"),
}
MOST = {"intervals": 500, "withdrawn": 500, "points": 2000, "ahead": 1000}
HOURLY, EXCEPTIONAL = 1, 4
AGREE, AGREED_FOR, AT_ONCE = timedelta(seconds=2), timedelta(minutes=5), timedelta(minutes=1)
FAR_AHEAD, LONG = timedelta(days=3), timedelta(hours=1)
NEVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


class Batch(NamedTuple):
    """What one source says of a batch in the highest revision that it has of it."""

    revision: int
    dots: list[Message]
    withdrawn: bool
    gone: int  # the highest revision that is withdrawn, below the others' perhaps
    until: datetime  # how long that counts

    def lasting(self, now: datetime, *, silent: bool) -> "Batch | None":
        """What counts though a newer message is silent about it: all where that does not know all, else what is withdrawn."""
        if silent and any(dot.get("interval_end", NEVER) > now for dot in self.dots):
            return self
        return Batch(self.gone, [], withdrawn=True, gone=self.gone, until=self.until) if self.until > now else None


@dataclass
class State:
    """The latest message of one source on one topic."""

    message: Message
    arrived: datetime
    connection: int
    batches: Mapping[str, Batch]
    ahead: list["State"] = field(default_factory=list)  # what the source said earlier and is ahead of this

    @property
    def said(self) -> datetime:
        """When it was said, at most as long after it came as clocks may differ."""
        return min(self.message["time"], self.arrived + AGREE)


Judged = list[tuple[State, Reasons]]


@dataclass
class Topic:
    """What came on one state topic."""

    states: dict[str, State] = field(default_factory=dict)
    retracted: datetime = NEVER
    broken: bool = False
    foreign: bool = False


@dataclass
class Source:
    """What is known of one service instance."""

    status: Message
    arrived: datetime
    connection: int
    will: bool = False
    upstreams: list[Message] = field(default_factory=list)
    compared: datetime = NEVER
    run: datetime = NEVER  # the start of the run that started last, and when it was heard
    run_heard: datetime = NEVER
    doubled: datetime = NEVER
    ahead: deque[timedelta] = field(default_factory=lambda: deque(maxlen=3))


def moment(text: str) -> datetime:
    """A time of the bus, which is UTC with Z."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def parsed(value: Any, needed: Collection[str]) -> Any:
    """A message, or a part of it, with its times as such; an error when it is none."""
    if isinstance(value, list):
        return [parsed(each, needed) for each in value]
    known: dict[str, Any] = {**value}
    for key, said in value.items():
        if said is not None and key in TIMES:
            known[key] = moment(said)
        elif said is not None and key in NEEDED:
            known[key] = parsed(said, NEEDED[key])
        elif said is not None and key in NUMBERS and not isinstance(said, int | float):
            raise TypeError(key)
    if any(known[key] is None for key in needed):
        raise TypeError(needed)
    return known


def quality(reasons: Collection[str]) -> int:
    """The worst level of the reasons."""
    return 0 if BAD & {*reasons} else 64 if reasons else 192


def own_reasons(message: Message) -> Reasons:
    """What a message, or a part of it, says against itself."""
    return frozenset(reason if reason in BAD | UNCERTAIN else "incomplete" for reason in message.get("reasons", ()))


def age(state: "State", now: datetime) -> timedelta:
    """How long ago CAISO said or confirmed a state."""
    time, heard = state.message["time"], state.message["heard_at"]
    return now - min(heard, state.arrived, state.arrived - (time - heard))


def address(topic: str) -> tuple[str, tuple[str, ...]]:
    """The kind of message that a topic carries and the two names in it; an empty kind for other topics."""
    match topic.split("/"):
        case [*_, "plant", plant, resource, "dot" | "trajectory" | "instructions" as kind]:
            return kind, (unquote(plant), unquote(resource))
        case [*_, "market", market, "lmp", node]:
            return "lmp", (unquote(market), unquote(node))
        case [*_, "service", service, instance]:
            return "service", (unquote(service), unquote(instance))
    return "", ()


def batches_of(message: Message) -> dict[str, Batch]:
    """Each batch that a message speaks of, in the highest revision there."""
    dots, gone = [*message.get("intervals", ()), *message.get("instructions", ())], message.get("withdrawn", ())
    found = {}
    for uid in {each["batch_uid"] for each in (*dots, *gone)}:
        here = [(each.get("revision_no") or 0, each) for each in dots if each["batch_uid"] == uid]
        away = [each.get("revision_no") or 0 for each in gone if each["batch_uid"] == uid]
        top = max([*(revision for revision, _ in here), *away])
        last = max(away, default=0)
        ends = (each["until"] for each in gone if each["batch_uid"] == uid and (each.get("revision_no") or 0) == last)
        newest_here = [each for revision, each in here if revision == top]
        found[uid] = Batch(top, newest_here, withdrawn=top in away, gone=last, until=max(ends, default=NEVER))
    return found


def ahead_of(newer: State, older: list[State], now: datetime) -> list[State]:
    """Of earlier messages of a source what they have in a higher revision, or as a newer batch of a trajectory."""
    found = []
    silent = "incomplete" in own_reasons(newer.message)
    for state in older:
        higher = {}
        for uid, batch in state.batches.items():
            known = newer.batches.get(uid)
            kept = batch.lasting(now, silent=silent) if known is None else batch if batch.revision > known.revision else None
            if kept:
                higher[uid] = kept
        if higher or NEVER < newest(newer.message) < newest(state.message):
            found.append(replace(state, batches=higher, ahead=[]))
    return found


def prices_of(message: Message) -> list[Message]:
    """All prices in a message."""
    return [each for each in (message.get("published"), message.get("active"), *message.get("ahead", ())) if each]


def newest(message: Message) -> datetime:
    """When CAISO had the newest batch of a trajectory; never, where there is none."""
    if not message.get("points") and not message.get("latest"):
        return NEVER
    received = (message.get("latest") or {}).get("batch_received_at") or message.get("received_at")
    return min(received, message["time"]) if received else NEVER


def claims(value: Any) -> list[datetime]:
    """Every time in a state at which something has happened."""
    if isinstance(value, list):
        return [at for each in value for at in claims(each)]
    if not isinstance(value, Mapping):
        return []
    happened = ("time", "heard_at", "received_at", "batch_received_at", "fetched_at")
    return [value[key] for key in happened if value.get(key)] + [at for each in value.values() for at in claims(each)]


def whole(payload: Any, kind: str) -> Message:
    """A message of a kind; an error when it is none."""
    message: Message = parsed(payload, WHOLE[kind])
    if any(len(message.get(key, ())) > most for key, most in MOST.items()):
        raise ValueError(kind)
    for each in [*message.get("intervals", ()), *prices_of(message)]:
        if each["interval_end"] <= each["interval_start"]:
            raise ValueError(each)
    return message


def without_reasons(message: Message) -> str:
    """What is said, to be compared with what another source says."""
    return repr(sorted((key, said) for key, said in message.items() if key != "reasons" and said is not None))


def asked(dot: Message) -> tuple[Any, ...]:
    """What a DOT asks of a resource, and when."""
    return tuple(dot.get(key) for key in ("interval_start", "interval_end", "target_at", "dot_mw", "supp_mw", "must_follow"))


def rank(dot: Message) -> tuple[datetime, int]:
    """Of several DOTs in force the highest counts."""
    return dot.get("batch_received_at") or NEVER, dot.get("revision_no") or 0


def overlap(one: Message, other: Message) -> bool:
    """Whether two intervals have a time in common."""
    return bool(one["interval_start"] < other["interval_end"] and other["interval_start"] < one["interval_end"])


def is_silent(instruction: Message) -> bool:
    """Whether an instruction does not say what one of its kind does."""
    says = {
        "minimum": ("min_mw",),
        "maximum": ("max_mw",),
        "fixed": ("min_mw", "max_mw", "standing_mw"),
        "as-award": ("award_mw", "as_type"),
        "as-test": ("standing_mw",),
        "transition": ("transition_to_config_id",),
    }.get(instruction["what"], ())
    of_caiso = ("EN", "RU", "RD", "SR", "NR", "RC", "LFU", "LFD")
    is_unknown = instruction["what"] == "as-award" and instruction.get("as_type") not in of_caiso
    return is_unknown or any(instruction.get(name) is None for name in says)


def against_price(price: Message, now: datetime) -> Reasons:
    """What is impossible about a price."""
    too_long = price["interval_end"] - price["interval_start"] > LONG
    return frozenset({"invalid"} if too_long or price["interval_start"] > now + FAR_AHEAD else ())


def fetched_last(versions: list[tuple[datetime, datetime, Message, Reasons]]) -> tuple[Message, Reasons]:
    """The price of one interval that was fetched last, by the best state that says it; the best one comes last.

    Each version is when it was fetched, when its state was heard, the price, and what speaks against it.
    """

    def words(price: Message) -> str:
        return without_reasons({**price, "fetched_at": None})

    since = max((heard for _, heard, _, against in versions if quality(against)), default=NEVER)
    versions = [each for each in versions if quality(each[3]) or each[0] > since]
    last = max(fetched for fetched, _, _, _ in versions)
    latest = [words(price) for fetched, _, price, _ in versions if fetched == last]
    price, reasons = [(price, reasons) for _, _, price, reasons in versions if words(price) == latest[-1]][-1]
    believed = {words(each) for _, _, each, against in versions if quality(against)}
    return price, reasons | ({"incomplete"} if believed - {latest[-1]} else frozenset())


def _place_on_curve(point: dict[str, Any]) -> tuple[Any, ...]:
    number = point.get("sequence_number")
    return point["target_at"], point.get("batch_received_at") or NEVER, -1 if number is None else number


def is_torn(points: list[Message]) -> bool:
    """Whether two points of one place in a curve differ."""
    return len({(*place_of(each), each["dop_mw"]) for each in points}) > len({place_of(each) for each in points})


def place_of(point: Message) -> tuple[Any, ...]:
    """Where a point is in its curve."""
    return tuple(point.get(key) for key in ("target_at", "batch_received_at", "sequence_number"))


def had(state: State) -> datetime:
    """When CAISO had the newest batch of a trajectory, no later than it came."""
    return min(newest(state.message), state.arrived)


def is_message(payload: Any, kind: str, names: tuple[str, ...]) -> bool:
    """Whether a payload is a message of this topic at all."""
    speaker = {"service": f"{names[0]}/", "lmp": "lmp_ingest/"}.get(kind, "ads_ingest/")
    return (
        isinstance(payload, Mapping)
        and payload.get("kind") == kind
        and payload.get("version", 1) == 1
        and payload.get("environment") in ENVIRONMENTS
        and isinstance(payload.get("source"), str)
        and payload["source"].startswith(speaker)
        and tuple(payload.get(name) for name in NAMES[kind]) == names
    )


class Subscriber:
    """Keeps what came on the bus and judges it."""

    def __init__(self, limits_s: Mapping[str, float], accepted: Collection[str]) -> None:
        """Limits in seconds by name, and the environments that are believed."""
        self._limits = {name: timedelta(seconds=seconds) for name, seconds in limits_s.items()}
        self._accepted = frozenset(accepted)
        self._topics: defaultdict[str, Topic] = defaultdict(Topic)
        self._sources: dict[str, Source] = {}
        self._connected = False
        self._connection = 0

    def happen(self, event: Mapping[str, object]) -> None:
        """One event: the broker came or went, the own clock was set, or a message came."""
        if "connected" in event:
            self._connection += bool(event["connected"])
            self._connected = bool(event["connected"])
        elif "clock_set_by_s" in event:
            self._set_clock(timedelta(seconds=float(str(event["clock_set_by_s"]))))
        else:
            self._come(str(event["topic"]), event["payload"], moment(str(event["at"])), retained=bool(event["retained"]))

    def _set_clock(self, by: timedelta) -> None:
        """The own clock was set: clocks are to be compared anew, and what came is dated by the new one."""
        for source in self._sources.values():
            source.ahead.clear()
            source.compared = NEVER
            source.arrived += by - AGREE
            source.run_heard += by if source.run_heard > NEVER else timedelta(0)
            source.doubled += by if source.doubled > NEVER else timedelta(0)
        for topic in self._topics.values():
            topic.retracted = topic.retracted + by if topic.retracted > NEVER else NEVER
            for state in topic.states.values():
                state.arrived += by

    def _come(self, topic: str, payload: Any, at: datetime, *, retained: bool) -> None:
        """A payload on a topic."""
        kind, names = address(topic)
        if kind and payload is None:
            self._topics[topic] = Topic(retracted=at)
            self._sources.pop("/".join(names), None)
        elif kind and not is_message(payload, kind, names):
            self._topics[topic].broken = True
        elif kind and payload["environment"] not in self._accepted:
            self._topics[topic].foreign = True
        elif kind:
            try:
                message = whole(payload, kind)
                new = State(message, at, self._connection, batches_of(message))
            except (AttributeError, KeyError, TypeError, ValueError):
                self._topics[topic].broken = True
                return
            if kind == "service":
                self._status("/".join(names), new, self._topics[topic].retracted, retained=retained)
            else:
                self._state(self._topics[topic], new)

    def _state(self, topic: Topic, new: State) -> None:
        """Keeps a good message of a state, or of an older one what it has in a higher revision."""
        if new.said <= topic.retracted:
            return
        topic.broken = False
        old = topic.states.get(new.message["source"])
        if old and new.message == old.message:
            old.connection = new.connection
        elif old and new.said < old.said:
            old.ahead = ahead_of(old, [new, *old.ahead], new.arrived)
        else:
            new.ahead = ahead_of(new, [old, *old.ahead] if old else [], new.arrived)
            topic.states[new.message["source"]] = new

    def _status(self, name: str, new: State, retracted: datetime, *, retained: bool) -> None:
        """Keeps a status, and what it shows of its source's clock."""
        message = new.message
        if message["source"] != name:
            return
        will = not message["online"] and message["time"] == message["started_at"]
        if (new.arrived if will else new.said) <= retracted:
            return
        source = self._sources.setdefault(name, Source(message, new.arrived, new.connection, will))
        source.connection = new.connection
        if self._is_news(new, source, will=will, retained=retained):
            source.status, source.arrived, source.will = message, new.arrived, will
            source.upstreams = message.get("upstreams", []) if message["online"] else source.upstreams
        if not retained and message["online"]:
            self._run(source, message, new.arrived)
        if not retained and not will:
            source.ahead.append(message["time"] - new.arrived)
            source.compared = new.arrived

    @staticmethod
    def _run(source: Source, message: Message, at: datetime) -> None:
        """Keeps which run of a source started last, and whether an earlier one speaks beside it."""
        if message["started_at"] >= source.run or at > source.run_heard + AT_ONCE:
            source.run, source.run_heard = message["started_at"], at
        elif message["time"] > source.run + AGREE:
            source.doubled = at

    def _is_news(self, new: State, source: Source, *, will: bool, retained: bool) -> bool:
        """Whether a status counts beside the one that is known."""
        began, known = new.message["started_at"], source.status["started_at"]
        if will:
            return began >= known
        if source.will and not retained and new.message["online"]:
            return began > known or new.message["time"] >= source.arrived - AGREE
        return new.said >= (source.arrived if source.will else min(source.status["time"], source.arrived + AGREE))

    def _upstreams(self, source: Source | None, kind: str, message: Message) -> list[Message]:
        """The upstreams behind a state."""
        every = source.upstreams if source else []
        of_ads = "ads_trajectory" if kind == "trajectory" else "ads_dispatch"
        name = f"oasis_{message['market'].lower()}" if kind == "lmp" else of_ads
        return [each for each in every if each["name"] == name]

    def _doubt(self, source: Source | None, state: State, upstreams: list[Message], now: datetime) -> bool:
        """Whether the clocks of the source, of CAISO and of this subscriber may disagree."""
        if source is None or source.connection != self._connection or not source.ahead:
            return True
        ahead, told = max(source.ahead), [each.get("clock_offset_s") for each in upstreams]
        offsets = [timedelta(seconds=offset) for offset in told if offset is not None]
        return (
            abs(ahead) > AGREE
            or now > source.compared + AGREED_FOR
            or None in told
            or any(abs(offset) > AGREE or abs(offset + ahead) > AGREE for offset in offsets)
            or max(claims(state.message)) > state.arrived + AGREE
        )

    def _stale(self, kind: str, state: State, now: datetime) -> bool:
        """Whether a state is too old, or too young to be true."""
        until = state.message.get("valid_until")
        return abs(age(state, now)) > self._limits[LIMITS[kind]] or (until is not None and now > until)

    def _against(self, kind: str, topic: Topic, state: State, now: datetime) -> Reasons:
        """The reasons against a state."""
        source = self._sources.get(state.message["source"])
        known = source if source and source.connection == self._connection else None
        upstreams = self._upstreams(known, kind, state.message)
        own = own_reasons(state.message)
        silent = known is not None and known.status["online"] and not upstreams
        doubled = known is not None and known.doubled > NEVER and now <= known.doubled + AT_ONCE
        found = {
            "invalid": topic.broken,
            "broker_lost": not self._connected or state.connection != self._connection,
            "source_offline": known is not None and not known.status["online"],
            "source_failing": silent or doubled or not all(each["ok"] for each in upstreams),
            "clock_in_doubt": self._doubt(source, state, upstreams, now),
            "stale": self._stale(kind, state, now),
        }
        return frozenset(own | {reason for reason, holds in found.items() if holds})

    def _goodness(self, state: State, reasons: Reasons, now: datetime) -> tuple[Any, ...]:
        """Sorts states: the best one is the greatest."""
        return (
            quality(reasons),
            -len(reasons),
            -max(age(state, now), timedelta(0)),
            state.message["time"],
            state.message["source"],
        )

    def ask(self, ask: Mapping[str, str]) -> tuple[int, Reasons, float | None]:
        """The quality of a value, the reasons, and the value itself unless it is bad."""
        now, topic, kind = moment(ask["at"]), self._topics.get(ask["topic"], Topic()), address(ask["topic"])[0]
        every = [(state, self._against(kind, topic, state, now)) for state in topic.states.values()]
        judged = sorted(every, key=lambda each: self._goodness(*each, now))  # the best one last
        if not judged:
            foreign = topic.foreign and not topic.broken
            found = {
                "wrong_environment" if foreign else "never_received": True,
                "invalid": topic.broken,
                "broker_lost": not self._connected,
            }
            value, reasons = None, frozenset(reason for reason, holds in found.items() if holds)
        elif kind == "dot":
            every = self._with_ahead(judged, kind, topic, now)
            value, reasons = self._dot(every, now, hourly=ask.get("schedule") == "hourly", of_none=judged[-1][1])
        elif kind == "instructions":
            every = self._with_ahead(judged, kind, topic, now)
            value, reasons = self._instruction(every, now, ask["value"], of_none=judged[-1][1])
        elif kind == "trajectory":
            value, reasons = self._trajectory(self._with_ahead(judged, kind, topic, now), now)
        else:
            value, reasons = self._price(judged, now, active=ask["value"] == "active")
        level = quality(reasons)
        return level, reasons, None if not level else value

    def _with_ahead(self, judged: Judged, kind: str, topic: Topic, now: datetime) -> Judged:
        """The states and what their sources said earlier and is ahead of them, the best one last."""
        ahead = [(state, self._against(kind, topic, state, now)) for known, _ in judged for state in known.ahead]
        return sorted([*judged, *ahead], key=lambda each: self._goodness(*each, now))

    def _parts(self, judged: Judged) -> list[tuple[Message, Reasons]]:
        """The DOTs or instructions that hold of all sources together, each with the best reasons of those that say it."""
        said: defaultdict[tuple[str, str], list[tuple[Message, Reasons]]] = defaultdict(list)
        for uid in sorted({uid for state, _ in judged for uid in state.batches}):
            having = [(state.batches[uid], reasons) for state, reasons in judged if uid in state.batches]
            top = max(batch.revision for batch, _ in having)
            having = [(batch, reasons) for batch, reasons in having if batch.revision == top]
            if not any(batch.withdrawn for batch, _ in having):
                for dot, reasons in ((dot, reasons) for batch, reasons in having for dot in batch.dots):
                    said[uid, dot["instruction_uid"]].append((dot, reasons | own_reasons(dot)))
        found = []
        for every in said.values():
            versions = {without_reasons(dot) for dot, _ in every}
            dot, reasons = max(reversed(every), key=lambda each: quality(each[1]))
            found.append((dot, reasons | ({"incomplete"} if len(versions) > 1 else frozenset())))
        return found

    def _dot(self, judged: Judged, now: datetime, *, hourly: bool, of_none: Reasons) -> Value:
        """The DOT in force."""
        followed = [
            (dot, reasons)
            for dot, reasons in self._parts(judged)
            if (dot.get("batch_type") in (HOURLY, EXCEPTIONAL) if hourly else dot.get("batch_type") != HOURLY)
        ]
        force = [each for each in followed if each[0]["interval_start"] <= now < each[0]["interval_end"]]
        if not force:
            return None, of_none | {"expired"}
        dot, reasons = max(force, key=lambda each: (*rank(each[0]), each[0]["instruction_uid"]))
        rivals = [other for other, _ in followed if rank(other) == rank(dot) and overlap(other, dot)]
        if any(asked(other) != asked(dot) for other in rivals):
            reasons |= {"incomplete"}
        if not dot["interval_start"] <= dot["target_at"] <= dot["interval_end"]:
            reasons |= {"invalid"}
        return dot["dot_mw"], reasons

    def _instruction(self, judged: Judged, now: datetime, what: str, *, of_none: Reasons) -> Value:
        """What is instructed of one kind."""
        holding = [
            (each, reasons | ({"incomplete"} if each["standing"] == "in doubt" or is_silent(each) else frozenset()))
            for each, reasons in self._parts(judged)
            if each["what"] == what and each["standing"] != "not in force" and each["start_at"] <= now
            if now < (each.get("end_at") or each.get("batch_until") or FOREVER)
        ]
        if not holding:
            return None, of_none
        known, reasons = max(
            holding, key=lambda each: (each[0].get("batch_received_at") or NEVER, each[0].get("revision_no") or 0)
        )
        return known.get("standing_mw"), reasons

    def _trajectory(self, judged: Judged, now: datetime) -> Value:
        """The point of the curve at this time."""
        state, reasons = max(reversed(judged), key=lambda each: had(each[0]))
        if NEVER < had(state) < now - self._limits["trajectory_batch"]:
            reasons |= {"stale"}
        value, of_curve = self._point(state, now)
        others = [other for other, _ in judged if had(other) == had(state)]
        values = {self._point(other, now)[0] for other in others} - {None}
        last = {(each["target_at"], each["dop_mw"]) for other in others if (each := other.message.get("latest"))}
        torn = len(values) > 1 or len(last) > 1 or any(is_torn(other.message["points"]) for other in others)
        return value, reasons | of_curve | {"incomplete"} if torn else reasons | of_curve

    def _point(self, state: State, now: datetime) -> Value:
        """The value of one curve."""
        points = sorted(state.message["points"], key=_place_on_curve)
        before = [(each["target_at"], each["dop_mw"]) for each in points if each["target_at"] <= now]
        after = [(each["target_at"], each["dop_mw"]) for each in points if each["target_at"] > now]
        if not before or (not after and before[-1][0] < now):
            return None, frozenset({"expired"})
        (start, low), (end, high) = before[-1], (after or before[-1:])[0]
        return low + (high - low) * ((now - start) / (end - start) if after else 0.0), frozenset()

    def _price(self, judged: Judged, now: datetime, *, active: bool) -> Value:
        """The active or the last published price."""
        every: defaultdict[datetime, list[tuple[datetime, datetime, Message, Reasons]]] = defaultdict(list)
        for state, reasons in judged:
            for price in prices_of(state.message):
                fetched, heard = min(price["fetched_at"], state.arrived), min(state.message["heard_at"], state.arrived)
                every[price["interval_start"]].append((fetched, heard, price, reasons | against_price(price, now)))
        found = {start: fetched_last(versions) for start, versions in every.items()}
        those = [each for each in found.values() if not active or each[0]["interval_start"] <= now < each[0]["interval_end"]]
        if not those:
            return None, judged[-1][1] | {"expired"}
        price, reasons = (min if active else max)(those, key=lambda each: each[0]["interval_start"])
        if any(overlap(other, price) for other, _ in found.values() if other is not price):
            reasons |= {"incomplete"}
        if price.get("lmp_usd_per_mwh") is None:
            reasons |= {"invalid"}
        if not active and now > price["interval_end"] + self._limits["price"]:
            reasons |= {"stale"}
        return price.get("lmp_usd_per_mwh"), reasons

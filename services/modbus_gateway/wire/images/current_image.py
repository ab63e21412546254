"""The current image: what the registers of each unit say now, written anew as soon as they may say something else.

A message outdates what is read of its own subject (a resource, a price), and so does time when something of it turns; nothing
else is read again for it. What is outdated is never shown: whoever asks for it has it read anew first, and that alone. What
only moves, a ramp or an age, is worked out when somebody asks and it is older than `render_s`; where nobody asks, never.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, KeysView
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import Topics
from dotbus.judging.arrivals import ALARMS, Arrival
from dotbus.judging.clock_steps import Moment
from dotbus.judging.received import Received
from dotbus.judging.vouching import JUST_AFTER
from dotbus.readings.alarms import read_alarms
from dotbus.readings.instructions import read_instructions
from dotbus.readings.motion import EndsAt
from dotbus.readings.prices import read_price
from dotbus.readings.reading import Read, Reading
from dotbus.readings.resources import read_resource
from dotbus.readings.subjects import AlarmsOf, Member, PriceAt
from dotbus.runtime.installation.modbus import Modbus
from dotbus.runtime.logs import get_logger
from modbus_gateway.map.register_map import RegisterMap, StateField
from modbus_gateway.state.source_watch import Changes, SourceWatch
from modbus_gateway.state.wakes import Wakes
from modbus_gateway.values.field_readings import read_field
from modbus_gateway.values.readings import read_gateway, read_plant, read_together
from modbus_gateway.values.subjects import (
    GatewayItself,
    InstructionsOf,
    PlantAt,
    ResourceAt,
    Said,
    Subject,
    UnitItself,
    topics_of,
    with_stale_time,
)
from modbus_gateway.wire.images.layout import lay_out, watched
from modbus_gateway.wire.images.shown_subject import ShownSubject
from modbus_gateway.wire.images.unit_image import UnitImage

RENDER_S: Final = 0.5
"""How old what moves may be unless it is said otherwise."""


class CurrentImage:
    """Writes what is outdated when it is needed, and knows what is.

    Args:
        register_map: what stands where.
        topics: of this installation.
        wall: the wall clock.
        monotonic_s: seconds that never go back: how long a value is held must not depend on a clock that can be set.
        render_s: how old what moves may be that is shown, when nothing came and nothing turned since.

    Attributes:
        received: what came from the bus; see `take` and `turn`.
    """

    def __init__(
        self,
        register_map: RegisterMap,
        topics: Topics,
        *,
        wall: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        render_s: float = RENDER_S,
    ) -> None:
        self.received = Received()
        self._map = register_map
        self._topics = topics
        self._wall = wall
        self._monotonic_s = monotonic_s
        self._render_s = render_s
        self._tls_ends_at: EndsAt | None = None
        self._seen = Moment(wall(), monotonic_s())
        self._subjects, self._units = lay_out(register_map, self, render_s)
        self._of_topic = _of_topic(self._subjects, topics)
        self._sources = SourceWatch(*watched(register_map))
        self._wakes = Wakes[int | str]()
        self._outdated: dict[int, None] = {}
        self._log = get_logger("image")
        self._outdate(self._subjects, self._seen)

    @property
    def age_s(self) -> float:
        """For how long, in seconds, what was outdated first waits to be written anew; 0 while nothing does."""
        first = next(iter(tuple(self._outdated)), None)  # asked for in other threads, too
        good_until = None if first is None else self._subjects[first].good_until
        return max(self._monotonic_s() - good_until.monotonic_s, 0.0) if good_until else 0.0

    def look(self, unit_id: int) -> UnitImage | None:
        """The registers of a unit, which are up to date whenever they are read. None of a unit that is not served."""
        return self._units.get(unit_id)

    def take_over(self, before: "CurrentImage", also: Collection[str] = ()) -> None:
        """Go on with what the image of another map knows, in its place.

        What came counts as it did, and what stands where it stood, in the same form, is held on while it is bad. Where other
        environments are accepted nothing is held: it may be of one that is not any more.
        What is said on the topics of `also` is kept.
        """
        now = self._seen = before.now()  # each step of the clock is seen by one of the two
        self.received = before.received
        self.received.forget(before.topics - self.topics - set(also))
        self._tls_ends_at = before._tls_ends_at  # noqa: SLF001  # of the same class
        if self.accepts == before.accepts:
            for unit_id, unit in self._units.items():
                if was := before.look(unit_id):
                    unit.hold_on(was.held())
        else:
            self.received.accept(self.accepts)
        for subject in self._subjects:
            subject.good_until = now
        self._outdate_all(now, now)

    def let_go(self) -> None:
        """Free the memory of an image whose place another one took, piece by piece: who asks that one has turns between."""
        while self._units:
            self._units.popitem()
        self._of_topic.clear()
        while self._subjects:
            self._subjects.pop()

    @property
    def topics(self) -> KeysView[str]:
        """Those of the states that are shown."""
        return self._of_topic.keys()

    @property
    def accepts(self) -> frozenset[Environment]:
        """Messages of these may become values."""
        return frozenset(self._map.judging.accept_environments)

    def now(self) -> Moment:
        """The time on our clocks, after what turned by now was outdated."""
        now, seen = Moment(self._wall(), self._monotonic_s()), self._seen
        if not now.follows(seen):  # each request looks at the clock: nearly always there is nothing more to it
            self._look_at_step(now)
        if now.monotonic_s > self.received.holds_until_s and not self.received.is_behind:
            self._fall_behind(now)
        self._seen = now
        next_at = self._wakes.next_at
        if next_at is not None and next_at <= now.wall:
            self._wake(now)
        return now

    def next_outdated(self) -> ShownSubject | None:
        """What waits to be written anew, the longest first; plants only once all that they are made of was."""
        self.now()
        waiting = (self._subjects[number] for number in self._outdated)
        return next((subject for subject in waiting if not subject.waits_for), None)

    def renew(self, subject: ShownSubject) -> None:
        """Write a subject anew."""
        self.bring(subject, self.now())

    def turns_in_s(self) -> float | None:
        """How soon something turns by itself, seconds; None when nothing does."""
        next_at = self._wakes.next_at
        return None if next_at is None else max((next_at - self._wall()).total_seconds(), 0.0)

    def watch_certificate(self, ends_at: EndsAt) -> None:
        """Show how long the certificate lasts that clients are shown."""
        self._tls_ends_at = ends_at
        self._outdate_all(self._seen, self.now())

    def take(self, arrival: Arrival) -> None:
        """Remember what arrived. When, is told by the clock as it is now: it may have been set while the message waited."""
        now = self.now()
        self.received.take(replace(arrival, at=now.wall))
        self._outdate(self._of_topic.get(arrival.topic, ()), now)
        if arrival.source:
            self._look_at_source(arrival.source, now, now)

    def turn(self, *, connected: bool) -> None:
        """The connection to the broker came or went."""
        now = self.now()
        self.received.turn(connected=connected, at=now.wall)
        self._outdate_all(now, now)

    def stand(self, redundancy_state: int, holds_until_s: float) -> None:
        """What we are beside other gateways, and until when what came from the broker is not too old.

        Nobody has to come and say that this time is over: whoever asks then is shown that it is.
        """
        received = self.received
        received.holds_until_s = holds_until_s
        now = self.now()
        if received.is_behind and now.monotonic_s <= holds_until_s:
            received.is_behind = False
            self._outdate_all(now, now)
        if received.redundancy_state != redundancy_state:
            received.redundancy_state = redundancy_state
            self._outdate([one for one in self._subjects if isinstance(one.about, GatewayItself)], now)

    def bring(self, subject: ShownSubject, now: Moment) -> None:
        """Bring a subject up to date, and what it is made of, as far as they are not."""
        for part in (*subject.waits_for, *subject.restless):
            self._write(self._subjects[part], now)
        if subject.good_until is not None or subject.is_restless:
            self._write(subject, now)

    def _write(self, subject: ShownSubject, now: Moment) -> None:
        self._outdated.pop(subject.number, None)
        good_until, counted = subject.good_until or now, subject.counts()
        self._wakes.put(subject.number, subject.write(self._read(subject, now.wall), now))
        plants = [self._subjects[plant] for plant in subject.plants]
        for plant in plants:
            plant.waits_for.pop(subject.number, None)
            plant.restless.pop(subject.number, None)
            if subject.is_restless:
                plant.restless[subject.number] = None
        if plants and subject.counts() != counted:
            self._outdate(plants, good_until)

    def _read(self, subject: ShownSubject, now: datetime) -> Read:
        read = self._read_about(subject, subject.about, now, subject.last_read)
        if not subject.stale_times_s:  # nearly all
            return read
        abouts = {time_s: with_stale_time(subject.about, time_s) for time_s in subject.stale_times_s}
        sooner = {time_s: self._read_about(subject, about, now) for time_s, about in abouts.items()}
        turns = [one.turns_at for one in (read, *sooner.values()) if one.turns_at]
        is_restless = read.is_restless or any(one.is_restless for one in sooner.values())
        named_sooner = {time_s: one.named for time_s, one in sooner.items()}
        return Read(read.named, min(turns, default=None), is_restless, named_sooner, read.basis)

    def _read_about(self, subject: ShownSubject, about: Subject, now: datetime, before: Read | None = None) -> Read:
        judging = self._map.judging
        match about:
            case Member() | InstructionsOf() | PriceAt() | StateField() | AlarmsOf():
                return _read_said(about, self.received, self._topics, judging, now, before)
            case PlantAt():
                return Read(read_plant([one.shown for one in subject.resources], [one.shown for one in subject.prices]))
            case ResourceAt():
                made_of = subject.resources, subject.instructions, subject.prices
                return Read(read_together(*([one.shown for one in places] for places in made_of)))
            case UnitItself(unit_id):
                return Read({"map_hash": Reading(self._map.hashes.get(unit_id))})
            case GatewayItself():
                return Read(read_gateway(self.received, judging, now, self._tls_ends_at))

    def _outdate(self, subjects: Iterable[ShownSubject], good_until: Moment) -> None:
        for subject in subjects:
            if subject.good_until is None:
                subject.good_until = good_until
                self._outdated[subject.number] = None
                for plant in subject.plants:
                    self._subjects[plant].waits_for[subject.number] = None

    def _outdate_all(self, good_until: Moment, now: Moment) -> None:
        for name in tuple(self.received.sources):
            self._sources.look(name, self.received, now.wall)
            self._wakes.put(name, self._sources.turns_at(name, self.received, now.wall))
        self._outdate(self._subjects, good_until)

    def _wake(self, now: Moment) -> None:
        for key, at in self._wakes.due(now.wall):
            good_until = now.when(at - JUST_AFTER)
            if isinstance(key, str):
                self._look_at_source(key, good_until, now)
            else:
                self._outdate([self._subjects[key]], good_until)

    def _look_at_source(self, name: str, good_until: Moment, now: Moment) -> None:
        changes = self._sources.look(name, self.received, now.wall)
        self._wakes.put(name, self._sources.turns_at(name, self.received, now.wall))
        if changes.upstreams or changes.questions or changes.itself:
            self._outdate([one for one in self._subjects if self._depends(one, name, changes)], good_until)

    def _depends(self, subject: ShownSubject, source: str, changes: Changes) -> bool:
        """Whether something is read of a subject that a change of a source bears on."""
        if not subject.questions.isdisjoint(changes.questions) or (changes.itself and subject.about == GatewayItself()):
            return True
        if isinstance(subject.about, AlarmsOf):
            return source.startswith(f"{ALARMS}/")
        is_judged = not subject.upstreams.isdisjoint(changes.upstreams)
        return is_judged and any(self.received.has_said(source, topic) for topic in topics_of(subject.about, self._topics))

    def _look_at_step(self, now: Moment) -> None:
        if step := now.step_since(self._seen):
            self._step(step, now)
        else:  # back by too little to speak of; but what turned has not yet, for who is told by it
            self._outdate_all(self._seen, now)

    def _fall_behind(self, now: Moment) -> None:
        """What came from the broker is too old by now: it may have said other things meanwhile."""
        self.received.is_behind = True
        until_s = max(self.received.holds_until_s, self._seen.monotonic_s)
        self._outdate_all(Moment(now.wall - timedelta(seconds=now.monotonic_s - until_s), until_s), now)

    def _step(self, step: timedelta, now: Moment) -> None:
        """Our clock was set since we looked last: until then all that is shown was judged by the clock before."""
        self._log.warning(
            "our clock was set; nothing is good until a heartbeat shows that clocks agree", by_s=step.total_seconds()
        )
        self.received.clock_stepped(step)
        self._outdate_all(self._seen, now)


def _read_said(about: Said, received: Received, topics: Topics, judging: Modbus, now: datetime, before: Read | None) -> Read:
    """What is read of what sources say on a topic; `before`, what was read of it last."""
    match about:
        case Member():
            return read_resource(about, received, topics, judging, now, before)
        case InstructionsOf(member):
            return read_instructions(member, received, topics, judging, now)
        case PriceAt():
            return read_price(about, received, topics, judging, now)
        case StateField():
            return read_field(about, received, topics, judging, now)
        case AlarmsOf():
            return read_alarms(about, received, topics, now)


def _of_topic(subjects: Iterable[ShownSubject], topics: Topics) -> dict[str, list[ShownSubject]]:
    """The subjects that are read from what is said on a topic."""
    found: defaultdict[str, list[ShownSubject]] = defaultdict(list)
    for subject in subjects:
        for topic in topics_of(subject.about, topics):
            found[topic].append(subject)
    return dict(found)

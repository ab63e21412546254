"""Everything that may happen beside the passing of time, each by a name that a trace can be read by.

An action is there only where it would change something, so that a trace has no idle steps.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec
from model.ads import Disk
from model.bus import Packet
from model.ingests import Ingest
from model.invariant import Violation
from model.said import EXCEPTIONAL, FIVE_MINUTE, OF_FIVE_MINUTE, Batch, Curve, Price
from model.world import STEP_S, World

from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import Dot

FAR_S = 70.0
"""A clock that is so far ahead stands in the next interval when the model begins."""


@dataclass(frozen=True)
class Action:
    """What may happen.

    Attributes:
        may: whether it would change something.
        do: changes the world. What it returns was seen meanwhile.
    """

    may: Callable[[World], object]
    do: Callable[[World], object]

    def happen(self, world: World) -> list[Violation]:
        """Let it happen. Returns what registers showed wrongly meanwhile and afterwards."""
        seen = self.do(world)
        return [*(seen if isinstance(seen, Iterator) else ()), *world.look()]


def _always(_world: World) -> bool:
    return True


def _say(world: World, batch: Batch) -> None:
    world.ads.said = world.said.with_batch(replace(batch, said_s=_moment(world)))


def _moment(world: World) -> float:
    """A moment of its own for each thing that CAISO says: what it said before was true until then."""
    world.true.now_s += 0.001
    return world.now_s


def _in_force(world: World) -> Batch | None:
    return world.said.dot(OF_FIVE_MINUTE, world.now_s, world.now_s)


def _next(world: World) -> Batch | None:
    standing = (batch for batch in world.said.newest() if batch.kind == FIVE_MINUTE and not batch.cancelled)
    return next((batch for batch in standing if batch.start_s > world.now_s), None)


def _knows(world: World, uid: str) -> bool:
    return any(batch.uid == uid for batch in world.said.batches)


def _revise(world: World, batch: Batch, **changed: object) -> None:
    _say(world, replace(batch, revision=batch.revision + 1, **changed))


def _dispatch_at_once(world: World) -> None:
    _say(world, Batch("E1", EXCEPTIONAL, world.now_s, world.now_s + 600, 5, world.now_s))


def _dispatch_next(world: World) -> None:
    _say(world, Batch("B3", FIVE_MINUTE, 600, 900, 90, world.now_s))


def _draw(world: World, resource: str) -> None:
    n, now_s = len(world.said.curves) + 1, _moment(world)
    points = ((now_s, 7.0 + n), (now_s + 90, 17.0 + n))
    world.ads.said = world.said.with_curve(Curve(f"C{n}", resource, now_s, points))


def _publish(world: World) -> None:
    world.ads.said = world.said.with_price(Price(600, 39.0, _moment(world)))


def _correct(world: World) -> None:
    last = world.said.published(world.now_s)
    world.ads.said = world.said.with_price(Price(last.start_s, 99.0, _moment(world)))


def _forget_curves(world: World) -> None:
    """Those that every ingest had time to hear."""
    world.ads.forgotten = sum(curve.said_s < world.now_s - STEP_S for curve in world.said.curves)


def _garble(world: World) -> None:
    world.ads.garbles = frozenset(batch.uid for batch in world.said.newest()[-1:])


def _give_away(world: World, names: Collection[str], topic: str) -> None:
    """By a new configuration a thing is said elsewhere: its topic is retracted, and nothing more comes there."""
    for ingest in (world.ingests[name] for name in names):
        ingest.given_away = topic
        world.deliver(ingest.line.send([Packet(topic, b"")]))


CAISO: Mapping[str, Action] = {
    "CAISO dispatches 5 MW at once": Action(lambda w: not _knows(w, "E1"), _dispatch_at_once),
    "CAISO sends the DOT after the next": Action(lambda w: not _knows(w, "B3"), _dispatch_next),
    "CAISO revises the DOT in force": Action(
        lambda w: (dot := _in_force(w)) and dot.revision < 3, lambda w: _revise(w, dot := _in_force(w), mw=dot.mw / 5 + 3)
    ),
    "CAISO cancels the DOT in force": Action(_in_force, lambda w: _revise(w, _in_force(w), cancelled=True)),
    "CAISO cancels the next DOT": Action(_next, lambda w: _revise(w, _next(w), cancelled=True)),
    "CAISO draws another curve": Action(lambda w: len(w.said.curves) < 4, lambda w: _draw(w, "SOLAR")),
    "CAISO draws another curve of BESS": Action(lambda w: len(w.said.curves) < 4, lambda w: _draw(w, "BESS")),
    "CAISO forgets its curves": Action(lambda w: not w.ads.forgotten, _forget_curves),
    "CAISO garbles the newest batch": Action(lambda w: not w.ads.garbles, _garble),
    "a curve is given to another plant": Action(
        lambda w: not any(w.ingests[name].given_away for name in w.of_ads), lambda w: _give_away(w, w.of_ads, w.curve_topic)
    ),
    "OASIS publishes the next price": Action(lambda w: len(w.said.prices) < 3, _publish),
    "OASIS corrects its last price": Action(lambda w: w.said.published(w.now_s).usd != 99.0, _correct),
    "a price is given to another installation": Action(
        lambda w: "p" in w.ingests and not w.ingests["p"].given_away, lambda w: _give_away(w, ("p",), w.price_topic)
    ),
    "something malformed is said of a price": Action(
        lambda w: "p" in w.ingests, lambda w: w.deliver([Packet(w.price_topic, b"{", retained=False)])
    ),
}


def _kill(world: World, ingest: Ingest) -> None:
    ingest.kill()
    world.disconnect(ingest)


def _lose_disk(world: World, ingest: Ingest) -> None:
    _kill(world, ingest)
    ingest.disk = Disk()
    ingest.start()


def _turn(world: World, ingest: Ingest) -> None:
    """It asks and speaks out of its turn: two ingests keep no step with each other."""
    world.deliver(ingest.line.send(ingest.turn()))


def _beat(world: World, ingest: Ingest) -> None:
    """It says that it is there, while CAISO keeps it waiting."""
    world.deliver(ingest.line.send(ingest.say()))


def _older_revision(world: World, ingest: Ingest) -> Packet | None:
    """What it says of the DOTs by its disk, but of each batch that it said in an older revision at first, that one."""
    topic = world.dot_topic
    first, now = world.early.get(topic), ingest.disk.kept.get(topic)
    if first is None or now is None or (before := decode_as(first.payload, Dot)).source != ingest.source:
        return None
    state = decode_as(now, Dot)
    known = {batch.batch_uid: batch.revision_no or 0 for batch in (*state.intervals, *state.withdrawn)}
    older = [one for one in before.intervals if known.get(one.batch_uid, 0) > (one.revision_no or 0)]
    if not older:
        return None
    uids = {one.batch_uid for one in older}
    said = msgspec.structs.replace(
        state,
        time=ingest.clock(),
        intervals=(*(one for one in state.intervals if one.batch_uid not in uids), *older),
        withdrawn=tuple(batch for batch in state.withdrawn if batch.batch_uid not in uids),
    )
    return Packet(topic, encode(said))


def _say_older_revision(world: World, ingest: Ingest) -> None:
    """An older copy of its files, or an older list of CAISO's: what was revised is said as it was, in a newer state."""
    if packet := _older_revision(world, ingest):
        world.deliver(ingest.line.send([packet]))


def _set_machine(world: World, ingest: Ingest) -> None:
    """One machine has one clock."""
    ingest.clock.ahead_s = world.gateway.clock.ahead_s = FAR_S


def of_ingest(name: str) -> dict[str, Action]:
    """What may happen to one ingest and its line."""

    def act(may: Callable[[World, Ingest], object], do: Callable[[World, Ingest], object]) -> Action:
        return Action(lambda w: may(w, w.ingests[name]), lambda w: do(w, w.ingests[name]))

    return {
        f"{name} asks and speaks": act(lambda _w, i: i.process and i.connected, _turn),
        f"{name} says an older revision": act(
            lambda w, i: i.process and i.connected and _older_revision(w, i), _say_older_revision
        ),
        f"{name} beats while it waits": act(lambda _w, i: i.process and i.connected, _beat),
        f"{name} hears CAISO no more": act(lambda _w, i: i.caiso.answers, lambda _w, i: setattr(i.caiso, "answers", False)),
        f"{name} hears CAISO again": act(lambda _w, i: not i.caiso.answers, lambda _w, i: setattr(i.caiso, "answers", True)),
        f"{name} is killed": act(lambda _w, i: i.process, _kill),
        f"{name} starts": act(lambda _w, i: not i.process, lambda _w, i: i.start()),
        f"{name} starts anew without its disk": act(lambda _w, i: i.process, _lose_disk),
        f"{name} loses its connection": act(lambda _w, i: i.connected, lambda w, i: w.disconnect(i)),
        f"{name}'s line is held": act(
            lambda w, i: not i.line.held and _may_be_late(w), lambda _w, i: setattr(i.line, "held", True)
        ),
        f"{name}'s line is let go": act(lambda _w, i: i.line.held, lambda w, i: w.deliver(i.line.let_go())),
        f"{name}'s first packet comes": act(lambda _w, i: len(i.line.waiting) > 1, lambda w, i: w.deliver(i.line.take(0))),
        f"{name}'s last packet comes first": act(
            lambda _w, i: len(i.line.waiting) > 1, lambda w, i: w.deliver(i.line.take(-1))
        ),
        f"{name}'s clock goes an hour ahead": act(
            lambda _w, i: i.clock.ahead_s == 0, lambda _w, i: setattr(i.clock, "ahead_s", 3600.0)
        ),
        f"{name}'s clock goes {FAR_S:g} s behind": act(
            lambda _w, i: i.clock.ahead_s == 0, lambda _w, i: setattr(i.clock, "ahead_s", -FAR_S)
        ),
        f"the clock of {name} and of the gateway goes {FAR_S:g} s ahead": act(
            lambda w, i: i.clock.ahead_s == w.gateway.clock.ahead_s == 0, _set_machine
        ),
        f"{name}'s clock is set right": act(lambda _w, i: i.clock.ahead_s, lambda _w, i: setattr(i.clock, "ahead_s", 0.0)),
    }


def _is_late(world: World) -> bool:
    """Whether a line is held. A clock that is behind by as much as every message is late is not told from a right one."""
    return world.gateway.line.held or any(ingest.line.held for ingest in world.ingests.values())


def _may_be_late(world: World) -> bool:
    return world.gateway.clock.ahead_s >= 0


def _connected(world: World) -> bool:
    return world.gateway.images is not None and world.gateway.images.received.connected


def _set_clock(ahead_s: float) -> Action:
    return Action(
        lambda w: w.gateway.clock.ahead_s == 0 and not (ahead_s < 0 and _is_late(w)),
        lambda w: setattr(w.gateway.clock, "ahead_s", ahead_s),
    )


def _reader_first(world: World) -> Iterator[Violation]:
    """A client's request stood in line before the packets."""
    world.gateway.busy = False
    yield from world.look()
    world.gateway.take_inbox()


GATEWAY: Mapping[str, Action] = {
    "the gateway is killed": Action(lambda w: w.gateway.images, lambda w: w.gateway.kill()),
    "the gateway starts": Action(lambda w: not w.gateway.images, lambda w: w.start_gateway()),
    "the gateway loses its connection": Action(_connected, lambda w: w.disconnect_gateway()),
    "the gateway connects": Action(
        lambda w: w.gateway.images and w.broker.runs and not _connected(w), lambda w: w.connect_gateway()
    ),
    "the gateway's line is held": Action(
        lambda w: not w.gateway.line.held and _may_be_late(w), lambda w: setattr(w.gateway.line, "held", True)
    ),
    "the gateway's line is let go": Action(lambda w: w.gateway.line.held, lambda w: w.gateway.hear(w.gateway.line.let_go())),
    "the gateway's last packet comes first": Action(
        lambda w: len(w.gateway.line.waiting) > 1, lambda w: w.gateway.hear(w.gateway.line.take(-1))
    ),
    f"the gateway's clock goes {FAR_S:g} s ahead": _set_clock(FAR_S),
    f"the gateway's clock goes {FAR_S:g} s behind": _set_clock(-FAR_S),
    "the gateway's clock goes 1.5 s ahead": _set_clock(1.5),
    "the gateway's clock is set right": Action(
        lambda w: w.gateway.clock.ahead_s, lambda w: setattr(w.gateway.clock, "ahead_s", 0.0)
    ),
    "the gateway is held up": Action(
        lambda w: w.gateway.images and not w.gateway.busy, lambda w: setattr(w.gateway, "busy", True)
    ),
    "the gateway goes on": Action(lambda w: w.gateway.busy, lambda w: w.gateway.take_inbox()),
    "the gateway goes on with a reader first": Action(lambda w: w.gateway.busy and w.gateway.inbox, _reader_first),
}


def _kill_broker(world: World) -> None:
    world.broker.runs = False
    world.disconnect_gateway()
    for ingest in world.ingests.values():
        world.disconnect(ingest)


def _start_broker(world: World, retained: dict[str, bytes]) -> None:
    world.broker.runs, world.broker.retained = True, dict(retained)


def _again(topic_part: str) -> Action:
    def do(world: World) -> None:
        packets = [packet for topic, packet in world.early.items() if topic_part in topic]
        world.gateway.hear(world.gateway.line.send(packets))

    return Action(_connected, do)


BROKER: Mapping[str, Action] = {
    "the broker is killed": Action(lambda w: w.broker.runs, _kill_broker),
    "the broker starts": Action(lambda w: not w.broker.runs, lambda w: _start_broker(w, w.broker.retained)),
    "the broker starts with old states": Action(lambda w: not w.broker.runs, lambda w: _start_broker(w, w.broker.saved)),
    "the broker starts with nothing": Action(lambda w: not w.broker.runs, lambda w: _start_broker(w, {})),
    "the first DOT states come again": _again("/dot"),
    "the first curves come again": _again("/trajectory"),
    "the first prices come again": _again("/lmp/"),
}


def passing(length_s: float) -> dict[str, Action]:
    """Time."""
    return {f"{length_s:g} s pass": Action(_always, lambda w: w.pass_time(length_s))}


TIME = {**passing(10), **passing(60), **passing(120)}
ALL: Mapping[str, Action] = {**TIME, **CAISO, **of_ingest("a"), **of_ingest("b"), **of_ingest("p"), **GATEWAY, **BROKER}

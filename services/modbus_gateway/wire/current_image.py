"""The current image: what the registers of each unit say now, rendered again as soon as they may say something else.

Each unit has an image of its own: a state that arrives outdates those that show it, and whoever asks waits for the one that it
asks for. An image says until when it holds. Whoever asks later gets a new one, so that a gateway that was held up never shows
what was true before. Ramps and ages move all the time: whoever asks gets an image that is no older than `render_s`, and where
nobody asks none is rendered for that alone.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.state.arrivals import Arrival
from modbus_gateway.state.clock_steps import Moment
from modbus_gateway.state.received import Received
from modbus_gateway.wire.image import HOLDS_MOST, Earlier, Image, render


class CurrentImage:
    """Renders a unit's image when it is needed, and knows how long it holds.

    Args:
        register_map: what stands where.
        topics: of this installation.
        wall: the wall clock.
        monotonic_s: seconds that never go back: how long an image holds must not depend on a clock that can be set.
        render_s: how old an image may be that is shown, when nothing came and nothing turned since.

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
        render_s: float = HOLDS_MOST.total_seconds(),
    ) -> None:
        self.received = Received()
        self._units = {unit_id: UnitImage(of_unit) for unit_id, of_unit in register_map.by_unit.items()}
        self._shows = _shows(self._units.values(), topics)
        self._topics = topics
        self._wall = wall
        self._monotonic_s = monotonic_s
        self._render_s = render_s
        self._compared: Moment | None = None
        self._log = get_logger("image")

    @property
    def age_s(self) -> float | None:
        """Seconds since the oldest image was rendered, None while a unit has none."""
        now_s, rendered = self._monotonic_s(), [unit.rendered for unit in self._units.values()]
        return None if None in rendered else max((now_s - one.monotonic_s for one in rendered if one), default=0.0)

    def look(self, unit_id: int) -> Image | None:
        """The image of a unit: the last one while it is young enough and holds, and no clock was set, else a new one.

        None of a unit that is not served.
        """
        unit, now = self._units.get(unit_id), self._now()
        if unit is None:
            return None
        return unit.image if self._is_current(unit, now) else self._render(unit, now)

    def _is_current(self, unit: "UnitImage", now: Moment) -> bool:
        if unit.rendered is None or now.is_after_step(unit.rendered):
            return False
        is_young = now.monotonic_s - unit.rendered.monotonic_s < self._render_s
        return is_young and unit.holds_for_s(now.monotonic_s) > 0

    def renew(self, unit_id: int) -> None:
        """A new image of a unit."""
        self._render(self._units[unit_id], self._now())

    def due(self) -> list[int]:
        """The units whose images do not hold any more."""
        now_s = self._monotonic_s()
        return [unit_id for unit_id, unit in self._units.items() if unit.holds_for_s(now_s) <= 0]

    def hold_for_s(self) -> float:
        """For how long all of them hold still, seconds."""
        now_s = self._monotonic_s()
        return max(min((unit.holds_for_s(now_s) for unit in self._units.values()), default=self._render_s), 0.0)

    def take(self, arrival: Arrival) -> None:
        """Remember what arrived. When, is told by the clock as it is now: it may have been set while the message waited."""
        now = self._now()
        self._note_step(now)
        self.received.take(replace(arrival, at=now.wall))
        self._outdate(self._shows.get(arrival.topic))

    def turn(self, *, connected: bool) -> None:
        """The connection to the broker came or went."""
        self.received.turn(connected=connected)
        self._outdate()

    def _outdate(self, units: "Iterable[UnitImage] | None" = None) -> None:
        """Some images show what has changed; all of them do, unless it is said which."""
        for unit in self._units.values() if units is None else units:
            unit.is_outdated = True

    def _now(self) -> Moment:
        return Moment(self._wall(), self._monotonic_s())

    def _note_step(self, now: Moment) -> None:
        step = now.step_since(self._compared) if self._compared else timedelta(0)
        self._compared = now
        if step:
            self._log.warning(
                "our clock was set; nothing is good until a heartbeat shows that clocks agree", by_s=step.total_seconds()
            )
            self.received.clock_stepped(step)
            self._outdate()

    def _render(self, unit: "UnitImage", now: Moment) -> Image:
        self._note_step(now)
        return unit.render(self.received, self._topics, now)


class UnitImage:
    """A unit's last image, and when it was rendered."""

    def __init__(self, of_unit: RegisterMap) -> None:
        self.map = of_unit
        self.image: Image | None = None
        self.rendered: Moment | None = None
        self.is_outdated = True

    def render(self, received: Received, topics: Topics, now: Moment) -> Image:
        """A new one."""
        earlier = Earlier(self.image, now.monotonic_s - self.rendered.monotonic_s) if self.image and self.rendered else None
        self.image = render(self.map, received, topics, now.wall, earlier)
        self.rendered, self.is_outdated = now, False
        return self.image

    def holds_for_s(self, now_s: float) -> float:
        """For how long the image holds still; 0 or less when it does not any more, or something came that it shows."""
        if self.image is None or self.rendered is None or self.is_outdated:
            return 0.0
        return (self.image.holds_until - self.image.rendered_at).total_seconds() - (now_s - self.rendered.monotonic_s)


def _shows(units: Iterable[UnitImage], topics: Topics) -> dict[str, list[UnitImage]]:
    """The units that show what is said on a topic of a state."""
    found: defaultdict[str, list[UnitImage]] = defaultdict(list)
    for unit in units:
        for topic in unit.map.states(topics):
            found[topic].append(unit)
    return dict(found)

"""The current image: what every register says now, rendered again as soon as it may say something else.

An image says until when it holds. Whoever asks later gets a new one, so that a gateway that was held up never shows what was
true before.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.state.arrivals import Arrival
from modbus_gateway.state.clock_steps import Moment
from modbus_gateway.state.received import Received
from modbus_gateway.wire.image import Earlier, Image, render


class CurrentImage:
    """Renders an image when it is needed, and knows how long it holds.

    Args:
        register_map: what stands where.
        topics: of this installation.
        wall: the wall clock.
        monotonic_s: seconds that never go back: how long an image holds must not depend on a clock that can be set.

    Attributes:
        received: what came from the bus; see `take`, and call `renew` after a change of it.
    """

    def __init__(
        self, register_map: RegisterMap, topics: Topics, *, wall: Callable[[], datetime], monotonic_s: Callable[[], float]
    ) -> None:
        self.received = Received()
        self._map = register_map
        self._topics = topics
        self._wall = wall
        self._monotonic_s = monotonic_s
        self._image: Image | None = None
        self._rendered: Moment | None = None
        self._compared: Moment | None = None
        self._log = get_logger("image")

    @property
    def age_s(self) -> float | None:
        """Seconds since an image was rendered, None before the first."""
        return None if self._rendered is None else self._monotonic_s() - self._rendered.monotonic_s

    def look(self) -> Image:
        """The last image while it holds and no clock was set, else a new one."""
        now = self._now()
        if self._image is None or self._rendered is None or now.is_after_step(self._rendered):
            return self._render(now)
        return self._image if self._left_s(self._image, self._rendered, now.monotonic_s) > 0 else self._render(now)

    def renew(self) -> Image:
        """A new image."""
        return self._render(self._now())

    def holds_for_s(self) -> float:
        """For how long the last image still holds, seconds; 0 when it does not any more."""
        if self._image is None or self._rendered is None:
            return 0.0
        return max(self._left_s(self._image, self._rendered, self._monotonic_s()), 0.0)

    @staticmethod
    def _left_s(image: Image, rendered: Moment, monotonic_s: float) -> float:
        """For how long an image holds still; 0 or less when it does not any more."""
        return (image.holds_until - image.rendered_at).total_seconds() - (monotonic_s - rendered.monotonic_s)

    def take(self, arrival: Arrival) -> None:
        """Remember what arrived. When, is told by the clock as it is now: it may have been set while the message waited."""
        now = self._now()
        self._note_step(now)
        self.received.take(replace(arrival, at=now.wall))

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

    def _render(self, now: Moment) -> Image:
        self._note_step(now)
        earlier = Earlier(self._image, now.monotonic_s - self._rendered.monotonic_s) if self._image and self._rendered else None
        self._image = render(self._map, self.received, self._topics, now.wall, earlier)
        self._rendered = now
        return self._image

"""Picture: all that pages show, as parts by key, kept up to date at a cost that follows what changed. Pure.

Keys: `console`, `gaps`, `service/SOURCE`, and, with names encoded as in topics, `resource/PLANT/RESOURCE` and
`alarm/PLANT/ABOUT/RULE` and `flood/PLANT`. A page of one plant is given all but other plants' resources and alarms.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Final

import msgspec

from console.following import AlarmKey, Following, ResourceKey
from console.picture.alarms import ShownAlarm, ShownFlood, show_alarm, show_flood
from console.picture.measured import Measures, actual_points
from console.picture.parts import Part, ShownConsole, ShownGap, ShownResource
from console.picture.resources import OF_NOW, Asked, ReadResource, read, show
from console.picture.services import show_gaps, show_service
from console.picture.trends import ShownTrend, Trends
from dotbus.contracts.alarms import INSTALLATION
from dotbus.contracts.topics import encode_name
from dotbus.readings.prices import read_price
from dotbus.readings.subjects import Member, PriceAt
from dotbus.runtime.installation.installation import Installation, Resource

CONSOLE: Final = "console"
GAPS: Final = "gaps"
NOWHERE: Final = " "
"""A plant that there is not: no name is a space alone."""
_OF_RESOURCES: Final = "resource/"
_OF_ALARMS: Final = "alarm/"
_OF_FLOODS: Final = "flood/"
_OF_GATEWAYS: Final = "service/modbus_gateway/"


class Gaps(Part, frozen=True, kw_only=True):
    """What can not be had any more, as far as it was told since the console listens."""

    gaps: tuple[ShownGap, ...]


Parts = Mapping[str, Part]


def key_of(key: ResourceKey) -> str:
    """A resource's key."""
    return f"{_OF_RESOURCES}{encode_name(key[0])}/{encode_name(key[1])}"


@dataclass(frozen=True)
class View:
    """What one page shows.

    Attributes:
        plant: whose page it is; None for that of all.
        is_alone: whether nothing of another plant may be told, its name included.
    """

    plant: str | None = None
    is_alone: bool = False

    def has(self, key: str, plants: Collection[str]) -> bool:
        """Whether it shows a part; `plants` are all that there are."""
        if self.plant is None:
            return True
        if key.startswith(_OF_RESOURCES):
            return key.startswith(f"{_OF_RESOURCES}{encode_name(self.plant)}/")
        if key.startswith(_OF_FLOODS):
            return key == f"{_OF_FLOODS}{encode_name(self.plant)}"
        if key.startswith(_OF_ALARMS):
            return key.startswith((f"{_OF_ALARMS}{encode_name(self.plant)}/", f"{_OF_ALARMS}{INSTALLATION}/"))
        # A plant that runs a gateway of its own gives it its own name.
        gateway_of = key.removeprefix(_OF_GATEWAYS) if key.startswith(_OF_GATEWAYS) else self.plant
        return not self.is_alone or gateway_of == self.plant or gateway_of not in plants

    def told(self, plants: Collection[str]) -> "View":
        """The view that is told the same. Pages of plants that there are not cost what one does, however many are asked for."""
        return self if self.is_alone or self.plant is None or self.plant in plants else View(NOWHERE)

    def shown(self, part: Part | None) -> Part | None:
        """A part as it is told."""
        if self.is_alone and isinstance(part, ShownConsole):
            return msgspec.structs.replace(part, plants=(self.plant,) if self.plant else ())
        return part


class Picture:
    """What is shown, from what is followed.

    Args:
        installation: its plants and resources come first, in this order.
        following: what came.

    Attributes:
        parts: as of the last look.
        read: each resource as it was read last.
        trends: what was shown of each in the last hours.
    """

    def __init__(self, installation: Installation, following: Following) -> None:
        self._installation = installation
        self._following = following
        self._configured = {
            (plant.name, resource.id): resource for plant in installation.plants for resource in plant.resources
        }
        self._prices = [PriceAt(market, node) for market in installation.prices.markets for node in installation.price_nodes]
        self.parts: dict[str, Part] = {}
        self.read: dict[ResourceKey, ReadResource] = {}
        self.trends = Trends(following, installation.modbus)

    def look(self, now: datetime) -> dict[str, Part | None]:
        """Bring it up to date, and return what changed since the last look; None of what is no more."""
        parts = self._parts(now)
        changed: dict[str, Part | None] = {key: part for key, part in parts.items() if self.parts.get(key) != part}
        changed |= {key: None for key in self.parts if key not in parts}
        self.parts = parts
        return changed

    def _parts(self, now: datetime) -> dict[str, Part]:
        following = self._following
        self._read(now)
        return {
            CONSOLE: self._console(),
            **{key_of(key): self._show(key, known, now) for key, known in self.read.items()},
            **{f"service/{source}": show_service(heard, now) for source, heard in sorted(following.services.items())},
            **{f"{_OF_ALARMS}{'/'.join(map(encode_name, key))}": shown for key, shown in self._alarms()},
            **dict(self._floods(now)),
            GAPS: Gaps(gaps=show_gaps(following.gaps)),
        }

    def _alarms(self) -> Iterator[tuple[AlarmKey, ShownAlarm]]:
        for key, said in sorted(self._following.alarms.items()):
            if shown := show_alarm(said):
                yield key, shown

    def _floods(self, now: datetime) -> Iterator[tuple[str, ShownFlood]]:
        """Of each plant, and of those alarms that are of none."""
        for plant in (*(plant.name for plant in self._installation.plants), INSTALLATION):
            topic = self._following.topics.alarm_summary(plant)
            if shown := show_flood(self._following.received.alarms.of(topic), now):
                yield f"{_OF_FLOODS}{encode_name(plant)}", shown

    def trend(self, key: ResourceKey, hours: float, now: datetime) -> ShownTrend | None:
        """A resource's trend of the last hours and what is ahead; None of one that was never heard of."""
        known = self.read.get(key)
        return self.trends.show(known.asked, now - timedelta(hours=hours), now) if known else None

    def measure(self, now: datetime) -> Measures:
        """What programs are told: resources and services as of the last look, prices read now."""
        received, topics, judging = self._following.received, self._following.topics, self._installation.modbus
        return Measures(
            now,
            received.hears,
            read=dict(self.read),
            actual=actual_points(self._following.points),
            read_prices=[(at, read_price(at, received, topics, judging, now).named) for at in self._prices],
            services=dict(self._following.services),
        )

    def _show(self, key: ResourceKey, known: ReadResource, now: datetime) -> ShownResource:
        shown = show(known, self._following.points.get(key, {}), now)
        self.trends.note(known.asked, shown, now)
        return shown

    def _console(self) -> ShownConsole:
        return ShownConsole(
            hears_broker=self._following.received.hears,
            environment=self._installation.environment,
            plants=tuple(dict.fromkeys([*(plant.name for plant in self._installation.plants), *(key[0] for key in self.read)])),
            version=version("dotbus"),
        )

    def _read(self, now: datetime) -> None:
        """Read anew what a message was about or what time turned; what only moves is worked out when it is shown."""
        is_all, topics = self._following.take_outdated()
        judging = self._installation.modbus
        for key in self._following.resources(self._configured):
            before = self.read.get(key)
            asked = before.asked if before else self._asked(key)
            is_told = not topics.isdisjoint(asked.topics_in(self._following.topics))
            if before is None or is_all or is_told or before.is_due(now):
                self.read[key] = read(asked, self._following, judging, now, before)

    def _asked(self, key: ResourceKey) -> Asked:
        resource = self._configured.get(key) or Resource.model_construct(id=key[1])  # a name that no file may have, too
        market = next((market for market in OF_NOW if market in self._installation.prices.markets), None)
        price = PriceAt(market, resource.node) if market and resource.node else None
        return Asked(Member(key[0], resource), key in self._configured, price)


def plants_in(parts: Mapping[str, Part]) -> Collection[str]:
    """The plants of all parts."""
    console = parts.get(CONSOLE)
    return console.plants if isinstance(console, ShownConsole) else ()


def encode(parts: Mapping[str, Part | None], view: View, plants: Collection[str]) -> bytes:
    """Parts as a page gets them: a JSON object. `plants` are all that there are."""
    return msgspec.json.encode({key: view.shown(part) for key, part in parts.items() if view.has(key, plants)})

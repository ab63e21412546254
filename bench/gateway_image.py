"""How long the gateway takes to render all registers of a hundred resources: at least every two seconds, and when asked for."""

import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TypeVar

import msgspec

from dotbus.contracts.messages import Dot, Lmp, Trajectory
from dotbus.contracts.topics import Topics
from dotbus.runtime.installation.installation import Installation
from dotbus.testing import samples
from modbus_gateway.map.draft import read_map
from modbus_gateway.state.arrivals import Arrival
from modbus_gateway.state.received import Received
from modbus_gateway.wire.image import Earlier, render

PLANTS, RESOURCES = 10, 10
AHEAD = 12
RENDERS = 40

T = TypeVar("T", bound=msgspec.Struct)


def installation() -> Installation:
    """Ten plants of ten resources, each with a node of its own, a unit id for each plant."""
    names = [(f"plant{plant}", [f"R{plant}_{number}" for number in range(RESOURCES)]) for plant in range(PLANTS)]
    plants = [{"name": plant, "resource": [{"id": name, "node": name} for name in resources]} for plant, resources in names]
    blocks = [{"profile": "plant", "unit_id": number, "plants": [plant]} for number, (plant, _) in enumerate(names, 1)]
    return Installation.model_validate({"environment": "production", "plant": plants, "modbus": {"block": blocks}})


def states(place: Installation) -> Iterator[tuple[str, Dot | Trajectory | Lmp]]:
    """A DOT for each of the next twelve intervals, twice as many DOPs, and a price, of every resource."""
    for plant in place.plants:
        for resource in plant.resources:
            names = {"plant": plant.name, "resource_id": resource.id}
            dot, curve = samples.dot(), samples.trajectory()
            steps = [timedelta(minutes=5 * number) for number in range(AHEAD)]
            first, begin = dot.intervals[0], curve.points[0]
            intervals = [_moved(first, step, "interval_start", "interval_end", "target_at") for step in steps]
            points = [_moved(begin, step / 2, "target_at") for step in steps + [steps[-1] + step for step in steps]]
            yield place.topics.dot(plant.name, resource.id), msgspec.structs.replace(dot, **names, intervals=tuple(intervals))
            yield (
                place.topics.trajectory(plant.name, resource.id),
                msgspec.structs.replace(curve, **names, points=tuple(points)),
            )
            yield place.topics.lmp("RTM", resource.id), msgspec.structs.replace(samples.lmp(), market="RTM", node=resource.id)


def _moved(one: T, by: timedelta, *times: str) -> T:
    return msgspec.structs.replace(one, **{name: getattr(one, name) + by for name in times})


def main() -> None:
    """Render again and again as time goes on, and print how long one takes."""
    place = installation()
    register_map, received, topics = read_map(place), Received(), Topics(place.topic_root)
    received.turn(connected=True)
    for topic, state in states(place):
        received.take(Arrival(topic, samples.AT, retained=False, said=state))
    image, taken_ms = None, []
    for number in range(RENDERS):
        begun = time.perf_counter()
        image = render(
            register_map, received, topics, samples.AT + timedelta(seconds=number / 2), image and Earlier(image, 0.5)
        )
        taken_ms.append((time.perf_counter() - begun) * 1000)
    print(f"{PLANTS * RESOURCES} resources: {statistics.median(taken_ms):.1f} ms, at most {max(taken_ms):.1f} ms")


if __name__ == "__main__":
    main()

"""What a scrape of the console costs with many resources and prices: how long its loop is kept, and the making of the answer.

    python bench/console_metrics.py [RESOURCES]

Every resource has DOTs, a trajectory and a node of its own (default 1,000), with a price in one market of the three that are
asked for. In one process, without HTTP and without a broker. Medians of the CPU's time.
"""

import statistics
import sys
import time
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, generate_latest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # messages as the tests tell them

from gateway_story import at, dot, interval, lmp, point, price, status, trajectory, upstreams

from console.following import Following
from console.meters import Plant
from console.picture.measured import Measures
from console.picture.picture import Picture
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dot, Lmp, ServiceStatus, Trajectory
from dotbus.judging.clock_steps import Moment
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.messages import Delivery

ROUNDS = 9
PLANT = "sierra"


def picture(count: int) -> Picture:
    """All of them heard, a second ago."""
    resources = [{"id": f"R{number}", "node": f"N{number}"} for number in range(count)]
    place = Installation.model_validate({"environment": "production", "plant": [{"name": PLANT, "resource": resources}]})
    following, topics = Following(place.topics, place.modbus.accept_environments, Moment(at(-3600), -3600)), place.topics

    def hear(topic: str, message: Dot | Trajectory | Lmp | ServiceStatus) -> None:
        following.take(Delivery(topic, encode(message), retained=False, received_at=message.time))

    following.turn(connected=True, at=at(-3600))
    for service in ("ads_ingest", "lmp_ingest"):
        for said_s in (-60, 0):
            said = status(said_s, service=service, upstreams=upstreams(said_s, service=service))
            hear(topics.service(service, said.instance), said)
    dots, curve = dot(interval(0, 10), interval(300, 20), interval(600, 40)), trajectory(point(0, 10), point(300, 40))
    for number in range(count):
        names = {"plant": PLANT, "resource_id": f"R{number}"}
        hear(topics.dot(*names.values()), msgspec.structs.replace(dots, **names))
        hear(topics.trajectory(*names.values()), msgspec.structs.replace(curve, **names))
        hear(topics.lmp("RTM", f"N{number}"), lmp(price(0, 31.5), node=f"N{number}"))
    made = Picture(place, following)
    made.look(at(1))
    return made


def scrape(measures: Measures) -> bytes:
    """The answer."""
    registry = CollectorRegistry()
    registry.register(Plant(lambda: measures))
    return generate_latest(registry)


def main() -> None:
    """Print medians."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    made = picture(count)
    kept_ms, took_ms = [], []
    for _ in range(ROUNDS):
        begun = time.process_time()
        measures = made.measure(at(3))
        between = time.process_time()
        answer = scrape(measures)
        kept_ms.append((between - begun) * 1000)
        took_ms.append((time.process_time() - between) * 1000)
    kept, took = statistics.median(kept_ms), statistics.median(took_ms)
    print(
        f"{count} resources, {count} nodes in three markets: loop kept {kept:.0f} ms, answer made in {took:.0f} ms, "
        f"{len(answer.splitlines())} lines, {len(answer) / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    main()

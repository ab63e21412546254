"""What a look of the service of alarms costs, which it takes each second: of the processor, by how much there is to watch.

    python bench/alarms_look.py [RESOURCES]

Every resource has a DOT outside of its limits, and so an alarm (default 1,000), once in one plant and once each in a plant of
its own. In one process, without a broker, with the outbox on disk. Medians of the CPU's time.
"""

import logging
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # a desk as the tests have it

from alarms_desk import QUICK, Desk
from alarms_world import START, TOPICS

from dotbus.contracts.messages import Dot, DotInterval, Environment

ROUNDS = 15


def config(resources: int, plants: int) -> str:
    """An installation's file."""
    lines = ['environment = "simulator"', "[modbus]", 'accept_environments = ["simulator"]']
    for plant in range(plants):
        lines += ["[[plant]]", f'name = "P{plant}"']
        for number in range(resources // plants):
            lines += ["[[plant.resource]]", f'id = "R{plant}_{number}"', "pmin_mw = 0.0", "pmax_mw = 30.0"]
    return "\n".join(lines) + "\n"


def dispatched(desk: Desk) -> None:
    """CAISO asks of each resource more than it can."""
    desk.service_says("ads_ingest/a")
    interval = DotInterval(
        interval_start=START,
        interval_end=START + timedelta(hours=1),
        target_at=START + timedelta(minutes=30),
        dot_mw=40.0,
        batch_uid="b",
        batch_type=0,
        instruction_uid="i",
        revision_no=1,
        batch_received_at=START,
    )
    for plant in desk.world.installation.plants:
        for resource in plant.resources:
            of_it = {"plant": plant.name, "resource_id": resource.id}
            said = {"environment": Environment.SIMULATOR, "source": "ads_ingest/a", "time": desk.now, "heard_at": desk.now}
            state = Dot(**said, **of_it, received_at=START, intervals=(interval,))
            desk.hears(TOPICS.dot(plant.name, resource.id), state)


def look_ms(desk: Desk) -> float:
    """One of them."""
    began_s = time.process_time()
    desk.passes(1)
    return (time.process_time() - began_s) * 1000


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    resources = int(sys.argv[1]) if sys.argv[1:] else 1000
    for plants in (1, resources):
        with tempfile.TemporaryDirectory() as folder:
            desk = Desk(Path(folder), QUICK, config=config(resources, plants))
            desk.begin()
            dispatched(desk)
            first_ms, later_ms = look_ms(desk), statistics.median(look_ms(desk) for _ in range(ROUNDS))
            watched = f"{resources} resources in {plants} plants, {len(desk.alarms.statuses)} alarms"
            print(f"{watched}: {later_ms:.0f} ms a look, {first_ms:.0f} ms the first one, which raises them")
            desk.close()


if __name__ == "__main__":
    main()

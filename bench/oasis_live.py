"""How soon a published five-minute price is in its node's state, on a virtual clock.

    python bench/oasis_live.py [HOURS [NODES...]]

The real loop of lmp_ingest with a real outbox, and an OASIS that publishes each interval at a time of its own: about 100 s
before it begins, up to 20 s earlier or later (CAISO does not say when it publishes, and nobody has measured it). Requests take
their usual time (0.4 s for ten nodes, 4 s for the whole network); the rest of the machine takes none. Asked are the five-minute
market alone, and with the other three that dotbus.example.toml has. Measured is from the publication of an interval to the
state of each node that has it, over HOURS (2) from the second hour on, and the requests an interval.
"""

import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the story is the tests'

from oasis_recordings import recorded, zipped
from oasis_story import BEGIN, FIVE, Story, table
from rich.console import Console
from rich.table import Table

from caiso.oasis import REPORTS, Group, Market, Question, interval_starts
from dotbus.runtime.logs import configure_logs

SEED = 20261127
HOURS = 2
HOUR = timedelta(hours=1)
AHEAD, JITTER_S = timedelta(seconds=100), 20.0
NAMED_S, NETWORK_S = 0.4, 4.0
MARKETS = ((Market.RTM,), (Market.RTM, Market.RTPD, Market.HASP, Market.DAM))
SIZES = (10, 100, 1000)
NOTHING = zipped(e__xml=recorded("error_1000_no_data.xml"))


def published_at(start: datetime) -> datetime:
    """When the price of an interval is there."""
    return start - AHEAD + timedelta(seconds=Random(f"{SEED} {start}").uniform(-JITTER_S, JITTER_S))


def oasis(story: Story, nodes: tuple[str, ...]) -> Callable[[Question], bytes]:
    """What CAISO answers: each interval that is published by then, and it takes its time."""

    def answer(question: Question) -> bytes:
        asked_at = story.now
        interval = REPORTS[question.market].interval
        wanted = nodes if isinstance(question.nodes, Group) else question.nodes
        # What is long over says nothing of how soon a price is here, and a thousand nodes of a week take long to write.
        first = max(question.start, asked_at - HOUR)
        starts = [at for at in interval_starts(first, question.end, interval) if is_published(question.market, at, asked_at)]
        story.now += timedelta(seconds=NETWORK_S if isinstance(question.nodes, Group) else NAMED_S)
        rows = [(at, node, "LMP", 10.0 + at.minute) for at in starts for node in wanted]
        return table(question.market, rows) if rows else NOTHING

    return answer


def is_published(market: Market, start: datetime, now: datetime) -> bool:
    """Whether an interval's price is there; of markets that are not measured whenever it may be."""
    return published_at(start) <= now if market is Market.RTM else start <= now + REPORTS[market].interval


def measured(folder: Path, size: int, markets: tuple[Market, ...], hours: int) -> tuple[list[float], float]:
    """Seconds from publication to state of each interval and node, and requests an interval."""
    nodes = tuple(f"N{number:04}" for number in range(size))
    story = Story(folder, markets, nodes)
    story.oasis.answer = oasis(story, nodes)
    late: list[float] = []
    known: dict[str, datetime] = {}
    begin, end = BEGIN + HOUR, BEGIN + (1 + hours) * HOUR
    topics = {story.installation.topics.lmp(Market.RTM, node): node for node in nodes}
    revisions: dict[str, int] = {}
    version = -1
    while story.now < end:
        story.loop.step()
        if story.outbox.states_version == version:
            story.now += timedelta(seconds=max(story.loop.idle_s(), 0.01))
            continue
        version = story.outbox.states_version
        changed = {topic: of for topic, of in story.outbox.state_revisions().items() if revisions.get(topic) != of}
        revisions |= changed
        for node in (topics[topic] for topic in changed if topic in topics):
            state = story.state(Market.RTM, node)
            newest = state.published.interval_start if state and state.published else None
            before = known.get(node)
            if newest and before and newest > before and story.now >= begin:
                starts = interval_starts(before + FIVE, newest + FIVE, FIVE)
                late += [(story.now - published_at(start)).total_seconds() for start in starts]
            if newest:
                known[node] = max(newest, before or newest)
        story.now += timedelta(seconds=max(story.loop.idle_s(), 0.01))
    requests = sum(begin <= at for at, question in story.oasis.asked if question.market is Market.RTM)
    story.outbox.close()
    return late, requests / (hours * 12)


def main() -> None:
    """Measure, and print the table."""
    hours = int(sys.argv[1]) if len(sys.argv) > 1 else HOURS
    configure_logs("bench", "bench", "console", "critical")
    result = Table("nodes", "markets", "median, s", "99 % within, s", "most, s", "RTM requests an interval", "states")
    for size in [int(text) for text in sys.argv[2:]] or SIZES:
        for markets in MARKETS:
            with tempfile.TemporaryDirectory() as folder:
                late, requests = measured(Path(folder), size, markets, hours)
            late.sort()
            figures = (f"{seconds:.1f}" for seconds in (median(late), late[int(0.99 * len(late))], late[-1]))
            result.add_row(f"{size:,}", ", ".join(markets), *figures, f"{requests:.1f}", f"{len(late):,}")
    Console(width=120).print(result)


if __name__ == "__main__":
    main()

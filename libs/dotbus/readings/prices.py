"""Price readings: what is read of one node's prices at a time, each value with its quality. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from dotbus.contracts.messages import NodePrice
from dotbus.contracts.quality import Reason
from dotbus.contracts.topics import Topics
from dotbus.judging.arrivals import LMP_INGEST
from dotbus.judging.judge import PUBLISHED_AHEAD_MOST, Judged, Known, judge_prices, turns_of_ages
from dotbus.judging.received import Received, oasis_upstream
from dotbus.judging.vouching import JUST_AFTER, hears_caiso
from dotbus.readings.reading import Named, Read, Reading, described, next_of
from dotbus.readings.subjects import PriceAt
from dotbus.runtime.installation.modbus import Modbus

COMPONENTS: Final = ("energy_usd_per_mwh", "congestion_usd_per_mwh", "loss_usd_per_mwh", "ghg_usd_per_mwh")
"""What a price is the sum of, by the names of the state. OASIS does not say each of them of every node."""


def read_price(price: PriceAt, received: Received, topics: Topics, judging: Modbus, now: datetime) -> Read:
    """Every quantity of a node's price."""
    stale_after_s = min(judging.price_stale_after_s, price.stale_after_s or judging.price_stale_after_s)
    topic = topics.lmp(price.market, price.node)
    known = judge_prices(received, topic, stale_after_s, now)
    published = known.parts[-1] if known.parts else None
    active = next((part for part in known.parts if part.said.interval_start <= now < part.said.interval_end), None)
    published_over = [Reason.STALE] if published and now > _over_at(published.said, judging) else []
    of_published = _read_node_price("lmp_published", published, known, *published_over)
    works = hears_caiso(received, LMP_INGEST, stale_after_s, now, oasis_upstream(price.market))
    fresh = works and of_published["lmp_published_usd_per_mwh"].quality.is_good
    named = {
        **of_published,
        **_read_node_price("lmp_active", active, known),
        "lmp_market_works": Reading(works),
        "lmp_fresh": Reading(fresh),
        "lmp_age_s": Reading.of_age(known.whole.heard_at, now),
    }
    turns = chain(turns_of_ages(received, topic, stale_after_s), _turns(known, judging))
    return Read(named, next_of(turns, now))


def _turns(known: Known[NodePrice], judging: Modbus) -> Iterator[datetime]:
    for part in known.parts:
        yield from (part.said.interval_start - PUBLISHED_AHEAD_MOST, part.said.interval_start, part.said.interval_end)
    if known.parts:
        yield _over_at(known.parts[-1].said, judging) + JUST_AFTER


def _read_node_price(name: str, price: Judged[NodePrice] | None, known: Known[NodePrice], *more: Reason) -> Named:
    """A price with its quality; an interval without an LMP has none, and that is no answer to what it costs."""
    lmp_usd_per_mwh = price.said.lmp_usd_per_mwh if price else None
    absent = [Reason.INVALID] if price and lmp_usd_per_mwh is None else []
    quality = (price or known.whole).quality(*more, *absent)
    if price is None and known.whole.said is not None:
        quality = known.whole.quality(*more, Reason.EXPIRED)
    return {
        **described(name, quality),
        f"{name}_usd_per_mwh": Reading(lmp_usd_per_mwh, quality),
        **{f"{name}_{part}": Reading(getattr(price.said, part) if price else None, quality) for part in COMPONENTS},
        f"{name}_start": Reading.of_time(price.said.interval_start if price else None, quality),
    }


def _over_at(published: NodePrice, judging: Modbus) -> datetime:
    """When a published price after which none came is too old, although OASIS answers."""
    return published.interval_end + timedelta(seconds=judging.price_stale_after_s)

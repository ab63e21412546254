"""What Prometheus is told of resources, prices and services: a number, how far to believe it, and nothing of the unknown."""

import pytest
from console_story import Console, measured
from gateway_story import at, dot, interval, lmp, point, price, status, trajectory, upstream, upstreams
from prometheus_client import CollectorRegistry

from console.following import Following
from console.meters import Meters, Plant
from console.picture.picture import Picture
from console.service import Service
from console.web.streams import Streams
from dotbus.contracts.quality import Level
from dotbus.judging.clock_steps import Moment

DOTS = (interval(0, 10.0), interval(300, 20.0))
SOLAR = {"plant": "sierra", "resource": "SOLAR"}


@pytest.fixture
def console() -> Console:
    return Console()


class Told:
    """One scrape."""

    def __init__(self, console: Console, now_s: float) -> None:
        self._registry = CollectorRegistry()
        measures = console.look(now_s).picture.measure(at(now_s))
        self._registry.register(Plant(lambda: measures))

    def value(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(f"dotbus_{name}", labels)

    def of_solar(self, name: str, of: str = "dot", **more: str) -> float | None:
        return self.value(f"resource_{name}", **SOLAR, of=of, **more)

    def count_of_solar(self) -> int:
        samples = [sample for family in self._registry.collect() for sample in family.samples]
        return sum(SOLAR.items() <= sample.labels.items() for sample in samples)


def test_each_value_stands_beside_its_quality_and_its_age(console: Console):
    console.hear(status(0), dot(*DOTS))
    told = Told(console, 30)

    assert [told.of_solar("mw", of) for of in ("dot", "set_point", "next_dot")] == [10.0, 10.0, 20.0]
    assert [told.of_solar(name) for name in ("quality", "age_seconds")] == [192, 30.0]
    assert told.value("resource_dot_changes_in_seconds", **SOLAR) == 270.0
    assert told.of_solar("reason", reason="stale") is None


def test_a_stale_value_goes_away_and_says_why(console: Console):
    console.hear(status(0), dot(*DOTS))
    told = Told(console, 95)

    assert told.of_solar("mw") is None
    assert told.of_solar("mw", "set_point") is None
    assert (told.of_solar("quality"), told.of_solar("reason", reason="stale"), told.of_solar("age_seconds")) == (0, 1, 95.0)
    assert told.value("resource_dot_changes_in_seconds", **SOLAR) is None


def test_a_value_in_doubt_is_told_as_such(console: Console):
    console.hear(status(0), dot(*DOTS), status(5, online=False, upstreams=()))
    told = Told(console, 6)

    assert (told.of_solar("mw"), told.of_solar("quality")) == (10.0, 64)
    assert told.of_solar("reason", reason="source_offline") == 1


def test_what_was_never_heard_of_has_a_quality_and_no_value_nor_age(console: Console):
    told = Told(console, 1)
    assert (told.of_solar("quality"), told.of_solar("mw"), told.of_solar("age_seconds")) == (0, None, None)
    assert told.value("price_quality", market="RTM", node="NODE1") == 0
    assert told.value("price_usd_per_mwh", market="RTM", node="NODE1") is None


def test_no_next_dot_is_no_value_and_not_wrong(console: Console):
    console.hear(status(0), dot(interval(0, 10.0)))
    told = Told(console, 1)
    assert (told.of_solar("mw", "next_dot"), told.of_solar("quality", "next_dot")) == (None, 192)


def test_a_dot_of_nothing_is_a_zero_and_not_absent(console: Console):
    console.hear(status(0), dot(interval(0, 0.0)))
    assert Told(console, 1).of_solar("mw") == 0.0


def test_a_price_is_told_with_its_age_and_grows_old(console: Console):
    console.hear(status(0, service="lmp_ingest"), lmp(price(0, -12.5)))
    node = {"market": "RTM", "node": "NODE1"}
    told = Told(console, 20)
    assert [told.value(f"price_{name}", **node) for name in ("usd_per_mwh", "quality", "age_seconds")] == [-12.5, 192, 20.0]
    told = Told(console, 7200)
    assert [told.value(f"price_{name}", **node) for name in ("usd_per_mwh", "quality")] == [None, 0]


def test_what_a_plant_delivers_is_told_until_its_word_ends(console: Console):
    console.hear(measured(42.5, 0))
    told = Told(console, 10)
    assert [told.of_solar(name, "actual") for name in ("mw", "quality", "age_seconds")] == [42.5, 192, 10.0]
    assert Told(console, 91).of_solar("mw", "actual") is None


def test_services_and_whom_they_ask_are_told(console: Console):
    console.hear(status(0, upstreams=(upstream(-7, ok=False), *upstreams(0)[1:])))
    told = Told(console, 3)
    assert told.value("service_state", source="ads_ingest/a", state="degraded") == 1
    assert told.value("service_state", source="ads_ingest/a", state="running") is None
    of_dispatch = {"source": "ads_ingest/a", "upstream": "ads_dispatch"}
    assert (told.value("upstream_ok", **of_dispatch), told.value("upstream_age_seconds", **of_dispatch)) == (0, 10.0)
    assert told.value("console_hears_broker") == 1
    console.following.turn(connected=False, at=at(4))
    assert Told(console, 5).value("console_hears_broker") == 0


def test_metrics_and_registers_say_the_same_level(console: Console):
    console.hear(status(0), dot(*DOTS), trajectory())
    for now_s in (1, 40, 61, 95):
        assert Level(int(Told(console, now_s).of_solar("quality") or 0)).name.lower() == console.resource().dot.mw.level


def test_while_the_loop_does_not_turn_nothing_is_told_of_plants(console: Console):
    registry = CollectorRegistry()
    following = Following(console.topics, [], Moment(at(0), 0))
    service = Service(following, Picture(console.place, following), Streams(1), lambda: Moment(at(0), 0))
    Meters(registry, lambda: 0).watch(service.measured)
    assert {family.name for family in registry.collect()} == {"dotbus_console_pages", "dotbus_console_look_seconds"}


def test_a_resource_that_is_well_has_sixteen_samples_and_one_more_for_each_reason(console: Console):
    console.hear(status(0), dot(*DOTS), trajectory(point(0, 10), point(300, 40)), measured(10.0, 0))
    assert Told(console, 1).count_of_solar() == 16
    console.hear(status(5, online=False, upstreams=()))
    assert Told(console, 6).count_of_solar() == 16 + len(("dot", "set_point", "next_dot", "trajectory"))

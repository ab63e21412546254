"""Whatever anybody publishes is stored right or kept with the reason, and what is good is stored all the same."""

import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from itertools import count, cycle

import pytest
from historian_parts import NOW, arrival, dispatch, named, ready, replace, topic_of, write_batch
from historian_reading import is_stored, numbers_of, visible
from hostile_messages import KEPT, hostile_deliveries
from hypothesis import given, settings
from hypothesis import strategies as st
from real_postgres import Postgres, new_database

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import ReplayReply, ServiceStatus, Telemetry
from historian.database import Database
from historian.tables.views import VIEWS
from historian.upkeep.price_hours import make_hours
from historian.write.reading.events import MAX_QUANTITY
from historian.write.reading.record import Recorded, Refused
from historian.write.sequences.accounts import Accounts
from historian.write.sequences.gaps import Gaps
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

_good = count(1)


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:
    return new_database(postgres)


@pytest.fixture(scope="module")
def open_database(url: str) -> Iterator[Database]:
    with ready(url) as opened:
        yield opened


def good():
    """A dispatch as an honest source makes it, never twice the same."""
    number = next(_good)
    event = dispatch(number, batch_uid=f"GOOD-{number}")
    return arrival(replace(event, source="ads_ingest/honest", stream="good"))


def is_dead_letter(url, delivery):
    topic, payload = delivery.topic, delivery.payload
    letters = named(url, "SELECT reason FROM dead_letter WHERE digest = %s", sha256(topic.encode() + b"\0" + payload).digest())
    return len(letters) == 1 and bool(letters[0]["reason"])


def check(url, deliveries, written):
    rejected = [rejection.arrival for rejection in written.rejections]
    assert all(is_dead_letter(url, delivery) for delivery in rejected)
    repeated = 0
    for delivery in deliveries:
        match delivery.meaning:
            case Refused(reason=reason):
                assert reason
                assert delivery in rejected
            case Recorded(event=event) if delivery not in rejected and not is_stored(url, event):
                assert len(numbers_of(url, event)) == 1
                repeated += 1
            case Telemetry(time=time, point=point) if delivery not in rejected:
                assert named(url, "SELECT 1 FROM telemetry_history WHERE time = %s AND point = %s", time, visible(point))
            case ServiceStatus(service=service, instance=instance) if delivery not in rejected:
                assert named(url, "SELECT 1 FROM service_state WHERE service = %s AND instance = %s", service, instance)
    assert repeated <= len(written.repeats), "what is neither stored as it was said nor a dead letter was stored before"
    events = sum(isinstance(delivery.meaning, Recorded) and delivery not in rejected for delivery in deliveries)
    assert events == written.events + len(written.repeats)


@settings(max_examples=150)
@given(st.lists(hostile_deliveries(), min_size=1, max_size=8), st.integers(0, 8))
def test_nothing_that_is_published_stops_or_spoils_anything(url, open_database, hostile, place):
    store, gaps, accounts = Store(open_database), Gaps(5.0, 300.0, lambda: 0.0), Accounts(open_database)
    deliveries = [arrival(payload, topic) for topic, payload in hostile]
    honest = [good(), good(), good()]
    batch = [honest[0], *deliveries[:place], honest[1], *deliveries[place:]]
    check(url, batch, write_batch(store, batch))
    for delivery in deliveries:
        match delivery.meaning:
            case ServiceStatus() as status:
                gaps.heard_status(status)
            case ReplayReply() as reply:
                gaps.heard_reply(reply)
    for stream, missing in accounts.missing(gaps, 100).items():
        gaps.look(stream, missing, NOW)
    assert store.write([honest[2]], NOW).events == 1
    assert all(is_stored(url, each.meaning.event) for each in honest)
    again = store.write(batch, NOW)
    assert again.events == 0, "what came again is not stored again"


def with_quantities(document, quantities):
    """A document with each quantity in it replaced."""
    if isinstance(document, dict):
        return {key: with_quantities(value, quantities) for key, value in document.items()}
    if isinstance(document, list):
        return [with_quantities(value, quantities) for value in document]
    return next(quantities) if isinstance(document, float) else document


@pytest.mark.parametrize("signs", [(1,), (-1,), (1, -1), (-1, 1, 1)])
def test_every_view_and_the_means_of_hours_answer_with_the_largest_quantities_that_are_kept(postgres, signs):
    """One price of 1e308 once left every view of means, and all hours that were to be made after its own, without an answer."""
    url, largest = new_database(postgres), cycle(sign * MAX_QUANTITY for sign in signs)
    documents = [(with_quantities(json.loads(encode(message)), largest), topic_of(message)) for message in KEPT]
    batch = [arrival(json.dumps(document).encode(), topic) for document, topic in documents]
    with ready(url) as database:
        assert not write_batch(Store(database), batch).rejections
        assert make_hours(database, NOW, quiet=timedelta()) == 1
    for view in VIEWS:
        named(url, f"SELECT * FROM {view.name}")
    assert named(url, "SELECT 1 FROM price_hourly")


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # what is hostile is large
@settings(max_examples=10)
@given(st.lists(hostile_deliveries(), min_size=30, max_size=30))
def test_every_view_answers_whatever_is_stored(url, open_database, hostile):
    batch = [*(arrival(payload, topic) for topic, payload in hostile), honest := good()]
    write_batch(Store(open_database), batch)
    for view in VIEWS:
        named(url, f"SELECT * FROM {view.name}")
    uid = honest.meaning.event.batch.batch_uid
    assert len(named(url, "SELECT 1 FROM instruction_latest WHERE batch_uid = %s", uid)) == 1

"""What goes wrong at CAISO itself: batches that are withheld, lost or set back, and prices that are corrected."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from simulators.admin.scale import large_dispatch, large_trajectory
from simulators.ads.dispatches import Kind
from simulators.ads.documents import Style, compressed, dispatch_batch, trajectory_response
from simulators.ads.ledger import Ledger, UnknownBatch
from simulators.ads.market import Market, Order
from simulators.ads.plan import Unit
from simulators.ads.records import Batch, BatchType, DispatchBatch
from simulators.broken_replies import gzip_bomb
from simulators.oasis.prices import CorrectedPrices, PriceModel, SaidAgain

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[2] / "fixtures" / "ads" / "ads.caiso.com.xsd"))
UNITS = (Unit("ONE", variable=False, pmin_mw=0.0, pmax_mw=100.0, ramp_mw_per_min=20.0),)
START = datetime(2026, 7, 1, 12, 1, tzinfo=UTC)
NOW = START + timedelta(minutes=61)
MARKET = Market(UNITS, 300, 1)


def dots(ledger: Ledger) -> list[DispatchBatch]:
    return [batch for batch in ledger.dispatches() if batch.batch_type is BatchType.FIVE_MINUTE]


def opened(is_withheld=lambda _batch: False) -> Ledger:
    ledger = Ledger(MARKET, START, is_withheld)
    ledger.advance(NOW)
    return ledger


def test_a_withheld_batch_is_never_issued() -> None:
    victim = dots(opened())[3]

    def is_victim(batch: Batch) -> bool:
        return batch.batch_uid == victim.batch_uid

    assert [batch.batch_uid for batch in dots(opened()) if not is_victim(batch)] == [
        b.batch_uid for b in dots(opened(is_victim))
    ]


def test_a_batch_that_was_lost_is_unknown_and_no_longer_listed() -> None:
    ledger = opened()
    victim = dots(ledger)[-1]
    ledger.forget(victim.batch_uid)
    with pytest.raises(UnknownBatch):
        ledger.dispatch(victim.batch_uid)
    assert victim not in ledger.dispatches_since("-1", "me")


def test_a_batch_that_was_set_back_is_listed_again_in_its_older_revision() -> None:
    ledger = opened()
    before = dots(ledger)[-1]
    after = ledger.revise(before.batch_uid, "ONE", 12.5)
    ledger.note_fetched(after, "me")
    ledger.set_back(before.batch_uid)
    assert ledger.dispatches_since(after.batch_uid, "me") == [before]


def test_a_batch_that_has_one_revision_only_cannot_be_set_back() -> None:
    ledger = opened()
    with pytest.raises(UnknownBatch):
        ledger.set_back(dots(ledger)[-1].batch_uid)


def test_a_late_hourly_batch_covers_now_and_was_received_after_the_dots_in_it() -> None:
    ledger = opened()
    late = ledger.issue(Order(Kind.HOURLY), NOW)
    assert late.start_at <= NOW < late.start_at + timedelta(seconds=late.interval_s)
    assert late.received_at >= max(batch.received_at for batch in dots(ledger))
    assert ledger.dispatches()[-1] == late


def test_a_large_batch_has_as_many_resources_and_details_as_wanted() -> None:
    batch = large_dispatch(NOW, 300, 1000, 8)
    assert len({each.resource_id for each in batch.instructions}) == 1000
    assert {len(each.details) for each in batch.instructions} == {8}
    assert batch.start_at <= NOW < batch.start_at + timedelta(seconds=300)
    SCHEMA.assertValid(etree.fromstring(dispatch_batch(batch, Style("v6"), with_instructions=True)))


def test_a_bomb_is_a_small_gzip_of_something_large() -> None:
    bomb = gzip_bomb(20)
    assert len(bomb) < 100_000
    assert gzip.decompress(bomb) == bytes(20_000_000)


def test_a_cache_of_trajectories_can_be_large() -> None:
    batches = [large_trajectory(NOW, serial, resources=10, points=200) for serial in range(10)]
    assert len({batch.batch_uid for batch in batches}) == 10
    document = trajectory_response(batches, Style("v6"))
    SCHEMA.assertValid(etree.fromstring(document))
    assert len(compressed(document)) > 500_000


def test_a_corrected_price_is_what_is_published_and_still_the_sum_of_its_components() -> None:
    prices, start = CorrectedPrices(PriceModel(1)), datetime(2026, 7, 1, 12, 5, tzinfo=UTC)
    other = prices.price("RTM", "TWO", start)
    prices.correct("RTM", "ONE", start, 77.25)
    price = prices.price("RTM", "ONE", start)
    parts = (price.energy_usd_per_mwh, price.congestion_usd_per_mwh, price.loss_usd_per_mwh, price.ghg_usd_per_mwh)
    assert price.lmp_usd_per_mwh == 77.25
    assert sum(parts) == pytest.approx(77.25, abs=2e-4)
    assert prices.price("RTM", "TWO", start) == other


def test_a_cache_that_lags_says_a_price_as_it_was_before_its_last_correction_and_that_is_noted() -> None:
    prices, start = CorrectedPrices(PriceModel(1)), datetime(2026, 7, 1, 12, 5, tzinfo=UTC)
    published = prices.price("RTM", "ONE", start)
    assert prices.lagging(NOW).price("RTM", "ONE", start) == published
    assert prices.said_again == {}
    for lmp, before in ((77.25, published.lmp_usd_per_mwh), (78.5, 77.25)):
        prices.correct("RTM", "ONE", start, lmp)
        assert prices.lagging(NOW).price("RTM", "ONE", start).lmp_usd_per_mwh == before
        assert prices.price("RTM", "ONE", start).lmp_usd_per_mwh == lmp
        assert prices.said_again == {("RTM", "ONE", start): SaidAgain(before, NOW)}

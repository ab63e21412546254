"""What the simulator may be asked and told about itself: its health, the faults that wait, its habits, and its prices."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import msgspec

from simulators.admin.app import Order, Query, Read, Refused, named, order
from simulators.admin.records import utc_text
from simulators.conduct import Conduct, Continues, UnknownCursor
from simulators.faults import FAULTS, Faults, Pending
from simulators.oasis.calendar import starts
from simulators.oasis.prices import CorrectedPrices
from simulators.oasis.reports import REPORTS, Report


class FaultOrder(msgspec.Struct, frozen=True):
    """The next requests of a service go wrong. Without `times` the next one, or with a `share` all until it is called off."""

    service: str
    fault: str
    times: int | None = None
    operation: str | None = None
    batch_uid: str | None = None
    client: str | None = None
    share: float | None = None

    @property
    def pending(self) -> Pending:
        """The fault that waits."""
        times = 1 if self.times is None and self.share is None else self.times
        share = 1.0 if self.share is None else self.share
        return Pending(self.service, self.fault, times, self.operation, self.batch_uid, self.client, share)


class HabitOrder(msgspec.Struct, frozen=True):
    """Other habits; what is left out stays as it is."""

    unknown_cursor: UnknownCursor | None = None
    continues: Continues | None = None
    date_skew_s: float | None = None


class Correction(msgspec.Struct, frozen=True):
    """Another price for an interval that begins at `start`."""

    market: str
    node: str
    start: str
    lmp: float


class Misconduct:
    """Faults, habits and corrections, and what they are held against."""

    def __init__(self, prices: CorrectedPrices, faults: Faults, conduct: Conduct, clock: Callable[[], datetime]) -> None:
        self._prices = prices
        self._faults = faults
        self._conduct = conduct
        self._clock = clock

    @property
    def reads(self) -> Mapping[str, Read]:
        """What can be read, by path."""
        return {
            "/health": lambda _: {"ok": True, "time": utc_text(self._clock())},
            "/prices": self._price_list,
            "/faults": lambda _: self._pending(),
            "/conduct": lambda _: self._habits(),
        }

    @property
    def orders(self) -> Mapping[str, Order]:
        """What can be ordered, by path."""
        return {
            "/faults": order(FaultOrder, self._order_fault),
            "/conduct": order(HabitOrder, self._change_habits),
            "/correct": order(Correction, self._correct),
        }

    def _price_list(self, query: Query) -> list[dict[str, object]]:
        """Published prices of one market and node, whose intervals begin from `start` to `end`, both included."""
        market, node = named(query, "market"), named(query, "node")
        start, end = _time(named(query, "start")), _time(named(query, "end"))
        report = _report_of(market)
        until = min(end + timedelta(microseconds=1), report.published_until(self._clock()))
        return [self._price(market, node, at, at + report.interval) for at in starts(start, until, report.interval)]

    def _price(self, market: str, node: str, start: datetime, end: datetime) -> dict[str, object]:
        price, old = self._prices.price(market, node, start), self._prices.said_again.get((market, node, start))
        return {
            "interval_start": utc_text(start),
            "interval_end": utc_text(end),
            "lmp": price.lmp_usd_per_mwh,
            "energy": price.energy_usd_per_mwh,
            "congestion": price.congestion_usd_per_mwh,
            "loss": price.loss_usd_per_mwh,
            "ghg": price.ghg_usd_per_mwh,
            "said_again": {"lmp": old.lmp_usd_per_mwh, "said_at": utc_text(old.said_at)} if old else None,
        }

    def _correct(self, said: Correction) -> dict[str, object]:
        start = _time(said.start)
        interval = _report_of(said.market).interval
        if list(starts(start, start + interval, interval)) != [start]:
            raise Refused(f"no interval of {said.market} begins at {said.start}")
        self._prices.correct(said.market, said.node, start, said.lmp)
        return {"market": said.market, "node": said.node, "interval_start": utc_text(start), "lmp": said.lmp}

    def _pending(self) -> dict[str, object]:
        return {"known": FAULTS, "pending": [asdict(each) for each in self._faults.pending()]}

    def _order_fault(self, said: FaultOrder) -> dict[str, object]:
        try:
            self._faults.add(said.pending)
        except ValueError as error:
            raise Refused(str(error)) from error
        return self._pending()

    def _habits(self) -> dict[str, object]:
        habits = self._conduct
        skew_s = habits.date_skew.total_seconds()
        return {"unknown_cursor": habits.unknown_cursor, "continues": habits.continues, "date_skew_s": skew_s}

    def _change_habits(self, said: HabitOrder) -> dict[str, object]:
        if said.continues is not None:
            self._conduct.continues = said.continues
        if said.unknown_cursor is not None:
            self._conduct.unknown_cursor = said.unknown_cursor
        if said.date_skew_s is not None:
            if not math.isfinite(said.date_skew_s) or abs(said.date_skew_s) > _MOST_SKEW_S:
                raise Refused(f"date_skew_s is {said.date_skew_s}; a day at most")
            self._conduct.date_skew = timedelta(seconds=said.date_skew_s)
        return self._habits()


_MOST_SKEW_S = 86_400


def _report_of(market: str) -> Report:
    report = next((each for each in REPORTS if each.market == market), None)
    if report is None:
        raise Refused(f"market {market!r} is none of {', '.join(sorted({each.market for each in REPORTS}))}")
    return report


def _time(text: str) -> datetime:
    # An unescaped plus sign of an offset arrives as a space.
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Refused(f"{text!r} is not a time") from error
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)

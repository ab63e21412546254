"""The simulator's own door: what it has sent, what prices it gives, and orders to misbehave. Nothing of CAISO has it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.admin_records import sent_batch, sent_trajectory, utc_text
from simulators.ads.ledger import Ledger, UnknownBatch
from simulators.ads.records import DispatchBatch
from simulators.ads.told import Told
from simulators.faults import FAULTS, Faults, Pending
from simulators.oasis.calendar import starts
from simulators.oasis.prices import CorrectedPrices
from simulators.oasis.reports import REPORTS

T = TypeVar("T")


class Refused(Exception):
    """An order that cannot be carried out, and why."""


class Admin:
    """What the administrative requests do."""

    def __init__(
        self, ledger: Ledger, told: Told, prices: CorrectedPrices, faults: Faults, clock: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._told = told
        self._prices = prices
        self._faults = faults
        self._clock = clock

    def health(self) -> dict[str, object]:
        """That it runs, and its time."""
        return {"ok": True, "time": utc_text(self._clock())}

    def sent(self) -> dict[str, object]:
        """All that ADS has issued and still keeps: the truth to compare a client's picture with."""
        self._ledger.advance(self._clock())
        return {
            "batches": [sent_batch(batch) for batch in self._ledger.dispatches()],
            "trajectories": [sent_trajectory(batch) for batch in self._ledger.trajectories()],
        }

    def told(self) -> list[dict[str, object]]:
        """Every revision of a dispatch batch that a client was given, those that were replaced since as well."""
        return [{"told_at": utc_text(each.told_at), "batch": sent_batch(each.batch)} for each in self._told.all()]

    def price_list(self, query: Mapping[str, str]) -> list[dict[str, object]]:
        """Published prices of one market and node, whose intervals begin from `start` to `end`, both included.

        Raises:
            Refused: a parameter is missing or not understood.
        """
        market, node = _named(query, "market"), _named(query, "node")
        start, end = _time(_named(query, "start")), _time(_named(query, "end"))
        report = next((each for each in REPORTS if each.market == market), None)
        if report is None:
            raise Refused(f"market {market!r} is none of {', '.join(sorted({each.market for each in REPORTS}))}")
        until = min(end + timedelta(microseconds=1), report.published_until(self._clock()))
        return [self._price(market, node, at, at + report.interval) for at in starts(start, until, report.interval)]

    def _price(self, market: str, node: str, start: datetime, end: datetime) -> dict[str, object]:
        price = self._prices.price(market, node, start)
        return {
            "interval_start": utc_text(start),
            "interval_end": utc_text(end),
            "lmp": price.lmp_usd_per_mwh,
            "energy": price.energy_usd_per_mwh,
            "congestion": price.congestion_usd_per_mwh,
            "loss": price.loss_usd_per_mwh,
            "ghg": price.ghg_usd_per_mwh,
        }

    def pending_faults(self) -> dict[str, object]:
        """Every fault there is, and those that wait for a request."""
        return {"known": FAULTS, "pending": [asdict(each) for each in self._faults.pending()]}

    def order_fault(self, order: Mapping[str, object]) -> dict[str, object]:
        """Let the next requests of a service go wrong.

        Raises:
            Refused: there is no such fault.
        """
        times, operation = order.get("times", 1), order.get("operation")
        if not isinstance(times, int) or not (operation is None or isinstance(operation, str)):
            raise Refused("times is a whole number and operation a name")
        try:
            self._faults.add(Pending(str(order.get("service")), str(order.get("fault")), times, operation))
        except ValueError as error:
            raise Refused(str(error)) from error
        return self.pending_faults()

    def cancel(self, order: Mapping[str, object]) -> dict[str, object]:
        """Cancel a batch in an emergency.

        Raises:
            Refused: there is no such batch.
        """
        return self._changed(lambda: self._ledger.cancel(str(order.get("batch_uid"))))

    def forget(self, order: Mapping[str, object]) -> dict[str, object]:
        """Lose a batch.

        Raises:
            Refused: there is no such batch.
        """
        return self._changed(lambda: self._ledger.forget(str(order.get("batch_uid"))))

    def set_back(self, order: Mapping[str, object]) -> dict[str, object]:
        """Say an older revision of a batch again.

        Raises:
            Refused: there is no such batch, or no older revision of it.
        """
        return self._changed(lambda: self._ledger.set_back(str(order.get("batch_uid"))))

    def issue_hourly(self, _order: Mapping[str, object]) -> dict[str, object]:
        """Issue an hourly batch for the running hour."""
        return self._changed(lambda: self._ledger.issue_hourly(self._clock()))

    def _changed(self, change: Callable[[], DispatchBatch]) -> dict[str, object]:
        self._ledger.advance(self._clock())
        try:
            return sent_batch(change())
        except (UnknownBatch, ValueError) as error:
            raise Refused(str(error)) from error

    def correct(self, order: Mapping[str, object]) -> dict[str, object]:
        """Publish another price for an interval that begins at `start`.

        Raises:
            Refused: something is missing, or the price is not a number.
        """
        named = {key: str(text) for key, text in order.items()}
        market, node, start = _named(named, "market"), _named(named, "node"), _time(_named(named, "start"))
        self._prices.correct(market, node, start, _number(order, "lmp"))
        return {"market": market, "node": node, "interval_start": utc_text(start), "lmp": order["lmp"]}

    def revise(self, order: Mapping[str, object]) -> dict[str, object]:
        """Change the DOT of a resource in a batch that was sent.

        Raises:
            Refused: there is no such batch or DOT, or the value is not a number.
        """
        batch_uid, resource_id, dot_mw = str(order.get("batch_uid")), str(order.get("resource_id")), _number(order, "dot_mw")
        return self._changed(lambda: self._ledger.revise(batch_uid, resource_id, dot_mw))


def admin_app(admin: Admin) -> ASGIApp:
    """The administrative application."""
    reads: dict[str, Callable[[Mapping[str, str]], object]] = {
        "/health": lambda _: admin.health(),
        "/sent": lambda _: admin.sent(),
        "/told": lambda _: admin.told(),
        "/prices": admin.price_list,
        "/faults": lambda _: admin.pending_faults(),
    }
    orders = {
        "/faults": admin.order_fault,
        "/cancel": admin.cancel,
        "/revise": admin.revise,
        "/forget": admin.forget,
        "/set_back": admin.set_back,
        "/hourly": admin.issue_hourly,
        "/correct": admin.correct,
    }
    return Starlette(
        routes=[
            *(Route(path, _reading(read), methods=["GET"]) for path, read in reads.items()),
            *(Route(path, _ordering(order), methods=["POST"]) for path, order in orders.items()),
        ]
    )


def _reading(read: Callable[[Mapping[str, str]], object]) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> JSONResponse:
        return _outcome(read, dict(request.query_params))

    return endpoint


def _ordering(order: Callable[[Mapping[str, object]], object]) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            body = await request.json()
        except ValueError as error:
            return JSONResponse({"error": f"the body is not JSON: {error}"}, 400)
        if not isinstance(body, dict):
            return JSONResponse({"error": "the body is not a JSON object"}, 400)
        return _outcome(order, body)

    return endpoint


def _outcome(act: Callable[[T], object], argument: T) -> JSONResponse:
    try:
        return JSONResponse(act(argument))
    except Refused as refused:
        return JSONResponse({"error": str(refused)}, 400)


def _named(query: Mapping[str, str], name: str) -> str:
    try:
        return query[name]
    except KeyError:
        raise Refused(f"the parameter {name} is missing") from None


def _number(order: Mapping[str, object], name: str) -> float:
    number = order.get(name)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise Refused(f"{name} is {number!r}, which is not a number")
    return float(number)


def _time(text: str) -> datetime:
    # An unescaped plus sign of an offset arrives as a space.
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Refused(f"{text!r} is not a time") from error
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)

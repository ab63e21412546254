"""What the simulator says that it sent: the truth that registers and database are compared with."""

from datetime import datetime
from typing import TypeVar

import msgspec
import requests

TIMEOUT_S = 5.0
T = TypeVar("T")


class SentInstruction(msgspec.Struct, frozen=True, kw_only=True):
    """An instruction as the simulated ADS issued it."""

    instruction_uid: str
    resource_id: str
    instruction_type: int = 0
    dot_mw: float | None = None
    accept_status: str | None = None
    accept_dot_mw: float | None = None
    target_at: datetime | None = None
    supp_mw: float | None = None


class SentBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A dispatch batch in its newest revision. The codes are CAISO's."""

    batch_uid: str
    revision_no: int
    batch_status: int
    batch_type: int
    start_at: datetime
    interval_s: float
    received_at: datetime
    instructions: tuple[SentInstruction, ...]


class SentDop(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a trajectory batch."""

    dop_uid: str
    resource_id: str
    dop_mw: float
    target_at: datetime
    sequence_number: int


class SentTrajectory(msgspec.Struct, frozen=True, kw_only=True):
    """A trajectory batch."""

    batch_uid: str
    received_at: datetime
    dops: tuple[SentDop, ...]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the simulated ADS issued, oldest first."""

    batches: tuple[SentBatch, ...]
    trajectories: tuple[SentTrajectory, ...]


class SaidAgain(msgspec.Struct, frozen=True, kw_only=True):
    """A price that was corrected and that an old answer of the simulated OASIS said again, in $/MWh, and when it last did."""

    lmp: float
    said_at: datetime


class SentPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price that the simulated OASIS publishes for one interval, in $/MWh, and what an old answer said again in its place."""

    interval_start: datetime
    interval_end: datetime
    lmp: float
    said_again: SaidAgain | None = None


class SimulatorSilent(Exception):
    """The simulator did not answer, or not as expected."""


class Simulator:
    """The simulator's address for people and checks.

    Args:
        url: such as http://127.0.0.1:8449.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def sent(self) -> Sent:
        """Every batch that ADS issued so far.

        Raises:
            SimulatorSilent: it did not answer, or not as expected.
        """
        return self._ask("/sent", Sent, {})

    def price(self, market: str, node: str, interval_start: datetime) -> SentPrice | None:
        """What OASIS publishes for the interval that begins then; None when there is none.

        Raises:
            SimulatorSilent: it did not answer, or not as expected.
        """
        prices = self.prices(market, node, interval_start, interval_start)
        return next((price for price in prices if price.interval_start == interval_start), None)

    def prices(self, market: str, node: str, start: datetime, end: datetime) -> tuple[SentPrice, ...]:
        """What OASIS publishes for the intervals that begin from `start` to `end`, both included.

        Raises:
            SimulatorSilent: it did not answer, or not as expected.
        """
        first, last = (at.isoformat().replace("+00:00", "Z") for at in (start, end))
        return self._ask("/prices", tuple[SentPrice, ...], {"market": market, "node": node, "start": first, "end": last})

    def _ask(self, path: str, kind: type[T], question: dict[str, str]) -> T:
        try:
            reply = requests.get(self._url + path, params=question, timeout=TIMEOUT_S)
            reply.raise_for_status()
            return msgspec.json.decode(reply.content, type=kind)
        except (requests.RequestException, msgspec.MsgspecError) as error:
            raise SimulatorSilent(f"the simulator at {self._url} did not answer {path}: {error}") from error

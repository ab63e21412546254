"""Rows of the fault table: what goes wrong at CAISO OASIS."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from faults.display import Display
from faults.forcing import Row, after, is_good
from faults.stack import FaultStack
from plant_stack import NODE_OF, RESOURCES
from waiting import eventually

from dotbus.contracts.quality import Reason

GROUP = "CAISO OASIS"
ASKED = "at the next question"
NODE = NODE_OF[RESOURCES[0]]


@contextmanager
def asked_anew(stack: FaultStack) -> Iterator[None]:
    """After a failure OASIS is asked ever more slowly; a new process begins without that."""
    try:
        yield
    finally:
        stack.plant.kill("lmp_ingest")


def replies(fault: str) -> Callable[[FaultStack], AbstractContextManager[None]]:
    """Every reply of OASIS has a fault."""

    @contextmanager
    def force(stack: FaultStack) -> Iterator[None]:
        with asked_anew(stack), stack.caiso_fault("oasis", fault):
            yield

    return force


@contextmanager
def unreachable(stack: FaultStack) -> Iterator[None]:
    """Nobody listens at the address of OASIS."""
    with asked_anew(stack):
        stack.oasis.close()
        try:
            yield
        finally:
            stack.oasis.open()


@contextmanager
def corrected(stack: FaultStack) -> Iterator[None]:
    """The active price is corrected after it was published, and the registers follow."""
    shown = stack.display().shown
    start, lmp = shown["lmp_active_start"].at, (shown["lmp_active_usd_per_mwh"].value or 0.0) + 7.25
    assert start is not None
    text = start.isoformat().replace("+00:00", "Z")
    stack.plant.ask_simulator("/correct", market="RTM", node=NODE, start=text, lmp=round(lmp, 5))
    eventually(lambda: abs((stack.display().shown["lmp_active_usd_per_mwh"].value or 0.0) - lmp) < 1e-3, 20, 0.1)
    yield


@contextmanager
def lagging(stack: FaultStack) -> Iterator[None]:
    """The active price is corrected, and half of the answers are a cache's that does not know it."""
    with corrected(stack):
        stack.plant.ask_simulator("/faults", service="oasis", fault="old_prices", share=0.5)
        try:
            yield
        finally:
            stack.plant.ask_simulator("/faults", service="oasis", fault="old_prices", times=0)


def has_old_prices(display: Display) -> bool:
    """Both prices were not confirmed for longer than they may."""
    return all(Reason.STALE in display.reasons(name) for name in ("lmp_active", "lmp_published"))


def _refused(name: str, fault: str, force: Callable[[FaultStack], AbstractContextManager[None]]) -> Row:
    return Row(name, fault, force, has_old_prices, noticed=ASKED)


ROWS = (
    _refused("oasis_unreachable", "OASIS cannot be reached", unreachable),
    _refused("oasis_timeout", "OASIS does not answer", replies("timeout")),
    _refused("oasis_503", "OASIS answers with status 503", replies("http_503")),
    _refused("oasis_throttled", "OASIS says that it is asked too often (status 429)", replies("throttle")),
    _refused("oasis_throttled_200", "OASIS says so with status 200", replies("throttle_200")),
    _refused("oasis_error_1000", "OASIS says that there is no data (error 1000)", replies("error_1000")),
    _refused("oasis_not_zip", "OASIS answers with a page in place of a zip", replies("not_zip")),
    _refused("oasis_wrong_day", "OASIS gives the prices of another day", replies("wrong_day")),
    _refused("oasis_nan", "Every LMP of a reply is no number", replies("nan")),
    _refused("oasis_header_only", "A file has no rows", replies("header_only")),
    Row("oasis_no_node", "OASIS gives no price for the node", replies("no_node"), has_old_prices, noticed=ASKED),
    Row("oasis_corrected", "OASIS corrects the active price", corrected, is_good, after(1.0)),
)
BY_CHANCE = (
    Row("oasis_lagging", "A cache of OASIS gives the price before its correction, now and then", lagging, is_good, after(1.0)),
)
"""What a register shows of these depends on chance: they have no row in the table, and the soak has them."""

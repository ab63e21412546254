"""Rows of the fault table: what goes wrong at CAISO ADS. Each is forced at the simulator or on the way to it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta

import requests
from faults.display import Display
from faults.forcing import Row, after, has, is_good
from faults.stack import INTERVAL_S, FaultStack
from plant_stack import RESOURCES
from waiting import eventually

from dotbus.contracts.quality import Reason
from dotbus.runtime.schedule import utc_now

GROUP = "CAISO ADS"
ASKED = "at the next question"
FIRST, HOURLY = RESOURCES
DECLINE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><declineInstruction><batchUID>{batch}</batchUID>'
    "<instructionUID>{instruction}</instructionUID><reasonCode>10</reasonCode></declineInstruction></e:Body></e:Envelope>"
)
Force = Callable[[FaultStack], AbstractContextManager[None]]


def replies(fault: str, operation: str | None = None) -> Force:
    """Every reply of ADS has a fault."""
    return lambda stack: stack.caiso_fault("ads", fault, operation)


def market(fault: str) -> Force:
    """Batches that are never issued."""
    return lambda stack: stack.caiso_fault("market", fault)


@contextmanager
def unreachable(stack: FaultStack) -> Iterator[None]:
    """Nobody listens at CAISO's address."""
    stack.ads.close()
    try:
        yield
    finally:
        stack.ads.open()


@contextmanager
def begun_anew(stack: FaultStack) -> Iterator[None]:
    """The ingest doubts what CAISO contradicts for the five minutes that a batch holds, whatever the simulator's intervals.

    A new one without an outbox begins without that.
    """
    try:
        yield
    finally:
        stack.plant.kill("ads_ingest")
        shutil.rmtree(stack.folder / "ads_ingest")


def order(path: str) -> Force:
    """CAISO does something with the batch in force."""

    @contextmanager
    def force(stack: FaultStack) -> Iterator[None]:
        stack.plant.ask_simulator(path, batch_uid=stack.in_force().batch_uid)
        yield

    return force


@contextmanager
def forgotten(stack: FaultStack) -> Iterator[None]:
    """CAISO does not know the batch in force any more."""
    stack.plant.ask_simulator("/forget", batch_uid=stack.in_force().batch_uid)
    with begun_anew(stack):
        yield


@contextmanager
def beyond_limits(stack: FaultStack) -> Iterator[None]:
    """The DOT in force is revised to more than pmax_mw."""
    stack.plant.ask_simulator("/revise", batch_uid=stack.in_force().batch_uid, resource_id=FIRST, dot_mw=150.0)
    yield


@contextmanager
def older_revision(stack: FaultStack) -> Iterator[None]:
    """The DOT in force is revised, the plant follows, and then CAISO says the older revision again."""
    batch = stack.in_force()
    before = next(each.dot_mw for each in batch.instructions if each.resource_id == FIRST) or 0.0
    stack.plant.ask_simulator("/revise", batch_uid=batch.batch_uid, resource_id=FIRST, dot_mw=before + 0.5)
    with suppress(AssertionError):  # the interval ended first: what nobody followed cannot be taken back
        eventually(lambda: abs((stack.plant.value("dot_mw") or 0.0) - before - 0.5) < 1e-3, 3)
        stack.wait_until_judged()  # the newer revision must have been seen by the one who judges, too
        stack.truth.set_back.add(batch.start_at + timedelta(seconds=batch.interval_s / 2))
        stack.plant.ask_simulator("/set_back", batch_uid=batch.batch_uid)
    with begun_anew(stack):
        yield
    with suppress(AssertionError):  # an ingest without its outbox believes the older revision: it begins after that interval
        eventually(lambda: stack.in_force().batch_uid != batch.batch_uid, 2 * INTERVAL_S, 0.2)


@contextmanager
def late_hourly(stack: FaultStack) -> Iterator[None]:
    """An hourly instruction for the running hour comes after its five-minute DOTs."""
    stack.plant.ask_simulator("/issue", kind="hourly")
    yield


@contextmanager
def declined(stack: FaultStack) -> Iterator[None]:
    """An hourly instruction for the running hour is declined as soon as it comes."""
    stack.plant.ask_simulator("/issue", kind="hourly")
    batch = max((b for b in stack.plant.sent().batches if b.batch_type == 1), key=lambda b: b.received_at)
    instruction = next(each for each in batch.instructions if each.resource_id == HOURLY)
    folder = stack.plant.folder / "credentials" / "ads_ingest"
    reply = requests.post(
        f"https://127.0.0.1:{stack.plant.port('ads')}/ADS/APIResponseWebService/v7",
        data=DECLINE.format(batch=batch.batch_uid, instruction=instruction.instruction_uid),
        cert=str(folder / "client.pem"),
        verify=str(folder / "ca.pem"),
        timeout=20,
    )
    assert ">0<" in reply.text, reply.text
    yield


@contextmanager
def no_dot(stack: FaultStack) -> Iterator[None]:
    """The batch of one interval, the one after the next, never comes."""
    stack.plant.ask_simulator("/faults", service="market", fault="no_dot", times=1)
    yield


def after_the_gap(elapsed_s: float) -> bool:
    """In the first half of the interval after the one without a DOT, when the ramp leads over it."""
    in_interval_s = utc_now().timestamp() % INTERVAL_S
    return elapsed_s > 2 * INTERVAL_S and 0.1 * INTERVAL_S < in_interval_s < 0.5 * INTERVAL_S


ANSWERS_NOT = has("dot", Reason.STALE, Reason.SOURCE_FAILING)
OLD_TOO = has("trajectory", Reason.STALE, Reason.SOURCE_FAILING)


def is_doubted(display: Display) -> bool:
    """The DOT is there and less than good."""
    return display.columns["dot"].level == "uncertain"


def _silent(name: str, fault: str, force: Force) -> Row:
    return Row(name, fault, force, lambda shown: ANSWERS_NOT(shown) and OLD_TOO(shown), noticed=ASKED)


ROWS = (
    _silent("ads_unreachable", "ADS cannot be reached", unreachable),
    _silent("ads_503", "ADS answers with status 503", replies("http_503")),
    _silent("ads_timeout", "ADS does not answer", replies("timeout")),
    _silent("ads_drip", "ADS sends a byte a second", replies("drip")),
    _silent("ads_cut", "Replies of ADS break off", replies("cut")),
    _silent("ads_soap_fault", "ADS answers everything with a SOAP fault", replies("soap_fault")),
    _silent("ads_malformed", "Replies of ADS are no XML", replies("malformed")),
    _silent("ads_oversized", "Replies of ADS have no end", replies("oversized")),
    Row(
        "ads_empty_list",
        "ADS lists no batches although there are new ones",
        replies("empty_list"),
        has("set_point", Reason.EXPIRED),
        noticed=ASKED,
    ),
    Row(
        "ads_unreadable_batch",
        "The next batch cannot be read",
        replies("wrong_gzip", "getDispatchBatch"),
        has("dot", Reason.EXPIRED),
        noticed="when it comes",
    ),
    Row(
        "ads_forgets",
        "ADS forgets the batch in force",
        forgotten,
        is_doubted,
        after(0),
        noticed=ASKED,
        early=True,
    ),
    Row("ads_older_revision", "ADS says an older revision again", older_revision, is_good, after(2.5), early=True),
    Row(
        "ads_cancel",
        "The batch in force is cancelled",
        order("/cancel"),
        has("dot", Reason.EXPIRED),
        noticed=ASKED,
        over=ASKED,
        early=True,
    ),
    Row(
        "ads_declined",
        "The hourly instruction of a resource that follows it is declined",
        declined,
        has("dot", Reason.EXPIRED),
        after(2.5),
        noticed=ASKED,
        resource_id=HOURLY,
        over=ASKED,
        from_good=False,
    ),
    Row(
        "ads_times_out",
        "It times out without a response, and there is no minimum",
        late_hourly,
        has("dot", Reason.EXPIRED),
        after(INTERVAL_S / 2 + 2.5),
        noticed=ASKED,
        resource_id=HOURLY,
        over=ASKED,
        from_good=False,
    ),
    Row(
        "ads_no_dot",
        "No DOT comes for an interval: during it",
        no_dot,
        has("set_point", Reason.EXPIRED),
        quiet_intervals=4,
    ),
    Row(
        "ads_gap_in_ramp",
        "No DOT came for an interval: after it, while the ramp leads over it",
        no_dot,
        has("set_point", Reason.INCOMPLETE),
        after_the_gap,
        noticed="until the next target",
        quiet_intervals=4,
    ),
    Row(
        "ads_beyond_limits",
        "The DOT in force is beyond `pmax_mw`",
        beyond_limits,
        has("dot", Reason.OUT_OF_LIMITS),
        noticed=ASKED,
        early=True,
    ),
    Row("ads_late_hourly", "An hourly instruction comes after the five-minute DOT", late_hourly, is_good, after(2.5)),
    Row(
        "trajectory_ends",
        "No new trajectory comes, and the last one ends",
        market("no_trajectory"),
        lambda shown: Reason.EXPIRED in shown.reasons("trajectory") and Reason.STALE not in shown.reasons("trajectory"),
    ),
    Row(
        "trajectory_stops",
        "No new trajectory comes for longer",
        market("no_trajectory"),
        has("trajectory", Reason.EXPIRED, Reason.STALE),
    ),
    Row(
        "trajectory_empty",
        "ADS answers with a trajectory without batches",
        replies("empty_trajectory"),
        has("trajectory", Reason.EXPIRED),
        noticed=ASKED,
    ),
    Row(
        "ads_wrong_date",
        "The clock of ADS is wrong by 60 s",
        replies("wrong_date"),
        lambda shown: all(Reason.CLOCK_IN_DOUBT in shown.reasons(name) for name in ("dot", "set_point", "trajectory")),
        noticed="once replies said so for 10 s",
    ),
)

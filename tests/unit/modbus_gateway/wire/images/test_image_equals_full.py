"""What is written piece by piece is at any time what reading all from scratch gives, whatever came and however time went."""

from collections.abc import Callable

import msgspec
from full_image import FullImage, full_image
from gateway_story import (
    alarm_summary,
    at,
    dot,
    installation,
    instruction,
    instructions,
    interval,
    lmp,
    point,
    price,
    status,
    trajectory,
    upstreams,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.contracts.alarms import AlarmPriority
from dotbus.contracts.messages import (
    AlarmSummary,
    Dot,
    InstructionAnswer,
    Instructions,
    Lmp,
    ServiceStatus,
    Trajectory,
    WithdrawnBatch,
)
from dotbus.judging.arrivals import Arrival, Problem
from modbus_gateway.map.draft import read_map
from modbus_gateway.map.quantities import QUANTITIES, TEXT, Scope
from modbus_gateway.map.register_map import Span
from modbus_gateway.wire.images.current_image import CurrentImage
from modbus_gateway.wire.images.image import Refusal

QUALITY = {"unit_id": 20, "resource": "SOLAR"}
WHOSE = {
    Scope.GATEWAY: {},
    Scope.UNIT: {},
    Scope.PLANT: {"plant": "sierra"},
    Scope.ALARMS: {"plant": "sierra"},
    Scope.RESOURCE: {"resource": "SOLAR"},
    Scope.PRICE: {"node": "NODE1"},
    Scope.TOGETHER: {"resource": "SOLAR"},
}
EVERY_QUANTITY = [
    {"unit_id": 21, "address": 4 * i, "quantity": name, **WHOSE[one.scope], **({"length": 4} if one.unit == TEXT else {})}
    for i, (name, one) in enumerate(QUANTITIES.items())
]
SOON = {"stale_after_s": 31.0}
PLACE = installation(
    stale_after_s=90,
    hold_at_most_s=40,
    block=[
        {"profile": "plant", "unit_id": 11},
        {"profile": "plant", "unit_id": 12, "plants": ["sierra"], "on_bad": "hold"},
        {"profile": "classic", "unit_id": 1, "resources": ["BESS", "", "SOLAR"], "lmp_node": "NODE1"},
    ],
    point=[
        *EVERY_QUANTITY,
        {
            **QUALITY,
            "address": 24,
            "quantity": "constraint_minimum_mw",
            "type": "int16",
            "on_bad": "hold",
            "stale_after_s": 31.0,
        },
        {**QUALITY, "address": 25, "quantity": "constraint_quality"},
        {**QUALITY, "address": 26, "quantity": "as_test_end", "on_bad": "hold"},
        {**QUALITY, "address": 28, "quantity": "as_test_reasons"},
        {**QUALITY, "address": 0, "quantity": "set_point_mw", "type": "int16", "scale": 300.0, "on_bad": "hold"},
        {**QUALITY, "address": 1, "quantity": "set_point_quality"},
        {**QUALITY, "address": 2, "quantity": "trajectory_mw", "on_bad": "exception"},
        {**QUALITY, "address": 4, "quantity": "dot_age_s", "type": "int16"},
        {"unit_id": 20, "address": 9, "quantity": "worst_reasons", "plant": "sierra"},
        {"unit_id": 22, "address": 0, "quantity": "alarms_unacknowledged", "plant": "installation", "on_bad": "hold"},
        {"unit_id": 22, "address": 1, "quantity": "alarms_quality", "plant": "installation"},
        {"unit_id": 22, "address": 2, "quantity": "newest_alarm_age_s", "plant": "installation", "on_bad": "exception"},
        {**QUALITY, "address": 10, "quantity": "set_point_mw", "type": "float64", "min": -4.0, "max": 50.0},
        {**QUALITY, "address": 14, "quantity": "dot_mw", "stale_after_s": 31.0, "on_bad": "hold"},
        {**QUALITY, "address": 16, "quantity": "dot_quality"},
        {**QUALITY, "address": 17, "quantity": "trajectory_quality"},
        {"unit_id": 20, "address": 20, "topic": "dot", "path": "intervals[0].dot_mw", "resource": "SOLAR"},
        {"unit_id": 20, "address": 0, "table": "discrete", "quantity": "trajectory_fresh", "resource": "SOLAR"},
        {"unit_id": 20, "address": 1, "table": "discrete", "quantity": "lmp_market_works", "node": "NODE1"},
    ],
)
MAP, TOPICS = read_map(PLACE), PLACE.topics
HOLDS_MOST_S = MAP.judging.hold_at_most_s
JUST_BEFORE_S = 0.000001


State = Dot | Trajectory | Instructions | Lmp
Said = State | AlarmSummary | ServiceStatus | Problem | None


class Beside:
    """The image, and the same from scratch at each moment at which anything may change."""

    def __init__(self) -> None:
        self.now_s = self.ahead_s = 0.0
        self.images = CurrentImage(
            MAP, TOPICS, wall=lambda: at(self.now_s + self.ahead_s), monotonic_s=lambda: self.now_s, render_s=0
        )
        self.full = FullImage()
        self.said: dict[str, State] = {}
        self.holds_are_known = True
        self.turn(connected=True)

    def look(self, *, before: bool = False) -> None:
        """Everything from scratch, before something happens or after it."""
        waits = self.images.next_outdated() is not None
        self.holds_are_known &= not (before and waits)  # what comes next is held from what is not shown yet
        now = at(self.now_s + self.ahead_s)
        self.full = full_image(MAP, self.images.received, TOPICS, now, self.now_s, self.full)

    def write(self, most: int = 1000) -> None:
        """As the service does, one thing at a time."""
        while most and (subject := self.images.next_outdated()):
            self.images.renew(subject)
            most -= 1

    def take(self, topic: str, said: Said, *, retained: bool = False) -> None:
        self.look()
        source = f"{said.service}/{said.instance}" if isinstance(said, ServiceStatus) else ""
        if isinstance(said, State):
            self.said[topic] = said
        self.images.take(Arrival(topic, at(0), retained, said, source=source))
        self.look()

    def turn(self, *, connected: bool) -> None:
        self.look(before=True)
        self.images.turn(connected=connected)
        self.look()

    def step(self, by_s: float) -> None:
        self.look(before=True)
        self.ahead_s += by_s
        self.look()

    def pass_time(self, by_s: float) -> None:
        """Time goes on from one moment at which something turns to the next. The service writes what does, as it comes."""
        until_s = self.now_s + by_s
        while (turns_in_s := self.images.turns_in_s()) is not None and self.now_s + turns_in_s < until_s:
            self.now_s = max(self.now_s, self.now_s + turns_in_s - JUST_BEFORE_S)
            self.look()
            self.now_s += min(turns_in_s, JUST_BEFORE_S) or JUST_BEFORE_S
            self.look()
            self.write()
        self.now_s = until_s
        self.look()

    def agree(self, spans: list[Span]) -> None:
        """Each register of some spans shows what it would if all were read from scratch."""
        for span in spans:
            image = self.images.look(span.unit_id)
            assert image
            for cell in span.cells:
                key = (span.unit_id, span.table.value, cell.address)
                is_bit = span.table.has_bits
                read = image.read_bits if is_bit else image.read_registers
                shown, expected = read(span.table, cell.address, cell.form.registers), self.full.shown[key]
                if is_bit and expected is not None:
                    expected = bytes([bool(expected)])
                bad_since_s = self.full.bad_since_s.get(key)
                is_known = self.holds_are_known and abs(self.now_s - (bad_since_s or 0) - HOLDS_MOST_S) > 2 * JUST_BEFORE_S
                if bad_since_s is None or is_known:
                    assert shown == (Refusal.FAILURE if expected is None else expected), (
                        key,
                        cell.quantity.name,
                        shown,
                        expected,
                        bad_since_s,
                        self.now_s,
                    )


SOURCES = st.sampled_from("ab")
MEGAWATTS = st.sampled_from([-60.0, -5.0, 0.0, 10.0, 40.0, 65.0, 66.0, 130.0, 1e39])
BEFORE_S = st.sampled_from([0, 0, 0, 1, 30, 100])


@st.composite
def dots(draw: st.DrawFn, now_s: float) -> tuple[str, Dot]:
    begin_s = now_s - now_s % 60
    found = [
        interval(
            begin_s + 60 * step,
            draw(MEGAWATTS),
            length_s=60 * draw(st.sampled_from([1, 1, 2])),
            batch_type=draw(st.sampled_from([0, 0, 1, 4])),
            revision_no=draw(st.integers(0, 1)),
            reasons=draw(st.sampled_from([(), (), ("incomplete",)])),
        )
        for step in draw(st.lists(st.integers(-1, 3), max_size=4, unique=True))
    ]
    resource, source = draw(st.sampled_from(["SOLAR", "BESS", "HYDRO"])), f"ads_ingest/{draw(SOURCES)}"
    lasts = draw(st.sampled_from([{}, {}, {"valid_until": at(now_s + 20)}]))
    state = dot(*found, resource=resource, said_s=now_s - draw(BEFORE_S), source=source, **lasts)
    return TOPICS.dot(state.plant, resource), state


@st.composite
def curves(draw: st.DrawFn, now_s: float) -> tuple[str, Trajectory]:
    begin_s, batch_s = now_s - now_s % 30, now_s - draw(st.sampled_from([0, 0, 30, 400]))
    steps = sorted(draw(st.lists(st.integers(-2, 4), max_size=4)))
    points = [point(begin_s + 30 * step, draw(MEGAWATTS), batch_s=batch_s, number=n) for n, step in enumerate(steps)]
    resource, source = draw(st.sampled_from(["SOLAR", "BESS"])), f"ads_ingest/{draw(SOURCES)}"
    state = trajectory(*points, resource=resource, said_s=now_s, source=source)
    return TOPICS.trajectory(state.plant, resource), state


KINDS = ["dot", "minimum", "maximum", "fixed", "start-up", "shut-down", "commitment", "as-award", "as-test", "transition"]
ANSWERS = st.none() | st.builds(
    InstructionAnswer,
    answer=st.sampled_from(["none", "accepted", "unclear"]),
    is_open=st.booleans(),
    open_until=st.none() | st.sampled_from([30, 61, 90, 150]).map(at),
)


@st.composite
def instructed(draw: st.DrawFn, now_s: float) -> tuple[str, Instructions]:
    begin_s = now_s - now_s % 60
    found = [
        instruction(
            draw(st.sampled_from(KINDS)),
            begin_s + 60 * draw(st.integers(-1, 3)),
            length_s=draw(st.sampled_from([None, 60, 90])),
            standing=draw(st.sampled_from(["in force", "in force", "in doubt", "not in force"])),
            standing_mw=draw(st.none() | MEGAWATTS),
            min_mw=draw(st.none() | MEGAWATTS),
            max_mw=draw(st.none() | MEGAWATTS),
            award_mw=draw(st.none() | MEGAWATTS),
            as_type=draw(st.sampled_from(["RU", "RD", "XX"])),
            transition_to_config_id=draw(st.sampled_from([None, "1x1", "far too long a name"])),
            batch_uid=f"batch {draw(st.integers(0, 3))}",
            batch_received_at=at(draw(st.sampled_from([-20, -10]))),
            revision_no=draw(st.integers(0, 1)),
            answer=draw(ANSWERS),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    withdrawn = [WithdrawnBatch(batch_uid="batch 0", until=at(now_s + 90), revision_no=draw(st.integers(0, 1)))]
    resource, source = draw(st.sampled_from(["SOLAR", "BESS"])), f"ads_ingest/{draw(SOURCES)}"
    said = {"said_s": now_s - draw(BEFORE_S), "source": source, "withdrawn": tuple(withdrawn) if draw(st.booleans()) else ()}
    state = instructions(*found, resource=resource, **said)
    return TOPICS.instructions(state.plant, resource), state


@st.composite
def prices(draw: st.DrawFn, now_s: float) -> tuple[str, Lmp]:
    begin_s = now_s - now_s % 300
    found = [
        price(begin_s + 300 * step, draw(st.none() | MEGAWATTS), fetched_s=now_s - draw(BEFORE_S))
        for step in draw(st.lists(st.integers(-1, 2), min_size=1, max_size=3))
    ]
    said = lmp(found[0], *found[1:], said_s=now_s, source=f"lmp_ingest/{draw(SOURCES)}")
    return TOPICS.lmp("RTM", "NODE1"), said


@st.composite
def summaries(draw: st.DrawFn, now_s: float) -> tuple[str, AlarmSummary]:
    said_s, newest = now_s - draw(BEFORE_S), draw(st.none() | st.sampled_from([1, 11, 65_535]))
    said = alarm_summary(
        (draw(st.sampled_from(AlarmPriority)), draw(st.sampled_from([0, 1, 70_000])), draw(st.integers(0, 3))),
        said_s=said_s,
        valid_s=draw(st.sampled_from([0, 20, 60, 60])),
        plant=draw(st.sampled_from(["sierra", "delta", "installation"])),
        source=f"alarms/{draw(SOURCES)}",
        newest_code=newest,
        newest_raised_at=at(said_s - draw(BEFORE_S)) if newest else None,
        is_flood=draw(st.booleans()),
    )
    return TOPICS.alarm_summary(said.plant), said


@st.composite
def statuses(draw: st.DrawFn, now_s: float) -> tuple[str, ServiceStatus | None]:
    service, instance = draw(st.sampled_from(["ads_ingest", "ads_ingest", "lmp_ingest", "alarms"])), draw(SOURCES)
    topic = TOPICS.service(service, instance)
    if draw(st.integers(0, 9)) == 0:
        return topic, None
    said_s = now_s - draw(st.sampled_from([0, 0, 0, 0, 3]))
    heard = upstreams(now_s - draw(BEFORE_S), service=service, ok=draw(st.sampled_from([True, True, True, False])))
    runs = {"online": draw(st.sampled_from([True, True, True, False])), "started_at": at(draw(st.sampled_from([-3600, -3500])))}
    return topic, status(said_s, service=service, instance=instance, upstreams=heard, **runs)


@st.composite
def problems(draw: st.DrawFn, _now_s: float) -> tuple[str, Problem | None]:
    topic = draw(
        st.sampled_from(
            [
                *(TOPICS.dot("sierra", "SOLAR"), TOPICS.trajectory("sierra", "BESS"), TOPICS.lmp("RTM", "NODE1")),
                TOPICS.alarm_summary("sierra"),
            ]
        )
    )
    return topic, draw(st.sampled_from([Problem.UNDECODABLE, Problem.WRONG_ENVIRONMENT, None]))


@st.composite
def said_again(draw: st.DrawFn, said: dict[str, State], now_s: float) -> tuple[str, State]:
    """What was said before, and was confirmed since."""
    topic = draw(st.sampled_from(sorted(said)))
    times = {"time": at(now_s), "heard_at": at(now_s - draw(BEFORE_S))}
    return topic, msgspec.structs.replace(said[topic], **times)


Drawn = Callable[[float], st.SearchStrategy]
MESSAGES: list[Drawn] = [dots, dots, curves, instructed, instructed, prices, summaries, statuses, statuses, problems]
WHAT = ["hear", "hear", "hear", "hear", "hear again", "hear again", "pass", "pass", "turn", "set"]
PASSED_S = st.sampled_from([0.0, 0.25, 1.0, 5.0, 7.5, 15.0, 31.0, 61.0, 100.0, 400.0])
STEPS_S = st.sampled_from([0.4, -0.4, 1.0, -1.0, 70.0, -70.0])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_each_register_shows_what_reading_everything_from_scratch_gives(data) -> None:
    beside = Beside()
    for _ in range(data.draw(st.integers(1, 12), label="steps")):
        match data.draw(st.sampled_from(WHAT), label="what"):
            case "hear":
                message = data.draw(st.sampled_from(MESSAGES), label="kind")(beside.now_s + beside.ahead_s)
                beside.take(*data.draw(message, label="message"), retained=data.draw(st.booleans(), label="retained"))
            case "hear again" if beside.said:
                message = said_again(beside.said, beside.now_s + beside.ahead_s)
                beside.take(*data.draw(message, label="message"))
            case "pass":
                beside.write()
                beside.pass_time(data.draw(PASSED_S, label="for"))
            case "turn":
                beside.turn(connected=data.draw(st.booleans(), label="connected"))
            case "set":
                beside.step(data.draw(STEPS_S, label="by"))
        beside.write(data.draw(st.sampled_from([0, 1, 1000]), label="written meanwhile"))
        beside.agree(data.draw(st.sampled_from([[], list(MAP.spans), list(MAP.spans)[::-1]]), label="read"))
    beside.agree(list(MAP.spans))

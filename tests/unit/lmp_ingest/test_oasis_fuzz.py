"""CAISO's own recorded replies, damaged in every way that we know of, against what must hold whatever CAISO answers.

A story asks a CAISO that has the recorded prices. For a while each of its replies is damaged, then it answers honestly again.
"""

import csv
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oasis_recordings import FIELDS, as_reply, recorded
from oasis_story import Story

from caiso.oasis import REPORTS, Group, Market, Question, midnight, trade_day, window_end
from dotbus.contracts.messages import NodePrice, Prices
from lmp_ingest.planning import gaps

Row = dict[str, str]
Key = tuple[str, datetime]
START, END, KIND = "INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "LMP_TYPE"
ERROR = recorded("error_1000_no_data.xml")
LEAP_S = 15


def read(name: str, copies: Iterable[str] = ()) -> list[Row]:
    """A recording's rows. Of one node's recording, others are made in its image: the same prices under other names."""
    with zipfile.ZipFile(io.BytesIO(as_reply(name))) as archive:
        (content,) = (archive.read(member) for member in archive.namelist())
    rows = list(csv.DictReader(content.decode().splitlines()))
    return rows + [{**row, "NODE": copy} for copy in copies for row in rows]


@lru_cache(maxsize=4096)
def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def time_of(row: Row) -> datetime:
    return _time(row[START])


@dataclass(frozen=True)
class Recording:
    """Prices that CAISO had, and a time in the middle of them."""

    market: Market
    rows: list[Row]
    column: str
    begin: datetime

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(sorted({row["NODE"] for row in self.rows}))

    def published_until(self, now: datetime) -> datetime:
        """Day-ahead whole days, tomorrow's from 13:00 in California."""
        if self.market is Market.DAM:
            return midnight(trade_day(now + timedelta(hours=11)) + timedelta(days=1))
        return now + REPORTS[self.market].interval

    def answer(self, question: Question, now: datetime) -> list[Row]:
        until = min(question.end, self.published_until(now))
        nodes = self.nodes if isinstance(question.nodes, Group) else question.nodes
        return [row for row in self.rows if row["NODE"] in nodes and question.start <= time_of(row) < until]

    def truth(self) -> dict[Key, dict[str, float]]:
        found: dict[Key, dict[str, float]] = {}
        for row in self.rows:
            found.setdefault((row["NODE"], time_of(row)), {})[row[KIND]] = float(row[self.column])
        return found


DAY_AHEAD = Recording(
    Market.DAM,
    read("singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip"),
    "MW",
    datetime(2024, 4, 16, 19, 32, tzinfo=UTC),
)
FIFTEEN = Recording(
    Market.RTPD,
    read("20230917_20230919_PRC_RTPD_LMP_RTPD_20230921_11_49_39_v2.csv", ("COPY_1", "COPY_2")),
    "PRC",
    datetime(2023, 9, 18, 20, 2, tzinfo=UTC),
)


@dataclass
class Reply:
    """A reply that is about to be damaged. `victim` is the node that damage to a single one is about."""

    recording: Recording
    rows: list[Row]
    victim: str
    at: int
    members: dict[str, list[Row]] | None = None
    error: bool = False
    cut: float | None = None
    header: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.header = list(self.recording.rows[0])

    def of_victim(self) -> list[Row]:
        return [row for row in self.rows if row["NODE"] == self.victim]

    def one_of_victim(self, kind: str = "LMP") -> list[Row]:
        found = [row for row in self.of_victim() if row[KIND] == kind]
        return found[self.at % len(found) :][:1] if found else []

    def rows_by_member(self) -> dict[str, list[Row]]:
        return {"prices": self.rows} if self.members is None else self.members

    def content(self) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, rows in self.rows_by_member().items():
                text = io.StringIO()
                table = csv.DictWriter(text, self.header, lineterminator="\n", extrasaction="ignore")
                table.writeheader()
                table.writerows(rows)
                archive.writestr(f"{name}.csv", text.getvalue().replace('"', ""))
            if self.error:
                archive.writestr("error.xml", ERROR)
        content = packed.getvalue()
        return content if self.cut is None else content[: int(len(content) * self.cut)]


Damage = Callable[[Reply], None]


def moved(by: timedelta) -> Damage:
    def damage(reply: Reply) -> None:
        for row in reply.rows:
            for column in (START, END):
                row[column] = (datetime.fromisoformat(row[column]) + by).isoformat()

    return damage


def renamed(reply: Reply) -> None:
    for row in reply.of_victim():
        row["NODE"] = "NOBODY_ASKED_FOR"


def of_another_market(reply: Reply) -> None:
    for row in reply.rows:
        row["MARKET_RUN_ID"] = "RUC"


def one_of(column: str, text: str, kind: str = "LMP") -> Damage:
    def damage(reply: Reply) -> None:
        for row in reply.one_of_victim(kind):
            row[column] = text

    return damage


def of_another_length(reply: Reply) -> None:
    for row in reply.one_of_victim():
        row[END] = (datetime.fromisoformat(row[END]) + timedelta(minutes=5)).isoformat()


def header_only(reply: Reply) -> None:
    reply.rows.clear()


def of_unknown_types(reply: Reply) -> None:
    for row in reply.rows:
        row[KIND] = f"NEW_{row[KIND]}"


def with_an_error(reply: Reply) -> None:
    reply.error = True


def no_data(reply: Reply) -> None:
    reply.error, reply.members = True, {}


def without_a_column(reply: Reply) -> None:
    reply.header.remove(reply.recording.column)


def cut_at(share: float) -> Damage:
    def damage(reply: Reply) -> None:
        reply.cut = share

    return damage


def without_any_lmp(reply: Reply) -> None:
    reply.rows[:] = [row for row in reply.rows if row[KIND] != "LMP"]


def blank(reply: Reply) -> None:
    for row in reply.rows:
        row[reply.recording.column] = ""


# Whoever damages all of a reply like this has it refused.
REFUSED: dict[str, Damage] = {
    "40 days ahead": moved(timedelta(days=40)),
    "4 days ahead": moved(timedelta(days=4)),
    "a month back": moved(timedelta(days=-30)),
    "two minutes off": moved(timedelta(minutes=2)),
    "another market": of_another_market,
    "header only": header_only,
    "unknown types": of_unknown_types,
    "data and an error": with_an_error,
    "no data": no_data,
    "no price column": without_a_column,
    "cut in the middle": cut_at(0.5),
    "cut near the end": cut_at(0.98),
    "nothing": cut_at(0.0),
    "no LMP": without_any_lmp,
    "all blank": blank,
}


def value_of_one(text: str, kind: str = "LMP") -> Damage:
    def damage(reply: Reply) -> None:
        for row in reply.one_of_victim(kind):
            row[reply.recording.column] = text

    return damage


def values_of_all(text: str) -> Damage:
    def damage(reply: Reply) -> None:
        for row in reply.of_victim():
            row[reply.recording.column] = text

    return damage


def without_one(kind: str) -> Damage:
    def damage(reply: Reply) -> None:
        for row in reply.one_of_victim(kind):
            reply.rows.remove(row)

    return damage


def without_node(reply: Reply) -> None:
    for row in reply.of_victim():
        reply.rows.remove(row)


def contradictory(reply: Reply) -> None:
    reply.rows += [{**row, reply.recording.column: "666.0"} for row in reply.one_of_victim()]


def by_component(reply: Reply) -> None:
    """As version 3 comes: a member for each component, here one short."""
    kinds = sorted({row[KIND] for row in reply.rows} - {"MCE"})
    reply.members = {kind: [row for row in reply.rows if row[KIND] == kind] for kind in kinds}


# Whoever damages one node's prices like this costs that node's prices at most.
OF_ONE_NODE: dict[str, Damage] = {
    "NaN for one LMP": value_of_one("NaN"),
    "null for one LMP": value_of_one("null"),
    "one LMP blank": value_of_one(""),
    "NaN for one component": value_of_one("NaN", "MCC"),
    "one component blank": value_of_one("", "MCL"),
    "NaN for all of a node": values_of_all("NaN"),
    "a node blank": values_of_all(""),
    "one LMP missing": without_one("LMP"),
    "one component missing": without_one("MCE"),
    "a node missing": without_node,
    "one LMP twice and differently": contradictory,
    "a component's member missing": by_component,
    "a node not asked for": renamed,
    "one of another length": of_another_length,
    "one of another market": one_of("MARKET_RUN_ID", "RUC"),
    "one without a node": one_of("NODE", ""),
    "one without a start": one_of(START, "NaN"),
    "one without an end": one_of(END, ""),
    "one without a type": one_of(KIND, ""),
    "one component without a type": one_of(KIND, "", "MCC"),
    "one with a column too many": one_of("GROUP", "1,2"),
}

ANY = st.sampled_from(sorted(REFUSED | OF_ONE_NODE))
NO_DAMAGE_OF_A_GROUP = "a node not asked for"
"""Whoever asks for every node has asked for that one, too."""


@dataclass
class Attack:
    """A story under attack, and what must hold after every step of it."""

    recording: Recording
    story: Story
    victim: str
    is_of_group: bool = False
    seen: set[tuple[str, NodePrice]] = field(default_factory=set)
    checked: int = 0

    def __post_init__(self) -> None:
        self.truth = self.recording.truth()
        self.story.oasis.answer = lambda question: self.reply(question).content()

    def reply(self, question: Question) -> Reply:
        rows = [dict(row) for row in self.recording.answer(question, self.story.now)]
        reply = Reply(self.recording, rows, self.victim, at=0)
        if not rows:
            no_data(reply)
        return reply

    def damage(self, name: str, at: int) -> None:
        def answer(question: Question) -> bytes:
            reply = self.reply(question)
            reply.at = at
            (REFUSED | OF_ONE_NODE)[name](reply)
            return reply.content()

        self.story.oasis.answer = answer

    def run(self, seconds: float) -> None:
        self.story.leap(seconds, LEAP_S)
        self.story.loop.step()
        self.check()

    def told(self) -> set[Key]:
        return {(node, event.interval_start) for event in self.story.events() for node in event.nodes}

    def check(self) -> None:
        self.check_events(self.story.events())
        self.check_states()
        self.check_cursor()

    def check_events(self, events: list[Prices]) -> None:
        """Nothing is said that CAISO did not say of this node and interval, and nothing that was not asked for."""
        for event in events[self.checked :]:
            for position, node in enumerate(event.nodes):
                truth = self.truth[node, event.interval_start]
                said = {kind: getattr(event, column)[position] for kind, column in FIELDS.items()}
                assert said["LMP"] is not None
                assert {kind: value for kind, value in said.items() if value is not None}.items() <= truth.items()
        self.checked = len(events)

    def check_states(self) -> None:
        """A price that was said is said until its interval is over: none takes its place, nor an older one."""
        now, market = self.story.now, self.recording.market
        shown: set[tuple[str, NodePrice]] = set()
        for node in self.recording.nodes:
            if state := self.story.state(market, node):
                prices = [price for price in (state.published, state.active, *state.ahead) if price]
                assert all(price.lmp_usd_per_mwh == self.truth[node, price.interval_start]["LMP"] for price in prices)
                assert state.heard_at <= now
                shown |= {(node, price) for price in prices}
        starts = {(node, price.interval_start) for node, price in shown}
        lost = {price for node, price in self.seen if price.interval_end > now and (node, price.interval_start) not in starts}
        assert not lost
        by_start = {(node, price.interval_start): price for node, price in shown}
        for node, price in self.seen:
            after = by_start.get((node, price.interval_start))
            for column in FIELDS.values():
                assert after is None or getattr(price, column) is None or getattr(after, column) is not None
        self.seen = shown

    def check_cursor(self) -> None:
        """It is never beyond what may be published, nor past an interval that a node has a price of and was not told."""
        market = self.recording.market
        if market not in (cursors := self.story.outbox.cursors()):
            return
        cursor = datetime.fromisoformat(cursors[market])
        missing = gaps.read(cursors.get(gaps.cursor_name(market), gaps.NONE))
        assert cursor <= window_end(market, self.story.now)
        told = {start for _, start in self.told()}
        between = [start for _, start in self.truth if min(told) <= start < cursor]
        assert all(start in told or any(gap.start <= start < gap.end for gap in missing) for start in between)

    def is_told(self) -> bool:
        """Whether whoever looks at the status, at the states or into the quarantine sees that something is wrong."""
        health = self.story.health(self.recording.market)
        states = (self.story.state(self.recording.market, node) for node in self.recording.nodes)
        doubted = any(state.reasons for state in states if state)
        return not health.ok or bool(health.complaints) or doubted or bool(self.story.quarantined())


def attacked(recording: Recording, victim: int, group: str = "") -> Callable[[Path], Attack]:
    """A story of named nodes, or of a group that has them."""
    nodes = recording.nodes
    pace = {"corrections_every_s": 600.0, "dam_every_s": 60.0, "dam_idle_every_s": 60.0, "lookback_h": 26.0}

    def begin(folder: Path) -> Attack:
        story = Story(folder, (recording.market,), (group, *nodes) if group else nodes, begin=recording.begin, **pace)
        return Attack(recording, story, nodes[victim % len(nodes)], bool(group))

    return begin


RECORDINGS = {recording.market: recording for recording in (DAY_AHEAD, FIFTEEN)}
markets = st.sampled_from(sorted(RECORDINGS))
steps = st.lists(st.tuples(ANY, st.integers(0, 400), st.sampled_from([60, 400, 1900])), min_size=1, max_size=4)
thorough = settings(max_examples=14, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("recording", [DAY_AHEAD, FIFTEEN], ids=lambda recording: recording.market)
@pytest.mark.parametrize("group", ["", "ALL"])
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_no_answer_is_refused_at_once_and_told(tmp_path: Path, recording: Recording, name: str, group: str) -> None:
    morning = replace(recording, begin=recording.begin - timedelta(hours=1))  # a group is not asked for tomorrow yet
    attack = attacked(morning, 1, group)(tmp_path)
    attack.run(60)
    before = attack.told()
    attack.damage(name, 3)
    attack.run(1000 if group else 90)  # a group is asked for once an interval

    assert attack.told() == before
    assert not attack.story.health(recording.market).ok
    assert ("no data" in attack.story.health(recording.market).last_error) is (name == "no data")
    assert all(attack.story.state(recording.market, node).reasons == ("source_failing",) for node in recording.nodes)
    attack.story.outbox.close()


@pytest.mark.parametrize("recording", [DAY_AHEAD, FIFTEEN], ids=lambda recording: recording.market)
@pytest.mark.parametrize(
    ("name", "group"),
    [(name, group) for name in sorted(OF_ONE_NODE) for group in ("", "ALL") if not (group and name == NO_DAMAGE_OF_A_GROUP)],
)
def test_one_node_s_fault_costs_no_other_node_a_price(tmp_path: Path, recording: Recording, name: str, group: str) -> None:
    attack = attacked(recording, 1, group)(tmp_path)
    attack.damage(name, 5)
    attack.run(90)

    begin, asked = attack.story.now - timedelta(seconds=90), set[Key]()
    for _, question in attack.story.oasis.asked:
        asked |= {(row["NODE"], time_of(row)) for row in recording.answer(question, begin)}
    others = {key for key in asked if key[0] != attack.victim}
    assert others
    assert others <= attack.told()
    assert attack.story.health(recording.market).ok
    attack.story.outbox.close()


@given(markets, st.integers(0, 2), steps, st.booleans(), st.sampled_from(["", "ALL"]))
@example(Market.RTPD, 1, [("a node missing", 0, 1900), ("NaN for all of a node", 0, 1900)], True, "")  # noqa: FBT003
@example(Market.DAM, 0, [("40 days ahead", 0, 1900), ("one LMP missing", 4, 400)], False, "")  # noqa: FBT003
@example(Market.DAM, 0, [("a node blank", 0, 60), ("null for one LMP", 1, 400)], False, "")  # noqa: FBT003
@example(Market.RTPD, 0, [("NaN for all of a node", 0, 60)], True, "ALL")  # noqa: FBT003
@example(Market.RTPD, 0, [("4 days ahead", 0, 400), ("NaN for all of a node", 0, 400)], False, "ALL")  # noqa: FBT003
@thorough
def test_whatever_caiso_answers_nothing_false_is_said_and_a_good_answer_recovers(
    market: Market,
    victim: int,
    steps: list[tuple[str, int, int]],
    restarts: bool,  # noqa: FBT001
    group: str,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        attack = attacked(RECORDINGS[market], victim, group)(Path(folder))
        for name, at, seconds in steps:
            if group and name == NO_DAMAGE_OF_A_GROUP:
                continue
            attack.damage(name, at)
            attack.run(seconds)
            assert attack.is_told() or name in OF_ONE_NODE, name
            if restarts:
                attack.story.restart()
                attack.check()
        attack.story.oasis.answer = lambda question: attack.reply(question).content()
        attack.run(2000)
        recovered(attack)
        attack.story.outbox.close()


def recovered(attack: Attack) -> None:
    """Everything that CAISO has is here, said, and nothing is held against it."""
    one, market, now = attack.story, attack.recording.market, attack.story.now
    health, interval = one.health(market), REPORTS[market].interval
    assert (health.ok, health.complaints) == (True, ())
    told = attack.told()
    begin = min(start for _, start in told)
    assert told >= {(node, start) for node, start in attack.truth if begin <= start < now - interval}
    cursor, complete = datetime.fromisoformat(one.outbox.cursors()[market]), now - interval
    assert cursor >= (gaps.piece_of(market, complete).start if attack.is_of_group else complete), "a group's moves by pieces"
    for node in attack.recording.nodes:
        state = one.state(market, node)
        assert (state.reasons, state.valid_until > now) == ((), True)
        assert state.active.lmp_usd_per_mwh == attack.truth[node, state.active.interval_start]["LMP"]
        kinds = {kind for kind, column in FIELDS.items() if getattr(state.active, column) is not None}
        assert kinds == set(attack.truth[node, state.active.interval_start]), "the components came back too"

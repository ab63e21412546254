"""Rows that cannot be believed among rows that can: what they cost and what is told of them. Nothing wrong is published."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oasis_blocks import Key, flat, holes_of
from oasis_recordings import zipped
from oasis_story import BEGIN, FIVE, published

from caiso.oasis import Bounds, Market, OasisFailure, Question, Reply, parse_reply
from lmp_ingest.caiso import Caiso
from lmp_ingest.known.price_block import PriceBlock

HEADER = "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,NODE,MARKET_RUN_ID,LMP_TYPE,VALUE\n"
NODES = ("N1", "N2", "N3")
KINDS = ("LMP", "MCE", "MCC")
STARTS = tuple(BEGIN + number * FIVE for number in range(4))
QUESTION = Question(Market.RTM, NODES, STARTS[0], STARTS[-1] + 4 * FIVE)


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}-00:00"


@dataclass(frozen=True)
class Cells:
    """A row of CAISO's, cell by cell."""

    start: datetime
    node: str
    kind: str

    @property
    def texts(self) -> list[str]:
        value = STARTS.index(self.start) * 100 + NODES.index(self.node) * 10 + KINDS.index(self.kind)
        return [stamp(self.start), stamp(self.start + FIVE), self.node, "RTM", self.kind, f"{value}.5"]


ROWS = [Cells(start, node, kind) for start in STARTS for node in NODES for kind in KINDS]


def cell(number: int, text: str) -> Callable[[Cells], str]:
    return lambda row: ",".join([*row.texts[:number], text, *row.texts[number + 1 :]])


BAD: dict[str, Callable[[Cells], str]] = {
    "a start that is no time": cell(0, "NaN"),
    "a start without an offset": cell(0, "2025-09-01T18:00:00"),
    "an end that is no time": cell(1, ""),
    "ten minutes": lambda row: cell(1, stamp(row.start + 2 * FIVE))(row),
    "no minutes": lambda row: cell(1, stamp(row.start))(row),
    "an interval that begins between two": lambda row: ",".join(
        [stamp(row.start + timedelta(minutes=2)), stamp(row.start + timedelta(minutes=7)), *row.texts[2:]]
    ),
    "no times": lambda row: ",".join(["", "", *row.texts[2:]]),
    "no node": cell(2, ""),
    "a node that was not asked for": cell(2, "N9"),
    "a node in broken letters": cell(2, "N\udcff1"),
    "another market": cell(3, "HASP"),
    "no market": cell(3, ""),
    "no type": cell(4, ""),
    "a price that is no number": cell(5, "NaN"),
    "a quote that nobody closes": lambda row: f'"{",".join(row.texts)}',
    "a quote in its middle": cell(2, '"N1'),
    "a column too many": lambda row: ",".join([*row.texts, ""]),
    "a column too many in front": lambda row: ",".join(["", *row.texts]),
    "a column too few": lambda row: ",".join(row.texts[:-1]),
    "a column too few in front": lambda row: ",".join(row.texts[1:]),
}


def answered(bad: dict[int, str], extra: tuple[str, ...] = ()) -> PriceBlock:
    """What is made of all rows, of which some are bad in a way."""
    lines = [BAD[bad[number]](row) if number in bad else ",".join(row.texts) for number, row in enumerate(ROWS)]
    content = (HEADER + "".join(f"{line}\n" for line in (*lines, *extra))).encode("utf-8", "surrogateescape")

    return block_of(content)


def block_of(content: bytes) -> PriceBlock:
    class Answering:
        clock_offset_said_s = 0.0

        def fetch(self, _: Question) -> Reply:
            return Reply(200, zipped(a__csv=content), BEGIN, BEGIN)

    return Caiso(Answering(), Bounds()).fetch_prices(QUESTION).block


TRUTH = flat(answered({}))
FIELDS = ("lmp_usd_per_mwh", "energy_usd_per_mwh", "congestion_usd_per_mwh")


@given(st.dictionaries(st.integers(0, len(ROWS) - 1), st.sampled_from(sorted(BAD))))
def test_whatever_rows_are_bad_each_price_is_true_and_each_untouched_one_is_there(bad: dict[int, str]) -> None:
    touched = {(ROWS[number].start, ROWS[number].node) for number in bad}
    try:
        block = answered(bad)
    except OasisFailure:
        assert touched == TRUTH.keys()
        return
    prices = flat(block)

    assert prices.keys() >= TRUTH.keys() - touched
    for key, price in prices.items():
        assert price.lmp_usd_per_mwh == TRUTH[key].lmp_usd_per_mwh
        for name in FIELDS:
            assert getattr(price, name) in {getattr(TRUTH[key], name)} | ({None} if key in touched else set())


@given(st.dictionaries(st.integers(0, len(ROWS) - 1), st.sampled_from(sorted(BAD)), min_size=1))
def test_what_bad_rows_may_have_said_and_no_good_one_does_is_a_hole(bad: dict[int, str]) -> None:
    with contextlib.suppress(OasisFailure):
        block = answered(bad)
        whole = {key for key, price in flat(block).items() if price == TRUTH[key]}
        holes = holes_of(block)
        touched = {(ROWS[number].start, ROWS[number].node) for number in bad}

        assert holes >= touched - whole
        assert holes.isdisjoint(TRUTH.keys() - touched)
        assert block.bad_rows or block.unreadable


@pytest.mark.parametrize("name", sorted(BAD))
def test_one_bad_row_among_many_is_told_and_costs_that_price_alone(name: str) -> None:
    number = ROWS.index(Cells(STARTS[1], "N1", "LMP"))
    block = answered({number: name})

    assert flat(block).keys() == TRUTH.keys() - {(STARTS[1], "N1")}
    assert (STARTS[1], "N1") in holes_of(block)
    assert len((*block.bad_rows, *block.unreadable)) == 1
    assert all(len(text) < 300 for text in block.bad_rows)


@pytest.mark.parametrize("name", ["another market", "no market", "no type"])
def test_a_price_of_which_a_row_is_bad_though_its_place_is_known_is_refused(name: str) -> None:
    number = ROWS.index(Cells(STARTS[1], "N1", "MCC"))

    assert (STARTS[1], "N1") not in flat(answered({number: name}))


@pytest.mark.parametrize(
    ("name", "nodes", "starts"),
    [
        ("no node", NODES, STARTS[1:2]),
        ("ten minutes", ("N1",), None),
        ("a column too many", NODES, None),
        ("no type", ("N1",), STARTS[1:2]),
    ],
)
def test_a_bad_row_speaks_for_whatever_cannot_be_read_of_it(name: str, nodes: tuple[str, ...], starts: tuple | None) -> None:
    """Beside rows of the first two intervals, so that it may have been any of those that are not there."""
    bad = BAD[name](Cells(STARTS[1], "N1", "LMP"))
    rows = [",".join(row.texts) for row in ROWS if row.start in STARTS[:2] and (row.start, row.node) != (STARTS[1], "N1")]
    assert len(parse_reply(200, zipped(a__csv=lines(*rows, bad)), QUESTION).bad_rows) == 1
    holes = hidden(rows, bad)

    asked = [QUESTION.start + number * FIVE for number in range((QUESTION.end - QUESTION.start) // FIVE)]
    had = {(row.start, row.node) for row in ROWS if ",".join(row.texts) in rows}
    assert holes == {(start, node) for start in (starts or asked) for node in nodes} - had | {(STARTS[1], "N1")}


def lines(*rows: str) -> bytes:
    return (HEADER + "".join(f"{row}\n" for row in rows)).encode()


def hidden(rows: list[str], bad: str) -> set[Key]:
    return holes_of(block_of(lines(*rows, bad)))


def test_a_well_told_row_of_a_time_that_was_not_asked_for_refuses_all_because_the_others_may_be_moved_too() -> None:
    moved = ",".join([stamp(QUESTION.end), stamp(QUESTION.end + FIVE), "N1", "RTM", "LMP", "9"])
    with pytest.raises(OasisFailure, match="another time than was asked for"):
        answered({}, (moved,))


def xml(*rows: str) -> bytes:
    header = "<REPORT_HEADER><REPORT>PRC_INTVL_LMP</REPORT><MKT_TYPE>RTM</MKT_TYPE><UOM>US$/MWh</UOM></REPORT_HEADER>"
    return zipped(a__xml=f"<OASISReport><REPORT_ITEM>{header}{''.join(rows)}</REPORT_ITEM></OASISReport>".encode())


def xml_row(**changed: str) -> str:
    texts = {
        "DATA_ITEM": "LMP_PRC",
        "RESOURCE_NAME": "N1",
        "INTERVAL_START_GMT": stamp(BEGIN),
        "INTERVAL_END_GMT": stamp(BEGIN + FIVE),
        "VALUE": "9",
    } | changed
    return f"<REPORT_DATA>{''.join(f'<{name}>{text}</{name}>' for name, text in texts.items())}</REPORT_DATA>"


@pytest.mark.parametrize(
    ("changed", "about"),
    [
        ({"DATA_ITEM": ""}, ("N2", BEGIN)),
        ({"RESOURCE_NAME": ""}, (None, BEGIN)),
        ({"INTERVAL_START_GMT": "noon"}, ("N2", None)),
        ({"INTERVAL_END_GMT": ""}, ("N2", BEGIN)),
    ],
)
def test_a_bad_row_of_an_xml_report_stands_beside_the_good_ones(changed: dict[str, str], about: tuple) -> None:
    prices = parse_reply(200, xml(xml_row(), xml_row(**({"RESOURCE_NAME": "N2"} | changed))), QUESTION)

    assert list(prices.rows()) == list(parse_reply(200, xml(xml_row()), QUESTION).rows())
    (bad,) = prices.bad_rows
    assert (bad.node, bad.interval_start) == about


# The loop


def with_bad(one, wrong: datetime, name: str) -> Callable[[Question], bytes]:
    """CAISO whose row of a node and an interval is bad for as long as that is asked for."""

    def answer(question: Question) -> bytes:
        until = min(question.end, one.now + FIVE)
        count = max(0, -((question.start - until) // FIVE))
        rows = []
        for start in (question.start + number * FIVE for number in range(count)):
            for node in question.nodes:
                texts = [stamp(start), stamp(start + FIVE), node, "RTM", "LMP", "10.0"]
                rows.append(BAD[name](Row(start, texts)) if (start, node) == (wrong, "N1") else ",".join(texts))
        return zipped(a__csv=lines(*rows))

    return answer


@dataclass(frozen=True)
class Row:
    start: datetime
    texts: list[str]


LOOP = sorted(BAD.keys() - {"a price that is no number", "a node in broken letters"})


@pytest.mark.parametrize("name", LOOP)
def test_a_bad_row_is_told_once_kept_and_asked_again_and_costs_no_other_price(
    story, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one, wrong = story(nodes=("N1", "N2")), BEGIN - timedelta(hours=2)
    one.oasis.answer = with_bad(one, wrong, name)
    one.leap(1800, 15)

    assert one.health(Market.RTM).ok
    (told,) = [text for text in one.health(Market.RTM).complaints if "cannot be believed" in text]
    assert len(told) < 400
    assert {event.nodes for event in one.events() if event.interval_start == wrong} == {("N2",)}
    assert all(set(event.nodes) == {"N1", "N2"} for event in one.events() if event.interval_start != wrong)
    assert one.state(Market.RTM, "N1").reasons == one.state(Market.RTM, "N2").reasons == ()
    assert one.count("bad_rows_total", Market.RTM) == 1
    assert len(one.quarantined()) == 1
    assert capsys.readouterr().out.count("a row that cannot be believed") == 1
    assert datetime.fromisoformat(one.outbox.cursors()["RTM"]) <= wrong, "it waits for the price that is missing"

    one.oasis.answer = published(lambda: one.now)
    one.leap(3700, 15)
    assert [event.nodes for event in one.events() if event.interval_start == wrong] == [("N2",), ("N1",)]
    assert datetime.fromisoformat(one.outbox.cursors()["RTM"]) >= one.now - FIVE
    assert one.health(Market.RTM).complaints == ()


@pytest.mark.parametrize("name", ["a start that is no time", "a column too many", "no type", "ten minutes"])
def test_the_price_that_runs_is_kept_in_doubt_while_its_row_is_bad_and_no_other_node_s(story, name: str) -> None:
    one = story(nodes=("N1", "N2"))
    one.oasis.answer = published(lambda: BEGIN)
    one.run(60)
    one.oasis.answer = with_bad(one, BEGIN, name)
    one.run(40)

    assert one.state(Market.RTM, "N1").active.lmp_usd_per_mwh == 10.0
    assert one.state(Market.RTM, "N1").reasons == ("incomplete",)
    assert one.state(Market.RTM, "N2").reasons == ()


@pytest.mark.parametrize("name", ["a start that is no time", "a column too many", "no node"])
def test_a_price_that_runs_and_was_never_had_is_in_doubt_while_a_bad_row_may_be_its(story, name: str) -> None:
    one = story(nodes=("N1", "N2"))
    one.oasis.answer = with_bad(one, BEGIN, name)
    one.run(40)

    assert one.state(Market.RTM, "N1").active is None
    assert one.state(Market.RTM, "N1").reasons == ("incomplete",)
    assert one.state(Market.RTM, "N2").reasons == ()


def test_while_a_bad_row_may_be_the_first_price_of_all_nobody_says_where_the_prices_begin(story) -> None:
    one = story()

    def answer(question: Question) -> bytes:
        _, first_question = one.oasis.asked[0]
        return with_bad(one, first_question.start, "a column too many")(question)

    one.oasis.answer = answer
    one.run(60)
    first = one.oasis.asked[0][1].start
    assert "RTM" not in one.outbox.cursors()
    assert {question.start - first for _, question in one.oasis.asked} <= {timedelta(), FIVE}, "all of it is asked for again"

    one.oasis.answer = published(lambda: one.now)
    one.run(60)
    assert datetime.fromisoformat(one.outbox.cursors()["RTM"]) >= one.now - FIVE
    assert first in {event.interval_start for event in one.events()}


def test_a_component_of_which_every_row_is_bad_is_a_hole_of_each_price_that_lacks_it() -> None:
    bad = {number: "a column too few" for number, row in enumerate(ROWS) if row.kind == "MCE"}
    block = answered(bad)
    assert flat(block).keys() == TRUTH.keys()
    assert holes_of(block) >= TRUTH.keys()

"""The whole network in one reply, the newest five minutes alone, and rows that a fault makes wrong."""

import csv
import io
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from simulators.faults import FAULTS
from simulators.oasis.content import Content
from simulators.oasis.disturbances import CONTENTS, ERRORS, PAGES, ZIPS
from simulators.oasis.errors import ErrorCode, QueryRefused
from simulators.oasis.files import Publisher, with_member
from simulators.oasis.prices import CorrectedPrices, PriceModel
from simulators.oasis.queries import Query, parse_group, parse_single
from simulators.oasis.reports import REPORTS, Report

NOW = datetime(2026, 3, 15, 18, 3, 7, tzinfo=UTC)
"""11:03:07 Pacific; the newest five minutes that are published begin at 18:05."""
NODES = ("TH_NP15_GEN-APND", *(f"SIM{index:05d}_7_N001" for index in range(40)), "DLAP_SCE-APND")
NAMED = NODES[:9:4]
PUBLISHER = Publisher(PriceModel(1), NODES)
BY_REPORT = pytest.mark.parametrize("report", REPORTS, ids=lambda each: f"{each.queryname} {each.market} v{each.version}")
Row = dict[str, str]


def asked(report: Report, **more: str) -> Query:
    """An hour of 2026-03-14 or, with a group, what OASIS makes of it."""
    parameters = {"queryname": report.queryname, "version": str(report.version), "resultformat": "6"}
    times = {"startdatetime": "20260314T19:00-0000", "enddatetime": "20260314T20:00-0000"}
    return parse_single({**parameters, **times, **({} if report.is_current else {"market_run_id": report.market}), **more})


def whole(report: Report, **more: str) -> Query:
    return asked(report, **{"node" if report.is_current else "grp_type": "ALL", **more})


def texts(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def rows(query: Query, publisher: Publisher = PUBLISHER, fault: str | None = None) -> list[Row]:
    def change(content: Content) -> Content:
        return CONTENTS[fault](content, publisher) if fault else content

    found = texts(publisher.reply(query, NOW, change).content).values()
    return [row for text in found for row in csv.DictReader(io.StringIO(text))]


def without_group(found: list[Row]) -> Counter[tuple[tuple[str, str], ...]]:
    return Counter(tuple((name, cell) for name, cell in row.items() if name != "GROUP") for row in found)


def lmp_rows(found: list[Row]) -> list[Row]:
    return [row for row in found if row["LMP_TYPE"] == "LMP"]


def code(content: bytes) -> str:
    (text,) = texts(content).values()
    return etree.fromstring(text.encode()).findtext(".//{*}ERR_CODE") or ""


# The whole network


@BY_REPORT
def test_a_node_has_the_same_rows_in_the_reply_for_all_as_in_the_one_for_it_alone(report: Report) -> None:
    of_all = [row for row in rows(whole(report)) if row["NODE"] in NAMED]
    starts = {"2026-03-14T19:00:00-00:00"} if report.is_daily else {row["INTERVALSTARTTIME_GMT"] for row in of_all}
    alone = rows(asked(report, node=",".join(NAMED)))
    assert alone
    assert without_group(alone) == without_group([row for row in of_all if row["INTERVALSTARTTIME_GMT"] in starts])


@BY_REPORT
def test_the_whole_network_has_each_node_interval_and_component_once(report: Report) -> None:
    found = Counter((row["NODE"], row["INTERVALSTARTTIME_GMT"], row["LMP_TYPE"]) for row in rows(whole(report)))
    intervals = 1 if report.is_current else timedelta(hours=24 if report.is_daily else 1) // report.interval
    assert set(found.values()) == {1}
    assert len(found) == len(NODES) * intervals * len(report.components)


@BY_REPORT
def test_a_correction_is_published_to_who_asks_for_all_and_to_who_asks_for_the_node(report: Report) -> None:
    prices, node = CorrectedPrices(PriceModel(1)), NAMED[1]
    start = datetime(2026, 3, 15, 18, 5, tzinfo=UTC) if report.is_current else datetime(2026, 3, 14, 19, tzinfo=UTC)
    publisher = Publisher(prices, NODES)
    before = without_group(rows(whole(report), publisher))
    prices.correct(report.market, node, start, 77.25)
    for query in (whole(report), asked(report, node=node)):
        [lmp] = [
            row[report.price_column]
            for row in lmp_rows(rows(query, publisher))
            if (row["NODE"], datetime.fromisoformat(row["INTERVALSTARTTIME_GMT"])) == (node, start)
        ]
        assert lmp == "77.25"
    changed = before - without_group(rows(whole(report), publisher))
    assert {dict(row)["NODE"] for row in changed} == {node}
    assert before == without_group(rows(whole(report), Publisher(prices.lagging(NOW), NODES)))


@pytest.mark.parametrize("price", [5e-6, -5e-6, 4e-6, -4e-6, 1e-5, 0.1 + 0.2, 2.675, -13.000005, 1e6, 0.0])
def test_a_price_is_written_in_a_file_as_it_is_rounded_for_one(price: float) -> None:
    class Always(PriceModel):
        def columns(self, market, nodes, start):
            columns = super().columns(market, nodes, start)
            columns.lmp_usd_per_mwh[1] = price
            return columns

    prices = Always(1)
    report = REPORTS[0]
    [row] = [
        row
        for row in lmp_rows(rows(asked(report, node=",".join(NODES[:2])), Publisher(prices, NODES)))
        if row["NODE"] == NODES[1]
    ]
    assert float(row["MW"]) == round(price, 5)
    assert row["MW"] != "-0"
    assert "e" not in row["MW"]


# The newest five minutes

CURRENT_1, CURRENT_2 = (report for report in REPORTS if report.is_current)


@pytest.mark.parametrize("day", ["20130919", "20260315", "20270101"])
def test_the_current_report_has_the_newest_interval_whatever_times_are_asked_for(day: str) -> None:
    times = {"startdatetime": f"{day}T07:00-0000", "enddatetime": f"{day}T07:00-0000"}
    found = rows(whole(CURRENT_2, **times))
    assert {row["INTERVALSTARTTIME_GMT"] for row in found} == {"2026-03-15T18:05:00-00:00"}
    assert {row["MARKET_RUN_ID"] for row in found} == {"RTM"}
    assert {row["NODE"] for row in found} == set(NODES)


@pytest.mark.parametrize(("seconds", "newest"), [(149, "18:00"), (150, "18:05"), (449, "18:05"), (450, "18:10")])
def test_the_newest_five_minutes_are_replaced_when_the_next_are_published(seconds: int, newest: str) -> None:
    now = datetime(2026, 3, 15, 18, tzinfo=UTC) + timedelta(seconds=seconds)
    (text,) = texts(PUBLISHER.reply(whole(CURRENT_2), now).content).values()
    starts = {row["INTERVALSTARTTIME_GMT"] for row in csv.DictReader(io.StringIO(text))}
    assert starts == {f"2026-03-15T{newest}:00-00:00"}


def test_the_newest_five_minutes_are_those_of_the_interval_report() -> None:
    interval = next(report for report in REPORTS if (report.queryname, report.version) == ("PRC_INTVL_LMP", 2))
    times = {"startdatetime": "20260315T18:05-0000", "enddatetime": "20260315T19:00-0000"}
    of_interval, of_current = (rows(asked(each, node=NODES[3], **times)) for each in (interval, CURRENT_2))
    assert without_group(of_current) == without_group(of_interval)


def test_the_second_version_alone_has_greenhouse_gas() -> None:
    kinds = [{row["LMP_TYPE"] for row in rows(asked(each, node=NODES[1]))} for each in (CURRENT_1, CURRENT_2)]
    assert kinds == [{"LMP", "MCC", "MCE", "MCL"}, {"LMP", "MCC", "MCE", "MCL", "MGHG"}]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": "3"}, ErrorCode.VERSION_INVALID),
        ({"grp_type": "ALL"}, ErrorCode.INVALID_PARAMETERS),
        ({"market_run_id": "DAM"}, ErrorCode.INVALID_PARAMETERS),
        ({"node": ""}, ErrorCode.INVALID_PARAMETERS),
        ({"node": ",".join(NODES[:11])}, ErrorCode.TOO_MANY_NODES),
        ({"startdatetime": ""}, ErrorCode.INVALID_PARAMETERS),
        ({"startdatetime": "now"}, ErrorCode.INVALID_DATETIME),
    ],
)
def test_a_question_for_the_current_report_that_cannot_be_answered_has_its_code(change: Row, expected: ErrorCode) -> None:
    with pytest.raises(QueryRefused) as error:
        whole(CURRENT_2, **change)
    assert error.value.code is expected


def test_the_current_group_is_named_as_the_interface_specification_does() -> None:
    query = parse_group({"groupid": "CURR_LMP_GRP", "startdatetime": "20131115T17:30-0000", "version": "1"})
    reply = PUBLISHER.reply(query, NOW)
    assert reply.filename == "20131115_20131115_CURR_LMP_GRP_10_N_v1_xml.zip"
    assert list(texts(reply.content)) == ["20131115_20131115_PRC_CURR_LMP_RTM_10_v1.xml"]


# Rows that a fault makes wrong

RTM = next(report for report in REPORTS if (report.queryname, report.version) == ("PRC_INTVL_LMP", 3))
EITHER = pytest.mark.parametrize("query", [whole(RTM), asked(RTM, node=",".join(NAMED))], ids=["all", "named"])


def test_every_fault_that_can_be_ordered_is_made_and_every_one_that_is_made_can_be_ordered() -> None:
    made = [*PAGES, *ERRORS, *CONTENTS, *ZIPS, "old_prices", "cut", "timeout", "oversized"]
    assert sorted(FAULTS["oasis"]) == sorted(made)


def test_every_fault_is_explained_in_the_simulators_readme() -> None:
    text = (Path(__file__).parents[3] / "simulators" / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| fault | ads | oasis |") :]
    assert [fault for names in FAULTS.values() for fault in names if f"`{fault}`" not in table] == []


@EITHER
@pytest.mark.parametrize(("fault", "cell"), [("nan", "NaN"), ("blank", "")])
def test_an_lmp_that_is_no_number_stands_beside_components_that_are(query: Query, fault: str, cell: str) -> None:
    found = rows(query, fault=fault)
    assert {row["VALUE"] for row in lmp_rows(found)} == {cell}
    assert without_group([row for row in found if row["LMP_TYPE"] != "LMP"]) == without_group(
        [row for row in rows(query) if row["LMP_TYPE"] != "LMP"]
    )


@EITHER
@pytest.mark.parametrize(("fault", "cell"), [("nan_node", "NaN"), ("blank_node", "")])
def test_an_lmp_of_one_node_that_is_no_number_stands_beside_those_of_others_that_are(
    query: Query, fault: str, cell: str
) -> None:
    first = (query.nodes or NODES)[0]
    found = rows(query, fault=fault)
    assert {row["VALUE"] for row in lmp_rows(found) if row["NODE"] == first} == {cell}
    others, right = ([row for row in each if row["NODE"] != first] for each in (found, rows(query)))
    assert without_group(others) == without_group(right)


@BY_REPORT
def test_the_prices_of_another_market_are_of_the_times_and_nodes_that_were_asked_for(report: Report) -> None:
    def places(found: list[Row]) -> set[tuple[str, str]]:
        return {(row["NODE"], row["INTERVALSTARTTIME_GMT"]) for row in found}

    found, right = rows(whole(report), fault="wrong_market"), rows(whole(report))
    assert report.market not in {row["MARKET_RUN_ID"] for row in found}
    assert places(found) == places(right)
    assert {row[report.price_column] for row in lmp_rows(found)} != {row[report.price_column] for row in lmp_rows(right)}


@EITHER
def test_a_header_that_no_version_has_names_its_price_column_otherwise(query: Query) -> None:
    found = rows(query, fault="wrong_header")
    assert not {"MW", "VALUE", "PRC"} & set(found[0])
    assert [row["PRICE"] for row in found] == [row["VALUE"] for row in rows(query)]


@EITHER
@pytest.mark.parametrize(("fault", "kind"), [("no_lmp", "LMP"), ("no_loss", "MCL")])
def test_without_a_component_the_others_are_as_they_were(query: Query, fault: str, kind: str) -> None:
    others = [row for row in rows(query) if row["LMP_TYPE"] != kind]
    assert without_group(rows(query, fault=fault)) == without_group(others)


@EITHER
def test_doubled_rows_are_each_row_twice(query: Query) -> None:
    assert without_group(rows(query, fault="doubled_rows")) == without_group(rows(query) * 2)


@EITHER
def test_a_file_without_rows_has_its_header(query: Query) -> None:
    content = PUBLISHER.reply(query, NOW, lambda each: CONTENTS["header_only"](each, PUBLISHER)).content
    assert all(text.startswith("INTERVALSTARTTIME_GMT,") and text.count("\n") == 1 for text in texts(content).values())


@EITHER
def test_without_its_first_node_a_reply_has_the_others(query: Query) -> None:
    nodes = query.nodes or NODES
    assert {row["NODE"] for row in rows(query, fault="no_node")} == set(nodes[1:])


@EITHER
def test_the_prices_of_another_day_are_those_of_the_day_before(query: Query) -> None:
    before, after = ({row["INTERVALSTARTTIME_GMT"] for row in rows(query, fault=fault)} for fault in ("wrong_day", None))
    one_day = timedelta(days=1)
    assert {datetime.fromisoformat(at) + one_day for at in before} == {datetime.fromisoformat(at) for at in after}


def test_other_nodes_are_none_that_was_asked_for_and_have_their_own_prices() -> None:
    found = rows(asked(RTM, node=",".join(NAMED)), fault="wrong_node")
    others = tuple(dict.fromkeys(row["NODE"] for row in found))
    assert len(others) == len(NAMED)
    assert not set(others) & set(NAMED)
    assert without_group(found) == without_group(rows(asked(RTM, node=",".join(others))))


def test_a_reply_for_one_node_without_it_is_no_data() -> None:
    query = asked(RTM, node=NAMED[0])
    assert code(PUBLISHER.reply(query, NOW, lambda each: CONTENTS["no_node"](each, PUBLISHER)).content) == "1000"


def test_faults_of_rows_are_in_xml_as_in_csv() -> None:
    query = asked(RTM, node=NAMED[0], resultformat="5")
    for fault, lmp in (("nan", ["NaN"] * 12), ("blank", [None] * 12), ("header_only", [])):
        reply = PUBLISHER.reply(query, NOW, lambda each, fault=fault: CONTENTS[fault](each, PUBLISHER))
        (text,) = texts(reply.content).values()
        data = etree.fromstring(text.encode()).iterfind(".//{*}REPORT_DATA")
        assert [each.find("{*}VALUE").text for each in data if each.findtext("{*}DATA_ITEM") == "LMP_PRC"] == lmp


def test_a_stray_member_stands_behind_those_that_belong_there() -> None:
    reply = PUBLISHER.reply(asked(RTM, node=NAMED[0]), NOW)
    strayed = texts(ZIPS["stray_member"](reply, NOW).content)
    assert strayed | {"readme.txt": ""} == {**texts(reply.content), "readme.txt": ""}
    assert texts(with_member(reply, "more.txt", b"more", NOW).content)["more.txt"] == "more"

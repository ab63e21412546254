"""What a reply comes to: its prices side by side, or a typed failure. Bad rows cost themselves and nobody else."""

import contextlib
import csv
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oasis_reading import disagreements
from oasis_recordings import FIELDS, as_reply, independent_prices, recorded, zipped

from caiso.oasis import (
    Bounds,
    ErrorReply,
    Group,
    HttpRefused,
    Incomplete,
    Malformed,
    Market,
    OasisFailure,
    Oversized,
    Prices,
    Question,
    Remedy,
    Throttled,
    parse_reply,
    parse_saved,
)
from caiso.oasis.reading.unpack import OF_GROUP

BOUNDS = Bounds(members=8, total_bytes=1_000_000)
RTM = "prc_intvl_lmp_rtm_v1_20250901_he02_TH_NP15.csv"
DAM = "singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip"
SLRS = "singlezip_20160519_20160520_ENE_SLRS_DAM_20160519_17_07_07_v1_xml.zip"
HEADER = "INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,NODE,MARKET_RUN_ID,LMP_TYPE,MW\n"
START = datetime(2025, 9, 1, 8, tzinfo=UTC)
FIVE = timedelta(minutes=5)
ASKED = Question(Market.RTM, ("N1", "N2"), START, START + 12 * FIVE)


def line(node: str = "N1", kind: str = "LMP", price: str = "12.5", at: datetime = START, market: str = "RTM") -> str:
    return f"{at.isoformat()},{(at + FIVE).isoformat()},{node},{market},{kind},{price}\n"


def parse(*lines: str, asked: Question | None = ASKED, **members: str) -> Prices:
    tables = {"a__csv": "".join([HEADER, *lines])} if lines else {}
    return parse_reply(200, zipped(**{name: text.encode() for name, text in (tables | members).items()}), asked, BOUNDS)


def found(prices: Prices) -> list[tuple[str, datetime, float]]:
    return [(row["node"], row["interval_start"], row["lmp_usd_per_mwh"]) for row in prices.rows()]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        (RTM, "MW"),
        (DAM, "MW"),
        ("singlezip_20240312_20240314_PRC_HASP_LMP_HASP_20240313_12_09_29_v1_csv.zip", "MW"),
        ("20230917_20230919_PRC_RTPD_LMP_RTPD_20230921_11_49_39_v2.csv", "PRC"),
        ("20181013_20181107_PRC_LMP_DAM_20200511_16_08_16_v1.csv", "MW"),
    ],
)
def test_each_price_is_what_an_independent_reader_reads(name: str, column: str) -> None:
    prices = parse_saved(as_reply(name))
    expected = {
        (node, start): {FIELDS[kind]: float(value) for kind, value in parts.items()}
        for (node, start), parts in independent_prices(name, column).items()
        if "LMP" in parts
    }
    said = {
        (row["node"], row["interval_start"]): {key: row[key] for key in FIELDS.values() if row[key] is not None}
        for row in prices.rows()
    }
    assert said == expected
    assert (prices.contradictions, prices.unreadable, prices.doubts, prices.bad_rows) == ((), {}, (), ())


def test_the_table_says_units_market_and_utc() -> None:
    table = parse(line()).table
    assert table.schema.metadata == {b"market": b"RTM"}
    assert table.schema.field("loss_usd_per_mwh").metadata == {b"unit": b"USD/MWh"}
    assert str(table.schema.field("interval_start").type) == "timestamp[s, tz=UTC]"


def test_rows_come_in_the_order_of_time_and_node_whatever_order_caiso_has() -> None:
    prices = parse(line("N2", at=START + FIVE), line("N2"), line("N1", at=START + FIVE), line("N1"))
    assert [(node, at) for node, at, _ in found(prices)] == [
        ("N1", START),
        ("N2", START),
        ("N1", START + FIVE),
        ("N2", START + FIVE),
    ]


@pytest.mark.parametrize("column", ["MW", "VALUE", "PRC"])
def test_the_price_column_is_found_by_the_header_whatever_its_name_and_place(column: str) -> None:
    header = f"POS,{column},LMP_TYPE,NODE,MARKET_RUN_ID,INTERVALENDTIME_GMT,INTERVALSTARTTIME_GMT\n"
    row = "0,-3.25,LMP,N1,RTM,2025-09-01T08:05:00-00:00,2025-09-01T08:00:00-00:00\n"
    assert found(parse(a__csv=header + row)) == [("N1", START, -3.25)]


def test_all_members_are_read_because_newer_versions_have_one_for_each_component() -> None:
    (row,) = parse(a__csv=HEADER + line(), b__csv=HEADER + line(kind="MCE", price="12")).rows()
    assert (row["lmp_usd_per_mwh"], row["energy_usd_per_mwh"], row["loss_usd_per_mwh"]) == (12.5, 12.0, None)


def test_a_member_that_holds_no_prices_is_named_and_passed_over() -> None:
    prices = parse(line(), readme__txt="see the manual\n", other__xml="<html/>")
    assert found(prices) == [("N1", START, 12.5)]
    assert [stray.split(":")[0] for stray in prices.strays] == ["readme.txt", "other.xml"]
    with pytest.raises(Malformed, match="no column"):
        parse(readme__txt="see the manual\n")


BAD = {
    "a start that is no time": (line().replace("08:00:00", "8 o'clock"), "is not a time"),
    "a start without its zone": (line().replace("08:00:00+00:00", "08:00:00"), "is not a time"),
    "an end that is no time": (line().replace("08:05:00", "NaN"), "is not a time"),
    "another length": (line().replace("08:05:00", "08:10:00"), "not 0:05:00 long"),
    "between two intervals": (line(at=START + timedelta(minutes=2)), "begins between two"),
    "a column more": (line().replace("\n", ",9\n"), "7 columns"),
    "a column less": ("RTM,LMP,9\n", "3 columns"),
    "no node": (line(""), "node ''"),
    "a node that nobody asked for": (line("N9"), "'N9', which was not asked for"),
    "another market": (line(market="HASP"), "market 'HASP'"),
    "no type": (line(kind=""), "without LMP_TYPE"),
}


@pytest.mark.parametrize(("bad", "told"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_row_that_is_bad_costs_nobody_else_a_price_and_is_told(bad: str, told: str, is_first: bool) -> None:  # noqa: FBT001
    good = [line("N1", at=START + FIVE), line("N2")]
    prices = parse(*([bad, *good] if is_first else [*good, bad]))
    assert found(prices) == [("N2", START, 12.5), ("N1", START + FIVE, 12.5)]
    assert (len(prices.bad_rows), prices.counts["bad_rows"]) == (1, 1)
    assert told in str(prices.bad_rows[0])
    assert prices.holes == {START: frozenset({"N1"}), START + FIVE: frozenset({"N2"})}


@pytest.mark.parametrize(("bad", "told"), BAD.values(), ids=BAD)
def test_bad_rows_alone_are_no_answer(bad: str, told: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(bad)
    assert told in str(caught.value)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    "other",
    [
        line(at=START + timedelta(days=1)),
        line(at=START - FIVE),
        "ERROR,1003,Query timed out,,,\n",
        "ERROR: Query timed out\n",
        ",,,,,\n",
        "\n",
        "Total,,N1,RTM,SUM,25\n",
    ],
)
def test_a_row_of_another_time_or_a_line_that_is_no_row_says_that_the_reply_is_no_answer(other: str, is_first: bool) -> None:  # noqa: FBT001
    with pytest.raises(Malformed):
        parse(*([other, line()] if is_first else [line(), other]))


def test_what_bad_rows_may_have_been_about_is_told_as_far_as_it_can_be_read() -> None:
    odd = line("N1").replace("08:05:00", "08:10:00")
    rows = parse(line("N2"), odd, "RTM,LMP,9\n", line("N1").replace("08:00:00", "noon")).bad_rows
    assert [(row.node, row.interval_start) for row in rows] == [(None, None), ("N1", None), ("N1", START)]


@pytest.mark.parametrize("bad", [line("X"), "RTM,LMP,9\n"], ids=["another node", "too few columns"])
def test_beyond_the_first_thousand_bad_rows_one_stands_for_all_others(bad: str) -> None:
    prices = parse(line("N2"), *[bad] * 1500)
    assert (len(prices.bad_rows), prices.counts["bad_rows"]) == (1001, 1500)
    assert (prices.bad_rows[-1].node, prices.bad_rows[-1].where) == (None, "500")


def test_an_empty_price_is_absent() -> None:
    (row,) = parse(line(), line(kind="MCE", price="")).rows()
    assert row["energy_usd_per_mwh"] is None


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1_000", "12;5", "abc", "null", "1e999", "0x10"])
def test_a_price_that_is_no_finite_number_is_absent_and_says_what_stood_there(text: str) -> None:
    prices = parse(line("N1", price=text), line("N2"), line("N2", "MCC", text))
    assert found(prices) == [("N2", START, 12.5)]
    assert {str(place): said for place, said in prices.unreadable.items()} == {
        "N1 at 2025-09-01T08:00Z": f"LMP {text!r}",
        "N2 at 2025-09-01T08:00Z": f"MCC {text!r}",
    }
    assert prices.holes == {START: frozenset({"N1", "N2"})}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:05:00+14:00"),
        ("9999-12-31T23:50:00-14:00", "9999-12-31T23:55:00-14:00"),
    ],
)
def test_a_time_that_no_calendar_has_in_utc_is_none(start: str, end: str) -> None:
    prices = parse(line("N1"), f"{start},{end},N2,RTM,LMP,12.5\n", asked=None)
    assert found(prices) == [("N1", START, 12.5)]
    assert [(row.cause, row.node, row.interval_start) for row in prices.bad_rows] == [(f"{start!r} is not a time", "N2", None)]


@pytest.mark.parametrize("price", ["1e308", "-1e13", "1" + "0" * 400])
def test_what_no_price_can_be_is_none_and_costs_no_other_node(price: str) -> None:
    prices = parse(line("N1", price=price), line("N2"))
    assert found(prices) == [("N2", START, 12.5)]
    assert [place.node for place in prices.unreadable] == ["N1"]


def test_two_prices_for_one_that_differ_are_left_out_and_the_same_twice_is_one() -> None:
    prices = parse(line("N1"), line("N1", price="13"), line("N2"), line("N2"))
    assert found(prices) == [("N2", START, 12.5)]
    assert [str(place) for place in prices.contradictions] == ["N1 at 2025-09-01T08:00Z"]
    assert parse(line("N2"), line("N1"), line("N1", "MCE", "1"), line("N1", "MCE", "")).contradictions


@pytest.mark.parametrize(("price", "told"), [("", "LMP is blank"), ("NaN", "LMP 'NaN'"), ("x", "LMP 'x'")])
def test_an_lmp_that_is_no_number_or_blank_is_told_with_its_place_and_counted(price: str, told: str) -> None:
    prices = parse(line("N1", price=price), line("N2"), line("N1", "MCE", "1"), line("N2", "MCC", ""))
    assert found(prices) == [("N2", START, 12.5)]
    assert [f"{place}: {text}" for place, text in prices.unreadable.items()] == [f"N1 at 2025-09-01T08:00Z: {told}"]
    assert prices.counts["unreadable"] == 1
    with pytest.raises(Incomplete, match=f"without an LMP that can be used: N1 at 2025-09-01T08:00Z: {told}"):
        parse(line("N1", price=price), line("N1", "MCE", "1"))


def test_a_blank_lmp_in_xml_is_told_as_well() -> None:
    prices = parse(a__xml=report(item(), item(value="", node="N2")))
    assert [f"{place}: {text}" for place, text in prices.unreadable.items()] == ["N2 at 2025-09-01T08:00Z: LMP is blank"]


def test_an_lmp_that_is_not_the_sum_of_its_parts_is_told() -> None:
    parts = [line("N1", kind, price) for kind, price in (("MCE", "10"), ("MCC", "2"), ("MCL", "0.4998"))]
    assert parse(line(), *parts).doubts == ()
    assert [str(place) for place in parse(line(price="12.4"), *parts).doubts] == ["N1 at 2025-09-01T08:00Z"]
    assert parse(line(price="13"), *parts, line(kind="MGHG", price="0.5")).doubts == ()


def test_components_without_a_name_here_are_left_out_and_alone_are_no_answer() -> None:
    assert found(parse(line(), line(kind="NEW"))) == [("N1", START, 12.5)]
    with pytest.raises(Incomplete, match="but of NEW"):
        parse(line(kind="NEW"))


@pytest.mark.parametrize("lines", [("",), (line(price=""),), (line(kind="MCE"),)], ids=["header alone", "blank", "no LMP"])
def test_a_table_without_an_lmp_is_no_answer(lines: tuple[str, ...]) -> None:
    with pytest.raises(Incomplete):
        parse(*lines)


def test_prices_beside_an_error_are_no_answer() -> None:
    with pytest.raises(Incomplete, match="OASIS error 1000"):
        parse(line(), b__xml=recorded("error_1000_no_data.xml").decode())


def test_of_several_errors_the_one_that_is_not_no_data_counts() -> None:
    errors = [recorded(name).decode() for name in ("error_1000_no_data.xml", "error_1015_groupzip_processing.xml")]
    with pytest.raises(ErrorReply) as caught:
        parse(a__xml=errors[0], b__xml=errors[1])
    assert (caught.value.code, caught.value.remedy) == ("1015", Remedy.RETRY)
    assert "in Processing" in caught.value.description


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_table_whose_last_line_has_no_end_was_cut_and_is_refused(cut: int) -> None:
    """Its last price may have lost digits, and what came after it is missing."""
    with pytest.raises(Malformed, match="last line has no end"):
        parse(line(), line("N2")[:-cut])


def test_headers_that_lack_a_column_or_have_one_twice_are_refused_by_its_name() -> None:
    with pytest.raises(Malformed, match="more than one column MW"):
        parse(a__csv=HEADER.replace("MW", "MW,MW") + line().replace("12.5", "12.5,99"))
    with pytest.raises(Malformed, match="no column MW/VALUE/PRC"):
        parse(a__csv=HEADER.replace("MW", "DOLLARS") + line())


def test_an_empty_reply_and_a_page_are_told_as_what_they_are() -> None:
    with pytest.raises(Malformed, match="an empty reply"):
        parse_reply(200, b"", ASKED)
    with pytest.raises(Malformed, match="not a zip: it begins '<html> <h1>Maintenance</h1>'"):
        parse_reply(200, b"<html>\r\n<h1>Maintenance</h1>", ASKED)


NOISE = "\x00\x1b[2J\x07" * 300


@pytest.mark.parametrize(
    "reply",
    [
        (HEADER.replace("MW", NOISE) + line()).encode(),
        NOISE.encode(),
        (HEADER + NOISE + "\n").encode(),
        (HEADER + line(NOISE)).encode(),
        (HEADER + line(market=NOISE)).encode(),
        (HEADER + line(kind=NOISE)).encode(),
        (HEADER + line(price=NOISE)).encode(),
        (HEADER + line().replace("2025", NOISE)).encode(),
        ("<a" + NOISE + "/>").encode(),
        b"<" + 3000 * b"a" + b"/>",
        f"<OASISReport><ERROR><ERR_CODE>1003</ERR_CODE><ERR_DESC>{3000 * 'x '}</ERR_DESC></ERROR></OASISReport>".encode(),
    ],
)
@pytest.mark.parametrize("is_packed", [True, False])
def test_what_is_quoted_of_a_reply_is_short_and_printable(reply: bytes, is_packed: bool) -> None:  # noqa: FBT001  # a parameter
    content = zipped(a__csv=reply) if is_packed else reply
    with pytest.raises(OasisFailure) as caught:
        parse_reply(200, content, ASKED)
    for told in (str(caught.value), caught.value.cause):
        assert told.isprintable()
        assert len(told) < 900
        assert told.count("\\x") == 0
        assert told.count("?") < 60


@pytest.mark.parametrize("bad", [line(NOISE), line(price=NOISE), line(market=NOISE), line().replace("2025", NOISE, 1)])
def test_what_is_quoted_of_a_row_that_is_left_out_is_short_and_printable(bad: str) -> None:
    prices = parse(line("N2"), bad, b__csv=f"{NOISE},x\n")
    for told in map(str, (*prices.bad_rows, *prices.unreadable.values(), *prices.strays)):
        assert told.isprintable()
        assert len(told) < 400


@pytest.mark.parametrize("status", [200, 429])
def test_the_throttle_page_is_known_with_either_status(status: int) -> None:
    with pytest.raises(Throttled):
        parse_reply(status, recorded("error_429_throttle_body.html"), ASKED)


@pytest.mark.parametrize(("status", "remedy"), [(500, Remedy.PAUSE), (302, Remedy.GIVE_UP), (404, Remedy.GIVE_UP)])
def test_another_status_is_refused_even_with_prices_in_the_body(status: int, remedy: Remedy) -> None:
    with pytest.raises(HttpRefused) as caught:
        parse_reply(status, as_reply(RTM), ASKED)
    assert (caught.value.status, caught.value.remedy) == (status, remedy)


def test_a_group_is_answered_with_nodes_that_nobody_named() -> None:
    asked = replace(ASKED, nodes=Group.ALL)
    assert [node for node, _, _ in found(parse(line("A"), line("B"), asked=asked))] == ["A", "B"]


def test_what_nobody_asked_for_is_of_the_market_of_its_first_row() -> None:
    prices = parse(line(market="RTM"), line("N2", market="DAM"), asked=None)
    assert (prices.market, len(prices), prices.counts["bad_rows"]) == (Market.RTM, 1, 1)
    with pytest.raises(Malformed, match="none that is known"):
        parse(line(market="MOON"), asked=None)


def report(*items: str, unit: str = "US$/MWh", name: str = "PRC_INTVL_LMP", prefix: str = "", version: str = "v1") -> str:
    colon = f"{prefix}:" if prefix else ""
    space = f"xmlns{':' + prefix if prefix else ''}='http://www.caiso.com/soa/OASISReport_{version}.xsd'"
    rows = "".join(items)
    xml = (
        f"<OASISReport {space}><MessagePayload><RTO><REPORT_ITEM><REPORT_HEADER><REPORT>{name}</REPORT>"
        f"<MKT_TYPE>RTM</MKT_TYPE><UOM>{unit}</UOM></REPORT_HEADER>{rows}</REPORT_ITEM></RTO></MessagePayload></OASISReport>"
    )
    return xml.replace("</", "</@").replace("<", f"<{colon}").replace(f"<{colon}/@", f"</{colon}")


def item(kind: str = "LMP_PRC", value: str = "12.5", node: str = "N1") -> str:
    return (
        f"<REPORT_DATA><DATA_ITEM>{kind}</DATA_ITEM><RESOURCE_NAME>{node}</RESOURCE_NAME>"
        f"<INTERVAL_START_GMT>2025-09-01T08:00:00-00:00</INTERVAL_START_GMT>"
        f"<INTERVAL_END_GMT>2025-09-01T08:05:00-00:00</INTERVAL_END_GMT><VALUE>{value}</VALUE></REPORT_DATA>"
    )


@pytest.mark.parametrize("prefix", ["", "m"])
@pytest.mark.parametrize("version", ["v1", "v5"])
def test_reports_in_xml_are_read_by_local_names_whatever_prefix_and_version(prefix: str, version: str) -> None:
    xml = report(item(), item("LMP_CONG_PRC", "-1"), item("LMP_PRC", "NaN", "N2"), prefix=prefix, version=version)
    prices = parse(a__xml=xml)
    assert [(row["lmp_usd_per_mwh"], row["congestion_usd_per_mwh"]) for row in prices.rows()] == [(12.5, -1.0)]
    assert list(map(str, prices.unreadable)) == ["N2 at 2025-09-01T08:00Z"]


def test_a_report_of_another_name_or_unit_is_no_answer() -> None:
    with pytest.raises(OasisFailure, match="report 'PRC_HASP_LMP'"):
        parse(a__xml=report(item(), name="PRC_HASP_LMP"))
    with pytest.raises(OasisFailure, match="prices in 'EUR/MWh'"):
        parse(a__xml=report(item(), unit="EUR/MWh"))


def test_rows_beside_an_error_in_one_report_are_no_answer() -> None:
    error = "<ERROR><ERR_CODE>1003</ERR_CODE><ERR_DESC>late</ERR_DESC></ERROR>"
    with pytest.raises(Incomplete, match="rows and an error"):
        parse(a__xml=report(item()).replace("</RTO>", f"{error}</RTO>"))


@pytest.mark.parametrize("hidden", ["<!-- of two -->", "<?of two?>", "<![CDATA[]]>"])
def test_a_value_is_all_of_its_text_whatever_stands_between(hidden: str) -> None:
    assert [price for _, _, price in found(parse(a__xml=report(item(value=f"1{hidden}2.5"))))] == [12.5]


def test_a_row_with_elements_within_elements_is_no_answer() -> None:
    with pytest.raises(Malformed, match="elements within VALUE"):
        parse(a__xml=report(item(value="1<b/>2.5")))


def test_entities_in_a_report_are_refused() -> None:
    with pytest.raises(Malformed):
        parse(a__xml="<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><OASISReport>&e;</OASISReport>")


def test_a_recorded_report_of_another_kind_says_of_what_its_rows_are() -> None:
    with pytest.raises(Incomplete, match="ISO_TOT_EXP_MW"):
        parse_saved(recorded(SLRS))


def test_a_member_that_is_read_twice_counts_once() -> None:
    table = (HEADER + 2_000 * line("N1") + 2_000 * line("N2", price="NaN")).encode()
    exact = replace(BOUNDS, total_bytes=3 * len(table))
    replied = zipped(a__csv=table, b__csv=table, c__csv=table)
    assert found(parse_reply(200, replied, ASKED, exact)) == [("N1", START, 12.5)]

    with pytest.raises(Oversized):
        parse_reply(200, replied, ASKED, replace(exact, total_bytes=exact.total_bytes - 1))


def test_a_day_of_the_whole_network_is_within_the_bounds_of_a_group_twice_over_and_of_named_nodes_not() -> None:
    """Of 25 hours: 16,600 nodes, five components, 155 bytes a row, which are read twice where a value is no number."""
    rows = 25 * 16_600 * 5
    assert 2 * rows < OF_GROUP.rows
    assert 3 * rows * 155 < OF_GROUP.total_bytes
    assert rows > Bounds().rows
    thirty_days = 10 * 30 * 288 * 5
    assert 2 * thirty_days < Bounds().rows
    assert 2 * thirty_days * 155 < Bounds().total_bytes


def test_the_reply_for_a_group_has_bounds_of_its_own() -> None:
    many = zipped(a__csv=(HEADER + "".join(line(f"N{number}") for number in range(20))).encode())
    narrow = Bounds(total_bytes=100)
    with pytest.raises(Oversized):
        parse_reply(200, many, ASKED, narrow)
    assert len(parse_reply(200, many, replace(ASKED, nodes=Group.ALL), narrow)) == 20


def test_bounds_are_on_members_bytes_and_rows_together() -> None:
    many = (HEADER + 8_000 * line()).encode()
    bomb = zipped(a__csv=many, b__csv=many)
    with pytest.raises(Oversized, match="1000000 bytes"):
        parse_reply(200, bomb, ASKED, BOUNDS)
    with pytest.raises(Oversized, match="9 members"):
        parse(**{f"m{number}__csv": HEADER for number in range(9)})
    with pytest.raises(Oversized, match="more than 2 rows"):
        parse_reply(200, zipped(a__csv=(HEADER + 3 * line()).encode()), ASKED, replace(BOUNDS, rows=2))


def test_a_member_without_a_name_is_read_like_any_other() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive, archive.open(zipfile.ZipInfo(""), "w") as member:
        member.write((HEADER + line()).encode())
    assert found(parse_reply(200, packed.getvalue(), ASKED, BOUNDS)) == [("N1", START, 12.5)]


def test_a_zip_truncated_anywhere_is_refused() -> None:
    whole = as_reply(DAM)
    for size in range(0, len(whole), 997):
        with pytest.raises(OasisFailure):
            parse_reply(200, whole[:size])


@given(st.binary(max_size=300), st.sampled_from([200, 404, 429, 503]))
def test_arbitrary_bytes_are_refused_with_a_typed_failure(content: bytes, status: int) -> None:
    with pytest.raises(OasisFailure):
        parse_reply(status, content, ASKED, BOUNDS)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda rest: (HEADER + line()).encode() + rest))
def test_an_arbitrary_member_is_read_or_refused_with_a_typed_failure(member: bytes) -> None:
    replied = zipped(a__csv=member)
    with contextlib.suppress(OasisFailure):
        assert not disagreements(replied, parse_reply(200, replied, ASKED, BOUNDS), ASKED)


@given(st.data())
def test_a_reply_damaged_in_one_byte_never_gives_other_prices(data: st.DataObject) -> None:
    content = bytearray(as_reply(RTM))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        prices = parse_saved(bytes(content))
    except OasisFailure:
        return
    assert found(prices) == found(parse_saved(as_reply(RTM)))


CELLS = st.sampled_from(["", "NaN", "N1", "N9", "RTM", "LMP", "MCE", "7", "1e3", "-", "2025-09-01T08:00:00Z", "x" * 50, '"'])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 47), st.integers(0, 6), CELLS), max_size=6))
@example([(3, 0, ""), (3, 1, ""), (3, 4, "")])
def test_rows_that_are_damaged_never_change_what_the_others_say(damages: list[tuple[int, int, str]]) -> None:
    """Compared with an independent reading of the rows that were left alone."""
    kinds = ("LMP", "MCE", "MCC", "MCL")
    rows = [
        line(node, kind, str(10 * number + place), START + number * FIVE).strip().split(",")
        for number in range(6)
        for node in ("N1", "N2")
        for place, kind in enumerate(kinds)
    ]
    damaged = {at: list(rows[at]) for at, _column, _text in damages}
    for at, column, text in damages:
        damaged[at][column:column] = [text] if column == len(HEADER.split(",")) else []
        if column < len(damaged[at]):
            damaged[at][column] = text
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(damaged.get(at, row) for at, row in enumerate(rows))
    untouched = {tuple(row[:4]) for at, row in enumerate(rows) if at not in damaged}
    touched = {(row[2], row[0]) for at, row in enumerate(rows) if at in damaged}
    try:
        prices = parse(table.getvalue())
    except Malformed:  # a line with neither a time nor the name of a price may be an error in place of something
        assert any(not any(datetime_of(cell) or cell in kinds for cell in row) for row in damaged.values())
        return
    said = {(row["node"], row["interval_start"].isoformat()): row for row in prices.rows()}
    truth = {(row[2], row[0]): {} for row in rows}
    for row in rows:
        truth[row[2], row[0]][FIELDS[row[4]]] = float(row[5])
    assert untouched
    for key, parts in truth.items():
        if key not in touched and not _may_be_said_by(damaged.values(), key):
            assert {column: said[key][column] for column in parts} == parts


def _may_be_said_by(rows: object, key: tuple[str, str]) -> bool:
    """Whether a damaged row has become one of another node or time."""
    return any(row[2:3] == [key[0]] or datetime_of(row[0]) == datetime_of(key[1]) for row in rows)  # type: ignore[attr-defined]


def datetime_of(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def test_a_reply_that_is_stored_and_not_packed_is_read() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.csv", HEADER + line())
    assert len(parse_reply(200, content.getvalue(), ASKED)) == 1

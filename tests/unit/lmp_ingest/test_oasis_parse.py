"""What parse makes of replies that are not simply prices: errors, XML, and bytes that are nothing at all."""

import contextlib
import io
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oasis_recordings import as_reply, recorded, zipped

from dotbus.runtime.installation.toml_values import Market
from lmp_ingest.answer import require_answer
from lmp_ingest.faults import (
    ErrorReply,
    HttpRefused,
    Incomplete,
    Malformed,
    NoData,
    OasisFailure,
    Oversized,
    Remedy,
    Throttled,
    meaning_of_no_data,
)
from lmp_ingest.parse import parse_reply, parse_xml
from lmp_ingest.records import Component, PriceRow, Question
from lmp_ingest.unpack import Bounds, Member, unpack

BOUNDS = Bounds(members=8, total_bytes=1_000_000)
RTM = "prc_intvl_lmp_rtm_v1_20250901_he02_TH_NP15.csv"
SLRS = "singlezip_20160519_20160520_ENE_SLRS_DAM_20160519_17_07_07_v1_xml.zip"
HEADER = b"INTERVALSTARTTIME_GMT,INTERVALENDTIME_GMT,NODE,MARKET_RUN_ID,LMP_TYPE,MW\n"
ROW = b"2025-09-01T08:00:00-00:00,2025-09-01T08:05:00-00:00,N1,RTM,LMP,12.5\n"


def parse(content: bytes, status: int = 200) -> list[PriceRow]:
    return parse_reply(status, content, BOUNDS)


def parse_lines(*lines: bytes) -> list[PriceRow]:
    return parse(zipped(member__csv=b"".join(lines)))


@pytest.mark.parametrize("column", ["MW", "VALUE", "PRC"])
def test_the_price_column_is_found_by_the_header_whatever_its_name_and_place(column: str) -> None:
    header = f"POS,{column},LMP_TYPE,NODE,MARKET_RUN_ID,INTERVALENDTIME_GMT,INTERVALSTARTTIME_GMT\n".encode()
    row = b"0,-3.25,MCC,N1,RTM,2025-09-01T08:05:00-00:00,2025-09-01T08:00:00-00:00\n"

    start = datetime(2025, 9, 1, 8, tzinfo=UTC)
    assert parse_lines(header, row) == [PriceRow("RTM", "N1", start, start + timedelta(minutes=5), Component.CONGESTION, -3.25)]


def test_all_members_are_read_because_newer_versions_have_one_for_each_component() -> None:
    rows = parse(zipped(a_LMP__csv=HEADER + ROW, a_MCE__csv=HEADER + ROW.replace(b"LMP", b"MCE")))

    assert [row.component for row in rows] == [Component.LMP, Component.ENERGY]


def test_an_empty_price_is_absent() -> None:
    assert [row.usd_per_mwh for row in parse_lines(HEADER, ROW.replace(b"12.5", b""))] == [None]


def test_a_component_without_a_name_here_is_left_out() -> None:
    assert [row.component for row in parse_lines(HEADER, ROW, ROW.replace(b"LMP", b"NEW"))] == [Component.LMP]


def test_rows_of_components_without_a_name_alone_are_no_answer() -> None:
    with pytest.raises(Incomplete, match="of NEW"):
        parse_lines(HEADER, ROW.replace(b"LMP", b"NEW"))


def test_a_header_alone_is_no_answer() -> None:
    with pytest.raises(Incomplete, match="without rows"):
        parse_lines(HEADER)


def test_prices_beside_an_error_are_no_answer() -> None:
    with pytest.raises(Incomplete, match="OASIS error 1000"):
        parse(zipped(a__csv=HEADER + ROW, b__xml=recorded("error_1000_no_data.xml")))


def test_of_several_error_members_the_one_that_is_not_no_data_counts() -> None:
    with pytest.raises(ErrorReply) as caught:
        parse(zipped(a__xml=recorded("error_1000_no_data.xml"), b__xml=recorded("error_1015_groupzip_processing.xml")))

    assert caught.value.code == "1015"


@pytest.mark.parametrize("price", [b"nan", b"inf", b"-Infinity", b"1_000", b"12;5", b"abc", b"null", b"1e999"])
def test_a_price_that_is_no_finite_number_is_absent_and_says_what_stood_there(price: bytes) -> None:
    good, bad = parse_lines(HEADER, ROW, ROW.replace(b"12.5", price))

    assert (good.usd_per_mwh, good.unreadable) == (12.5, None)
    assert (bad.usd_per_mwh, bad.unreadable) == (None, price.decode())


@pytest.mark.parametrize("start", [b"2025-13-01T08:00:00-00:00", b"2025-09-01T08:00:00", b"noon", b""])
def test_a_time_that_is_none_refuses_the_reply(start: bytes) -> None:
    with pytest.raises(Malformed, match="is not a time"):
        parse_lines(HEADER, ROW.replace(b"2025-09-01T08:00:00-00:00", start))


def test_a_header_with_a_needed_column_twice_is_refused_by_the_column_s_name() -> None:
    with pytest.raises(Malformed, match="more than one column MW"):
        parse_lines(HEADER.replace(b"MW", b"MW,MW"), ROW.replace(b"12.5", b"12.5,99.0"))


def test_a_header_without_a_needed_column_is_refused_by_the_column_s_name() -> None:
    with pytest.raises(Malformed, match="no column MW/VALUE/PRC"):
        parse_lines(HEADER.replace(b"MW", b"DOLLARS"), ROW)


def test_a_line_cut_in_its_middle_is_refused() -> None:
    with pytest.raises(Malformed, match="last line has no end"):
        parse_lines(HEADER, ROW, b"2025-09-01T08:00:00-00:00,2025-09-01T08:05:00-00:00,N1,RT")


@pytest.mark.parametrize(
    "line",
    [
        b"ERROR,1003,Query timed out,,,\n",
        b"ERROR: Query timed out\n",
        b",,,,,\n",
        b"\n",
        b"<html><body>busy, very busy</body></html>\n",
        b"Total,,N1,RTM,SUM,25\n",
    ],
)
def test_a_table_with_a_line_that_is_no_row_is_refused(line: bytes) -> None:
    for lines in ((ROW, line), (line, ROW)):
        with pytest.raises(Malformed, match=f"member 1 line {2 + lines.index(line)}"):
            parse_lines(HEADER, *lines)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_table_whose_last_line_has_no_end_was_cut_and_is_refused(cut: int) -> None:
    """Its last price may have lost digits, and what came after it is missing."""
    assert len(parse_lines(HEADER, ROW, ROW)) == 2
    with pytest.raises(Malformed, match="last line has no end"):
        parse_lines(HEADER, ROW, ROW[:-cut])


@pytest.mark.parametrize(
    ("name", "code", "remedy"),
    [
        ("error_1000_no_data.xml", "1000", Remedy.BY_MEANING),
        ("error_1015_groupzip_processing.xml", "1015", Remedy.RETRY),
    ],
)
def test_recorded_error_reports_are_told_by_their_code(name: str, code: str, remedy: Remedy) -> None:
    with pytest.raises(ErrorReply) as caught:
        parse(zipped(INVALID_REQUEST__xml=recorded(name)))

    assert (caught.value.code, caught.value.remedy) == (code, remedy)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        *((code, Remedy.RETRY) for code in ("1003", "1006", "1007", "1008", "1009", "1010", "1012", "1013", "1015")),
        *((code, Remedy.GIVE_UP) for code in ("1001", "1002", "1004", "1005", "1011", "1014")),
        *((code, Remedy.GIVE_UP) for code in ("1016", "1017", "1018", "1019", "1020")),
        ("1000", Remedy.BY_MEANING),
        ("9999", Remedy.RETRY),
    ],
)
def test_each_error_code_has_the_remedy_that_the_specification_s_meaning_asks_for(code: str, remedy: Remedy) -> None:
    report = recorded("error_1000_no_data.xml").replace(b"1000<", f"{code}<".encode())

    with pytest.raises(ErrorReply) as caught:
        parse(zipped(x__xml=report))

    assert caught.value.remedy is remedy


@pytest.mark.parametrize("status", [200, 429])
def test_the_throttle_page_is_known_with_either_status(status: int) -> None:
    with pytest.raises(Throttled) as caught:
        parse(recorded("error_429_throttle_body.html"), status)

    assert caught.value.remedy is Remedy.PAUSE


@pytest.mark.parametrize(("status", "remedy"), [(500, Remedy.PAUSE), (503, Remedy.PAUSE), (404, Remedy.GIVE_UP)])
def test_another_status_is_refused_even_with_prices_in_the_body(status: int, remedy: Remedy) -> None:
    with pytest.raises(HttpRefused) as caught:
        parse(as_reply(RTM), status)

    assert (caught.value.status, caught.value.remedy) == (status, remedy)


def test_the_recorded_xml_report_is_read_whole() -> None:
    """408 rows and their sum: counted with grep and awk."""
    (member,) = unpack(recorded(SLRS), BOUNDS)

    rows = list(parse_xml(member))

    assert len(rows) == 408
    assert sum(row.value or 0 for row in rows) == pytest.approx(2_484_630.04)
    first = rows[0]
    assert (first.report, first.market, first.item, first.resource, first.value) == (
        "ENE_SLRS",
        "DAM",
        "ISO_TOT_EXP_MW",
        "Caiso_Totals",
        1152,
    )
    assert (first.interval_start, first.interval_end) == (
        datetime(2016, 5, 20, 2, tzinfo=UTC),
        datetime(2016, 5, 20, 3, tzinfo=UTC),
    )
    with pytest.raises(Incomplete, match="of ISO_TOT_EXP_MW"):
        parse(recorded(SLRS))


def xml_report(of: str = "PRC_INTVL_LMP", unit: str = "US$/MWh") -> bytes:
    return (
        f"<OASISReport><MessagePayload><RTO><REPORT_ITEM><REPORT_HEADER><REPORT>{of}</REPORT><MKT_TYPE>RTM</MKT_TYPE>"
        f"<UOM>{unit}</UOM></REPORT_HEADER><REPORT_DATA><DATA_ITEM>LMP_PRC</DATA_ITEM><RESOURCE_NAME>N1</RESOURCE_NAME>"
        "<INTERVAL_START_GMT>2025-09-01T08:00:00-00:00</INTERVAL_START_GMT>"
        "<INTERVAL_END_GMT>2025-09-01T08:05:00-00:00</INTERVAL_END_GMT><VALUE>1</VALUE></REPORT_DATA></REPORT_ITEM>"
        "</RTO></MessagePayload></OASISReport>"
    ).encode()


def test_prices_of_another_unit_are_refused() -> None:
    with pytest.raises(Malformed, match="'MW'"):
        parse(zipped(x__xml=xml_report(unit="MW")))
    assert len(parse(zipped(x__xml=xml_report()))) == 1


@pytest.mark.parametrize("of", ["PRC_LMP", "PRC_CD_INTVL_LMP", "PRC_MPM_RTM_LMP", ""])
def test_prices_of_another_report_than_was_asked_for_are_refused(of: str) -> None:
    require_answer(parse(zipped(x__xml=xml_report())), asked())
    with pytest.raises(Malformed, match=f"report '{of}' in the answer for PRC_INTVL_LMP"):
        require_answer(parse(zipped(x__xml=xml_report(of))), asked())


@pytest.mark.parametrize(("prefix", "schema"), [("", "v1"), ("m:", "v1"), ("m:", "v5")])
def test_prices_in_xml_are_read_by_local_names_whatever_prefix_and_schema_version(prefix: str, schema: str) -> None:
    def tag(name: str, *content: str) -> str:
        return f"<{prefix}{name}>{''.join(content)}</{prefix}{name}>"

    declared = f'xmlns{":m" if prefix else ""}="http://www.caiso.com/soa/OASISReport_{schema}.xsd"'
    header = tag("REPORT_HEADER", tag("REPORT", "PRC_INTVL_LMP"), tag("MKT_TYPE", "RTM"))
    row = tag(
        "REPORT_DATA",
        tag("DATA_ITEM", "LMP_GHG_PRC"),
        tag("RESOURCE_NAME", "N1"),
        tag("INTERVAL_START_GMT", "2025-09-01T08:00:00-00:00"),
        tag("INTERVAL_END_GMT", "2025-09-01T08:05:00-00:00"),
        tag("VALUE", "-0.5"),
    )
    report = tag("OASISReport", tag("MessagePayload", tag("RTO", tag("REPORT_ITEM", header, row))))
    report = report.replace("OASISReport>", f"OASISReport {declared}>", 1)

    start = datetime(2025, 9, 1, 8, tzinfo=UTC)
    assert parse(zipped(x__xml=report.encode())) == [
        PriceRow("RTM", "N1", start, start + timedelta(minutes=5), Component.GHG, -0.5, report="PRC_INTVL_LMP")
    ]


def test_rows_beside_an_error_in_one_xml_report_are_no_answer() -> None:
    report = recorded("error_1000_no_data.xml").replace(
        b"<m:ERROR>", b"<m:REPORT_ITEM><m:REPORT_DATA/></m:REPORT_ITEM><m:ERROR>", 1
    )
    assert b"REPORT_DATA" in report

    with pytest.raises(Incomplete, match="OASIS error 1000"):
        parse(zipped(x__xml=report))


def test_external_and_internal_entities_are_refused() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c SYSTEM "file:///etc/passwd">]><OASISReport>&b;&c;</OASISReport>'

    with pytest.raises(Malformed, match="document type"):
        list(parse_xml(Member("x.xml", bomb)))


@pytest.mark.parametrize("report", [b"<html><body>busy</body></html>", b"<OASISReport>", b"<", b"<OASISReport/"])
def test_xml_that_is_no_report_is_malformed(report: bytes) -> None:
    with pytest.raises(Malformed):
        parse(zipped(x__xml=report))


def test_a_zip_bomb_is_refused_by_what_it_unpacks_to() -> None:
    with pytest.raises(Oversized, match="1000000 bytes"):
        parse(zipped(x__csv=HEADER + b"0" * 5_000_000))


def test_the_bound_is_on_all_members_together() -> None:
    with pytest.raises(Oversized):
        parse(zipped(x__csv=HEADER + ROW * 10_000, y__csv=HEADER + ROW * 10_000))


def test_too_many_members_are_refused() -> None:
    with pytest.raises(Oversized, match="9 members, 8 are allowed"):
        parse(zipped(**{f"m{number}__csv": HEADER for number in range(9)}))


def test_a_member_packed_by_a_method_without_bounds_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("x.csv", HEADER + ROW)

    with pytest.raises(Malformed, match="packed by method 12"):
        parse(packed.getvalue())


def test_an_empty_zip_is_malformed() -> None:
    with pytest.raises(Malformed, match="without members"):
        parse(zipped())


def test_a_zip_truncated_anywhere_is_refused() -> None:
    whole = as_reply(RTM)

    for length in range(0, len(whole), 37):
        with pytest.raises(Malformed):
            parse(whole[:length])


@given(st.binary(max_size=400), st.sampled_from([200, 429, 500]))
def test_arbitrary_bytes_are_refused_with_a_typed_fault(content: bytes, status: int) -> None:
    with pytest.raises(OasisFailure):
        parse(content, status)


@given(st.binary(max_size=300))
def test_an_arbitrary_member_is_read_or_refused_with_a_typed_fault(member: bytes) -> None:
    with contextlib.suppress(OasisFailure):
        assert all(row.component for row in parse(zipped(x__csv=member)))


@given(st.data())
def test_a_reply_damaged_in_one_byte_never_gives_other_prices(drawn: st.DataObject) -> None:
    whole = as_reply(RTM)
    at = drawn.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= drawn.draw(st.integers(1, 255))

    try:
        rows = parse(bytes(damaged))
    except OasisFailure:
        return
    assert rows == parse(whole)


@pytest.mark.parametrize(
    ("market", "nodes", "reason"),
    [
        (Market.RTPD, ["N1"], "market 'RTM' in the answer for RTPD"),
        (Market.RTM, ["N2"], "node 'N1', which was not asked for"),
    ],
)
def test_an_answer_to_another_question_is_refused(market: Market, nodes: list[str], reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        require_answer(parse_lines(HEADER, ROW), asked(market, *nodes))


def asked(market: Market = Market.RTM, *nodes: str, start_min: float = -60) -> Question:
    begin = datetime(2025, 9, 1, 8, tzinfo=UTC) + timedelta(minutes=start_min)
    return Question(market, nodes or ("N1",), begin, begin + timedelta(hours=2))


@pytest.mark.parametrize("end", [b"08:10", b"08:00"])
def test_an_interval_of_another_length_is_refused(end: bytes) -> None:
    with pytest.raises(Malformed, match="not 0:05:00 long"):
        require_answer(parse_lines(HEADER, ROW.replace(b"08:05", end)), asked())


def test_an_interval_that_begins_where_none_does_is_refused() -> None:
    row = ROW.replace(b"08:05", b"08:07").replace(b"08:00", b"08:02")
    with pytest.raises(Malformed, match="begins between two"):
        require_answer(parse_lines(HEADER, row), asked())


@pytest.mark.parametrize(("start_min", "fits"), [(-120, False), (-115, True), (0, True), (5, False)])
def test_a_price_of_another_time_than_was_asked_for_is_refused(start_min: float, fits: bool) -> None:  # noqa: FBT001
    """The start of the window is in it, its end is not."""
    rows = parse_lines(HEADER, ROW)
    with contextlib.nullcontext() if fits else pytest.raises(Malformed, match="another time than was asked for: N1 from 2025"):
        require_answer(rows, asked(start_min=start_min))


NOW = datetime(2025, 9, 1, 18, tzinfo=UTC)  # 11:00 in California


@pytest.mark.parametrize(
    ("market", "start", "was_given", "meaning"),
    [
        (Market.RTM, NOW - timedelta(minutes=30), False, NoData.NOT_YET),
        (Market.RTM, NOW - timedelta(minutes=30), True, NoData.DENIED),
        (Market.RTM, NOW - timedelta(minutes=64), False, NoData.NOT_YET),
        (Market.RTM, NOW - timedelta(minutes=66), False, NoData.UNEXPECTED),
        (Market.RTM, NOW - timedelta(hours=2), False, NoData.UNEXPECTED),
        (Market.RTM, NOW - timedelta(hours=2), True, NoData.DENIED),
        (Market.RTM, NOW - timedelta(days=365 * 4), False, NoData.AGED_OUT),
        (Market.RTPD, NOW - timedelta(minutes=76), False, NoData.UNEXPECTED),
        (Market.DAM, datetime(2025, 9, 1, 7, tzinfo=UTC), False, NoData.UNEXPECTED),  # today's, published yesterday
        (Market.DAM, datetime(2025, 9, 2, 7, tzinfo=UTC), False, NoData.NOT_YET),  # tomorrow's, due at 13:00
        (Market.DAM, datetime(2025, 9, 2, 7, tzinfo=UTC), True, NoData.DENIED),
        (Market.HASP, NOW + timedelta(hours=1), False, NoData.NOT_YET),
        (Market.HASP, NOW + timedelta(hours=1), True, NoData.DENIED),
    ],
)
def test_no_data_means_what_was_given_before_and_the_dates_make_of_it(
    market: Market,
    start: datetime,
    was_given: bool,  # noqa: FBT001
    meaning: NoData,
) -> None:
    assert meaning_of_no_data(market, start, NOW, was_given=was_given) is meaning


def test_what_was_there_once_is_asked_for_again_soon_and_what_never_was_is_asked_for_rarely() -> None:
    assert {meaning: meaning.remedy for meaning in (NoData.DENIED, NoData.UNEXPECTED, NoData.AGED_OUT)} == {
        NoData.DENIED: Remedy.RETRY,
        NoData.UNEXPECTED: Remedy.GIVE_UP,
        NoData.AGED_OUT: Remedy.GIVE_UP,
    }

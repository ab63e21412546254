"""OASIS's calendar, prices, queries and files, held against what was recorded."""

import csv
import io
import zipfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from oasis_recordings import SMALL, recorded

from simulators.oasis.calendar import hour_label, interval_number, starts, trade_date, trade_day
from simulators.oasis.content import numbers
from simulators.oasis.errors import THROTTLE_PAGE, ErrorCode, QueryRefused, error_member
from simulators.oasis.files import Publisher, error_reply
from simulators.oasis.prices import PriceModel
from simulators.oasis.queries import Query, parse_group, parse_single
from simulators.oasis.recordings import RECORDINGS, recorded_reply
from simulators.oasis.reports import REPORTS

NOW = datetime(2026, 3, 15, 18, 3, 7, tzinfo=UTC)
"""11:03:07 Pacific, before the day-ahead market is published."""

HUB, NODE, OTHER = "TH_NP15_GEN-APND", "BAYSHOR2_1_N001", "CATALYST_7_N002"
PUBLISHER = Publisher(PriceModel(1), (HUB, NODE, OTHER))
LATER = datetime(2026, 12, 1, tzinfo=UTC)
DAM = {"queryname": "PRC_LMP", "market_run_id": "DAM", "version": "1", "resultformat": "6"}
RUC = {**DAM, "market_run_id": "RUC"}
HASP = {"queryname": "PRC_HASP_LMP", "market_run_id": "HASP", "version": "1", "resultformat": "6"}
RTPD = {"queryname": "PRC_RTPD_LMP", "market_run_id": "RTPD", "version": "2", "resultformat": "6"}
RTM = {"queryname": "PRC_INTVL_LMP", "market_run_id": "RTM", "version": "1", "resultformat": "6"}
RTM_3 = {**RTM, "version": "3"}


def asked(base: dict[str, str], start: str, end: str, **more: str) -> Query:
    more = more or {"node": NODE}
    return parse_single({**base, "startdatetime": f"{start}-0000", "enddatetime": f"{end}-0000", **more})


def members(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def rows(query: Query, now: datetime = NOW) -> list[dict[str, str]]:
    texts = members(PUBLISHER.reply(query, now).content)
    return [row for name, text in texts.items() if name.endswith(".csv") for row in csv.DictReader(io.StringIO(text))]


def code(content: bytes) -> str:
    (text,) = members(content).values()
    return etree.fromstring(text.encode()).findtext(".//{*}ERR_CODE") or ""


def refused(parameters: dict[str, str]) -> ErrorCode:
    with pytest.raises(QueryRefused) as error:
        parse_single(parameters)
    return error.value.code


# The calendar. Labels of the days when the clocks change are those recorded in 2018, 2019 and 2025.


@pytest.mark.parametrize(
    ("day", "labels"),
    [
        (date(2018, 11, 4), [1, 2, 25, *range(3, 25)]),
        (date(2025, 11, 2), [1, 2, 25, *range(3, 25)]),
        (date(2019, 3, 10), [1, 2, *range(4, 25)]),
        (date(2019, 3, 9), list(range(1, 25))),
    ],
)
def test_hour_labels_of_days_with_23_24_and_25_hours(day: date, labels: list[int]) -> None:
    assert [hour_label(at) for at in starts(*trade_day(day), timedelta(hours=1))] == labels


@pytest.mark.parametrize(
    "name",
    [
        "singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip",
        "20181013_20181107_PRC_LMP_DAM_20200511_16_08_16_v1.csv",
        "20230917_20230919_PRC_RTPD_LMP_RTPD_20230921_11_49_39_v2.csv",
    ],
)
def test_dates_and_hours_are_those_of_the_recordings(name: str) -> None:
    content = recorded(name)
    text = next(iter(members(content).values())) if name.endswith(".zip") else content.decode()
    for row in csv.DictReader(io.StringIO(text)):
        start = datetime.fromisoformat(row["INTERVALSTARTTIME_GMT"])
        assert row["OPR_DT"] == trade_date(start).isoformat()
        assert int(row["OPR_HR"]) == hour_label(start)


def test_the_interval_number_counts_from_midnight() -> None:
    """The interface specification's sample: 2013-05-25, 17:00 to 17:15 PDT is number 69."""
    assert interval_number(datetime(2013, 5, 26, 0, tzinfo=UTC), timedelta(minutes=15)) == 69


# Prices


@given(
    market=st.sampled_from(["DAM", "RUC", "HASP", "RTPD", "RTM"]),
    node=st.sampled_from([HUB, NODE, OTHER, "X", "Y"]),
    start=st.integers(1_700_000_000 // 300, 1_900_000_000 // 300),
    seed=st.integers(0, 99),
)
def test_a_price_is_the_sum_of_its_components_within_rounding(market: str, node: str, start: int, seed: int) -> None:
    at = datetime.fromtimestamp(start * 300, UTC)
    price = PriceModel(seed).price(market, node, at)
    parts = (price.energy_usd_per_mwh, price.congestion_usd_per_mwh, price.loss_usd_per_mwh, price.ghg_usd_per_mwh)
    assert price.lmp_usd_per_mwh == pytest.approx(sum(parts), abs=3e-5)
    assert price == PriceModel(seed).price(market, node, at)


def test_energy_is_the_same_at_every_node_and_other_components_are_not() -> None:
    prices = [PriceModel(1).price("RTM", node, NOW) for node in (HUB, NODE, OTHER)]
    assert len({price.energy_usd_per_mwh for price in prices}) == 1
    assert len({price.loss_usd_per_mwh for price in prices}) == 3


def test_prices_have_negative_noons_and_dear_evenings() -> None:
    begin, end = trade_day(date(2026, 4, 15))
    prices = {at: PriceModel(1).price("RTM", HUB, at).lmp_usd_per_mwh for at in starts(begin, end, timedelta(minutes=5))}
    noon = [usd for at, usd in prices.items() if 11 <= hour_label(at) <= 14]
    evening = [usd for at, usd in prices.items() if 19 <= hour_label(at) <= 21]
    assert min(noon) < 0
    assert sum(evening) / len(evening) > sum(noon) / len(noon) + 20


@pytest.mark.parametrize(
    ("price", "text"), [(0.0, "0"), (-0.0, "0"), (8.0, "8"), (37.19566, "37.19566"), (-4.9, "-4.9"), (0.00001, "0.00001")]
)
def test_numbers_have_up_to_five_decimals_and_no_trailing_zeros(price: float, text: str) -> None:
    assert numbers([price]) == [text]


# Queries


def test_a_query_without_parameters_is_empty() -> None:
    assert refused({}) is ErrorCode.EMPTY_QUERY


FULL = {**DAM, "startdatetime": "20260310T08:00-0000", "enddatetime": "20260311T08:00-0000", "node": NODE}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"queryname": "PRC_NONE"}, 1005),
        ({"queryname": None}, 1005),
        ({"version": None}, 1020),
        ({"version": "9"}, 1020),
        ({"version": "x"}, 1020),
        ({"market_run_id": None}, 1001),
        ({"market_run_id": "RTM"}, 1000),
        ({"startdatetime": None}, 1001),
        ({"startdatetime": "2026-03-10"}, 1002),
        ({"enddatetime": "20260311T25:00-0000"}, 1002),
        ({"enddatetime": "20260410T08:01-0000"}, 1004),
        ({"enddatetime": "20260310T08:00-0000"}, 1001),
        ({"node": None}, 1001),
        ({"grp_type": "ALL"}, 1001),
        ({"node": None, "grp_type": "SOME"}, 1001),
        ({"node": ",".join(f"N{i}" for i in range(11))}, 1017),
        ({"resultformat": "7"}, 1001),
    ],
)
def test_a_query_that_cannot_be_answered_has_its_error_code(change: dict[str, str | None], expected: int) -> None:
    parameters = {key: value for key, value in {**FULL, **change}.items() if value is not None}
    assert refused(parameters) == expected


@pytest.mark.parametrize("end", ["20260410T08:00-0000", "20260410T01:00-0700", "20260410T10:00 0200"])
def test_31_days_in_any_offset_are_allowed(end: str) -> None:
    query = parse_single({**FULL, "enddatetime": end})
    assert query.end - query.start == timedelta(days=31)


def test_with_a_group_the_end_is_ignored() -> None:
    wide = {"startdatetime": "20260310T19:25-0000", "enddatetime": "20270310T08:00-0000", "grp_type": "ALL"}
    day, hour = parse_single({**DAM, **wide}), parse_single({**RTM, **wide})
    assert (day.start, day.end) == trade_day(date(2026, 3, 10))
    assert (hour.start, hour.end) == (datetime(2026, 3, 10, 19, tzinfo=UTC), datetime(2026, 3, 10, 20, tzinfo=UTC))


def test_group_queries_know_their_groups() -> None:
    query = parse_group({"groupid": "DAM_LMP_GRP", "startdatetime": "20260310T08:00-0000", "version": "12"})
    assert (query.report.market, query.report.version, query.grouped) == ("DAM", 12, True)
    with pytest.raises(QueryRefused) as error:
        parse_group({"groupid": "NONE_GRP", "startdatetime": "20260310T08:00-0000", "version": "1"})
    assert error.value.code == 1016


# Files, held against the recordings


RECORDED = {
    "singlezip_20240311_20240312_PRC_LMP_DAM_20240312_22_14_34_v1_csv.zip": (DAM, "2024031"),
    "singlezip_20240312_20240316_PRC_LMP_DAM_20240313_13_40_38_v1_csv.zip": (DAM, "2024031"),
    "singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip": (DAM, "202404"),
    "singlezip_20240312_20240314_PRC_HASP_LMP_HASP_20240313_12_09_29_v1_csv.zip": (HASP, "2024031"),
    "20230917_20230919_PRC_RTPD_LMP_RTPD_20230921_11_49_39_v2.csv": (RTPD, "2023091"),
    "prc_intvl_lmp_rtm_v1_20250901_he02_TH_NP15.csv": (RTM, "20250901"),
}


@pytest.mark.parametrize("name", RECORDED)
def test_a_generated_file_has_the_rows_and_columns_of_the_recorded_one(name: str) -> None:
    """Everything but the price, column for column; day-ahead rows are in no order, within each group of rows."""
    content = recorded(name)
    text = next(iter(members(content).values())) if name.endswith(".zip") else content.decode()
    real = list(csv.DictReader(io.StringIO(text)))
    begins = [datetime.fromisoformat(row["INTERVALSTARTTIME_GMT"]) for row in real]
    ends = [datetime.fromisoformat(row["INTERVALENDTIME_GMT"]) for row in real]
    nodes = tuple(dict.fromkeys(row["NODE"] for row in real))
    query = parse_single(
        {
            **RECORDED[name][0],
            "startdatetime": f"{min(begins):%Y%m%dT%H:%M}-0000",
            "enddatetime": f"{max(ends):%Y%m%dT%H:%M}-0000",
            "node": ",".join(nodes),
        }
    )
    made_text = next(iter(members(Publisher(PriceModel(1), nodes, kept_days=10_000).reply(query, LATER).content).values()))
    assert made_text.splitlines()[0] == text.splitlines()[0]
    assert made_text.endswith("\n")
    made = list(csv.DictReader(io.StringIO(made_text)))
    prices = {"MW", "PRC", "VALUE"}
    strip = [[{k: v for k, v in row.items() if k not in prices} for row in each] for each in (made, real)]
    if "OPR_INTERVAL" in real[0] and real[0]["OPR_INTERVAL"] == "0":
        strip = [_ordered_within_groups(each) for each in strip]
    assert strip[0] == strip[1]


def _ordered_within_groups(table: list[dict[str, str]]) -> list[dict[str, str]]:
    groups = groupby(table, lambda row: row["GROUP"])
    return [row for _, group in groups for row in sorted(group, key=lambda row: row["INTERVALSTARTTIME_GMT"])]


def test_day_ahead_rows_are_not_sorted_by_time() -> None:
    begins = [row["INTERVALSTARTTIME_GMT"] for row in rows(asked(DAM, "20260310T07:00", "20260311T07:00"))]
    assert begins[:24] != sorted(begins[:24])


@pytest.mark.parametrize(
    ("day", "base", "count"),
    [
        (date(2025, 11, 2), DAM, 25 * 5),
        (date(2026, 3, 8), DAM, 23 * 5),
        (date(2025, 11, 2), RTPD, 25 * 4 * 5),
        (date(2026, 3, 8), RTPD, 23 * 4 * 5),
        (date(2025, 11, 2), RTM, 25 * 12 * 4),
        (date(2026, 3, 8), RTM, 23 * 12 * 4),
    ],
)
def test_days_when_clocks_change_have_every_real_hour_once(day: date, base: dict[str, str], count: int) -> None:
    begin, end = trade_day(day)
    found = rows(asked(base, f"{begin:%Y%m%dT%H:%M}", f"{end:%Y%m%dT%H:%M}"))
    assert len(found) == count
    assert {row["OPR_DT"] for row in found} == {day.isoformat()}
    assert set(Counter((row["INTERVALSTARTTIME_GMT"], row["LMP_TYPE"]) for row in found).values()) == {1}
    assert (25 in {int(row["OPR_HR"]) for row in found}) == (day.month == 11)


def test_the_end_is_exclusive_and_the_start_inclusive() -> None:
    found = rows(asked(RTM, "20260310T08:00", "20260310T08:10"))
    assert {row["INTERVALSTARTTIME_GMT"] for row in found} == {"2026-03-10T08:00:00-00:00", "2026-03-10T08:05:00-00:00"}


@pytest.mark.parametrize(
    ("base", "now", "last"),
    [
        (DAM, "2026-03-15T19:59:59", "2026-03-16T06:00:00"),
        (DAM, "2026-03-15T20:00:00", "2026-03-17T06:00:00"),
        (RUC, "2026-03-15T19:59:59", "2026-03-16T06:00:00"),
        (RUC, "2026-03-15T20:00:00", "2026-03-17T06:00:00"),
        (HASP, "2024-03-13T19:09:28", "2024-03-13T20:45:00"),
        (RTPD, "2026-03-15T18:03:00", "2026-03-15T18:15:00"),
        (RTPD, "2026-03-15T18:07:30", "2026-03-15T18:30:00"),
        (RTM, "2026-03-15T18:02:29", "2026-03-15T18:00:00"),
        (RTM, "2026-03-15T18:02:30", "2026-03-15T18:05:00"),
    ],
)
def test_only_what_is_published_by_now_comes(base: dict[str, str], now: str, last: str) -> None:
    """The two recorded cases: day-ahead at 13:40 and HASP at 12:09 Pacific, ends in the future."""
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = rows(asked(base, f"{at - timedelta(days=1):%Y%m%dT%H:%M}", f"{at + timedelta(days=4):%Y%m%dT%H:%M}"), at)
    assert max(row["INTERVALSTARTTIME_GMT"] for row in found) == f"{last}-00:00"


def test_the_price_column_is_named_by_report_and_version() -> None:
    named = {(report.queryname, report.version): report.price_column for report in REPORTS}
    assert named["PRC_LMP", 1] == named["PRC_HASP_LMP", 3] == named["PRC_INTVL_LMP", 1] == "MW"
    assert named["PRC_RTPD_LMP", 2] == named["PRC_RTPD_LMP", 3] == "PRC"
    assert named["PRC_INTVL_LMP", 3] == "VALUE"


def test_every_price_in_a_file_is_the_models() -> None:
    for row in rows(asked(RTM_3, "20260310T08:00", "20260310T09:00", node=f"{HUB},{NODE}")):
        price = PriceModel(1).price("RTM", row["NODE"], datetime.fromisoformat(row["INTERVALSTARTTIME_GMT"]))
        of_type = {"LMP": price.lmp_usd_per_mwh, "MCE": price.energy_usd_per_mwh, "MCC": price.congestion_usd_per_mwh}
        of_type |= {"MCL": price.loss_usd_per_mwh, "MGHG": price.ghg_usd_per_mwh}
        assert float(row["VALUE"]) == of_type[row["LMP_TYPE"]]


def test_file_names_carry_pacific_dates_and_a_pacific_stamp() -> None:
    reply = PUBLISHER.reply(asked(DAM, "20260310T06:00", "20260312T07:00"), NOW)
    assert reply.filename == "20260309_20260312_PRC_LMP_DAM_20260315_11_03_07_v1_csv.zip"
    assert list(members(reply.content)) == ["20260309_20260312_PRC_LMP_DAM_20260315_11_03_07_v1.csv"]
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.infolist()[0].date_time == (2026, 3, 15, 11, 3, 6)


@pytest.mark.parametrize(("base", "separate"), [(DAM, 5), (RTM_3, 5), (RTM, 1), (RTPD, 1)])
def test_a_whole_group_comes_as_a_file_per_component_where_caiso_does_so(base: dict[str, str], separate: int) -> None:
    texts = members(PUBLISHER.reply(asked(base, "20260310T07:00", "20260310T08:00", grp_type="ALL"), NOW).content)
    assert len(texts) == separate
    types = [{row["LMP_TYPE"] for row in csv.DictReader(io.StringIO(text))} for text in texts.values()]
    assert all(len(each) == (1 if separate > 1 else len(set.union(*types))) for each in types)
    assert {row["NODE"] for text in texts.values() for row in csv.DictReader(io.StringIO(text))} == {HUB, NODE, OTHER}


def test_aggregates_alone_on_demand() -> None:
    found = rows(asked(RTM, "20260310T07:00", "20260310T08:00", grp_type="ALL_APNODES"))
    assert {(row["NODE"], row["GRP_TYPE"], row["POS"]) for row in found} == {(HUB, "ALL_APNODES", "0")}


def test_xml_says_the_same_as_csv() -> None:
    query = asked(RTPD, "20260310T08:00", "20260310T10:00", node=f"{NODE},{HUB}", resultformat="5")
    ((name, text),) = members(PUBLISHER.reply(query, NOW).content).items()
    assert name.endswith(".xml")
    root = etree.fromstring(text.encode())
    as_xml = {
        (
            item.findtext("{*}RESOURCE_NAME"),
            item.findtext("{*}DATA_ITEM"),
            item.findtext("{*}INTERVAL_START_GMT"),
        ): item.findtext("{*}VALUE")
        for item in root.iterfind(".//{*}REPORT_DATA")
    }
    found = rows(asked(RTPD, "20260310T08:00", "20260310T10:00", node=f"{NODE},{HUB}"))
    assert as_xml == {(row["NODE"], row["XML_DATA_ITEM"], row["INTERVALSTARTTIME_GMT"]): row["PRC"] for row in found}
    assert root.findtext(".//{*}SEC_PER_INTERVAL") == "900"


def test_xml_has_the_elements_of_the_recorded_report_in_their_order() -> None:
    (real,) = members(recorded("singlezip_20160519_20160520_ENE_SLRS_DAM_20160519_17_07_07_v1_xml.zip")).values()
    query = asked(DAM, "20260310T08:00", "20260310T10:00", node=NODE, resultformat="5")
    (made,) = members(PUBLISHER.reply(query, NOW).content).values()
    shapes = []
    for text in (real, made):
        root = etree.fromstring(text.encode())
        paths = [root, root.find("{*}MessageHeader"), root.find(".//{*}RTO"), root.find(".//{*}REPORT_HEADER")]
        paths.append(root.find(".//{*}REPORT_DATA"))
        shapes.append([list(dict.fromkeys(child.tag for child in path)) for path in paths if path is not None])
    assert shapes[0][:2] == shapes[1][:2]
    assert shapes[0][3:] == shapes[1][3:]
    assert shapes[1][2] == shapes[0][2][: len(shapes[1][2])]


@pytest.mark.parametrize(
    "query",
    [
        asked(DAM, "20260310T08:00", "20260311T08:00", node="UNKNOWN_NODE"),
        asked(DAM, "20270310T08:00", "20270311T08:00"),
        asked(DAM, "20200310T08:00", "20200311T08:00"),
        asked(RTM, "20260315T18:10", "20260315T18:20"),
    ],
    ids=["unknown node", "not yet", "aged out", "next interval"],
)
def test_what_there_is_nothing_of_gives_error_1000_under_the_answers_name(query: Query) -> None:
    reply = PUBLISHER.reply(query, NOW)
    assert code(reply.content) == "1000"
    assert reply.filename.endswith("_v1_xml.zip")
    assert list(members(reply.content)) == [reply.filename.replace("_xml.zip", ".xml")]


def test_an_invalid_request_is_named_so() -> None:
    reply = error_reply(ErrorCode.VERSION_INVALID, NOW)
    assert reply.filename == "INVALID_REQUEST.xml.zip"
    assert list(members(reply.content)) == ["INVALID_REQUEST.xml"]
    assert code(reply.content) == "1020"


@pytest.mark.parametrize(
    ("name", "error", "now"),
    [
        ("error_1000_no_data.xml", ErrorCode.NO_DATA, "2026-10-05T11:36:06.108"),
        ("error_1015_groupzip_processing.xml", ErrorCode.GROUP_ZIP_PROCESSING, "2026-09-14T17:10:55.756"),
    ],
)
def test_error_members_are_the_recorded_ones_to_the_byte(name: str, error: ErrorCode, now: str) -> None:
    assert error_member(error, datetime.fromisoformat(now).replace(tzinfo=UTC)) == recorded(name)


def test_the_throttle_page_is_the_recorded_one() -> None:
    assert recorded("error_429_throttle_body.html") == THROTTLE_PAGE


@given(hours=st.integers(1, 24 * 31), offset=st.integers(0, 24 * 300))
@settings(max_examples=25)
def test_any_span_has_every_interval_once(hours: int, offset: int) -> None:
    start = datetime(2025, 10, 1, tzinfo=UTC) + timedelta(hours=offset)
    found = rows(asked(DAM, f"{start:%Y%m%dT%H:%M}", f"{start + timedelta(hours=hours):%Y%m%dT%H:%M}"), LATER)
    assert Counter(row["LMP_TYPE"] for row in found) == dict.fromkeys(("LMP", "MCC", "MCE", "MCL", "MGHG"), hours)


# Recordings

QUERIES = {
    "singlezip_20240311_20240312_PRC_LMP_DAM_20240312_22_14_34_v1_csv.zip": (
        {**DAM, "node": "BAYSHOR2_1_N001"},
        ("20240312T05:14", "20240313T06:14"),
    ),
    "singlezip_20240312_20240316_PRC_LMP_DAM_20240313_13_40_38_v1_csv.zip": (
        {**DAM, "node": "BAYSHOR2_1_N001"},
        ("20240312T20:40", "20240316T20:40"),
    ),
    "singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip": (
        {**DAM, "node": "STATIN-L_7_N001,CATALYST_7_N002,EMBRCDR_2_N104"},
        ("20240412T21:20", "20240420T21:20"),
    ),
    "singlezip_20240312_20240314_PRC_HASP_LMP_HASP_20240313_12_09_29_v1_csv.zip": (
        {**HASP, "node": "BAYSHOR2_1_N001"},
        ("20240312T19:09", "20240314T19:09"),
    ),
    "singlezip_20160519_20160520_ENE_SLRS_DAM_20160519_17_07_07_v1_xml.zip": (
        {"queryname": "ENE_SLRS", "market_run_id": "DAM", "version": "1", "schedule": "ALL"},
        ("20160520T01:07", "20160521T00:07"),
    ),
}


def with_span(parameters: dict[str, str], start: str, end: str) -> dict[str, str]:
    return {**parameters, "startdatetime": f"{start}-0000", "enddatetime": f"{end}-0000"}


@pytest.mark.parametrize("name", QUERIES)
def test_a_recorded_zip_comes_back_byte_for_byte(name: str) -> None:
    parameters, span = QUERIES[name]
    reply = recorded_reply(with_span(parameters, *span))
    assert reply is not None
    assert reply.content == (SMALL / name).read_bytes()
    assert reply.filename == name.removeprefix("singlezip_")


@pytest.mark.parametrize(
    ("name", "parameters", "span"),
    [
        (
            "20230917_20230919_PRC_RTPD_LMP_RTPD_20230921_11_49_39_v2.csv",
            {**RTPD, "node": "CAS_PP_GNODE7"},
            ("20230918T00:00", "20230920T00:00"),
        ),
        ("prc_intvl_lmp_rtm_v1_20250901_he02_TH_NP15.csv", {**RTM, "node": HUB}, ("20250901T08:00", "20250901T09:00")),
    ],
)
def test_a_recorded_csv_comes_back_byte_for_byte_in_a_zip(name: str, parameters: dict[str, str], span: tuple[str, str]) -> None:
    reply = recorded_reply(with_span(parameters, *span))
    assert reply is not None
    assert [text.encode() for text in members(reply.content).values()] == [(SMALL / name).read_bytes()]


@pytest.mark.parametrize(
    ("change", "span"),
    [
        ({"node": "CATALYST_7_N002"}, ("20240312T05:14", "20240313T06:14")),
        ({"version": "12"}, ("20240312T05:14", "20240313T06:14")),
        ({"resultformat": "5"}, ("20240312T05:14", "20240313T06:14")),
        ({}, ("20240312T04:59", "20240313T06:14")),
        ({}, ("20240312T06:01", "20240313T06:14")),
        ({}, ("20240312T05:14", "20240313T06:00")),
        ({}, ("20240312T05:14", "20240313T07:00")),
        ({}, ("20240312", "20240313T06:14")),
    ],
)
def test_any_other_query_is_not_taken_for_a_recorded_one(change: dict[str, str], span: tuple[str, str]) -> None:
    assert recorded_reply(with_span({**DAM, "node": "BAYSHOR2_1_N001", **change}, *span)) is None


def test_every_recording_is_tested() -> None:
    assert len(RECORDINGS) == len(QUERIES) + 2

"""Every recorded reply of OASIS, against an independent reading of it and against rows picked by hand."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from oasis_recordings import FIELDS, as_reply, independent_prices

from caiso.oasis import Prices, parse_reply

SEED = "prc_lmp_dam_v1_20200101_apnode_seed9rows.csv"

# file, price column, (rows, intervals, nodes, components): counted with csv.DictReader
RECORDINGS = [
    ("20181013_20181107_PRC_LMP_DAM_20200511_16_08_16_v1.csv", "MW", (2404, 601, 1, 4)),
    ("dam_2019/20190301_20190401_PRC_LMP_DAM_20200603_09_21_36_v1.csv", "MW", (8916, 743, 3, 4)),
    ("dam_2019/20190701_20190801_PRC_LMP_DAM_20200602_23_20_18_v1.csv", "MW", (8928, 744, 3, 4)),
    ("dam_2019/20191101_20191201_PRC_LMP_DAM_20200603_00_24_23_v1.csv", "MW", (8652, 721, 3, 4)),
    ("20230601_20230701_PRC_RTPD_LMP_RTPD_20230927_12_19_12_v2.csv", "PRC", (14400, 2880, 1, 5)),
    ("20230917_20230919_PRC_RTPD_LMP_RTPD_20230921_11_49_39_v2.csv", "PRC", (960, 192, 1, 5)),
    ("prc_intvl_lmp_rtm_v1_20250901_he02_TH_NP15.csv", "MW", (48, 12, 1, 4)),
    (SEED, "MW", (9, 8, 1, 2)),
    ("singlezip_20240311_20240312_PRC_LMP_DAM_20240312_22_14_34_v1_csv.zip", "MW", (125, 25, 1, 5)),
    ("singlezip_20240312_20240314_PRC_HASP_LMP_HASP_20240313_12_09_29_v1_csv.zip", "MW", (412, 103, 1, 4)),
    ("singlezip_20240312_20240316_PRC_LMP_DAM_20240313_13_40_38_v1_csv.zip", "MW", (290, 58, 1, 5)),
    ("singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip", "MW", (2655, 177, 3, 5)),
]


Row = dict[str, Any]


def read(name: str) -> Prices:
    return parse_reply(200, as_reply(name))


def rows(name: str) -> dict[tuple[str, datetime], Row]:
    return {(row["node"], row["interval_start"]): row for row in read(name).rows()}


def values(row: Row) -> tuple[float | None, ...]:
    return tuple(row[field] for field in FIELDS.values())


@pytest.mark.parametrize(("name", "column", "counts"), RECORDINGS)
def test_every_row_of_a_recording_is_read(name: str, column: str, counts: tuple[int, ...]) -> None:
    found, prices = rows(name), read(name)
    of_rows, intervals, nodes, components = counts
    present = [field for row in found.values() for field in FIELDS.values() if row[field] is not None]
    assert (len(present), len(set(present)), prices.bad_rows) == (of_rows, components, ())
    assert (len({start for _node, start in found}), len({node for node, _start in found})) == (intervals, nodes)
    assert of_rows == sum(len(price) for price in independent_prices(name, column).values())


@pytest.mark.parametrize(("name", "column"), [(entry[0], entry[1]) for entry in RECORDINGS])
def test_each_price_is_what_an_independent_reader_reads(name: str, column: str) -> None:
    independent = independent_prices(name, column)
    ours = rows(name)

    assert ours.keys() == independent.keys()
    for key, price in ours.items():
        expected = {FIELDS[kind]: float(value) for kind, value in independent[key].items()}
        assert {field: price[field] for field in FIELDS.values() if price[field] is not None} == expected


@pytest.mark.parametrize(("name", "column"), [(entry[0], entry[1]) for entry in RECORDINGS if entry[0] != SEED])
def test_lmp_is_the_sum_of_its_components_in_every_recording(name: str, column: str) -> None:
    for prices in independent_prices(name, column).values():
        components = sum(value for kind, value in prices.items() if kind != "LMP")
        assert abs(prices["LMP"] - components) <= Decimal("0.0001")

    assert (read(name).doubts, read(name).contradictions) == ((), ())


def test_rows_come_out_in_the_order_of_time_although_caiso_does_not_sort_them() -> None:
    name = "singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip"
    theirs = [start for _node, start in independent_prices(name, "MW")]
    ours = [start for _node, start in rows(name)]
    assert theirs != sorted(theirs)
    assert ours == sorted(ours)


# Read off the files with grep. LMP, energy, congestion, loss, greenhouse gas.
HAND_PICKED = [
    ("2023-09-18T02:00", RECORDINGS[5][0], "CAS_PP_GNODE7", (53.80046, 53.65974, 0.0012, 0.13952, 0.0)),
    ("2025-09-01T08:55", RECORDINGS[6][0], "TH_NP15_GEN-APND", (38.0775, 39.83419, 0.0, -1.75669, None)),
    ("2020-01-02T03:00", SEED, "AFPR_1_TOT_GEN-APND", (36.26838, None, 0.0, None, None)),
    ("2020-01-02T07:00", SEED, "AFPR_1_TOT_GEN-APND", (29.57653, None, None, None, None)),
    ("2024-03-13T06:00", RECORDINGS[8][0], "BAYSHOR2_1_N001", (31.80846, 30.79828, 0.0, 1.01018, 0.0)),
    ("2024-03-12T19:15", RECORDINGS[9][0], "BAYSHOR2_1_N001", (-5.00917, 57.1827, -65.19396, 3.00209, None)),
    ("2024-03-15T06:00", RECORDINGS[10][0], "BAYSHOR2_1_N001", (40.28064, 39.25988, 0.0, 1.02076, 0.0)),
    ("2024-04-12T23:00", RECORDINGS[11][0], "STATIN-L_7_N001", (37.44524, 3.04066, 34.40459, 0.0, 0.0)),
    ("2019-11-03T09:00", RECORDINGS[3][0], "SP26SLAK_5_N001", (39.31717, 40.84738, -1.02779, -0.50242, None)),
    ("2019-07-15T20:00", RECORDINGS[2][0], "SP26SLAK_5_N001", (33.20394, 35.54958, -1.87638, -0.46925, None)),
    ("2023-06-15T20:30", RECORDINGS[4][0], "MIL1_3_PASGNODE", (24.34193, 25.97183, 0.0012, -1.63111, 0.0)),
]


@pytest.mark.parametrize(("start", "name", "node", "expected"), HAND_PICKED)
def test_hand_picked_rows(start: str, name: str, node: str, expected: tuple[float | None, ...]) -> None:
    assert values(rows(name)[node, datetime.fromisoformat(start).replace(tzinfo=UTC)]) == expected


def test_the_repeated_hour_of_a_25_hour_day_lies_between_hours_2_and_3() -> None:
    """CAISO labels it hour 25; only its UTC time says where it belongs."""
    prices = rows(RECORDINGS[0][0])
    hours = [prices["0096WD_7_N001", datetime(2018, 11, 4, hour, tzinfo=UTC)]["lmp_usd_per_mwh"] for hour in (7, 8, 9, 10)]
    assert hours == [33.15052, 32.83637, 33.23085, 32.4519]


@pytest.mark.parametrize(
    ("name", "first_utc", "end_utc", "hours"),
    [
        (RECORDINGS[0][0], "2018-11-04T07:00", "2018-11-05T08:00", 25),
        (RECORDINGS[3][0], "2019-11-03T07:00", "2019-11-04T08:00", 25),
        (RECORDINGS[1][0], "2019-03-10T08:00", "2019-03-11T07:00", 23),
        (RECORDINGS[2][0], "2019-07-15T07:00", "2019-07-16T07:00", 24),
    ],
)
def test_a_trade_day_has_as_many_prices_as_real_hours(name: str, first_utc: str, end_utc: str, hours: int) -> None:
    first, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (first_utc, end_utc))

    assert len({start for _node, start in rows(name) if first <= start < end}) == hours


def test_an_absent_component_is_none_not_zero() -> None:
    price = rows(SEED)["AFPR_1_TOT_GEN-APND", datetime(2020, 1, 2, 2, tzinfo=UTC)]
    assert values(price) == (36.80716, None, None, None, None)

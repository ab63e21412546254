import pytest

from historian.api.formats.negotiation import Coding, Format, choose_coding, choose_format, split_suffix


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Format.JSON),
        ("", Format.JSON),
        ("*/*", Format.JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format.JSON),
        ("text/csv", Format.CSV),
        ("TEXT/CSV; charset=utf-8", Format.CSV),
        ("text/*", Format.CSV),
        ("application/vnd.apache.arrow.stream", Format.ARROW),
        ("application/vnd.apache.parquet", Format.PARQUET),
        ("application/json;q=0.5, text/csv;q=0.9", Format.CSV),
        ("application/json; q=0.9, text/csv; q=0.5", Format.JSON),
        ("application/json;q=0, */*", Format.CSV),
        ("application/*;q=0.1, application/vnd.apache.arrow.stream, text/csv;q=0.5", Format.ARROW),
        ("text/csv;q=high, application/json;q=0.1", Format.JSON),
        ("text/csv;q=nan, application/json;q=0.1", Format.JSON),
    ],
)
def test_the_format_is_the_one_that_who_asks_likes_best(accept, form):
    assert choose_format(accept) is form


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "*/*;q=0", "text/csv;q=2"])
def test_who_takes_none_of_the_formats_is_told_which_there_are(accept):
    with pytest.raises(match=r"text/csv.*\.parquet"):
        choose_format(accept)


def test_a_format_that_is_not_offered_is_not_chosen():
    assert choose_format("text/csv;q=1, application/json;q=0.1", (Format.JSON, Format.ARROW)) is Format.JSON


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/v1/prices", ("/v1/prices", None)),
        ("/v1/prices.csv", ("/v1/prices", Format.CSV)),
        ("/lmp/NODE.A_N001", ("/lmp/NODE.A_N001", None)),
        ("/lmp/NODE.A_N001.parquet", ("/lmp/NODE.A_N001", Format.PARQUET)),
        ("/lmp/NODE.CSV", ("/lmp/NODE.CSV", None)),
        (".csv", (".csv", None)),
    ],
)
def test_only_a_suffix_that_names_a_format_is_one(path, parts):
    assert split_suffix(path) == parts


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, Coding.NONE),
        ("identity", Coding.NONE),
        ("gzip", Coding.GZIP),
        ("gzip, deflate, br, zstd", Coding.ZSTD),
        ("gzip;q=1.0, zstd;q=0.5", Coding.GZIP),
        ("*", Coding.ZSTD),
        ("zstd;q=0, *", Coding.GZIP),
        ("gzip;q=0", Coding.NONE),
        ("br", Coding.NONE),
        ("identity;q=1, gzip;q=0.5", Coding.NONE),
    ],
)
def test_an_answer_is_packed_as_who_asks_likes_best(accepted, coding):
    assert choose_coding(accepted, Format.CSV) is coding


def test_parquet_is_not_packed_twice():
    assert choose_coding("zstd, gzip", Format.PARQUET) is Coding.NONE

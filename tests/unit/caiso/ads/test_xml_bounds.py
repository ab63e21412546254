"""What no document of CAISO's has is refused before a parser meets it, which may take as long as it likes over it."""

import tracemalloc
from collections.abc import Callable
from gzip import compress

import pytest
from ads_replies import MEGABYTE, answer, envelope, packed, reply
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from caiso.ads import NotADocument, fields, parse_saved
from caiso.ads.beginning import first_batches
from caiso.ads.documents import parse_batch_header, parse_dispatch_batch, parse_receipt
from caiso.ads.errors import Malformed, Oversized
from caiso.ads.unpack import TooLarge, gunzip
from caiso.ads.xml import ATTRIBUTES_MOST, NAME_BYTES_MOST, PARTS_MOST, NotThisDocument, read_any_xml

Write = Callable[[int], str]


def attributes(count: int) -> str:
    return "".join(f" a{n}='>{n}'" for n in range(count))


def namespaces(count: int) -> str:
    return "".join(f' xmlns:n{n} = "urn:{n}"' for n in range(count))


def with_attributes(count: int) -> str:
    return f"<DispatchBatch batchUID='B1'><x{attributes(count)}/></DispatchBatch>"


def with_namespaces(count: int) -> str:
    return f"<DispatchBatch{namespaces(count - 1)} batchUID='B1'/>"


def with_long_element(length: int) -> str:
    return f"<DispatchBatch batchUID='B1'><{'x' * length}/></DispatchBatch>"


def with_long_attribute(length: int) -> str:
    return f"<DispatchBatch batchUID='B1' {'x' * length}='1'/>"


BOUNDS: list[tuple[Write, int]] = [
    (with_attributes, ATTRIBUTES_MOST),
    (with_namespaces, ATTRIBUTES_MOST),
    (with_long_element, NAME_BYTES_MOST - 1),  # with the slash behind it
    (with_long_attribute, NAME_BYTES_MOST - 1),  # with the space before it
]


@pytest.fixture
def _no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*_arguments: object) -> object:
        pytest.fail("it came to the parser")

    monkeypatch.setattr(etree, "fromstring", parse)


@pytest.mark.parametrize(("write", "most"), BOUNDS)
def test_up_to_the_bound_a_document_is_read(write: Write, most: int) -> None:
    assert parse_batch_header(answer(write(most).encode(), "getBatchHeader"), MEGABYTE).batch_uid == "B1"


@pytest.mark.parametrize(("write", "most"), BOUNDS)
@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.usefixtures("_no_parser")
def test_beyond_the_bound_nothing_of_it_comes_to_a_parser(write: Write, most: int, times: int) -> None:
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(NotThisDocument, match="none of CAISO's"):
            read_any_xml(write(most * times + 1).encode(encoding))


@pytest.mark.parametrize(("write", "most"), BOUNDS)
def test_beyond_the_bound_a_reply_is_malformed_wherever_it_stands(write: Write, most: int) -> None:
    document = write(most * 10).encode()
    for body in (
        envelope("getDispatchBatch", packed(document)),
        envelope("getDispatchBatch", document.decode()),
        document.replace(b"DispatchBatch", b"Envelope"),
    ):
        with pytest.raises(Malformed, match="none of CAISO's"):
            parse_dispatch_batch(reply(body), MEGABYTE)
    with pytest.raises(Malformed, match="none of CAISO's"):
        parse_receipt(reply(envelope("validateDispatchBatch", document.decode()), "validateDispatchBatch"))
    with pytest.raises(NotADocument, match="none of CAISO's"):
        parse_saved(compress(document), MEGABYTE)


@given(
    st.integers(0, 200),
    st.sampled_from(["", ">", "=", " a='1'", "&lt;"]),
    st.sampled_from("'\""),
    st.sampled_from(["", " ", "\n"]),
)
def test_what_stands_in_a_value_hides_no_attribute(count: int, said: str, mark: str, space: str) -> None:
    value = mark + said.replace(mark, "") + mark
    xml = "<x" + "".join(f" a{n}{space}={space}{value}" for n in range(count)) + "/>"
    try:
        assert len(read_any_xml(xml.encode()).keys()) == count <= ATTRIBUTES_MOST
    except NotThisDocument:
        assert count > ATTRIBUTES_MOST


@pytest.mark.parametrize(
    "inside",
    [
        "<note>" + "a='1' " * 1000 + "</note>",
        "<note><![CDATA[" + "H4sI" * 1000 + "]]></note>",
        "<!-- " + "no tag " * 1000 + "-->",
        "<note>" + "x" * 10_000 + "</note>",
    ],
)
def test_a_text_is_no_tag_however_long_it_is(inside: str) -> None:
    read_any_xml(f"<DispatchBatch batchUID='B1'>{inside}</DispatchBatch>".encode())


def test_elements_in_each_other_without_end_are_refused_in_small_and_in_large_documents() -> None:
    for filling in ("", "x" * 11 * MEGABYTE):
        with pytest.raises(NotThisDocument, match="depth"):
            read_any_xml(("<a>" * 3000 + filling + "</a>" * 3000).encode())
    with pytest.raises(NotThisDocument, match="depth"):
        read_any_xml(b"<a>" * 300 + b"</a>" * 300)


def test_a_bomb_is_given_up_at_the_bound_and_holds_no_more_than_that() -> None:
    bomb = compress(bytes(100 * MEGABYTE))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            gunzip(bomb, 5 * MEGABYTE)
        assert tracemalloc.get_traced_memory()[1] < 10 * MEGABYTE
    finally:
        tracemalloc.stop()


@given(st.lists(st.binary(max_size=3000), max_size=4), st.integers(0, 12_000))
def test_all_members_are_unpacked_whole_or_not_at_all(members: list[bytes], most: int) -> None:
    content = b"".join(members)
    gzip = b"".join(map(compress, members)) or compress(b"")
    if len(content) > most:
        with pytest.raises(TooLarge):
            gunzip(gzip, most)
    else:
        assert gunzip(gzip, most) == content


def test_a_small_file_of_very_many_elements_makes_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "_BESIDE_CHARACTERS", 640_000)
    with pytest.raises(NotADocument, match="more that CAISO's schema does not know"):
        parse_saved(compress(b"<DispatchBatch batchUID='B1'>" + b"<a/>" * 10_001 + b"</DispatchBatch>"), MEGABYTE)
    nameless = b"<DispatchBatch batchUID='B1'><instructions>" + b"<instruction/>" * 20_000 + b"</instructions></DispatchBatch>"
    (batch,) = parse_saved(compress(nameless), MEGABYTE).dispatches
    assert len(batch.problems) == fields.PROBLEMS_MOST + 1


@pytest.mark.parametrize(
    "part",
    [b"<a/>", b"<a></a>", b"<a b=''/>", b"<a b = '' c=\t\"\"/>", b"<n:a xmlns:n='u'/>", b"<![CDATA[</ </ </]]><a/><a/>"],
    ids=["elements", "pairs of tags", "attributes", "attributes with spaces", "namespaces", "beside text that looks so"],
)
def test_a_document_of_more_parts_than_anybody_can_hold_is_too_large_before_any_is_made(part: bytes) -> None:
    xml = b"<DispatchBatch batchUID='B1'>" + part * (PARTS_MOST + 1) + b"</DispatchBatch>"
    with pytest.raises(Oversized, match="1000000 elements and attributes"):
        parse_dispatch_batch(answer(xml), 60 * MEGABYTE)


def test_as_many_parts_as_may_be_held_are_read() -> None:
    assert len(read_any_xml(b"<r>" + b"<a/>" * (PARTS_MOST - 1) + b"</r>")) == PARTS_MOST - 1
    with pytest.raises(TooLarge):
        read_any_xml(b"<r>" + b"<a/>" * PARTS_MOST + b"</r>")


def test_text_that_looks_like_many_parts_and_is_none_is_read() -> None:
    assert read_any_xml(b"<r>" + b"=" * (2 * PARTS_MOST) + b"</r>").text


def test_trajectories_of_more_parts_than_may_be_held_come_in_parts() -> None:
    """A client that was away asks for all that came since, and CAISO knows no way to be asked for less."""
    batch = "<trajectoryBatch batchUID='T{}'><x>" + "<a/>" * (PARTS_MOST // 3) + "</x></trajectoryBatch>"
    xml = "<APITrajectoryResponse>" + "".join(batch.format(n) for n in range(4)) + "</APITrajectoryResponse>"

    listed = first_batches(envelope("getTrajectoryData", packed(xml.encode())), 60 * MEGABYTE)
    assert listed is not None
    assert [each.get("batchUID") for each in listed] == ["T0", "T1"]

"""A saved document is read in whatever form somebody kept it; what is none is told as such."""

import base64
import gzip
from contextlib import suppress

import pytest
from ads_replies import envelope, escaped, fault, packed, sample
from hypothesis import given
from hypothesis import strategies as st

from caiso.ads import NotADocument, SavedDocument, parse_saved

MOST = 10**6
DISPATCH, TRAJECTORY = sample("sample-dispatch-batch.xml"), sample("sample-trajectory-data.xml")
FORMS = {
    "plain": lambda xml: xml,
    "with a mark of its encoding": lambda xml: b"\xef\xbb\xbf" + xml,
    "gzip": gzip.compress,
    "base64 of gzip": lambda xml: base64.b64encode(gzip.compress(xml)),
    "base64 of plain": base64.b64encode,
    "base64 of plain in lines": lambda xml: base64.encodebytes(b"\xef\xbb\xbf" + xml),
    "base64 in lines": lambda xml: base64.encodebytes(gzip.compress(xml)),
    "soap, packed": lambda xml: envelope("getDispatchBatch", packed(xml)),
    "soap, escaped": lambda xml: envelope("getDispatchBatch", escaped(xml)),
    "soap, gzip": lambda xml: gzip.compress(envelope("getDispatchBatch", packed(xml))),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_document_gives_the_same_records(form: str) -> None:
    dispatch = parse_saved(FORMS[form](DISPATCH), MOST)
    assert [len(batch.instructions) for batch in dispatch.dispatches] == [2]
    trajectory = parse_saved(FORMS[form](TRAJECTORY), MOST)
    assert [len(batch.dops) for batch in trajectory.trajectories.batches] == [
        len(batch.dops) for batch in parse_saved(TRAJECTORY, MOST).trajectories.batches
    ]
    assert trajectory.trajectories.batches


def test_a_list_of_batches_gives_their_headers() -> None:
    listed = parse_saved(sample("sample-dispatch-batches-since-uid.xml"), MOST)
    assert len(listed.dispatches) == 2
    assert not any(batch.instructions for batch in listed.dispatches)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<a>", "not well-formed"),
        (b"<a/>", "<a> is no document of ADS"),
        (sample("sample-msslf-request.xml"), "<MSSLFRequest> is no document of ADS"),
        (fault("the batch is not known"), "CAISO answered with a SOAP fault"),
        (b"hello", "neither XML nor Base64"),
        (gzip.compress(DISPATCH)[:-9], "ends after"),
        (gzip.compress(b"<a>" + b" " * MOST), "unpacks to more than"),
        (b"<DispatchBatch/>", "without a usable batch_uid"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type declaration"),
    ],
)
def test_what_is_no_document_is_told_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(NotADocument, match=reason):
        parse_saved(content, MOST)


def test_what_is_packed_again_and_again_is_no_document() -> None:
    content = DISPATCH
    for _ in range(9):
        content = gzip.compress(content)
    with pytest.raises(NotADocument, match="again and again"):
        parse_saved(content, MOST)


@given(
    st.binary(max_size=400) | st.builds(lambda cut, at: DISPATCH[:cut] + DISPATCH[at:], st.integers(0, 3000), st.integers(0))
)
def test_any_bytes_give_records_or_one_typed_error(content: bytes) -> None:
    with suppress(NotADocument):
        assert isinstance(parse_saved(content, MOST), SavedDocument)

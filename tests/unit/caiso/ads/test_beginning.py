"""A trajectory document that is larger than the bound is read in parts, each of whole batches, and nothing is left out."""

import random

import pytest
from ads_replies import envelope, escaped, packed

from caiso.ads import AdsClient, Oversized, TrajectoryBatchList
from caiso.ads.records import Question, Reply

BATCHES = [
    f"<trajectoryBatch batchUID='T{n}'><dopList><trajectoryDop dopUID='{n}'>"
    f"<resourceId>R{random.Random(n).random()}</resourceId><dop>{n}</dop></trajectoryDop></dopList></trajectoryBatch>"
    for n in range(40)
]
FORMS = {"packed": packed, "escaped": escaped, "as it is": lambda xml: xml.decode()}


class Caiso:
    """Answers getTrajectoryData in one document, as CAISO does; the connection cuts what is larger than it takes."""

    def __init__(self, form: str, most: int) -> None:
        self.form, self.most = form, most

    def fetch(self, question: Question) -> Reply:
        known = [f"T{n}" for n in range(len(BATCHES))]
        since = BATCHES[known.index(question.batch_uid) + 1 if question.batch_uid in known else 0 :]
        listed = f"<trajectoryBatchList>{''.join(since)}</trajectoryBatchList>"
        xml = f"<APITrajectoryResponse xmlns='urn:x'>{listed}</APITrajectoryResponse>"
        body = envelope("getTrajectoryData", FORMS[self.form](xml.encode()))
        if len(body) > self.most:
            raise Oversized(question, "too large", body[: self.most + 1])
        return Reply(question, 200, body)


def uids(listed: TrajectoryBatchList) -> list[str]:
    return [batch.header.batch_uid for batch in listed.batches]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("most", [900, 10**6])
def test_asking_on_from_the_last_batch_of_each_part_gives_all_of_them_once(form: str, most: int) -> None:
    client, found, parts = AdsClient(Caiso(form, most), max_bytes=2000), [], 0
    while True:
        listed = client.get_trajectory_data(found[-1] if found else "-1")
        found += uids(listed)
        parts += 1
        if listed.is_whole:
            break
    assert found == [f"T{n}" for n in range(40)]
    assert parts > 2 or (form, most) == ("as it is", 10**6), "there the reply is the document, and fits"


def test_a_part_is_a_document_that_can_be_read_by_itself() -> None:
    client = AdsClient(Caiso("packed", 10**6), max_bytes=2000)
    part = client.get_trajectory_data("-1")
    again = AdsClient(Answering(envelope("getTrajectoryData", packed(part.xml)))).get_trajectory_data("-1")
    assert (again.batches, again.is_whole) == (part.batches, True)


class Answering:
    """Gives one answer to everything."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def fetch(self, question: Question) -> Reply:
        return Reply(question, 200, self.body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x" * 5000,
        envelope("getTrajectoryData", packed(b"<APITrajectoryResponse>" + b"<x/>" * 2000)),
        envelope("getTrajectoryData", packed(b"<!DOCTYPE a><APITrajectoryResponse>" + "".join(BATCHES).encode())),
        envelope("getTrajectoryData", packed(b"<Other>" + "".join(BATCHES).encode())),
        envelope("getTrajectoryData", packed(b"<APITrajectoryResponse></x>" + "".join(BATCHES).encode())),
        envelope("getTrajectoryData", "H4sI" + "A" * 5000),
    ],
)
def test_what_holds_no_whole_batch_within_the_bound_stays_what_it_was(body: bytes) -> None:
    class Cut:
        def fetch(self, question: Question) -> Reply:
            raise Oversized(question, "too large", body)

    with pytest.raises(Oversized):
        AdsClient(Cut(), max_bytes=2000).get_trajectory_data("-1")

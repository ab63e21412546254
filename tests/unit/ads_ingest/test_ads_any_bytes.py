"""Whatever bytes answer whichever question, in any order: the loop goes on, publishes only what was said, and recovers."""

import os

from ads_any_bytes import Answer, Way, check_any_bytes
from ads_bench import batch, trajectory
from ads_replies import fault, sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

XML = [
    batch(1).xml(whole=True).encode(),
    batch(2).xml(whole=False).encode(),
    f"<APIDispatchResponse><dispatchBatchList>{batch(1).xml(whole=False)}{batch(3).xml(whole=False)}"
    "</dispatchBatchList></APIDispatchResponse>".encode(),
    f"<APITrajectoryResponse><trajectoryBatchList>{trajectory('T2', 0, (0, 1.0))[1]}"
    "</trajectoryBatchList></APITrajectoryResponse>".encode(),
    sample("sample-dispatch-batch.xml"),
    sample("sample-trajectory-data.xml"),
    sample("sample-dispatch-batches-since-uid.xml"),
]
BYTES = st.one_of(
    st.binary(max_size=100),
    st.sampled_from(XML),
    st.sampled_from([b"true", b"false", fault("unknown batch"), fault("ADS is busy"), fault("x")]),
    st.tuples(st.integers(0, 1200), st.binary(max_size=5)).map(lambda each: each[0].to_bytes(2, "big") + each[1]),
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Some of its bytes are others."""
    content = bytearray(draw(st.sampled_from(XML)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 12))] = draw(st.binary(max_size=6))
    return bytes(content)


ANSWERS = st.lists(st.builds(Answer, st.sampled_from(Way), BYTES | documents()), max_size=12)


@settings(max_examples=int(os.environ.get("ANY_BYTES_EXAMPLES", "25")), deadline=None, suppress_health_check=list(HealthCheck))
@given(ANSWERS)
def test_after_any_answers_to_any_questions_nothing_that_was_not_said_is_published_and_a_good_batch_comes_through_soon(
    answers: list[Answer],
) -> None:
    assert check_any_bytes(answers) == []

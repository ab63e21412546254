"""Every fault of docs/registers.md is forced again on the real processes, and shows what the page says that it shows.

`make faults` writes the record anew: read the difference before it is committed.
"""

import pytest
from faults.forcing import recorded_flags, recorded_qualities
from faults.lanes import NAMES, Outcome, force_all

from launcher.documents.fault_table import load_record

pytestmark = pytest.mark.e2e
RECORDED = {fault.name: fault for fault in load_record()}


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What came of each row that this run asks for."""
    chosen = {item.callspec.params["name"] for item in request.session.items if item.module is request.module}
    return force_all(tmp_path_factory.mktemp("faults"), chosen, RECORDED)


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_shows_what_the_documentation_says(name: str, outcomes: dict[str, Outcome]):
    outcome = outcomes[name]
    assert outcome.seen, outcome.failure
    assert recorded_qualities(outcome.seen) == recorded_qualities(RECORDED[name])
    assert recorded_flags(outcome.seen) == recorded_flags(RECORDED[name])
    assert not outcome.wrong, "\n".join(["a good register showed what CAISO did not say", *outcome.wrong])

"""The client library against the simulator over mutual TLS: each of the eleven operations, and the example of its README."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from simulator_client import EXAMPLE, Clock, Keys, simulating

from caiso.ads import (
    WHOLE_CACHE,
    AdsClient,
    Busy,
    LoadFollowingInstruction,
    LoadFollowingRequest,
    ReasonCode,
    ResultCode,
    UnknownUid,
    connect,
)
from simulators.server import Addresses

README = Path(__file__).parents[3] / "libs" / "caiso" / "ads" / "README.md"
HOURLY = 1


@dataclass
class Setup:
    """A simulator with three hours behind it, and a client of it."""

    at: Addresses
    keys: Keys
    clock: Clock
    ads: AdsClient

    def admin(self, path: str, **order: object) -> Any:
        url = self.at.admin + path
        reply = requests.post(url, json=order, timeout=10) if order else requests.get(url, timeout=10)
        assert reply.ok, reply.text
        return reply.json()

    def hourly(self) -> dict[str, Any]:
        return [batch for batch in self.admin("/sent")["batches"] if batch["batch_type"] == HOURLY][-1]


@pytest.fixture
def setup(keys: Keys) -> Iterator[Setup]:
    clock = Clock(datetime(2026, 7, 1, 12, 41, tzinfo=UTC))
    with (
        simulating(keys, EXAMPLE, clock, history_intervals=35, read_only=("guest",)) as at,
        connect(at.ads, certificate_file=keys.client, ca_file=keys.authority, clock=clock) as ads,
    ):
        yield Setup(at, keys, clock, ads)


def test_a_batch_its_header_and_its_status_say_the_same(setup: Setup) -> None:
    listed = setup.ads.get_dispatch_batches_since_uid(WHOLE_CACHE).headers
    assert [header.batch_uid for header in listed] == [batch["batch_uid"] for batch in setup.admin("/sent")["batches"]]
    (later,) = setup.ads.get_dispatch_batches_since_uid(listed[-2].batch_uid).headers
    batch = setup.ads.get_dispatch_batch(later.batch_uid)
    assert batch.header == later == listed[-1] == setup.ads.get_batch_header(later.batch_uid)
    assert batch.instructions
    assert setup.ads.get_batch_status(later.batch_uid) == later.batch_status


def test_trajectories_are_had_once_there_are_new_ones(setup: Setup) -> None:
    assert setup.ads.is_new_traj_data(WHOLE_CACHE)
    batches = setup.ads.get_trajectory_data(WHOLE_CACHE).batches
    assert sum(len(batch.dops) for batch in batches) == sum(len(each["dops"]) for each in setup.admin("/sent")["trajectories"])
    assert not setup.ads.is_new_traj_data(batches[-1].header.batch_uid)


def test_a_validated_batch_says_by_whom(setup: Setup) -> None:
    uid = setup.ads.get_dispatch_batches_since_uid(WHOLE_CACHE).headers[-1].batch_uid
    setup.ads.validate_dispatch_batch(uid)
    validated = setup.ads.get_dispatch_batch(uid).instructions
    assert {(each.api_validated_by, each.api_validated_at) for each in validated} == {("TEST_John Smith", setup.clock.now)}


def test_a_uid_that_caiso_does_not_know_and_a_busy_caiso_are_different_failures(setup: Setup) -> None:
    with pytest.raises(UnknownUid):
        setup.ads.get_dispatch_batches_since_uid("DISP-OF-LAST-YEAR")
    setup.admin("/faults", service="ads", fault="soap_fault", operation="getDispatchBatchesSinceUID", times=1)
    with pytest.raises(Busy):
        setup.ads.get_dispatch_batches_since_uid(WHOLE_CACHE)


def test_an_instruction_is_accepted_declined_and_accepted_in_part(setup: Setup) -> None:
    batch = setup.hourly()
    first, second, *_ = batch["instructions"]
    uid, dot_mw = batch["batch_uid"], second["dot_mw"]
    assert setup.ads.accept_instruction(uid, first["instruction_uid"]).is_success
    partly = setup.ads.partial_accept_instruction(uid, second["instruction_uid"], dot_mw / 2, ReasonCode.UNIT_DERATE)
    assert partly.is_success
    answered = {each.instruction_uid: each for each in setup.ads.get_dispatch_batch(uid).instructions}
    assert answered[first["instruction_uid"]].accept_dot_mw == first["dot_mw"]
    half = answered[second["instruction_uid"]]
    assert (half.accept_dot_mw, half.reason_code) == (dot_mw / 2, ReasonCode.UNIT_DERATE)
    assert setup.ads.decline_instruction(uid, first["instruction_uid"], ReasonCode.LINE_DOWN).is_success
    declined = {each.instruction_uid: each for each in setup.ads.get_dispatch_batch(uid).instructions}
    assert declined[first["instruction_uid"]].accept_dot_mw == 0.0


def test_every_refusal_of_a_response_is_told_by_code_and_in_words(setup: Setup) -> None:
    batch = setup.hourly()
    uid, instruction = batch["batch_uid"], batch["instructions"][0]["instruction_uid"]
    beyond_mw = batch["instructions"][0]["dot_mw"] * 2 + 1
    five_minute = next(each for each in setup.admin("/sent")["batches"] if each["batch_type"] == 0 and each["instructions"])
    with connect(setup.at.ads, certificate_file=setup.keys.guest, ca_file=setup.keys.authority) as guest:
        refusals = [
            setup.ads.partial_accept_instruction(uid, instruction, beyond_mw, ReasonCode.UNIT_DERATE),
            setup.ads.accept_instruction(five_minute["batch_uid"], five_minute["instructions"][0]["instruction_uid"]),
            setup.ads.accept_instruction("DISP-OF-LAST-YEAR", instruction),
            setup.ads.accept_instruction(uid, "another"),
            guest.accept_instruction(uid, instruction),
        ]
    assert [refusal.code for refusal in refusals] == [
        ResultCode.INVALID_RESPONSE,
        ResultCode.INVALID_RESPONSE_PERIOD,
        ResultCode.BATCH_NOT_FOUND,
        ResultCode.INSTRUCTION_NOT_FOUND,
        ResultCode.UNAUTHORIZED,
    ]
    assert not any(refusal.is_success for refusal in refusals)
    assert "period for responses" in refusals[1].words


def test_load_following_is_submitted_and_each_instruction_judged(setup: Setup) -> None:
    start, end = datetime(2026, 7, 1, 13, tzinfo=UTC), datetime(2026, 7, 1, 14, tzinfo=UTC)
    asked = [
        LoadFollowingInstruction("B & 1", "I1", "SIERRA_2_SOLAR1", start, end, -12.5),
        LoadFollowingInstruction("B & 1", "I2", "SOMEBODY_ELSE", start, end, 1.0),
    ]
    response = setup.ads.submit_mss_lf_request(LoadFollowingRequest("B & 1", tuple(asked)))
    assert response.sc_batch_id == "B & 1"
    assert [(each.sc_instruction_id, each.validated) for each in response.results] == [("I1", True), ("I2", False)]


@pytest.mark.parametrize("version", [6, 7, 8])
def test_each_version_of_the_api_is_spoken_at_its_address(setup: Setup, version: int) -> None:
    url = re.sub(r"v[0-9]+$", f"v{version}", setup.at.ads)
    with connect(url, certificate_file=setup.keys.client, ca_file=setup.keys.authority) as ads:
        header = ads.get_dispatch_batches_since_uid(WHOLE_CACHE).headers[-1]
        code = ads.accept_instruction(header.batch_uid, "another").code
    assert code == ResultCode.INSTRUCTION_NOT_FOUND


def test_the_example_of_the_readme_prints_today_s_instructions(setup: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    names["print_todays_instructions"](setup.at.ads, setup.keys.client, setup.keys.authority, setup.clock.now)
    printed = capsys.readouterr().out.splitlines()
    instructions = [each for batch in setup.admin("/sent")["batches"] for each in batch["instructions"]]
    assert len(printed) == len(instructions)
    for line, each in zip(printed, instructions, strict=True):
        assert line.endswith(f"{each['resource_id']} {each['dot_mw']} MW")


def test_the_readme_names_every_operation_and_every_method() -> None:
    readme = README.read_text(encoding="utf-8")
    public = [name for name, each in vars(AdsClient).items() if callable(each) and not name.startswith("_")]
    told = re.findall(r"^\| (\w+) \| `(\w+)\(", readme, re.MULTILINE)
    assert sorted(method for _operation, method in told) == sorted(public)
    assert len(told) == 11

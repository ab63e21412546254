"""Accept, decline and partial on the command line, as far as they need no broker."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from ads_ingest.__main__ import app
from ads_ingest.responding.command_line import _configured, exit_status, reply_line
from dotbus.testing import samples

EXAMPLE = Path(__file__).parents[4] / "config" / "dotbus.example.toml"
REPLY = next(message for message in samples.every_message() if type(message).__name__ == "InstructionResponseReply")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADS_INGEST_CONFIG", str(EXAMPLE))


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("taken", 0), ("refused", 1), ("dry-run", 1), ("something of a later version", 1), ("unknown", 3), (None, 3)],
)
def test_only_what_caiso_has_taken_ends_well(outcome: str | None, status: int) -> None:
    assert exit_status(msgspec.structs.replace(REPLY, outcome=outcome)) == status


def test_what_became_of_an_answer_is_said_in_words_with_caisos_code() -> None:
    taken = msgspec.structs.replace(REPLY, outcome="taken", detail="CAISO has taken it", result_code=0)
    assert reply_line(taken) == "taken: CAISO has taken it (CAISO's result code 0)"
    assert reply_line(msgspec.structs.replace(taken, result_code=None)) == "taken: CAISO has taken it"


def test_for_a_resource_that_no_plant_claims_nothing_is_sent() -> None:
    done = CliRunner().invoke(app, ["accept", "STRANGER", "I"])
    assert done.exit_code == 1
    assert "nothing was sent: no plant of this installation claims STRANGER" in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["decline", "SIERRA_2_SOLAR1", "I"],
        ["decline", "SIERRA_2_SOLAR1", "I", "--reason", "9"],
        ["partial", "SIERRA_2_SOLAR1", "I", "--reason", "11"],
        ["accept", "SIERRA_2_SOLAR1"],
        *(["partial", "SIERRA_2_SOLAR1", "I", "--reason", "11", "--mw", mw] for mw in ("nan", "inf", "-inf", "1e999")),
        ["accept", "SIERRA_2_SOLAR1", "I", "--within-s", "nan"],
    ],
)
def test_what_is_missing_or_impossible_on_the_command_line_is_a_mistake_of_its_own(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_mistake_in_the_configuration_is_told_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADS_INGEST_MQTT_PORT", "none")
    done = CliRunner().invoke(app, ["accept", "SIERRA_2_SOLAR1", "I"])
    assert done.exit_code == 2
    assert "ADS_INGEST_MQTT_PORT" in done.output


def test_a_user_on_the_command_line_never_comes_with_the_services_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ADS_INGEST_MQTT_USERNAME", "ads_ingest")
    monkeypatch.setenv("ADS_INGEST_MQTT_PASSWORD", "of the service")
    assert _configured(None, None)[0].read_password() == "of the service"
    assert _configured("plant-sierra", None)[0].read_password() is None
    (tmp_path / "plant").write_text("of the plant")
    settings, _installation = _configured("plant-sierra", tmp_path / "plant")
    assert (settings.username, settings.read_password()) == ("plant-sierra", "of the plant")
    settings, _installation = _configured(None, tmp_path / "plant")
    assert (settings.username, settings.read_password()) == ("ads_ingest", "of the plant")

"""`ads-ingest decode` prints what a saved document becomes on the bus, and says of each file that is none why."""

import gzip
import json
from pathlib import Path

import pytest
from ads_bench import T0, batch
from ads_replies import SAMPLES, envelope, fault, packed
from typer.testing import CliRunner

from ads_ingest.__main__ import app
from ads_ingest.files import decode as decode_module
from dotbus.contracts.codec import decode
from dotbus.contracts.messages import Dispatch, TrajectoryBatch
from dotbus.contracts.topics import Topics

CONFIG = 'environment = "stage"\ntopic_root = "site/v1"\n[[plant]]\nname = "north"\n[[plant.resource]]\nid = "R1"\n'


def test_each_line_is_a_message_and_its_topic() -> None:
    ran = CliRunner().invoke(
        app, ["decode", str(SAMPLES / "sample-dispatch-batch.xml"), str(SAMPLES / "sample-trajectory-data.xml")]
    )
    assert ran.exit_code == 0
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    messages = [decode(json.dumps(line["payload"]).encode()) for line in lines]
    assert [type(message) for message in messages[:2]] == [Dispatch, Dispatch]
    assert isinstance(messages[-1], TrajectoryBatch)
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    addresses = [Topics().read(line["topic"]) for line in lines]
    assert {address.name for address in addresses if address} == {"TEST_RESOURCE_1", "TEST_RESOURCE_2"}


def test_with_a_configuration_plants_topics_and_environment_are_its_own(tmp_path: Path) -> None:
    config, reply = tmp_path / "dotbus.toml", tmp_path / "reply"
    config.write_text(CONFIG)
    reply.write_bytes(envelope("getDispatchBatch", packed(batch(1, at=T0, R1=5.0).xml(whole=True).encode())))
    (line,) = CliRunner().invoke(app, ["decode", "--config", str(config), str(reply)]).stdout.splitlines()
    said = json.loads(line)
    assert said["topic"] == "site/v1/plant/north/R1/dispatch"
    assert (said["payload"]["environment"], said["payload"]["instructions"][0]["dot_mw"]) == ("stage", 5.0)


def test_a_file_that_is_none_is_told_and_the_others_are_printed(tmp_path: Path) -> None:
    (tmp_path / "fault").write_bytes(fault("unknown batch"))
    files = [str(tmp_path / "none"), str(tmp_path / "fault"), str(SAMPLES / "sample-dispatch-batch.xml")]
    ran = CliRunner().invoke(app, ["decode", *files])
    assert ran.exit_code == 1
    assert len(ran.stdout.splitlines()) == 2
    assert ran.stderr.splitlines() == [
        f"{files[0]}: cannot be read: No such file or directory",
        f"{files[1]}: CAISO answered with a SOAP fault: S:Server: unknown batch",
    ]


def test_a_file_that_is_too_large_or_unpacks_to_too_much_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "MAX_BYTES", 1024 * 1024)
    (tmp_path / "bomb").write_bytes(gzip.compress(b"<DispatchBatch>" + b" " * 10**7 + b"</DispatchBatch>"))
    (tmp_path / "large").write_bytes(b"<a>" + b" " * 10**7 + b"</a>")
    ran = CliRunner().invoke(app, ["decode", str(tmp_path / "bomb"), str(tmp_path / "large")])
    assert ran.exit_code == 1
    assert ran.stderr.splitlines() == [
        f"{tmp_path / 'bomb'}: the document unpacks to more than 1048576 bytes",
        f"{tmp_path / 'large'}: is larger than 1 MB, which no document of ADS is",
    ]
    piped = CliRunner().invoke(app, ["decode", "-"], input=b" " * 10**7)
    assert piped.stderr.splitlines() == ["-: is larger than 1 MB, which no document of ADS is"]


def test_what_no_message_is_made_of_is_told_beside_them(tmp_path: Path) -> None:
    file = tmp_path / "batch.xml"
    file.write_text(
        "<DispatchBatch batchUID='B1'><instructions><instruction instructionUID='1'/></instructions></DispatchBatch>"
    )
    ran = CliRunner().invoke(app, ["decode", str(file)])
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert "without a usable resource_id" in ran.stderr
    assert "batch B1 has no instruction" in ran.stderr


def test_a_document_can_be_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADS_INGEST_CONFIG", raising=False)
    ran = CliRunner().invoke(app, ["decode", "-"], input=(SAMPLES / "sample-dispatch-batch.xml").read_bytes())
    assert len(ran.stdout.splitlines()) == 2

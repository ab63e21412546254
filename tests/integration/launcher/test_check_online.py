"""`dotbus check --online` asks CAISO harmless questions, and says in a line why there is no answer."""

import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from simulator_client import EXAMPLE, Keys, simulating
from typer.testing import CliRunner

from launcher.commands import app
from launcher.setup.check import SERVICES
from simulators.server import Addresses

Set = Callable[..., None]


@pytest.fixture
def caiso(keys: Keys) -> Iterator[Addresses]:
    with simulating(keys, EXAMPLE, lambda: datetime.now(UTC), history_intervals=3, oasis_spacing_s=0.0) as at:
        yield at


@pytest.fixture
def variables(caiso: Addresses, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Set:
    """Sets those of ads_ingest; what a test does not say is right."""
    for name in list(os.environ):
        if name.startswith(("DOTBUS_", *SERVICES)):
            monkeypatch.delenv(name)

    def set_all(**given: object) -> None:
        right = {"URL": caiso.ads, "CERTIFICATE_FILE": keys.client, "CA_FILE": keys.authority, "TIMEOUT_S": 2}
        for name, value in (right | {"STATE_DIR": tmp_path} | given).items():
            monkeypatch.setenv(f"ADS_INGEST_{name}", str(value))

    return set_all


def check(config: Path = EXAMPLE) -> tuple[int, list[str]]:
    """Exit status, and the lines about CAISO."""
    ran = CliRunner().invoke(app, ["check", "--online", "--ask", "caiso", "--config", str(config)])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    first, *lines = [*ran.stdout.splitlines(), *ran.stderr.splitlines()]
    assert "no mistakes" in first
    return ran.exit_code, lines


def admin(caiso: Addresses, path: str) -> Any:
    return requests.get(caiso.admin + path, timeout=10).json()


def test_an_account_that_is_answered_is_told_with_the_end_of_its_certificate(
    variables: Set, caiso: Addresses, keys: Keys
) -> None:
    variables()
    before = admin(caiso, "/sent")
    status, (line,) = check()
    assert status == 0
    assert line.startswith(f"ADS at {caiso.ads}: answers in ")
    assert f"{keys.client} ends on " in line
    assert admin(caiso, "/sent") == before, "nothing is validated or answered"


def test_each_account_has_its_line_and_one_that_is_not_answered_ends_with_1(
    variables: Set, caiso: Addresses, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables()
    monkeypatch.delenv("ADS_INGEST_CERTIFICATE_FILE")
    accounts = "".join(
        f'[[account]]\nname = "{name}"\ncertificate_file = "{file}"\n'
        for name, file in (("sierra", keys.sierra), ("delta", keys.stranger))
    )
    (tmp_path / "accounts.toml").write_text(accounts)
    monkeypatch.setenv("ADS_INGEST_ACCOUNTS_FILE", str(tmp_path / "accounts.toml"))
    status, (sierra, delta) = check()
    assert status == 1
    assert sierra.startswith(f"ADS account sierra at {caiso.ads}: answers in ")
    assert delta.startswith(f"ADS account delta at {caiso.ads}: ")
    assert f"see that {keys.stranger} was issued for " in delta


def test_a_certificate_that_has_ended_is_told_with_its_day(
    variables: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ended = authority.issue_cert("old", not_before=datetime(2025, 1, 1, tzinfo=UTC), not_after=datetime(2026, 1, 1, tzinfo=UTC))
    ended.private_key_and_cert_chain_pem.write_to_path(tmp_path / "old.pem")
    server = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    server.write_to_path(tmp_path / "server.pem")
    keys = Keys(tmp_path / "ca.pem", *[tmp_path / f"{name}.pem" for name in ("server", "old", "old", "old", "old")])
    with simulating(keys, EXAMPLE, lambda: datetime.now(UTC)) as at:
        variables(URL=at.ads, CA_FILE=keys.authority, CERTIFICATE_FILE=keys.client)
        status, (line,) = check()
    assert status == 1
    assert line.endswith(f"; {keys.client} ended on 2026-01-01")


def test_a_server_of_an_authority_that_is_not_trusted_is_told_with_the_bundle(variables: Set, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "elsewhere.pem")
    variables(CA_FILE=tmp_path / "elsewhere.pem")
    status, (line,) = check()
    assert status == 1
    assert "no authority that is trusted here stands for the server's certificate" in line
    assert f"put the root and the issuing CA of the server into {tmp_path / 'elsewhere.pem'}" in line


def test_a_server_of_another_name_is_told(variables: Set, caiso: Addresses) -> None:
    variables(URL=caiso.ads.replace("127.0.0.1", "localhost"))
    status, (line,) = check()
    assert status == 1
    assert "the server's certificate is for another host" in line
    assert line.endswith("correct the address")


def test_nobody_listening_silence_and_a_name_that_is_none_are_told_with_what_to_do(variables: Set) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        variables(URL=f"https://127.0.0.1:{port}/ADS/APIWebService/v8", TIMEOUT_S=0.5)
        timed_out = check()
    refused = check()
    variables(URL="https://no-such-host.invalid/ADS/APIWebService/v8")
    unknown = check()
    assert [status for status, _lines in (timed_out, refused, unknown)] == [1, 1, 1]
    assert "timed out: no reply within 0.5 s; see that no firewall stands between" in timed_out[1][0]
    assert "Connection refused; see that the address and its port are right" in refused[1][0]
    assert "see that the address and its port are right" in unknown[1][0]


def test_a_caiso_that_refuses_the_question_or_is_busy_is_told_as_such(variables: Set, caiso: Addresses) -> None:
    variables()
    for fault, said in (("soap_fault", "busy"), ("http_503", "HTTP refused: HTTP status 503")):
        order = {"service": "ads", "fault": fault, "operation": "isNewTrajData", "times": 1}
        assert requests.post(f"{caiso.admin}/faults", json=order, timeout=10).ok, fault
        status, (line,) = check()
        assert (status, said in line) == (1, True), line


def test_oasis_is_asked_too_where_its_variables_are_set(
    variables: Set, caiso: Addresses, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables()
    monkeypatch.setenv("LMP_INGEST_URL", caiso.oasis)
    monkeypatch.setenv("LMP_INGEST_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("LMP_INGEST_SPACING_S", "0")
    status, lines = check()
    assert (status, len(lines)) == (0, 3), lines
    assert lines[1].startswith(f"OASIS at {caiso.oasis}: answers in ")
    assert lines[2].startswith("OASIS's lists of nodes: the 3 that are named are among ")
    monkeypatch.setenv("LMP_INGEST_URL", "http://127.0.0.1:1/oasisapi")
    status, lines = check()
    assert status == 1
    assert "OASIS at http://127.0.0.1:1/oasisapi: " in lines[1]


def test_a_node_that_no_list_of_caiso_s_knows_is_told_with_the_name_that_may_be_meant(
    variables: Set, caiso: Addresses, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables()
    for name, value in {"URL": caiso.oasis, "STATE_DIR": tmp_path, "SPACING_S": 0}.items():
        monkeypatch.setenv(f"LMP_INGEST_{name}", str(value))
    config = tmp_path / "dotbus.toml"
    config.write_text(EXAMPLE.read_text().replace('nodes = ["TH_NP15_GEN-APND"]', 'nodes = ["TH_NP51_GEN-APND"]'))
    status, lines = check(config)
    assert status == 1
    line = config.read_text().splitlines().index('nodes = ["TH_NP51_GEN-APND"]') + 1
    assert lines[-2] == "OASIS's lists of nodes: 1 of the 3 that are named is on none of them"
    assert lines[-1].startswith(
        f"  {config}: prices.nodes[0]: TH_NP51_GEN-APND is on none of CAISO's lists of nodes: is TH_NP15_"
    )
    assert lines[-1].endswith(f" meant? (line {line})")


@pytest.mark.usefixtures("variables")
def test_with_nobody_to_ask_it_says_so_and_ends_with_1() -> None:
    status, (line,) = check()
    assert (status, "nobody to ask" in line) == (1, True)

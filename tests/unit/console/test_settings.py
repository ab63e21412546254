"""Where a console may listen, and with what."""

from pathlib import Path

import pytest
import trustme
from console_users import ANNA, kept

from console.settings import PREFIX, ConsoleSettings
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.runtime.settings.settings import load_settings


@pytest.fixture
def certificate(tmp_path: Path) -> str:
    path = tmp_path / "server.pem"
    trustme.CA().issue_cert("console.example").private_key_and_cert_chain_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def users(tmp_path: Path) -> str:
    return str(kept(tmp_path / "users.json", ANNA))


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> ConsoleSettings:
    for name, value in variables.items():
        monkeypatch.setenv(PREFIX + name, value)
    return load_settings(ConsoleSettings, PREFIX)


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    with pytest.raises(ConfigurationRefused) as refused:
        loaded(monkeypatch, **variables)
    return str(refused.value)


def test_on_this_machine_it_needs_nothing(monkeypatch: pytest.MonkeyPatch):
    assert loaded(monkeypatch).host == "127.0.0.1"


def test_beyond_it_both_users_and_tls_are_asked_for_at_once(monkeypatch: pytest.MonkeyPatch):
    said = refusal(monkeypatch, HOST="0.0.0.0")
    assert "CONSOLE_CERTIFICATE_FILE" in said
    assert "CONSOLE_USERS_FILE" in said
    assert "dotbus users add" in said


def test_either_alone_is_not_enough(monkeypatch: pytest.MonkeyPatch, certificate: str, users: str):
    with monkeypatch.context() as only:
        assert "CONSOLE_USERS_FILE" in refusal(only, HOST="10.0.0.1", CERTIFICATE_FILE=certificate)
    with monkeypatch.context() as only:
        assert "CONSOLE_CERTIFICATE_FILE" in refusal(only, HOST="10.0.0.1", USERS_FILE=users)


def test_both_are_and_so_is_to_say_in_so_many_words_that_they_are_not_wanted(
    monkeypatch: pytest.MonkeyPatch, certificate: str, users: str
):
    with monkeypatch.context() as only:
        assert loaded(only, HOST="10.0.0.1", CERTIFICATE_FILE=certificate, USERS_FILE=users).users_file == Path(users)
    assert loaded(monkeypatch, HOST="10.0.0.1", WITHOUT_TLS="true", WITHOUT_USERS="true").host == "10.0.0.1"


def test_users_and_none_contradict_each_other(monkeypatch: pytest.MonkeyPatch, users: str):
    assert "contradict" in refusal(monkeypatch, USERS_FILE=users, WITHOUT_USERS="true")


def test_a_file_without_a_user_or_that_others_may_read_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert "nobody could sign in" in refusal(monkeypatch, USERS_FILE=str(kept(tmp_path / "none.json")))
    assert "chmod 600" in refusal(monkeypatch, USERS_FILE=str(kept(tmp_path / "open.json", ANNA, mode=0o644)))

"""What went wrong is told once, with what somebody can do about it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ads_ingest.quarantine import SETTING_OF, QuarantineLog
from ads_ingest.settings import PREFIX, AdsSettings
from caiso.ads import Question, TimedOut, TlsProblem, TlsRefused
from dotbus.runtime.quarantine import Quarantine

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ASKED = Question("getDispatchBatchesSinceUID", "-1")


@pytest.fixture
def quarantine_log(tmp_path: Path) -> QuarantineLog:
    return QuarantineLog(Quarantine(tmp_path, 10**6))


def test_a_refused_certificate_is_told_with_its_setting(
    quarantine_log: QuarantineLog, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = TlsRefused(ASKED, "put a renewed certificate into /etc/p.pem", TlsProblem.CLIENT_EXPIRED, Path("/etc/p.pem"))
    quarantine_log.of_failure(refused, NOW)
    (line,) = capsys.readouterr().out.splitlines()
    assert "put a renewed certificate into /etc/p.pem" in line
    assert "ADS_INGEST_CERTIFICATE_FILE" in line
    quarantine_log.of_failure(refused, NOW)
    assert capsys.readouterr().out == "", "once"


def test_every_setting_that_is_named_exists() -> None:
    assert {name.removeprefix(PREFIX).lower() for name in SETTING_OF.values()} <= set(AdsSettings.model_fields)


def test_what_passes_by_itself_is_told_to_do_so(quarantine_log: QuarantineLog, capsys: pytest.CaptureFixture[str]) -> None:
    quarantine_log.of_failure(TimedOut(ASKED, "no reply within 30 s"), NOW)
    assert "asked for again by itself" in capsys.readouterr().out

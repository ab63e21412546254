"""The participant's client certificate while the service runs: its end is told in time, and so is its renewal."""

from datetime import datetime, timedelta
from pathlib import Path

from caiso.certificate import CertificateUnusable, days_left, read_expiry
from caiso.tls import file_versions
from dotbus.runtime.logs import get_logger

SOON_DAYS = 30.0
"""From here on somebody has to ask CAISO for a new one."""
REMIND_EVERY = timedelta(days=1)


class ClientCertificate:
    """Knows when the certificate ends, reads it again when its files were replaced, and reminds of its end daily.

    Args:
        certificate_file: the certificate.
        key_file: its key, None when it is in the same file.

    Raises:
        CertificateUnusable: CAISO cannot be shown it.
    """

    def __init__(self, certificate_file: Path, key_file: Path | None) -> None:
        self._files = (certificate_file, key_file)
        self._versions = file_versions(*self._files)
        self._expires_at = read_expiry(*self._files)
        self._reminded_at: datetime | None = None
        self._complaint: str | None = None
        self._log = get_logger("certificate")

    def days_left(self, now: datetime) -> float:
        """Days until it ends; below zero when it has."""
        return days_left(self._expires_at, now)

    def look(self, now: datetime, not_renewed: str | None) -> None:
        """Look whether it was replaced, and warn if it is time to.

        Args:
            now: the time.
            not_renewed: why what replaced it, or the CA bundle, is not used yet; None when it is.
        """
        self._complain(self._read_again() or not_renewed)
        left = self.days_left(now)
        if left > SOON_DAYS or (self._reminded_at and now - self._reminded_at < REMIND_EVERY):
            return
        self._reminded_at = now
        ends = {"file": str(self._files[0]), "expires_at": self._expires_at.isoformat(), "days_left": round(left, 1)}
        if left > 0:
            self._log.warning("the client certificate ends soon", **ends, next="put a new one in its place")
        else:
            self._log.error("the client certificate has ended; CAISO will refuse it", **ends, next="put a new one in its place")

    def _read_again(self) -> str | None:
        """Returns why what is there cannot be used. The key may be replaced later than the certificate."""
        versions = file_versions(*self._files)
        if versions == self._versions:
            return None
        try:
            self._expires_at = read_expiry(*self._files)
        except CertificateUnusable as error:
            return str(error)
        self._versions, self._reminded_at = versions, None
        self._log.info("the client certificate was renewed", file=str(self._files[0]), expires_at=self._expires_at.isoformat())
        return None

    def _complain(self, complaint: str | None) -> None:
        if complaint and complaint != self._complaint:
            self._log.error("what replaced the certificate or the CA bundle cannot be used; the old one is", cause=complaint)
        self._complaint = complaint

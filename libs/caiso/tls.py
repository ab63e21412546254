"""TLS: whom we trust and who we are, from files that may be replaced; and why a handshake failed, with what to do.

OpenSSL says the second in words of its own, and names neither the file nor the remedy.
"""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

Versions = tuple[tuple[int, int, int] | None, ...]
"""Of files: modification time, inode and size; None for one that is not there."""


class TlsProblem(StrEnum):
    """Whose certificate is not accepted, and why."""

    SERVER_NOT_TRUSTED = "no authority that is trusted here stands for the server's certificate"
    SERVER_EXPIRED = "the server's certificate is not valid at this time"
    SERVER_OF_ANOTHER_NAME = "the server's certificate is for another host"
    SERVER_UNUSABLE = "the server's certificate is not accepted"
    CLIENT_EXPIRED = "the server says that our certificate has expired"
    CLIENT_NOT_ACCEPTED = "the server does not accept our certificate"
    NO_COMMON_TLS = "the server speaks no TLS that is safe"


_WHAT_TO_DO: Mapping[TlsProblem, str] = MappingProxyType(
    {
        TlsProblem.SERVER_NOT_TRUSTED: "put the root and the issuing CA of the server into {authorities}",
        TlsProblem.SERVER_EXPIRED: "see that this machine's clock is right; if it is, the server's operator must act",
        TlsProblem.SERVER_OF_ANOTHER_NAME: "correct the address",
        TlsProblem.SERVER_UNUSABLE: "see that {authorities} belongs to this server",
        TlsProblem.CLIENT_EXPIRED: "put a renewed certificate into {certificate}",
        TlsProblem.CLIENT_NOT_ACCEPTED: "see that {certificate} was issued for this server and not withdrawn",
        TlsProblem.NO_COMMON_TLS: "see that the address and its port are those of TLS 1.2 or later",
    }
)
_BY_VERIFICATION: Mapping[int, TlsProblem] = MappingProxyType(
    {
        9: TlsProblem.SERVER_EXPIRED,  # not yet valid
        10: TlsProblem.SERVER_EXPIRED,
        18: TlsProblem.SERVER_NOT_TRUSTED,  # self-signed
        19: TlsProblem.SERVER_NOT_TRUSTED,  # self-signed in the chain
        20: TlsProblem.SERVER_NOT_TRUSTED,  # no local issuer
        21: TlsProblem.SERVER_NOT_TRUSTED,  # the first cannot be verified
        62: TlsProblem.SERVER_OF_ANOTHER_NAME,
        64: TlsProblem.SERVER_OF_ANOTHER_NAME,  # of another IP address
    }
)
"""OpenSSL's X509_V_ERR_ codes."""
_BY_ALERT: Mapping[str, TlsProblem] = MappingProxyType(
    {
        "ALERT_CERTIFICATE_EXPIRED": TlsProblem.CLIENT_EXPIRED,
        "ALERT_UNKNOWN_CA": TlsProblem.CLIENT_NOT_ACCEPTED,
        "ALERT_BAD_CERTIFICATE": TlsProblem.CLIENT_NOT_ACCEPTED,
        "ALERT_CERTIFICATE_REVOKED": TlsProblem.CLIENT_NOT_ACCEPTED,
        "ALERT_CERTIFICATE_UNKNOWN": TlsProblem.CLIENT_NOT_ACCEPTED,
        "ALERT_CERTIFICATE_REQUIRED": TlsProblem.CLIENT_NOT_ACCEPTED,
        "ALERT_UNSUPPORTED_CERTIFICATE": TlsProblem.CLIENT_NOT_ACCEPTED,
        "ALERT_ACCESS_DENIED": TlsProblem.CLIENT_NOT_ACCEPTED,
        "ALERT_DECRYPT_ERROR": TlsProblem.CLIENT_NOT_ACCEPTED,
        "ALERT_HANDSHAKE_FAILURE": TlsProblem.CLIENT_NOT_ACCEPTED,
        "ALERT_PROTOCOL_VERSION": TlsProblem.NO_COMMON_TLS,
        "UNSUPPORTED_PROTOCOL": TlsProblem.NO_COMMON_TLS,
        "WRONG_VERSION_NUMBER": TlsProblem.NO_COMMON_TLS,
    }
)
"""The ends of OpenSSL's names of what the server said: the beginnings differ between its versions."""


_HANG_UPS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
"""How the end of a connection reads. "Remote end closed connection without response" is a ConnectionResetError."""


@dataclass(frozen=True)
class TlsRefusal:
    """Why a handshake failed.

    Attributes:
        problem: whose certificate, and what is wrong with it.
        file: the CA bundle or the client's certificate that it is about; None when it is about no file of ours.
        text: all of it in one line, with what to do.
    """

    problem: TlsProblem
    file: Path | None
    text: str


class TlsFileUnusable(Exception):
    """A certificate, its key or a CA bundle that no connection can be made with.

    Attributes:
        file: which.
        reason: what is wrong with it, and what to do.
    """

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


@dataclass(frozen=True)
class TlsFiles:
    """The files that say whom we trust and who we are, all PEM.

    Attributes:
        authorities: the only CAs to trust.
        certificate: of the client, None when it has none.
        key: of the certificate, None when it is in the same file.
    """

    authorities: Path
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """What a connection needs to know: TLS 1.2 or later.

        Raises:
            TlsFileUnusable: a file is not there, or not what it should be.
        """
        _read(self.authorities)
        try:
            context = ssl.create_default_context(cafile=str(self.authorities))
        except ssl.SSLError as error:
            raise TlsFileUnusable(self.authorities, "holds no CA certificate in PEM form; put the root CA into it") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate:
            self._show(context, self.certificate, self.key or self.certificate)
        return context

    def _show(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        asked: list[bool] = []

        def no_password() -> str:
            """Without one of ours OpenSSL would ask for it on the terminal, and wait."""
            asked.append(True)
            return ""

        if b"BEGIN CERTIFICATE" not in _read(certificate):
            raise TlsFileUnusable(certificate, "holds no certificate in PEM form; a .pfx or .p12 must be converted first")
        if b"PRIVATE KEY" not in _read(key):
            raise TlsFileUnusable(key, "holds no private key in PEM form; name the file that does")
        try:
            context.load_cert_chain(certificate, key, password=no_password)
        except ssl.SSLError as error:
            if asked:
                reason = "its key is encrypted, and nobody is there to be asked for its password; store it without one"
                raise TlsFileUnusable(key, reason) from error
            if "MISMATCH" in (error.reason or ""):
                raise TlsFileUnusable(key, f"the key is not that of the certificate in {certificate}") from error
            where = certificate if certificate == key else f"{certificate} and {key}"
            raise TlsFileUnusable(certificate, f"{where} cannot be used ({error.reason}); get it anew") from error

    def versions(self) -> Versions:
        """What is different once one of the files has been replaced or written to."""
        return file_versions(self.authorities, self.certificate, self.key)

    def refusal(self, error: BaseException) -> TlsRefusal | None:
        """Why a handshake failed, None when `error` is about something else."""
        judged = (_judged(each) for each in _causes(error) if isinstance(each, ssl.SSLError))
        found = next((each for each in judged if each), None)
        if found is None:
            return None
        problem, said = found
        remedy = _WHAT_TO_DO[problem].format(authorities=self.authorities, certificate=self.certificate or "a file")
        return TlsRefusal(problem, self._file_of(problem), f"{problem} ({said}): {remedy}")

    def _file_of(self, problem: TlsProblem) -> Path | None:
        match problem:
            case TlsProblem.SERVER_NOT_TRUSTED | TlsProblem.SERVER_UNUSABLE:
                return self.authorities
            case TlsProblem.CLIENT_EXPIRED | TlsProblem.CLIENT_NOT_ACCEPTED:
                return self.certificate
            case _:
                return None


def is_hang_up(error: BaseException) -> bool:
    """Whether the server closed the connection and said no reason, not even that of TLS."""
    return any(isinstance(each, _HANG_UPS) for each in _causes(error))


def _read(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TlsFileUnusable(path, f"cannot be read: {error.strerror}") from error


def file_versions(*paths: Path | None) -> Versions:
    """What is different once one of the files has been replaced or written to."""
    return tuple(_version(path) for path in paths if path)


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def _causes(error: BaseException) -> Iterable[BaseException]:
    """An exception and what is behind it, the innermost last. urllib3 keeps some as an argument and nowhere else."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        yield from (said for said in cause.args if isinstance(said, BaseException))
        cause = cause.__cause__ or cause.__context__


def _judged(error: ssl.SSLError) -> tuple[TlsProblem, str] | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message.rstrip(".")
        return _BY_VERIFICATION.get(error.verify_code, TlsProblem.SERVER_UNUSABLE), said
    reason = error.reason or ""
    for end, problem in _BY_ALERT.items():
        if reason.endswith(end):
            return problem, reason.lower().replace("_", " ")
    return None

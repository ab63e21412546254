"""Source: the only I/O with CAISO, a question to the bytes of its reply. The only importer of requests.

Anonymous, over HTTPS. Neither the machine's proxy nor its .netrc settings are looked at, and no redirection is followed. What
is read is bounded in bytes and, as a whole, in time.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from urllib.parse import urlencode

import requests
import urllib3

from lmp_ingest.faults import CutShort, Oversized, TimedOut, Unreachable
from lmp_ingest.records import Question, Reply
from lmp_ingest.reports import REPORTS
from lmp_ingest.settings import OasisSettings

_PIECE_BYTES = 65536
_CSV = "6"
_PROMPT_S = 1.0
"""A Date that was under way for longer says too little about the time now."""
_DATE_RESOLUTION = timedelta(seconds=0.5)
"""Date names whole seconds: on average the time is half of one later."""


class OasisSource:
    """Asks the OASIS web service.

    Args:
        settings: where it is.
        clock: the wall clock, to be compared with CAISO's.
    """

    def __init__(self, settings: OasisSettings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(settings.ca_file) if settings.ca_file else True
        self._session.headers.update({"User-Agent": f"dotbus/{version('dotbus')}", "Accept-Encoding": "identity"})

    def fetch(self, question: Question) -> Reply:
        """The reply to a question, whatever its status says.

        Raises:
            Unreachable, TimedOut, CutShort, Oversized: why there is none.
        """
        began_at, began_s = self._clock(), time.monotonic()
        try:
            with self._get(question) as response:
                took_s = time.monotonic() - began_s
                offset_s = _clock_offset_s(response.headers.get("Date"), began_at, took_s)
                content = self._read(response, began_s + self._settings.timeout_s)
                return Reply(response.status_code, content, self._clock(), offset_s)
        except requests.Timeout as error:
            raise TimedOut(f"no reply within {self._settings.timeout_s:g} s") from error
        except requests.RequestException as error:
            raise Unreachable(_cause(error)) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _get(self, question: Question) -> requests.Response:
        return self._session.get(
            f"{self._settings.url}/SingleZip?{self._query(question)}",
            timeout=self._settings.timeout_s,
            allow_redirects=False,
            stream=True,
        )

    def _query(self, question: Question) -> str:
        """The parameters as the specification writes them: times in UTC, commas and colons as they are."""
        return urlencode(
            {
                "queryname": REPORTS[question.market].query_name,
                "startdatetime": _minute(question.start),
                "enddatetime": _minute(question.end),
                "version": self._settings.versions[question.market],
                "market_run_id": question.market.value,
                "node": ",".join(question.nodes),
                "resultformat": _CSV,
            },
            safe=",:",
        )

    def _read(self, response: requests.Response, deadline_s: float) -> bytes:
        """The body, as it comes in: a server that drips is cut off at the deadline, one that pours at the bound."""
        body = bytearray()
        try:
            while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
                body += piece
                if len(body) > self._settings.max_reply_bytes:
                    raise Oversized(f"the reply exceeds {self._settings.max_reply_mb:g} MB", bytes(body))
                if time.monotonic() > deadline_s:
                    raise TimedOut(f"the reply is not complete after {self._settings.timeout_s:g} s", bytes(body))
        except urllib3.exceptions.TimeoutError as error:
            raise TimedOut("the reply stopped before its end", bytes(body)) from error
        except urllib3.exceptions.HTTPError as error:
            raise CutShort(f"the reply ends before its end: {type(error).__name__}", bytes(body)) from error
        return bytes(body)


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H:%M-0000")


def _clock_offset_s(date: str | None, began_at: datetime, took_s: float) -> float | None:
    """CAISO's clock minus ours, from a Date header and the middle of the time that it took to come."""
    if date is None or took_s > _PROMPT_S:
        return None
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    if theirs.tzinfo is None:
        return None
    return (theirs + _DATE_RESOLUTION - began_at).total_seconds() - took_s / 2


def _cause(error: requests.RequestException) -> str:
    """The innermost reason, without the addresses of objects that requests puts around it: equal causes must read alike."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return f"{type(error).__name__}: {cause}"

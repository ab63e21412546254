"""Whoever is told of alarms, for tests: a mail server and a program that takes HTTP, both real, on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


class MailServer:
    """Takes mails. `mails` has the recipient, the subject and the text of each; `refuse` answers for a recipient of its key."""

    def __init__(self, port: int, user: str | None = None, password: str | None = None) -> None:
        self.mails: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.refuse: dict[str, str] = {}
        self._user = user, password
        self._options = {"authenticator": self._authenticate, "auth_require_tls": False} if user else {}
        self.port = port
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **self._options)
        self._controller.start()

    def stop(self) -> None:
        if self._controller:
            self._controller.stop()

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        said = data.login.decode(), data.password.decode()
        return AuthResult(success=said == self._user, handled=False)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd calls it so
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._options and not session.authenticated:
            return "530 log in first"
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        from email import message_from_bytes, policy  # noqa: PLC0415

        mail = message_from_bytes(envelope.content, policy=policy.default)
        self.ids.append(mail["Message-ID"])
        self.mails += [(to, mail["Subject"], mail.get_content()) for to in envelope.rcpt_tos]
        return "250 taken"


class Program:
    """Takes HTTP. `came` has headers, body and the same as JSON of each request; `answers` with which status (204)."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes, Any]] = []
        self.answers: list[int] = []
        self.hangs = threading.Event()
        self.hangs.set()
        program = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server calls it so
                program.hangs.wait(30)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = program.answers.pop(0) if program.answers else 204
                if status == 204:
                    program.came.append((dict(self.headers), body, json.loads(body)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def told(self) -> list[Any]:
        """Each that came, once: what a sender that was killed says again has the `webhook-id` that it had."""
        return list({headers["webhook-id"]: said for headers, _body, said in self.came}.values())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.hangs.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

"""Somebody at a console over plain HTTP, with a browser's cookies and nothing else of a browser."""

import http.client
import re
import ssl
from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from console_process import ConsoleProcess
from console_users import PASSWORD


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    text: str


class Visitor:
    """Keeps what the console sets, and says it again."""

    def __init__(self, console: ConsoleProcess, trusts: ssl.SSLContext | None = None) -> None:
        self.console = console
        self.trusts = trusts
        self.cookies: dict[str, str] = {}
        self.csrf = ""
        self.opened: list[http.client.HTTPResponse] = []

    def leave(self) -> None:
        """Close what was not read to its end."""
        for reply in self.opened:
            reply.close()

    def ask(self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        reply = self.open(method, path, body, headers)
        return Reply(reply.status, reply.headers, reply.read().decode())

    def open(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        port = self.console.port
        connection = (
            http.client.HTTPSConnection("localhost", port, timeout=10, context=self.trusts)
            if self.trusts
            else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        )
        said = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        connection.request(method, path, body, {"Connection": "close", **said, **(headers or {})})
        reply = connection.getresponse()
        self.opened.append(reply)
        for line in reply.headers.get_all("Set-Cookie") or ():
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return reply

    def sign_in(self, name: str, password: str = PASSWORD, onward: str = "/") -> Reply:
        """By the form, as a browser does."""
        form = self.ask("GET", f"/sign-in?{urlencode({'next': onward})}").text
        fields = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', form))
        reply = self.fill(name, password, **fields)
        if reply.status == 303:
            self.csrf = msgspec.json.decode(self.ask("GET", "/session").text)["csrf"]
        return reply

    def fill(self, name: str, password: str, **fields: str) -> Reply:
        body = urlencode({"name": name, "password": password, **fields})
        return self.ask("POST", "/sign-in", body, {"Content-Type": "application/x-www-form-urlencoded"})

    def post(self, path: str, content: object = None, csrf: str | None = None) -> Reply:
        """As a page of ours does."""
        body = msgspec.json.encode(content).decode()
        token = self.csrf if csrf is None else csrf
        return self.ask("POST", path, body, {"X-CSRF-Token": token} if token else {})

    def events(self, path: str = "/events") -> Iterator[str]:
        """The kinds of the events as they come, until the console ends the stream."""
        reply = self.open("GET", path)
        assert reply.status == 200, reply.status
        for line in reply:
            name, _, data = line.decode().strip().partition(": ")
            if name == "event":
                yield data

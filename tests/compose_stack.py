"""The compose stack as it runs beside a test: its commands, its console with users, and its simulator told what to do."""

import base64
import hashlib
import json
import shlex
import socket
import ssl
import subprocess
import textwrap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TOP = Path(__file__).parents[1]
FILES = ("docker-compose.yml", "tests/compose/users.yml")
WITHIN_S = 120
_ORDER = """
    import sys, time, json
    from urllib.request import Request, urlopen
    path, body = sys.argv[1], sys.argv[2].encode()
    at = time.time()
    with urlopen(Request("http://127.0.0.1:8449" + path, body, {"Content-Type": "application/json"}), timeout=10) as reply:
        print(json.dumps({"at": at, "said": json.load(reply)}))
"""


@dataclass(frozen=True)
class Ordered:
    """What the simulator did, and when it was told to, seconds since 1970."""

    at: float
    said: Any


class ComposeStack:
    """What `docker compose up --detach --wait` started, by the name that COMPOSE_PROJECT_NAME gives it."""

    def compose(self, *arguments: str) -> str:
        """A command of Compose, and what it says."""
        command = ["docker", "compose", *(part for file in FILES for part in ("--file", file)), *arguments]
        done = subprocess.run(
            command, cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}: {done.stderr[-2000:]}"
        return done.stdout

    def add_users(self, password: str, *users: tuple[str, ...]) -> None:
        """Whom the console knows from then on: of each the name, the role and what else `dotbus users add` takes."""
        commands = [
            f"echo {shlex.quote(password)} | part users add {shlex.join((name, '--role', *more))}" for name, *more in users
        ]
        self.compose("run", "--rm", "-T", "--entrypoint", "sh", "users", "-ec", "\n".join(commands))

    def start(self, part: str) -> None:
        """A part that was stopped, or one whose settings are others; what it depends on stays as it is."""
        self.compose("up", "--detach", "--wait", "--no-deps", "--no-build", part)

    @property
    def console(self) -> str:
        """Where it is published; another port after each start."""
        found = self.compose("port", "console", "8090").strip()
        return f"https://localhost:{found.rpartition(':')[2]}"

    @cached_property
    def authority(self) -> str:
        """The private authority's certificate, PEM."""
        return self.compose("exec", "-T", "console", "cat", "/run/dotbus/ca.pem")

    @cached_property
    def console_key(self) -> str:
        """The digest of the key by which the console proves to be itself, once the authority has been seen to say so."""
        host, port = self.console.removeprefix("https://").split(":")
        trusts = ssl.create_default_context(cadata=self.authority)
        with (
            socket.create_connection((host, int(port)), timeout=10) as line,
            trusts.wrap_socket(line, server_hostname=host) as tls,
        ):
            certificate = tls.getpeercert(binary_form=True)
        assert certificate is not None
        key = x509.load_der_x509_certificate(certificate).public_key()
        told = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(told).digest()).decode()

    def order(self, path: str, **said: object) -> Ordered:
        """Have the simulator do something that its plan does not have."""
        program = textwrap.dedent(_ORDER)
        told = json.loads(self.compose("exec", "-T", "simulator", "python3", "-c", program, path, json.dumps(said)))
        return Ordered(told["at"], told["said"])

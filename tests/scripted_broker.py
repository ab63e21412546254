"""A broker that does what a test says, byte by byte: what a real one never sends, and when it sends it."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

from waiting import eventually

ACCEPTED = {"5": b"\x20\x03\x00\x00\x00", "3.1.1": b"\x20\x02\x00\x00"}
SUBSCRIBED = {"5": b"\x90\x04%b\x00\x01", "3.1.1": b"\x90\x03%b\x01"}
CONNECT, PUBLISH, PUBACK, SUBSCRIBE = 0x10, 0x30, 0x40, 0x80


class ScriptedBroker:
    """Accepts every connection and subscription; what else comes is kept.

    Attributes:
        port: where it listens.
        accepted: its answer to a connection.
        packets: what came: first bytes and bodies, without connections and subscriptions.
        connections: how many were accepted.
        subscribed: how many of them subscribed.
        on_packet: told of each packet, from the connection's thread.
    """

    def __init__(self, protocol: str = "5", accepted: bytes | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.accepted = accepted or ACCEPTED[protocol]
        self.packets: list[tuple[int, bytes]] = []
        self.connections = self.subscribed = 0
        self.on_packet: Callable[[int, bytes], None] = lambda _first, _body: None
        self._protocol = protocol
        self._tls = tls
        self._sending = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._client: socket.socket | None = None
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def send(self, data: bytes) -> None:
        """Send bytes to the client that is connected."""
        client = self._client
        assert client, "nobody is connected"
        with self._sending:
            client.sendall(data)

    def of_kind(self, kind: int) -> list[bytes]:
        """The bodies of the packets of one kind that came."""
        return [body for first, body in self.packets if first & 0xF0 == kind]

    def close(self) -> None:
        """End the connection and the port."""
        for end in (self._listener, self._client):
            if end:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    client = self._tls.wrap_socket(client, server_side=True)
                self._client = client
                self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), client.makefile("rb") as stream:
            while header := stream.read(1):
                self._answer(header[0], stream.read(_length(stream.read)))

    def _answer(self, first: int, body: bytes) -> None:
        if first == CONNECT:
            self.send(self.accepted)
            self.connections += 1
        elif first & 0xF0 == SUBSCRIBE:
            self.send(SUBSCRIBED[self._protocol] % body[:2])
            self.subscribed += 1
        else:
            self.packets.append((first, body))
            self.on_packet(first, body)

    def wait_for_subscriber(self, nth: int = 1) -> None:
        """Wait until the nth connection has subscribed."""
        eventually(lambda: self.subscribed >= nth)


def _length(read: Callable[[int], bytes]) -> int:
    length = shift = 0
    while True:
        byte = read(1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return length

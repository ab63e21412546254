"""A proxy between a client and a broker that loses what the broker answers, or the connection."""

import contextlib
import socket
import threading

from real_mosquitto import free_port


class CuttingProxy:
    """Passes bytes on between whoever connects to `port` and the broker.

    Attributes:
        broker_port: where the broker is.
        deaf: while True, what the broker answers gets lost.
    """

    def __init__(self, broker_port: int) -> None:
        self.broker_port = broker_port
        self._open: list[socket.socket] = []
        self.port = free_port()
        self.deaf = False
        self.open()

    def open(self) -> None:
        """Listen, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """End every connection; new ones are accepted."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        """End every connection and the port."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    broker = socket.create_connection(("127.0.0.1", self.broker_port))
                except OSError:  # nobody is there: neither are we
                    client.close()
                    continue
                self._open += [client, broker]
                threading.Thread(target=self._pass_on, args=(client, broker, False), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(broker, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:  # noqa: FBT001
        with source, contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if not (answers and self.deaf):
                    sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

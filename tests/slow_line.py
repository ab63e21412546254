"""A line between a browser and what it asks, on which what is answered can be late."""

import contextlib
import queue
import socket
import threading
import time

from real_mosquitto import free_port

WAITS_MOST_S = 0.02


class SlowLine:
    """Passes bytes on to `target` of this machine.

    Attributes:
        late_s: how long each piece of an answer is on its way from now on.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.late_s = 0.0
        self.port = free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._open = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End the line."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self._open += [near, far]
                answers: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                for run, ends in ((self._ask, (near, far)), (self._hear, (far, answers)), (self._tell, (near, answers))):
                    threading.Thread(target=run, args=ends, daemon=True).start()

    @staticmethod
    def _ask(near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := near.recv(65536):
                far.sendall(piece)
            far.shutdown(socket.SHUT_WR)

    @staticmethod
    def _hear(far: socket.socket, answers: "queue.SimpleQueue[tuple[float, bytes]]") -> None:
        piece = b"."
        while piece:
            try:
                piece = far.recv(65536)
            except OSError:
                piece = b""
            answers.put((time.monotonic(), piece))

    def _tell(self, near: socket.socket, answers: "queue.SimpleQueue[tuple[float, bytes]]") -> None:
        with contextlib.suppress(OSError):
            while True:
                came_s, piece = answers.get()
                while time.monotonic() < came_s + self.late_s:
                    time.sleep(WAITS_MOST_S)
                if not piece:
                    near.shutdown(socket.SHUT_RDWR)
                    return
                near.sendall(piece)

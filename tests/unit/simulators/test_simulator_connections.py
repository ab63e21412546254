"""A simulator that is told to stop lets go of every connection, whatever state it is in."""

from collections.abc import Callable

import pytest

from simulators.server import _Protocol


class Transport:
    """What asyncio's TLS transport does: closed twice, it can neither be asked for its buffer nor aborted any more."""

    def __init__(self, waiting_bytes: int = 0) -> None:
        self.waiting_bytes = waiting_bytes
        self.closed = 0
        self.aborted = False

    def close(self) -> None:
        self.closed += 1

    def is_closing(self) -> bool:
        return self.closed > 0

    def get_write_buffer_size(self) -> int:
        assert self.closed < 2
        return self.waiting_bytes

    def abort(self) -> None:
        self.aborted = self.closed < 2


@pytest.fixture
def shut_down(monkeypatch: pytest.MonkeyPatch) -> Callable[[Transport], None]:
    """Shuts an idle connection down: uvicorn's own part closes its transport."""
    monkeypatch.setattr("simulators.server.H11Protocol.shutdown", lambda protocol: protocol.transport.close())

    def shut_down(transport: Transport) -> None:
        protocol = _Protocol.__new__(_Protocol)
        protocol.transport = transport  # type: ignore[assignment]  # as much of one as is needed
        protocol.shutdown()

    return shut_down


def test_an_idle_connection_is_dropped_at_once(shut_down):
    transport = Transport()
    shut_down(transport)
    assert (transport.closed, transport.aborted) == (1, True)


def test_a_reply_that_is_still_being_sent_is_not_cut(shut_down):
    transport = Transport(waiting_bytes=7)
    shut_down(transport)
    assert (transport.closed, transport.aborted) == (1, False)


def test_one_that_waits_for_its_client_s_farewell_already_is_dropped_and_not_closed_again(shut_down):
    transport = Transport()
    transport.close()
    shut_down(transport)
    assert (transport.closed, transport.aborted) == (1, True)

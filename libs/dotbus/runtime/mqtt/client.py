"""paho's client, without what paho spends on each message that comes or goes by the thousand.

paho connects, pings, subscribes, waits and reconnects, and reads and writes every kind of packet but three: a PUBLISH of QoS 0
or 1, the PUBACKs and PUBRECs that answer ours, and the packets of `send`, which never pass through it. For that these parts of
paho are overridden, and no others (a test says when paho changes one of them, or what they rest on):

| overridden | paho's way | here |
| --- | --- | --- |
| `loop_read` | a byte at a time from the socket, one packet a turn of the loop | all that has come, up to `READ_BYTES` |
| `_packet_write` | one write for each packet | one write for what waits |
| `reconnect` | | forgets half a packet, and tells that the connection is over before a new one can be used |
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MalformedPacket as PahoMalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.packets import (
    KIND,
    PUBACK,
    PUBCOMP_HEAD,
    PUBLISH,
    PUBREC,
    QOS_2,
    MalformedPacket,
    Packet,
    PacketBuffer,
    Publish,
    read_puback,
    read_publish,
)

if TYPE_CHECKING:
    from paho.mqtt.client import _OutPacket

MOST_AT_ONCE_BYTES = 64 * 1024
"""As much goes into one write; what is larger already goes by itself, uncopied."""
_NOTHING_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BusClient(mqtt.Client):
    """A client of the broker. `send` and `next_number` may be called from any thread.

    Attributes:
        on_messages: told of messages that were read at once, in their order; while it runs nothing more is read.
        on_answers: told of numbers of packets that we sent, and of the broker's reason codes.
        on_lost: told that there is no connection any more, before the next one is made.
            All of them in the network thread.
        not_reached: why the last connection could not be opened, in words; paho keeps it to itself.
    """

    def __init__(self, client_id: str, *, five: bool, persistent: bool) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if five else not persistent,
            protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            manual_ack=True,
        )
        self.on_messages: Callable[[Sequence[Publish]], None] = lambda _messages: None
        self.on_answers: Callable[[Sequence[tuple[int, int]]], None] = lambda _answers: None
        self.on_lost: Callable[[], None] = lambda: None
        self.not_reached = ""
        self._five = five
        self._incoming = PacketBuffer()
        self._writer_is_told = False
        self._write_is_half_done = False
        self.on_message = self._deliver_whole

    def next_number(self) -> int:
        """A number for a packet that wants an answer; after 65535 they begin anew."""
        return self._mid_generate()

    def send(self, packets: bytes) -> None:
        """Let whole packets go, after those of earlier calls. On a connection that is lost before, they never do."""
        self._out_packet.append(_outgoing(packets))
        if self._writer_is_told or threading.current_thread() is self._thread:  # that one writes before it waits again
            return
        self._writer_is_told = True
        waker = self._sockpairW
        if waker is not None:
            with suppress(OSError):  # full of earlier calls, so that the thread does not sleep; or closed
                waker.send(b"0")

    def close(self) -> None:
        """Give back what wakes the network thread, once that has ended; paho would leave it to the garbage collector."""
        self._reset_sockets(sockpair_only=True)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002  # paho's, which calls it without
        """Read and handle what has come, then write what that led to."""
        sock = cast("socket.socket | None", self._sock)  # paho's type allows for its own WebSocket, too
        if sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        result = self._read(sock)
        with self._msgtime_mutex:  # after the handlers, which may have kept us longer than the broker's patience
            self._last_bytes_received = time.monotonic()
        if result:
            return self._loop_rc_handle(result)
        return self.loop_write() if self._out_packet and self._sock else result

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew."""
        self.on_lost()
        self._incoming = PacketBuffer()
        try:
            return super().reconnect()
        except OSError as error:
            self.not_reached = _in_words(error)
            raise

    def _packet_write(self) -> MQTTErrorCode:
        self._writer_is_told = False  # first: what is added from now on tells again
        if not self._write_is_half_done:
            self._join_waiting()
        result = super()._packet_write()
        # TLS wants the bytes again that it could not send, neither more nor others.
        self._write_is_half_done = result == MQTTErrorCode.MQTT_ERR_AGAIN
        return result

    def _join_waiting(self) -> None:
        """Make one packet of the small ones at the front of the queue. Other threads add at its end, only this one takes."""
        queue = self._out_packet
        joined: list[bytes | bytearray] = []
        size = 0
        while queue and _is_ours(queue[0]) and (size := size + len(queue[0]["packet"])) <= MOST_AT_ONCE_BYTES:
            joined.append(queue.popleft()["packet"])
        if joined:
            queue.appendleft(_outgoing(b"".join(joined)))

    def _read(self, sock: socket.socket) -> MQTTErrorCode:
        try:
            count = _receive_into(sock, self._incoming.room)
        except OSError as error:
            self._easy_log(mqtt.MQTT_LOG_ERR, "failed to receive on socket: %s", error)
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        return self._handle(count, sock) if count else MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle(self, count: int, sock: socket.socket) -> MQTTErrorCode:
        messages: list[Publish] = []
        answers: list[tuple[int, int]] = []
        try:
            result = self._take(count, sock, messages, answers)
        except MalformedPacket as error:
            get_logger("bus").error("the broker sent what is no MQTT", reason=str(error), next="connecting anew")
            result = MQTTErrorCode.MQTT_ERR_PROTOCOL
        # By now nothing refers to the buffer of a large packet: whoever takes its message may keep us waiting for long.
        self._hand_over(messages, answers)
        return result

    def _take(self, count: int, sock: socket.socket, messages: list[Publish], answers: list[tuple[int, int]]) -> MQTTErrorCode:
        """Read the packets that are complete now. What is left in the lists is to be handed over."""
        for packet in self._incoming.received(count):
            kind = packet.first & KIND
            if kind == PUBLISH and not packet.first & QOS_2:
                messages.append(read_publish(packet, five=self._five))
            elif kind in (PUBACK, PUBREC):  # a PUBREC answers what is never released: see Bus.ask_leave
                answers.append(read_puback(packet, five=self._five))
            else:
                self._hand_over(messages, answers)
                messages.clear()
                answers.clear()
                result = self._leave_to_paho(packet)
                if result or self._sock is not sock:
                    return result
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _hand_over(self, messages: Sequence[Publish], answers: Sequence[tuple[int, int]]) -> None:
        if answers:
            self.on_answers(answers)  # first: a publisher waits, and a message may find a full queue
        if messages:
            self.on_messages(messages)

    def _leave_to_paho(self, packet: Packet) -> MQTTErrorCode:
        self._in_packet = {
            "command": packet.first,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": packet.end - packet.start,
            "packet": bytearray(packet.body[packet.start : packet.end]),
            "to_process": 0,
            "pos": 0,
        }
        try:
            return self._packet_handle()
        except PahoMalformedPacket as error:
            raise MalformedPacket(str(error)) from error
        except Exception:  # noqa: BLE001  # paho checks little of what it reads; nothing of it may end the thread
            get_logger("bus").exception("a packet could not be handled", first_byte=packet.first, next="connecting anew")
            return MQTTErrorCode.MQTT_ERR_PROTOCOL

    def _deliver_whole(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        """A message of QoS 2, which only an earlier subscription of a kept session can have asked for."""
        whole = Publish(
            message.topic,
            bytes(message.payload),
            message.retain,
            PUBCOMP_HEAD + message.mid.to_bytes(2, "big"),
            getattr(message.properties, "ResponseTopic", None),
            getattr(message.properties, "CorrelationData", None),
        )
        self.on_messages([whole])


def reason_of(code: int) -> str:
    """A reason code of a PUBACK in words."""
    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=code))
    except (KeyError, AssertionError):
        return f"reason code {code}"


def _in_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS came about: {error.reason or error}"
    return error.strerror or str(error)


_OURS = mqtt.MQTTMessageInfo(0)
"""Marks what `send` queued: paho looks at it for QoS 0 only."""


def _is_ours(waiting: "_OutPacket") -> bool:
    return waiting["info"] is _OURS and waiting["pos"] == 0


def _outgoing(packets: bytes) -> "_OutPacket":
    return {
        "command": PUBLISH,
        "mid": 0,
        "qos": 1,  # paho does nothing more with such a packet once it is written
        "pos": 0,
        "to_process": len(packets),
        "packet": cast("bytes", memoryview(packets)),  # paho cuts off what was written, which would copy bytes
        "info": _OURS,
    }


def _receive_into(sock: socket.socket, room: memoryview) -> int:
    """How many bytes came; 0 when there are none now.

    Raises:
        OSError: the connection is over.
    """
    count = 0
    while count < len(room):
        try:
            more = sock.recv_into(room[count:])
            if not more:
                raise ConnectionError("the broker closed the connection")
        except _NOTHING_NOW:
            break
        except OSError:
            if count:  # first what came before, which may say why; the next read finds the end again
                break
            raise
        count += more
        if not isinstance(sock, ssl.SSLSocket):  # which gives one record at a time, often one message
            break
    return count

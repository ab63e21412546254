"""Clients that are not ours, each with the same questions: what they read, or the code of the exception that they were told."""

import re
import shutil
import ssl
import subprocess
from collections.abc import Sequence

from pymodbus import FramerType
from pymodbus.client import ModbusTcpClient, ModbusTlsClient
from pymodbus.pdu import ModbusPDU
from pyModbusTCP.client import ModbusClient

DEADLINE_S = 20.0
Words = list[int] | int


class Pymodbus:
    """pymodbus, over TCP, RTU over TCP or TLS."""

    def __init__(self, client: ModbusTcpClient, unit_id: int) -> None:
        self._client, self._unit = client, unit_id
        assert client.connect()

    @classmethod
    def tcp(cls, port: int, unit_id: int) -> "Pymodbus":
        return cls(ModbusTcpClient("127.0.0.1", port=port, timeout=DEADLINE_S, retries=0), unit_id)

    @classmethod
    def rtu(cls, port: int, unit_id: int) -> "Pymodbus":
        client = ModbusTcpClient("127.0.0.1", port=port, framer=FramerType.RTU, timeout=DEADLINE_S, retries=0)
        return cls(client, unit_id)

    @classmethod
    def tls(cls, port: int, unit_id: int, context: ssl.SSLContext) -> "Pymodbus":
        context.check_hostname = False  # it gives OpenSSL no name to check
        client = ModbusTlsClient("127.0.0.1", port=port, sslctx=context, timeout=DEADLINE_S, retries=0)
        return cls(client, unit_id)

    def close(self) -> None:
        self._client.close()

    def read_coils(self, address: int, count: int) -> Words:
        return self._bits(self._client.read_coils(address, count=count, device_id=self._unit), count)

    def read_discrete(self, address: int, count: int) -> Words:
        return self._bits(self._client.read_discrete_inputs(address, count=count, device_id=self._unit), count)

    def read_holding(self, address: int, count: int) -> Words:
        return self._words(self._client.read_holding_registers(address, count=count, device_id=self._unit))

    def read_input(self, address: int, count: int) -> Words:
        return self._words(self._client.read_input_registers(address, count=count, device_id=self._unit))

    def write_coil(self, address: int, value: int) -> int | None:
        return self._told(self._client.write_coil(address, bool(value), device_id=self._unit))

    def write_register(self, address: int, value: int) -> int | None:
        return self._told(self._client.write_register(address, value, device_id=self._unit))

    def write_coils(self, address: int, values: Sequence[int]) -> int | None:
        return self._told(self._client.write_coils(address, [bool(value) for value in values], device_id=self._unit))

    def write_registers(self, address: int, values: Sequence[int]) -> int | None:
        return self._told(self._client.write_registers(address, list(values), device_id=self._unit))

    def write_and_read(self, write_at: int, values: Sequence[int], read_at: int, count: int) -> Words:
        reply = self._client.readwrite_registers(
            read_address=read_at, read_count=count, write_address=write_at, values=list(values), device_id=self._unit
        )
        return self._words(reply)

    def identify(self, code: int, first: int = 0) -> dict[int, bytes] | int:
        reply = self._client.read_device_information(read_code=code, object_id=first, device_id=self._unit)
        return reply.exception_code if reply.isError() else dict(reply.information)

    def _words(self, reply: ModbusPDU) -> Words:
        return reply.exception_code if reply.isError() else reply.registers

    def _bits(self, reply: ModbusPDU, count: int) -> Words:
        return reply.exception_code if reply.isError() else [int(bit) for bit in reply.bits[:count]]

    def _told(self, reply: ModbusPDU) -> int | None:
        return reply.exception_code if reply.isError() else None


class PyModbusTcp:
    """pyModbusTCP."""

    def __init__(self, port: int, unit_id: int) -> None:
        self._client = ModbusClient("127.0.0.1", port, unit_id, timeout=DEADLINE_S)
        assert self._client.open()

    def close(self) -> None:
        self._client.close()

    def read_coils(self, address: int, count: int) -> Words:
        return self._found(self._client.read_coils(address, count))

    def read_discrete(self, address: int, count: int) -> Words:
        return self._found(self._client.read_discrete_inputs(address, count))

    def read_holding(self, address: int, count: int) -> Words:
        return self._found(self._client.read_holding_registers(address, count))

    def read_input(self, address: int, count: int) -> Words:
        return self._found(self._client.read_input_registers(address, count))

    def write_coil(self, address: int, value: int) -> int | None:
        return self._told(done=self._client.write_single_coil(address, bool(value)))

    def write_register(self, address: int, value: int) -> int | None:
        return self._told(done=self._client.write_single_register(address, value))

    def write_coils(self, address: int, values: Sequence[int]) -> int | None:
        return self._told(done=self._client.write_multiple_coils(address, [bool(value) for value in values]))

    def write_registers(self, address: int, values: Sequence[int]) -> int | None:
        return self._told(done=self._client.write_multiple_registers(address, list(values)))

    def write_and_read(self, write_at: int, values: Sequence[int], read_at: int, count: int) -> Words:
        return self._found(self._client.write_read_multiple_registers(write_at, list(values), read_at, count))

    def identify(self, code: int, first: int = 0) -> dict[int, bytes] | int:
        reply = self._client.read_device_identification(code, first)
        return self._exception() if reply is None else dict(reply.objects_by_id)

    def _found(self, values: Sequence[int] | None) -> Words:
        return self._exception() if values is None else [int(value) for value in values]

    def _told(self, *, done: bool) -> int | None:
        return None if done else self._exception()

    def _exception(self) -> int:
        assert self._client.last_except, self._client.last_error_as_txt
        return self._client.last_except


class Mbpoll:
    """mbpoll, a process for each question. It has neither function 23 nor 43, and writes one value as function 5 or 6."""

    def __init__(self, port: int, unit_id: int) -> None:
        assert shutil.which("mbpoll"), "the package mbpoll is needed: apt-get install mbpoll, brew install mbpoll"
        self._command = ["mbpoll", "-0", "-1", "-m", "tcp", "-a", str(unit_id), "-p", str(port)]

    def close(self) -> None:
        """It is closed after each question."""

    def read_coils(self, address: int, count: int) -> Words:
        return self._read("0", address, count)

    def read_discrete(self, address: int, count: int) -> Words:
        return self._read("1", address, count)

    def read_holding(self, address: int, count: int) -> Words:
        return self._read("4:hex", address, count)

    def read_input(self, address: int, count: int) -> Words:
        return self._read("3:hex", address, count)

    def write_coil(self, address: int, value: int) -> int | None:
        return self._write("0", address, [value])

    def write_register(self, address: int, value: int) -> int | None:
        return self._write("4", address, [value])

    def write_coils(self, address: int, values: Sequence[int]) -> int | None:
        return self._write("0", address, values)

    def write_registers(self, address: int, values: Sequence[int]) -> int | None:
        return self._write("4", address, values)

    def _read(self, kind: str, address: int, count: int) -> Words:
        shown = self._ask("-t", kind, "-r", str(address), "-c", str(count), "127.0.0.1")
        if isinstance(shown, int):
            return shown
        return [int(value, 0) for value in re.findall(r"^\[\d+\]:\s+(\w+)", shown, re.MULTILINE)]

    def _write(self, kind: str, address: int, values: Sequence[int]) -> int | None:
        told = self._ask("-t", kind, "-r", str(address), "127.0.0.1", "--", *map(str, values))
        return told if isinstance(told, int) else None

    def _ask(self, *arguments: str) -> str | int:
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        said = done.stdout + done.stderr
        for text, code in _EXCEPTIONS.items():
            if text in said:
                return code
        assert done.returncode == 0, said
        return done.stdout


_EXCEPTIONS = {
    "Illegal function": 1,
    "Illegal data address": 2,
    "Illegal data value": 3,
    "Slave device or server failure": 4,
    "Target device failed to respond": 0x0B,
}
"""As libmodbus words them."""

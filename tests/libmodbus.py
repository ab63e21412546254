"""libmodbus itself as a client: the shared library that the package mbpoll brings, called through ctypes."""

import ctypes
import ctypes.util
from collections.abc import Callable, Sequence

EXCEPTIONS_FROM = 112345678
"""libmodbus' number of an error that is a Modbus exception, less the exception's code."""
_U8, _U16 = ctypes.c_uint8, ctypes.c_uint16


def _load() -> ctypes.CDLL:
    """Where it cannot be found this fails rather than passing over what it would have shown."""
    name = ctypes.util.find_library("modbus")
    assert name, "libmodbus is needed; it comes with mbpoll: apt-get install mbpoll, brew install mbpoll"
    library = ctypes.CDLL(name, use_errno=True)
    library.modbus_new_tcp.restype = ctypes.c_void_p
    library.modbus_strerror.restype = ctypes.c_char_p
    return library


class Libmodbus:
    """A connection to one unit. Each method returns what libmodbus read, or the code of the exception that it was told."""

    def __init__(self, port: int, unit_id: int) -> None:
        self._library = _load()
        self._context = ctypes.c_void_p(self._library.modbus_new_tcp(b"127.0.0.1", port))
        self._library.modbus_set_slave(self._context, unit_id)
        self._library.modbus_set_response_timeout(self._context, ctypes.c_uint32(5), ctypes.c_uint32(0))
        assert self._library.modbus_connect(self._context) == 0

    def close(self) -> None:
        self._library.modbus_close(self._context)
        self._library.modbus_free(self._context)

    def read_coils(self, address: int, count: int) -> list[int] | int:
        return self._read("modbus_read_bits", _U8, address, count)

    def read_discrete(self, address: int, count: int) -> list[int] | int:
        return self._read("modbus_read_input_bits", _U8, address, count)

    def read_holding(self, address: int, count: int) -> list[int] | int:
        return self._read("modbus_read_registers", _U16, address, count)

    def read_input(self, address: int, count: int) -> list[int] | int:
        return self._read("modbus_read_input_registers", _U16, address, count)

    def write_coil(self, address: int, value: int) -> int | None:
        return self._told(self._library.modbus_write_bit(self._context, address, value))

    def write_register(self, address: int, value: int) -> int | None:
        return self._told(self._library.modbus_write_register(self._context, address, _U16(value)))

    def write_coils(self, address: int, values: Sequence[int]) -> int | None:
        content = (_U8 * len(values))(*values)
        return self._told(self._library.modbus_write_bits(self._context, address, len(values), content))

    def write_registers(self, address: int, values: Sequence[int]) -> int | None:
        content = (_U16 * len(values))(*values)
        return self._told(self._library.modbus_write_registers(self._context, address, len(values), content))

    def write_and_read(self, write_at: int, values: Sequence[int], read_at: int, count: int) -> list[int] | int:
        content, found = (_U16 * len(values))(*values), (_U16 * count)()
        ask: Callable[..., int] = self._library.modbus_write_and_read_registers
        told = self._told(ask(self._context, write_at, len(values), content, read_at, count, found))
        return list(found) if told is None else told

    def _read(self, name: str, kind: type, address: int, count: int) -> list[int] | int:
        found = (kind * count)()
        told = self._told(getattr(self._library, name)(self._context, address, count, found))
        return list(found) if told is None else told

    def _told(self, result: int) -> int | None:
        if result >= 0:
            return None
        number = ctypes.get_errno()
        assert number > EXCEPTIONS_FROM, self._library.modbus_strerror(number)
        return number - EXCEPTIONS_FROM

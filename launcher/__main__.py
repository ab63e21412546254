"""The program `dotbus`, and Ctrl-C before its commands are there: to import them takes most of a second."""

import os
import signal
from types import FrameType
from typing import Final, NoReturn

EXIT_INTERRUPTED: Final = 130
"""What a shell says of a program that SIGINT ended."""
_TOLD: Final = b"dotbus: interrupted\n"


def main() -> None:
    """Run the command line. A command that has parts to stop hears signals by itself."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell's background job does not
    if is_heard:
        signal.signal(signal.SIGINT, _end_at_once)
    from dotbus.runtime.starting import packages_of  # noqa: PLC0415  # signals first

    with packages_of("launcher"):
        from launcher.commands import app  # noqa: PLC0415
    if is_heard:
        signal.signal(signal.SIGINT, _end_in_order)
    app()


def _end_at_once(_number: int, _frame: FrameType | None) -> NoReturn:
    """Nothing is begun, and an exception in the middle of an import may end up anywhere."""
    os.write(2, _TOLD)
    os._exit(EXIT_INTERRUPTED)


def _end_in_order(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, _TOLD)
    raise SystemExit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()

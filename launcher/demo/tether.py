"""A module as a process that does not outlive the one that started it, however that one ended.

`python -m launcher.demo.tether MODULE ARGUMENT...` runs the module as `python -m MODULE ARGUMENT...` would. Its standard input
is a pipe that nobody writes to and that the starter holds open. The system closes the pipe when the starter is gone, killed
too; then this process gets SIGTERM, and is ended if that does not help.
"""

import os
import runpy
import signal
import sys
import threading
import time

END_WITHIN_S = 20.0
_GAVE_UP = 70


def _end_with_starter() -> None:
    # Not through sys.stdin: a thread that waits in it would hold the interpreter's shutdown up.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_WITHIN_S)
    os._exit(_GAVE_UP)


def main() -> None:
    """Run the module that the first argument names."""
    threading.Thread(target=_end_with_starter, name="tether", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

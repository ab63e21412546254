"""A signal that is no word to end ends no service, from the moment on at which it begins to read its configuration."""

import subprocess
import sys

SOURCE = """
import os, signal, threading
from types import SimpleNamespace

from dotbus.runtime.process import acting_on, service_app

acted = threading.Event()

def load():
    for number in (signal.SIGHUP, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    return SimpleNamespace(service=SimpleNamespace(instance="a", log_format="json", log_level="info"))

def run(configuration, stop):
    with acting_on("SIGHUP", acted.set):
        print("acted" if acted.wait(20) else "passed over")

service_app("test", "A test.", load, run)()
"""


def test_a_signal_that_comes_while_a_service_reads_its_configuration_does_not_end_it_and_is_acted_on_once_it_can_be():
    ended = subprocess.run([sys.executable, "-c", SOURCE], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (0, "acted\n"), ended.stderr

"""Parts of the demonstration as processes: what is said of one that ends, and that none outlives the demonstration."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from waiting import eventually

from launcher.demo import children as children_module
from launcher.demo.children import Child, ChildFailed, Children, Stopped
from launcher.demo.ports import accepts, claimed_ports, free_port

pytestmark = pytest.mark.integration

READY = "ready"
PARTS = {
    "waiting": "import threading; print('ready', flush=True); threading.Event().wait()",
    "deaf": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); import part_waiting",
    "failing": "for line in range(40): print('line', line)\nraise SystemExit('no licence')",
    "telling": "import os, sys\nprint(sys.argv[1:], os.environ.get('HISTORIAN_INSTANCE'))",
}


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Children]:
    for name, source in PARTS.items():
        (tmp_path / f"part_{name}.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    started = Children(tmp_path)
    yield started
    started.stop()


def started(children: Children, name: str) -> Child:
    child = children.start(name, f"part_{name}")
    eventually(lambda: READY in child.log.read_text(), within_s=20)
    return child


def test_a_part_that_ends_is_told_with_its_status_and_the_end_of_its_log(children: Children):
    child = children.start("failing", "part_failing")
    child.process.wait(20)
    with pytest.raises(ChildFailed, match="failing ended with status 1") as failure:
        children.check()
    assert "no licence" in str(failure.value)
    assert "line 39" in str(failure.value)
    assert "line 3\n" not in str(failure.value)


def test_waiting_for_a_part_ends_as_soon_as_it_failed_or_we_are_told_to_stop(children: Children):
    child = started(children, "waiting")
    with pytest.raises(ChildFailed, match=r"waiting does not serve after 0 s[^$]*ready"):
        children.wait_until(lambda: False, child, within_s=0.01)
    children.start("failing", "part_failing")
    with pytest.raises(ChildFailed, match="failing ended"):
        children.wait_until(lambda: False, child, within_s=20)
    children.running.pop().stop()
    children.stop_asked.set()
    with pytest.raises(Stopped):
        children.wait_until(lambda: False, child, within_s=20)


def test_a_part_gets_its_arguments_but_not_what_the_shell_says_of_a_real_installation(
    children: Children, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HISTORIAN_INSTANCE", "the real one")
    child = children.start("telling", "part_telling", ["one", "two"])
    child.process.wait(20)
    assert child.log.read_text() == "['one', 'two'] None\n"


def test_a_part_that_does_not_listen_to_sigterm_is_killed(children: Children, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(children_module, "STOP_WITHIN_S", 0.2)
    child = started(children, "deaf")
    children.stop()
    assert child.process.returncode == -signal.SIGKILL
    assert not children.running


def test_parts_end_when_the_demonstration_is_killed(tmp_path: Path, children: Children):
    """SIGKILL leaves it no time to stop them: they notice by themselves."""
    demonstration = (
        "import sys, threading; from pathlib import Path; from launcher.demo.children import Children\n"
        f"child = Children(Path({str(tmp_path)!r})).start('waiting', 'part_waiting')\n"
        "print(child.process.pid, flush=True); threading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", demonstration], stdout=subprocess.PIPE, text=True) as process:
        part = int(process.stdout.readline())
        eventually(lambda: READY in (tmp_path / "waiting.log").read_text(), within_s=20)
        assert psutil.pid_exists(part)
        os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not is_running(part), within_s=20)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_port_that_is_taken_gives_way_to_a_free_one():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert accepts(taken)
        assert free_port(taken) != taken
        with claimed_ports({"one": taken}) as ports:
            assert ports["one"] != taken
    assert not accepts(taken)


def test_two_demonstrations_at_once_never_choose_the_same_port():
    wanted = {"one": free_port(), "two": free_port()}
    with claimed_ports(wanted) as first:
        assert first == wanted
        with claimed_ports(wanted) as second:
            assert not set(first.values()) & set(second.values())
    with claimed_ports(wanted) as third:
        assert third == wanted

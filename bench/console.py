"""What the console costs with many pages open at once, and how soon and with how many bytes a page is there.

    python bench/console.py [PAGES] [SECONDS]

A console in a process of its own at a real Mosquitto, with 20 resources whose DOTs are said anew each second, each page
(default 200) a stream that is read. CPU and memory are the console's alone. Then a headless Chromium here opens each page anew:
first paint, and bytes before and after they are packed, beside what was published of others' pages.
"""

import selectors
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the process and the messages as the tests have them

from chromium import browser
from console_process import ConsoleProcess
from gateway_process import CONFIG, TOPICS, Ingest, dot, status
from real_mosquitto import remove_mosquitto, start_mosquitto

from dotbus.contracts.codec import encode
from dotbus.runtime.mqtt.messages import Outgoing

RESOURCES = 20
PAINTS = 7
MB = 1024 * 1024
_SIZES = """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .filter((one) => !/\\/(events|trends|session)(\\?|$)/.test(one.name))
  .reduce(([unpacked, sent], one) => [unpacked + one.decodedBodySize, sent + one.transferSize], [0, 0])"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"


class Bytes(NamedTuple):
    """Of all that a page consists of.

    Attributes:
        unpacked: before it is packed.
        sent: as it is sent; None where nobody published it.
    """

    unpacked: float
    sent: float | None


EVCC, GRAFANA = "https://github.com/NixOS/nixpkgs/pull/343790", "https://github.com/grafana/grafana/issues"
PUBLISHED = {
    f"evcc 0.130.13, start page with script, style and two fonts, by the log of its build ({EVCC}, 2024)": Bytes(
        3.06e3 + 572.73e3 + 262.55e3 + 86.80e3 + 87.04e3, 1.22e3 + 186.42e3 + 37.77e3 + 86.80e3 + 87.04e3
    ),
    f"Grafana, where one signs in, by a user's browser ({GRAFANA}/21074, 2019)": Bytes(
        37.4e3 + 14.6e3 + 339e3 + 3.3e3 + 173e3 + 1.5e6 + 260e3 + 2.7e6, None
    ),
    f"Grafana, two scripts that every page loads, by another's ({GRAFANA}/25001, 2020)": Bytes(3.4e6 + 1.4e6, None),
}


class Pages:
    """Open streams that are read, and how many bytes came."""

    def __init__(self, console: ConsoleProcess) -> None:
        self._console = console
        self._selector = selectors.DefaultSelector()
        self.sockets: list[socket.socket] = []
        self.received = 0

    def open(self, count: int) -> None:
        """Open so many."""
        for _ in range(count):
            page = socket.create_connection(("127.0.0.1", self._console.port))
            page.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{self._console.port}\r\n\r\n".encode())
            page.setblocking(False)
            self._selector.register(page, selectors.EVENT_READ)
            self.sockets.append(page)

    def read(self, until_s: float) -> None:
        """Read what comes, until a time."""
        while (left_s := until_s - time.monotonic()) > 0:
            for key, _ in self._selector.select(min(left_s, 0.2)):
                page = key.fileobj
                assert isinstance(page, socket.socket)
                self.received += len(page.recv(1 << 16))

    def close(self) -> None:
        """Close all."""
        for page in self.sockets:
            page.close()
        self._selector.close()


def say(ingest: Ingest, number: int) -> None:
    """Every resource's DOT anew, and that the ingest is well."""
    one = dot(dot_mw=10.0 + number % 10)
    ingest.say(status())
    ingest.bus.publish(
        [
            Outgoing(
                TOPICS.dot("sierra", f"R{each}"), encode(msgspec.structs.replace(one, resource_id=f"R{each}")), retain=True
            )
            for each in range(RESOURCES)
        ]
    )


def measure(console: ConsoleProcess, ingest: Ingest, pages: Pages, seconds: int) -> str:
    """The console's CPU and memory meanwhile."""
    process = psutil.Process(console.process.pid)
    before, begun, came = process.cpu_times(), time.monotonic(), pages.received
    for number in range(seconds):
        say(ingest, number)
        pages.read(begun + number + 1)
    after, took_s = process.cpu_times(), time.monotonic() - begun
    cpu = (after.user + after.system - before.user - before.system) / took_s * 100
    each = (pages.received - came) / took_s / max(len(pages.sockets), 1) / 1000
    return (
        f"{len(pages.sockets)} pages: {cpu:.0f} % of a core, {process.memory_info().rss / MB:.0f} MiB, {each:.1f} kB/s a page"
    )


def paint(console: ConsoleProcess) -> None:
    """First paint and bytes, each time by a browser that has nothing."""
    with browser() as chromium:
        for path in ("/", "/plants/sierra"):
            painted, ours = [], Bytes(0, 0)
            for _ in range(PAINTS):
                context = chromium.new_context()
                page = context.new_page()
                page.goto(console.address + path)
                page.wait_for_selector("body[data-live=live]")
                painted.append(page.evaluate(_PAINTED))
                ours = Bytes(*page.evaluate(_SIZES))
                context.close()
            median = statistics.median(painted)
            print(f"{path}: first paint {median:.0f} ms (median of {PAINTS}), {told(ours)}, without its data")
    for whose, theirs in PUBLISHED.items():
        print(f"{whose}: {told(theirs)}; {theirs.unpacked / ours.unpacked:.0f} times a plant's page")


def told(size: Bytes) -> str:
    """In words."""
    packed = "" if size.sent is None else f", {size.sent / 1000:.1f} kB sent"
    return f"{size.unpacked / 1000:.1f} kB unpacked{packed}"


def main() -> None:
    """Print what was measured."""
    count, seconds = (int(sys.argv[place]) if len(sys.argv) > place else given for place, given in ((1, 200), (2, 30)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = start_mosquitto(folder)
        ids = "".join(f'[[plant.resource]]\nid = "R{each}"\n' for each in range(RESOURCES))
        console = ConsoleProcess(folder, broker, CONFIG.replace('[[plant.resource]]\nid = "SOLAR"\n', ids))
        ingest, pages = Ingest(broker.port), Pages(console)
        try:
            print(measure(console, ingest, pages, seconds))
            pages.open(count)
            print(measure(console, ingest, pages, seconds))
            pages.close()
            paint(console)
        finally:
            ingest.bus.stop()
            console.stop()
            remove_mosquitto(broker)


if __name__ == "__main__":
    main()

"""The process: plain constructor calls, from the configuration to the loop."""

import asyncio
import threading
import time
from typing import Final

from prometheus_client import CollectorRegistry

from dotbus.judging.clock_steps import Moment
from dotbus.runtime.logs import get_logger
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.process import service_app
from dotbus.runtime.schedule import lasting_s, utc_now
from dotbus.runtime.starting import packages_of

with packages_of("console"):
    import uvicorn
    from starlette.applications import Starlette

    from console.access.local_access import LocalAccess
    from console.access.people import Access
    from console.access.sessions import Sessions
    from console.access.user_access import UserAccess
    from console.access.users import UsersFile
    from console.commanding import Commander
    from console.following import Following
    from console.meters import Meters
    from console.picture.picture import Picture
    from console.service import Service
    from console.settings import PREFIX, Configuration, ConsoleSettings, load_configuration
    from console.web.app import build_app
    from console.web.commands import Commands
    from console.web.streams import Streams
    from dotbus.web.connections import HEAD_MOST_BYTES, bounded
    from dotbus.web.door import allow_connections
    from dotbus.web.serving import Entrance, serve_in_loop, uvicorn_config

SERVICE: Final = "console"
SUMMARY: Final = "Topics to a page for people: live, each value with its quality."
STUCK_AFTER_S: Final = 15.0
"""When nothing was looked at for longer the loop is stuck, and only a restart can help."""
BESIDE_PAGES: Final = 200
"""Connections that ask for something else than a page's stream."""
STRANGERS_EACH_MOST: Final = 100
"""Of them of one address of which nobody is known yet."""


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    asyncio.run(_serve(configuration, stop))


async def _serve(configuration: Configuration, stop: threading.Event) -> None:
    settings, installation = configuration.own, configuration.installation
    registry, streams = CollectorRegistry(), Streams(settings.pages_most)
    following = Following(installation.topics, installation.modbus.accept_environments, _moment())
    meters = Meters(registry, streams.__len__)
    access = _access(settings, streams)
    look_at_people = (lambda: access.look(streams.sessions)) if isinstance(access, UserAccess) else None
    service = Service(following, Picture(installation, following), streams, _moment, meters.looked, look_at_people)
    meters.watch(service.measured)
    bus = Bus(configuration.bus, f"{SERVICE}-{configuration.service.instance}", clock=utc_now)
    service.follow(bus)
    source = f"{SERVICE}/{configuration.service.instance}"
    commander = Commander(bus, installation.topics, installation.environment, source, utc_now)
    entrance = Entrance(PREFIX, settings.host, settings.port, settings.certificate_file, settings.key_file)
    config = _config(build_app(streams, access, service.trend, Commands(commander)), entrance, settings.pages_most)
    listener = entrance.listen("pages")

    def health() -> dict[str, object]:
        looks = time.monotonic() - service.looked_at_s <= STUCK_AFTER_S
        return {"alive": looks, "ready": bus.connected, "broker": bus.connected, "pages": len(streams)}

    with serving_health(configuration.service, registry, health):
        bus.start()
        try:
            await asyncio.gather(service.run(stop), serve_in_loop(config, listener, stop))
        finally:
            bus.stop()


def _config(app: Starlette, entrance: Entrance, pages_most: int) -> uvicorn.Config:
    """How pages are served; connections that ask for none are bounded beside them."""
    most = pages_most + BESIDE_PAGES
    allow_connections(most)
    protocol = bounded(most, STRANGERS_EACH_MOST)
    return uvicorn_config(app, entrance, http=protocol, h11_max_incomplete_event_size=HEAD_MOST_BYTES, lifespan="off")


def _access(settings: ConsoleSettings, streams: Streams) -> Access:
    """People sign in where there are users."""
    log = get_logger("access")
    if settings.users_file is None:
        log.info("nobody signs in", next=f"{PREFIX}USERS_FILE names a file of `dotbus users`")
        return LocalAccess(settings.local_role)
    file = UsersFile(settings.users_file, lambda why: log.error("nobody can sign in", cause=why))
    sessions = Sessions(settings.session_idle_min * 60, settings.session_hours_most * 3600, streams.end_of)
    return UserAccess(file, sessions, lasting_s)


def _moment() -> Moment:
    return Moment(utc_now(), lasting_s())


def main() -> None:
    """The command `console`."""
    service_app(SERVICE, SUMMARY, load_configuration, run)()


if __name__ == "__main__":
    main()

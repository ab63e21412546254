"""The broker of the demonstration: amqtt, from pip, on loopback. MQTT 3.1.1, nothing on disk; never for a plant.

A process of its own: `python -m launcher.demo.embedded_broker USERS.json PORT`.
"""

import asyncio
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from amqtt.broker import Broker
from amqtt.session import Session
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from launcher.setup.broker_users import BrokerUser


def users_json(users: Sequence[BrokerUser], passwords: Mapping[str, str]) -> str:
    """What this process is told of its users: their passwords as hashes, and their topics."""
    # Cheap on purpose: throw-away passwords of one run, on loopback.
    hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1),))
    entries = {
        user.name: {"hash": hasher.hash(passwords[user.name]), "writes": user.writes, "reads": user.reads} for user in users
    }
    return json.dumps(entries)


def broker_configuration(users: Mapping[str, Any], port: int, password_file: Path) -> dict[str, Any]:
    """How amqtt is configured: one listener on loopback, users by password, each with its own topics."""
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {
            "amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(password_file)},
            "amqtt.plugins.topic_checking.TopicAccessControlListPlugin": {
                "publish_acl": {name: list(user["writes"]) or ["nothing"] for name, user in users.items()},
                "acl": {name: list(user["reads"]) or ["nothing"] for name, user in users.items()},
            },
        },
    }


class Subscriptions(dict[str, list[tuple[Session, int]]]):
    """Who hears what. Whoever walks through it sees it as it was at the beginning, so that others may subscribe meanwhile."""

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().__iter__()))

    def items(self) -> list[tuple[str, list[tuple[Session, int]]]]:  # type: ignore[override]  # a copy, no view
        """Every filter with its sessions, as they are now."""
        return [(topic_filter, list(sessions)) for topic_filter, sessions in super().items()]


class DemonstrationBroker(Broker):  # type: ignore[misc]  # amqtt has no types
    """amqtt 0.12, held to the protocol.

    - It gives up a message when somebody subscribes while it is handed out: see Subscriptions.
    - It takes a client that comes back for the session that it is just clearing away, and then clears its subscriptions, too.
    - It sends a client that connects what is retained for everybody's subscriptions.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._subscriptions = Subscriptions()

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """Subscribe a session in place of an earlier one of the same client."""
        subscribers = self._subscriptions.get(subscription[0], [])
        subscribers[:] = [entry for entry in subscribers if entry[0] is session or entry[0].client_id != session.client_id]
        granted: int = await super().add_subscription(subscription, session)
        return granted

    def _del_subscription(self, a_filter: str, session: Session) -> int:
        if any(subscriber is session for subscriber, _ in self._subscriptions.get(a_filter, ())):
            deleted: int = super()._del_subscription(a_filter, session)
            return deleted
        return 0

    async def _publish_retained_messages_for_subscription(self, subscription: tuple[str, int], session: Session) -> None:
        if any(subscriber.client_id == session.client_id for subscriber, _ in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)


async def _serve(users: Mapping[str, Any], port: int) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".passwords") as password_file:
        password_file.writelines(f"{name}:{user['hash']}\n" for name, user in users.items())
        password_file.flush()
        broker = DemonstrationBroker(broker_configuration(users, port, Path(password_file.name)))
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(stop.set))
        await broker.start()
        await stop.wait()
        await broker.shutdown()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    users_file, port = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(_serve(json.loads(Path(users_file).read_text(encoding="utf-8")), int(port)))


if __name__ == "__main__":
    main()

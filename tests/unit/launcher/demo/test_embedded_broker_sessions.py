"""The demonstration's broker keeps its promises to clients that come back or subscribe at an unlucky moment."""

import asyncio
from collections.abc import Awaitable, Callable

from amqtt.session import Session

from launcher.demo.embedded_broker import DemonstrationBroker, Subscriptions

CONFIGURATION = {"listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:0"}}, "plugins": {}}


def with_broker(story: Callable[[DemonstrationBroker], Awaitable[None]]) -> None:
    """Tell a story of a broker that does not listen."""

    async def tell() -> None:
        await story(DemonstrationBroker(CONFIGURATION))

    asyncio.run(tell())


def session(client_id: str) -> Session:
    one = Session()
    one.client_id = client_id
    one.clean_session = True
    return one


def test_a_client_that_comes_back_keeps_its_subscription_when_its_old_session_is_cleared_away():
    async def story(broker: DemonstrationBroker) -> None:
        old, new = session("gateway"), session("gateway")
        await broker.add_subscription(("plant/a/dot", 1), old)

        async def comes_back(_handler: object) -> None:
            await broker.add_subscription(("plant/a/dot", 1), new)

        broker._stop_handler = comes_back  # amqtt waits for this before it clears the subscriptions
        broker._sessions["gateway"] = (old, "handler")  # there is no other way in
        await broker._cleanup_session("gateway")
        assert [(subscriber is new, qos) for subscriber, qos in broker.subscriptions["plant/a/dot"]] == [(True, 1)]

    with_broker(story)


def test_a_client_subscribes_once_to_a_filter_and_others_keep_theirs():
    async def story(broker: DemonstrationBroker) -> None:
        gateway, console = session("gateway"), session("console")
        for one in (gateway, console, gateway):
            await broker.add_subscription(("plant/a/dot", 1), one)
        assert sorted(subscriber.client_id for subscriber, _ in broker.subscriptions["plant/a/dot"]) == ["console", "gateway"]
        await broker._del_all_subscriptions(console)  # what a disconnect does
        assert [subscriber for subscriber, _ in broker.subscriptions["plant/a/dot"]] == [gateway]

    with_broker(story)


def test_somebody_may_subscribe_while_a_message_is_handed_out():
    gateway, console = session("gateway"), session("console")
    subscriptions = Subscriptions({"a": [(gateway, 1)], "b": [(gateway, 1)]})
    seen = []
    for topic_filter, sessions in subscriptions.items():
        subscriptions.setdefault(f"{topic_filter}/more", []).append((console, 1))
        subscriptions["b"].append((console, 1))
        seen += [(topic_filter, subscriber.client_id) for subscriber, _ in sessions]
    assert seen == [("a", "gateway"), ("b", "gateway")]
    for topic_filter in subscriptions:
        subscriptions.pop(topic_filter)
    assert not subscriptions

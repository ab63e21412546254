"""Market: CAISO changes its mind. Batches are revised and cancelled, prices corrected, and what was published is remembered."""

import random
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import requests
from chaos.installation import MARKET, nodes
from chaos.stack import Stack

from launcher.look.sent import Sent, SentPrice

EVERY_S = (0.1, 0.6)
RECENT = 6
CORRECTED_BACK = timedelta(minutes=40)
Key = tuple[str, datetime]
"""A node and the start of an interval."""


class Market:
    """Changes something every now and then, until stopped.

    Attributes:
        published: by node and interval, the prices that were published, in their order; only where there was more than one.
        changes: how many changes there were, by kind.
    """

    def __init__(self, stack: Stack, chance: random.Random) -> None:
        self._stack = stack
        self._chance = chance
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.published: dict[Key, list[float]] = {}
        self.changes: dict[str, int] = defaultdict(int)
        self._all = (self._revise, self._revise, self._cancel, self._correct, self._correct, self._continue)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No change comes any more."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._chance.uniform(*EVERY_S)):
            change = self._chance.choice(
                (self._revise, self._revise, self._cancel, self._correct, self._correct, self._continue)
            )
            try:
                change()
            except requests.RequestException:  # it is busy
                self.changes["not answered"] += 1

    def _revise(self) -> None:
        batches = self._recent(batch_type=0)
        if batches:
            batch = self._chance.choice(batches)
            resource_id = self._chance.choice(batch.instructions).resource_id
            order = {"batch_uid": batch.batch_uid, "resource_id": resource_id, "dot_mw": round(self._chance.uniform(0, 90), 2)}
            self.changes["revisions"] += self._stack.ask_simulator("/revise", **order)

    def _cancel(self) -> None:
        batches = self._recent()
        if batches and self._chance.random() < 0.3:
            uid = self._chance.choice(batches).batch_uid
            self.changes["cancellations"] += self._stack.ask_simulator("/cancel", batch_uid=uid)

    def _continue(self) -> None:
        """Lists go on from where a batch was listed, or from its newest revision: nobody knows what CAISO's do."""
        continues = self._chance.choice(("listed", "newest"))
        self.changes["other lists"] += self._stack.ask_simulator("/conduct", continues=continues)

    def _recent(self, batch_type: int | None = None):
        sent = msgspec.json.decode(self._stack.read_simulator("/sent"), type=Sent)
        return [batch for batch in sent.batches if batch_type is None or batch.batch_type == batch_type][-RECENT:]

    def _correct(self) -> None:
        start = self._interval()
        chosen = self._chance.sample(nodes(), self._chance.randint(1, 3))
        for node in chosen:
            before = self.prices(node, start, start)
            lmp = round(self._chance.uniform(-50, 300), 5)
            if before and self._stack.ask_simulator("/correct", market=MARKET, node=node, start=start.isoformat(), lmp=lmp):
                self.published.setdefault((node, start), [before[0].lmp]).append(lmp)
                self.changes["corrections"] += 1

    def _interval(self) -> datetime:
        """Some interval that is over: old enough to have been read before, young enough to be read again."""
        now = datetime.now(UTC)
        at = now - self._chance.random() * CORRECTED_BACK - timedelta(minutes=5)
        return at - timedelta(seconds=at.timestamp() % 300)

    def prices(self, node: str, start: datetime, end: datetime) -> Sequence[SentPrice]:
        """What is published now."""
        query = {"market": MARKET, "node": node, "start": start.isoformat(), "end": end.isoformat()}
        return msgspec.json.decode(self._stack.read_simulator("/prices", **query), type=tuple[SentPrice, ...])

    def all_prices(self, starts: Sequence[datetime]) -> Iterator[tuple[Key, float]]:
        """What is published now, of every node, from the first to the last interval."""
        for node in nodes():
            for price in self.prices(node, min(starts), max(starts)):
                yield (node, price.interval_start), price.lmp

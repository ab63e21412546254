"""Progress: how far backfills are, as bars on a terminal, or a line now and then elsewhere."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self, TextIO

from rich import progress as bars
from rich.console import Console

from dotbus.contracts.messages import Backfill

_EVERY: Final = 0.1
"""Of the whole: where there is no terminal a line tells each time that so much more is done."""


class Progress:
    """Shows backfills until it is left.

    Args:
        out: where to.
    """

    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out)
        self._bars = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.TextColumn("{task.completed:,.0f} of {task.total:,.0f} requests, {task.fields[prices]:,} prices"),
            bars.TextColumn("{task.fields[rate]}"),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[detail]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, bars.TaskID] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def show(self, backfills: Sequence[Backfill]) -> None:
        """How far they are now."""
        for one in backfills:
            if self._console.is_terminal:
                self._show_bar(one)
            else:
                self._tell(one)

    def _show_bar(self, one: Backfill) -> None:
        if one.request_id not in self._tasks:
            name = f"{one.market} {one.nodes[0]}{' ...' if len(one.nodes) > 1 else ''}"
            self._tasks[one.request_id] = self._bars.add_task(name, total=one.requests, prices=0, rate="", detail="")
        task = self._tasks[one.request_id]
        elapsed_s = self._bars.tasks[self._bars.task_ids.index(task)].elapsed or 0.0
        rate = f"{one.prices / elapsed_s:,.0f} prices/s" if elapsed_s > 1 else ""
        self._bars.update(task, completed=one.requests_done, prices=one.prices, rate=rate, detail=one.detail)

    def _tell(self, one: Backfill) -> None:
        done = one.requests_done / max(one.requests, 1)
        if done - self._told.get(one.request_id, -_EVERY) >= _EVERY:
            self._told[one.request_id] = done
            line = f"{one.market}: {one.requests_done:,} of {one.requests:,} requests done, {one.prices:,} prices {one.detail}"
            self._console.print(line.rstrip(), highlight=False, soft_wrap=True)

"""Which subscriptions a topic matches, by MQTT's rules, at a cost that does not grow with their number.

Filters share a tree: a branch for each level, `+` and `#` among them as levels of their own. A topic is followed down once.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

ONE_LEVEL, ALL_BELOW = "+", "#"
SHARE = "$share/"

T = TypeVar("T")


@dataclass
class _Level(Generic[T]):
    below: dict[str, "_Level[T]"] = field(default_factory=dict)
    found: list[tuple[int, T]] = field(default_factory=list)
    """What was added for the filter that ends here, and as the how manieth."""


class TopicFilters(Generic[T]):
    """Filters and what belongs to each. Several may match one topic: the one that was added first counts."""

    def __init__(self) -> None:
        self._top = _Level[T]()
        self._count = 0

    def add(self, topic_filter: str, value: T) -> None:
        """Add a filter, also one of a shared subscription. One that was added with the same value stays as it is.

        Raises:
            ValueError: a shared subscription without a filter.
        """
        level = self._top
        for name in unshared(topic_filter).split("/"):
            level = level.below.setdefault(name, _Level())
        if all(value != known for _, known in level.found):
            level.found.append((self._count, value))
            self._count += 1

    def remove(self, topic_filter: str) -> None:
        """Take a filter back, with everything that was added for it. One that was not added is passed over."""
        level: _Level[T] | None = self._top
        for name in unshared(topic_filter).split("/"):
            level = level.below.get(name) if level else None
        if level:
            level.found.clear()

    def first(self, topic: str) -> T | None:
        """What belongs to the first filter that matches; None when there is none."""
        return min(self._found(topic), key=lambda found: found[0], default=(0, None))[1]

    def _found(self, topic: str) -> list[tuple[int, T]]:
        found: list[tuple[int, T]] = []
        here = [self._top]
        wild = not topic.startswith("$")  # a wildcard in front stands for no topic of the broker's own
        for name in topic.split("/"):
            if wild:
                found += _all_below(here)
            names = (name, ONE_LEVEL) if wild else (name,)
            here = [level.below[way] for level in here for way in names if way in level.below]
            wild = True
        found += _all_below(here)  # "a/#" is "a", too
        return found + [value for level in here for value in level.found]


def unshared(topic_filter: str) -> str:
    """The filter itself of `$share/GROUP/FILTER`: deliveries name the topic, never the group."""
    if not topic_filter.startswith(SHARE):
        return topic_filter
    group, slash, own = topic_filter.removeprefix(SHARE).partition("/")
    if not (group and slash and own):
        raise ValueError(f"{topic_filter} is no shared subscription: $share/GROUP/FILTER")
    return own


def _all_below(levels: list[_Level[T]]) -> list[tuple[int, T]]:
    return [value for level in levels if ALL_BELOW in level.below for value in level.below[ALL_BELOW].found]

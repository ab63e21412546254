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
    """Filters and what belongs to each. Several may match one topic, and one filter may be of several."""

    def __init__(self) -> None:
        self._top = _Level[T]()
        self._count = 0

    def add(self, topic_filter: str, value: T) -> None:
        """Add a filter, also one of a shared subscription. Added with the same value once more, it stays as it is.

        Raises:
            ValueError: a shared subscription without a filter.
        """
        level = self._top
        for name in unshared(topic_filter).split("/"):
            level = level.below.setdefault(name, _Level())
        if all(value != known for _, known in level.found):
            level.found.append((self._count, value))
            self._count += 1

    def remove(self, topic_filter: str, value: T) -> bool:
        """Take a filter back for one value; passed over when it was not added. Returns whether the filter is nobody's now."""
        level: _Level[T] | None = self._top
        for name in unshared(topic_filter).split("/"):
            level = level.below.get(name) if level else None
        if level is None:
            return True
        level.found[:] = [found for found in level.found if found[1] != value]
        return not level.found

    def of(self, topic: str) -> tuple[T, ...]:
        """What belongs to the filters that match, each once, in the order in which it was added."""
        distinct: list[T] = []
        for _, value in sorted(self._found(topic), key=lambda found: found[0]):
            if value not in distinct:
                distinct.append(value)
        return tuple(distinct)

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

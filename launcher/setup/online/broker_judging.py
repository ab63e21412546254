"""What each user of the broker may, from what it saw there and what the others saw. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dotbus.runtime.mqtt.topic_filters import TopicFilters
from launcher.setup.online.answers import Answer, Whom
from launcher.setup.online.broker_logins import Login, reason_at

NOBODY: Final = "dotbus-check"
"""Stands for each name in a topic on which a user asks for leave to publish."""
_SOME: Final = 4
_LIST: Final = (
    "see that the broker's access list is the one that `dotbus certificates init` writes for this file, and that the broker "
    "was restarted since"
)
_HINTS: Final = (
    ("not to be trusted", "see that {variables}CA_FILE is the broker's authority, and that its certificate names {host}"),
    ("no TLS came about", "see that this is the broker's port for TLS"),
    (
        "refuses us",
        "see that user and password ({variables}) are those of the broker's password file, and that it has read it",
    ),
    ("does not let us in", "see that user and password ({variables}) are in the broker's password file"),
    ("cannot be reached", "see that the broker runs, and that host and port are right"),
)
"""What to do, by the first of these words that is among those of the bus."""


@dataclass(frozen=True)
class Seen:
    """What one user saw at the broker.

    Attributes:
        away: why it was not let in; empty when it was.
        heard: the topics of what it was given.
        not_heard: the filters that the broker refused, each with its reason.
        not_said: the topics that it refused to take anything on, each with its reason; None when that could not be asked.
        unasked: why it could not.
    """

    login: Login
    away: str = ""
    heard: frozenset[str] = frozenset()
    not_heard: Mapping[str, str] = field(default_factory=dict)
    not_said: Mapping[str, str] | None = None
    unasked: str = ""


def judge(seen: Sequence[Seen]) -> Iterator[Answer]:
    """An answer for each user, in their order. What the others were given shows what there is to hear."""
    for one in seen:
        place = one.login.settings.host, one.login.settings.port
        beside = [other for other in seen if (other.login.settings.host, other.login.settings.port) == place]
        yield _judge(one, frozenset[str]().union(*(other.heard for other in beside)))


def topic_of(topic_filter: str) -> str:
    """A topic that a filter matches, whose names are nobody's."""
    return "/".join(NOBODY if level in {"+", "#"} else level for level in topic_filter.split("/"))


def is_made_up(topic: str) -> bool:
    """Whether a topic is one that users ask for leave on."""
    return NOBODY in topic.split("/")


def _judge(one: Seen, there: frozenset[str]) -> Answer:
    if one.away:
        return _answer(one, one.away + _hint(one), good=False)
    refused = {name for name in one.login.user.writes if topic_of(name) in (one.not_said or {})}
    withheld = _withheld(one, there)
    if refused or one.not_heard or withheld:
        wrong = [_told("may not publish on", sorted(refused)), _told("may not subscribe to", sorted(one.not_heard))]
        wrong.append(_told("is not given what the broker keeps on", withheld))
        return _answer(one, f"is let in, but {'; '.join(filter(None, wrong))}: {_LIST}", good=False)
    return _answer(one, f"is let in; {_may_say(one)}; {_hears(one)}", good=True)


def _withheld(one: Seen, there: frozenset[str]) -> list[str]:
    """The filters on which others were given what this one was not."""
    return [name for name in one.login.user.reads if name not in one.not_heard and (_matching(name, there) - one.heard)]


def _may_say(one: Seen) -> str:
    return one.unasked if one.not_said is None else "may publish all that it says"


def _hears(one: Seen) -> str:
    reads = one.login.user.reads
    proven = sum(1 for name in reads if _matching(name, one.heard))
    if proven == len(reads):
        return "hears all that it should"
    unproven = f"on the other {len(reads) - proven}" if proven else "on them"
    return f"hears {proven} of {len(reads)} kinds of topics, and {unproven} the broker keeps nothing that would show it"


def _matching(topic_filter: str, topics: frozenset[str]) -> frozenset[str]:
    filters = TopicFilters[bool]()
    filters.add(topic_filter, True)  # noqa: FBT003  # a value that says nothing
    return frozenset(topic for topic in topics if filters.of(topic))


def _told(what: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _SOME} more" if len(names) > _SOME else ""
    return f"{what} {', '.join(names[:_SOME])}{more}" if names else ""


def _hint(one: Seen) -> str:
    settings = one.login.settings
    for words, hint in _HINTS:
        if words in one.away:
            return f"; {hint.format(variables=one.login.variables, host=settings.host)}"
    return ""


def _answer(one: Seen, said: str, *, good: bool) -> Answer:
    place = one.login.place
    mistakes = () if good or place is None else (reason_at(place, "the broker does not take this plant's user as it should"),)
    return Answer(whom=Whom.BROKER, asked=one.login.asked, good=good, said=said, mistakes=mistakes)

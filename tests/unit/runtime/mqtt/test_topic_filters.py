import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from dotbus.runtime.mqtt.topic_filters import TopicFilters

NAMES = ["", "a", "b", "$SYS", "$a", "é"]
TOPIC = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5).map("/".join).filter(bool)
FILTER = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(st.sampled_from([*NAMES, "+"]), max_size=4),
    st.sampled_from([[], ["#"], ["+"]]),
).filter(bool)


def matching(*filters: str) -> TopicFilters[str]:
    tree = TopicFilters[str]()
    for topic_filter in filters:
        tree.add(topic_filter, topic_filter)
    return tree


@given(st.lists(FILTER, max_size=8), TOPIC)
def test_all_filters_that_paho_matches_are_found_in_the_order_in_which_they_were_added(filters: list[str], topic: str):
    expected = dict.fromkeys(topic_filter for topic_filter in filters if topic_matches_sub(topic_filter, topic))
    assert matching(*filters).of(topic) == tuple(expected)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "matches"),
    [
        ("sport/#", "sport", True),
        ("sport/#", "sport/a/b", True),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+", "/finance", False),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("$SYS/+", "$SYS/uptime", True),
        ("a/+", "a/$b", True),
        ("a/#", "a/$b", True),
    ],
)
def test_wildcards_mean_what_the_standard_says(topic_filter: str, topic: str, matches: bool):  # noqa: FBT001  # a parameter of the table
    """MQTT 5, sections 4.7.1 and 4.7.2."""
    assert bool(matching(topic_filter).of(topic)) is matches


def test_a_shared_subscription_matches_what_its_filter_does():
    tree = matching("$share/historians/plant/+/dispatch", "$share/historians//x")
    assert tree.of("plant/sierra/dispatch")
    assert tree.of("/x")
    assert not tree.of("historians/plant/sierra/dispatch")


@pytest.mark.parametrize("topic_filter", ["$share/", "$share/group", "$share/group/", "$share//filter"])
def test_a_shared_subscription_without_a_filter_is_refused(topic_filter: str):
    with pytest.raises(ValueError, match="GROUP/FILTER"):
        TopicFilters[str]().add(topic_filter, "")


def test_who_asked_by_several_filters_is_found_once():
    tree = TopicFilters[str]()
    for topic_filter in ("a/#", "a/b", "a/b"):
        tree.add(topic_filter, "who")
    assert tree.of("a/b") == ("who",)


def test_a_filter_that_several_added_is_nobodys_once_the_last_took_it_back():
    tree = TopicFilters[str]()
    tree.add("a/b", "first")
    tree.add("a/b", "second")
    assert not tree.remove("a/b", "first")
    assert tree.of("a/b") == ("second",)
    assert tree.remove("a/b", "second")
    assert tree.of("a/b") == ()


@given(st.lists(FILTER, max_size=8), st.lists(FILTER, max_size=4), TOPIC)
def test_what_is_removed_matches_nothing_and_takes_nothing_else_with_it(filters: list[str], removed: list[str], topic: str):
    tree = matching(*filters, *removed)
    for each in removed:
        tree.remove(each, each)
    assert tree.remove("never/added", "")
    left = [each for each in filters if each not in removed]
    assert tree.of(topic) == tuple(dict.fromkeys(each for each in left if topic_matches_sub(each, topic)))

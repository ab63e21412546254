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
def test_the_first_of_the_filters_that_paho_matches_is_found(filters: list[str], topic: str):
    expected = next((topic_filter for topic_filter in filters if topic_matches_sub(topic_filter, topic)), None)
    assert matching(*filters).first(topic) == expected


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
    assert (matching(topic_filter).first(topic) is not None) is matches


def test_a_shared_subscription_matches_what_its_filter_does():
    tree = matching("$share/historians/plant/+/dispatch", "$share/historians//x")
    assert tree.first("plant/sierra/dispatch")
    assert tree.first("/x")
    assert tree.first("historians/plant/sierra/dispatch") is None


@pytest.mark.parametrize("topic_filter", ["$share/", "$share/group", "$share/group/", "$share//filter"])
def test_a_shared_subscription_without_a_filter_is_refused(topic_filter: str):
    with pytest.raises(ValueError, match="GROUP/FILTER"):
        TopicFilters[str]().add(topic_filter, "")


def test_of_two_filters_the_one_added_first_counts_whichever_is_narrower():
    assert matching("a/#", "a/b").first("a/b") == "a/#"
    assert matching("a/b", "a/#").first("a/b") == "a/b"


@given(st.lists(FILTER, max_size=8), st.lists(FILTER, max_size=4), TOPIC)
def test_what_is_removed_matches_nothing_and_takes_nothing_else_with_it(filters: list[str], removed: list[str], topic: str):
    tree = matching(*filters, *removed)
    for each in removed:
        tree.remove(each)
    tree.remove("never/added")
    left = [each for each in filters if each not in removed]
    assert tree.first(topic) == next((each for each in left if topic_matches_sub(each, topic)), None)

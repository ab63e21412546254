"""No secret reaches a log."""

from dotbus.runtime.logs import LONGEST_TEXT, redact


def test_values_of_telling_keys_are_hidden():
    event = redact(None, "info", {"event": "x", "mqtt_password": "p", "api_token": "t", "topic": "a/b"})
    assert event == {"event": "x", "mqtt_password": "***", "api_token": "***", "topic": "a/b"}


def test_a_password_inside_an_address_is_hidden_and_the_rest_is_not():
    event = redact(None, "info", {"event": "no answer from postgresql://historian:s3cret@db/dotbus"})
    assert event["event"] == "no answer from postgresql://historian:***@db/dotbus"


def test_a_secret_within_a_value_is_hidden_too():
    event = redact(None, "info", {"settings": {"password": "p", "urls": ["http://u:s3cret@h", "a"]}, "mistakes": ("x",)})
    assert event == {"settings": {"password": "***", "urls": ["http://u:***@h", "a"]}, "mistakes": ["x"]}


def test_what_is_long_is_cut_and_takes_no_longer_to_look_through_than_it_is_long():
    event = redact(None, "info", {"id": "x" * 5_000_000, "causes": ["://u:s3cret@h " + "y" * 20_000]})
    assert event["id"] == "x" * LONGEST_TEXT + "... (5,000,000 characters)"
    assert event["causes"][0].startswith("://u:***@h yyy")
    assert len(event["causes"][0]) < LONGEST_TEXT + 50

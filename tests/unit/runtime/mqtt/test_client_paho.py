"""paho's inside is not promised to anybody. This fails when the parts change that our client replaces or rests on."""

import hashlib
import inspect

import paho.mqtt.client as mqtt

from dotbus.runtime.mqtt.client import BusClient

OVERRIDDEN = {"__init__", "loop_read", "_packet_write", "reconnect"}
OURS = {"on_messages", "on_answers", "on_lost", "_five", "not_reached", "_incoming", "_writer_is_told", "_write_is_half_done"}
READ_AND_FOUND_TO_FIT = {
    "loop_read": "4fa11ca2d451dbec",
    "_packet_write": "d097b7b51bed128d",
    "reconnect": "3ecdf1a8299e8c8a",
    "_loop": "7372a4c2fc81b7f4",
    "loop_write": "57c360e5ae749fd9",
    "want_write": "dc5eaf22e9d3a4ca",
    "loop_misc": "e9c8f0e45281062e",
    "_check_keepalive": "162b7cd2a4d56585",
    "loop_forever": "4b19e7ecf7fe0463",
    "loop_start": "c0334ed74b61fcda",
    "loop_stop": "47bbc1e81b618d1e",
    "disconnect": "63573546b4bccfac",
    "_packet_queue": "e298fa9ab31e5f79",
    "_packet_handle": "ac4c129ed409db42",
    "_loop_rc_handle": "ee5ad3b7849433a4",
    "_sock_send": "300d9f1031bd0dbd",
    "_sock_close": "638e9c4e5a7f32ae",
    "_reset_sockets": "b989a66fdd993c53",
    "_mid_generate": "55fc1e4a5f1584fb",
    "_handle_connack": "39267140212c8b5f",
    "_handle_disconnect": "609b75a1d71460a7",
    "_handle_publish": "1bbaa3ef0e3afc6d",
    "_handle_pubrel": "62a366a76a29d6c7",
    "_handle_on_message": "8ccc46fdb090aead",
    "_do_on_disconnect": "4669601f8a462ca4",
    "_send_connect": "64e5d20b72bd6aa8",
}


def test_of_paho_only_the_parts_that_are_named_are_overridden():
    ours = {name for name, value in vars(BusClient).items() if callable(value)}
    assert ours & set(dir(mqtt.Client)) == OVERRIDDEN


def test_paho_has_no_attribute_of_a_name_of_ours():
    """It would be replaced without anybody's intent."""
    ours = vars(BusClient("client", five=True, persistent=False)).keys()
    assert ours - vars(mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)).keys() == OURS


def test_what_is_overridden_or_rested_on_is_as_it_was_when_it_was_read():
    changed = [
        name
        for name, digest in READ_AND_FOUND_TO_FIT.items()
        if hashlib.sha256(inspect.getsource(getattr(mqtt.Client, name)).encode()).hexdigest()[:16] != digest
    ]
    assert not changed, (
        f"paho-mqtt has changed {', '.join(changed)}: read them beside dotbus/runtime/mqtt/client.py, then note their"
        " new digests here and the version in pyproject.toml"
    )

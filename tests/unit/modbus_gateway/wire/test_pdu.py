import pytest
from gateway_story import Gateway, point, trajectory

from modbus_gateway.wire.pdu import answer

UNITS = frozenset({1})


@pytest.fixture(scope="module")
def image():
    gateway = Gateway(block=[{"profile": "classic", "unit_id": 1}])
    gateway.hear(*(trajectory(point(60, 12.5), resource=resource) for resource in ("SOLAR", "BESS", "HYDRO", "PUMP")))
    return gateway.render(1)


def ask(image, request: str, unit_id: int = 1) -> str:
    return answer(image, UNITS, unit_id, bytes.fromhex(request)).hex(" ")


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("03 0000 0002", "03 04 00 00 41 48"),
        ("04 0000 0001", "04 02 00 00"),
        ("01 0000 0003", "01 01 04"),
        ("02 0002 0009", "02 02 01 00"),
    ],
)
def test_reads_are_answered_alike_by_both_functions_of_a_table(image, request_, reply):
    assert ask(image, request_) == reply


@pytest.mark.parametrize("request_", ["05 0000 ff00", "06 0000 0001", "0f 0000 0001 01 01", "10 0000 0001 02 0001", "16 0000"])
def test_every_write_is_refused_as_a_function(image, request_):
    function = int(request_[:2], 16)
    assert ask(image, request_) == f"{function | 0x80:02x} 01"


@pytest.mark.parametrize("function", [0x00, 0x07, 0x11, 0x17, 0x2B, 0x7F, 0x83, 0xFF])
def test_an_unknown_function_is_named_in_its_refusal(image, function):
    assert ask(image, f"{function:02x}") == f"{function | 0x80:02x} 01"


@pytest.mark.parametrize(
    "request_", ["03 0000 0000", "03 0000 007e", "04 0000 ffff", "01 0000 07d1", "02 0000 0000", "03 0000", "03 0000 0001 00"]
)
def test_a_count_that_no_reply_can_carry_is_refused(image, request_):
    assert ask(image, request_).endswith(" 03")


@pytest.mark.parametrize(
    "request_", ["03 0040 0001", "03 003f 0002", "03 ffff 0001", "03 0000 007d", "01 0010 0001", "02 0000 07d0"]
)
def test_addresses_outside_every_block_are_refused(image, request_):
    assert ask(image, request_).endswith(" 02")


def test_an_unknown_unit_is_a_gateway_target_that_failed_to_respond(image):
    assert ask(image, "03 0000 0001", unit_id=2) == "83 0b"
    assert ask(image, "06 0000 0001", unit_id=2) == "86 0b"


def test_without_an_image_that_is_up_to_date_every_read_fails():
    assert [ask(None, f"0{function} 0000 0001") for function in (1, 2, 3, 4)] == ["81 04", "82 04", "83 04", "84 04"]

"""Another map in the place of the one in force: what is known counts on, what is shown no more is forgotten."""

import struct

from gateway_story import Gateway, at, dot, interval, lmp, price, status, trajectory
from gateway_story import point as dop

from dotbus.contracts.messages import Environment
from modbus_gateway.wire.images.image import Refusal

GOOD, BAD = 192, 0
BLOCK = {"profile": "plant", "unit_id": 11, "plants": ["sierra"]}
NOTHING = 0x7FC0


def block(unit_id: int = 11, address: int = 0, **more: object) -> dict[str, object]:
    return {**BLOCK, "unit_id": unit_id, "address": address, **more}


def point(address: int, quantity: str = "dot_mw", **more: object) -> dict[str, object]:
    return {"unit_id": 20, "address": address, "quantity": quantity, "resource": "SOLAR", **more}


def told(gateway: Gateway) -> Gateway:
    gateway.hear(
        status(-10),
        status(-10, service="lmp_ingest"),
        dot(interval(-60, 10)),
        trajectory(dop(-60, 10), dop(240, 20)),
        lmp(price(-60, 42.0)),
    )
    return gateway


def megawatts(gateway: Gateway, now_s: float, unit_id: int, address: int) -> float:
    words = gateway.words(now_s, unit_id, address, 2)
    return struct.unpack(">f", struct.pack(">HH", *words))[0]


def test_what_both_maps_show_is_as_good_as_it_was_from_the_first_request_on():
    gateway = told(Gateway(block=[block()]))
    before = gateway.words(5, 11, 100, 40)
    gateway.change_map(block=[block(), block(12, profile="classic", address=0)])
    assert gateway.words(5, 11, 100, 40) == before
    assert before[0] == GOOD


def test_another_map_shows_what_it_would_show_had_it_been_in_force_all_the_time():
    maps = [
        {"block": [block()]},
        {"block": [block(word_order="little", address=300), block(12)], "point": [point(0)], "stale_after_s": 20},
        {"block": [{"profile": "plant", "unit_id": 11, "resources": ["BESS", "", "SOLAR"]}], "stale_after_s": 4},
    ]
    for before in maps:
        for after in maps:
            changed, lasting = told(Gateway(**before)), told(Gateway(**after))
            changed.words(1, 11, 300 if before is maps[1] else 0, 40)
            changed.change_map(**after)
            for now_s in (1.0, 30.0, 100.0, 400.0):
                for span in lasting.map.spans:
                    for start in range(span.start, span.start + span.length, 100):
                        count = min(100, span.start + span.length - start)
                        read = [one.render(now_s).read_registers(span.unit_id, start, count) for one in (changed, lasting)]
                        assert span.table.has_bits or read[0] == read[1], (before, after, now_s, start)


def test_what_moves_to_another_address_is_there_at_once_and_a_unit_that_went_is_none():
    gateway = told(Gateway(point=[point(0)]))
    assert megawatts(gateway, 5, 20, 0) == 10
    gateway.change_map(point=[point(40, unit_id=21)])
    assert megawatts(gateway, 5, 21, 40) == 10
    assert gateway.images.look(20) is None
    assert gateway.read_registers(21, 0, 2) is Refusal.ADDRESS


def test_what_is_held_while_it_is_bad_is_held_on_and_no_longer_than_it_would_have_been():
    held = {"point": [point(0, on_bad="hold"), point(10, "dot_quality")], "hold_at_most_s": 100, "stale_after_s": 50}
    gateway = told(Gateway(**held))
    gateway.words(5, 20, 0, 2)
    gateway.words(60, 20, 0, 2)
    assert megawatts(gateway, 100, 20, 0) == 10
    gateway.change_map(**held, block=[block()])
    assert megawatts(gateway, 140, 20, 0) == 10
    gateway.change_map(**held)
    assert megawatts(gateway, 149, 20, 0) == 10
    assert gateway.words(152, 20, 0, 1) == [NOTHING]


def test_what_is_held_of_one_resource_is_never_shown_of_another():
    held = [point(0, on_bad="hold"), point(10, "dot_quality"), point(20, "dot_quality", resource="BESS")]
    gateway = told(Gateway(point=held, stale_after_s=50))
    gateway.words(5, 20, 0, 2)
    gateway.change_map(point=[point(0, on_bad="hold", resource="BESS"), *held[1:]], stale_after_s=50)
    assert gateway.words(60, 20, 0, 1) == [NOTHING]


def test_what_an_environment_said_that_is_accepted_no_more_is_no_value_and_is_not_held():
    held = [point(0, on_bad="hold"), point(10, "dot_quality")]
    gateway = Gateway(point=held, accept_environments=["production", "stage"])
    gateway.hear(dot(interval(-60, 10), environment=Environment.STAGE))
    gateway.hear(status(0, environment=Environment.STAGE))
    assert megawatts(gateway, 5, 20, 0) == 10
    gateway.change_map(point=held, accept_environments=["production"])
    assert gateway.words(5, 20, 0, 1) == [NOTHING]
    assert gateway.words(5, 20, 10, 1) == [BAD]
    assert not gateway.received.sources


def test_what_was_shown_no_more_meanwhile_is_not_remembered():
    """Nobody listened, so it may have been taken back."""
    gateway = told(Gateway(block=[block()]))
    gateway.change_map(block=[block(plants=["delta"])])
    gateway.change_map(block=[block()])
    assert gateway.words(5, 11, 100, 2) == [BAD, 1]


def test_a_clock_that_was_set_just_before_is_noticed_once():
    gateway = told(Gateway(block=[block()]))
    heard = gateway.received.sources["ads_ingest/a"].latest
    assert heard
    gateway.images._wall = lambda: at(gateway.now_s + 3600)
    wall = gateway.images._wall
    gateway.change_map(block=[block(12)])
    gateway.images._wall = wall
    gateway.words(5, 12, 100, 2)
    moved = gateway.received.sources["ads_ingest/a"].latest
    assert moved
    assert (moved.arrived_at - heard.arrived_at).total_seconds() == 3600 - 2


def test_map_hash_changes_with_the_map():
    gateway = told(Gateway(block=[block()]))
    gateway.change_map(block=[block()], point=[point(400, unit_id=11), {"unit_id": 11, "address": 402, "quantity": "map_hash"}])
    words = gateway.words(5, 11, 402, 2)
    assert words[0] << 16 | words[1] == gateway.map.hashes[11]

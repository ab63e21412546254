from prometheus_client import CollectorRegistry

from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.pdu import FUNCTIONS, refused


def test_each_function_and_each_exception_has_its_counter_from_the_start():
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)

    def counted(name: str, label: str, value: str) -> float | None:
        return registry.get_sample_value(f"dotbus_modbus_{name}_total", {label: value})

    assert {counted("requests", "function", str(function)) for function in (*FUNCTIONS, "other")} == {0}
    assert {counted("exceptions", "code", str(int(refusal))) for refusal in Refusal} == {0}
    metrics.answered(3, bytes.fromhex("03 02 1000"))
    metrics.answered(3, refused(3, Refusal.ADDRESS))
    for unknown in (0x63, 0xFF):
        metrics.answered(unknown, refused(unknown, Refusal.FUNCTION))
    assert (counted("requests", "function", "3"), counted("requests", "function", "other")) == (2, 2)
    assert (counted("exceptions", "code", "2"), counted("exceptions", "code", "1")) == (1, 2)

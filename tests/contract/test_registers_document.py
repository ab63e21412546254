from pathlib import Path

from modbus_gateway.map.quantities import QUANTITIES

ROOT = Path(__file__).parents[2]


def test_docs_registers_names_every_quantity():
    page = (ROOT / "docs" / "registers.md").read_text(encoding="utf-8")
    assert [name for name in QUANTITIES if f"| `{name}` |" not in page] == []

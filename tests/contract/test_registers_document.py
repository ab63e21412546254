from pathlib import Path

from dotbus.runtime.installation_file import load_installation
from modbus_gateway.quantities import QUANTITIES
from modbus_gateway.register_table import render_markdown

ROOT = Path(__file__).parents[2]


def test_docs_registers_says_what_the_code_serves():
    """Run `make docs` after a change of the map, and read the difference: integrators rely on these addresses."""
    example = load_installation(ROOT / "config" / "dotbus.example.toml")
    assert (ROOT / "docs" / "registers.md").read_text(encoding="utf-8") == render_markdown(example)


def test_docs_registers_names_every_quantity():
    page = (ROOT / "docs" / "registers.md").read_text(encoding="utf-8")
    assert [name for name in QUANTITIES if f"| `{name}` |" not in page] == []

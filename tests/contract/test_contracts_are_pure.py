"""Anybody can take the contracts as they are: nothing but msgspec comes with them, and nothing that does I/O."""

import ast
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).parents[2] / "libs" / "dotbus" / "contracts"
ALLOWED = {"collections", "dataclasses", "datetime", "enum", "functools", "math", "re", "types", "typing", "urllib.parse"} | {
    "dotbus.contracts",
    "msgspec",
}


@pytest.mark.parametrize("module", sorted(CONTRACTS.rglob("*.py")), ids=lambda module: str(module.relative_to(CONTRACTS)))
def test_a_contract_imports_only_what_cannot_do_anything(module: Path):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert {name for name in named if not any(name == one or name.startswith(f"{one}.") for one in ALLOWED)} == set()

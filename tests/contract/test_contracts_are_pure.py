"""Anybody can take contracts and set-points as they are: nothing but msgspec comes with them, and nothing that does I/O."""

import ast
from pathlib import Path

import pytest

DOTBUS = Path(__file__).parents[2] / "libs" / "dotbus"
PURE = [module for folder in ("contracts", "setpoints") for module in (DOTBUS / folder).rglob("*.py")]
STANDARD = {
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "heapq",
    "itertools",
    "math",
    "re",
    "types",
    "typing",
}
ALLOWED = STANDARD | {"urllib.parse", "dotbus.contracts", "dotbus.setpoints", "msgspec"}


@pytest.mark.parametrize("module", sorted(PURE), ids=lambda module: str(module.relative_to(DOTBUS)))
def test_a_contract_imports_only_what_cannot_do_anything(module: Path):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert {name for name in named if not any(name == one or name.startswith(f"{one}.") for one in ALLOWED)} == set()

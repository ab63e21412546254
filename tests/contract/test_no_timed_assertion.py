"""No test fails because a machine is slow: seconds are measured in bench; tests hold what happens, and how much work it is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).parents[1]
CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time", "time"}


def tells_time(expression: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCKS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "time"
        for node in ast.walk(expression)
    )


def lengths(tree: ast.AST) -> set[str]:
    """The names that are given how long something took."""
    return {
        ast.unparse(target.value if isinstance(target, ast.Subscript) else target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and tells_time(node.value)
        if any(isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub) for part in ast.walk(node.value))
        for target in node.targets
    }


def timed_assertions(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    names = lengths(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and (tells_time(node.test) or names & {*map(ast.unparse, ast.walk(node.test))}):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    "text",
    [
        "began = time.monotonic()\nwork()\nassert time.monotonic() - began < 3.0",
        "began = time.perf_counter()\ntook[each] = time.perf_counter() - began\nassert took['a'] < 2",
    ],
)
def test_an_assertion_about_how_long_something_took_is_found(text: str):
    assert [*timed_assertions(text)] == [text.splitlines()[-1]]


def test_no_test_asserts_how_long_something_took():
    found = {path: [*timed_assertions(path.read_text(encoding="utf-8"))] for path in TESTS.rglob("*.py")}
    assert {path: asserted for path, asserted in found.items() if asserted} == {}


def test_no_test_of_properties_has_a_deadline():
    assert hypothesis.settings.default.deadline is None

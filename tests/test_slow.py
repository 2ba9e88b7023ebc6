"""The list of slow tests names tests that exist."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.conftest import slow_tests

HERE = Path(__file__).resolve().parent


def _tests_of(path: Path) -> set[str]:
    """Names of functions, and of methods with their class, as pytest writes them."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{n.name}" for n in node.body if isinstance(n, ast.FunctionDef)}
    return names


def test_every_slow_test_is_there() -> None:
    names = slow_tests()
    assert names == sorted(set(names))
    for name in names:
        file, _, test = name.partition("::")
        assert test in _tests_of(HERE / file), (
            f"tests/slow.txt: {name} is gone; pytest --write-slow"
        )

"""The arrows of the house: imports go down only, heavy libraries stay in their rooms."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "cr_audit"

# A module may import from its own layer and from the layers above it in this list (lower numbers).
LAYERS: dict[str, int] = {
    "errors": 0,
    "arrays": 0,
    "wording": 0,
    "data": 1,
    "clones": 2,
    "weights": 2,
    "models": 2,
    "readers": 3,
    "embed": 3,
    "analysis": 4,
    "simulate": 4,
    "export": 4,
    "findings": 5,
    "audits": 5,
    "gate": 6,
    "report": 7,
    "cli": 8,
}
NUMERICS = {"clones", "weights", "models"}
# What each layer of numerics may not see, and where a library may live.
ONLY_IN = {
    "hnswlib": {"clones.neighbours"},
    "rich": {
        "report.terminal",
        "report.clone_tables",
        "report.gate_terminal",
        "report.places",
        "report.rewards",
        "report.rule_pages",
        "report.screen",
        "report.simulations",
        "report.stress",
        "report.weight_tables",
        "report.win_rate_tables",
        "cli",
    },
    "typer": {"cli"},
    "resvg_py": {"report.png"},
    "fontpkg_noto_sans": {"report.png"},
    "torch": {"embed", "models.rewards"},
    "sentence_transformers": {"embed"},
    "model2vec": {"embed"},
    "polars": {"data", "readers", "embed", "analysis", "simulate", "export", "cli"},
}
LAZY = {"torch", "sentence_transformers", "model2vec", "transformers"}


def modules() -> list[tuple[str, Path]]:
    out = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts)
        out.append((name.removesuffix(".__init__"), path))
    return out


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skip: set[ast.AST] = set()
    for node in ast.walk(tree):
        is_type_checking = (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        )
        if is_type_checking or (
            top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ):
            skip.update(ast.walk(node))
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in skip:
            continue
        if isinstance(node, ast.Import):
            found.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found.update(f"{node.module}.{a.name}" for a in node.names)
    return found


def room(dotted: str) -> str:
    return dotted.split(".")[0]


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda x: x if isinstance(x, str) else "")
def test_imports_go_down_only(name: str, path: Path) -> None:
    if name in ("__init__", "__main__"):
        return
    mine = LAYERS[room(name)]
    for imported in imports(path):
        if not imported.startswith("cr_audit."):
            continue
        target = imported.removeprefix("cr_audit.")
        if room(target) not in LAYERS:  # a name of cr_audit/__init__.py itself
            continue
        assert LAYERS[room(target)] <= mine, f"{name} imports upwards: {imported}"
        if room(name) in NUMERICS:
            assert room(target) in NUMERICS | {"errors", "arrays"}, f"{name} imports {imported}"


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda x: x if isinstance(x, str) else "")
def test_libraries_stay_in_their_rooms(name: str, path: Path) -> None:
    used = {i.split(".")[0] for i in imports(path)}
    for library, rooms in ONLY_IN.items():
        if library in used:
            allowed = any(name == r or name.startswith(r + ".") for r in rooms)
            assert allowed, f"{name} imports {library}"


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda x: x if isinstance(x, str) else "")
def test_heavy_libraries_are_imported_late(name: str, path: Path) -> None:
    used = {i.split(".")[0] for i in imports(path, top_level_only=True)}
    assert not used & LAZY, f"{name} imports {used & LAZY} at import time"


def test_no_room_without_a_name() -> None:
    for name, _ in modules():
        assert not set(name.split(".")) & {"utils", "common", "core", "helpers"}, name


def test_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {}
    names = {n for n, _ in modules()}
    for name, path in modules():
        targets = set()
        for imported in imports(path):
            dotted = imported.removeprefix("cr_audit.") if imported.startswith("cr_audit.") else ""
            while dotted and dotted not in names:
                dotted = dotted.rpartition(".")[0]
            if dotted and dotted != name:
                targets.add(dotted)
        graph[name] = targets
    done: set[str] = set()

    def visit(node: str, stack: tuple[str, ...]) -> None:
        assert node not in stack, " -> ".join((*stack, node))
        if node in done:
            return
        for target in sorted(graph[node]):
            visit(target, (*stack, node))
        done.add(node)

    for node in sorted(graph):
        visit(node, ())

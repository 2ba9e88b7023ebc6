"""The arrows of the house: imports go down only, heavy libraries stay in their rooms, and a file of
a family imports what its role allows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "cr_audit"

# A room may import from its own floor and from the floors above it in this list (lower numbers).
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "arrays", "wording", "findings", "settings", "streams", "files", "slim"}),
    frozenset({"blocks", "labels", "glossary", "registry", "texts"}),
    frozenset({"data", "diff"}),
    frozenset({"engine", "clones", "weights", "models"}),
    frozenset({"readers", "embed"}),
    frozenset({"analysis", "simulate"}),
    frozenset({"run", "heads", "wire", "reports", "commands"}),
    frozenset({"families", "gate", "export"}),
    frozenset({"write", "contract"}),
    frozenset({"cli", "api", "slim"}),
    frozenset({"integrations"}),
)
FLOOR = {room: k for k, rooms in enumerate(FLOORS) for room in rooms}
NUMERICS = {"engine", "clones", "weights", "models"}
GROUND = {"errors", "arrays", "distributions", "labels", "registry", "streams", "texts", "wording"}
"""What numerics may see besides each other."""

# What may stand in a family's folder, and which rooms beside the ground a file of that role sees.
EVERYWHERE = {
    "errors",
    "arrays",
    "labels",
    "texts",
    "registry",
    "wording",
    "settings",
    "findings",
    "data",
    "analysis",
}
ROLES: dict[str, set[str]] = {
    "facts": EVERYWHERE | NUMERICS,
    "compute": EVERYWHERE | NUMERICS | {"run", "embed", "readers", "streams", "simulate"},
    "rules": EVERYWHERE | NUMERICS | {"heads"},
    "show": EVERYWHERE | NUMERICS | {"blocks", "heads", "diff", "simulate", "readers"},
    "page": EVERYWHERE | NUMERICS | {"blocks", "heads"},
    "wire": EVERYWHERE | NUMERICS | {"wire", "simulate"},
    "command": {
        "commands",
        "run",
        "reports",
        "heads",
        "blocks",
        "errors",
        "findings",
        "analysis",
        "arrays",
        "files",
        "wording",
    },
    "simulate": EVERYWHERE
    | NUMERICS
    | {"blocks", "commands", "simulate", "embed", "streams", "heads", "run", "files"},
}
LOOKUPS = {("run", "families"), ("settings", "weights"), ("settings", "models")}
SHARED_BY_FAMILIES = {"families.reporting"}

# Where a library may live.
ONLY_IN = {
    "hnswlib": {"clones.neighbours"},
    "sknetwork": {"models.kinds"},
    "rich": {"write.terminal", "write.places", "cli.progress"},
    "typer": {"cli"},
    "pydantic": {"wire"},
    "resvg_py": {"write.png"},
    "fontpkg_noto_sans": {"write.png"},
    "torch": {"embed", "models.rewards", "integrations"},
    "trl": {"integrations"},
    "datasets": {"integrations"},
    "sentence_transformers": {"embed"},
    "polars": {
        "data",
        "readers",
        "embed",
        "analysis",
        "simulate",
        "families",
        "gate",
        "export",
        "api",
    },
}
LAZY = {"torch", "sknetwork", "sentence_transformers", "transformers", "pydantic"}


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


def own(path: Path) -> set[str]:
    """What a module imports of the package, without the package's name."""
    return {
        i.removeprefix("cr_audit.")
        for i in imports(path)
        if i.startswith("cr_audit.") and i != "cr_audit.__version__"
    }


def room(dotted: str) -> str:
    return dotted.split(".")[0]


ALL = pytest.mark.parametrize(
    ("name", "path"), modules(), ids=lambda x: x if isinstance(x, str) else ""
)


@ALL
def test_imports_go_down_only(name: str, path: Path) -> None:
    if name in ("__init__", "__main__"):
        return
    mine = FLOOR[room(name)]
    for target in own(path):
        # Lazy, and by name: the run hands families to each other, settings ask what is registered.
        if (name, room(target)) in LOOKUPS:
            continue
        assert FLOOR[room(target)] <= mine, f"{name} imports upwards: {target}"
        if room(name) in NUMERICS:
            assert room(target) in NUMERICS | GROUND, f"{name} imports {target}"


@ALL
def test_a_file_of_a_family_imports_what_its_role_allows(name: str, path: Path) -> None:
    parts = name.split(".")
    if parts[0] != "families" or len(parts) < 3:
        return
    family, role = parts[1], parts[2]
    assert role in ROLES, f"{name}: a family has no role {role!r}"
    for target in own(path):
        if room(target) != "families":
            assert room(target) in ROLES[role], f"{name} imports {target}"
            continue
        inside = ".".join(target.split(".")[:2])
        same = inside == f"families.{family}"
        shared = role == "command" and inside in SHARED_BY_FAMILIES
        assert same or shared, f"{name} imports another family: {target}"


@ALL
def test_libraries_stay_in_their_rooms(name: str, path: Path) -> None:
    used = {i.split(".")[0] for i in imports(path)}
    for library, rooms in ONLY_IN.items():
        if library in used:
            allowed = any(name == r or name.startswith(r + ".") for r in rooms)
            assert allowed, f"{name} imports {library}"


@ALL
def test_heavy_libraries_are_imported_late(name: str, path: Path) -> None:
    if name.startswith("integrations."):  # nothing of the package imports these
        return
    used = {i.split(".")[0] for i in imports(path, top_level_only=True)}
    assert not used & LAZY, f"{name} imports {used & LAZY} at import time"


def test_no_room_without_a_name() -> None:
    for name, _ in modules():
        assert not set(name.split(".")) & {"utils", "common", "core", "helpers"}, name


def test_every_room_of_the_lists_exists() -> None:
    names = {room(n) for n, _ in modules()}
    assert set(FLOOR) <= names
    listed = {r for rooms in ONLY_IN.values() for r in rooms} | NUMERICS | SHARED_BY_FAMILIES
    existing = {n for n, _ in modules()}
    for name in listed:
        assert any(n == name or n.startswith(f"{name}.") for n in existing), name


def test_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {}
    names = {n for n, _ in modules()}
    for name, path in modules():
        targets = set()
        for imported in imports(path):
            dotted = imported.removeprefix("cr_audit.") if imported.startswith("cr_audit.") else ""
            while dotted and dotted not in names:
                dotted = dotted.rpartition(".")[0]
            if dotted and dotted != name and (name, room(dotted)) not in LOOKUPS:
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

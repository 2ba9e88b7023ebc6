"""The loaders that trainers released, without what else their packages need.

``make loaders`` puts the pinned packages into ``build/loaders`` (CR_AUDIT_LOADERS names another
folder), without their dependencies: what is run here are single files of theirs, whose packages
stand in ``sys.modules`` as bare folders, so that nothing beside those files is imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(
    os.environ.get("CR_AUDIT_LOADERS") or Path(__file__).resolve().parents[2] / "build" / "loaders"
)


@contextmanager
def only(module: str, packages: tuple[str, ...], **instead: Any) -> Iterator[ModuleType]:
    """The module, read from its own file; it and what stood in for others is gone afterwards.

    packages : those that stand as bare folders. instead : module -> names that it gives, for what
    is no part of the loader; "__" in a name is a dot.
    """
    roots = {name.replace("__", ".").split(".")[0] for name in (*packages, *instead)}
    for name in packages:
        bare = ModuleType(name)
        bare.__path__ = [str(FOLDER / name.replace(".", "/"))]
        sys.modules[name] = bare
    for name, gives in instead.items():
        stub = ModuleType(name.replace("__", "."))
        stub.__dict__.update(gives)
        sys.modules[stub.__name__] = stub
    try:
        yield importlib.import_module(module)
    finally:
        for name in [n for n in sys.modules if n.split(".")[0] in roots]:
            del sys.modules[name]


def version(distribution: str) -> str:
    """Of what stands in the folder; "" where it is not there."""
    found = list(FOLDER.glob(f"{distribution}-*.dist-info"))
    return found[0].name.split("-")[1].removesuffix(".dist") if found else ""

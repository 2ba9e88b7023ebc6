"""cr-audit: find clones in preference data, weigh them, and see which rankings they bend.

    import cr_audit as cr

    found = cr.audit("prefs.jsonl")
    found.clones.to_frame()

The names below are imported when they are used, so that ``import cr_audit`` is quick (docs/api.md).
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cr_audit.api import (
        Audit,
        Result,
        View,
        audit,
        choices,
        dry_run,
        export,
        gate,
        leaderboard,
        refit,
        sensitivity,
    )
    from cr_audit.errors import ComputeError, CrAuditError, InputError, UsageError

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "ComputeError",
    "CrAuditError",
    "InputError",
    "Result",
    "UsageError",
    "View",
    "__version__",
    "audit",
    "choices",
    "dry_run",
    "export",
    "gate",
    "leaderboard",
    "refit",
    "sensitivity",
]
_ERRORS = {"ComputeError", "CrAuditError", "InputError", "UsageError"}


_MODULES_TOO = {"export", "gate"}
"""Functions with the name of a module below: ``cr_audit.gate`` is the function, and
``from cr_audit.gate import ...`` looks into the module."""


class _Package(ModuleType):
    """A package whose functions keep their names when a module of that name is imported, which
    would otherwise put itself in their place."""

    def __getattribute__(self, name: str) -> Any:
        return _named(name) if name in _MODULES_TOO else super().__getattribute__(name)


def _named(name: str) -> Any:
    return getattr(import_module("cr_audit.errors" if name in _ERRORS else "cr_audit.api"), name)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'cr_audit' has no attribute {name!r}")
    return _named(name)


def __dir__() -> list[str]:
    return sorted(__all__)


sys.modules[__name__].__class__ = _Package

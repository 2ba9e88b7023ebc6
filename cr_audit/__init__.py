"""cr-audit: find clones in preference data, weigh them, and see which rankings they bend.

    import cr_audit as cr

    found = cr.audit("prefs.jsonl")
    found.clones.to_frame()

The names below are imported when they are used, so that ``import cr_audit`` is quick (docs/api.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cr_audit.api import Audit, Result, View, audit, export, gate, refit
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
    "export",
    "gate",
    "refit",
]
_ERRORS = {"ComputeError", "CrAuditError", "InputError", "UsageError"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'cr_audit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("cr_audit.errors" if name in _ERRORS else "cr_audit.api"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Values of the JSON formats: plain, rounded, and independent of the machine.

Floats are rounded to ten significant digits: the last bits of a sum may depend on the library.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from cr_audit.arrays import NotApplicable
from cr_audit.wire import ABSENT

DIGITS = 10
_ROUNDED = f".{DIGITS}g"


def clean(value: Any) -> Any:
    """Plain JSON values: floats rounded, NaN and infinity as null, records as objects.

    A record's fields keep their order; one that is ABSENT is left out. A NotApplicable becomes
    {"not_applicable": reason}. Raises TypeError for what has no place in a report.
    """
    kind = type(value)
    # By far the most frequent ones first: a report holds a million values.
    if kind is str:
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if kind is float:
        if not math.isfinite(value):
            return None
        rounded = float(format(value, _ROUNDED)) + 0.0
        return rounded if math.isfinite(rounded) else value  # the largest one may round up
    if kind is int or kind is bool or value is None:
        return value
    inside = opened(value)
    if type(inside) is dict:
        for k, v in inside.items():
            inside[k] = clean(v)
        return inside
    if type(inside) is list:
        return [clean(v) for v in inside]
    return _other(value)


def opened(value: Any) -> Any:
    """An object or a list whose values are as they were given; anything else as it is."""
    if isinstance(value, NotApplicable):
        return {"not_applicable": value.reason}
    if dataclasses.is_dataclass(type(value)):
        return _record(value)
    if isinstance(value, Mapping):
        return {
            (k if type(k) is str and k.isascii() else str(clean(k))): v for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return value if type(value) is list else list(value)
    return value


def _record(record: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in _names(type(record)):
        value = getattr(record, name)
        if value is not ABSENT:
            out[name.rstrip("_")] = value
    return out


_NAMES: dict[type, tuple[str, ...]] = {}


def _names(kind: type) -> tuple[str, ...]:
    """A report holds a few kinds of records many times."""
    if kind not in _NAMES:
        _NAMES[kind] = tuple(f.name for f in dataclasses.fields(kind))
    return _NAMES[kind]


def _other(value: Any) -> Any:
    if hasattr(value, "item") and hasattr(value, "dtype"):  # a scalar of numpy
        if getattr(value, "ndim", 0):
            return [clean(v) for v in value.tolist()]
        return clean(value.item())
    if isinstance(value, str):  # from here on subclasses: an enumeration, say
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return clean(float(value))
    raise TypeError(f"{type(value).__name__} has no place in the report")

"""Which values a setting may have, whether it came from a flag or from a settings file."""

from __future__ import annotations

import difflib
import math
from typing import Any

from cr_audit.errors import UsageError

CHOICES: dict[str, tuple[str, ...]] = {
    "unit": ("auto", "response", "model", "cluster"),
    "weights": ("voronoi", "cluster", "sharing", "uniform"),
    "space": ("sphere", "unit-cube", "factor-2", "data-box"),
    "scope": ("auto", "prompt", "dataset"),
    "resample": ("auto", "comparisons", "prompts", "annotators"),
    "reward": ("auto", "tabular", "linear", "mlp"),
}
# The flags have the same bounds (cr_audit.cli.options); a test holds the two together.
RANGES: dict[str, tuple[float, float]] = {
    "max_skipped": (0.0, 1.0),
    "radius": (0.0, 0.999),
    "precision": (1e-4, 1.0),
    "confidence_level": (0.5, 0.999),
    "n_replicates": (10, math.inf),
    "seed": (0, math.inf),
}
WHOLE = ("n_replicates", "seed")
SWITCHES = ("expand_choices", "ratings_to_pairs", "count_weighted")
TEXTS = ("schema", "model")
FLAGS = {"n_replicates": "replicates"}
"""Settings whose flag has another name; a settings file may use either."""


def check_value(name: str, value: Any, source: str) -> None:
    """Raise UsageError ``bad-value`` where ``value`` is not one that ``name`` may have.

    None (the default of a few settings) is always allowed: a settings file cannot say it.
    """
    if value is None:
        return
    problem = _problem(name, value)
    if problem is None:
        return
    wanted, next_step = problem
    raise UsageError(
        "bad-value",
        f"--{FLAGS.get(name, name).replace('_', '-')} must be {wanted}",
        found=f"{value!r} ({source})"[:300],
        next_step=next_step,
    )


def _problem(name: str, value: Any) -> tuple[str, str | None] | None:
    """What the value must be and what to do, or None where it is right."""
    number = isinstance(value, float | int) and not isinstance(value, bool)
    if name in CHOICES and value not in CHOICES[name]:
        near = difflib.get_close_matches(str(value), CHOICES[name], n=1)
        return f"one of {', '.join(CHOICES[name])}", f"did you mean {near[0]}?" if near else None
    if name in RANGES:
        low, high = RANGES[name]
        kind = "a whole number" if name in WHOLE else "a number"
        bounds = f" from {low:g} on" if math.isinf(high) else f" from {low:g} to {high:g}"
        right = number and low <= value <= high and (name not in WHOLE or isinstance(value, int))
        return None if right else (kind + bounds, "leave it out for the default")
    if name == "penalty" and value != "auto" and not (number and 0 < value < math.inf):
        return (
            "a number above 0, or auto",
            "leave it out for the default, or let cross-validation choose with auto",
        )
    if name in SWITCHES and not isinstance(value, bool):
        return "true or false", None
    if name in TEXTS and not isinstance(value, str):
        return "a text", None
    if name == "map" and not _is_mapping(value):
        return (
            "a table of roles and fields",
            'for example map = { prompt = "q", chosen = "better" }',
        )
    return None


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())

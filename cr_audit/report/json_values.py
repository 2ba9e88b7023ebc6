"""Values of the JSON report: plain, rounded, and texts as long as asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cr_audit.analysis.facts import Analysis
from cr_audit.arrays import NotApplicable

TEXT_LENGTH = 200
DIGITS = 10
_ROUNDED = f".{DIGITS}g"


def clean(value: Any) -> Any:
    """Plain JSON values: floats rounded, NaN and infinity as null, numpy scalars unwrapped."""
    kind = type(value)
    # By far the most frequent ones first: a report holds a million values.
    if kind is str:
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if kind is float:
        return float(format(value, _ROUNDED)) + 0.0 if math.isfinite(value) else None
    if kind is int or kind is bool or value is None:
        return value
    if isinstance(value, Mapping):
        return {
            (k if type(k) is str and k.isascii() else str(clean(k))): clean(v)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if isinstance(value, NotApplicable):
        return {"not_applicable": value.reason}
    if isinstance(value, np.generic):
        return clean(value.item())
    if isinstance(value, str):  # from here on subclasses: an enumeration, say
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return clean(float(value))
    raise TypeError(f"{type(value).__name__} has no place in the report")


class Texts:
    """Texts and identifiers by number; texts are cut to ``TEXT_LENGTH`` unless ``full``."""

    def __init__(self, analysis: Analysis, full: bool) -> None:
        self.full = full
        self.texts = analysis.dataset.alternatives["text"].to_list()
        self.ids = analysis.dataset.alternatives["id"].to_list()
        self.prompt_ids = analysis.dataset.prompts["id"].to_list()
        self.prompt_texts = analysis.dataset.prompts["text"].to_list()
        self.prompt_of = analysis.dataset.alternatives["prompt"].to_list()

    def cut(self, text: str | None) -> str | None:
        return text if text is None or self.full else text[:TEXT_LENGTH]

"""Rows as tables: nothing is left out without a word."""

from __future__ import annotations

import polars as pl
import pytest

from cr_audit.export.tables import _nothing_lost


def test_objects_that_disagree_in_a_type_are_told_and_not_nulled() -> None:
    rows = [{"a": [{"by": {"id": 3}}]}, {"a": [{"by": 4}]}]
    frame = pl.DataFrame(rows, infer_schema_length=None, strict=True)
    with pytest.raises(TypeError, match="column a"):
        _nothing_lost(rows, frame)


def test_fields_that_some_objects_lack_are_not_a_loss() -> None:
    rows = [{"a": {"x": 1}, "b": None}, {"a": {"y": [1, None]}, "b": "t"}, {"b": "u"}]
    _nothing_lost(rows, pl.DataFrame(rows, infer_schema_length=None, strict=True))

"""JSON text as the standard library writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.write.indented import indented

LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ANY: Any = st.recursive(
    LEAF | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=30
)


@given(st.dictionaries(st.text(), ANY))
def test_the_same_bytes_as_json_dumps(document: dict[str, Any]) -> None:
    text = json.dumps(document, ensure_ascii=True, indent=1, allow_nan=False)
    assert indented(document) == text.replace("\x7f", "\\u007f").replace("##", "#\\u0023") + "\n"


@pytest.mark.parametrize("bad", [float("nan"), float("-inf"), (1,), {1}, {2: 1}])
def test_what_is_not_json_is_refused(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        indented({"a": bad})

"""JSON text as the standard library writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cr_audit.write.indented as indented_module
from cr_audit.arrays import NotApplicable
from cr_audit.write.indented import indented
from cr_audit.write.values import clean

LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ANY: Any = st.recursive(
    LEAF | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=30
)


@given(st.dictionaries(st.text(), ANY))
def test_the_same_bytes_as_json_dumps(document: dict[str, Any]) -> None:
    text = json.dumps(document, ensure_ascii=True, indent=1, allow_nan=False)
    assert indented(document) == text.replace("\x7f", "\\u007f").replace("##", "#\\u0023") + "\n"


@dataclass(frozen=True, slots=True)
class Record:
    """As the contract has them."""

    from_: Any
    inside: Any


RECORDS: Any = st.recursive(
    ANY | st.floats() | st.builds(NotApplicable, st.text()),
    lambda x: st.builds(Record, x, x) | st.lists(x).map(tuple) | st.lists(x),
    max_leaves=30,
)


@given(st.dictionaries(st.text(), RECORDS), st.integers(1, 3), st.integers(0, 5))
@settings(max_examples=40)
def test_pieces_are_the_whole_text(document: dict[str, Any], entries: int, levels: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(indented_module, "_ENTRIES", entries)
        patched.setattr(indented_module, "_LEVELS", levels)
        made = list(indented_module.indented_parts(document))
    assert "".join(made) == indented(clean(document))


def test_a_long_list_comes_in_many_pieces() -> None:
    made = list(indented_module.indented_parts({"rows": list(range(10_000))}))
    assert max(map(len, made)) < 3_000
    assert json.loads("".join(made)) == {"rows": list(range(10_000))}


@pytest.mark.parametrize("bad", [float("nan"), float("-inf"), (1,), {1}, {2: 1}])
def test_what_is_not_json_is_refused(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        indented({"a": bad})

"""Real layouts, bent: a field renamed, nested, emptied, of another type, or so only in late rows.

Either the same prompts and answers come out, or a remark, a refusal or the list of unused fields
names the field. Rows with different prompts never share one without a word.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import CrAuditError
from cr_audit.readers import read


def say(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def _messages(i: int) -> dict[str, Any]:
    ask = say("user", f"Why {i}?")
    return {
        "chosen": [ask, say("assistant", f"good {i}")],
        "rejected": [ask, say("assistant", f"bad {i}")],
    }


LAYOUTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "trl": lambda i: {"prompt": f"Why {i}?", "chosen": f"good {i}", "rejected": f"bad {i}"},
    "trl messages": _messages,
    "trl conversational": lambda i: {
        "prompt": [say("user", f"Why {i}?")],
        "chosen": [say("assistant", f"good {i}")],
        "rejected": [say("assistant", f"bad {i}")],
    },
    "ultrafeedback": lambda i: {
        "prompt": f"Why {i}?",
        "prompt_id": str(i),
        **_messages(i),
        "score_chosen": 5.0,
        "score_rejected": 1.0,
    },
    "alpaca": lambda i: {
        "instruction": "Say why.",
        "input": f"Case {i} of many",
        "chosen": f"good {i}",
        "rejected": f"bad {i}",
    },
    "system": lambda i: {
        "system": "Be short.",
        "question": f"Why {i}?",
        "chosen": f"good {i}",
        "rejected": f"bad {i}",
    },
    "together": lambda i: {
        "input": {"messages": [say("user", f"Why {i}?")]},
        "preferred_output": [say("assistant", f"good {i}")],
        "non_preferred_output": [say("assistant", f"bad {i}")],
    },
    "labelled": lambda i: {
        "prompt": f"Why {i}?",
        "response_a": f"good {i}",
        "response_b": f"bad {i}",
        "winner": "A" if i % 2 else "B",
        "annotator": f"rater {i % 3}",
    },
    "arena": lambda i: {
        "question_id": str(i),
        "model_a": "A",
        "model_b": "B",
        "winner": "model_a" if i % 2 else "tie",
        "conversation_a": _messages(i)["chosen"],
        "conversation_b": _messages(i)["rejected"],
    },
    "shp": lambda i: {
        "post_id": str(i),
        "history": f"Why {i}?",
        "human_ref_A": f"good {i}",
        "human_ref_B": f"bad {i}",
        "labels": i % 2,
    },
    "helpsteer3": lambda i: {
        "context": [say("user", f"Why {i}?")],
        "response1": f"good {i}",
        "response2": f"bad {i}",
        "overall_preference": 2 - i % 4,
    },
    "pictures": lambda i: {
        "image": f"{i}.png",
        "prompt": "What is it?",
        "chosen": f"good {i}",
        "rejected": f"bad {i}",
    },
    "nectar": lambda i: {
        "prompt": f"Why {i}?",
        "answers": [{"answer": f"good {i}", "rank": 1}, {"answer": f"bad {i}", "rank": 2}],
    },
    "rated": lambda i: {"prompt": f"Why {i}?", "response": f"good {i}", "score": i},
}
TEXTS = frozenset(
    str.split(
        "prompt chosen rejected instruction question response_a response_b history human_ref_A "
        "human_ref_B context response1 response2 conversation_a conversation_b response"
    )
)


def retyped(value: Any) -> Any:
    """The same content in another type."""
    if isinstance(value, str):
        return [say("user", value)] if value.endswith("?") else {"text": value}
    if isinstance(value, bool | int | float):
        return str(value)
    return json.dumps(value)


def camel(field: str) -> str:
    first, *rest = field.split("_")
    return first.lower() + "".join(part.capitalize() for part in rest)


def bent(row: dict[str, Any], field: str, how: str) -> dict[str, Any]:
    """The row with a field bent in one way. A row that has no such field stays as it is."""
    if field not in row:
        return row
    rest = {k: v for k, v in row.items() if k != field}
    value = row[field]
    return {
        "rename": lambda: {**rest, f"zorp_{field}": value},
        "nest": lambda: {**rest, "outer": {field: value}},
        "null": lambda: {**row, field: None},
        "retype": lambda: {**row, field: retyped(value)},
        "drop": lambda: rest,
        "upper": lambda: {**rest, field.upper(): value},
        "camel": lambda: {**rest, camel(field): value},
        "blanks": lambda: {**rest, f" {field.replace('_', ' ').title()} ": value},
        "wrap": lambda: {**row, field: [value]},
        "json": lambda: row if isinstance(value, str) else {**row, field: json.dumps(value)},
        "copy": lambda: {**row, f"zorp_{field}": value},
        "empty": lambda: {**row, field: ""},
        "first": lambda: {field: value, **rest},
    }[how]()


BASIC = ("rename", "nest", "null", "retype")
MORE = ("drop", "upper", "camel", "blanks", "wrap", "json", "copy", "empty", "first")
SAME = frozenset({"upper", "camel", "blanks", "copy", "first"})
"""Ways that leave the content where a reader finds it."""


def load(rows: list[dict[str, Any]]) -> PreferenceDataset:
    body = "\n".join(map(json.dumps, rows)).encode()
    return read(["-"], stdin=io.BytesIO(body), max_skipped=1.0)


def contents(data: PreferenceDataset) -> tuple[list[Any], list[Any]]:
    texts, names = data.alternatives["text"], data.alternatives["model"]
    prompts = data.prompts["text"].gather(data.alternatives["prompt"])
    return (
        sorted(zip(prompts, texts, names, strict=True), key=str),
        data.comparisons.select("outcome", "mass").rows(),
    )


def says(data: PreferenceDataset) -> str:
    """All that a report says about fields."""
    report = data.report
    unused = [f for s in report.schemas for f in s.unused]
    return " ".join([*map(str, report.examples), *unused, *report.noted, *report.skipped_by_reason])


BENT = [
    (layout, field, how) for layout, make in LAYOUTS.items() for field in make(0) for how in BASIC
]


def check(layout: str, bends: list[tuple[str, str]], n: int, first: int) -> None:
    """Rows from ``first`` on are bent, one field after the other. The same comes out, or a remark,
    a refusal or the list of unused fields names the field."""
    make = LAYOUTS[layout]
    rows = [make(i) for i in range(n)]
    other = [*rows[:first], *rows[first:]]
    for field, how in bends:
        other[first:] = [bent(r, field, how) for r in other[first:]]
    names = {f for field, _ in bends for f in (field, f"zorp_{field}", "outer", camel(field))}
    names |= {f.upper() for f in names} | {f.replace("_", " ").title() for f in names}
    try:
        data = load(other)
    except CrAuditError as error:
        said = str(error)
        assert any(f in said for f in names) or "label" in said or "schema" in said
        return
    before = load(rows)
    if contents(data) == contents(before):
        return
    said = says(data)
    told = any(f in said for f in names)
    # An input, a picture or a name may be absent; and a name that is gone cannot be told.
    gone = any(how in ("null", "drop", "empty") and field not in TEXTS for field, how in bends)
    dropped = any(how in ("drop", "empty") for _, how in bends)
    noted = data.report.noted.keys()
    if not (told or gone or dropped or data.report.rows_skipped):
        assert noted & {"no_prompt", "null_word", "non_string_text"}
    merged = data.n_prompts < before.n_prompts - data.report.rows_skipped
    if merged and not gone:
        assert noted & {"no_prompt", "unused_text", "no_shared_prompt", "prompt_part_missing"}


@pytest.mark.parametrize("late", [False, True], ids=["all", "late"])
@pytest.mark.parametrize(("layout", "field", "how"), BENT, ids=["-".join(b) for b in BENT])
def test_a_bent_layout_is_read_alike_or_told(layout: str, field: str, how: str, late: bool) -> None:
    n, first = (212, 208) if late else (4, 0)
    check(layout, [(field, how)], n, first)


@pytest.mark.parametrize("how", sorted(SAME))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_spelling_of_a_name_is_the_name(layout: str, how: str) -> None:
    """Short names mean different things in different cases."""
    rows = [LAYOUTS[layout](i) for i in range(3)]
    before = contents(load(rows))
    for field in rows[0]:
        assert contents(load([bent(r, field, how) for r in rows])) == before
    every = rows
    for field in rows[0]:
        every = [bent(r, field, how) for r in every]
    assert contents(load(every)) == before


@given(st.data())
def test_layouts_bent_in_several_ways(data: st.DataObject) -> None:
    layout = data.draw(st.sampled_from(sorted(LAYOUTS)))
    fields = st.sampled_from(sorted(LAYOUTS[layout](0)))
    ways = st.sampled_from((*BASIC, *MORE))
    bends = data.draw(
        st.lists(st.tuples(fields, ways), min_size=1, max_size=3, unique_by=lambda b: b[0])
    )
    late = data.draw(st.booleans())
    check(layout, bends, *((204, 201) if late else (3, 0)))


prompts = st.lists(
    st.text(min_size=1, max_size=12).filter(lambda t: bool(t.strip())),
    min_size=2,
    max_size=4,
    unique_by=lambda t: " ".join(t.split()),
)


@given(prompts, st.sampled_from(sorted(LAYOUTS)))
def test_different_prompts_are_never_one(said: list[str], layout: str) -> None:
    """Whatever stands in them: templates, JSON, markup, invisible characters."""
    if layout in ("pictures", "alpaca"):
        return
    old = json.dumps("Why 0?")[1:-1]
    rows = [
        json.loads(json.dumps(LAYOUTS[layout](0)).replace(old, json.dumps(f"{t}?")[1:-1]))
        for t in said
    ]
    from cr_audit.data.identity import canonical

    distinct = {canonical(f"{t}?".encode("utf-8", "replace").decode()) for t in said}
    data = load(rows)
    assert data.n_prompts == len(distinct) - data.report.rows_skipped

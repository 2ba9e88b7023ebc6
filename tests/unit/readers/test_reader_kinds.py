"""The kinds of layouts that people report, as small invented files with their right values.

Each test is a kind of fault: what was once read as something else without a word.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from cr_audit.clones import rendered
from cr_audit.data import lookalikes
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import InputError, UsageError
from cr_audit.readers import read
from cr_audit.readers.media import mark


def load(rows: list[Any], **options: Any) -> PreferenceDataset:
    body = "\n".join(json.dumps(r) for r in rows).encode()
    return read(["-"], stdin=io.BytesIO(body), **options)


def text(body: str | bytes, tmp_path: Path, name: str, **options: Any) -> PreferenceDataset:
    path = tmp_path / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return read([str(path)], **options)


def table(rows: list[dict[str, Any]], separator: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=separator, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()}
        )
    return out.getvalue()


def contents(data: PreferenceDataset) -> tuple[Any, ...]:
    """Prompts, alternatives and who won, whatever their order."""
    texts = data.alternatives["text"].to_list()
    models = data.alternatives["model"].to_list()
    prompts = data.prompts["text"].to_list()
    rows = [
        (prompts[p], texts[w], models[w], texts[l], models[l], outcome)
        for p, w, l, outcome in data.comparisons.select(
            "prompt", "winner", "loser", "outcome"
        ).iter_rows()
    ]
    return sorted(rows, key=str), sorted(data.alternatives["id"].to_list())


def prompts(data: PreferenceDataset) -> list[str | None]:
    return data.prompts["text"].to_list()


def answers(data: PreferenceDataset) -> list[str | None]:
    return data.alternatives["text"].to_list()


def winners(data: PreferenceDataset) -> list[str | None]:
    texts = answers(data)
    return [
        "tie" if o == 0.5 else texts[w]
        for w, o in data.comparisons.select("winner", "outcome").iter_rows()
    ]


def two(field: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {field: "Capital of Peru?", "chosen": "Lima", "rejected": "Cusco", **more},
        {field: "Longest river?", "chosen": "The Nile", "rejected": "The Thames", **more},
    ]


QUESTIONS = ["Capital of Peru?", "Longest river?"]


# -- 1. prompts of every name

NAMES = str.split(
    "prompt instruction question query problem task post request user_prompt user_query "
    "user_input prompt_text input_text full_prompt context history turns input conversation "
    "messages dialogue instructions problem_statement Question PROMPT UserPrompt zorp"
)


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_is_found_under_the_names_that_people_use(name: str) -> None:
    if name == "zorp":  # not known: then it is said, by name
        data = load(two(name))
        assert data.report.noted == {"no_prompt": 2}
        (issue, _) = data.report.examples
        assert (issue.reason, issue.field) == ("no_prompt", "prompt")
        assert "zorp" in issue.found
        return
    data = load(two(name))
    assert prompts(data) == QUESTIONS
    assert "no_prompt" not in data.report.noted
    assert data.report.schemas[0].prompt_fields == (name,)


@pytest.mark.parametrize("name", ["question", "query", "user_prompt", "context", "task", "post"])
def test_a_labelled_pair_has_its_prompt_too(name: str) -> None:
    rows = [{name: q, "response_a": "x", "response_b": "y", "winner": "A"} for q in QUESTIONS]
    assert prompts(load(rows)) == QUESTIONS
    rated = [{name: q, "response": "x", "score": 1} for q in QUESTIONS]
    assert prompts(load(rated)) == QUESTIONS


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"system": "S", "input": "q"}, "S\n\nq"),
        ({"system": "S", "question": "q"}, "S\n\nq"),
        ({"context": "C", "question": "q"}, "C\n\nq"),
        ({"passage": "C", "prompt": "q"}, "C\n\nq"),
        ({"instruction": "I", "input": "q"}, "I\n\nq"),
        ({"prompt": "I", "input": "q"}, "I\n\nq"),
        ({"system_prompt": "S", "document": "D", "query": "q"}, "S\n\nD\n\nq"),
        ({"history": [["a", "b"]], "instruction": "q"}, "user: a\n\nassistant: b\n\nq"),
        ({"prompt": {"text": "q"}}, "q"),
        ({"prompt": {"messages": [{"role": "user", "content": "q"}]}}, "q"),
        ({"data": {"prompt": "q"}}, "q"),
        ({"input": {"messages": [{"role": "user", "content": "q"}]}}, "q"),
    ],
)
def test_all_parts_of_a_prompt_count(fields: dict[str, Any], expected: str) -> None:
    data = load([{**fields, "chosen": "x", "rejected": "y"}])
    assert prompts(data) == [expected]


def test_a_prompt_of_unknown_structure_merges_with_no_other() -> None:
    rows = [{"prompt": {"a": i, "b": [i]}, "chosen": "x", "rejected": "y"} for i in range(3)]
    data = load(rows)
    assert data.n_prompts == 3
    assert data.report.noted == {"structured_prompt": 3}


def test_a_prompt_that_is_null_or_renamed_is_told_or_found() -> None:
    rows = [*two("prompt"), {"prompt": None, "chosen": "a", "rejected": "b"}]
    data = load(rows)
    assert data.report.noted == {"no_prompt": 1}
    assert prompts(data) == [*QUESTIONS, None]
    both = [{**r, "question": None} for r in two("prompt")]
    both += [{**r, "prompt": None} for r in two("question")]
    assert prompts(load(both)) == QUESTIONS
    rows = [{"prompt": f"q{i}", "chosen": f"a{i}", "rejected": f"b{i}"} for i in range(230)] + [
        {"question": f"r{i}", "chosen": f"a{i}", "rejected": f"b{i}"} for i in range(20)
    ]
    assert load(rows).n_prompts == 250


def test_texts_beside_the_prompt_that_differ_are_told() -> None:
    rows = [
        {"prompt": "Sum it up.", "zorp": f"A long text about {i}", "chosen": "x", "rejected": "y"}
        for i in range(3)
    ]
    report = load(rows).report
    assert report.noted["unused_text"] == 2
    assert report.schemas[0].unused == ("zorp",)
    assert any(e.reason == "unused_text" and e.field == "zorp" for e in report.examples)
    data = load(rows, mapping={"input": "zorp"})
    assert data.n_prompts == 3
    assert "unused_text" not in data.report.noted


def test_texts_about_the_answers_are_no_prompt() -> None:
    rows = [
        {"prompt": "q", "chosen": f"x{i}", "rejected": "y", "explanation": f"Because of {i}"}
        for i in range(3)
    ]
    assert "unused_text" not in load(rows).report.noted


# -- 3. prompts that are there

USER = {"role": "user", "content": "q"}


def say(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def test_shared_first_turns_follow_the_prompt() -> None:
    look, tool = say("assistant", "Let me look."), say("tool", {"n": 1})
    rows = [
        {
            "prompt": [say("user", q)],
            "chosen": [look, tool, say("assistant", "x")],
            "rejected": [look, tool, say("assistant", "y")],
        }
        for q in QUESTIONS
    ]
    data = load(rows)
    shared = 'assistant: Let me look.\n\ntool: {"n": 1}'
    assert prompts(data) == [f"user: {q}\n\n{shared}" for q in QUESTIONS]
    as_texts = load([{**r, "prompt": r["prompt"][0]["content"]} for r in rows])
    assert contents(as_texts) == contents(data)
    whole = [{side: [*r["prompt"], *r[side]] for side in ("chosen", "rejected")} for r in rows]
    assert contents(load(whole)) == contents(data)
    both = [{**r, **w} for r, w in zip(rows, whole, strict=True)]
    assert contents(load(both)) == contents(data)


def test_pictures_are_part_of_the_prompt() -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    parts = [
        {"image": "cat.png"},
        {"images": ["cat.png", "dog.png"]},
        {"image": {"path": "cat.png", "bytes": None}},
        {"image_url": "https://example.org/1.png"},
        {"image": url},
        {"video": "cat.mp4"},
    ]
    rows = [{**p, "prompt": "What is it?", "chosen": "x", "rejected": "y"} for p in parts]
    found = prompts(load(rows))
    assert len(found) == 5  # the path as text and in an object is one picture
    assert found[0] == f"What is it?\n\n{mark('image', 'cat.png')}"
    assert all(p is not None and p.startswith("What is it?\n\n[") for p in found)


def test_pictures_inside_messages_and_bytes_count(tmp_path: Path) -> None:
    def row(picture: dict[str, Any]) -> dict[str, Any]:
        ask = say("user", [picture, {"type": "text", "text": "What is it?"}])
        return {"chosen": [ask, say("assistant", "x")], "rejected": [ask, say("assistant", "y")]}

    pictures = [
        {"type": "image_url", "image_url": {"url": "a.png"}},
        {"type": "image_url", "image_url": {"url": "b.png"}},
        {"type": "image", "image": "a.png"},
        {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
    ]
    assert load([row(p) for p in pictures]).n_prompts == 3
    frame = pl.DataFrame(
        {
            "prompt": ["q", "q", "q"],
            "image": [b"\x00\x01", b"\x00\x02", b"\x00\x01"],
            "chosen": ["x"] * 3,
            "rejected": ["y"] * 3,
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    assert read([str(tmp_path / "a.parquet")]).n_prompts == 2


def test_a_picture_without_words_says_so() -> None:
    rows = [{"image": f"{i}.png", "chosen": "x", "rejected": "y"} for i in range(2)]
    data = load(rows)
    assert data.n_prompts == 2
    assert data.report.noted == {"no_text": 2}


# -- 4. turns that are not text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tool_calls": [{"name": "f"}]}, {"tool_calls": [{"name": "g"}]}),
        ({"function_call": {"name": "f"}}, {"function_call": {"name": "g"}}),
        ({"reasoning_content": "one"}, {"reasoning_content": "two"}),
        ({"thinking": "one"}, {"thinking": "two"}),
        ({"refusal": "No."}, {"refusal": "Never."}),
        (
            {"content": [{"type": "tool_use", "name": "f", "input": {"c": 1}}]},
            {"content": [{"type": "tool_use", "name": "f", "input": {"c": 2}}]},
        ),
        ({"content": {"t": 1}}, {"content": {"t": 2}}),
        (
            {"content": [{"type": "input_audio", "input_audio": {"data": "AA=="}}]},
            {"content": [{"type": "input_audio", "input_audio": {"data": "BB=="}}]},
        ),
        ({"audio": {"id": "1"}}, {"audio": {"id": "2"}}),
    ],
)
@pytest.mark.parametrize("content", ["", None, "Let me see."])
def test_what_a_turn_does_is_part_of_the_answer(
    one: dict[str, Any], other: dict[str, Any], content: str | None
) -> None:
    row = {
        "prompt": [USER],
        "chosen": [{"role": "assistant", "content": content, **one}],
        "rejected": [{"role": "assistant", "content": content, **other}],
    }
    data = load([row])
    assert data.n_alternatives == 2
    assert "empty_answer" not in data.report.noted


def test_one_call_in_two_spellings_is_one_call() -> None:
    bare = {"name": "f", "arguments": {"b": 1, "a": 2}}
    wrapped = {
        "id": "call_93",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a": 2, "b": 1}'},
    }
    rows = [
        {"prompt": "q", "chosen": [say("assistant", "", tool_calls=[c])], "rejected": "no"}
        for c in (bare, wrapped)
    ]
    assert load(rows).n_alternatives == 2


# -- 5. tables

ROWS = [
    {
        "prompt": "Write\nit, please; now",
        "chosen": 'a "quoted", one',
        "rejected": "b\tc",
        "chosen_model": "m",
        "rejected_model": "n",
    },
    {
        "prompt": "{not json",
        "chosen": "[1, 2]",
        "rejected": '{"a": 1}',
        "chosen_model": "m",
        "rejected_model": "n",
    },
]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", ["", "\ufeff", "sep=X\r\n"])
@pytest.mark.parametrize("name", ["a.csv", "a", "a.txt"])
def test_a_table_gives_what_json_lines_give(
    separator: str, start: str, name: str, tmp_path: Path
) -> None:
    body = start.replace("X", separator) + table(ROWS, separator)
    assert contents(text(body, tmp_path, name)) == contents(load(ROWS))


MESSAGES = [
    {
        "chosen": [say("user", q), say("assistant", a)],
        "rejected": [say("user", q), say("assistant", 'It\'s "no"\nreally')],
    }
    for q, a in zip(QUESTIONS, ["Lima", "The Nile"], strict=True)
]


@pytest.mark.parametrize("how", ["json", "python", "numpy", "numpy_str"])
def test_message_lists_in_cells_are_messages(how: str, tmp_path: Path) -> None:
    write = {
        "json": json.dumps,
        "python": repr,
        "numpy": lambda v: repr(np.array(v, dtype=object)),
        "numpy_str": lambda v: str(np.array(v, dtype=object)),
    }[how]
    rows = [{k: write(v) for k, v in r.items()} for r in MESSAGES]
    data = text(table(rows), tmp_path, "a.csv")
    assert contents(data) == contents(load(MESSAGES))
    assert prompts(data) == QUESTIONS


def test_cells_that_only_look_like_messages_are_refused(tmp_path: Path) -> None:
    rows = [{"chosen": "[{'role': 'user', 'content': broken", "rejected": "x", "prompt": "q"}]
    with pytest.raises(InputError, match="unreadable_list"):
        text(table(rows), tmp_path, "a.csv")


def test_an_answer_that_is_json_stays_what_it_is() -> None:
    row = {"prompt": "Give JSON.", "chosen": '{"text": "a"}', "rejected": '["a"]'}
    assert answers(load([row])) == ['{"text": "a"}', '["a"]']


def test_the_suffix_counts_and_the_content_may_refute_it(tmp_path: Path) -> None:
    rows = two("prompt")
    lines = "\n".join(map(json.dumps, rows))
    for name in ("a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt"):
        assert prompts(text(lines, tmp_path, name)) == QUESTIONS
        assert prompts(text(table(rows), tmp_path, name)) == QUESTIONS
        assert prompts(text(json.dumps(rows), tmp_path, name)) == QUESTIONS
    odd = "prompt,chosen,rejected\nq,x,y\n"
    assert text(odd, tmp_path, "a", container="csv").report.files[0].container == "csv"
    with pytest.raises(InputError):
        text(odd, tmp_path, "a.csv", container="jsonl")


def test_rounds_of_questions_and_answers_are_conversations(tmp_path: Path) -> None:
    row = {
        "id": 1,
        "model_a": "A",
        "model_b": "B",
        "prompt": '["q1","q2"]',
        "response_a": '["x1","x2"]',
        "response_b": '["y1",null]',
        "winner_model_a": 1,
        "winner_model_b": 0,
        "winner_tie": 0,
    }
    one = {**row, "prompt": '["q"]', "response_a": '["x"]', "response_b": '["y"]'}
    data = text(table([row, one]), tmp_path, "train.csv")
    assert prompts(data) == ["q1", "q"]
    assert answers(data)[2:] == ["x", "y"]
    assert answers(data)[0] == "assistant: x1\n\nuser: q2\n\nassistant: x2"


# -- 6. labels


@pytest.mark.parametrize(
    ("left", "right", "tie"),
    [
        ("a", "b", "tie"),
        ("Model A", "MODEL B", "Tie (bothbad)"),
        ("[[A]]", "[[B]]", "[[C]]"),
        ("A>B", "B>A", "A=B"),
        ("A >> B", "A << B", "A = B"),
        (">", "<", "="),
        ("Response A is better", "Response B is slightly better.", "Both are equally good"),
        ("Prefer First", "Prefer Second", "No Difference"),
        ("first", "second", "neither"),
        ("response_1", "response_2", "tie"),
        ("Assistant A", "Assistant B", "no preference"),
        (1, 2, 1.5),
        ("1.0", "2.0", "0.5"),
        ("left", "right", "both"),
        ("A wins", "B wins", "draw"),
    ],
)
def test_words_that_mean_the_same_everywhere(left: Any, right: Any, tie: Any) -> None:
    rows = [
        {"prompt": "p", "response_a": f"a{i}", "response_b": f"b{i}", "winner": w}
        for i, w in enumerate((left, right, tie))
    ]
    if tie == "[[C]]":
        rows.pop()
    assert winners(load(rows)) == ["a0", "b1", "tie"][: len(rows)]


@pytest.mark.parametrize(
    "values",
    [
        (0, 1),
        (-1, 1),
        (-1, 0, 1),
        (0.0, 1.0),
        (0, 0.5, 1),
        (True, False),
        ("yes", "no"),
        (-3, -2, -1, 0, 1, 2, 3),
        (1, 2, 3, 4, 5, 6, 7),
        (1, 2, 3),
        ("chat-x", "chat-y", "cannot say"),
        ("+1", "-1"),
    ],
)
def test_labels_that_do_not_say_it_are_refused_with_advice_that_works(
    values: tuple[Any, ...],
) -> None:
    rows = [
        {"prompt": "p", "response_a": f"a{i}", "response_b": f"b{i}", "label": v}
        for i, v in enumerate(values * 10)
    ]
    with pytest.raises(InputError) as caught:
        load(rows)
    assert caught.value.slug == "unknown_labels"
    step = caught.value.next_step or ""
    assert "max-skipped" not in step
    assert "chosen=" not in step
    one, other = (advised(load, rows, line) for line in lines_of(step))
    assert one.report.rows_skipped == other.report.rows_skipped == 0
    flip = {"a": "b", "b": "a", "t": "t"}
    first = [str(w)[0] for w in winners(one)]
    assert [str(w)[0] for w in winners(other)] == [flip[w] for w in first]
    assert {"a", "b"} <= set(first)  # no side wins everything


def lines_of(step: str) -> list[str]:
    import shlex

    words = shlex.split(step.replace(";", " "))
    return [words[i + 1] for i, w in enumerate(words) if w == "--map"]


def advised(loader: Any, rows: Any, line: str) -> PreferenceDataset:
    from cr_audit.settings import parse_map

    data: PreferenceDataset = loader(rows, mapping=parse_map(line))
    return data


def test_a_few_zeros_among_ones_are_not_skipped() -> None:
    """One 0 in 300 rows: below the share that may be skipped, but then 1 means nothing either."""
    rows = [
        {"prompt": "p", "response_a": f"a{i}", "response_b": f"b{i}", "label": int(i != 5)}
        for i in range(300)
    ]
    with pytest.raises(InputError, match="left_label=0"):
        load(rows)


def test_a_word_that_is_left_out_of_the_mapping_is_unknown() -> None:
    rows = [
        {"prompt": "p", "response_a": f"a{i}", "response_b": f"b{i}", "label": v}
        for i, v in enumerate((-2, -1, 1, 2))
    ]
    with pytest.raises(InputError) as caught:
        load(rows, mapping={"label": "label", "left_label": "-2|-1", "right_label": "2"})
    assert (caught.value.slug, caught.value.found) == ("unknown_labels", "'1'")


def test_a_model_may_be_called_like_a_side() -> None:
    rows = [{"left": "A", "right": "B", "winner": "A"}, {"left": "C", "right": "A", "winner": "A"}]
    data = load(rows)
    models = data.alternatives["model"].to_list()
    assert [models[w] for w in data.comparisons["winner"]] == ["A", "A"]


def test_sides_are_numbered_from_nought_or_from_one() -> None:
    row = {"prompt": "p", "response_0": "zero", "response_1": "one", "winner": "response_1"}
    assert winners(load([row])) == ["one"]
    row = {"prompt": "p", "response_0": "zero", "response_1": "one", "better_response_id": 0}
    assert winners(load([row])) == ["zero"]


# -- 7. templates

TURNS = {
    "ChatML": "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n{q}<|im_end|>\n"
    "<|im_start|>assistant\n{a}<|im_end|>\n",
    "Llama 3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n{q}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{a}<|eot_id|>",
    "Llama 4": "<|begin_of_text|><|header_start|>system<|header_end|>\n\nS<|eot|>"
    "<|header_start|>user<|header_end|>\n\n{q}<|eot|>"
    "<|header_start|>assistant<|header_end|>\n\n{a}<|eot|>",
    "Llama 2": "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\n{q} [/INST] {a} </s>",
    "Cohere": "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>S<|END_OF_TURN_TOKEN|>"
    "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{q}<|END_OF_TURN_TOKEN|>"
    "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{a}<|END_OF_TURN_TOKEN|>",
    "harmony": "<|start|>system<|message|>S<|end|><|start|>user<|message|>{q}<|end|>"
    "<|start|>assistant<|channel|>final<|message|>{a}<|return|>",
    "DeepSeek": "<｜begin▁of▁sentence｜>S<｜User｜>{q}<｜Assistant｜>{a}<｜end▁of▁sentence｜>",
    "Granite": "<|start_of_role|>system<|end_of_role|>S<|end_of_text|>\n"
    "<|start_of_role|>user<|end_of_role|>{q}<|end_of_text|>\n"
    "<|start_of_role|>assistant<|end_of_role|>{a}<|end_of_text|>\n",
    "Phi": "<|system|>\nS<|end|>\n<|user|>\n{q}<|end|>\n<|assistant|>\n{a}<|end|>\n",
    "Zephyr": "<|system|>\nS</s>\n<|user|>\n{q}</s>\n<|assistant|>\n{a}</s>\n",
    "Vicuna": "S USER: {q} ASSISTANT: {a}</s>",
    "Alpaca": "S\n\n### Instruction:\n{q}\n\n### Response:\n{a}",
    "Human/Assistant": "System: S\nHuman: {q}\nAssistant: {a}",
    "User/Assistant": "System: S\n\nUser: {q}\n\nAssistant: {a}<｜end▁of▁sentence｜>",
}
NO_SYSTEM = {
    "Gemma": "<bos><start_of_turn>user\n{q}<end_of_turn>\n<start_of_turn>model\n{a}<end_of_turn>\n",
    "Mistral": "<s>[INST] {q} [/INST] {a}</s>",
    "hh": "\n\nHuman: {q}\n\nAssistant: {a}",
    "OpenChat": "<s>GPT4 Correct User: {q}<|end_of_turn|>"
    "GPT4 Correct Assistant: {a}<|end_of_turn|>",
}


@pytest.mark.parametrize("name", [*TURNS, *NO_SYSTEM])
def test_the_markers_of_a_template_are_no_content(name: str) -> None:
    form = TURNS.get(name) or NO_SYSTEM[name]
    pairs = list(zip(QUESTIONS, (("Lima.", "Cusco."), ("The Nile.", "The Thames.")), strict=True))
    rows = [
        {"chosen": form.format(q=q, a=good), "rejected": form.format(q=q, a=bad)}
        for q, (good, bad) in pairs
    ]
    data = load(rows)
    assert answers(data) == ["Lima.", "Cusco.", "The Nile.", "The Thames."]
    wanted = QUESTIONS if name in NO_SYSTEM else [f"system: S\n\nuser: {q}" for q in QUESTIONS]
    assert prompts(data) == wanted
    assert data.report.noted == {}


def test_a_prompt_in_a_template_opens_the_turn_that_the_answer_closes() -> None:
    form = "<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n"
    rows = [
        {"prompt": form.format(q=q), "chosen": "yes<|im_end|>\n", "rejected": "no<|im_end|>"}
        for q in QUESTIONS
    ]
    data = load(rows)
    assert prompts(data) == QUESTIONS
    assert answers(data) == ["yes", "no"] * 2


def test_bare_texts_are_cut_where_they_part() -> None:
    rows = [
        {"chosen": f"{q} It is {a}.", "rejected": f"{q} It is {b}."}
        for q, a, b in [
            ("What is the capital of Peru?", "Lima", "Cusco"),
            ("Which river is the longest?", "the Nile", "a brook"),
        ]
    ]
    data = load(rows)
    assert prompts(data) == ["What is the capital of Peru?", "Which river is the longest?"]
    assert answers(data)[0] == "It is Lima."
    assert data.report.noted == {"prompt_from_prefix": 2}


def test_pairs_that_share_nothing_say_that_no_prompt_was_found() -> None:
    data = load([{"chosen": "Lima it is", "rejected": "No idea"}, {"chosen": "a", "rejected": "b"}])
    assert data.report.noted == {"no_prompt": 2}


def test_words_that_stand_in_any_text_are_no_template() -> None:
    said = "In the play, the line USER: hello is followed by ASSISTANT: good day."
    data = load([{"prompt": "q", "chosen": said, "rejected": "no"}])
    assert answers(data) == [said, "no"]


# -- 8. invisible characters


@pytest.mark.parametrize(
    "char", ["\u200b", "\u00ad", "\u2060", "\ufe0f", "\u200d", "\u202e", "\U000e0041", "\u061c"]
)
def test_answers_that_differ_in_nothing_visible_are_told(char: str) -> None:
    other = f"The ans{char}wer is in the manual"
    row = {"prompt": "q", "chosen": "The answer is in the manual", "rejected": other}
    report = load([row]).report
    assert report.noted == {"invisible_difference": 1}
    assert report.examples[0].line == 1


def test_look_alikes_are_told_apart_from_what_is_seen() -> None:
    pairs = [("paypal", "pаypal"), ("Answer", "Ａnswer"), ("resume", "résumé"), ("a b", "a c")]
    rows = [{"prompt": str(i), "chosen": a, "rejected": b} for i, (a, b) in enumerate(pairs)]
    report = load(rows).report
    assert report.noted == {"lookalike_difference": 2}
    assert [e.line for e in report.examples] == [1, 2]


@pytest.mark.parametrize(
    ("one", "other"), [("نَعَم", "نعم"), ("שָׁלוֹם", "שלום"), ("שׁלום", "שלום"), ("هـذا", "هذا")]
)
def test_answers_that_differ_in_vowel_marks_only_are_told(one: str, other: str) -> None:
    """In Arabic and Hebrew they are left out at will; in Hindi and Thai they are the spelling."""
    report = load([{"prompt": "q", "chosen": one, "rejected": other}]).report
    assert report.noted == {"vowel_mark_difference": 1}
    for a, b in (("दिन", "दीन"), ("มา", "ม้า"), ("été", "ete"), ("か", "が"), (one, "כן")):
        assert load([{"prompt": "q", "chosen": a, "rejected": b}]).report.noted == {}


def test_an_annotator_of_many_unseen_names_is_one() -> None:
    names = ["bob", "bob\u200b", "b\u2060ob", "bоb", "ｂｏｂ", "eve", "Éve", "bob"]
    rows = [
        {"prompt": str(i), "chosen": "x", "rejected": "y", "annotator": name}
        for i, name in enumerate(names)
    ]
    data = load(rows)
    assert data.annotators == ("bob", "eve", "Éve")
    assert data.comparisons["annotator"].to_list() == [0, 0, 0, 0, 0, 1, 2, 0]
    assert data.report.noted == {"annotator_looks_alike": 4}
    assert sorted(load(rows[::-1]).annotators) == sorted(data.annotators)


def test_models_that_look_alike_are_told_and_stay_two() -> None:
    row = {"prompt": "q", "response_a": "x", "response_b": "y", "winner": "model_a"}
    data = load([{**row, "model_a": "tern-2", "model_b": "tern-2\u200b"}])
    assert data.report.noted == {"model_looks_alike": 1}
    assert sorted(data.alternatives["model"]) == ["tern-2", "tern-2\u200b"]
    assert load([{**row, "model_a": "tern-2", "model_b": "tern-3"}]).report.noted == {}


def test_the_vowel_marks_are_those_of_the_clone_test() -> None:
    chars = [chr(c) for c in range(0x110000)]
    mark = re.compile(lookalikes.VOWEL_MARKS)
    assert [c for c in chars if mark.match(c)] == [
        c for c in chars if rendered.VOWEL_MARKS.match(c)
    ]


def test_texts_of_other_scripts_are_no_look_alikes() -> None:
    rows = [
        {"prompt": "1", "chosen": "да, конечно", "rejected": "да, конечнo нет"},
        {"prompt": "2", "chosen": "你好，世界", "rejected": "你好，地球"},
        {"prompt": "3", "chosen": "שָׁלוֹם", "rejected": "שלום"},
    ]
    assert load(rows).report.noted == {"vowel_mark_difference": 1}


# -- 9. the wrong schema


def test_a_ranking_of_responses_is_no_ballot() -> None:
    def row(ranking: list[Any]) -> dict[str, Any]:
        return {"prompt": "q", "responses": ["x", "y", "z"], "ranking": ranking}

    data = load([row([2, 1, 3])])  # ranks and order agree
    assert data.choice_members["rank"].to_list() == [1, 0, 2]
    assert answers(data) == ["x", "y", "z"]
    assert load([row(["z", "x", "y"])]).choice_members["rank"].to_list() == [1, 2, 0]
    assert load([row([1, 1, 2])]).choice_members["rank"].to_list() == [0, 0, 1]
    with pytest.raises(InputError) as caught:
        load([row([2, 3, 1])])
    assert caught.value.slug == "ambiguous_ranking"
    one, other = (
        advised(load, [row([2, 3, 1])], m) for m in lines_of(caught.value.next_step or "")
    )
    assert one.choice_members["rank"].to_list() == [1, 2, 0]
    assert other.choice_members["rank"].to_list() == [2, 0, 1]


def test_a_table_by_columns_is_rows(tmp_path: Path) -> None:
    rows = two("prompt")
    columns = {k: [r[k] for r in rows] for k in rows[0]}
    expected = contents(load(rows))
    for body in (
        columns,
        {k: {str(i): v for i, v in enumerate(held)} for k, held in columns.items()},
        {"columns": list(columns), "index": [0, 1], "data": [list(r.values()) for r in rows]},
        {"schema": {"fields": []}, "data": rows},
        {"features": [], "rows": [{"row_idx": i, "row": r} for i, r in enumerate(rows)]},
        {"version": "1", "license": "x", "annotator_note": "y", "data": rows},
    ):
        assert contents(text(json.dumps(body), tmp_path, "a.json")) == expected
    one = {"prompt": "p", "chosen": ["x", "z"], "rejected": ["y", "w"]}
    assert text(json.dumps(one), tmp_path, "a.json").choice_sets.height == 1


def test_a_list_of_two_answers_is_not_taken_for_a_pair() -> None:
    rows = [{"question": q, "answer": [f"good {q}", f"bad {q}"]} for q in QUESTIONS]
    with pytest.raises(InputError) as caught:
        load(rows)
    (line,) = lines_of(caught.value.next_step or "")
    data = advised(load, rows, line)
    assert prompts(data) == QUESTIONS
    assert winners(data) == [f"good {q}" for q in QUESTIONS]


def test_annotation_tools_and_flat_trees() -> None:
    row = {
        "instruction": "q",
        "response1": "x",
        "response2": "y",
        "preference.responses": ["response1", "response2"],
        "preference.responses.users": ["u", "v"],
        "preference.responses.status": ["submitted", "draft"],
    }
    data = load([row])
    assert (winners(data), data.annotators) == (["x"], ("u",))
    flat = [
        {"message_id": "1", "parent_id": None, "text": "q", "role": "prompter", "rank": None},
        {"message_id": "2", "parent_id": "1", "text": "x", "role": "assistant", "rank": 0},
        {"message_id": "3", "parent_id": "1", "text": "y", "role": "assistant", "rank": 1},
    ]
    data = load(flat)
    assert prompts(data) == ["q"]
    assert data.choice_members["rank"].to_list() == [0, 1]


# -- 10. values


def test_missing_is_missing_however_it_is_written(tmp_path: Path) -> None:
    body = '{"prompt": "q", "chosen": NaN, "rejected": "y"}\n' + json.dumps(two("prompt")[0])
    data = text(body, tmp_path, "a.jsonl", max_skipped=0.5)
    assert data.report.skipped_by_reason == {"missing_text": 1}
    rows = [{"prompt": "q", "response_a": "x", "response_b": "y", "winner": w} for w in "ab"]
    rows += [{**rows[0], "winner": w} for w in ("nan", "NULL", "N/A", "", None)]
    assert load(rows).report.skipped_by_reason == {"missing_label": 5}


def test_typed_columns_are_keys_and_numbers(tmp_path: Path) -> None:
    import datetime
    from decimal import Decimal

    frame = pl.DataFrame(
        {
            "prompt": ["q"],
            "chosen": ["x"],
            "rejected": ["y"],
            "annotator": [datetime.date(2024, 5, 1)],
            "weight": [Decimal("2.50")],
            "chosen_model": [b"m"],
            "rejected_model": [{"name": "n"}],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    data = read([str(tmp_path / "a.parquet")], row_weights="weight")
    assert data.annotators == ("2024-05-01",)
    assert data.comparisons["mass"].to_list() == [2.5]
    assert data.alternatives["model"].to_list() == ["m", "n"]


def test_a_weight_of_nought_is_mass_and_no_damage() -> None:
    rows = [{**r, "weight": w} for r, w in zip(two("prompt"), (0, 1), strict=True)]
    data = load(rows, row_weights="weight")
    assert data.comparisons.height == 1
    assert data.n_alternatives == 4
    assert data.report.noted == {"zero_weight": 1}
    assert load([rows[0]], row_weights="weight").comparisons.is_empty()


def test_a_weight_counts_where_it_is_asked_for() -> None:
    rows = [{**r, "weight": w} for r, w in zip(two("prompt"), (5, 3), strict=True)]
    plain = load(rows)
    assert plain.comparisons["mass"].to_list() == [1.0, 1.0]
    assert plain.report.noted == {"weights_unused": 2}
    for asked in (
        load(rows, row_weights="weight"),
        load(rows, mapping={"weight": "weight"}),
        load(rows, mapping={"mass": "weight"}),
    ):
        assert asked.comparisons["mass"].to_list() == [5.0, 3.0]
        assert asked.report.noted == {}
    with pytest.raises(UsageError, match="--row-weights names"):
        load(rows, row_weights="weight", mapping={"mass": "prompt"})


@pytest.mark.parametrize(
    "weight", [-1, -0.5, float("inf"), float("nan"), "much", None, "", "-inf", [1]]
)
def test_a_weight_that_is_none_stops_the_read(weight: Any) -> None:
    rows = [{**r, "weight": w} for r, w in zip(two("prompt"), (1, weight), strict=True)]
    with pytest.raises(InputError, match="finite number") as caught:
        load(rows, row_weights="weight")
    assert caught.value.exit_code == 3
    assert ":2 (weight)" in (caught.value.where or "")
    assert "--row-weights" in (caught.value.next_step or "")


@pytest.mark.parametrize(
    ("weights", "fits"),
    [
        ((1, 1, 1e6), True),
        ((1, 1, 1.001e6), False),
        ((1e308, 1e308, 1e308), False),
        ((1.0, 1.0, 1e308, 1e308), False),
        ((1e308, 1e308), False),
        ((1e-300, 1e-300, 1e-300), False),
        ((1e-9, 1e-3, 1.0), True),
        ((1e9, 1e9, 1e9), True),
    ],
)
def test_weights_have_bounds(weights: tuple[float, ...], fits: bool) -> None:
    rows = [
        {"prompt": "p", "chosen": f"x{k}", "rejected": "y", "weight": w}
        for k, w in enumerate(weights)
    ]
    if fits:
        assert load(rows, row_weights="weight").comparisons["mass"].to_list() == list(weights)
        return
    with pytest.raises(InputError, match="must lie between") as caught, np.errstate(over="raise"):
        load(rows, row_weights="weight")
    assert caught.value.exit_code == 3


def test_ratings_have_no_weights() -> None:
    rows = [{"prompt": "p", "response": t, "score": 1, "weight": 2} for t in "xy"]
    with pytest.raises(InputError, match="hold ratings"):
        load(rows, row_weights="weight")


def test_a_name_that_comes_twice_in_a_row_is_told(tmp_path: Path) -> None:
    body = '{"prompt": "a", "chosen": "x", "prompt": "b", "rejected": "y"}\n'
    body += '{"prompt": "c", "chosen": "x", "rejected": "\\"prompt\\": twice"}\n'
    data = text(body, tmp_path, "a.jsonl")
    assert prompts(data) == ["b", "c"]
    assert data.report.noted == {"duplicate_key": 1}
    nested = {"prompt": [USER], "chosen": [say("assistant", "x")], "rejected": "y"}
    assert load([nested]).report.noted == {}


def test_fields_that_come_late_are_used() -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": f"q{i}", "chosen": "x", "rejected": "y"} for i in range(210)
    ]
    rows += [{**rows[0], "annotator": "u", "chosen_model": "m", "source": "s"}] * 2
    data = load(rows)
    assert data.annotators == ("u",)
    assert data.report.schemas[0].fields["annotator"] == "annotator"
    assert load(rows, mapping={"annotator": "source"}).annotators == ("s",)
    with pytest.raises(InputError, match="annotator=annotator"):
        load(rows, mapping={"annotator": "anotator"})


def test_ratings_that_contradict_the_choice_are_told() -> None:
    rows = [
        {**r, "score_chosen": c, "score_rejected": 3}
        for r, c in zip(two("prompt"), (1, 5), strict=True)
    ]
    assert load(rows).report.noted == {"rating_contradicts": 1}


def test_empty_and_invisible_answers_are_both_counted() -> None:
    rows = [{"prompt": "q", "chosen": "", "rejected": "\u200b"}]
    report = load(rows).report
    assert report.noted["empty_answer"] == 1
    assert len([e for e in report.examples if e.reason == "empty_answer"]) == 2


def test_arena_logs_say_what_is_special_about_a_vote() -> None:
    def row(**more: Any) -> dict[str, Any]:
        return {
            "question_id": "1",
            "model_a": "A",
            "model_b": "B",
            "winner": "model_a",
            "conversation_a": [say("user", "q"), say("assistant", "x")],
            "conversation_b": [say("user", "q"), say("assistant", "y")],
            **more,
        }

    rows = [
        row(anony=True, dedup_tag={"high_freq": False, "sampled": True}),
        row(anony=False),
        row(dedup_tag={"high_freq": True, "sampled": False}),
        row(winner=None, is_tie=True),
    ]
    data = load(rows)
    assert winners(data) == ["x", "x", "x", "tie"]
    noted = {k: v for k, v in data.report.noted.items() if k != "duplicate_row"}
    assert noted == {"left_out_by_source": 1, "names_shown": 1, "tie": 1}


def test_only_the_judged_turn_counts() -> None:
    def talk(name: str) -> list[dict[str, Any]]:
        turns = [("q1", f"{name}1"), ("q2", f"{name}2")]
        return [m for q, a in turns for m in (say("user", q), say("assistant", a))]

    row = {
        "model_a": "A",
        "model_b": "B",
        "winner": "model_a",
        "conversation_a": talk("x"),
        "conversation_b": talk("y"),
    }
    data = load([{**row, "turn": 1}, {**row, "turn": 2}])
    assert answers(data)[:2] == ["x1", "y1"]
    assert answers(data)[2] == "assistant: x1\n\nuser: q2\n\nassistant: x2"
    assert data.report.noted["later_turns_left_out"] == 1


# -- 11. messages


def test_lines_that_end_in_returns_and_shared_lines_lose_no_row(tmp_path: Path) -> None:
    one, other = (json.dumps(r) for r in two("prompt"))
    for body in (
        f"{one}\r{other}\r",
        f"{one}\r{other}",
        f"{one}{other}\n",
        f"{one},\n{other},\n",
        f"{one} {other}",
        f"{one}\r{other}\n",
    ):
        for name in ("a.jsonl", "a"):
            assert prompts(text(body, tmp_path, name)) == QUESTIONS, body
    csv_rows = table(two("prompt")).replace("\r\n", "\r")
    assert prompts(text(csv_rows, tmp_path, "a.csv")) == QUESTIONS


def test_a_file_of_one_broken_row_is_not_told_to_delete_it(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        text('{"prompt": "q", "chosen": "x", "rej', tmp_path, "a.jsonl")
    assert "delete" not in (caught.value.next_step or "")


def test_a_nul_is_told_with_its_line(tmp_path: Path) -> None:
    body = json.dumps(two("prompt")[0]) + '\n{"prompt": "a\x00b"}\n'
    with pytest.raises(InputError) as caught:
        text(body, tmp_path, "a b.jsonl")
    assert (caught.value.where or "").endswith("a b.jsonl:2")
    assert "tr -d" in (caught.value.next_step or "")


def test_a_folder_is_told_as_something_that_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    folder.mkdir()
    (folder / "a.jsonl").write_text(json.dumps(two("prompt")[0]))
    (folder / "b.jsonl.gz").write_text("x")
    with pytest.raises(InputError) as caught:
        read([str(folder)])
    assert f"'{folder}'/*.jsonl" in (caught.value.next_step or "")


@pytest.mark.parametrize(
    "row",
    [
        {"question_id": "q", "model_a": "a", "model_b": "b", "winner": "model_a"},
        {"prompt": "Why?", "winner": "so", "loser": "thus"},
        {"prompt": "Why?", "response_0": "so", "response_1": "thus", "better_response_id": 0,
         "is_response_0_safe": True, "is_response_1_safe": True, "safer_response_id": 0},
    ],
    ids=["arena", "winner_loser", "pku"],
)  # fmt: skip
def test_weights_are_read_beside_any_judgement(row: dict[str, Any]) -> None:
    """Whether or not the schema names such a field."""
    weights = [2.0, 3.5, 1.0]
    rows = [{**row, "w": w} for w in weights]
    with_them, without = load(rows, row_weights="w"), load(rows)
    assert with_them.report.schemas[0].name == without.report.schemas[0].name
    assert set(with_them.comparisons["mass"].to_list()) == set(weights)
    assert set(without.comparisons["mass"].to_list()) == {1.0}

"""Kin of the layouts that people report: trainers, hubs, arenas, annotation tools and judges.

One table a kind of fault. Each entry gives rows as they lie there and what they are: the prompts in
order of appearance, who won, and the remarks that must be made.
"""

from __future__ import annotations

import io
import json
from typing import Any, NamedTuple

import polars as pl
import pytest

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import InputError
from cr_audit.readers import read

Q = ("Capital of Peru?", "Longest river?")
GOOD, BAD = ("Lima.", "The Nile."), ("Cusco.", "The Thames.")


class Layout(NamedTuple):
    """Rows (objects, or a whole file as text) and what they are.

    prompts : texts, or how many differ. won : what won, "tie" for ties; None: not looked at.
    noted : remarks that must be there. schema : None for any.
    """

    rows: list[Any] | str
    prompts: tuple[str, ...] | int = Q
    won: tuple[str, ...] | None = GOOD
    noted: tuple[str, ...] = ()
    schema: str | None = None


def load(rows: list[Any] | str, **options: Any) -> PreferenceDataset:
    body = rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows))
    return read(["-"], stdin=io.BytesIO(body.encode()), **options)


def check(layout: Layout, **options: Any) -> None:
    data = load(layout.rows, **options)
    prompts, texts = data.prompts["text"].to_list(), data.alternatives["text"].to_list()
    if isinstance(layout.prompts, int):
        assert data.n_prompts == layout.prompts
    else:
        assert tuple(prompts) == layout.prompts
    if layout.won is not None:
        won = data.comparisons.select("winner", "outcome").iter_rows()
        assert tuple("tie" if o == 0.5 else texts[w] for w, o in won) == layout.won
    assert set(layout.noted) <= data.report.noted.keys()
    if not layout.noted:
        told = {"no_prompt", "unused_text", "no_shared_prompt", "structured_prompt"}
        assert not told & data.report.noted.keys()
    assert layout.schema in (None, data.report.schemas[0].name)


def pairs(make: Any) -> list[dict[str, Any]]:
    """Two rows of what ``make`` gives for a question, and its two answers."""
    return [{**make(q, i), "chosen": GOOD[i], "rejected": BAD[i]} for i, q in enumerate(Q)]


def rows(make: Any) -> list[Any]:
    return [make(*entry) for entry in zip(Q, GOOD, BAD, strict=True)]


def say(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def user(q: str) -> dict[str, Any]:
    return say("user", q)


def bot(text: Any, **more: Any) -> dict[str, Any]:
    return say("assistant", text, **more)


# -- 1. prompts, wherever they stand

PROMPTS: dict[str, Layout] = {
    name: Layout(pairs(lambda q, i, name=name: {name: q}))
    for name in str.split(
        "userPrompt User-Prompt seed_prompt initialPrompt questionText prompt_en math_problem_text "
        "task_description human_prompt Input.prompt data/question user_msg QUERY_TEXT contents"
    )
    if name != "math_problem_text"
} | {
    "three levels down": Layout(pairs(lambda q, i: {"data": {"item": {"prompt": q}}})),
    "in an object of its own": Layout(
        pairs(lambda q, i: {"prompt": {"role": "user", "content": q}})
    ),
    "messages as JSON text": Layout(pairs(lambda q, i: {"prompt": json.dumps([user(q)])})),
    "parts without a type": Layout(pairs(lambda q, i: {"prompt": [{"text": q}]})),
    "rounds of input and output": Layout(
        pairs(lambda q, i: {"conversation": [{"input": q, "output": "Well"}]}),
        tuple(f"user: {q}\n\nassistant: Well" for q in Q),
    ),
    "a conversation that ends with the chosen answer": Layout(
        pairs(lambda q, i: {"conversations": [user(q), bot(GOOD[i])]})
    ),
    "an empty cell as pandas writes it": Layout(
        pairs(lambda q, i: {"prompt": "nan", "question": q})
    ),
    "a short system text that a question happens to hold": Layout(
        pairs(lambda q, i: {"system": "s", "input": q}), tuple(f"s\n\n{q}" for q in Q)
    ),
    "the same words before different questions": Layout(
        pairs(lambda q, i: {"prompt": "Answer the question.", "question": q}),
        1,
        noted=("unused_text",),
    ),
    "passages as a list": Layout(
        pairs(lambda q, i: {"passages": [f"Text {i} of many"], "question": "What is it?"}),
        tuple(f"Text {i} of many\n\nWhat is it?" for i in range(2)),
    ),
    "a list that no role takes": Layout(
        pairs(lambda q, i: {"zorps": [f"Text {i} of many"], "question": "What is it?"}),
        1,
        noted=("unused_text",),
    ),
    "questions of thumbs": Layout(
        [{"conversation": [user(q)], "completion": [bot("x")], "label": True} for q in Q], won=()
    ),
    "renamed late to a name of three levels": Layout(
        [{"prompt": f"q {i}", "chosen": "x", "rejected": "y"} for i in range(210)]
        + [
            {"meta": {"in": {"prompt": f"r {i}"}}, "chosen": "x", "rejected": "y"} for i in range(3)
        ],
        213,
        ("x",) * 213,
    ),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_is_found_or_told(name: str) -> None:
    check(PROMPTS[name])


@pytest.mark.parametrize("part", ["judge_prompt", "question_type", "prompt_id_2", "n_prompt"])
def test_what_only_sounds_like_a_prompt_is_none(part: str) -> None:
    check(Layout(pairs(lambda q, i: {part: "x of y"}), 1, noted=("no_prompt",)))


# -- 3. prompts that are there, and what is shown beside them

SHOWN: dict[str, list[dict[str, Any]]] = {
    "image_name": [{"image_name": f"COCO_{i}"} for i in range(2)],
    "img_path": [{"img_path": f"{i}.jpg"} for i in range(2)],
    "screenshot_b64": [{"screenshot_b64": "iVBORw0KGgo" + "AB"[i] * 60} for i in range(2)],
    "document_path": [{"document_path": f"{i}.pdf"} for i in range(2)],
    "frames": [{"frames": [f"{i}a.jpg", f"{i}b.jpg"]} for i in range(2)],
    "tools": [{"tools": [{"name": f"f{i}"}]} for i in range(2)],
    "tools as text": [{"tools": json.dumps([{"name": f"f{i}"}])} for i in range(2)],
    "choices": [{"choices": [f"one {i}", "other"]} for i in range(2)],
    "options": [{"options": {"A": f"one {i}", "B": "other"}} for i in range(2)],
    "system": [{"system_prompt": f"Be {i}"} for i in range(2)],
    "audio": [{"audio": {"array": [0.1 * i], "sampling_rate": 16_000}} for i in range(2)],
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_stands_beside_a_question_is_part_of_it(name: str) -> None:
    rows = [{**shown, "prompt": "What?", "chosen": "x", "rejected": "y"} for shown in SHOWN[name]]
    data = load(rows)
    assert data.n_prompts == 2
    assert "duplicate_row" not in data.report.noted
    labelled = [
        {**shown, "prompt": "What?", "response_a": "x", "response_b": "y", "winner": "a"}
        for shown in SHOWN[name]
    ]
    assert load(labelled).n_prompts == 2


def test_pictures_that_are_the_answers_are_no_prompt() -> None:
    rows = [
        {
            "caption": "a cat",
            "jpg_0": f"aa{i}",
            "jpg_1": f"bb{i}",
            "image_0_url": f"https://example.org/{i}a",
            "image_1_url": f"https://example.org/{i}b",
            "label_0": 1.0,
            "label_1": 0.0,
        }
        for i in range(2)
    ]
    check(Layout(rows, ("a cat",), ("aa0", "aa1")))


def test_votes_under_a_prompt_without_answers_are_votes_of_models_under_it() -> None:
    """A board that keeps the question and who won, by name, but not what was said."""
    rows = [
        {"prompt": Q[0], "model_a": "kiwi", "model_b": "plum", "winner": "kiwi"},
        {"prompt": Q[1], "model_a": "plum", "model_b": "kiwi", "winner": "kiwi"},
        {"prompt": Q[1], "model_a": "plum", "model_b": "fig", "winner": "tie"},
    ]
    data = load(rows)
    assert data.report.schemas[0].name == "arena_votes"
    assert data.prompts["text"].to_list() == list(Q)
    models = data.alternatives["model"].to_list()
    won = data.comparisons.select("winner", "outcome").iter_rows()
    assert ["tie" if o == 0.5 else models[w] for w, o in won] == ["kiwi", "kiwi", "tie"]


def test_which_tool_answered_is_part_of_the_prompt() -> None:
    rows = [
        {
            "prompt": [user("q"), say("tool", "1", name=name)],
            "chosen": [bot("x")],
            "rejected": [bot("y")],
        }
        for name in ("clock", "scale")
    ]
    check(Layout(rows, ("user: q\n\ntool clock: 1", "user: q\n\ntool scale: 1"), ("x", "x")))


# -- 4. turns that are not text

DEEDS: dict[str, tuple[Any, Any]] = {
    "parts of Gemini": (
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 2}}}]},
    ),
    "a thought of Gemini": (
        {"role": "model", "parts": [{"text": "one", "thought": True}, {"text": "x"}]},
        {"role": "model", "parts": [{"text": "two", "thought": True}, {"text": "x"}]},
    ),
    "calls as text": (
        bot("", tool_calls='[{"function": {"name": "f", "arguments": "{}"}}]'),
        bot("", tool_calls='[{"function": {"name": "g", "arguments": "{}"}}]'),
    ),
    "reasoning details": (
        bot("x", reasoning_details=[{"type": "reasoning.text", "text": "one"}]),
        bot("x", reasoning_details=[{"type": "reasoning.text", "text": "two"}]),
    ),
    "a hidden thought": (
        bot([{"type": "redacted_thinking", "data": "AA"}, {"type": "text", "text": "x"}]),
        bot([{"type": "redacted_thinking", "data": "BB"}, {"type": "text", "text": "x"}]),
    ),
    "a call of the responses API": (
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "function_call", "name": "g", "arguments": "{}"},
    ),
    "a call in ShareGPT": (
        {"from": "function_call", "value": '{"name": "f"}'},
        {"from": "gpt", "value": "no"},
    ),
    "a bare call": (
        {"name": "f", "arguments": {"a": 1}},
        {"name": "f", "arguments": {"a": 2}},
    ),
    "code": (bot([{"type": "code", "code": "1"}]), bot([{"type": "code", "code": "2"}])),
}


@pytest.mark.parametrize("name", DEEDS)
@pytest.mark.parametrize("bare", [False, True], ids=["listed", "alone"])
def test_two_deeds_are_two_answers(name: str, bare: bool) -> None:
    one, other = DEEDS[name]
    sides = (one, other) if bare else ([one], [other])
    data = load([{"prompt": [user("q")], "chosen": sides[0], "rejected": sides[1]}])
    assert data.n_alternatives == 2
    assert data.comparisons.height == 1
    assert "empty_answer" not in data.report.noted


def test_a_call_as_text_is_the_same_call() -> None:
    calls = [
        [{"function": {"name": "f", "arguments": '{"a": 1}'}}],
        '[{"function": {"name": "f", "arguments": "{\\"a\\":1}"}}]',
        [{"name": "f", "arguments": {"a": 1}}],
    ]
    rows = [
        {"prompt": "q", "chosen": [bot("", tool_calls=c)], "rejected": [bot("no")]} for c in calls
    ]
    assert load(rows).n_alternatives == 2


# -- 5. cells and containers


def messages(q: str, a: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": q}, {"role": "assistant", "content": a}]


CELLS = {
    "tuples": lambda m: str(tuple(m)),
    "JSON in JSON": lambda m: json.dumps(json.dumps(m)),
    "field by field": lambda m: str({k: [e[k] for e in m] for k in m[0]}),
    "field by field as JSON": lambda m: json.dumps({k: [e[k] for e in m] for k in m[0]}),
    "another name first": lambda m: json.dumps([{"id": 1, **e} for e in m]),
    "content first": lambda m: str([dict(reversed(e.items())) for e in m]),
    "nothing said of tools": lambda m: str([{**e, "tool_calls": None} for e in m]),
}


@pytest.mark.parametrize("how", CELLS)
@pytest.mark.parametrize("container", ["csv", "jsonl"])
def test_messages_in_a_cell_are_messages(how: str, container: str) -> None:
    write = CELLS[how]
    found = rows(
        lambda q, g, b: {"chosen": write(messages(q, g)), "rejected": write(messages(q, b))}
    )
    if container == "csv":
        check(Layout(pl.DataFrame(found).write_csv()))
    else:
        check(Layout(found))


BROKEN = {
    "left out by numpy": "[{'role': 'user', 'content': 'q'} ... {'role': 'bot', 'content': 'x'}]",
    "nan": "[{'role': 'assistant', 'content': nan}]",
    "a date of Python's": "[{'role': 'assistant', 'content': 'x', 't': datetime.date(2024, 1, 1)}]",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_cell_that_is_no_list_is_no_answer(how: str) -> None:
    with pytest.raises(InputError) as caught:
        load([{"prompt": "q", "chosen": BROKEN[how], "rejected": "y"}])
    assert "json.dumps" in (caught.value.next_step or "")


def test_lists_as_numpy_prints_them() -> None:
    row = {"prompt": "q", "responses": "['x one' 'y two'\n 'z']", "ranks": "[3 1 2]"}
    data = load(pl.DataFrame([row]).write_csv())
    assert data.alternatives["text"].to_list() == ["x one", "y two", "z"]
    assert data.choice_members["rank"].to_list() == [2, 0, 1]


TWO = pairs(lambda q, i: {"prompt": q})
FILES: dict[str, str] = {
    "objects over several lines": "\n".join(json.dumps(r, indent=1) for r in TWO),
    "arrays one behind the other": "\n".join(json.dumps([r]) for r in TWO),
    "splits": json.dumps({"train": [TWO[0]], "test": [TWO[1]]}),
    "under their ids": json.dumps({"a1": TWO[0], "b2": TWO[1]}),
    "semicolons and a mark": "\ufeff" + pl.DataFrame(TWO).write_csv(separator=";"),
    "a column of row numbers": pl.DataFrame(TWO).with_row_index("").write_csv(),
    "blanks around the names": pl.DataFrame(TWO).rename({"prompt": " prompt "}).write_csv(),
    "columns with blanks": pl.DataFrame(TWO)
    .rename({"prompt": "User Prompt", "chosen": "Chosen Response", "rejected": "Rejected Response"})
    .write_csv(),
    "bars": pl.DataFrame(TWO).write_csv(separator="|"),
    "by columns on one line": json.dumps({k: [r[k] for r in TWO] for k in TWO[0]}),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_make_is_the_same_rows(name: str) -> None:
    check(Layout(FILES[name]))


# -- 6. labels

LABELS: dict[str, tuple[Any, ...]] = {
    "strengths": ("A++", "B+", "A=B"),
    "numbers compared": ("1>2", "2>1", "1=2"),
    "stronger numbers": ("1>>2", "1<<2", "1==2"),
    "objects": ({"value": "A"}, {"value": "B"}, {"value": "tie"}),
    "choices": ({"choices": ["left"]}, {"choices": ["right"]}, {"choices": ["tie"]}),
    "sentences": (
        "Response A is much better than Response B",
        "Response B is better than Response A",
        "A and B are equal",
    ),
    "full-width": ("Ａ", "Ｂ", "ＴＩＥ"),
    "what cannot be seen": ("A\u200b", "\ufeffB", "t\u00adie"),
    "marks": ("1.", "(2)", "[[tie]]"),
    "the fields' names": ("response_a", "Response B", "neither"),
}


@pytest.mark.parametrize("name", LABELS)
def test_a_label_is_understood(name: str) -> None:
    rows = [
        {"prompt": "p", "response_a": f"a{i}", "response_b": f"b{i}", "winner": w}
        for i, w in enumerate(LABELS[name])
    ]
    check(Layout(rows, ("p",), ("a0", "b1", "tie")))


def test_signs_are_two_labels() -> None:
    rows = [
        {"prompt": "p", "response_a": f"a{i}", "response_b": f"b{i}", "winner": w}
        for i, w in enumerate("+-" * 3)
    ]
    with pytest.raises(InputError) as caught:
        load(rows)
    assert "left_label=+,right_label=-" in (caught.value.next_step or "")
    mapping = {"label": "winner", "left": "response_a", "right": "response_b"}
    check(
        Layout(rows, ("p",), ("a0", "b1", "a2", "b3", "a4", "b5")),
        mapping={**mapping, "left_label": "+", "right_label": "-"},
    )


@pytest.mark.parametrize("word", ["C", "unsure", "skip", "not A", "A is not better than B"])
def test_an_odd_word_may_be_any_of_four_things(word: str) -> None:
    rows = [
        {"prompt": "p", "response_a": f"a{i}", "response_b": f"b{i}", "winner": w}
        for i, w in enumerate(("A", "B", word))
    ]
    with pytest.raises(InputError) as caught:
        load(rows)
    step = caught.value.next_step or ""
    for role in ("left_label", "right_label", "tie_label", "no_label"):
        assert f"{role}=" in step
    sides = {"label": "winner", "left": "response_a", "right": "response_b"}
    assert load(rows, mapping={**sides, "no_label": word}).report.skipped_by_reason == {
        "missing_label": 1
    }


def test_a_label_goes_before_scores() -> None:
    rows = [
        {
            "prompt": "p",
            "response_a": f"a{i}",
            "response_b": f"b{i}",
            "winner": "A",
            "score_a": 1,
            "score_b": 5,
        }
        for i in range(2)
    ]
    check(Layout(rows, ("p",), ("a0", "a1"), ("rating_contradicts",), "labelled_pair"))
    assert load(rows).ratings["score"].to_list() == [1.0, 5.0, 1.0, 5.0]


# -- 7. templates

TEMPLATES = {
    "Kimi": "<|im_user|>user<|im_middle|>{q}<|im_end|>"
    "<|im_assistant|>assistant<|im_middle|>{a}<|im_end|>",
    "EXAONE": "[|user|]{q}\n[|assistant|]{a}[|endofturn|]",
    "InternLM": "<|User|>:{q}<eoh>\n<|Bot|>:{a}<eoa>",
    "Baichuan": "<reserved_106>{q}<reserved_107>{a}",
    "Nemotron": "<extra_id_0>System\n\n<extra_id_1>User\n{q}\n<extra_id_1>Assistant\n{a}\n",
    "Seed": "<seed:bos>user\n{q}<seed:eos><seed:bos>assistant\n{a}<seed:eos>",
    "MiniMax": "<beginning_of_sentence>user name=u\n{q}<end_of_sentence>\n"
    "<beginning_of_sentence>ai name=a\n{a}<end_of_sentence>",
    "Saiga": "<s>user\n{q}</s>\n<s>bot\n{a}</s>",
    "OpenAssistant": "<|prompter|>{q}<|endoftext|><|assistant|>{a}<|endoftext|>",
    "StableLM": "<|USER|>{q}<|ASSISTANT|>{a}",
    "DeepSeek coder": "### Instruction:\n{q}\n### Response:\n{a}\n<|EOT|>",
    "Guanaco": "### Human: {q}### Assistant: {a}",
    "Yi": "<|startoftext|><|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n{a}<|im_end|>",
    "Question/Answer": "Question: {q}\n\nAnswer: {a}",
    "Q/A": "Q: {q}\nA: {a}",
    "Human/AI": "Human: {q}\nAI: {a}",
    "small letters": "human: {q}\nassistant: {a}",
    "bold": "**User:** {q}\n\n**Assistant:** {a}",
    "Instruct/Output": "Instruct: {q}\nOutput: {a}",
    "bot in brackets": "<human>: {q}\n<bot>: {a}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_no_content(name: str) -> None:
    form = TEMPLATES[name]
    whole = rows(
        lambda q, g, b: {"chosen": form.format(q=q, a=g), "rejected": form.format(q=q, a=b)}
    )
    check(Layout(whole))


@pytest.mark.parametrize("name", ["Kimi", "Saiga", "Guanaco", "Q/A"])
def test_a_template_is_no_content_of_labelled_or_rated_texts(name: str) -> None:
    form = TEMPLATES[name]
    found = rows(
        lambda q, g, b: {
            "response_a": form.format(q=q, a=b),
            "response_b": form.format(q=q, a=g),
            "winner": "b",
        }
    )
    check(Layout(found))
    rated = rows(lambda q, g, b: {"text": form.format(q=q, a=g), "score": 1})
    check(Layout(rated, Q, ()))
    assert load(rated).alternatives["text"].to_list() == list(GOOD)


@pytest.mark.parametrize("end", ["</s>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|EOT|>"])
def test_the_end_of_a_turn_is_no_content(end: str) -> None:
    check(Layout(rows(lambda q, g, b: {"prompt": q, "chosen": g + end, "rejected": b + end})))
    gone = {"prompt": "q", "chosen": "<s>struck</s>", "rejected": "y"}
    check(Layout([gone], ("q",), ("<s>struck</s>",)))


@pytest.mark.parametrize(
    "said", ["<|prompter|>The bug is here", "<bot>: Hello\n<bot>:", "Q: who?\nA: me", "**AI:** so"]
)
def test_a_marker_that_slipped_into_an_answer_stays(said: str) -> None:
    check(Layout([{"prompt": "q", "chosen": said, "rejected": "no"}], ("q",), (said,)))


# -- 8. what looks alike

TWINS = {
    "mathematical letters": ("hello", "𝐡𝐞𝐥𝐥𝐨"),
    "circled letters": ("abc", "ⓐⓑⓒ"),
    "a Roman numeral": ("Henry IV won", "Henry Ⅳ won"),
    "no Latin letter at all": ("TEST", "ᎢᎬᏚᎢ"),
    "a ligature": ("finish", "ﬁnish"),
    "a Greek letter": ("some word", "sοme word"),
    "a blank that does not break": ("a b c word", "a\u00a0b c word"),
    "a narrow blank": ("a b c", "a\u2009b c"),
    "an empty Braille cell": ("a b", "a\u2800 b"),
    "a backspace": ("a b", "a\x08 b"),
    "a variation selector": ("❤ it", "❤\ufe0f it"),
    "tags": ("it is", "it\U000e0067 is"),
    "a mark of direction": ("it is", "it\u2067 is\u2069"),
}


@pytest.mark.parametrize("name", TWINS)
def test_answers_that_look_alike_are_told(name: str) -> None:
    one, other = TWINS[name]
    rows = [
        {"prompt": "q", "chosen": one, "rejected": "something else"},
        {"prompt": "q", "chosen": "again another", "rejected": other},
    ]
    noted = load(rows).report.noted
    assert noted.get("invisible_difference", 0) + noted.get("lookalike_difference", 0) == 2


@pytest.mark.parametrize("other", ["Why\u200b is it", "Why is іt", "Why\u00a0is it"])
def test_prompts_that_look_alike_are_told(other: str) -> None:
    rows = [{"prompt": p, "chosen": "x", "rejected": "y"} for p in ("Why is it", other, "Why not")]
    data = load(rows)
    assert data.n_prompts == 3
    assert data.report.noted["prompt_looks_alike"] == 2


@pytest.mark.parametrize("name", ["prompt\u200b", "\ufeffprompt", "ｐrompt", "Prompt "])
def test_a_name_that_looks_alike_is_the_name(name: str) -> None:
    check(Layout(pairs(lambda q, i: {name: q})))


def test_other_scripts_are_not_disguised() -> None:
    pairs_ = [("да", "нет"), ("это он", "это она"), ("سلام", "صلح"), ("東京", "京都")]
    rows = [{"prompt": str(i), "chosen": a, "rejected": b} for i, (a, b) in enumerate(pairs_)]
    assert load(rows).report.noted == {}


# -- 9. the right schema

SCHEMAS: dict[str, Layout] = {
    "WebDev Arena": Layout(
        rows(
            lambda q, g, b: {
                "model_a": "A",
                "model_b": "B",
                "winner": "model_a",
                "messages_a": messages(q, g),
                "messages_b": messages(q, b),
            }
        ),
        schema="arena_conversations",
    ),
    "LMArena with parts": Layout(
        rows(
            lambda q, g, b: {
                "id": q,
                "model_a": "A",
                "model_b": "B",
                "winner": "model_b",
                "conversation_a": [
                    say("user", [{"type": "text", "text": q}]),
                    bot([{"type": "text", "text": b}]),
                ],
                "conversation_b": [
                    say("user", [{"type": "text", "text": q}]),
                    bot([{"type": "text", "text": g}]),
                ],
            }
        ),
        schema="arena_conversations",
    ),
    "Prometheus": Layout(
        rows(
            lambda q, g, b: {
                "orig_instruction": q,
                "orig_response_A": b,
                "orig_response_B": g,
                "orig_preference": "B",
            }
        ),
        schema="labelled_pair",
    ),
    "Prometheus by scores": Layout(
        rows(
            lambda q, g, b: {
                "orig_instruction": q,
                "orig_response_A": g,
                "orig_response_B": b,
                "orig_score_A": "5",
                "orig_score_B": "3",
            }
        ),
        schema="scored_pair",
    ),
    "stack exchange, paired": Layout(
        rows(lambda q, g, b: {"qid": 1, "question": q, "response_j": g, "response_k": b})
    ),
    "Mechanical Turk": Layout(
        rows(
            lambda q, g, b: {
                "HITId": q,
                "WorkerId": "w",
                "Input.prompt": q,
                "Input.response_a": g,
                "Input.response_b": b,
                "Answer.preference": "A",
            }
        ),
        schema="labelled_pair",
    ),
    "Argilla, ranking": Layout(
        rows(
            lambda q, g, b: {
                "instruction": q,
                "response-1": b,
                "response-2": g,
                "ranking.responses": [
                    [{"rank": 2, "value": "response-1"}, {"rank": 1, "value": "response-2"}]
                ],
            }
        ),
        schema="argilla_responses",
    ),
    "Argilla, records": Layout(
        rows(
            lambda q, g, b: {
                "id": q,
                "fields": {"prompt": q, "response_a": g, "response_b": b},
                "responses": {
                    "preference": [
                        {"value": "response_a", "user_id": "u", "status": "submitted"},
                        {"value": "response_b", "user_id": "v", "status": "draft"},
                    ]
                },
            }
        ),
        schema="argilla_responses",
    ),
    "Label Studio, short": Layout(
        rows(
            lambda q, g, b: {
                "prompt": q,
                "answer1": b,
                "answer2": g,
                "pairwise": "right",
                "annotator": 1,
                "annotation_id": 2,
            }
        ),
        schema="labelled_pair",
    ),
    "camel case": Layout(
        rows(
            lambda q, g, b: {
                "userPrompt": q,
                "responseA": g,
                "responseB": b,
                "preferredResponse": "A",
            }
        )
    ),
    "distilabel with its pair": Layout(
        rows(
            lambda q, g, b: {
                "instruction": q,
                "generations": [g, b],
                "generation_models": ["A", "B"],
                "ratings": [4, 2],
                "chosen": messages(q, g),
                "rejected": messages(q, b),
                "chosen_rating": 4,
                "rejected_rating": 2,
            }
        )
    ),
    "batches of a trainer": Layout(
        [{"prompt": list(Q), "chosen": list(GOOD), "rejected": list(BAD)}] * 2, won=GOOD * 2
    ),
    "batches of conversations": Layout(
        [
            {
                "chosen": [messages(q, g) for q, g in zip(Q, GOOD, strict=True)],
                "rejected": [messages(q, b) for q, b in zip(Q, BAD, strict=True)],
            }
        ]
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_layout_is_what_it_is(name: str) -> None:
    check(SCHEMAS[name])


@pytest.mark.parametrize(
    ("items", "order"),
    [
        ([{"model": "A", "text": "x"}, {"model": "B", "text": "y"}], ["B", "A"]),
        ([{"id": 1, "text": "x"}, {"id": 2, "text": "y"}], [2, 1]),
        (["x", "y"], ["y", "x"]),
        (["x", "y"], ["2", "1"]),
    ],
)
def test_a_ranking_names_responses_as_they_name_themselves(items: Any, order: Any) -> None:
    data = load([{"prompt": "q", "responses": items, "ranking": order}])
    assert data.alternatives["text"].to_list() == ["x", "y"]
    assert data.choice_members["rank"].to_list() == [1, 0]


def test_lists_whose_scores_have_another_name() -> None:
    rows = [
        {
            "qid": 1,
            "question": q,
            "answers": [{"text": "x", "pm_score": 1}, {"text": "y", "pm_score": 3}],
        }
        for q in Q
    ]
    data = load(rows)
    assert data.report.schemas[0].name == "ranked_list"
    assert data.choice_members["rank"].to_list() == [1, 0] * 2


def test_two_judgements_that_contradict_each_other_are_no_one_judgement() -> None:
    row = {"prompt": "q", "chosen": "x", "rejected": "y", "response_a": "x", "response_b": "y"}
    check(Layout([{**row, "winner": "a"}], ("q",), ("x",)))
    with pytest.raises(InputError) as caught:
        load([{**row, "winner": "b"}])
    words = (caught.value.next_step or "").split()
    names = [words[i + 1] for i, w in enumerate(words) if w == "--schema"]
    won = [load([{**row, "winner": "b"}], schema=n) for n in names]
    assert [d.alternatives["text"][d.comparisons["winner"][0]] for d in won] == ["x", "y"]


# -- 10. values

P = {"prompt": "q", "chosen": "x", "rejected": "y"}
VALUES: dict[str, Layout] = {
    "a reward that contradicts": Layout(
        [{**P, "reward_chosen": 1, "reward_rejected": 2}], 1, ("x",), ("rating_contradicts",)
    ),
    "a rating with a hyphen": Layout(
        [{**P, "chosen-rating": "1", "rejected-rating": "2"}], 1, ("x",), ("rating_contradicts",)
    ),
    "a negative margin": Layout([{**P, "margin": -1.5}], 1, ("x",), ("rating_contradicts",)),
    "scores that come late": Layout(
        [{**P, "prompt": f"q{i}"} for i in range(205)]
        + [{**P, "chosen_reward": 1, "rejected_reward": 2}],
        206,
        ("x",) * 206,
        ("rating_contradicts",),
    ),
    "pictures that come late": Layout(
        [{**P, "prompt": f"q{i}"} for i in range(205)] + [{**P, "image": f"{i}.png"} for i in "ab"],
        207,
        ("x",) * 207,
    ),
    "the word nan": Layout([P, {**P, "chosen": "nan"}], 1, ("x", "nan"), ("null_word",)),
    "a name twice in a message": Layout(
        '{"prompt": [{"role": "user", "content": "a", "content": "b"}], "chosen": "x", '
        '"rejected": "y"}\n',
        ("b",),
        ("x",),
        ("duplicate_key",),
    ),
    "a name twice before a blank": Layout(
        '{"prompt" : "a", "prompt" : "b", "chosen" : "x", "rejected" : "y"}\n',
        ("b",),
        ("x",),
        ("duplicate_key",),
    ),
    "a column that says tie": Layout(
        [
            {"prompt": "q", "response_a": "x", "response_b": "y", "winner": None, "tie": True},
            {"prompt": "q", "response_a": "x", "response_b": "z", "winner": "a", "tie": "NO"},
        ],
        1,
        ("tie", "x"),
        ("tie",),
    ),
    "names that were shown": Layout(
        [{"model_a": "A", "model_b": "B", "winner": "model_a", "anony": "False"}],
        1,
        None,
        ("names_shown",),
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_read_and_told(name: str) -> None:
    check(VALUES[name])


@pytest.mark.parametrize("turn", [1, 1.0, "1", " 1.0 "])
def test_a_turn_is_counted_however_it_is_written(turn: Any) -> None:
    def talk(name: str) -> list[dict[str, Any]]:
        return [*messages("q1", f"{name}1"), *messages("q2", f"{name}2")]

    row = {"model_a": "A", "model_b": "B", "winner": "model_a", "turn": turn}
    row |= {"conversation_a": talk("x"), "conversation_b": talk("y")}
    check(Layout([row], ("q1",), ("x1",), ("later_turns_left_out",)))


# -- 11. messages

ADVICE: dict[str, tuple[list[Any] | str, str]] = {
    "an object for a text": ([{**P, "chosen": {"a": 1, "b": "t"}, "rejected": {"a": 2, "b": "u"}}],
                             "--map chosen=chosen.b,rejected=rejected.b"),
    "a decimal comma": ("prompt;output_a;output_b;score_a;score_b\nq;x;y;1,5;2,5\nr;z;w;3,5;2,0\n",
                        "decimal point"),
    "a message without content": ([{**P, "chosen": [bot(None)]}], "a role and a content"),
    "a table without names": ("Capital of Peru?,Lima,Cusco\nLongest river?,Nile,Thames\n",
                              "columns' names"),
    "a list of lists": ("[[1, 2], [3, 4]]", "json.dumps"),
    "a number too big": (f'{{"prompt": "q", "chosen": {10**30}, "rejected": 2}}\n', "in quotes"),
    "who won under another name": (
        [{"prompt": f"q {i} is it", "botA": f"yes {i} it", "botB": "no it is", "a_wins": i % 2 == 0}
         for i in range(6)],
        "left=botA,right=botB,label=a_wins",
    ),
    "votes on both sides": (
        [{"prompt": f"q {i} is it", "alpha": "yes it is", "beta": f"no {i} it is", "likes_x": i}
         for i in range(3)],
        "--map",
    ),
    "a list beside an order": (
        [{"prompt": "q", "candidates": ["x", "y", "z"], "places": [2, 0, 1]}] * 2,
        "item_order=places",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ADVICE)
def test_advice_is_made_of_what_the_rows_hold(name: str) -> None:
    given, wanted = ADVICE[name]
    with pytest.raises(InputError) as caught:
        load(given)
    step = caught.value.next_step or ""
    assert wanted in step
    assert "chosen=score" not in step

"""Hostile data through every renderer: nothing from it is interpreted, whatever it holds."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from cases import run_of
from hostile import HOSTILE, SGR, check_markdown, check_plain, text
from hypothesis import event, given, settings
from hypothesis import strategies as st

from cr_audit.cli.scan import COMMAND
from cr_audit.contract import schema
from cr_audit.errors import CrAuditError
from cr_audit.families.reporting import shown_by
from cr_audit.write import WRITERS, Target
from cr_audit.write.terminal import write_blocks

VALIDATOR = jsonschema.Draft202012Validator(schema())


@st.composite
def arenas(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Labelled pairs over few prompts, models and responses, so that there is much to report."""
    prompts = draw(st.lists(text, min_size=1, max_size=3))
    responses = draw(st.lists(text, min_size=2, max_size=6))
    models = draw(st.lists(text, max_size=4))
    raters = draw(st.lists(text, max_size=3))
    rows = []
    for _ in range(draw(st.integers(1, 14))):
        row: dict[str, Any] = {"prompt": draw(st.sampled_from(prompts))}
        for side in "ab":
            row[f"response_{side}"] = draw(st.sampled_from(responses))
            if models:
                row[f"model_{side}"] = draw(st.sampled_from(models))
        if raters:
            row["annotator"] = draw(st.sampled_from(raters))
        row["winner"] = draw(st.sampled_from(["model_a", "model_b", "tie", draw(text)]))
        rows.append(row)
    return rows


@st.composite
def other_data(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Chosen and rejected texts, ids alone, or ranked lists."""
    kind = draw(st.sampled_from(["pairs", "ids", "lists"]))
    rows: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 10))):
        if kind == "pairs":
            rows.append({"prompt": draw(text), "chosen": draw(text), "rejected": draw(text)})
        elif kind == "ids":
            models = {f"model_{side}": draw(text) for side in "ab"}
            label = draw(st.sampled_from(["model_a", "model_b", "tie"]))
            rows.append({"question_id": draw(text), **models, "winner": label})
        else:
            n = draw(st.integers(2, 4))
            ranks = draw(st.lists(st.integers(1, n), min_size=n, max_size=n))
            answers = [{"text": draw(text), "rank": rank} for rank in ranks]
            rows.append({"question": draw(text), "answers": answers})
    return rows


def check_everything(rows: list[dict[str, Any]], model: str) -> None:
    try:
        run = run_of(
            rows, reading={"max_skipped": 1.0}, model=model, n_replicates=10, precision=1.0
        )
    except CrAuditError as error:
        event(error.slug)  # a refusal with a reason; anything else is a bug
        return
    report, analysis = COMMAND.make(run), run.analysis
    sections = [
        shown_by("clones").section(analysis, limit=9, diffs=9, members=True),
        *shown_by("weights").brief(run.facts("weights")),
        *shown_by("weights").heaviest(run.facts("weights"), limit=9),
        *[shown_by("rankings").section(unit, limit=9) for unit in analysis.units],
    ]
    for width in (40, 120):
        check_plain(WRITERS["table"].write(report, Target(width)), width)
        check_plain(write_blocks(sections, Target(width)), width)
    coloured = WRITERS["table"].write(report, Target(100, True))
    codes = {part for m in SGR.finditer(coloured) for part in m.group(1).split(";")}
    assert codes <= {"", "0", "1", "2", "31", "32", "33", "36"}, codes
    bare = SGR.sub("", coloured)
    check_plain("\n".join(line.rstrip() for line in bare.split("\n")), 100)
    out = WRITERS["json"].write(report, Target(full_text=True))
    assert out.isascii()
    assert all(c == "\n" or c.isprintable() for c in out)
    assert "##[" not in out
    document = json.loads(out)
    VALIDATOR.validate(document)
    json.dumps(document, ensure_ascii=False).encode("utf-8")  # no lone surrogate, however escaped
    check_markdown(WRITERS["markdown"].write(report, Target()))


MANY = settings.default.max_examples // 2


@settings(max_examples=MANY)
@given(arenas(), st.sampled_from(["lexical", "none"]))
def test_arenas(rows: list[dict[str, Any]], model: str) -> None:
    check_everything(rows, model)


@settings(max_examples=MANY)
@given(other_data(), st.sampled_from(["lexical", "none"]))
def test_pairs_ids_and_lists(rows: list[dict[str, Any]], model: str) -> None:
    check_everything(rows, model)


@pytest.mark.parametrize("piece", HOSTILE)
def test_each_hostile_text_everywhere(piece: str) -> None:
    """The same text as prompt, response, model and rater at once."""
    rows = [
        {
            "prompt": piece or "p",
            "response_a": f"{piece} one {k}",
            "response_b": f"{piece} two {k}",
            "model_a": f"{piece}A",
            "model_b": f"B{piece}",
            "winner": "model_a" if k % 3 else "model_b",
            "annotator": piece,
        }
        for k in range(6)
    ]
    check_everything(rows, "lexical")


def test_the_fuzz_reaches_every_part() -> None:
    """The generators above are worth something only if what they make has clones and ranks."""
    piece = HOSTILE[0]
    rows = [
        {
            "prompt": piece,
            "response_a": f"{piece} one two three four five",
            "response_b": f"{piece} one two three four six",
            "model_a": f"m{i}",
            "model_b": f"m{i + 1}",
            "winner": "model_a",
        }
        for i in range(4)
    ]
    report = COMMAND.make(run_of(rows))
    assert {told.finding.rule for told in report.outcome.told} >= {"CR101", "CR102"}
    assert "\x1b" not in WRITERS["table"].write(report, Target(80))

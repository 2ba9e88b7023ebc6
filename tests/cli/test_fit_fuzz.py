"""Hostile data through ``refit`` and ``stress`` as commands: tables, JSON, Markdown and plots hold
it as text, and nothing of it is interpreted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import jsonschema
import pytest
from cases import jsonl
from hostile import HOSTILE, SGR, check_markdown, check_plain, suspects, text
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import called, folder
from PIL import Image

from cr_audit.contract import schema
from cr_audit.families.rewards.show import MAX_DRAWN
from cr_audit.write import Target, terminal

VALIDATOR = jsonschema.Draft202012Validator(schema())
SVG = "{http://www.w3.org/2000/svg}"
# Every element and attribute that the slope chart is made of.
ELEMENTS = {
    "svg": {"width", "height", "viewBox", "role"},
    "title": set(),
    "style": set(),
    "rect": {"width", "height", "fill"},
    "text": {"class", "x", "y", "text-anchor"},
    "line": {"class", "x1", "y1", "x2", "y2"},
}
FILE_NAMES = (
    "x.jsonl",
    "::error::x.jsonl",
    "\x1b[31m[red]a|b`<b>&amp;]]>\u202e%0A.jsonl",
    "new\nline ##vso[x].jsonl",
    "not utf-8 \udcff.jsonl",
)
BASE = ("--replicates", "10", "--no-cache", "--max-skipped", "1")
MANY = settings.default.max_examples // 3


@st.composite
def tournaments(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Three or four models (or no models), every two of which meet, so that there is a ranking."""
    n = draw(st.integers(3, 4))
    texts = draw(st.lists(text, min_size=n, max_size=n))
    names = draw(st.none() | st.lists(text, min_size=n, max_size=n, unique=True))
    raters = draw(st.none() | st.lists(text, min_size=1, max_size=2))
    rows = []
    for prompt in draw(st.lists(text, min_size=1, max_size=2)):
        for i in range(n):
            for j in range(i):
                row: dict[str, Any] = {"prompt": prompt}
                for side, k in (("a", i), ("b", j)):
                    row[f"response_{side}"] = texts[k] + draw(st.sampled_from(["", " 1", " two"]))
                    if names is not None:
                        row[f"model_{side}"] = names[k]
                if raters is not None:
                    row["annotator"] = draw(st.sampled_from(raters))
                row["winner"] = draw(st.sampled_from(["model_a", "model_b", "tie"]))
                rows.append(row)
    return rows


def ran(command: str, name: str, content: bytes, form: str, width: int, *more: str) -> str | None:
    """What the command prints; None where it refuses the data, in words."""
    Path(name).write_bytes(content)
    with mock.patch.dict(os.environ, {"COLUMNS": str(width)}):
        code, out, err = called([command, f"./{name}", *BASE, "--format", form, *more])
    assert code in (0, 3, 4), (code, err)
    assert not suspects(err)
    assert "Traceback" not in err
    if code:
        assert out == ""
        assert err.startswith("cr-audit: "), err
        return None
    return out


def check(out: str, form: str, width: int) -> None:
    assert not suspects(out)
    if form == "table":
        check_plain(out, width)
    elif form == "markdown":
        check_markdown(out)
    else:
        assert out.isascii()
        document = json.loads(out)
        VALIDATOR.validate(document)
        json.dumps(document, ensure_ascii=False).encode("utf-8")


def check_svg(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    assert not suspects(content)
    root = ElementTree.fromstring(content)
    for element in root.iter():
        assert set(element.attrib) <= ELEMENTS[element.tag.removeprefix(SVG)]
    n_lines = len(root.findall(f"{SVG}line"))
    assert 2 <= n_lines <= MAX_DRAWN
    assert len(root.findall(f"{SVG}text")) == 2 * n_lines + 4  # title, two heads, the note
    assert "\n" not in "".join(x.text or "" for x in root.findall(f"{SVG}text"))


FORMS = st.sampled_from(["table", "json", "markdown"])
MODELS = st.sampled_from(["lexical", "none"])


@settings(max_examples=MANY)
@given(tournaments(), FORMS, MODELS, st.sampled_from(FILE_NAMES), st.sampled_from([40, 80, 120]))
def test_refit(rows: list[dict[str, Any]], form: str, model: str, name: str, width: int) -> None:
    with folder():
        out = ran("refit", name, jsonl(rows), form, width, "--model", model)
        if out is not None:
            check(out, form, width)


@settings(max_examples=MANY)
@given(tournaments(), st.sampled_from(FILE_NAMES))
def test_plots(rows: list[dict[str, Any]], name: str) -> None:
    with folder():
        more = ("--model", "lexical", "--plot", "p.svg")
        if ran("refit", name, jsonl(rows), "table", 80, *more) is not None:
            check_svg(Path("p.svg"))


@settings(max_examples=MANY // 4)
@given(
    tournaments(),
    st.sampled_from(["table", "json"]),
    st.sampled_from(FILE_NAMES),
    st.sampled_from([(), ("--find-flip", "--max-clones", "2")]),
)
def test_stress(rows: list[dict[str, Any]], form: str, name: str, flip: tuple[str, ...]) -> None:
    with folder():
        out = ran(
            "stress", name, jsonl(rows), form, 80, "--model", "lexical", "--clones", "2", *flip
        )
        if out is not None:
            check(out, form, 80)


def everywhere(piece: str) -> bytes:
    """The same text as prompt, response, model and rater."""
    return jsonl(
        {
            "prompt": piece or "p",
            "response_a": f"{piece} answer {i}",
            "response_b": f"{piece} answer {j}",
            "model_a": f"{i}{piece}",
            "model_b": f"{j}{piece}",
            "winner": ("model_a", "model_b")[k % 3 == i],
            "annotator": f"{piece}{k}",
        }
        for i in range(4)
        for j in range(i)
        for k in range(4)
    )


@pytest.mark.parametrize("piece", HOSTILE)
def test_each_hostile_text_everywhere(piece: str) -> None:
    """Nothing may refuse this data. Tables are in colour: the only escapes are ours."""
    data = everywhere(piece)
    lexical = ("--model", "lexical")
    coloured = mock.patch.object(terminal, "target_of_stdout", return_value=Target(100, True))
    with folder():
        markdown = ran("refit", "x.jsonl", data, "markdown", 100, *lexical, "--plot", "p.svg")
        with coloured:
            table = ran("refit", "x.jsonl", data, "table", 100, *lexical, "--plot", "p.png")
            stress = ran("stress", "x.jsonl", data, "table", 100, *lexical, "--clones", "2")
        check_svg(Path("p.svg"))
        width = int(ElementTree.parse("p.svg").getroot().attrib["width"])
        with Image.open("p.png") as picture:
            assert picture.width == 2 * width
    assert markdown is not None
    check(markdown, "markdown", 100)
    for out in (table, stress):
        assert out is not None
        codes = {part for m in SGR.finditer(out) for part in m.group(1).split(";")}
        assert codes <= {"", "0", "1", "2", "31", "32", "33", "36"}, codes
        bare = SGR.sub("", out)
        check("\n".join(line.rstrip() for line in bare.split("\n")), "table", 100)


@pytest.mark.parametrize("piece", [x for x in HOSTILE if x.strip() and "\x00" not in x])
def test_hostile_words_on_the_command_line_of_simulate(piece: str) -> None:
    piece = piece.encode("utf-8", "replace").decode()[:100].replace("/", "_")
    with folder():
        for arguments in (
            (f"x{piece}",),
            ("table-3", "--plot", f"x{piece}"),
            ("table-3", "--plot", f"no/{piece}.svg"),
            ("clone-robust", "--model", f"./{piece}", "--plot", "x.svg"),
        ):
            code, out, err = called(["simulate", *arguments])
            assert code in (2, 3, 4), err
            assert out == ""
            assert not suspects(err)
            assert not [x for x in err.splitlines() if x.lstrip().startswith("::")], err
            assert "##vso[" not in err
            assert "##[" not in err
        assert called(["simulate", "table-3", "--plot", f"{piece}.svg"])[0] == 0
        assert ElementTree.parse(f"{piece}.svg").getroot().tag == f"{SVG}svg"

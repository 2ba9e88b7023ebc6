"""The whole program on arbitrary bytes, JSON and options: an exit code and a message, never a
traceback, never a raw control character."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import called, folder

from cr_audit.contract import schema

VALIDATOR = jsonschema.Draft202012Validator(schema())
SUSPECT = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
MANY = settings.default.max_examples // 2
FIELDS = ("prompt", "chosen", "rejected", "question", "answers", "text", "winner", "loser")
FIELDS += (
    "model_a",
    "model_b",
    "response_a",
    "response_b",
    "annotator",
    "messages",
    "\x1b[31m",
    "",
)
words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["\x1b[5m", "::error::x", "##vso[x]", "\u202e", "\x00", "\ud800", "model_a"]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), words),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3)
    ),
    max_leaves=8,
)
rows = st.one_of(
    values,
    st.dictionaries(st.sampled_from(FIELDS), values, min_size=1, max_size=6),
    st.fixed_dictionaries({"prompt": words, "chosen": words, "rejected": words}),
)
contents = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass")),
    st.lists(rows, min_size=1, max_size=6).map(
        lambda rs: b"".join(json.dumps(r).encode() + b"\n" for r in rs)
    ),
    st.lists(rows, max_size=4).map(lambda rs: json.dumps(rs).encode()),
)
names = st.sampled_from(["x.jsonl", "x.json", "x.csv", "x.parquet", "x.jsonl.gz", "x.csv.zst", "x"])
formats = st.sampled_from(["table", "json", "markdown"])
SKIPPED = ("--max-skipped", "1")


def check(code: int, out: str, err: str, form: str) -> None:
    assert code in (0, 2, 3, 4), (code, err)
    for stream in (out, err):
        assert not {c for c in set(stream) - {"\n"} if unicodedata.category(c) in SUSPECT}, stream
        assert "Traceback" not in stream
        assert "##vso[" not in stream
        assert not [x for x in stream.splitlines() if x.lstrip().startswith("::")], stream
    if code:
        assert out == ""
        assert err.startswith("cr-audit: ") or code == 2
    elif form == "json":
        VALIDATOR.validate(json.loads(out))


@settings(max_examples=MANY)
@given(contents, names, formats, st.sampled_from([(), SKIPPED]))
def test_any_file(content: bytes, name: str, form: str, skipped: tuple[str, ...]) -> None:
    with folder():
        Path(name).write_bytes(content)
        args = ["scan", name, "--model", "none", "--replicates", "10", "--no-cache"]
        check(*called([*args, "--format", form, *skipped]), form)


@settings(max_examples=MANY // 2)
@given(contents, formats)
def test_any_standard_input(content: bytes, form: str) -> None:
    with folder():
        args = ["scan", "-", "--model", "none", "--replicates", "10", "--no-cache"]
        check(*called([*args, "--format", form, *SKIPPED], content), form)


printable = st.text(
    st.characters(min_codepoint=32, categories=["L", "N", "P", "S", "Zs"]), max_size=9
)
CONTENT = b'{"prompt": "Why?", "chosen": "good", "rejected": "bad"}\n'


@settings(max_examples=MANY // 2)
@given(
    st.sampled_from(["--unit", "--space", "--map", "--schema", "--radius", "--seed", "--resample"]),
    words.filter(lambda w: "\x00" not in w and "\ud800" not in w),
)
def test_any_value_of_an_option(option: str, value: str) -> None:
    with folder():
        Path("x.jsonl").write_bytes(CONTENT)
        args = ["scan", "x.jsonl", "--model", "none", "--replicates", "10", "--no-cache"]
        code, out, err = called([*args, f"{option}={value}"])
        assert code in (0, 2, 3), (code, err)
        assert "Traceback" not in out + err


@settings(max_examples=MANY // 2)
@given(st.one_of(st.binary(max_size=60), printable.map(lambda t: f"seed = {t}\n".encode())))
def test_any_settings_file(content: bytes) -> None:
    with folder():
        Path("x.jsonl").write_bytes(CONTENT)
        Path("cr-audit.toml").write_bytes(content)
        args = ["scan", "x.jsonl", "--model", "none", "--replicates", "10", "--no-cache"]
        check(*called([*args, "--format", "json"]), "json")


@settings(max_examples=MANY // 2)
@given(words.filter(lambda w: "\x00" not in w and "\ud800" not in w and not w.startswith("-")))
def test_any_rule_and_any_file_name(name: str) -> None:
    with folder():
        code, _, err = called(["explain", name])
        assert code in (0, 2)
        check(code, "", err, "table")
        check(*called(["scan", name, "--no-cache"]), "table")

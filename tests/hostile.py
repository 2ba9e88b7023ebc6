"""Hostile texts, and what no output for people may hold."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import strategies as st
from rich.cells import cell_len

HOSTILE = (
    "\x1b[5;45mblink\x1b[0m",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "[bold red]markup[/bold red]",
    "[/]",
    "[link=http://evil.example]x[/link]",
    ":warning: :smile:",
    "::error file=a,line=1::boo",
    "\n::set-output name=x::y",
    "%0A::error::boo",
    "##vso[task.setvariable variable=x]y",
    "##[error]boo",
    "a | b || c\\|d",
    "]]>",
    "<script>alert(1)</script><!-- x -->",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt; &amp;#124; it's",
    "[text](http://evil.example) ![i](http://evil.example/x.png)",
    "https://evil.example/?a=1 www.evil.example a@evil.example @someone owner/repo#12 GH-3",
    "`code` **bold** _it_ ~~no~~ $x$ # head\n---\n- list\n1. one",
    "\u202eright to left\u2066x\u2069\u200f",
    "zero\u200bwidth\u200d\ufeff\u00ad",
    "nul\x00bell\x07back\x08\x08del\x7fc1\x9b31m\x85\u2028\u2029",
    "\ud800lone\udfff",
    "\U000e0041\U000e007f tags",
    "one line\r\nand\ranother\tand a tab",
    "not characters \ufffe\uffff\ufdd0\U0001ffff",
    "{-x-} {+y+} … words …",
    "e\u0301\u0300\u0300\u0300" * 5,
    "日本語テキスト" * 10,
    "👩\u200d👩\u200d👧🇩🇪👍🏽" * 6,
    "Z" + "\u0335\u0489\u20e3" * 40,
    "עברית and العربية",
    "long " * 600,
    "x" * 5_000,
    " ",
    "",
)
text = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=30),
    st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8)), max_size=4).map("".join),
)

SUSPECT = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
SGR = re.compile(r"\x1b\[([0-9;]*)m")
RAW_MARKUP = re.compile(r"[<>`*\[\]@\\$~!]|://|www\.|&(?!#\d+;)")


def suspects(out: str) -> set[str]:
    """Control, format, surrogate, private and line separator characters, new lines aside."""
    return {c for c in set(out) - {"\n"} if unicodedata.category(c) in SUSPECT}


def check_plain(out: str, width: int) -> None:
    for line in out.split("\n"):
        assert line == line.rstrip(), f"trailing spaces: {line!r}"
        assert cell_len(line) <= width, line
        assert not line.lstrip().startswith("::"), line
    assert not suspects(out)
    assert "##[" not in out
    assert "##vso[" not in out.lower()


HEADING = re.compile(r"(#{2,6} .*?) <sub>(.*)</sub>")
STEP = re.compile(r"- (?P<fence>`+) ?(?P<code>.*?) ?(?P=fence)(?!`): (?P<what>.*)")
CHANGED = re.compile(r"\*\*([-+])(.*?)\1\*\*")


def _without_ours(line: str) -> str:
    """The line without the markup that the writer itself sets, each in its one place."""
    if line.startswith("#"):
        return HEADING.sub(r"\1 \2", line, count=1)
    if line.startswith("| "):
        return line.replace("<br>", " ")
    step = STEP.fullmatch(line)
    if step:
        assert step["fence"] not in step["code"], line  # what is in a code span stays in it
        return step["what"]
    return CHANGED.sub(r"\2", line) if line.startswith("- ") else line


def check_markdown(out: str) -> None:
    assert not suspects(out)
    columns = 0
    for written in out.split("\n"):
        line = _without_ours(written)
        assert not RAW_MARKUP.search(line), line
        pipes = line.count("|")
        if not pipes:
            columns = 0
            continue
        assert line.startswith("| "), line
        assert line.endswith(" |"), line
        columns = columns or pipes
        assert pipes == columns, line

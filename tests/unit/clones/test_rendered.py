"""What a reader sees of a text."""

from __future__ import annotations

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.clones.rendered import (
    differs_unseen,
    hidden_share,
    rendered,
    rendered_with_hidden_share,
    shown,
)
from cr_audit.clones.shingles import text_distance

SENTENCE = "The basil on my window wants light, warm water and a pot that drains well."
INVISIBLE = [
    "\u200b", "\u200c", "\u200d", "\u200e", "\u2060", "\u2062", "\u2066", "\ufeff", "\u00ad",
    "\ufe0f", "\u034f", "\u180e", "\u3164", "\uffa0", "\u115f", "\u061c", "\U000e0061",
    "\U000e0101", "\x02", "\x7f", "\u202a",
]  # fmt: skip


@pytest.mark.parametrize("char", INVISIBLE)
def test_what_draws_nothing_is_gone(char: str) -> None:
    assert rendered(SENTENCE.replace("t", "t" + char)) == SENTENCE
    assert rendered(char.join(SENTENCE)) == SENTENCE
    assert text_distance(SENTENCE, SENTENCE.replace("t", "t" + char)) == 0.0
    assert differs_unseen(SENTENCE, SENTENCE.replace("a", "a" + char))


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("a<!-- nobody reads this -->b", "ab"),
        ("wo<b></b>rd", "word"),
        ('see [here](https://hidden.org/words "a title") now', "see here now"),
        ("see [here][1] now\n\n[1]: https://hidden.org 'a title'", "see here now"),
        ('[//]: # "a comment of Markdown"\n\ntext', "text"),
        ('<p title="hidden" data-x="hidden">text</p>', "text"),
        ("a <span hidden>secret</span> b", "a  b"),
        ("a <i style='DISPLAY : none'>secret</i> b", "a  b"),
        ("a <i style='font-size: 0px'>secret</i> b", "a  b"),
        ("a <i style='font-size: 10px'>small</i> b", "a small b"),
        ("a <style>p { color: red }</style> b", "a  b"),
        ("<script>secret()</script>\n\ntext", "text"),
        ("wo**rd** and `co`de", "word and code"),
        ("a&zwj;b &#8203;c &amp; d", "ab c & d"),
        ("```text words after a fence\ncode\n```", "code"),
        ("![what a picture shows](p.png)", ""),
        ("one<br>two<td>three", "one two three"),
        ("\u202egnihtemos\u202c here", "something here"),
        ("a\u2800b", "a b"),
        ("ｆｕｌｌ ｗｉｄｔｈ, ﬁne", "full width, fine"),
        ("𝐇𝐞𝐥𝐥𝐨 ⓗⓔⓛⓛⓞ", "Hello hello"),
        ("рау ассоunt, ІТ ІS", "pay account, iT iS"),
        ("n̈ao̊ t̴h̶ḭs̷", "nao this"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
    ],
)
def test_as_a_page_shows_it(written: str, seen: str) -> None:
    assert rendered(written).split() == seen.split()


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE,
        "# A title\n\n1. one\n2. two_words and *b* c\n",
        "if a < b and c > d: x && y",
        "日本語が 한국어 हिन्दी ไทยที่",
        "Straße — “quoted” …" if unicodedata.normalize("NFKD", "…") == "…" else "Straße — “quoted”",
        "ends in ] or ) or `code`",
        "",
    ],
)
def test_what_hides_nothing_stays(text: str) -> None:
    assert rendered(text) == text
    assert hidden_share([text])[0] == 0.0


def test_the_page_keeps_code() -> None:
    text = "Look:\n\n```python\nif a<b: print('<b>')\n```\n\n<!-- x -->\n\nand `<i>` here"
    assert "if a<b: print('<b>')" in rendered(text)
    assert "<i>" in rendered(text)
    assert "x" not in rendered(text).replace("text", "")


@given(st.text(max_size=200))
def test_any_text_has_a_form(text: str) -> None:
    form = rendered(text)
    assert isinstance(form, str)
    share = hidden_share([text])[0]
    assert 0.0 <= share <= 1.0
    together, shares = rendered_with_hidden_share([text, text])
    assert together == [form, form]
    assert shares.tolist() == [share, share]


@given(st.text(st.characters(max_codepoint=0x24F), max_size=80))
def test_the_form_of_what_has_no_markup_is_its_own_form(text: str) -> None:
    plain = "".join(c for c in text if c not in "<&]`~*\\")
    assert rendered(rendered(plain)) == rendered(plain)


def test_lone_surrogates_and_nuls_are_no_stop() -> None:
    assert "end" in rendered("\ud800 <b>\x00 <!-- c --> end")


@pytest.mark.parametrize(
    "unit",
    ["`", "~", "```x", "``` ", "*a", "~~a", "[^1]", "<a", "<!--", "&", "a`b``", "<i style='x'>"],
)
def test_time_is_linear_in_what_is_repeated(unit: str) -> None:
    """A run of 3,000 backticks took a quarter of a second, and of 30,000 a hundred times that."""
    started = time.process_time()
    rendered_with_hidden_share([unit * (100_000 // len(unit))])
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize("opening", ["<div>", "<span>", "<svg>", "<p a='b'>", "<x-y>", "> ", "- "])
def test_depth_is_no_stop(opening: str) -> None:
    started = time.process_time()
    assert "text" in rendered(opening * 40_000 + "text")
    assert time.process_time() - started < 5.0


@pytest.mark.parametrize(
    "style",
    [
        "position:absolute;left:-9999px", "color:transparent", "opacity: 0.01", "zoom:0",
        "transform: scale(0)", "transform:translateX(-999px)", "font-size:1px", "font: 0/0 a",
        "font-size:0.001em", "width:0;height:0;overflow:hidden", "max-height:0; overflow:clip",
        "display:/* x */none", r"display\3a none", r"d\69splay:none", "text-indent:-9999px",
        "clip:rect(0,0,0,0)", "clip-path: inset(50%)", "color:#fff", "color: rgb(255, 255, 255)",
        "color:rgba(0,0,0,0)", "color:rgb(0 0 0 / 0)", "color:#1230", "filter:opacity(0)",
        "margin-left:-9999px", "DISPLAY:NONE !important", "content-visibility:hidden",
    ],
)  # fmt: skip
def test_a_style_that_hides(style: str) -> None:
    assert rendered(f"a <i style='{style}'>secret</i> b") == "a  b"


@pytest.mark.parametrize(
    "style",
    [
        "color:red", "color:#ff0", "color:#123", "color:rgb(255,0,0)", "color:rgba(0,0,0,0.8)",
        "color:hsl(0,0%,0%)", "color:white;background:black", "background-color:white",
        "border-color:transparent", "font-size:14px", "font-size:0.9em", "font-size:100%",
        "font-size:1em", "font:10px/0 a", "margin-left:-10px", "width:100px;overflow:hidden",
        "opacity:0.6", "opacity:1", "left:10px", "transform:scale(1.1)", "display:block",
    ],
)  # fmt: skip
def test_a_style_that_does_not_hide(style: str) -> None:
    assert rendered(f"a <i style='{style}'>seen</i> b") == "a seen b"


@pytest.mark.parametrize(
    "tag",
    ["dialog", "datalist", "video", "audio", "canvas", "rp", "title", "noscript", "template"],
)
def test_an_element_that_is_not_shown(tag: str) -> None:
    assert rendered(f"a <{tag}>secret</{tag}> b").split() == ["a", "b"]
    assert rendered("a <dialog open>seen</dialog> b").split() == ["a", "seen", "b"]


def test_footnotes() -> None:
    assert rendered("a b\n\n[^1]: nothing refers to this") == "a b"
    assert "seen" in rendered("a[^1] b\n\n[^1]: seen")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz"),
        ("ⱥƀƈđɇƒǥħɨƙłɲøƥŧɏƶ", "abcdefghiklnoptyz"),
        ("🅐🅑 🅰🅱 🇦🇧", "ab ab ab"),
    ],
)
def test_letters_in_another_cut(written: str, read: str) -> None:
    assert rendered(written).lower() == read


def test_how_much_is_hidden() -> None:
    texts = [
        "plain words",
        "ten<!--ten four-->",
        "a\u200bb\u200bc\u200bd",
        "<!-- all of it -->",
        "\u200b",
    ]
    share = hidden_share(texts)
    assert share[0] == 0.0
    assert share[1] == pytest.approx(7 / 10)
    assert share[2] == pytest.approx(3 / 7)
    assert share[3:].tolist() == [1.0, 1.0]
    assert share.dtype == np.float64


def test_shown_leaves_characters_as_they_are() -> None:
    assert shown("ﬁne\u200b <!-- x -->é").split() == ["ﬁne", "é"]


def test_same_to_the_eye() -> None:
    assert differs_unseen("Yes\u200b.", "Yes.")
    assert differs_unseen("Yеs.", "Yes.")  # a Cyrillic е
    assert not differs_unseen("Yes.", "Yes.")
    assert not differs_unseen("Yes.", "No.")

"""What a reader sees of a text: the form in which texts are compared. Their identity stays theirs.

Steps, each skipped where the text has nothing for it to act on (one regular expression decides):

1. Markdown (GitHub's dialect, cmark-gfm) and the HTML in it are shown as a page shows them. Gone
   are comments, link targets and titles, attributes, reference definitions, the words after a
   fence, footnotes that nothing refers to, tags inside words, and elements no page shows
   (``script``, ``hidden``, ``display:none``, without size, without colour or in white, moved off
   the page). Entities and escapes are resolved.
2. Text under a right-to-left override is turned to the order in which it is read; characters that
   draw nothing are gone (Unicode's Default_Ignorable_Code_Point, format and control characters).
3. NFKD; marks that are set on a letter are gone: those of Latin, Greek and Cyrillic and the vowel
   marks of Arabic, Hebrew and Syriac. Marks that are letters of their script (Indic, Thai, kana)
   stay. NFC.
4. Letters and digits outside ASCII that look like an ASCII letter or digit become that one: the
   table of UTS 39 as ``confusable-homoglyphs`` ships it. Katakana become hiragana.

In plain ASCII without markup the rendered form is the text itself. ``hidden_share`` measures what
step 1 and 2 took away.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from itertools import accumulate

import cmarkgfm
import numpy as np
from cmarkgfm.cmark import Options
from selectolax.lexbor import LexborHTMLParser

from cr_audit.arrays import FloatArray

_OPTIONS = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
_EXTENSIONS = ("table", "strikethrough", "autolink")
_MARKUP = tuple("<&]`~*\\")
"""A text with none of these has nothing that ``_MAY_HIDE`` finds."""
_MAY_HIDE = re.compile(
    r"[<&\]`~*\\](?:"
    r"(?<=<)[A-Za-z/!?]"  # a tag, a comment
    r"|(?<=&)(?:#|[A-Za-z])"  # an entity
    r"|(?<=\])[(\[:]"  # a link, its target elsewhere, a definition
    r"|(?<=[^\W_][*~`\\])[*~`\\]*[^\W_]"  # marks inside a word
    r"|(?<=[`~])(?<![`~][`~])(?:``|~~)[^\n]{0,300}?\S[ \t]{1,9}\S"  # words after a fence
    r")"
)
"""One set of characters comes first: what does not start there is skipped at a glance."""
_BREAKS = re.compile(
    r"<(?=/?(?:address|article|aside|blockquote|br|caption|dd|details|div|dl|dt|figure|footer|form"
    r"|h[1-6]|header|hr|img|input|li|main|nav|ol|option|p|pre|section|select|summary|table|tbody"
    r"|td|textarea|tfoot|th|thead|tr|ul)\b)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(/?)(?!(?:br|hr|img|input|wbr|col|source)\b)[A-Za-z][^<>]*>")
MAX_DEPTH = 500
"""Elements nested deeper than this are taken out of their tags: parsing takes time by the square of
the depth, and no page is written so."""
MAX_STYLE = 2000
"""Characters of a style attribute that are looked at."""
_UNSHOWN = (
    "head,title,script,style,template,noscript,noembed,noframes,frameset,iframe,object,rp,datalist"
    ",video,audio,canvas,dialog:not([open]),svg desc,svg metadata,svg defs,annotation"
    ",annotation-xml,[hidden]"
)
"""No page shows these, or only one that cannot show what stands around them."""
_CSS_NOISE = re.compile(r"/\*.*?\*/|!important|\s+", re.DOTALL)
_CSS_ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?", re.IGNORECASE)
_UNSHOWN_STYLE = re.compile(
    r"(?:^|;)(?:"
    r"display:none"
    r"|(?:content-)?visibility:(?:hidden|collapse)"
    r"|opacity:(?:0*\.0\d*|0+|[0-9]%|0+\.?0*%)(?=;|$)"
    r"|filter:[^;]*opacity\((?:0*\.0\d*|0+)%?\)"
    r"|font-size:(?:[01](?:\.\d*)?(?:px|pt)?|0*\.0\d*(?:em|rem|ex|ch|vw|vh)?|0+[a-z%]*|[0-9]%)(?=;|$)"
    r"|font:[^;]*\b0(?:px|pt|em)?/"
    r"|zoom:0*\.?0*%?(?=;|$)"
    r"|(?:-webkit-text-fill-)?color:(?:transparent|\#[0-9a-f]{3}0|\#[0-9a-f]{6}00"
    r"|(?:rgb|hsl)a?\((?:[^;),]*,){3}0*\.?0*%?\)|[a-z]+\([^;)]*/0*\.?0*%?\))(?=;|$)"
    r"|(?:left|top|right|bottom|text-indent|margin(?:-[a-z]+)?):-\d{3,}"
    r"|(?:left|top):\d{5,}"
    r"|transform:[^;]*(?:scale[xy3]?d?\(0|translate[xy3]?d?\([^;)]*-\d{3,})"
    r"|clip:rect\((?:0|1px)"
    r"|clip-path:(?:inset\((?:50|100)%|circle\(0|polygon\(0(?:px)?0)"
    r")"
)
_WHITE = re.compile(r"(?:^|;)color:(?:white|#f{3}|#f{6}|#f{4}|#f{8}|rgb\(255,255,255\))(?=;|$)")
_NO_SIZE = re.compile(r"(?:^|;)(?:max-)?(?:width|height):[01](?:\.\d*)?(?:px)?(?=;|$)")
_CUT = re.compile(r"(?:^|;)overflow(?:-[xy])?:(?:hidden|clip)")
MUCH_HIDDEN = 0.5
"""From this share on a text is for the most part hidden. *Measured*, responses of twelve data sets:
20 of 22,488 reach it (7 of wildbench's 10,907, 7 of llmfao's 451: pictures, whole HTML pages, names
written as <bot>), 31 reach 0.3."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_OVERRIDE = re.compile("\u202e([^\u202c\n]*)\u202c?")
# Default_Ignorable_Code_Point, and the control characters that are no white space.
_IGNORABLE = (
    "\x00-\x08\x0e-\x1b\x7f\x80-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{_IGNORABLE}]+")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_KANA = {code: chr(code - 0x60) for code in range(0x30A1, 0x30F7)}
"""Katakana as hiragana: the same syllables in another script, which every reader reads."""
_BLANK = "\u2800"  # BRAILLE PATTERN BLANK: a symbol by category, white space to the eye
_OTHER_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
_VOWELS = (
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\ufb1e"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u0711\u0730-\u074a\u0897-\u089f\u08ca-\u08e1\u08e3-\u08ff\ufe70-\ufe72\ufe74-\ufe7f"
)
VOWEL_MARKS = re.compile(f"[{_VOWELS}]+")
"""Marks of Hebrew, Arabic and Syriac that are written or left out at will, and the stroke that
lengthens a word; single ones in presentation forms too, which NFKD would make a blank of."""
_MARKS = re.compile(f"[{_OTHER_MARKS}{_VOWELS}]+")
_CONFUSABLE_SCRIPTS_LEFT_OUT = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u9fff\uac00-\ud7ff\uf900-\ufaff]"
)
"""Scripts in which one character is a word of its own, or a syllable: a stroke in them that looks
like an ASCII letter is not one."""


def rendered(text: str) -> str:
    """The text as a reader sees it, for comparing. Not escaped: never to be printed or stored."""
    return _plain(shown(text))


def _plain(text: str) -> str:
    """Steps 3 and 4."""
    if text.isascii() or not any(map(_folds, set(_NOT_ASCII.findall(text)))):
        return text
    plain = unicodedata.normalize("NFKD", VOWEL_MARKS.sub("", text))
    plain = unicodedata.normalize("NFC", _MARKS.sub("", plain))
    return plain if plain.isascii() else plain.translate(_lookalikes())


def shown(text: str) -> str:
    """Steps 1 and 2: without what is hidden from a reader, every character left as it was."""
    if _may_hide(text):
        text = _page(text)
    return without_invisible(text)


def without_invisible(text: str) -> str:
    """Step 2 alone."""
    if _may_be_invisible(text):
        text = _OVERRIDE.sub(lambda m: m[1][::-1], text)
        text = _INVISIBLE.sub("", text).replace(_BLANK, " ")
    return text


def _may_hide(text: str) -> bool:
    return any(mark in text for mark in _MARKUP) and _MAY_HIDE.search(text) is not None


def _may_be_invisible(text: str) -> bool:
    if text.isascii():
        return _CONTROL.search(text) is not None
    return _INVISIBLE.search(text) is not None or _BLANK in text


@lru_cache(1 << 16)
def _folds(char: str) -> bool:
    """Whether steps 3 and 4 can change a text that holds this character."""
    return (
        _MARKS.match(char) is not None
        or unicodedata.normalize("NFKD", char) != char
        or ord(char) in _lookalikes()
    )


def differs_unseen(a: str, b: str) -> bool:
    """Whether two different texts look alike to a reader, white space aside."""
    return a != b and rendered(a).split() == rendered(b).split()


def hidden_share(texts: Sequence[str]) -> FloatArray:
    """The share of each text that no reader sees, float64 (n,), in [0, 1].

    Counted in letters, digits and characters that draw nothing: those of the text that are not in
    its ``shown`` form, over all of them. Marks of Markdown are neither. 0 for a text without any.
    """
    out = np.zeros(len(texts))
    for i, text in enumerate(texts):
        if text:
            out[i] = _hidden(text, shown(text))
    return out


def rendered_with_hidden_share(texts: Sequence[str]) -> tuple[list[str], FloatArray]:
    """``rendered`` and ``hidden_share`` of each text, at the price of the first."""
    forms, hidden = [], np.zeros(len(texts))
    for i, text in enumerate(texts):
        seen = shown(text)
        forms.append(_plain(seen))
        hidden[i] = _hidden(text, seen)
    return forms, hidden


def _hidden(text: str, seen: str) -> float:
    """The share of a text that is not in its ``shown`` form."""
    if seen is text or not (n := _n_counted(text)):
        return 0.0
    return max(0.0, 1.0 - _n_counted(seen) / n)


_UNCOUNTED = re.compile(rf"(?:[^\w{_IGNORABLE}]|_)+")


def _n_counted(text: str) -> int:
    return len(_UNCOUNTED.sub("", text))


def _page(text: str) -> str:
    """The visible text of the page that this Markdown makes."""
    text = _SURROGATE.sub("\ufffd", text).replace("\x00", "")
    html = cmarkgfm.markdown_to_html_with_extensions(text, options=_OPTIONS, extensions=_EXTENSIONS)
    html = _BREAKS.sub(" <", html)
    if html.count("<") > MAX_DEPTH and _depth(html) > MAX_DEPTH:
        html = _TAG.sub(" ", html)
    tree = LexborHTMLParser(html)
    if tree.root is None:
        return ""
    for node in tree.css(_UNSHOWN):
        node.decompose()
    for node in tree.css("[style], font[color]"):
        style = node.attributes.get("style") or ""
        if node.tag == "font":
            style += f";color:{node.attributes.get('color') or ''}"
        if _unshown(style):
            node.decompose()
    return tree.root.text(separator="").strip()


def _unshown(style: str) -> bool:
    """Whether a style hides what it is set on: not drawn, without size or colour, or moved away."""
    style = _CSS_ESCAPE.sub(lambda m: chr(int(m[1], 16) % 0x110000), style[:MAX_STYLE])
    style = _CSS_NOISE.sub("", style).lower()
    return (
        _UNSHOWN_STYLE.search(style) is not None
        or (_NO_SIZE.search(style) is not None and _CUT.search(style) is not None)
        or (_WHITE.search(style) is not None and "background" not in style)
    )


def _depth(html: str) -> int:
    """How many tags are open at most, if each that is opened has to be closed."""
    steps = [-1 if m[1] else 1 for m in _TAG.finditer(html) if not m[0].endswith("/>")]
    return max(accumulate(steps), default=0)


@cache
def _lookalikes() -> dict[int, str]:
    return _named_as_letters() | confusables() | _KANA


@cache
def confusables() -> dict[int, str]:
    """Code point -> the ASCII letter or digit that it looks like, for letters and digits.

    The table lists pairs. Of several ASCII characters (l, I, 1) the one is taken that the character
    in lower case looks like too, then a lower-case letter, a capital, a digit, by code point.
    """
    name = resources.files("confusable_homoglyphs") / "confusables.json"
    pairs = json.loads(name.read_text(encoding="utf-8"))
    like: dict[str, set[str]] = defaultdict(set)
    for one, others in pairs.items():
        for entry in others:
            two = entry["c"]
            for a, b in ((one, two), (two, one)):
                if len(a) == 1 and not a.isascii() and len(b) == 1 and b.isascii() and b.isalnum():
                    like[a].add(b)
    out = {}
    for char, options in like.items():
        if not char.isalnum() or _CONFUSABLE_SCRIPTS_LEFT_OUT.match(char):
            continue
        same = {o.lower() for o in options} | ({"i"} if "l" in options else set())  # l, I
        lower = {b for b in like.get(char.lower(), set()) if b.lower() in same}
        best = min(lower or options, key=lambda b: (not b.islower(), not b.isupper(), b))
        out[ord(char)] = best
    return out


_NAMED = re.compile(
    r"LATIN (?:LETTER SMALL CAPITAL|(?:SMALL|CAPITAL) LETTER(?: SCRIPT)?) ([A-Z])(?: WITH [A-Z ]+)?"
    r"|NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER ([A-Z])"
    r"|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])"
)
_NAMED_IN = (
    *(range(0xC0, 0x2B0), range(0x1D00, 0x1E00), range(0x2C60, 0x2C80), range(0xA720, 0xAB70)),
    *(range(0x1F150, 0x1F190), range(0x1F1E6, 0x1F200)),
)


def _named_as_letters() -> dict[int, str]:
    """Letters that by their names are an ASCII letter in another cut (small capitals, a stroke or a
    hook, white on black): no table of confusables lists all of these."""
    out = {}
    for code in (c for block in _NAMED_IN for c in block):
        found = _NAMED.fullmatch(unicodedata.name(chr(code), ""))
        if found:
            letter = next(g for g in found.groups() if g)
            out[code] = letter if unicodedata.category(chr(code)) == "Lu" else letter.lower()
    return out

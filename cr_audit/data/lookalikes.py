"""Texts that a reader cannot tell apart although their characters differ.

Two skeletons. *Without invisible characters*: zero-width and joining characters, soft hyphens,
bidi marks, variation selectors, tags and other characters that show nothing by themselves are taken
out, and blanks of every kind are one blank. *Without look-alikes*: on top of that compatibility
forms are folded (full-width letters, ligatures; NFKC) and letters of other scripts that look like a
Latin one become that one. Combining marks stay: they are seen. *Without vowel marks*: those of
Arabic, Hebrew and Syriac are written or left out at will; a remark of its own.

Sources: the invisible ones are Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties,
https://www.unicode.org/reports/tr44/) and the control characters; the look-alikes those of the
package confusable-homoglyphs, which holds Unicode's confusables.txt
(https://www.unicode.org/reports/tr39/).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import orjson
import polars as pl

from cr_audit.data.dataset import Remark, RowIssue

INVISIBLE = (
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\u2800\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""A regular expression for one character that shows nothing by itself."""
_INVISIBLE = re.compile(INVISIBLE)
VOWEL_MARKS = (
    r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\ufb1e\u0610-\u061a\u0640\u064b-\u065f\u0670"
    r"\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u0897-\u089f\u08ca-\u08e1"
    r"\u08e3-\u08ff\ufe70-\ufe72\ufe74-\ufe7f]"
)
"""A regular expression for one vowel mark of Hebrew, Arabic or Syriac, or the stroke that lengthens
a word: the same ones as ``clones.rendered`` leaves out."""
_POINTED = r"[\ufb1d-\ufb4e]"  # Hebrew letters with their points in one character
SPACES = r"[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""A regular expression for one blank that is not the usual one; nobody sees which it is."""
_EXAMPLES = 5


def visible(text: str) -> str:
    """The text without characters that show nothing."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub("", text)


def has_no_visible_character(text: str) -> bool:
    """Whether nothing of a text can be seen: empty, blank, or only invisible characters."""
    return len(text) < 100 and not visible(text).strip()


@cache
def lookalikes() -> dict[str, str]:
    """Non-ASCII characters that look like ASCII letters or digits -> what they look like."""
    # Its table alone: its modules import a web client, which takes longer than reading the table.
    import confusable_homoglyphs

    table = Path(confusable_homoglyphs.__file__).parent / "confusables.json"
    confusables_data = orjson.loads(table.read_bytes())
    out: dict[str, str] = {}
    for char, entries in confusables_data.items():
        if not char.isascii() or len(char) != 1:
            continue
        for entry in entries:
            other = entry["c"]
            if len(other) == 1 and not other.isascii() and char.isalnum():
                out.setdefault(other, char)
    return out


def skeleton(text: str) -> str:
    """What a text looks like: no invisible characters, no look-alikes."""
    import unicodedata

    if text.isascii():
        return visible(text)
    folded = unicodedata.normalize("NFKC", visible(text))
    return visible(folded.translate(_table()))


@cache
def _table() -> dict[int, str]:
    return {ord(c): to for c, to in lookalikes().items()}


def differing_rows(
    alternatives: pl.DataFrame,
    mentions: pl.DataFrame,
    paths: Sequence[str],
    *,
    control: bool = True,
) -> list[Remark]:
    """Rows with an alternative that another one of the same prompt equals but for characters that
    cannot be seen ("invisible_difference"), for look-alikes ("lookalike_difference"), or for vowel
    marks ("vowel_mark_difference").

    control : whether a text may hold control characters; those are sought in every text.
    Vectorised; texts are only normalised where a prompt holds a text with such characters.
    """
    text = pl.col("text")
    rows = alternatives.select("prompt", "text").with_row_index("at").filter(text.is_not_null())
    odd = rows.filter(text.str.len_bytes() != text.str.len_chars())
    hidden = odd.filter(text.str.contains(f"{_rust(INVISIBLE)}|{_rust(SPACES)}"))
    if control:
        hidden = pl.concat([hidden, rows.filter(text.str.contains(_CONTROL))])
    suspects = hidden.select("prompt").unique()
    out = []
    seen = pl.Series("at", [], dtype=pl.UInt32)
    if suspects.height:
        near = rows.join(suspects, on="prompt", how="semi")
        bare = text.str.replace_all(_rust(INVISIBLE), "").str.replace_all(_rust(SPACES), " ")
        near = near.with_columns(seen=bare.str.strip_chars())
        seen = _twins(near)
        out.append(_remark("invisible_difference", seen, mentions, paths))
    mixed = odd.filter(text.str.contains(_MIXED) | text.str.contains(_all_alike()))
    if mixed.height:
        near = rows.join(mixed.select("prompt").unique(), on="prompt", how="semi")
        looks = pl.Series("seen", [skeleton(t).strip() for t in near["text"]], dtype=pl.String)
        twins = _twins(near.with_columns(looks))
        out.append(
            _remark(
                "lookalike_difference", twins.filter(~twins.is_in(seen.implode())), mentions, paths
            )
        )
    marked = odd.filter(text.str.contains(f"{_rust(VOWEL_MARKS)}|{_rust(_POINTED)}"))
    if marked.height:
        near = rows.join(marked.select("prompt").unique(), on="prompt", how="semi")
        pointless = pl.Series("seen", [_without_vowels(t) for t in near["text"]], dtype=pl.String)
        twins = _twins(near.with_columns(pointless))
        twins = twins.filter(~twins.is_in(seen.implode()))
        out.append(_remark("vowel_mark_difference", twins, mentions, paths))
    return [r for r in out if r.n_rows]


def _without_vowels(text: str) -> str:
    """The text without vowel marks and what shows nothing, letters and points taken apart."""
    import unicodedata

    plain = visible(text)
    if plain.isascii():
        return plain.strip()
    return re.sub(VOWEL_MARKS, "", unicodedata.normalize("NFD", plain)).strip()


_OWN = (
    r"\x00-\x7f\u{80}-\u{24f}\u{300}-\u{36f}\u{2000}-\u{206f}\u{20a0}-\u{20cf}"
    r"\u{2190}-\u{2bff}\u{3000}-\u{30ff}\u{4e00}-\u{9fff}\u{ac00}-\u{d7af}"
    r"\u{fe00}-\u{fe0f}\u{1f000}-\u{1ffff}"
)
_CONTROL = r"[\x00-\x08\x0e-\x1f\x7f]"
_STYLED = (
    r"\u{ff10}-\u{ff5a}\u{1d400}-\u{1d7ff}\u{2160}-\u{2188}\u{2460}-\u{24ff}\u{fb00}-\u{fb06}"
    r"\u{1d00}-\u{1d7f}\u{1f110}-\u{1f189}"
)
_MIXED = rf"[A-Za-z][^{_OWN}]|[^{_OWN}][A-Za-z]|[{_STYLED}]"
"""A letter of another script beside a Latin letter (a mixed word), or a Latin letter in a form of
its own: full-width, mathematical, circled."""


@cache
def _all_alike() -> str:
    """A pattern for texts in which every letter is Latin or looks like a Latin one."""
    odd = "".join(f"\\u{{{ord(c):x}}}" for c in lookalikes())
    return rf"^[\x00-\x7f{odd}]+$"


@cache
def _rust(pattern: str) -> str:
    """A pattern of Python's in the spelling of the regular expressions of polars."""
    return re.sub(
        r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})",
        lambda m: f"\\u{{{(m.group(1) or m.group(2)).lstrip('0')}}}",
        pattern,
    )


def _twins(near: pl.DataFrame) -> pl.Series:
    """Positions whose look another, different text of the prompt shares."""
    twins = near.filter(pl.col("text").n_unique().over("prompt", "seen") > 1)
    return twins["at"]


def twin_prompts(
    prompts: pl.DataFrame, alternatives: pl.DataFrame, mentions: pl.DataFrame, paths: Sequence[str]
) -> list[Remark]:
    """Rows whose prompt equals another one but for characters that cannot be seen, or that look
    alike ("prompt_looks_alike"): they count as two."""
    text = pl.col("text")
    rows = prompts.select("text").with_row_index("at").filter(text.is_not_null())
    odd = f"{_rust(INVISIBLE)}|{_rust(SPACES)}|{_MIXED}|{_all_alike()}"
    strange = rows.filter(text.str.len_bytes() != text.str.len_chars())
    strange = strange.filter(text.str.contains(odd))
    if strange.is_empty():
        return []
    looks = [skeleton(t).strip() for t in strange["text"]]
    seen = strange.with_columns(seen=pl.Series(looks, dtype=pl.String))
    plain = rows.filter(text.is_in(looks)).with_columns(seen=text)
    twins = _twins(pl.concat([seen, plain]).unique("at").with_columns(prompt=pl.lit(0)))
    named = alternatives.select("prompt").with_row_index("at")
    named = named.filter(pl.col("prompt").is_in(twins.implode()))
    return [r for r in [_remark("prompt_looks_alike", named["at"], mentions, paths)] if r.n_rows]


def twin_models(
    alternatives: pl.DataFrame, mentions: pl.DataFrame, paths: Sequence[str]
) -> list[Remark]:
    """Rows with a model whose name looks like another one's ("model_looks_alike"): they count as
    two."""
    names = alternatives["model"].unique().drop_nulls().sort()
    looks = pl.Series("look", [skeleton(n).strip() for n in names], dtype=pl.String)
    twins = names.filter(looks.is_duplicated())
    if twins.is_empty():
        return []
    held = alternatives.select("model").with_row_index("at")
    held = held.filter(pl.col("model").is_in(twins.implode()))
    return [_remark("model_looks_alike", held["at"], mentions, paths)]


def _remark(
    reason: str, alternatives: pl.Series, mentions: pl.DataFrame, paths: Sequence[str]
) -> Remark:
    rows = (
        mentions.filter(pl.col("alternative").is_in(alternatives.implode()))
        .select("file", "line")
        .unique(maintain_order=True)
    )
    what = {"prompt_looks_alike": "prompt", "model_looks_alike": "model"}.get(reason, "response")
    found = f"looks like another {what}" + (" to the prompt" if what == "response" else "")
    first = [
        RowIssue(reason, paths[file], line, what, found)
        for file, line in rows.head(_EXAMPLES).iter_rows()
    ]
    return Remark(reason, rows.height, first)

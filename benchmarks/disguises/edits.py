"""Disguises: what a copy of an answer can look like, so that a comparison of texts fails.

Each takes the text and a ``Kit`` (a random generator, and words and sentences of other answers of
the data set) and returns the disguised text. Every copy is disguised anew.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kit:
    """rng : of this copy; words, sentences : of other answers, not empty."""

    rng: random.Random
    words: Sequence[str]
    sentences: Sequence[str]


Edit = Callable[[str, Kit], str]
DISGUISES: dict[str, tuple[str, Edit]] = {}
"""Name -> (family, edit)."""
_WORD = re.compile(r"[^\W\d_]+")


def _add(family: str, name: str, edit: Edit) -> None:
    DISGUISES[name] = (family, edit)


def _in_words(change: Callable[[str, Kit], str], least: int = 3) -> Edit:
    """Every word of at least so many letters changed."""

    def edit(text: str, kit: Kit) -> str:
        return _WORD.sub(lambda m: change(m[0], kit) if len(m[0]) >= least else m[0], text)

    return edit


def _inserted(what: str | Sequence[str], least: int = 2) -> Edit:
    """Something at a random place inside every word."""

    def change(word: str, kit: Kit) -> str:
        at = kit.rng.randrange(1, len(word))
        return word[:at] + (what if isinstance(what, str) else kit.rng.choice(what)) + word[at:]

    return _in_words(change, least)


for _name, _char in {
    "zero-width space": "\u200b",
    "zero-width non-joiner": "\u200c",
    "zero-width joiner": "\u200d",
    "soft hyphen": "\u00ad",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "variation selector": "\ufe0f",
    "language tag": "\U000e0061",
    "Hangul filler": "\u3164",
    "grapheme joiner": "\u034f",
    "Mongolian separator": "\u180e",
    "direction mark": "\u200e",
    "invisible times": "\u2062",
    "control character": "\x02",
}.items():
    _add("invisible", _name, _inserted(_char))
_add("invisible", "between all letters", lambda t, k: "\u200b".join(t))
_add("invisible", "many kinds", _inserted(["\u200b", "\u200c", "\u00ad", "\u2060", "\ufe01"]))
_add(
    "invisible",
    "right-to-left override",
    lambda t, k: "\n".join(
        "\u202e" + line[::-1] + "\u202c" if line else "" for line in t.split("\n")
    ),
)
_add("invisible", "isolates", _in_words(lambda w, k: "\u2066" + w + "\u2069", 1))


def _mapped(table: dict[str, str], share: float = 1.0) -> Edit:
    def edit(text: str, kit: Kit) -> str:
        return "".join(table[c] if c in table and kit.rng.random() < share else c for c in text)

    return edit


_CYRILLIC = dict(zip("aceiopsxyABCEHIKMOPTX", "асеіорѕхуАВСЕНІКМОРТХ", strict=True))
_GREEK = dict(zip("ovABEZHIKMNOPTYX", "ονΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", strict=True))
_FULL = {chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)}


def _alphabet(lower: int, upper: int) -> dict[str, str]:
    out = {chr(97 + i): chr(lower + i) for i in range(26)}
    return out | {chr(65 + i): chr(upper + i) for i in range(26)}


_add("look-alike", "Cyrillic letters", _mapped(_CYRILLIC))
_add("look-alike", "Cyrillic letters, half", _mapped(_CYRILLIC, 0.5))
_add("look-alike", "Greek letters", _mapped(_GREEK))
_add("look-alike", "full width", _mapped(_FULL))
_add("look-alike", "mathematical bold", _mapped(_alphabet(0x1D41A, 0x1D400)))
_add("look-alike", "mathematical sans", _mapped(_alphabet(0x1D5BA, 0x1D5A0)))
_add("look-alike", "circled letters", _mapped(_alphabet(0x24D0, 0x24B6)))
_add("look-alike", "combining dot", _inserted("\u0323"))
_add(
    "look-alike",
    "many combining marks",
    lambda t, k: "".join(
        c + "".join(chr(k.rng.randrange(0x300, 0x36F)) for _ in range(3)) if c.isalpha() else c
        for c in t
    ),
)
_add("look-alike", "accents", _mapped(dict(zip("aeiouAEIOU", "áëîõüÁËÎÕÜ", strict=True))))
_add(
    "look-alike",
    "ligatures",
    lambda t, k: t.replace("ffi", "ﬃ").replace("fi", "ﬁ").replace("fl", "ﬂ"),
)


def _junk(kit: Kit, n: int = 12) -> str:
    words = (_WORD.search(kit.rng.choice(kit.words)) for _ in range(n))
    return " ".join(m[0] for m in words if m)


def _after_words(make: Callable[[Kit], str], every: int = 4) -> Edit:
    """Something after every fourth word."""

    def edit(text: str, kit: Kit) -> str:
        words = text.split(" ")
        return " ".join(
            w + (make(kit) if i % every == every - 1 else "") for i, w in enumerate(words)
        )

    return edit


_add("markup", "HTML comments", _after_words(lambda k: f"<!-- {_junk(k)} -->"))
_add(
    "markup",
    "comment in every word",
    lambda t, k: _inserted(f"<!--{k.rng.choice(k.words)}-->")(t, k),
)
_add("markup", "one long comment", lambda t, k: f"{t} <!-- {_junk(k, 2 * len(t.split()))} -->")
_add("markup", "tags in every word", _inserted("<b></b>"))
_add("markup", "attributes", _after_words(lambda k: f'<span title="{_junk(k)}"></span>'))
_add(
    "markup",
    "link targets",
    _in_words(lambda w, k: f"[{w}](https://{'-'.join(_junk(k, 4).split()) or 'x'}.org)", 5),
)
_add(
    "markup",
    "link titles",
    _in_words(lambda w, k: f'[{w}](/x "{_junk(k, 4)}")', 5),
)
_add(
    "markup",
    "definitions",
    lambda t, k: t + "\n\n" + "\n".join(f'[r{i}]: /x "{_junk(k, 15)}"' for i in range(8)),
)
_add(
    "markup",
    "Markdown comment",
    lambda t, k: t + "\n\n" + "\n\n".join(f'[//]: # "{_junk(k, 15)}"' for _ in range(8)),
)
_add("markup", "hidden element", _after_words(lambda k: f"<span hidden>{_junk(k)}</span>"))
_add("markup", "unshown style", _after_words(lambda k: f'<i style="display: none">{_junk(k)}</i>'))
_add("markup", "font of size 0", _after_words(lambda k: f'<i style="font-size:0px">{_junk(k)}</i>'))
_add(
    "markup", "style sheet", lambda t, k: f"{t}\n\n<style>{_junk(k, 2 * len(t.split()))}</style>\n"
)
_add("markup", "entities", lambda t, k: "".join(f"&#{ord(c)};" if c.isalpha() else c for c in t))
_add("markup", "entity of no width", _inserted("&#8203;"))
_add("markup", "emphasis in every word", _in_words(lambda w, k: f"{w[0]}**{w[1:-1]}**{w[-1]}", 4))
_add("markup", "escapes", lambda t, k: re.sub(r"([.,;:!?'-])", r"\\\1", t))
_add(
    "markup",
    "pictures",
    _after_words(lambda k: f'![](/p.png "{_junk(k)}")'),
)


def _typo(word: str, kit: Kit, kind: str) -> str:
    at = kit.rng.randrange(len(word) - 1)
    if kind == "mixed":
        kind = kit.rng.choice(("swap", "drop", "double", "replace"))
    if kind == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == "drop":
        return word[: at + 1] + word[at + 2 :]
    if kind == "double":
        return word[: at + 1] + word[at:]
    return word[: at + 1] + kit.rng.choice("abcdefghijklmnopqrstuvwxyz") + word[at + 2 :]


for _kind, _name in {
    "swap": "letters swapped in every word",
    "drop": "a letter dropped in every word",
    "double": "a letter doubled in every word",
    "replace": "a letter replaced in every word",
    "mixed": "a typo in every word",
}.items():
    _add("noise", _name, _in_words(lambda w, k, kind=_kind: _typo(w, k, kind)))  # type: ignore[misc]
_add("noise", "two digits in every word", _inserted([f"{i:02}" for i in range(100)]))
_add("noise", "a digit in every word", _inserted(list("0123456789")))
_add(
    "noise", "digits after every word", _in_words(lambda w, k: w + str(k.rng.randrange(10, 100)), 1)
)
_add(
    "noise",
    "numbers between words",
    lambda t, k: re.sub(r" ", lambda m: f" {k.rng.randrange(1000)} ", t),
)
_add("noise", "hyphens in every word", _inserted("-"))
_add("noise", "hyphens between letters", _in_words(lambda w, k: "-".join(w), 1))
_add("noise", "full stops in every word", _inserted("."))
_add("noise", "spaces in every word", _inserted(" ", 4))
_add("noise", "spaced letters", lambda t, k: " ".join(t.replace(" ", "  ")))
_add("noise", "hair spaces in every word", _inserted("\u200a"))
_add("noise", "no spaces", lambda t, k: "".join(w[:1].upper() + w[1:] for w in t.split()))
_add("noise", "underlines for spaces", lambda t, k: t.replace(" ", "_"))
_add("noise", "leet", _mapped(dict(zip("aeiostAEIOST", "431057431057", strict=True))))
_add("noise", "leet, half", _mapped(dict(zip("aeiostAEIOST", "4310$7431057", strict=True)), 0.5))
_EMOJI = list("😀🎉🔥👍✨🚀💡🌍🍀🐱")
_add(
    "noise",
    "emoji between words",
    lambda t, k: re.sub(" ", lambda m: f" {k.rng.choice(_EMOJI)} ", t),
)
_add("noise", "emoji in every word", _inserted(_EMOJI))
_add(
    "noise",
    "capitals at random",
    lambda t, k: "".join(k.rng.choice((c.upper(), c.lower())) for c in t),
)
_add("noise", "vowels dropped", _in_words(lambda w, k: w[0] + re.sub("[aeiou]", "", w[1:]), 3))


def _shuffled(text: str, kit: Kit) -> str:
    words = text.split()
    kit.rng.shuffle(words)
    return " ".join(words)


def _sentences(text: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.!?])\s+|\n+", text) if s.strip()]


def _reordered(text: str, kit: Kit) -> str:
    parts = _sentences(text)
    kit.rng.shuffle(parts)
    return " ".join(parts)


def _share(share: float, change: Callable[[str, Kit], str]) -> Edit:
    def edit(text: str, kit: Kit) -> str:
        words = text.split()
        for i in kit.rng.sample(range(len(words)), round(share * len(words))):
            words[i] = change(words[i], kit)
        return " ".join(w for w in words if w)

    return edit


_add("structure", "words shuffled", _shuffled)
_add("structure", "sentences shuffled", _reordered)
_add("structure", "words backwards", lambda t, k: " ".join(reversed(t.split())))
_add(
    "structure",
    "neighbours swapped",
    lambda t, k: " ".join(
        w for i in range(0, len(t.split()), 2) for w in reversed(t.split()[i : i + 2])
    ),
)
_add("structure", "a fifth of the words replaced", _share(0.2, lambda w, k: k.rng.choice(k.words)))
_add("structure", "a quarter of the words dropped", _share(0.25, lambda w, k: ""))
_add("structure", "a word after every fourth", _after_words(lambda k: " " + k.rng.choice(k.words)))
_add(
    "structure",
    "two sentences added",
    lambda t, k: f"{k.rng.choice(k.sentences)} {t} {k.rng.choice(k.sentences)}",
)
_add(
    "structure",
    "a sentence after each",
    lambda t, k: " ".join(f"{s} {k.rng.choice(k.sentences)[:60]}" for s in _sentences(t)),
)
_add("structure", "said twice", lambda t, k: f"{t}\n\n{t}")
_add("structure", "half of it", lambda t, k: " ".join(t.split()[: -(-len(t.split()) // 2)]))
_add("structure", "last third cut", lambda t, k: " ".join(t.split()[: -(-2 * len(t.split()) // 3)]))
_add(
    "structure",
    "inside an answer",
    lambda t, k: f"{' '.join(k.rng.choice(k.sentences) for _ in range(4))}\n\n{t}",
)
_add("structure", "in a code block", lambda t, k: f"```text {_junk(k)}\n{t}\n```")
_add(
    "structure",
    "quoted in lines of three words",
    lambda t, k: "\n".join(
        "> " + " ".join(t.split()[i : i + 3]) for i in range(0, len(t.split()), 3)
    ),
)
_add("structure", "a table of words", lambda t, k: "| " + " | ".join(t.split()) + " |")


def disguised(name: str, text: str, kit: Kit) -> str:
    """The text under one disguise."""
    return DISGUISES[name][1](text, kit)

"""Disguises: what a copy of an answer can look like, so that a comparison of texts fails.

Each takes the text and a ``Kit`` (a random generator, and words and sentences of other answers of
the data set) and returns the disguised text. Every copy is disguised anew.
"""

from __future__ import annotations

import json
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

# --- later kinds: what a reviewer of the first ones tried ---

_UNSEEN = {
    "moved off the page": "position:absolute;left:-9999px",
    "transparent colour": "color:transparent",
    "white on white": "color:#fff",
    "no height": "display:inline-block;height:0;overflow:hidden",
    "scaled to nothing": "transform: scale(0)",
    "cut away": "position:absolute;clip:rect(0,0,0,0)",
    "style with a comment in it": "display:/* x */none",
    "style with escapes": r"d\69splay:none",
    "font of one pixel": "font-size:1px",
    "indented away": "text-indent:-9999px",
}
for _name, _style in _UNSEEN.items():
    _add(
        "markup",
        _name,
        _after_words(lambda k, style=_style: f'<i style="{style}">{_junk(k)}</i>'),  # type: ignore[misc]
    )
for _tag in ("dialog", "datalist", "video", "canvas", "rp", "noscript", "title", "template"):
    _add("markup", f"inside <{_tag}>", _after_words(lambda k, t=_tag: f"<{t}>{_junk(k)}</{t}>"))  # type: ignore[misc]
_add("markup", "CDATA", _after_words(lambda k: f"<![CDATA[{_junk(k)}]]>"))
_add("markup", "processing instructions", _after_words(lambda k: f"<?x {_junk(k)} ?>"))
_add("markup", "document types", _after_words(lambda k: f"<!DOCTYPE {_junk(k)}>"))
_add(
    "markup",
    "footnotes that nothing refers to",
    lambda t, k: t + "\n\n" + "\n".join(f"[^n{i}]: {_junk(k, 15)}" for i in range(8)),
)
_add("markup", "SVG descriptions", _after_words(lambda k: f"<svg><desc>{_junk(k)}</desc></svg>"))
_add("markup", "hexadecimal entities", lambda t, k: "".join(f"&#x{ord(c):x};" for c in t))
_add("markup", "entities of hyphens", _inserted("&shy;"))
_add("markup", "entities of joiners", _inserted("&zwj;"))
_add("markup", "a break inside words", _inserted("<wbr>"))
_add("markup", "spans inside words", _in_words(lambda w, k: f"<span>{w[0]}</span>{w[1:]}", 3))
_add("markup", "code spans", _in_words(lambda w, k: f"`{w}`", 4))
_add("markup", "strike-through letters", _in_words(lambda w, k: f"~~{w}~~", 3))
_add(
    "markup", "a heading each sentence", lambda t, k: "\n\n".join(f"## {s}" for s in _sentences(t))
)
_add("markup", "list items", lambda t, k: "\n".join(f"- {s}" for s in _sentences(t)))
_add(
    "markup",
    "a list of single words",
    lambda t, k: "\n".join(f"{i}. {w}" for i, w in enumerate(t.split(), 1)),
)
_add("markup", "task list", lambda t, k: "\n".join(f"- [ ] {s}" for s in _sentences(t)))
_add("markup", "block quote", lambda t, k: "\n".join("> " + s for s in _sentences(t)))
_add("markup", "HTML paragraphs", lambda t, k: "".join(f"<p>{s}</p>" for s in _sentences(t)))
_add(
    "markup",
    "HTML table of words",
    lambda t, k: "<table><tr>" + "".join(f"<td>{w}</td>" for w in t.split()) + "</tr></table>",
)
_add("markup", "ruby notes", _in_words(lambda w, k: f"<ruby>{w}<rt>x</rt></ruby>", 6))
_add("markup", "as JSON", lambda t, k: json.dumps({"answer": t, "id": k.rng.random()}))
_add("markup", "a signature", lambda t, k: f"{t}\n\n-- \n{_junk(k, 6)}")
_add("markup", "front matter", lambda t, k: f"---\ntitle: {_junk(k, 6)}\n---\n\n{t}")
_add(
    "markup",
    "details",
    lambda t, k: f"<details><summary>{_junk(k, 3)}</summary>\n\n{t}\n</details>",
)

_add("look-alike", "mathematical script", _mapped(_alphabet(0x1D4EA, 0x1D4D0)))
_add("look-alike", "mathematical Fraktur", _mapped(_alphabet(0x1D586, 0x1D56C)))
_add("look-alike", "double-struck", _mapped(_alphabet(0x1D552, 0x1D538)))
_add("look-alike", "monospace letters", _mapped(_alphabet(0x1D68A, 0x1D670)))
_add("look-alike", "letters in parentheses", _mapped(_alphabet(0x249C, 0x249C)))
_SMALL = dict(zip("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
_add("look-alike", "small capitals", _mapped(_SMALL))
_SUPER = dict(zip("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True))
_add("look-alike", "superscript letters", _mapped(_SUPER))
_add("look-alike", "superscript letters, half", _mapped(_SUPER, 0.5))
_add("look-alike", "white on black letters", _mapped(_alphabet(0x1F150, 0x1F150)))
_add("look-alike", "white on black squares", _mapped(_alphabet(0x1F170, 0x1F170)))
_add("look-alike", "letters of flags", _mapped(_alphabet(0x1F1E6, 0x1F1E6)))
_STROKES = dict(zip("abcdefghiklnoptuyz", "ⱥƀƈđɇƒǥħɨƙłɲøƥŧʉɏƶ", strict=True))
_add("look-alike", "letters with strokes", _mapped(_STROKES))
_ARMENIAN = dict(zip("ouhnsgqp", "օսհոѕցզթ", strict=True))
_add("look-alike", "Armenian letters", _mapped(_ARMENIAN))
_CHEROKEE = dict(zip("DRTiAJEWMHYGhZ4bRVSLCPKd", "ᎠᎡᎢᎥᎪᎫᎬᎳᎷᎻᎽᏀᏂᏃᏎᏏᏒᏙᏚᏞᏟᏢᏦᏧ", strict=True))
_add("look-alike", "Cherokee letters", lambda t, k: _mapped(_CHEROKEE)(t.upper(), k))
_add(
    "look-alike",
    "letters of three scripts",
    lambda t, k: "".join(k.rng.choice((_CYRILLIC, _GREEK, _ARMENIAN)).get(c, c) for c in t),
)
_add(
    "look-alike",
    "three scripts and joiners",
    lambda t, k: _inserted("\u200d")(
        "".join(k.rng.choice((_CYRILLIC, _GREEK, _FULL)).get(c, c) for c in t), k
    ),
)
_add("look-alike", "strike-through marks", lambda t, k: "".join(c + "\u0336" for c in t))
_add("look-alike", "underline marks", lambda t, k: "".join(c + "\u0332" for c in t))
_add("look-alike", "enclosing marks", lambda t, k: "".join(c + "\u20dd" for c in t))
_FLIPPED = dict(zip("abcdefghijklmnopqrtuvwy", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹʇnʌʍʎ", strict=True))
_add("look-alike", "upside down", lambda t, k: _mapped(_FLIPPED)(t.lower(), k)[::-1])
_add(
    "look-alike",
    "doubled letters of one sign",
    lambda t, k: t.replace("ij", "ĳ").replace("lj", "ǉ"),
)

_add("invisible", "tag characters", _inserted([chr(0xE0061 + i) for i in range(26)]))
_add("invisible", "variation selectors, 256", _inserted([chr(0xE0100 + i) for i in range(240)]))
_add("invisible", "Braille blanks in words", _inserted("\u2800"))
_add("invisible", "interlinear marks", _inserted("\ufff9"))
_add("invisible", "musical marks", _inserted("\U0001d173"))
_add("invisible", "shorthand marks", _inserted("\U0001bca0"))
_add("invisible", "Khmer vowel", _inserted("\u17b4"))
_add("invisible", "half-width Hangul filler", _inserted("\uffa0"))
_add("invisible", "private use", _inserted("\ue000"))
_add("invisible", "not characters", _inserted("\ufdd0"))
_add("invisible", "backspaces", _in_words(lambda w, k: f"{w[0]}x\x08{w[1:]}", 2))
_add("invisible", "null characters", _inserted("\x00"))
_add(
    "invisible",
    "other spaces",
    lambda t, k: re.sub(" ", lambda m: k.rng.choice("\u2003\u2009\u202f\u205f\u3000"), t),
)
_add("invisible", "line separators", lambda t, k: t.replace(" ", "\u2028"))

_LOREM = (
    "indeed",
    "basically",
    "of course",
    "you know",
    "in fact",
    "clearly",
    "well",
    "to be fair",
)
for _part in (0.25, 0.35, 0.5, 0.7):
    _add(
        "noise",
        f"a typo in {_part:.0%} of the words",
        _share(_part, lambda w, k: _typo(w, k, "mixed") if len(w) > 2 else w),
    )
_add(
    "structure",
    "filler words",
    _after_words(lambda k: f", {k.rng.choice(_LOREM)},", every=3),
)
_EXPANDED = {
    "n't": " not", "'re": " are", "'m": " am", "'ll": " will", "'ve": " have", "it's": "it is",
    "that's": "that is", "can not": "cannot",
}  # fmt: skip


def _expanded(text: str, kit: Kit) -> str:
    for short, long in _EXPANDED.items():
        text = re.sub(re.escape(short), long, text, flags=re.IGNORECASE)
    return text


_add("structure", "contractions expanded", _expanded)
_SYNONYMS = {
    "the": "this", "a": "one", "is": "remains", "are": "remain", "should": "ought to", "people":
    "persons", "good": "fine", "bad": "poor", "because": "since", "and": "plus", "but": "yet",
    "have": "possess", "can": "may", "will": "shall", "many": "numerous", "more": "further",
    "think": "believe", "make": "create", "use": "employ", "not": "never", "of": "from", "to":
    "toward", "in": "within", "that": "which", "it": "this thing", "for": "on behalf of", "with":
    "along with", "they": "those", "you": "one", "we": "all of us",
}  # fmt: skip
_add(
    "structure",
    "synonyms of common words",
    _in_words(lambda w, k: _SYNONYMS.get(w.lower(), w), 1),
)
_add(
    "structure",
    "common words left out",
    _in_words(lambda w, k: "" if w.lower() in _SYNONYMS else w, 1),
)
_add("structure", "a tenth of the words replaced", _share(0.1, lambda w, k: k.rng.choice(k.words)))
_add("structure", "three in ten words replaced", _share(0.3, lambda w, k: k.rng.choice(k.words)))
_add("structure", "a third of the words dropped", _share(1 / 3, lambda w, k: ""))
_add(
    "structure", "a word after every second", _after_words(lambda k: " " + k.rng.choice(k.words), 2)
)
_add("structure", "sentences backwards", lambda t, k: " ".join(reversed(_sentences(t))))
_add(
    "structure",
    "first half last",
    lambda t, k: " ".join(t.split()[len(t.split()) // 2 :] + t.split()[: len(t.split()) // 2]),
)
_add(
    "structure",
    "a speaker before each sentence",
    lambda t, k: "\n".join(f"Speaker {k.rng.randrange(9)}: {s}" for s in _sentences(t)),
)
_add(
    "structure",
    "numbered sentences",
    lambda t, k: "\n".join(f"({i}) {s}" for i, s in enumerate(_sentences(t), 1)),
)
_add(
    "structure",
    "five sentences before",
    lambda t, k: " ".join(k.rng.choice(k.sentences) for _ in range(5)) + " " + t,
)
_add(
    "structure",
    "five sentences after",
    lambda t, k: t + " " + " ".join(k.rng.choice(k.sentences) for _ in range(5)),
)
_add(
    "structure",
    "a question before, thanks after",
    lambda t, k: f"You asked about {_junk(k, 5)}? {t} Thank you for reading, {_junk(k, 3)}.",
)
_add(
    "structure",
    "said three times, shuffled",
    lambda t, k: "\n".join(_reordered(t, k) for _ in range(3)),
)
_add(
    "structure",
    "lines of four words",
    lambda t, k: "\n".join(" ".join(t.split()[i : i + 4]) for i in range(0, len(t.split()), 4)),
)
_add(
    "structure",
    "words in alphabetical order",
    lambda t, k: " ".join(sorted(t.split(), key=str.lower)),
)

_add("noise", "capitals", lambda t, k: t.upper())
_add("noise", "title case", lambda t, k: t.title())
_add("noise", "no punctuation", lambda t, k: re.sub(r"[^\w\s]", "", t))
_add(
    "noise",
    "other punctuation",
    lambda t, k: t.translate(str.maketrans(".,;!?'\"-", "。，；！？’”—")),
)
_add("noise", "a comma after every word", lambda t, k: ", ".join(t.split()))
_add("noise", "brackets round every word", _in_words(lambda w, k: f"[{w}]", 1))
_add("noise", "random punctuation", _inserted(list("_~^|=+/\\"), 3))
_add("noise", "underlines in every word", _inserted("_"))
_add("noise", "apostrophes in every word", _inserted("'"))
_add("noise", "line breaks in every word", _inserted("\n", 4))
_add("noise", "first letters doubled", _in_words(lambda w, k: w[0] + w, 2))
_add("noise", "last letters left out", _in_words(lambda w, k: w[:-1], 4))
_add(
    "noise",
    "two typos in every word",
    _in_words(lambda w, k: _typo(_typo(w, k, "swap"), k, "replace"), 5),
)
_add(
    "noise",
    "inner letters shuffled",
    _in_words(lambda w, k: w[0] + "".join(k.rng.sample(w[1:-1], len(w) - 2)) + w[-1], 4),
)
_add("noise", "letters of words backwards", _in_words(lambda w, k: w[::-1], 2))
_add("noise", "pig Latin", _in_words(lambda w, k: w[1:] + w[0] + "ay", 2))
_add("noise", "a stem for every word", _in_words(lambda w, k: w[: max(3, len(w) - 2)], 4))
_add(
    "noise",
    "an ending on every word",
    _in_words(lambda w, k: w + k.rng.choice(("s", "ed", "ing", "ly")), 3),
)
_add(
    "noise",
    "British and other spellings",
    lambda t, k: t.replace("or ", "our ").replace("ize", "ise").replace("er ", "re "),
)
_add(
    "noise",
    "k for c, ph for f",
    lambda t, k: t.replace("c", "k").replace("f", "ph").replace("s", "z"),
)


def disguised(name: str, text: str, kit: Kit) -> str:
    """The text under one disguise."""
    return DISGUISES[name][1](text, kit)

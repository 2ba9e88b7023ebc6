"""Small edits that leave a text a copy of itself, in several strengths, all seeded.

Each edit returns the edited text, or None where the text has nothing for it to act on (no word of
the synonym table, too few sentences): such a pair is left out, not counted as found.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

SYNONYMS = {
    line.split()[0]: line.split()[1]
    for line in """\
good fine
great excellent
important crucial
help assist
helps assists
use utilize
used employed
using employing
make create
makes creates
making creating
many numerous
also additionally
but however
because since
show demonstrate
shows demonstrates
big large
large sizable
small little
begin start
start begin
need require
needs requires
find locate
get obtain
give provide
provide offer
provides offers
ensure guarantee
however nevertheless
often frequently
usually typically
quickly rapidly
easy simple
simple straightforward
difficult hard
hard tough
different distinct
various several
several multiple
improve enhance
increase raise
reduce lower
people persons
children kids
person individual
work function
works functions
problem issue
problems issues
answer reply
example instance
part portion
parts portions
way manner
ways methods
method approach
change alter
changes alterations
keep retain
think believe
believe think
try attempt
choose select
allow permit
allows permits
include contain
includes contains
including containing
consider contemplate
understand comprehend
explain clarify
describe depict
main principal
best finest
better superior
well nicely
very highly
about regarding
like enjoy
new novel
old aged
happy glad
sad unhappy
fast quick
slow sluggish
job occupation
house home
home house
car automobile
buy purchase
money cash
said stated
says states
want wish
wants wishes
world globe
country nation
government administration
company firm
city town
area region
time period
day date
year annum
end finish
whole entire
certain particular
specific particular
necessary required
possible feasible
potential prospective
additional further
main chief
such similar
while whereas
though although
perhaps maybe
maybe perhaps
almost nearly
only just
just merely
should must
can may
will shall
oder beziehungsweise
auch ebenfalls
aber jedoch
groß riesig
gut ordentlich
schnell rasch
wichtig bedeutend
nur lediglich
sehr äußerst
heute derzeit
mehr weiteres
viele zahlreiche
但是 不过
因为 由于
可以 能够
重要 关键
非常 十分
问题 难题
""".splitlines()
}
ADDED = (
    "I hope this answers what you were asking.",
    "Please let me know if anything here is unclear.",
    "There may be other views on this matter as well.",
    "That is the short version of it.",
    "Of course, the details depend on your situation.",
)
OPENERS = ("Sure! ", "Certainly. ", "Of course! Here you go: ", "Great question. ")

_WORD = re.compile(r"\w+|\W+")
_SENTENCE = re.compile(r"[^.!?。！？\n]*(?:[.!?]+(?=\s|$)|[。！？]+|\n+|$)\s*")
_CHINESE = sorted((k for k in SYNONYMS if not k.isascii() and len(k) == 2), key=len)

Edit = Callable[[str, np.random.Generator], str | None]


def sentences(text: str) -> list[str]:
    """Pieces that end in a full stop or a line break; joined they are the text again."""
    return [s for s in _SENTENCE.findall(text) if s.strip()]


def _case(text: str, rng: np.random.Generator) -> str | None:
    out = (text.upper, text.lower, text.title)[int(rng.integers(3))]()
    return out if out != text else None


def _punctuation(text: str, rng: np.random.Generator) -> str | None:
    if rng.random() < 0.5:
        out = re.sub(r"(?<=\w)[.,;:!?](?=\s|$)", "", text)
    else:
        out = text.replace("'", "’").replace('"', "”").replace(", ", "; ").replace(" - ", " — ")
        out = out.replace("，", "；")
    return out if out != text else None


def _white_space(text: str, rng: np.random.Generator) -> str | None:
    out = " ".join(text.split()) if rng.random() < 0.5 else re.sub(r"\s+", "  \n", text)
    return out if out != text else None


def _synonyms(share: float) -> Edit:
    def edit(text: str, rng: np.random.Generator) -> str | None:
        pieces = _WORD.findall(text)
        words = [i for i, p in enumerate(pieces) if p[0].isalnum()]
        can = [i for i in words if pieces[i].lower() in SYNONYMS]
        n = min(len(can), max(1, round(share * len(words))))
        if not can:
            hits = [k for k in _CHINESE if k in text]
            return text.replace(hits[0], SYNONYMS[hits[0]]) if hits else None
        for i in rng.choice(can, n, replace=False):
            new = SYNONYMS[pieces[i].lower()]
            pieces[i] = new.capitalize() if pieces[i][0].isupper() else new
        return "".join(pieces)

    return edit


def _reorder(text: str, rng: np.random.Generator) -> str | None:
    parts = [s.strip() for s in sentences(text)]
    if len(parts) < 3:
        return None
    order = rng.permutation(len(parts))
    if np.array_equal(order, np.arange(len(parts))):
        order = order[::-1]
    return " ".join(parts[i] for i in order)


def _cut(text: str, rng: np.random.Generator) -> str | None:
    parts = sentences(text)
    if len(parts) < 4:
        return None
    drop = int(rng.integers(len(parts)))
    if len(parts[drop]) > 0.4 * len(text):
        return None
    return "".join(p for i, p in enumerate(parts) if i != drop)


def _add(text: str, rng: np.random.Generator) -> str | None:
    parts = sentences(text)
    if len(parts) < 3:
        return None
    at = int(rng.integers(len(parts) + 1))
    parts.insert(at, ADDED[int(rng.integers(len(ADDED)))] + " ")
    return "".join(parts)


def _opener(text: str, rng: np.random.Generator) -> str | None:
    if len(text) < 60:
        return None
    return OPENERS[int(rng.integers(len(OPENERS)))] + text


def _markdown(text: str, rng: np.random.Generator) -> str | None:
    if re.search(r"\*\*|^#|^[-*] |`", text, re.M):
        out = re.sub(r"\*\*|__|`|^#+ |^[-*] |^\d+\. ", "", text, flags=re.M)
        return out if out != text else None
    parts = [s.strip() for s in sentences(text)]
    marked = []
    for i, part in enumerate(parts):
        first, _, rest = part.partition(" ")
        marked.append(f"{'- ' if i else '## '}**{first}** {rest}")
    return "\n".join(marked)


def _typos(text: str, rng: np.random.Generator) -> str | None:
    letters = [i for i in range(1, len(text) - 1) if text[i - 1 : i + 2].isalpha()]
    if len(letters) < 30 or not text.isascii():
        return None
    out = list(text)
    for i in rng.choice(letters, max(1, round(len(text) * 0.006)), replace=False):
        out[i], out[i + 1] = out[i + 1], out[i]
    return "".join(out)


EDITS: dict[str, Edit] = {
    "case": _case,
    "punctuation": _punctuation,
    "white space": _white_space,
    "markdown": _markdown,
    "synonyms, 5 % of words": _synonyms(0.05),
    "synonyms, 15 % of words": _synonyms(0.15),
    "typos, 0.6 % of letters": _typos,
    "sentences reordered": _reorder,
    "sentence cut": _cut,
    "sentence added": _add,
    "opener added": _opener,
}

"""How a label says who won: words that mean the same everywhere, then the names of the sides.

A label is read in one spelling (:func:`word_of`): case, brackets, blanks, hyphens and the kind of
number do not matter. Then the rows' own words (``--map left_label=…``) count, the common ones, and
phrases built of a side's name and what is said of it ("Response A is slightly better"). What is
left is unknown and never guessed: a bare 0 is a tie in some data and a side in other data.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from cr_audit.data.lookalikes import visible
from cr_audit.readers.records import BadRow

_NO_BRACKETS = str.maketrans(
    dict.fromkeys("[](){}\"'“”‘’`*.,:!#|", None) | {"−": "-", "–": "-", "—": "-"}
)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)$")
_GAPS = re.compile(r"[\s_\-/]+")
_STRENGTH = re.compile(r"([ab12])\s*\++$")


def _plain_number(text: str) -> str:
    value = Decimal(text)
    return "0" if value == 0 else format(value.normalize(), "f")


def word_of(value: Any) -> str:
    """A label in one spelling: "Model A" and "model_a" are the same, so are 1, 1.0, "+1" and "1",
    true and "TRUE", "-1" and -1. Signs of comparison stay: "A > B" is "a>b"."""
    if isinstance(value, bool):
        return str(value).lower()
    text = visible(unicodedata.normalize("NFKC", str(value))).strip().casefold()
    number = text.strip("[]()\"' ").replace("−", "-")
    if _NUMBER.match(number):
        return _plain_number(number)
    bare = text.translate(_NO_BRACKETS).strip()
    if any(sign in bare for sign in "<>=≈"):
        return "".join(bare.split())
    strength = _STRENGTH.match(bare)  # "A++"
    if strength:
        return strength[1]
    return _GAPS.sub("_", bare).strip("_") or text


_SIDES = (
    ("left", "right"),
    ("a", "b"),
    ("model_a", "model_b"),
    ("model_1", "model_2"),
    ("model1", "model2"),
    ("model_x", "model_y"),
    ("response_a", "response_b"),
    ("response_1", "response_2"),
    ("response1", "response2"),
    ("answer_a", "answer_b"),
    ("answer_1", "answer_2"),
    ("output_1", "output_2"),
    ("output_a", "output_b"),
    ("assistant_a", "assistant_b"),
    ("a1", "a2"),
    ("arg1", "arg2"),
    ("first", "second"),
    ("1st", "2nd"),
    ("win", "loss"),
    ("win", "lose"),
    ("a>b", "b>a"),
    ("a>>b", "b>>a"),
    ("b<a", "a<b"),
    ("b<<a", "a<<b"),
    ("1>2", "2>1"),
    ("1>>2", "2>>1"),
    ("2<1", "1<2"),
    ("2<<1", "1<<2"),
    (">", "<"),
    (">>", "<<"),
    ("1", "2"),
    ("option_a", "option_b"),
    ("completion_a", "completion_b"),
    ("completion_1", "completion_2"),
)
LEFT = tuple(dict.fromkeys(left for left, _ in _SIDES))
RIGHT = tuple(dict.fromkeys(right for _, right in _SIDES))
TIE = (
    "tie",
    "tied",
    "both_bad",
    "bothbad",
    "both_good",
    "tie_bothbad",
    "tie_both_bad",
    "tie_both_good",
    "equal",
    "draw",
    "same",
    "neither",
    "both",
    "even",
    "no_preference",
    "a=b",
    "b=a",
    "a==b",
    "a≈b",
    "1=2",
    "2=1",
    "1==2",
    "=",
    "==",
    "0.5",
    "1.5",
)
WORDS: dict[str, float] = {
    **dict.fromkeys(LEFT, 1.0),
    **dict.fromkeys(RIGHT, 0.0),
    **dict.fromkeys(TIE, 0.5),
}
"""Label words that mean the same everywhere. A bare 0 is not among them: it is a tie in some data
and the right or left response in other data, so only a schema or ``--map`` may say."""
NO_LABEL = -1.0
"""What a word stands for that says that nobody judged (``--map no_label=skip``)."""
_NUMERIC = frozenset(word for word in WORDS if _NUMBER.match(word))

_OVER = re.compile(r"(.*(?:better|preferred|stronger|wins|won|win|prefer))_(?:than|over|to)_(.+)$")
_ABOUT = frozenset(
    str.split(
        "much slightly significantly strongly clearly somewhat far way marginally "
        "definitely a_bit is are was the preferred prefer prefers better best wins win "
        "won winner winning good chosen selected stronger response answer output model "
        "option assistant completion candidate side system text choice summary reply "
        "generation chatbot bot agent"
    )
)
_LEFT_NAMES = frozenset(str.split("a 1 left first one 1st model1 response1 output1 answer1"))
_RIGHT_NAMES = frozenset(str.split("b 2 right second two 2nd model2 response2 output2 answer2"))
_TIE_NAMES = frozenset(str.split("tie tied equal equally same draw both neither even similar"))
_ABOUT_TIES = frozenset(
    str.split(
        "a an the is are it they about roughly quality preference good bad as well of and "
        "answers responses models outputs of in them completely"
    )
)
_NO_DIFFERENCE = frozenset({"no_preference", "no_difference", "no_winner", "indifferent"})


def _phrase(word: str) -> float | None:
    """1.0, 0.0 or 0.5 if a word names one side, or a tie, and nothing else that matters."""
    if word in _NO_DIFFERENCE:
        return 0.5
    better = _OVER.match(word)
    if better is not None:  # "response a is better than response b"
        first, second = _phrase(better[1]), _phrase(better[2])
        return first if {first, second} == {0.0, 1.0} and "not" not in word.split("_") else None
    said = word.split("_")
    named = [t for t in said if t not in _ABOUT]
    if len(named) == 1:
        if named[0] in _LEFT_NAMES:
            return 1.0
        if named[0] in _RIGHT_NAMES:
            return 0.0
    both = [t for t in named if t not in ("and", "vs", "or")]
    if len(both) == 3 and both[-1] in _TIE_NAMES:  # "a and b are equal"
        sides = [(t in _LEFT_NAMES) - (t in _RIGHT_NAMES) for t in both[:2]]
        if sorted(sides) == [-1, 1]:
            return 0.5
    if any(t in _TIE_NAMES for t in said) and all(
        t in _TIE_NAMES or t in _ABOUT_TIES or t in _ABOUT for t in said
    ):
        return 0.5
    return None


class Labels:
    """How a label of one file says who won.

    words : in the spelling of :func:`word_of`; they come before the common ones. exact : the
    common ones do not count. given : the user said what the words mean; then the common *numbers*
    do not count, so that a number that was forgotten is unknown, never a side.
    """

    def __init__(
        self, words: Mapping[str, float], *, exact: bool = False, given: bool = False
    ) -> None:
        common = {} if exact else {w: s for w, s in WORDS.items() if not given or w not in _NUMERIC}
        self._words = {**common, **{word_of(w): s for w, s in words.items()}}
        self._phrases = not exact
        own = {word_of(w) for w in words}
        self._numbers = frozenset(w for w in _NUMERIC if w in common and w not in own)
        self._known: dict[Any, tuple[str, float | None]] = {}
        self.numbers: set[str] = set()
        """Numbers that were taken for a side because they mean one in most data."""
        self.unknown: dict[str, int] = {}
        """Words that were not understood, and how often each was met (the first 200 words)."""
        self.names_first = False
        """Whether every label of the sample names one side: then "A" is the model A, whichever
        side it is on."""
        self._n_named = self._n_unnamed = 0
        self._ambiguous: dict[str, None] = {}

    def share(
        self, value: Any, field: str, left: Sequence[object], right: Sequence[object]
    ) -> float:
        """What ``left`` won. Raises BadRow("missing_label"), ("unknown_label"), or
        ("ambiguous_label") for a word of one side that is the name of the other."""
        value = unwrapped(value)
        if not isinstance(value, str | int | float | Decimal):
            if value is None:
                raise BadRow("missing_label", field, value)
            raise BadRow("unknown_label", field, value)
        is_left, is_right = value in left, value in right
        word, share = self._known.get((type(value), value)) or self._meaning(value)
        if is_left != is_right and not isinstance(value, bool):
            self._n_named += 1
            if share in (None, float(is_left)) or word in self._numbers or self.names_first:
                return float(is_left)
            self._ambiguous.setdefault(word)
            raise BadRow("ambiguous_label", field, value)
        if share is not None:
            if share == NO_LABEL:
                raise BadRow("missing_label", field, value)
            self._n_unnamed += share != 0.5
            if word in self._numbers:
                self.numbers.add(word)
            return share
        if _missing(value):
            raise BadRow("missing_label", field, value)
        named = _named(word, left, right)
        if named is None:
            if word in self.unknown or len(self.unknown) < 200:
                self.unknown[word] = self.unknown.get(word, 0) + 1
            raise BadRow("unknown_label", field, value)
        return named

    def _meaning(self, value: Any) -> tuple[str, float | None]:
        """The word of a label and what it means by itself; remembered."""
        word = word_of(value) if not isinstance(value, str) or len(value) <= 200 else value
        share = self._words.get(word)
        if share is None and self._phrases and len(word) <= 200 and not _NUMBER.match(word):
            share = _phrase(word)
        if len(self._known) < 10_000:
            self._known[type(value), value] = (word, share)
        return word, share

    def settle(self) -> bool:
        """After the sample: whether names go before words. True if that changes what was read."""
        self.names_first = self._n_named > 0 and self._n_unnamed == 0
        return self.names_first

    def forget(self) -> None:
        """Begin to count anew: the sample is read twice."""
        self.numbers, self.unknown = set(), {}

    @property
    def unsettled(self) -> list[str]:
        """Words that were met and mean nothing, or two things."""
        return [*self.unknown, *self._ambiguous]

    @property
    def doubtful(self) -> bool:
        """Whether a 1 or a 2 was taken for a side in a column that holds other numbers too.

        1 and 2 together name the sides, and a 0 beside them is only unknown; 1 beside 0 or -1 may
        mean anything.
        """
        other = {w for w in self.unknown if _NUMBER.match(w)}
        sides = self.numbers & {"1", "2"}
        return bool(other and sides) and not (sides == {"1", "2"} and other == {"0"})


def unwrapped(value: Any) -> Any:
    """A label out of what an export wraps it in: a list of one, an object of one value."""
    for _ in range(3):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, dict) and len(value) == 1 and value.keys() <= _WRAPS:
            value = next(iter(value.values()))
        else:
            break
    return value


_WRAPS = frozenset({"value", "choices", "choice", "label", "selected", "name", "id", "answer"})


def _missing(value: Any) -> bool:
    if value is None or (isinstance(value, float) and value != value):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, str) and value.strip().lower() in _NOTHING


_NOTHING = frozenset({"", "nan", "null", "n/a", "na", "<na>", "nat"})


def _named(word: str, left: Sequence[object], right: Sequence[object]) -> float | None:
    """1.0 or 0.0 if a word is, in one spelling, a name of exactly one side."""
    if not word or len(word) > 200:
        return None
    is_left = any(word == word_of(n) for n in left if isinstance(n, str) and len(n) <= 200)
    is_right = any(word == word_of(n) for n in right if isinstance(n, str) and len(n) <= 200)
    return float(is_left) if is_left != is_right else None


def advice(fields: Mapping[str, str], words: Mapping[str, int] | Sequence[str]) -> str:
    """The ``--map`` lines that say what label words mean, for a labelled pair with these fields.

    Which side a word means is not in the data: both readings are given, and which is which must be
    chosen. Numbers are ordered, and those in the middle are ties.
    """
    lower, ties, upper = split_words(list(words))
    names = [
        (role, fields[role])
        for role in ("prompt", "left", "right", "left_model", "right_model", "label")
        if role in fields and not ("left" in fields and role.endswith("_model"))
    ]
    start = ",".join(f"{role}={name}" for role, name in names)
    end = f",tie_label={'|'.join(ties)}" if ties else ""

    def line(a: Sequence[str], b: Sequence[str]) -> str:
        halves = (("left_label", a), ("right_label", b))
        said = "".join(f",{role}={'|'.join(w)}" for role, w in halves if w)
        return f"--map {quoted(start + said + end)}"

    side = fields.get("left", fields.get("left_model", "the left side"))
    first = lower[0] if lower else upper[0] if upper else ties[0] if ties else "?"
    if not (lower and upper):  # beside words that are known: it may be no side at all
        odd = "|".join([*lower, *upper, *ties])
        means = (f"that {side} won", "that it lost", "a tie", "that nobody judged")
        return "; ".join(
            f"--map {quoted(f'{start},{role}={odd}')} if {first} means {what}"
            for role, what in zip(_ODD, means, strict=True)
        )
    return (
        f"{line(lower, upper)} if {first} means that {side} won; "
        f"{line(upper, lower)} if it means that it lost"
    )


_ODD = ("left_label", "right_label", "tie_label", "no_label")


def quoted(text: str) -> str:
    """A ``--map`` as one word of a shell."""
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else "'" + text.replace("'", "") + "'"


def split_words(words: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """(one side, ties, other side): numbers by order around their middle, words as they may be."""
    numbers = sorted((w for w in words if _NUMBER.match(w)), key=float)
    if numbers and len(numbers) >= len(words) - 1:
        values = [float(w) for w in numbers]
        middle = 0.0 if values[0] < 0 < values[-1] else (values[0] + values[-1]) / 2
        if len(values) == 3 and values == [0.0, 1.0, 2.0]:
            return ["1"], ["0"], ["2"]
        rest = [w for w in words if w not in numbers]
        return (
            [w for w, v in zip(numbers, values, strict=True) if v < middle] or numbers[:1],
            [w for w, v in zip(numbers, values, strict=True) if v == middle and len(values) > 1]
            + rest,
            [w for w, v in zip(numbers, values, strict=True) if v > middle],
        )
    known = {w: WORDS.get(w, _phrase(w)) for w in words}
    ties = [w for w in words if known[w] == 0.5 or w in ("none", "0")]
    lower = sorted(w for w in words if known[w] == 1.0)
    upper = sorted(w for w in words if known[w] == 0.0)
    for word in sorted(w for w in words if known[w] is None and w not in ties):
        target = lower if not lower else upper if not upper else ties
        target.append(word)
    return lower, ties, upper

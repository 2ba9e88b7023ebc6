"""Names of fields in one spelling, and what they say by themselves: a prompt, one of two sides.

``userPrompt``, ``User Prompt`` and ``user-prompt`` are ``user_prompt``; ``Input.prompt`` ends in
``prompt``. A table of names comes first everywhere; what is here finds the kin of those names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from cr_audit.data.lookalikes import visible

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[\W_]+")
_TOKEN = re.compile(r"[^\W\d_]+|\d+")


@lru_cache(maxsize=10_000)
def spelled(name: str) -> str:
    """A name in small letters, its words joined by one underscore, without what cannot be seen."""
    if len(name) > 200:
        return name
    text = _CAMEL.sub("_", visible(unicodedata.normalize("NFKC", name)))
    return _OTHER.sub("_", text).strip("_").lower()


@lru_cache(maxsize=10_000)
def leaf(name: str) -> str:
    """The last part of a name that is a path (``Input.prompt``, ``data/prompt``), spelled; empty
    where it is none."""
    last = re.split(r"[./]|__", name)[-1]
    return spelled(last) if last != name else ""


def tokens(name: str) -> list[str]:
    """The words and numbers of a name: ``answer1_body`` is answer, 1, body."""
    return _TOKEN.findall(spelled(name))


_ASKS = frozenset({"prompt", "question", "query", "instruction", "instruct"})
_OTHERS_ASK = frozenset(
    str.split(
        "judge judging grader grading eval evaluation evaluator critique rating reward negative "
        "annotator annotation rubric type follow followup next template n num is has system "
        "rejected chosen response answer model score metric worker rater"
    )
)
_WRITTEN = frozenset(
    str.split("text str string body content raw full en english original formatted clean cleaned")
)


def asks(name: str) -> bool:
    """Whether a name says that a field is the prompt: it ends in such a word (``seed_prompt``), or
    begins with one and goes on with how it is written (``question_text``)."""
    said = [t for t in tokens(name) if not t.isdigit()]
    if not said or _OTHERS_ASK.intersection(said):
        return False
    if said[-1] in _ASKS:
        return True
    return (
        len(said) > 1
        and said[0] in {*_ASKS, "problem", "task"}
        and (_WRITTEN | {"description", "statement", "prompt"}).issuperset(said[1:])
    )


_SIDES = frozenset(
    {("a", "b"), ("1", "2"), ("0", "1"), ("left", "right"), ("first", "second"), ("one", "two")}
)
_ANSWERS = frozenset(
    str.split(
        "response responses answer answers output outputs completion completions reply generation "
        "candidate summary assistant message messages conversation conv dialogue dialog chat "
        "translation essay story code solution caption text body content"
    )
)
_MODELS = frozenset(str.split("model models generator engine bot"))
_SCORES = frozenset(str.split("score scores rating ratings reward points votes upvotes grade"))
_NEITHER = frozenset(
    str.split(
        "reason rationale explanation label winner won wins win length len url source date time "
        "lang language safe type hash prompt question rank comment feedback count tokens"
    )
)
_ABOUT = {
    "text": (_ANSWERS, _MODELS | _SCORES | _NEITHER | {"id", "name"}),
    "model": (_MODELS, _SCORES | _NEITHER),
    "score": (_SCORES, _NEITHER),
    "medium": (
        frozenset(str.split("image images img picture photo jpg png audio video")),
        frozenset(),
    ),
}


def twins(names: Iterable[str], about: str) -> list[tuple[str, str]]:
    """Pairs of names that differ in nothing but the word for a side (``orig_response_A``,
    ``orig_response_B``), left first. about : "text", "model", "score" or "medium", what they
    speak of."""
    wanted, unwanted = _ABOUT[about]
    said = [
        (name, split)
        for name in names
        if wanted.intersection(split := tokens(name)) and not unwanted.intersection(split)
    ]
    out = []
    for i, (one, a) in enumerate(said):
        for other, b in said[i + 1 :]:
            if len(a) != len(b):
                continue
            apart = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
            if len(apart) != 1:
                continue
            if apart[0] in _SIDES:
                out.append((one, other))
            elif apart[0][::-1] in _SIDES:
                out.append((other, one))
    return out

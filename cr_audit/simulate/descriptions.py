"""Templated answers to "Describe Paris." on four topics, and small edits that copy one.

Food, art and romance are the topics of the invented population; restaurants are a second way to
speak of food, as [CR]'s approximate clones are.
"""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np

TOPICS: tuple[str, ...] = ("food", "art", "romance", "restaurants")
PROMPT = "Describe Paris."
OPENINGS: tuple[str, ...] = (
    "Paris is {adjective}.",
    "If you ask me, Paris is {adjective} above all.",
    "There is no city as {adjective} as Paris.",
    "Paris, the capital of France, feels {adjective} in every season.",
    "Most visitors find Paris {adjective}.",
    "In short, Paris is a {adjective} place.",
)
ADJECTIVES: tuple[str, ...] = (
    "wonderful",
    "unforgettable",
    "lively",
    "elegant",
    "grand",
    "surprising",
    "timeless",
    "charming",
)
PHRASES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "food": (
        ("Taste", "Order", "Try", "Save room for", "Queue early for", "Share", "Do not miss"),
        (
            "buttery croissants",
            "onion soup",
            "duck confit",
            "fresh baguettes",
            "macarons",
            "steak with fries",
            "ripe cheese",
            "oysters",
            "chocolate tarts",
            "crepes",
            "escargots",
            "red wine",
        ),
        (
            "at a corner bistro",
            "in a bakery near Bastille",
            "at a covered market",
            "in a tiny brasserie",
            "on a terrace in the Marais",
            "at a street stall",
            "in a kitchen that has won stars",
        ),
    ),
    "art": (
        ("See", "Study", "Sketch", "Admire", "Spend an hour with", "Look for", "Compare"),
        (
            "the Mona Lisa",
            "water lilies by Monet",
            "bronzes by Rodin",
            "gothic stained glass",
            "cubist portraits",
            "ancient marble statues",
            "modern installations",
            "pastel dancers",
            "medieval tapestries",
            "sketches by Delacroix",
            "impressionist landscapes",
            "sculpted doors",
        ),
        (
            "at the Louvre",
            "in the Orsay museum",
            "at the Orangerie",
            "in a small gallery",
            "at the Pompidou centre",
            "in an old studio in Montmartre",
            "in a chapel on the island",
        ),
    ),
    "romance": (
        ("Watch", "Enjoy", "Remember", "Plan", "Picture", "Wait for", "Promise each other"),
        (
            "a kiss at sunset",
            "a slow walk hand in hand",
            "a proposal under the stars",
            "candles and quiet music",
            "a boat ride for two",
            "the lights of the tower at night",
            "whispers in the rain",
            "a second honeymoon",
            "a love letter",
            "a dance on the quay",
            "an anniversary",
            "a lock on the bridge",
        ),
        (
            "along the Seine",
            "on the Pont Neuf",
            "in the Luxembourg garden",
            "below the Eiffel tower",
            "on the steps of Montmartre",
            "in a room with a view of the roofs",
            "beside a fountain",
        ),
    ),
    "restaurants": (
        ("Book", "Reserve", "Dine at", "Find", "Choose", "Dress up for", "Ask locals about"),
        (
            "a bistro with checked tablecloths",
            "a brasserie from 1900",
            "a table by the window",
            "a wine bar",
            "a kitchen counter with six seats",
            "a family restaurant",
            "a cafe with a zinc bar",
            "a dining room with three stars",
            "an oyster bar",
            "a creperie",
            "a menu of five courses",
            "a chef's table",
        ),
        (
            "in the Marais",
            "near Bastille",
            "behind the opera",
            "on the left bank",
            "in Belleville",
            "by the canal",
            "near the markets",
        ),
    ),
}
ENDINGS: tuple[str, ...] = (
    "It stays with you.",
    "You will want to return.",
    "Nothing compares.",
    "That is the city at its best.",
    "Everyone should live it once.",
    "",
)


# A paragraph: 67 words in the middle. Ten public preference sets have medians of 10 to 365 words a
# response, 69 in the middle. What share of a text one edit changes goes by its length.
SENTENCES = (5, 8)


def describe(
    topic: str, n: int, rng: np.random.Generator, *, sentences: tuple[int, int] = SENTENCES
) -> list[str]:
    """``n`` different templated texts on one topic.

    sentences : fewest and most between opening and ending (at most 12), about 9 words each, each
    on something else.
    """
    verbs, things, places = PHRASES[topic]
    fewest, most = sentences
    if not 1 <= fewest <= most <= len(things):
        raise ValueError(f"sentences must rise within 1..{len(things)}, not {sentences}")
    texts: dict[str, None] = {}
    while len(texts) < n:
        opening = str(rng.choice(OPENINGS)).format(adjective=rng.choice(ADJECTIVES))
        named = rng.permutation(things)[: rng.integers(fewest, most + 1)]
        middle = " ".join(f"{rng.choice(verbs)} {thing} {rng.choice(places)}." for thing in named)
        texts[f"{opening} {middle} {rng.choice(ENDINGS)}".strip()] = None
    return list(texts)


def edit(text: str, rng: np.random.Generator) -> str:
    """A near-duplicate: one small edit of punctuation, case, an adverb, a word or the ending.

    Where the text does not hold the words of the edit drawn (about one in forty) it is copied.
    """
    kind = int(rng.integers(5))
    if kind == 0:
        return text.replace(".", "!", 1) if rng.random() < 0.5 else f"{text} Truly."
    if kind == 1:
        return text.replace("Paris", "the city of Paris", 1)
    if kind == 2:
        return text[0].lower() + text[1:].rstrip(".")
    if kind == 3:
        return text.replace(" is ", " is really ", 1).replace(" feels ", " really feels ", 1)
    return "Well, " + text[0].lower() + text[1:]


def written_answers() -> dict[str, list[str]]:
    """The answers to "Describe Paris" that were written for this project, by topic: 60 each, of 55
    to 90 words, no two alike. The same file stands in ``sample_data/case_study``."""
    rows = files("cr_audit.simulate").joinpath("paris.jsonl").read_text(encoding="utf-8")
    out: dict[str, list[str]] = {topic: [] for topic in TOPICS}
    for line in rows.splitlines():
        row = json.loads(line)
        out[row["topic"]].append(row["text"])
    return out

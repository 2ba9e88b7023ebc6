"""A seeded stand-in for [CR]'s case study: templated answers to "Describe Paris." on three topics.

Preferences stand at their exact expected values (annotator types as Bradley-Terry populations over
topics), so that whatever moves the rewards is the scheme of weights and not the draw of the votes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit

TOPICS = ("food", "art", "romance")
# Annotator types: share of the population, utility of (food, art, romance). A weak cycle.
TYPES = (
    (0.35, (1.5, 0.0, -1.5)),
    (0.36, (-1.5, 1.5, 0.0)),
    (0.29, (0.0, -1.5, 1.5)),
)
CLONED = TOPICS.index("art")
OPENINGS = (
    "Paris is {adjective}.",
    "If you ask me, Paris is {adjective} above all.",
    "There is no city as {adjective} as Paris.",
    "Paris, the capital of France, feels {adjective} in every season.",
    "Most visitors find Paris {adjective}.",
    "In short, Paris is a {adjective} place.",
)
ADJECTIVES = (
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
}
ENDINGS = (
    "It stays with you.",
    "You will want to return.",
    "Nothing compares.",
    "That is the city at its best.",
    "Everyone should live it once.",
    "",
)


def describe(topic: str, n: int, rng: np.random.Generator) -> list[str]:
    """``n`` different templated texts on one topic."""
    verbs, things, places = PHRASES[topic]
    texts: dict[str, None] = {}
    while len(texts) < n:
        opening = str(rng.choice(OPENINGS)).format(adjective=rng.choice(ADJECTIVES))
        middle = " ".join(
            f"{rng.choice(verbs)} {rng.choice(things)} {rng.choice(places)}."
            for _ in range(int(rng.integers(1, 4)))
        )
        texts[f"{opening} {middle} {rng.choice(ENDINGS)}".strip()] = None
    return list(texts)


def edit(text: str, rng: np.random.Generator) -> str:
    """A near-duplicate: one small edit of punctuation, case, an adverb, a word or the ending."""
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


@dataclass(frozen=True, slots=True)
class Study:
    """Texts with their topic; ``base`` marks the data set without clones, the two others what is
    added to it: fresh texts on the cloned topic, and edited copies of that topic's texts."""

    texts: list[str]
    topic: np.ndarray
    base: np.ndarray
    topic_clones: np.ndarray
    near_clones: np.ndarray


def study(seed: int, *, per_topic: int = 300, added: int = 600, copies: int = 3) -> Study:
    """The cloned topic is the leader, which the runner-up beats: clones help the runner-up."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    topic: list[int] = []
    for t, name in enumerate(TOPICS):
        texts += describe(name, per_topic + (added if t == CLONED else 0), rng)
        topic += [t] * (len(texts) - len(topic))
    kind = np.array(["base"] * len(texts), dtype=object)
    start = CLONED * per_topic
    kind[start + per_topic : start + per_topic + added] = "topic"
    sources = texts[start : start + per_topic]
    near = [edit(s, rng) for s in sources for _ in range(copies)]
    texts += near
    topic += [CLONED] * len(near)
    kind = np.concatenate([kind, np.array(["near"] * len(near), dtype=object)])
    return Study(texts, np.array(topic), kind == "base", kind == "topic", kind == "near")


def preferences() -> np.ndarray:
    """p[a, b]: share of the population that prefers topic a to topic b, exact."""
    utility = np.array([u for _, u in TYPES])
    share = np.array([s for s, _ in TYPES])
    gaps = utility[:, :, None] - utility[:, None, :]
    return np.asarray(np.einsum("t,tab->ab", share, expit(gaps)))


def topic_rewards(
    contexts: np.ndarray, topic: np.ndarray, weights: np.ndarray, penalty: float = 0.1
) -> np.ndarray:
    """Mean reward per topic of the linear fit (METHODS section 2, complete exact preferences).

    f(theta) = -1/2 sum_xy w_x w_y p_xy log sigma(r_x - r_y) (both orders) + penalty/2 sum w r^2.
    """
    used = weights > 0
    middle = weights @ contexts
    c, t, w = (contexts - middle)[used], topic[used], weights[used]
    # In coordinates where sum w c c' = I the problem has a condition number of a few.
    values, vectors = np.linalg.eigh((c * w[:, None]).T @ c)
    kept = values > 1e-9 * values[-1]
    whiten = vectors[:, kept] / np.sqrt(values[kept])
    c = c @ whiten
    p = preferences()[np.ix_(t, t)]

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        r = c @ theta
        gap = r[:, None] - r[None, :]
        slope = w * ((expit(gap) - p) @ w)  # half of the gradient of the sum over both orders
        value = -0.5 * float(w @ (p * log_expit(gap)) @ w) + 0.5 * penalty * float(w @ r**2)
        return value, c.T @ (slope + penalty * w * r)

    found = minimize(objective, np.zeros(c.shape[1]), jac=True, method="L-BFGS-B")
    r = (contexts - middle) @ whiten @ found.x
    return np.array([r[topic == k].mean() for k in range(len(TOPICS))])

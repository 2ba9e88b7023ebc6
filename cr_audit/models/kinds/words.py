"""The words that tell the texts of one kind from all others.

How many texts hold a word, in the kind (y) and outside (y'), compared by log-odds with a Dirichlet
prior of the words' frequencies over all texts (Monroe, Colaresi and Quinn 2008):

    δ_w = log((y + α)/(n + α₀ - y - α)) - log((y' + α)/(n' + α₀ - y' - α)),  α = α₀ p_w
    z_w = δ_w / √(1/(y + α) + 1/(y' + α))

Texts are counted, not tokens, so that one text that repeats a word does not name a kind; n is the
sum of y over all words and not the number of texts, or a kind of longer answers would be named by
"are, in, their", which every long text holds. Left out
are words that stand in fewer than three texts of the kind or in more than a quarter of all others
(they tell nothing apart), and those with z below 2.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from cr_audit.arrays import IntArray

PRIOR = 20.0
COMMON = 0.25
FEWEST_TEXTS = 3
LEAST_Z = 2.0
TINY = 1e-9
_WORD = re.compile(r"[^\W\d_][\w’'-]*[^\W_]|[^\W\d_]")
_MOST_CHARACTERS = 4_000  # of a text: its kind shows early, and one text may be a book


def distinguishing_words(
    texts: Sequence[str], labels: IntArray, n_kinds: int, *, n_words: int = 6
) -> tuple[tuple[str, ...], ...]:
    """Of each kind the words with the largest z, at most ``n_words``. labels : int64, -1 = none."""
    if n_kinds == 0:
        return ()
    counted = [Counter[str]() for _ in range(n_kinds + 1)]
    for text, label in zip(texts, labels.tolist(), strict=True):
        found = {w.lower().replace("’", "'") for w in _WORD.findall(text[:_MOST_CHARACTERS])}
        counted[label].update(w for w in found if len(w) > 1 or ord(w) > 0x2E7F)
    size = np.bincount(labels + 1, minlength=n_kinds + 1)
    total: Counter[str] = Counter()
    for one in counted:
        total.update(one)
    everything, mentions = len(texts), sum(total.values())
    out: list[tuple[str, ...]] = []
    for g in range(n_kinds):
        words = [w for w, c in counted[g].items() if c >= FEWEST_TEXTS]
        if not words:
            out.append(())
            continue
        y = np.array([counted[g][w] for w in words], dtype=np.float64)
        both = np.array([total[w] for w in words], dtype=np.float64)
        rest = float(everything - size[g + 1])
        inside = float(sum(counted[g].values()))
        other = both - y
        alpha = PRIOR * both / everything
        prior = PRIOR * mentions / everything
        # Where all texts are one word, nothing is left on the other side.
        odds = np.log((y + alpha) / np.maximum(inside + prior - y - alpha, TINY))
        odds -= np.log(
            (other + alpha) / np.maximum(mentions - inside + prior - other - alpha, TINY)
        )
        z = odds / np.sqrt(1.0 / (y + alpha) + 1.0 / (other + alpha))
        z[other > COMMON * rest] = -np.inf
        order = sorted(range(len(words)), key=lambda k: (-round(float(z[k]), 9), words[k]))
        out.append(tuple(words[k] for k in order[:n_words] if z[k] >= LEAST_Z))
    return tuple(out)

"""Copies that noise hides from the words."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.disguises.edits import DISGUISES, Kit, disguised
from cr_audit.clones import noise
from cr_audit.clones.find import CloneReport, find_clones
from cr_audit.clones.noise import Forms, NoisePairs, noise_pairs, pair_distances
from cr_audit.clones.overlay import overlaid
from cr_audit.clones.pairs import TextIndex, text_pairs
from cr_audit.clones.shingles import Shingles

ANSWER = (
    "School uniforms save parents money, because children stop asking for the brands that their "
    "friends wear. They also make mornings quicker, and a teacher on a trip sees at once who "
    "belongs to the group. What they do not do is end bullying: pupils find other reasons. I would "
    "keep them for the younger years and let the older ones decide for themselves."
)
OTHERS = [
    "Uniforms take away one of the few ways in which teenagers can show who they are. A shirt and "
    "a tie teach nobody to think, and poor families pay twice, once for the uniform and once for "
    "ordinary clothes.",
    "In Japan almost every school has one and nobody complains. Studies in the United States found "
    "no effect on grades, a small one on attendance, and none on violence in the yard.",
    "Let each school vote. Ours did, and the result was a plain blue jumper that parents like and "
    "pupils tolerate. Rules made far away fit nobody.",
    "Money is the wrong argument. Cheap shops sell good trousers for less than the official "
    "supplier charges for a scarf, so a dress code would do the same job at half the price.",
]
WORDS = [w for t in OTHERS for w in t.split()]
SENTENCES = [s + "." for t in OTHERS for s in t.rstrip(".").split(". ")]
# What is not promised: short answers inside four times as much, half of the text gone, three words
# in ten replaced, and words that hold together by their first and last letters only.
NOT_PROMISED = {
    "half of it",
    "inside an answer",
    "a sentence after each",
    "three in ten words replaced",
    "inner letters shuffled",
    "two typos in every word",
}
# Rules that make every copy the same other text: copies find each other, not their original.
OF_ONE_RULE = {
    "k for c, ph for f",
    "letters of words backwards",
    "pig Latin",
    "synonyms of common words",
    "upside down",
}


def kit(seed: int) -> Kit:
    return Kit(random.Random(seed), WORDS, SENTENCES)


def clones(texts: list[str]) -> CloneReport:
    return find_clones(
        response_texts=texts,
        prompt_of=np.zeros(len(texts), np.int64),
        prompt_texts=[None],
        rng=np.random.default_rng(0),
    )


@pytest.mark.parametrize("name", sorted(set(DISGUISES) - NOT_PROMISED - OF_ONE_RULE))
def test_disguised_copies_are_found_with_their_original(name: str) -> None:
    copies = [disguised(name, ANSWER, kit(i)) for i in range(7)]
    labels = clones([ANSWER, *copies, *OTHERS]).labels.labels
    assert (labels[1:8] == labels[0]).mean() >= 6 / 7
    assert not (labels[8:] == labels[0]).any()


@pytest.mark.parametrize("name", sorted(OF_ONE_RULE))
def test_copies_under_one_rule_find_each_other(name: str) -> None:
    copies = [disguised(name, ANSWER, kit(i)) for i in range(7)]
    labels = clones([ANSWER, *copies, *OTHERS]).labels.labels
    assert (labels[1:8] == labels[1]).mean() >= 6 / 7
    assert not (labels[8:] == labels[1]).any()


@pytest.mark.parametrize("share", [0.15, 0.25, 0.35, 0.5, 0.7, 0.9])
def test_few_typos_hide_no_more_than_many(share: float) -> None:
    """Between a word in six and every word no share of typos is a gap."""
    rng = random.Random(int(share * 100))

    def typed(text: str) -> str:
        words = text.split()
        for i in rng.sample(range(len(words)), round(share * len(words))):
            at = rng.randrange(len(words[i]))
            words[i] = words[i][:at] + rng.choice("etaoinshr") + words[i][at + 1 :]
        return " ".join(words)

    copies = [typed(ANSWER) for _ in range(7)]
    labels = clones([ANSWER, *copies, *OTHERS]).labels.labels
    assert (labels[1:8] == labels[0]).all()


def test_different_answers_stay_different() -> None:
    first, second = np.triu_indices(len(OTHERS) + 1, 1)
    assert pair_distances([ANSWER, *OTHERS], first, second).min() > 0.7


def test_numbers_that_differ_are_not_noise() -> None:
    """The letters are the same, and so are the words: then numbers are what the text says."""
    rng = np.random.default_rng(0)

    def table() -> str:
        return "\n".join(
            f'{{"planet": "{p}", "distance": {rng.integers(1e9)}, "size": {rng.integers(1e9)}, '
            f'"moons": {rng.integers(1e9)}, "year": {rng.integers(1e9)}}}'
            for p in ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus")
        )

    texts = [table(), table()]
    found, measure = noise.measured(
        [noise.folded(t) for t in texts], Shingles.of(texts), np.array([0]), np.array([1])
    )
    assert noise.MEASURES[int(measure[0])] != "letters" or found[0] > noise.NEAR


PLANETS = ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus")


def planets(rng: random.Random, columns: int = 3) -> str:
    """A short table of invented numbers, as answers to one request look."""
    keys = ("distance", "diameter", "moons", "year")[:columns]
    rows = [", ".join([p] + [f"{k} {rng.randrange(1000)}.{rng.randrange(10)}" for k in keys])
            for p in PLANETS]  # fmt: skip
    return "; ".join(rows)


def distance(a: str, b: str) -> float:
    return float(pair_distances([a, b], np.array([0]), np.array([1]))[0])


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_tables_of_other_numbers_are_other_answers(columns: int) -> None:
    texts = [planets(random.Random(i), columns) for i in range(4)]
    assert min(distance(a, b) for a in texts for b in texts if a < b) > noise.NEAR
    typed = texts[0].replace("distance", "distnace").replace("diameter", "diametre")
    assert distance(texts[0], typed) <= noise.NEAR


def test_words_that_only_digits_tell_apart_are_codes() -> None:
    """One digit of every word differs: other codes, not a typo in each."""
    for n in (9, 20, 60):
        a, b = (" ".join(f"word{k}x{i}" for i in range(n)) for k in (0, 1))
        assert distance(a, b) == 1.0
    tagged = _digits_after(ANSWER, 1), _digits_after(ANSWER, 2)
    assert distance(*tagged) <= noise.NEAR
    assert distance(ANSWER, tagged[0]) <= noise.NEAR


def _digits_after(text: str, seed: int) -> str:
    return disguised("digits after every word", text, kit(seed))


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_numbers_between_words_hide_no_copy(every: int) -> None:
    def strewn(seed: int) -> str:
        rng = random.Random(seed)
        words = ANSWER.split()
        return " ".join(
            f"{w} {rng.randrange(1000)}" if i % every == 0 else w for i, w in enumerate(words)
        )

    copies = [strewn(i) for i in range(7)]
    labels = clones([ANSWER, *copies, *OTHERS]).labels.labels
    assert (labels[1:8] == labels[0]).all()
    assert not (labels[8:] == labels[0]).any()
    if every not in (2, 3):  # where numbers are as many as in a table, a copy needs its original
        alone = clones([*copies, *OTHERS]).labels.labels
        assert (alone[:7] == alone[0]).all()


def test_the_measures_by_hand() -> None:
    words = [f"word{chr(97 + i)}" for i in range(20)]
    base = " ".join(words)
    backwards = " ".join(reversed(words))
    fifth = " ".join(w if i % 5 else f"other{chr(97 + i)}" for i, w in enumerate(words))
    inside = f"{' '.join(f'before{chr(97 + i)}' for i in range(30))} {base} after all"
    texts = [base, backwards, fifth, inside]
    forms = Forms.of(texts)
    d, measure = noise.measured(
        forms.folded, forms.shingles, np.zeros(3, np.int64), np.array([1, 2, 3])
    )
    names = [noise.MEASURES[m] for m in measure]
    assert names[0] == "order"
    assert d[0] == pytest.approx(noise.CLOSEST)
    # 16 of 20 words in order: 2 * 16 / 40.
    assert names[1] == "sequence"
    assert d[1] == pytest.approx(0.1 + 0.3 * 0.2 / 0.22)
    assert names[2] == "part"
    assert d[2] == pytest.approx(noise.CLOSEST)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_the_search_misses_little_that_the_measures_call_near(seed: int, small: bool) -> None:
    """Against all pairs of one group, of which a small group misses none; words are near already
    and count for neither."""
    rng = random.Random(seed)
    texts = [ANSWER, *OTHERS]
    names = sorted(DISGUISES)
    texts += [disguised(rng.choice(names), rng.choice(texts[:5]), kit(i)) for i in range(8)]
    texts = sorted(set(texts))
    forms = Forms.of(texts)
    zeros = np.zeros(len(texts), np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noise, "ALL_PAIRS", 100 if small else 0)
        found = noise_pairs(forms, np.arange(len(texts)), zeros, zeros == 0)
    held = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    first, second = np.triu_indices(len(texts), 1)
    d, _ = noise.measured(forms.folded, forms.shingles, first, second)
    near = d <= noise.NEAR
    missed = sum(
        (a, b) not in held for a, b in zip(first[near].tolist(), second[near].tolist(), strict=True)
    )
    assert missed <= (0 if small else 1 + 0.1 * near.sum())
    assert (found.distance >= noise.CLOSEST - 1e-12).all()
    assert (found.first < found.second).all()


def test_groups_share_nothing() -> None:
    copy = disguised("a letter doubled in every word", ANSWER, kit(1))
    forms = Forms.of(sorted([ANSWER, copy]))
    apart = noise_pairs(forms, np.array([0, 1]), np.array([0, 1]), np.ones(2, bool))
    assert apart.first.size == 0
    together = noise_pairs(forms, np.array([0, 1, 0]), np.array([3, 3, -1]), np.ones(3, bool))
    assert together.first.tolist() == [0]
    assert together.second.tolist() == [1]
    idle = noise_pairs(forms, np.array([0, 1]), np.zeros(2, np.int64), np.zeros(2, bool))
    assert idle.first.size == 0


def test_too_much_work_leaves_the_most_frequent_out(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = [disguised("a letter doubled in every word", ANSWER, kit(i)) for i in range(6)]
    forms = Forms.of(sorted([ANSWER, *copies]))
    zeros = np.zeros(7, np.int64)
    assert noise_pairs(forms, np.arange(7), zeros, zeros == 0).first.size >= 6
    monkeypatch.setattr(noise, "ALL_PAIRS", 0)
    assert noise_pairs(forms, np.arange(7), zeros, zeros == 0).first.size >= 6
    monkeypatch.setattr(noise, "MAX_WORK", 10.0)
    few = noise_pairs(forms, np.arange(7), zeros, zeros == 0).first.size
    assert few < 6


def spaced(*parts: str) -> str:
    return " ".join(parts)


def test_a_hub_joins_its_cloud_and_a_chain_stays_a_chain() -> None:
    def words(name: str, n: int) -> str:
        return " ".join(f"{name}{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(n))

    hub = words("core", 40)
    spokes = [spaced(hub, words(f"own{chr(97 + i)}", 26)) for i in range(3)]
    index = TextIndex(Shingles.of([hub, *spokes]))
    pairs = text_pairs(index, 0.55, ball_diameter=0.4)
    none = NoisePairs(*(np.empty(0, np.int64),) * 2, np.empty(0), np.empty(0, np.int64))

    def no_letters(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.zeros(first.size)

    first, second = np.array([1, 1, 2]), np.array([2, 3, 3])
    assert (index.distances(first, second) > 0.4).all()
    over, more = overlaid(index, pairs, none, 0.4, no_letters)
    to_hub = index.distances(np.zeros(3, np.int64), np.array([1, 2, 3]))
    assert (to_hub <= 0.4).all()
    expected = np.maximum(to_hub[[0, 0, 1]], to_hub[[1, 2, 2]])
    assert over.distances(first, second) == pytest.approx(expected)
    assert over.among(np.arange(4))[1:, 1:].max() == pytest.approx(expected.max())
    assert more.limited(0.4).first.size == 6
    # Without the third spoke nothing is joined.
    index = TextIndex(Shingles.of([hub, *spokes[:2]]))
    pairs = text_pairs(index, 0.55, ball_diameter=0.4)
    over, more = overlaid(index, pairs, none, 0.4, no_letters)
    assert more.first.size == pairs.first.size


def test_hidden_words_do_not_part_texts_that_are_written_alike() -> None:
    """What a page hides may be all there is: then the text as it is written is compared too."""
    one = f"<script>{ANSWER}</script>"
    two = f"<script>{ANSWER} And that is that.</script>"
    assert pair_distances([one, two], np.array([0]), np.array([1]))[0] <= 0.4
    labels = clones([one, two, *OTHERS]).labels.labels
    assert labels[0] == labels[1]

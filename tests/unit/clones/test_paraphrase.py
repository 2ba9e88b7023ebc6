"""Sentences in order: the score of two texts, its threshold, and the clusters it gives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.paraphrase.sets import invented
from cr_audit.arrays import NotApplicable
from cr_audit.clones import paraphrase, paraphrase_pairs, paraphrase_score
from cr_audit.clones.paraphrase import (
    Answers,
    Scored,
    find_paraphrases,
    independent_pairs,
    threshold_of,
)
from cr_audit.clones.paraphrase_pairs import likely_pairs
from cr_audit.clones.paraphrase_score import NUMBERS, scores
from cr_audit.clones.paraphrase_sentences import LEAST_MASS, MAX_SENTENCES, Sentences, sentences_of

WORDS = [f"{a}{b}" for a in ("brim", "clot", "dusk", "fern") for b in ("alo", "edi", "uno", "iqa")]


def _vectors(texts: list[str] | tuple[str, ...]) -> np.ndarray:
    out = np.zeros((len(texts), 24), np.float32)
    for i, text in enumerate(texts):
        for word in text.lower().replace(".", "").split():
            out[i, sum(map(ord, word)) % 24] += 1.0
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9).astype(np.float32)


def _brute(s: Sentences, a: int, b: int) -> float:
    """The formula of the module, by enumeration of all chains."""

    def words(i: int) -> set[int]:
        return set(s.words[s.word_start[i] : s.word_start[i + 1]].tolist())

    i_of = range(int(s.start[a]), int(s.start[a + 1]))
    j_of = range(int(s.start[b]), int(s.start[b + 1]))
    alike = np.zeros((len(i_of), len(j_of)))
    for x, i in enumerate(i_of):
        for y, j in enumerate(j_of):
            shared = sum(float(s.weight[w]) for w in words(i) & words(j))
            alike[x, y] = 2 * shared / (s.mass[i] + s.mass[j])
            if s.vectors is not None:
                alike[x, y] = (
                    alike[x, y] + min(max(0.0, float(s.vectors[i] @ s.vectors[j])), 1.0)
                ) / 2
    m_a, m_b = s.mass[list(i_of)], s.mass[list(j_of)]
    best = 0.0
    for k in range(1, min(len(i_of), len(j_of)) + 1):
        for left in itertools.combinations(range(len(i_of)), k):
            for right in itertools.combinations(range(len(j_of)), k):
                pairs = list(zip(left, right, strict=True))
                best = max(best, sum(alike[x, y] * min(m_a[x], m_b[y]) for x, y in pairs))
    aligned = 2 * best / (m_a.sum() + m_b.sum())
    free = (m_a @ alike.max(axis=1) / m_a.sum() + m_b @ alike.max(axis=0) / m_b.sum()) / 2
    na, nb = (s.numbers[[k]].toarray().ravel() for k in (a, b))
    union = np.maximum(na, nb).sum()
    same = np.minimum(na, nb).sum() / union if union else 1.0
    return float(2 * aligned - free - NUMBERS * (1 - same))


texts_of = st.lists(
    st.lists(
        st.lists(st.sampled_from([*WORDS, "12", "7"]), min_size=1, max_size=4), max_size=3
    ).map(lambda sentences: " ".join(" ".join(words) + "." for words in sentences)),
    min_size=2,
    max_size=4,
)


@settings(max_examples=20, deadline=None)
@given(texts=texts_of, vectors=st.booleans())
def test_score_is_its_formula(texts: list[str], vectors: bool) -> None:
    s = Sentences.of(texts, _vectors if vectors else None)
    a, b = np.triu_indices(len(texts))
    found = scores(s, a, b)
    assert np.array_equal(found, scores(s, b, a))
    for x, y, value in zip(a.tolist(), b.tolist(), found.tolist(), strict=True):
        if s.count[x] and s.count[y]:
            assert value == pytest.approx(_brute(s, x, y), abs=1e-9)
        else:
            assert value == 0.0
        assert value <= 1.0 + 1e-3


@pytest.mark.parametrize("cells", [1, 7, 40])
def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    records = invented()[:6]
    s = Sentences.of([t for r in records for t in (r["original"], r["middle"])], _vectors)
    a, b = np.triu_indices(s.n, 1)
    whole = scores(s, a, b)
    monkeypatch.setattr(paraphrase_score, "_CELLS", cells)
    monkeypatch.setattr(paraphrase_score, "_MAX_JOINED", 5)
    assert np.array_equal(whole, scores(s, a, b))


def test_equal_texts_score_one_and_order_tells() -> None:
    text = "Brimalo fell. Clotedi rose twice. Duskuno slept. Ferniqa sang aloud."
    turned = "Ferniqa sang aloud. Duskuno slept. Clotedi rose twice. Brimalo fell."
    other = ["Something else entirely.", "Nothing to see here.", "More words about cats."]
    s = Sentences.of([text, turned, *other])
    same, reverse = scores(s, np.array([0, 0]), np.array([0, 1]))
    assert same == pytest.approx(1.0)
    # Free of order they are the same; one sentence alone stands in both orders.
    assert reverse < 0.1


def test_numbers_that_differ_count_against() -> None:
    texts = [f"The bridge at Orbeck has {n} arches. It was built in {y}." for n, y in
             ((7, 1820), (7, 1820), (9, 1820), (9, 1934))]  # fmt: skip
    s = Sentences.of([*texts, "Cats sleep.", "Dogs run.", "Birds sing.", "Fish swim."])
    assert sorted(s.numbers[[0]].data.tolist()) == [1, 1]
    none, one, both = scores(s, np.zeros(3, np.int64), np.array([1, 2, 3]))
    assert none > one > both


def test_cut_and_list_numbers() -> None:
    text = "1. First thing: it costs 3.50 euros!\n2) Second thing。又一句。\n---\n"
    parts = sentences_of(text)
    assert "---" not in parts
    assert any("3.50" in p for p in parts)
    s = Sentences.of([text])
    assert s.numbers.sum() == 1
    assert Sentences.of(["A b. " * 200]).count.tolist() == [MAX_SENTENCES]
    assert (Sentences.of(["the. the.", "the."]).mass == LEAST_MASS).all()


def test_some_is_a_part() -> None:
    records = invented()[:4]
    s = Sentences.of(
        [t for r in records for t in (r["original"], r["light"], r["heavy"])], _vectors
    )
    rows = np.array([5, 0, 3, 5])
    part = s.some(rows)
    a, b = np.triu_indices(rows.size, 1)
    assert np.array_equal(scores(part, a, b), scores(s, rows[a], rows[b]))


def test_invented_strengths_stand_apart() -> None:
    """Without any encoder: light and middle rewrites above every other answer to the prompt."""
    records = invented()
    texts = [
        t
        for r in records
        for t in (r["original"], r["light"], r["middle"], r["heavy"], *r["others"])
    ]
    s = Sentences.of(texts)
    base = 6 * np.arange(len(records))
    light, middle = (scores(s, base, base + k) for k in (1, 2))
    other = np.concatenate([scores(s, base, base + k) for k in (4, 5)])
    assert (light > other.max()).all()
    assert (middle > np.quantile(other, 0.99)).mean() > 0.9


# --- threshold, null, clusters ---


def _answers(n_prompts: int = 60, planted: int = 5) -> tuple[Answers, list[set[int]]]:
    """Random independent answers of four models, and rewrites of one under an unnamed fifth."""
    rng = np.random.default_rng(0)
    texts: list[str | None] = []
    group, source, expected = [], [], []
    for k in range(n_prompts):
        for model in range(4):
            words = [rng.choice(WORDS, 6).tolist() for _ in range(6)]
            texts.append(" ".join(" ".join(w) + f" item{rng.integers(10**6)}." for w in words))
            group.append(k)
            source.append(model)
        if k < planted:
            texts.append(str(texts[-1]).replace("brim", "grass").replace("clot", "lump"))
            group.append(k)
            source.append(-1)
            expected.append({len(texts) - 2, len(texts) - 1})
    near = np.arange(len(texts))
    return Answers.of_alternatives(texts, np.array(group), near, np.array(source)), expected


def test_found_at_the_rate_asked_for() -> None:
    answers, expected = _answers()
    found = find_paraphrases(Scored(answers, None), 0.02, np.random.default_rng(0))
    assert not isinstance(found, NotApplicable)
    assert found.n_independent == 60 * 6
    assert found.n_above <= 0.02 * found.n_independent
    assert found.n_other == 5 * 4
    assert found.n_pairs == 60 * 6 + 5 * 4
    assert found.n_other_found == 5
    assert not isinstance(found.held_out, NotApplicable)
    assert found.held_out.n == found.n_independent
    members = [set(c.members.tolist()) for c in found.clusters]
    assert all(e in members for e in expected)
    assert all(c.diameter <= 1.0 - found.threshold + 1e-9 for c in found.clusters)


def test_same_result_whatever_the_order_of_the_rows() -> None:
    answers, _ = _answers()
    text = [answers.texts[i] for i in answers.text]
    order = np.random.default_rng(3).permutation(answers.n)
    again = Answers.of_alternatives(
        [text[i] for i in order], answers.group[order], np.arange(answers.n), answers.source[order]
    )
    one, two = (
        find_paraphrases(Scored(a, None), 0.02, np.random.default_rng(0)) for a in (answers, again)
    )
    assert not isinstance(one, NotApplicable)
    assert not isinstance(two, NotApplicable)
    assert (one.threshold, one.n_found) == (two.threshold, two.n_found)

    def told(answers: Answers, found: paraphrase.Paraphrases) -> set[tuple[str, ...]]:
        text = [answers.texts[i] for i in answers.text[answers.of]]
        return {tuple(sorted(text[i] for i in c.members)) for c in found.clusters}

    assert told(answers, one) == told(again, two)


def test_no_guess_without_independent_answers() -> None:
    answers, _ = _answers(n_prompts=10)
    few = find_paraphrases(Scored(answers, None), 0.01, np.random.default_rng(0))
    assert isinstance(few, NotApplicable)
    assert "60 pairs" in few.reason
    assert "takes 500" in few.reason
    unnamed = Answers(
        answers.texts, answers.of, answers.text, answers.group, answers.near,
        np.full(answers.n, -1),
    )  # fmt: skip
    none = find_paraphrases(Scored(unnamed, None), 0.01, np.random.default_rng(0))
    assert isinstance(none, NotApplicable)
    assert "no response names" in none.reason


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.sampled_from([0.01, 0.1, 0.3]))
def test_threshold_is_the_smallest_that_keeps_the_rate(values: list[float], fpr: float) -> None:
    null = np.array(values)
    t = threshold_of(null, fpr)
    assert (null > t).sum() <= fpr * null.size + 1e-9
    lower = null[null < t]
    if lower.size:
        assert (null > lower.max()).sum() > fpr * null.size - 1e-9


def test_null_leaves_out_copies_and_one_author(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str | None] = [f"text {i}." for i in range(6)]
    group = np.array([0, 0, 0, 0, 1, 1])
    near = np.array([0, 0, 2, 3, 4, 5])
    source = np.array([0, 1, 1, 2, 0, -1])
    answers = Answers.of_alternatives(texts, group, near, source)
    a, b = independent_pairs(answers, np.random.default_rng(0))
    pairs = {tuple(sorted(p)) for p in zip(a.tolist(), b.tolist(), strict=True)}
    assert pairs == {(0, 2), (0, 3), (1, 3), (2, 3)}
    # Apart in words: all of the first prompt but (0, 1), and (4, 5).
    assert paraphrase._n_pairs(answers) == (6, 4)
    monkeypatch.setattr(paraphrase, "MAX_NULL", 2)
    large, _ = _answers()
    a, b = independent_pairs(large, np.random.default_rng(0))
    assert a.size == 2
    assert large.independent(a, b).all()


def test_large_groups_keep_their_likely_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    records = invented()
    texts = [t for r in records for t in (r["original"], r["middle"])]
    s = Sentences.of(texts, _vectors)
    group = np.zeros(s.n, np.int64)
    every = likely_pairs(s, group, np.random.default_rng(0))
    assert every[0].size == s.n * (s.n - 1) // 2
    monkeypatch.setattr(paraphrase_pairs, "ALL_PAIRS", 8)
    monkeypatch.setattr(paraphrase_pairs, "NEIGHBOURS", 3)
    first, second = likely_pairs(s, group, np.random.default_rng(0))
    assert (first < second).all()
    assert first.size < every[0].size / 4
    found = set(zip(first.tolist(), second.tolist(), strict=True))
    assert {(2 * k, 2 * k + 1) for k in range(len(records))} <= found
    assert likely_pairs(s, np.arange(s.n), np.random.default_rng(0))[0].size == 0

"""Facts about a batch, on small data with a known truth; and what leaves no trace in them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from cases import DISTINCT, labelled
from gate_cases import compared, dataset, decided, document, judged, tournament
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import beta
from scipy.stats import betabinom

from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.data.merging import merged, restricted
from cr_audit.errors import ComputeError
from cr_audit.gate import beta_binomial
from cr_audit.gate.agreement import contradictions, repeats
from cr_audit.models.rankings import win_rates
from cr_audit.models.rankings.added import effect_of_added_rows

A, B, C, D, E = DISTINCT[:5]
STRENGTHS = {A: 3.0, B: 2.5, C: 1.5, D: 1.0, E: 0.7}


def copies(text: str, n: int) -> list[str]:
    words = text.rstrip(".").split()
    ends = ("", "!", " indeed.", " really.", " you see.", " of course.", " I think.", ", yes.")
    return [" ".join(words) + ends[k % 8] + "." * (k // 8) for k in range(n)]


def rules(old: list[dict[str, Any]], new: list[dict[str, Any]], **more: Any) -> dict[str, int]:
    _, verdict = judged(old, new, **more)
    out: dict[str, int] = {}
    for j in verdict.judged:
        out[j.finding.rule] = out.get(j.finding.rule, 0) + 1
    return out


def test_a_clean_batch_has_no_findings() -> None:
    old = tournament(STRENGTHS, 40)
    rows = random.Random(0).sample(old, len(old))
    assert rules(rows[40:], rows[:40]) == {}


def test_copies_that_move_the_leader_are_told_with_their_cluster() -> None:
    """B beats E more often than A does: ten copies of E put B first, by count alone."""
    p = {(A, B): 0.6, (A, C): 0.9, (A, E): 0.5, (B, C): 0.6, (B, E): 0.9, (C, E): 0.5}

    def met(x: str, y: str, left: str, right: str, n: int = 40) -> list[dict[str, Any]]:
        wins = round(n * p[x, y])
        return [labelled("Why?", left, right, None, "a" if k < wins else "b") for k in range(n)]

    old = [row for x, y in p for row in met(x, y, x, y)]
    new = [row for copy in copies(E, 10) for x in (A, B, C) for row in met(x, E, x, copy, 10)]
    effect, verdict = judged(old, new, unit="response")
    found = {j.finding.rule: j.finding for j in verdict.judged}
    assert not verdict.passed
    assert {"CR604", "CR606", "CR607", "CR608"} <= set(found)
    assert found["CR608"].evidence["cluster"] == found["CR607"].subject == found["CR604"].subject
    assert not isinstance(effect.growth, NotApplicable)
    (gain,) = effect.growth.gains
    assert (gain.n_old, gain.new.size) == (1, 9)  # the ninth copy is E itself
    assert gain.scope_share_before == pytest.approx(1 / 4)
    assert gain.scope_share_after == pytest.approx(10 / 13)
    assert gain.weight_after < gain.scope_share_after, "the weights do not follow the copies"


def test_a_refusal_under_many_prompts_fails_whatever_the_size_of_the_baseline() -> None:
    refusal = "I am sorry, but I cannot help with that request. Please ask something else."

    def answer(i: int, side: int) -> str:
        rng = random.Random(f"{i} {side}")
        return " ".join(f"w{rng.randrange(10**6)}" for _ in range(12))

    def pairs(first: int, last: int) -> list[Any]:
        return [
            labelled(f"Question {i}?", answer(i, 0), answer(i, 1), None, "a")
            for i in range(first, last)
        ]

    refused = [
        labelled(f"Question {i}?", refusal, answer(i, 1), None, "b") for i in range(900, 908)
    ]
    _, clean = judged(pairs(0, 200), pairs(900, 940), n_replicates=50)
    assert clean.passed
    for size in (40, 400):
        effect, verdict = judged(pairs(0, size), pairs(908, 940) + refused, n_replicates=50)
        assert not isinstance(effect.growth, NotApplicable)
        (gain,) = effect.growth.gains
        assert (gain.scope, gain.new.size) == ("boilerplate", 8)
        assert gain.batch_share == pytest.approx(8 / 80)
        failing = {j.finding.rule: j.finding for j in verdict.of("failing")}
        assert set(failing) == {"CR606", "CR607"}
        assert failing["CR606"].evidence["cluster"] == failing["CR607"].subject


def test_flipped_labels_contradict() -> None:
    old = tournament({A: 9.0, B: 3.0, C: 1.0}, 40)
    flip = {"model_a": "model_b", "model_b": "model_a"}
    new = [{**row, "winner": flip[row["winner"]]} for row in old[::4]]
    effect, verdict = judged(old, new)
    c = effect.contradictions
    assert not isinstance(c, NotApplicable)
    assert c.share > 0.7
    assert c.expected < 0.3
    assert "CR602" in {j.finding.rule for j in verdict.of("failing")}


def test_contradictions_are_counted_as_by_hand() -> None:
    # Pair 0-1: two of three for 0. Pair 0-2: evenly split. Pair 1-2: not in the baseline.
    rows = [(0, 1, 0), (0, 1, 0), (1, 0, 0), (0, 2, 0), (2, 0, 0)]
    rows += [(1, 0, 1), (0, 1, 1), (0, 2, 1), (1, 2, 1)]
    w, l, new = (np.array(x) for x in zip(*rows, strict=True))
    c = contradictions(Comparisons.of(3, w, l), new.astype(bool), np.arange(3))
    assert not isinstance(c, NotApplicable)
    assert (c.n, c.n_against, c.rows.tolist()) == (2, 1, [5])
    # Two more rows of a pair that stands 2 to 1: its share is Beta(s + 2, s + 1), and s as likely
    # as it makes the baseline's two repeated pairs.
    s = np.geomspace(0.02, 50.0, 33)
    likely = beta(s + 2, s + 1) * beta(s + 1, s + 1) / beta(s, s) ** 2
    likely /= likely.sum()
    assert c.n_expected == 5
    assert c.expected == pytest.approx(float(likely @ ((s + 1) / (2 * s + 3))), rel=1e-4)
    none_at_all = (s + 2) * (s + 3) / ((2 * s + 3) * (2 * s + 4))
    assert c.p_value == pytest.approx(float(likely @ (1 - none_at_all)), rel=1e-4)
    none = contradictions(Comparisons.of(3, w, l), (new == 2), np.arange(3))
    assert isinstance(none, NotApplicable)


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 5), st.integers(1, 4), st.integers(1, 3)),
        min_size=1,
        max_size=4,
        unique_by=lambda t: t[:3],
    ),
    st.floats(0.02, 50.0),
    st.data(),
)
def test_the_tail_is_that_of_a_sum_of_beta_binomials(
    pairs: list[tuple[int, int, int, int]], shape: float, data: st.DataObject
) -> None:
    sum_of = np.ones(1)
    for won, lost, asked, times in pairs:
        chances = betabinom.pmf(np.arange(asked + 1), asked, shape + lost, shape + won)
        for _ in range(times):
            sum_of = np.convolve(sum_of, chances)
    at_least = data.draw(st.integers(0, sum_of.size - 1))
    counts = np.array([p[:3] for p in pairs])
    times = np.array([p[3] for p in pairs])
    got = beta_binomial.tail(
        shape + counts[:, 1], shape + counts[:, 0], counts[:, 2], times, at_least
    )
    assert got == pytest.approx(sum_of[at_least:].sum(), abs=1e-9)


def test_many_judgements_are_normal(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = np.array([3.0, 2.0, 6.0]), np.array([5.0, 3.0, 11.0]), np.array([2, 1, 5])
    times = np.array([100, 300, 80])
    exact = [beta_binomial.tail(a, b, c, times, k) for k in (320, 336, 360)]
    monkeypatch.setattr(beta_binomial, "_EXACT", 0)
    normal = [beta_binomial.tail(a, b, c, times, k) for k in (320, 336, 360)]
    assert 0.01 < exact[2] < exact[1] < exact[0] < 0.99
    assert normal == pytest.approx(exact, abs=0.01)


def test_a_baseline_that_judges_no_pair_twice_calls_little_a_contradiction() -> None:
    """Nobody knows how often pairs are judged two ways: half of the rows against it is no proof."""
    w, l = np.arange(0, 40, 2), np.arange(1, 40, 2)
    flip = np.arange(20) % 2 == 0
    rows = Comparisons.of(40, np.r_[w, np.where(flip, l, w)], np.r_[l, np.where(flip, w, l)])
    c = contradictions(rows, np.arange(40) >= 20, np.arange(40))
    assert not isinstance(c, NotApplicable)
    assert (c.n, c.n_against, c.n_expected) == (20, 10, 0)
    assert 0.1 < c.expected < 0.4
    assert c.p_value > 0.05


def test_clean_splits_are_not_called_contradictory() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        p = rng.beta(2, 2, 60)
        pair = rng.integers(60, size=400)
        won = rng.random(400) < p[pair]
        w, l = np.where(won, 2 * pair, 2 * pair + 1), np.where(won, 2 * pair + 1, 2 * pair)
        c = contradictions(Comparisons.of(120, w, l), rng.random(400) < 0.1, np.arange(120))
        assert not isinstance(c, NotApplicable)
        found.append(c.p_value)
    assert np.mean(np.array(found) < 0.01) <= 0.025
    assert 0.05 < np.mean(np.array(found) < 0.1) < 0.15


def test_repeated_judgements() -> None:
    old = tournament(STRENGTHS, 4, annotator="r1")
    effect, verdict = judged(old, old[:10] + tournament(STRENGTHS, 1, annotator="r2"))
    assert not isinstance(effect.repeats, NotApplicable)
    assert effect.repeats.n_repeated == 10
    assert "CR603" in {j.finding.rule for j in verdict.judged}
    rows = Comparisons.of(2, [0, 0], [1, 1])
    assert isinstance(repeats(rows, np.array([False, True])), NotApplicable)


def test_graph_annotators_prompts_and_unreadable_rows() -> None:
    old = [r for k in range(4) for r in tournament(STRENGTHS, 5, annotator=f"r{k}")]
    apart = tournament({DISTINCT[6]: 2.0, DISTINCT[7]: 1.0}, 40, annotator="r9")
    assert {"CR613", "CR614"} <= set(rules(old, apart))
    bad = [*tournament(STRENGTHS, 4), {"prompt": "Why?", "response_a": A, "response_b": B}]
    assert "CR601" in rules(old, [*bad, {**bad[0], "winner": "nonsense"}])
    many = [r for k in range(6) for r in tournament(STRENGTHS, 3, prompt=f"{DISTINCT[k]}?")]
    assert "CR615" in rules(many, tournament(STRENGTHS, 9, prompt=f"{DISTINCT[0]}?"))


def test_what_does_not_apply_says_why() -> None:
    ids = [
        {"question_id": "q", "model_a": f"m{i % 3}", "model_b": f"m{(i + 1) % 3}", "winner": "tie"}
        for i in range(9)
    ]
    effect = compared(ids, ids[:3])
    assert isinstance(effect.growth, NotApplicable)
    assert isinstance(effect.contradictions, NotApplicable)
    pairs = [{"prompt": f"{t}?", "chosen": t, "rejected": t[::-1]} for t in DISTINCT]
    other = [{"prompt": f"And {t}?", "chosen": t, "rejected": t[::-1]} for t in DISTINCT]
    assert isinstance(compared(pairs, other).ranking, NotApplicable)


def stripped(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> dict[str, Any]:
    from cr_audit.gate.policy import shipped

    out = document(decided(old, new, policy=shipped("strict")))
    for finding in out["findings"]:
        finding["rows"] = []  # lines are what changes
    for cluster in out["gate"]["clusters"]:
        cluster["rows_new"] = [len(rows) for rows in cluster["rows_new"]]
    return {key: out[key] for key in ("gate", "verdict", "findings", "win_rates", "weights")}


def test_the_order_of_rows_leaves_no_trace() -> None:
    old = tournament(STRENGTHS, 6, annotator="r1") + tournament(STRENGTHS, 6, annotator="r2")
    new = [
        labelled("Why?", copy, x, None, "b", annotator="r3")
        for copy in copies(E, 5)
        for x in (A, B)
    ]
    first = stripped(old, new)
    assert first["verdict"]["failing"]
    for seed in range(2):
        rng = random.Random(seed)
        assert stripped(rng.sample(old, len(old)), rng.sample(new, len(new))) == first


@given(st.data())
def test_merging_keeps_every_row_and_restricting_takes_it_back(data: st.DataObject) -> None:
    def rows() -> list[dict[str, Any]]:
        return [
            labelled(
                data.draw(st.sampled_from("pq")),
                *data.draw(st.permutations(DISTINCT[:4]))[:2],
                data.draw(st.sampled_from([None, ("M", "N"), ("N", "O")])),
                data.draw(st.sampled_from(["a", "b", "tie"])),
                annotator=data.draw(st.sampled_from(["x", "y", "y\x00"])),
            )
            for _ in range(data.draw(st.integers(1, 8)))
        ]

    old, new = rows(), rows()
    left, right = dataset(old), dataset(new)
    both = merged(left, right)
    again = merged(dataset(old[::-1]), dataset(new[::-1]))
    for name in ("prompts", "alternatives", "choice_sets", "choice_members"):
        assert getattr(both, name).equals(getattr(again, name)), name
    for name in ("comparisons", "mentions"):
        assert getattr(both, name).drop("line").equals(getattr(again, name).drop("line")), name
    assert both.annotators == again.annotators
    alone, kept, _ = restricted(both, 1, left.report)
    assert both.alternatives["id"].gather(kept).to_list() == alone.alternatives["id"].to_list()
    assert sorted(alone.alternatives["id"]) == sorted(left.alternatives["id"])

    def said(d: Any) -> list[tuple[Any, ...]]:
        ids, c = d.alternatives["id"].to_list(), d.comparisons
        return sorted(
            (
                frozenset((ids[w], ids[l])) and tuple(sorted((ids[w], ids[l]))),
                o,
                ids[w] if o == 1 else "",
                d.annotators[a],
                line,
            )
            for w, l, o, a, line in zip(
                c["winner"], c["loser"], c["outcome"], c["annotator"], c["line"], strict=True
            )
        )

    assert said(alone) == said(left)
    assert both.comparisons.height == left.comparisons.height + right.comparisons.height


def test_lists_are_merged_too() -> None:
    def listing(texts: tuple[str, ...], ranks: list[int]) -> dict[str, Any]:
        answers = [{"text": t, "rank": r} for t, r in zip(texts, ranks, strict=True)]
        return {"question": "Why?", "answers": answers}

    old = [listing(DISTINCT[k : k + 3], [0, 2, 1]) for k in range(4)]
    new = [listing(DISTINCT[k : k + 4], [3, 0, 2, 1]) for k in range(3)]
    both = merged(dataset(old), dataset(new))
    again = merged(dataset(old[::-1]), dataset(new[::-1]))
    assert both.choice_members.equals(again.choice_members)
    assert both.choice_sets.drop("line").equals(again.choice_sets.drop("line"))
    sets = both.choice_set_arrays()
    assert sets.n == 7
    assert sorted(np.diff(sets.offsets).tolist()) == [3, 3, 3, 3, 4, 4, 4]
    alone, _, _ = restricted(both, 1, both.report)
    assert alone.choice_set_arrays().n == 4
    assert set(np.diff(alone.choice_set_arrays().offsets)) == {3}


def _random_rows(rng: np.random.Generator, n: int, p: np.ndarray) -> Comparisons:
    m = p.shape[0]
    one = rng.integers(m, size=n)
    two = (one + 1 + rng.integers(m - 1, size=n)) % m
    won = rng.random(n) < p[one, two]
    return Comparisons.of(m, np.where(won, one, two), np.where(won, two, one))


def test_added_rows_rates_are_those_of_win_rates() -> None:
    rng = np.random.default_rng(1)
    strength = rng.random(6)
    p = strength[:, None] / (strength[:, None] + strength)
    rows = _random_rows(rng, 300, p)
    added = np.arange(300) >= 250
    w = rng.dirichlet(np.ones(6))
    out = effect_of_added_rows(
        rows, added, weights=(w, w), n_replicates=50, rng=np.random.default_rng(0)
    )
    after = win_rates(rows, w)
    assert out.weighted is not None
    assert out.average.after == pytest.approx(after.average)
    assert out.weighted.after == pytest.approx(after.weighted)
    assert out.average.rank_after.tolist() == after.rank_average.tolist()
    again = effect_of_added_rows(
        rows, added, weights=(w, w), n_replicates=50, rng=np.random.default_rng(0)
    )
    assert np.array_equal(out.average.error, again.average.error)


def test_added_rows_noise_is_rarely_called_a_change() -> None:
    """Batches from the same population: over 100 worlds at level 0.9 at most 10 % cry wolf."""
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        strength = rng.random(8) + 0.2
        p = strength[:, None] / (strength[:, None] + strength)
        rows = _random_rows(rng, 600, p)
        out = effect_of_added_rows(
            rows,
            np.arange(600) >= 540,
            weights=None,
            n_replicates=100,
            confidence_level=0.9,
            rng=rng,
        )
        alarms += bool(out.average.flips.beyond_noise.any() or out.average.beyond_noise.any())
    assert alarms <= 15


def test_added_rows_error_is_about_right() -> None:
    """The reported error against the spread of the change over many drawn batches."""
    rng = np.random.default_rng(3)
    strength = rng.random(6) + 0.3
    p = strength[:, None] / (strength[:, None] + strength)
    changes, errors = [], []
    for _ in range(60):
        rows = _random_rows(rng, 900, p)
        out = effect_of_added_rows(
            rows, np.arange(900) >= 600, weights=None, n_replicates=60, rng=rng
        )
        changes.append(out.average.change)
        errors.append(out.average.error)
    ratio = np.median(errors, axis=0) / np.std(changes, axis=0)
    assert np.all(ratio > 0.7)
    assert np.all(ratio < 1.5)


def test_added_rows_refuses_nothing() -> None:
    rows = Comparisons.of(2, [0, 0], [1, 1])
    for added in (np.zeros(2, bool), np.ones(2, bool)):
        with pytest.raises(ComputeError):
            effect_of_added_rows(rows, added, weights=None, rng=np.random.default_rng(0))

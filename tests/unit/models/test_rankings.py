"""Win rates against loops and golden values; the bootstrap against populations that are known."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.arrays import Comparisons
from cr_audit.errors import ComputeError
from cr_audit.models.rankings import (
    RankShift,
    bootstrap_win_rates,
    competition_ranks,
    shifts,
    win_rates,
)
from cr_audit.models.rankings.rates import Sums


def complete(p: np.ndarray) -> Comparisons:
    """Comparisons whose proportions are the matrix p."""
    i, j = np.nonzero(~np.eye(p.shape[0], dtype=bool) & (p > 0))
    return Comparisons.of(p.shape[0], i, j, mass=p[i, j])


def preference_matrix(inputs: dict) -> np.ndarray:
    e = np.array(inputs["exp_reward_by_alternative_and_type"])
    share = e[:, None] / (e[:, None] + e[None])
    return share @ np.array(inputs["type_shares"])


def random_comparisons(m: int, n: int, rng: np.random.Generator, p_tie: float = 0.2) -> Comparisons:
    i = rng.integers(m, size=n)
    j = (i + 1 + rng.integers(m - 1, size=n)) % m
    outcome = np.where(rng.random(n) < p_tie, 0.5, 1.0)
    return Comparisons.of(m, i, j, outcome, rng.integers(1, 4, size=n).astype(float))


@st.composite
def data(draw: st.DrawFn) -> tuple[Comparisons, np.ndarray]:
    m = draw(st.integers(2, 7))
    n = draw(st.integers(0, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = rng.exponential(size=m) * (rng.random(m) < draw(st.sampled_from([1.0, 0.5])))
    weights[rng.integers(m)] = 1.0
    return random_comparisons(m, n, rng), weights


@st.composite
def matrices(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    m = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    upper = np.triu(rng.random((m, m)), 1)
    p = upper + np.tril(1 - upper.T, -1)
    np.fill_diagonal(p, 0.5)
    return p, rng.dirichlet(np.ones(m))


@pytest.mark.parametrize("formula", ["borda_awr", "weighted_awr"])
def test_golden(golden: Path, formula: str) -> None:
    checked = 0
    for case in json.loads((golden / f"{formula}.json").read_text())["cases"]:
        outputs, tol = case["outputs"], case["tol"]["abs"]
        p = preference_matrix(case["inputs"])
        if case["id"] == "table2_flip_mass":
            mass = outputs["w_c_where_a_and_b_tie"]
            w = np.array([(1 - mass) / 2, (1 - mass) / 2, mass])
            rates = win_rates(complete(p), w).weighted
            assert rates[0] == pytest.approx(rates[1], abs=tol)
            continue
        m = p.shape[0]
        rates = win_rates(complete(p), np.array(case["inputs"].get("weights", np.ones(m) / m)))
        if formula == "borda_awr":
            np.testing.assert_allclose(p, outputs["P"], atol=tol, rtol=0)
            np.testing.assert_allclose(rates.borda, outputs["borda"], atol=tol, rtol=0)
            np.testing.assert_allclose(rates.average, outputs["awr"], atol=tol, rtol=0)
            ranks = rates.rank_average
        else:
            np.testing.assert_allclose(rates.weighted, outputs["wawr"], atol=tol, rtol=0)
            ranks = rates.rank_weighted
        assert "abc"[int(np.flatnonzero(ranks == 1)[0])] == outputs["winner"]
        checked += 1
    assert checked >= 4


@given(data(), st.booleans())
def test_against_a_loop(drawn: tuple[Comparisons, np.ndarray], count_weighted: bool) -> None:
    c, w = drawn
    m = c.n_items
    wins, mass = np.zeros((m, m)), np.zeros((m, m))
    for x, y, o, a in zip(c.winner, c.loser, c.outcome, c.mass, strict=True):
        wins[x, y] += a * o
        wins[y, x] += a * (1 - o)
        mass[x, y] += a
        mass[y, x] += a
    got = win_rates(c, w, count_weighted=count_weighted)
    for x in range(m):
        opponents = [y for y in range(m) if mass[x, y] > 0]
        assert got.n_opponents[x] == len(opponents)
        assert got.n_comparisons[x] == np.sum((c.winner == x) | (c.loser == x))
        if not opponents:
            assert np.isnan([got.average[x], got.borda[x], got.weighted[x]]).all()
            assert (got.rank_average[x], got.rank_weighted[x], got.component[x]) == (0, 0, -1)
            assert not got.has_data[x]
            continue
        count = {y: mass[x, y] if count_weighted else 1.0 for y in opponents}
        count[x] = float(np.mean([count[y] for y in opponents]))
        p = {y: wins[x, y] / mass[x, y] for y in opponents} | {x: 0.5}
        average = sum(count[y] * p[y] for y in p) / sum(count.values())
        below = sum(w[y] * count[y] for y in p)
        weighted = sum(w[y] * count[y] * p[y] for y in p) / below if below > 0 else average
        assert got.borda[x] == pytest.approx(sum(p.values()), abs=1e-12)
        assert got.average[x] == pytest.approx(average, abs=1e-12)
        assert got.weighted[x] == pytest.approx(weighted, abs=1e-12)
        for rate, rank in ((got.average, got.rank_average), (got.weighted, got.rank_weighted)):
            rivals = np.flatnonzero(got.component == got.component[x])
            assert rank[x] == 1 + sum(rate[y] > rate[x] + 1e-10 for y in rivals)


@given(matrices())
def test_weighted_rates_average_to_one_half(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    p, w = drawn
    rates = win_rates(complete(p), w)
    assert w @ rates.weighted == pytest.approx(0.5, abs=1e-12)
    assert rates.average.mean() == pytest.approx(0.5, abs=1e-12)


@given(matrices(), st.integers(1, 4), st.floats(0, 1))
def test_exact_clones_sharing_their_weight_change_no_weighted_rate(
    drawn: tuple[np.ndarray, np.ndarray], n_clones: int, share: float
) -> None:
    p, w = drawn
    m = p.shape[0]
    source = np.r_[np.arange(m), np.zeros(n_clones, int)]
    split = np.r_[w, np.full(n_clones, (1 - share) * w[0] / n_clones)]
    split[0] = share * w[0]
    before, after = win_rates(complete(p), w), win_rates(complete(p[source][:, source]), split)
    np.testing.assert_allclose(after.weighted, before.weighted[source], atol=1e-12)


@given(data(), st.randoms(use_true_random=False))
def test_renaming_items_renames_the_result(drawn: tuple[Comparisons, np.ndarray], random) -> None:
    c, w = drawn
    new = list(range(c.n_items))
    random.shuffle(new)
    new = np.array(new)
    renamed = Comparisons.of(c.n_items, new[c.winner], new[c.loser], c.outcome, c.mass)
    moved = np.empty_like(w)
    moved[new] = w
    one, two = win_rates(c, w), win_rates(renamed, moved)
    for name in ("average", "borda", "weighted", "rank_average", "rank_weighted", "n_opponents"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name)[new], atol=1e-12)


@given(data())
def test_reversing_every_judgement_reverses_the_rates(
    drawn: tuple[Comparisons, np.ndarray],
) -> None:
    c, w = drawn
    reverse = Comparisons.of(c.n_items, c.loser, c.winner, c.outcome, c.mass)
    one, two = win_rates(c, w), win_rates(reverse, w)
    np.testing.assert_allclose(one.average + two.average, np.where(one.has_data, 1.0, np.nan))
    np.testing.assert_allclose(one.weighted + two.weighted, np.where(one.has_data, 1.0, np.nan))


@given(data(), st.floats(1e-6, 1e6))
def test_only_ratios_of_weights_matter(drawn: tuple[Comparisons, np.ndarray], scale: float) -> None:
    c, w = drawn
    one, two = win_rates(c, w), win_rates(c, scale * w)
    np.testing.assert_allclose(one.weighted, two.weighted, atol=1e-12)


def test_uniform_weights_are_the_average() -> None:
    c = random_comparisons(30, 100, np.random.default_rng(0))
    for counted in (False, True):
        rates = win_rates(c, np.full(30, 0.2), count_weighted=counted)
        np.testing.assert_allclose(rates.weighted, rates.average, atol=1e-14)


def test_weights_of_zero_are_the_limit() -> None:
    c = Comparisons.of(4, [0, 0, 1, 3], [1, 2, 2, 0])
    w = np.array([0.0, 0.0, 0.0, 1.0])
    rates = win_rates(c, w)
    # 1 and 2 meet only items without weight: the limit of equal, vanishing weights.
    np.testing.assert_allclose(rates.weighted[1:3], rates.average[1:3])
    near = win_rates(c, w + 1e-12)
    np.testing.assert_allclose(rates.weighted, near.weighted, atol=1e-11)


def test_equal_counts_make_count_weighting_a_no_op() -> None:
    rng = np.random.default_rng(1)
    i, j = np.triu_indices(5, 1)
    c = Comparisons.of(5, np.tile(i, 4), np.tile(j, 4), rng.choice([0.5, 1.0], size=40))
    w = rng.dirichlet(np.ones(5))
    one, two = win_rates(c, w), win_rates(c, w, count_weighted=True)
    np.testing.assert_allclose(one.average, two.average, atol=1e-14)
    np.testing.assert_allclose(one.weighted, two.weighted, atol=1e-14)


def test_ranks_tie_on_purpose_and_stay_in_their_component() -> None:
    rates = np.array([0.5, 0.7, 0.5 + 1e-12, 0.2, np.nan, 0.1, 0.9])
    component = np.array([0, 0, 0, 0, -1, 1, 1])
    assert competition_ranks(rates, component).tolist() == [2, 1, 2, 4, 0, 2, 1]
    # Two separate rankings: both have a first place, and component 0 is the larger.
    c = Comparisons.of(6, [4, 0, 1], [5, 1, 2])
    got = win_rates(c, np.ones(6))
    assert got.component.tolist() == [0, 0, 0, -1, 1, 1]
    assert got.rank_average.tolist() == [1, 2, 3, 0, 1, 2]
    assert got.leaders_average.tolist() == [0]


def test_a_given_component_is_kept() -> None:
    c = Comparisons.of(4, [0, 1, 2], [1, 2, 3])
    got = win_rates(c, np.ones(4), component=np.array([1, 1, 0, 0]))
    assert got.rank_average.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    "weights", [np.ones(2), np.array([1, 1, -1.0]), np.array([1, 1, np.nan]), np.zeros(3)]
)
def test_weights_that_are_none(weights: np.ndarray) -> None:
    with pytest.raises(ValueError, match="weight"):
        win_rates(Comparisons.of(3, [0], [1]), weights)


def test_nothing_to_resample() -> None:
    with pytest.raises(ComputeError, match="no comparisons"):
        bootstrap_win_rates(Comparisons.of(3, [], []), np.ones(3), rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "bad",
    [
        {"n_replicates": 1},
        {"confidence_level": 1.0},
        {"weight_draws": np.ones((1, 2))},
        {"weight_draws": np.ones(2)},
        {"clusters": np.zeros(3, np.int64)},
    ],
)
def test_settings_out_of_range(bad: dict) -> None:
    with pytest.raises(ValueError, match=r"n_replicates|weight_draws|clusters"):
        bootstrap_win_rates(
            Comparisons.of(2, [0], [1]), np.ones(2), **bad, rng=np.random.default_rng(0)
        )


def test_same_seed_same_result_and_echo() -> None:
    c = random_comparisons(6, 80, np.random.default_rng(0))
    w = np.arange(1.0, 7.0)

    def once() -> RankShift:
        return bootstrap_win_rates(c, w, n_replicates=50, rng=np.random.default_rng(3))

    one, two = once(), once()
    for name in ("shift", "standard_error", "sure", "rank_weighted_high", "flagged"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    assert (one.n_replicates, one.confidence_level, one.n_needed) == (50, 0.9, 5)
    assert one.settings["n_clusters"] == 80
    np.testing.assert_array_equal(one.shift, one.rates.weighted - one.rates.average)
    assert np.all(one.rank_average_low <= one.rank_average_high)
    assert one.probability_leader_average.sum() == pytest.approx(1)
    assert one.probability_leader_weighted.sum() == pytest.approx(1)


def test_an_item_that_was_hardly_compared_is_thin_and_never_flagged() -> None:
    c = Comparisons.of(3, [0] * 40 + [1] * 30 + [2], [1] * 40 + [0] * 30 + [0])
    got = bootstrap_win_rates(c, np.array([1, 1e-3, 1e-3]), rng=np.random.default_rng(0))
    assert got.thin.tolist() == [False, False, True]
    assert got.within_noise[2]
    assert not got.flagged[2]
    assert got.rank_average_low[2] == got.rank_average_high[2] == 0
    assert got.standard_error[2] > 0.05, "one vote is not certainty"


def test_the_error_of_a_known_design_matches_the_binomial() -> None:
    """Two opponents, many votes: shift = sum (b - a) p with binomial variances."""
    rng = np.random.default_rng(0)
    n = 400
    y = rng.random((2, n)) < np.array([[0.7], [0.4]])
    opponent = np.repeat([1, 2], n)
    won = y.ravel()
    c = Comparisons.of(3, np.where(won, 0, opponent), np.where(won, opponent, 0))
    w = np.array([0.1, 0.8, 0.1])
    got = bootstrap_win_rates(c, w, n_replicates=4000, rng=rng)
    p = y.mean(axis=1)
    expected = np.sqrt(np.sum((w[1:] - 1 / 3) ** 2 * p * (1 - p) / n))
    assert got.standard_error[0] == pytest.approx(expected, rel=0.05)
    assert got.monte_carlo_error[0] == 0


def test_the_two_errors_add_up_and_the_weights_alone_give_the_second() -> None:
    rng = np.random.default_rng(5)
    c = random_comparisons(5, 400, rng)
    w = rng.dirichlet(np.ones(5) * 4)
    draws = rng.multinomial(300, w, size=500) / 300
    got = bootstrap_win_rates(c, w, weight_draws=draws, n_replicates=2000, rng=rng)
    alone = np.stack([win_rates(c, d).weighted for d in draws])
    np.testing.assert_allclose(got.monte_carlo_error, alone.std(axis=0, ddof=1), rtol=1e-9)
    both = np.hypot(got.sampling_error, got.monte_carlo_error)
    np.testing.assert_allclose(got.standard_error, both, rtol=0.1)


def test_comparisons_that_move_together_carry_less() -> None:
    """Forty copies of one annotator's votes are one annotator."""
    rng = np.random.default_rng(2)
    c = random_comparisons(4, 30, rng)
    many = Comparisons.of(4, np.tile(c.winner, 40), np.tile(c.loser, 40), np.tile(c.outcome, 40))
    w = np.array([0.4, 0.3, 0.2, 0.1])
    row = np.tile(np.arange(30), 40)
    loose = bootstrap_win_rates(many, w, rng=np.random.default_rng(0))
    tied = bootstrap_win_rates(many, w, clusters=row, rng=np.random.default_rng(0))
    # The factor is less than sqrt(40): few votes also scatter around their expectation.
    assert np.all(tied.standard_error > 3 * loose.standard_error)
    labelled = bootstrap_win_rates(
        many, w, clusters=np.full(many.n, -1), rng=np.random.default_rng(0)
    )
    np.testing.assert_array_equal(labelled.standard_error, loose.standard_error)


def simulate(
    m: int, n: int, spread: float, rng: np.random.Generator, n_annotators: int = 0
) -> tuple[Comparisons, np.ndarray, np.ndarray, np.ndarray | None]:
    """Votes, weights, the true shift on the same design, and the annotators."""
    reward = spread * rng.normal(size=m)
    w = rng.dirichlet(np.full(m, 0.7)) + 1e-9
    i = rng.integers(m, size=n)
    j = (i + 1 + rng.integers(m - 1, size=n)) % m
    gap = reward[i] - reward[j]
    truth = chance = 1 / (1 + np.exp(-gap))
    annotator = None
    if n_annotators:
        annotator = rng.integers(n_annotators, size=n)
        taste = rng.normal(size=(n_annotators, m))
        chance = 1 / (1 + np.exp(-gap - taste[annotator, i] + taste[annotator, j]))
        other = np.sqrt(2) * np.random.default_rng(99).normal(size=4000)
        truth = np.array([np.mean(1 / (1 + np.exp(-g - other))) for g in gap])
    y = rng.random(n) < chance
    votes = Comparisons.of(m, np.where(y, i, j), np.where(y, j, i))
    population = Comparisons.of(m, np.r_[i, j], np.r_[j, i], mass=np.r_[truth, 1 - truth])
    rates = win_rates(population, w)
    return votes, w, rates.weighted - rates.average, annotator


@pytest.mark.parametrize(
    ("m", "n", "spread", "n_annotators"),
    [
        (12, 3000, 1.0, 0),
        (12, 250, 1.0, 0),
        (60, 500, 1.0, 0),
        (12, 800, 1.0, 80),
        (12, 2000, 1.0, 8),
    ],
    ids=["many votes", "few votes", "one vote a pair", "annotators differ", "few annotators"],
)
def test_a_90_percent_interval_covers_the_true_shift(
    m: int, n: int, spread: float, n_annotators: int
) -> None:
    rng = np.random.default_rng(m * n)
    covered = []
    for _ in range(40):
        votes, w, truth, annotator = simulate(m, n, spread, rng, n_annotators)
        got = bootstrap_win_rates(votes, w, clusters=annotator, n_replicates=120, rng=rng)
        covered.append(np.mean((got.shift_low <= truth) & (truth <= got.shift_high)))
    assert 0.85 <= np.mean(covered) <= 0.95


@pytest.mark.parametrize(("m", "n"), [(8, 2000), (8, 120), (50, 400)])
def test_coin_flips_are_rarely_flagged(m: int, n: int) -> None:
    """No item is better than another, so no weights can move anything: at most 10 % of the runs."""
    rng = np.random.default_rng(m + n)
    flagged, items = 0, 0
    for _ in range(60):
        votes, w, _, _ = simulate(m, n, 0.0, rng)
        got = bootstrap_win_rates(votes, w, n_replicates=120, rng=rng)
        flagged += bool(got.flagged.any())
        items += int(got.flagged.sum())
    assert flagged <= 9  # 6 expected at most; 9 is its 92 % point
    assert items <= 0.05 * 60 * m


@pytest.mark.parametrize(("m", "n"), [(12, 3000), (40, 600)])
def test_flags_are_seldom_wrong(m: int, n: int) -> None:
    """Where rewards differ, near-ties swap by chance: a flag must mean a true change."""
    rng = np.random.default_rng(m)
    runs = 0
    for _ in range(30):
        reward, w = rng.normal(size=m), rng.dirichlet(np.full(m, 0.7)) + 1e-9
        i = rng.integers(m, size=n)
        j = (i + 1 + rng.integers(m - 1, size=n)) % m
        p = 1 / (1 + np.exp(reward[j] - reward[i]))
        y = rng.random(n) < p
        votes = Comparisons.of(m, np.where(y, i, j), np.where(y, j, i))
        population = Comparisons.of(m, np.r_[i, j], np.r_[j, i], mass=np.r_[p, 1 - p])
        got = bootstrap_win_rates(votes, w, n_replicates=300, rng=rng)
        truth = win_rates(population, w)
        moved = np.sign(truth.rank_weighted - truth.rank_average)
        seen = np.sign(got.rates.rank_weighted - got.rates.rank_average)
        runs += bool(np.any(got.flagged & (moved != seen)))
    assert runs <= 6


def test_no_weights_no_shift_no_flag() -> None:
    """Rounding is never a finding: uniform weights, whatever their scale."""
    rng = np.random.default_rng(0)
    got = bootstrap_win_rates(
        random_comparisons(9, 300, rng), np.full(9, 1 / 9), n_replicates=100, rng=rng
    )
    assert got.within_noise.all()
    assert not got.flagged.any()
    assert got.sure_leader == 0


def test_flat_in_memory() -> None:
    """A fiftieth of the replicates of the benchmark, which need no more at a time."""
    rng = np.random.default_rng(0)
    m, n = 3797, 100_000
    c = random_comparisons(m, n, rng)
    w = rng.dirichlet(np.ones(m))
    draws = rng.multinomial(100_000, w, size=20) / 100_000
    tracemalloc.start()
    bootstrap_win_rates(c, w, weight_draws=draws, n_replicates=20, rng=rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


@pytest.mark.shared
def test_halves_of_real_votes_differ_as_much_as_their_errors_say(shared_data: Path) -> None:
    """519 answers to 13 questions, crowd votes: the shifts of two random halves, in units of the
    standard error of their difference, should scatter with a standard deviation of 1."""
    from cr_audit.readers import read

    file = shared_data / "llmfao" / "crowd_comparisons.shared.jsonl.gz"
    c = read([str(file)]).comparison_arrays()
    rng = np.random.default_rng(0)
    z = []
    for _ in range(4):
        w = rng.dirichlet(np.full(c.n_items, 0.7))
        order = rng.permutation(c.n)
        halves = [
            bootstrap_win_rates(
                Comparisons.of(c.n_items, c.winner[half], c.loser[half], c.outcome[half]),
                w,
                n_replicates=100,
                rng=rng,
            )
            for half in (order[: c.n // 2], order[c.n // 2 :])
        ]
        known = ~(halves[0].thin | halves[1].thin)
        error = np.hypot(halves[0].standard_error, halves[1].standard_error)
        z.append(((halves[0].shift - halves[1].shift) / error)[known])
    assert 0.8 <= np.concatenate(z).std() <= 1.2


@pytest.mark.parametrize("count_weighted", [False, True])
def test_blocks_of_replicates_are_bit_for_bit_single_ones(
    count_weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates of a block, and a bootstrap whose blocks hold one replicate."""
    rng = np.random.default_rng(3)
    first = rng.integers(0, 9, 60)
    second = (first + rng.integers(1, 9, 60)) % 9
    comparisons = Comparisons.of(12, first, second, rng.choice([0.5, 1.0], 60))
    pairs = comparisons.proportions()
    sums, k = Sums(pairs, count_weighted), pairs.p.size
    count = pairs.mass if count_weighted else np.ones(k)
    p, w, drawn = rng.random((k, 5)), rng.random(12), rng.random((12, 5))
    w[:8] = drawn[:8, 2] = 0.0  # some weigh nothing, and all their opponents neither
    block = sums.replicates(p, count, w, drawn)
    for r in range(5):
        single = sums.rates(p[:, r].copy(), count, np.stack([w, drawn[:, r]], axis=1))
        for a, b in zip(block, single, strict=True):
            assert a[:, r].tobytes() == b.tobytes()

    def shift() -> bytes:
        rng = np.random.default_rng(0)
        found = bootstrap_win_rates(comparisons, w, n_replicates=70, rng=rng)
        return found.standard_error.tobytes()

    whole = shift()
    monkeypatch.setattr(shifts, "_LARGEST_BLOCK", 1)
    assert shift() == whole


def test_one_pair_moves_by_hand() -> None:
    """Four votes, three won: p = 3/4. The two were compared with nobody else, so q = 1/2;
    t = 10/13, c = 3/4 - (10/13)/4, s = √(4/(3 + t²)); a won vote drawn once more moves p by
    s (1 - c)/4, the lost one by -s c/4."""
    rows = Comparisons.of(2, [0, 0, 0, 1], [1, 1, 1, 0])
    pairs = rows.proportions()
    average = win_rates(rows, np.ones(2)).average
    resample = shifts.Resampler(rows, pairs, average, np.arange(4))
    p = resample.moved_by(np.eye(4))[0]
    lean = 10 / 13
    centre, scale = 0.75 - lean / 4, np.sqrt(4 / (3 + lean**2))
    np.testing.assert_allclose(p[:3], 0.75 + scale * (1 - centre) / 4)
    np.testing.assert_allclose(p[3], 0.75 - scale * centre / 4)
    # Σ of the squares: p (1 - p)/n where the centre is p, plus t² (p - q)²/n.
    spread = ((p - 0.75) ** 2).sum()
    wanted = scale**2 * (0.75 * 0.25 + (0.75 - centre) ** 2) / 4
    assert spread == pytest.approx(wanted)


def test_the_tail_of_few_clusters_by_hand() -> None:
    """Student's t with G - 1 degrees of freedom: for two clusters that is Cauchy."""
    assert shifts._Tail(2.0).quantile(0.95) == pytest.approx(np.tan(0.45 * np.pi))
    assert shifts._Tail(5.0).quantile(0.975) == pytest.approx(2.7764, abs=1e-4)
    assert shifts._Tail(np.inf).quantile(0.975) == pytest.approx(1.9600, abs=1e-4)
    assert shifts._Tail(1.0).quantile(0.9) == np.inf

"""One test per numbered statement of RLHF and IIA: Perverse Incentives (2 February 2024).

Where a statement is a slip in the paper, the test holds the corrected one and says so.
"""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logsumexp
from scipy.stats import binom

from cr_audit.arrays import FloatArray
from cr_audit.models.listwise import policies, theory
from cr_audit.models.listwise.designs import ChoiceDesign
from cr_audit.models.listwise.logit import fit_logit
from cr_audit.models.listwise.policies import Setting

PAPER = Setting(n_first=10, n_second=100, base=0.8, beta=1.0)
P_FIRST = 0.6


def cases(golden: Path, name: str) -> list[dict]:
    return json.loads((golden / f"{name}.json").read_text())["cases"]


def drawn(
    rng: np.random.Generator, n_sets: int, n: int, k: int, zeta: float, p: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mixed lists by make-up (n_sets, k − 1), how many chose M₁, and all that chose M₁."""
    first = rng.binomial(k, zeta, (n_sets, n))
    taste = rng.random((n_sets, n)) < p
    counts = np.stack([(first == j).sum(axis=1) for j in range(1, k)], axis=1).astype(float)
    mixed = (first > 0) & (first < k)
    chosen = np.where(mixed, taste, first == k)
    return counts, (mixed & taste).sum(axis=1).astype(float), chosen.sum(axis=1).astype(float)


def makeups(k: int) -> tuple[np.ndarray, np.ndarray]:
    made = np.arange(1, k)
    return made, k - made


def test_equation_2_hard_choice_picks_uniformly_among_the_best() -> None:
    rewards = np.array([[3.0, 3.0, 1.0], [0.0, 2.0, 2.0], [5.0, 5.0, 5.0]])
    shares = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    by_hand = [
        shares[0] / 2 + shares[2] / 3,
        shares[0] / 2 + shares[1] / 2 + shares[2] / 3,
        shares[1] / 2 + shares[2] / 3,
    ]
    got = theory.hard_choice(rewards, np.array([float(s) for s in shares]))
    np.testing.assert_allclose(got, [float(p) for p in by_hand], atol=1e-15)


def test_equation_3_logit_is_gumbel_noise_on_base_rewards() -> None:
    base = np.array([0.3, -1.0, 1.2])
    draws = np.random.default_rng(3).gumbel(size=(200_000, 3)) + base
    share = np.bincount(draws.argmax(axis=1), minlength=3) / 200_000
    exact = theory.soft_choice(base[None], np.ones(1))
    np.testing.assert_allclose(exact, np.exp(base) / np.exp(base).sum(), atol=1e-15)
    np.testing.assert_allclose(share, exact, atol=4 * 0.5 / math.sqrt(200_000))


def test_equation_4_soft_choice_is_the_mixture_of_its_types() -> None:
    rewards = np.array([[0.0, 2.0], [1.0, -1.0]])
    got = theory.soft_choice(rewards, np.array([0.25, 0.75]))
    assert got[0] == pytest.approx(0.25 * expit(-2.0) + 0.75 * expit(2.0), abs=1e-15)
    assert got.sum() == pytest.approx(1.0)


def test_equation_5_dichotomy_and_the_case_it_leaves_open(golden: Path) -> None:
    """Eq. 5 is 0/0 on lists of one category; Eq. 2 says what happens there: any of them."""
    for case in cases(golden, "iia_thought_experiments"):
        if "categories" in case["inputs"]:
            got = theory.dichotomy_choice(
                np.array(case["inputs"]["categories"]), case["inputs"]["p_star_1"]
            )
            np.testing.assert_allclose(got, case["outputs"]["choice_probs"], atol=1e-12)


def test_equation_6_a_logit_keeps_ratios_and_a_dichotomy_does_not(golden: Path) -> None:
    (case,) = (c for c in cases(golden, "iia_thought_experiments") if c["id"] == "dog_cat_feline")
    alike = theory.soft_choice(np.zeros((1, 3)), np.ones(1))
    np.testing.assert_allclose(alike, case["outputs"]["logit_dog_cat_feline"], atol=1e-12)
    pets = theory.dichotomy_choice(np.array([1, 2, 2]), 0.5)
    np.testing.assert_allclose(pets, case["outputs"]["dichotomy_dog_cat_feline"], atol=1e-12)
    two = theory.dichotomy_choice(np.array([1, 2]), 0.5)
    assert alike[0] / alike[1] == pytest.approx(1.0)
    assert two[0] / two[1] == pytest.approx(1.0)
    assert pets[0] / pets[1] == pytest.approx(2.0)


def test_equation_9_the_policy_minimises_equation_8(golden: Path) -> None:
    for case in cases(golden, "iia_policy"):
        i, o = case["inputs"], case["outputs"]
        setting = Setting(base=i["P_base_M1"], beta=i["beta"])
        psi = i["psi2_minus_psi1"]
        (t,) = policies.rlpo(np.array([psi]), i["dataset_size"], setting)
        assert t == pytest.approx(o["log_odds_M1"], rel=1e-9, abs=1e-12)
        assert expit(t) == pytest.approx(o["P_M1"], rel=1e-9, abs=1e-14)

        def loss(s: float, i: dict = i, psi: float = psi, setting: Setting = setting) -> float:
            reward = (1 - expit(s)) * psi  # psi_1 = 0
            kl = float(policies.kl_to_base(np.array(s), setting.base))
            return -i["dataset_size"] * reward + setting.beta * kl

        found = minimize_scalar(loss, bounds=(t - 8, t + 8), method="bounded")
        assert loss(t) <= found.fun + 1e-9


def test_equation_10_rewards_come_back_from_the_policy() -> None:
    psi, n_data = np.array([0.0, -0.4]), 20
    setting = Setting(base=0.8, beta=2.0)
    (t,) = policies.rlpo(np.array([psi[1] - psi[0]]), n_data, setting)
    p = np.array([expit(t), expit(-t)])
    base = np.array([0.8, 0.2])
    log_z = logsumexp(np.log(base) + psi * n_data / setting.beta)
    back = setting.beta / n_data * (np.log(p / base) + log_z)
    np.testing.assert_allclose(back, psi, atol=1e-12)


def test_equation_11_the_dpo_loss_is_lowest_at_the_policy_of_the_fitted_reward() -> None:
    k1, k2 = makeups(4)
    n, chosen, n_data = np.array([30.0, 50.0, 20.0]), 55.0, 100
    psi = theory.mixed_reward(k1, k2, n, chosen)
    (t,) = policies.dpo(psi, n_data, PAPER)

    def dpo_loss(s: float) -> float:
        u = (s - math.log(4.0)) * PAPER.beta / n_data  # log of (P/P̄)^(β/|D|), M₁ over M₂
        return -(chosen * u - (n * np.log(k1 * np.exp(u) + k2)).sum())

    found = minimize_scalar(dpo_loss, bounds=(t - 200, t + 200), method="bounded")
    assert dpo_loss(t) <= found.fun + 1e-9


def test_equations_12_and_13_two_against_three_alternatives(golden: Path) -> None:
    for case in cases(golden, "iia_thought_experiments"):
        if "k1" in case["inputs"]:
            i, o = case["inputs"], case["outputs"]
            psi = theory.fixed_reward(i["k1"], i["k2"], i["p_star_1"])
            assert psi == pytest.approx(o["psi2_minus_psi1"], abs=1e-12)
            assert expit(psi) == pytest.approx(o["implied_pairwise_prob_M2_beats_M1"], abs=1e-12)
            assert ("M2" if psi > 0 else "M1") == o["reward_favours"]
            counts = np.array([[1000.0]])
            fitted = theory.mixed_reward(
                np.array([i["k1"]]), np.array([i["k2"]]), counts, 1000 * i["p_star_1"]
            )
            assert fitted[0] == pytest.approx(psi, abs=1e-9)


def test_section_6_3_has_its_inference_backwards(golden: Path) -> None:
    (case,) = (c for c in cases(golden, "iia_thought_experiments") if c["id"] == "sec6_two_fifths")
    i, o = case["inputs"], case["outputs"]
    others = i["informative_alternatives"]
    share = theory.iia_share(i["pairwise_prob_concise"], others)
    assert share == pytest.approx(o["IIA_prob_concise_with_three_informative"], abs=1e-12)
    pairwise = theory.iia_pairwise(i["pairwise_prob_concise"], others)
    assert pairwise == pytest.approx(
        o["pairwise_prob_inferred_by_IIA_if_prob_stays_0.4_with_three"], abs=1e-12
    )


def test_threshold_f_and_its_boundary_at_three(golden: Path) -> None:
    for case in cases(golden, "iia_threshold"):
        i, o = case["inputs"], case["outputs"]
        f = theory.threshold(i["zeta"], i["set_size"])
        assert f == pytest.approx(o["F"], abs=1e-10)
        psi = theory.population_reward(i["zeta"], i["set_size"], i["p_star_1"])
        assert psi == pytest.approx(o["population_psi2_minus_psi1"], abs=1e-10)
        if o["rlpo_limit_P_M1"] is not None:
            (t,) = policies.rlpo(np.array([psi]), 10**6, PAPER)
            assert expit(t) == pytest.approx(o["rlpo_limit_P_M1"], abs=1e-10)
    assert theory.threshold(0.8, 3) == pytest.approx(P_FIRST, abs=1e-15)  # the boundary itself
    assert theory.largest_safe_size(0.8, P_FIRST) == 2
    assert abs(theory.population_reward(0.8, 3, P_FIRST)) < 1e-12
    assert theory.population_reward(0.8, 4, P_FIRST) > 0.29


@pytest.mark.parametrize("k", [2, 3, 4, 7, 40])
def test_threshold_is_the_mean_share_of_lists_that_mix(k: int) -> None:
    for zeta in (0.0, 1e-9, 0.2, 0.5, 0.93, 1.0):
        f = theory.threshold(zeta, k)
        assert f + theory.threshold(1 - zeta, k) == pytest.approx(1.0, abs=1e-12)
        j = np.arange(1, k)
        chance = binom.pmf(j, k, zeta)
        if chance.sum() > 0:
            assert f == pytest.approx(float((chance * j / k).sum() / chance.sum()), abs=1e-9)
    assert theory.threshold(0.37, 2) == pytest.approx(0.5, abs=1e-15)
    assert theory.threshold(0.37, 3) == pytest.approx(1.37 / 3, abs=1e-15)


@pytest.mark.parametrize(("k", "to"), [(2, 1.0), (4, 0.0), (5, 0.0)])
def test_proposition_4_rlpo_failure(k: int, to: float) -> None:
    """P(M₁) -> 0 where p* < F(ζ), although most prefer M₁; -> 1 for pairs."""
    assert (theory.threshold(0.8, k) > P_FIRST) is (to == 0.0)
    rng = np.random.default_rng(11)
    last = 1.0
    for n in (100, 1000, 4000):
        counts, won, _ = drawn(rng, 60, n, k, 0.8, P_FIRST)
        p = expit(policies.rlpo(theory.mixed_reward(*makeups(k), counts, won), n, PAPER))
        last = float(np.abs(p - to).mean())
    assert last < 1e-3


def test_proposition_5_dpo_failure_and_its_own_fallback() -> None:
    rng = np.random.default_rng(12)
    counts, won, _ = drawn(rng, 60, 3000, 4, 0.8, P_FIRST)
    psi = theory.mixed_reward(*makeups(4), counts, won)
    assert expit(policies.dpo(psi, 3000, PAPER)).max() < 1e-3
    none = theory.mixed_reward(*makeups(4), np.array([[1.0, 2.0, 0.0]]), np.array([3.0]))
    assert none[0] == -np.inf  # every mixed list chose M₁: no minimiser
    assert expit(policies.dpo(none, 3, PAPER)[0]) == pytest.approx(10 / 110)
    assert expit(policies.rlpo(none, 3, PAPER)[0]) == pytest.approx(0.8)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_proposition_6_inclusive_learning_failure(k: int) -> None:
    """P(M₁) -> 0 as |M₂| grows, for any data that holds enough choices of both."""
    rng = np.random.default_rng(13)
    counts, won, _ = drawn(rng, 20, 400, k, 0.8, P_FIRST)
    before = np.ones(20)
    for m2 in (10, 10**3, 10**5, 10**7):
        t = policies.inclusive(*makeups(k), counts, won, Setting(n_second=m2))
        p = expit(t)
        assert np.all(p < before)
        before = p
    assert before.max() < 1e-4


def test_proposition_7_slic_failure() -> None:
    rng = np.random.default_rng(14)
    counts, won, _ = drawn(rng, 20, 400, 2, 0.8, P_FIRST)
    lost = counts.sum(axis=1) - won
    p = [expit(policies.slic(won, lost, Setting(n_second=m2))).max() for m2 in (10, 10**3, 10**6)]
    assert p[0] > p[1] > p[2]
    assert p[2] < 1e-4


def test_lemma_8_a_convex_function_lies_above_its_tangent() -> None:
    def f(x: float) -> float:
        return math.exp(-x) - 0.2

    slope = -math.exp(-1.0)
    zero = -math.log(0.2)
    assert zero > 1 - f(1.0) / slope


def test_lemma_9_the_sign_and_the_size_of_the_reward_difference() -> None:
    """ρ_data > ρ_chosen > 0: a minimiser exists and is above the bound; the sign rule is exact."""
    rng = np.random.default_rng(15)
    for _ in range(300):
        k = int(rng.integers(2, 7))
        k1, k2 = makeups(k)
        n = rng.integers(0, 30, k - 1).astype(float)
        if n.sum() < 2:
            continue
        won = float(rng.integers(1, int(n.sum())))
        psi = float(theory.mixed_reward(k1, k2, n, won)[0])
        rho = theory.wrong_sign(k1, k2, np.full(k - 1, won / n.sum()), n)
        assert rho.rho_chosen == pytest.approx(won / n.sum())
        assert np.sign(round(psi, 12)) == -np.sign(round(rho.margin, 12))
        if rho.rho_data > rho.rho_chosen:
            assert psi > theory.lemma_9_bound(rho.rho_data, rho.rho_chosen)


def test_lemma_9_agrees_with_the_logit_fit_on_rows() -> None:
    rng = np.random.default_rng(16)
    first = rng.integers(1, 4, 500)
    taste = rng.random(500) < 0.6
    offsets = np.arange(0, 2001, 4)
    category = (np.arange(4)[None] >= first[:, None]).astype(float)  # 1 for M₂
    chosen = np.where(taste, 0, 3) + offsets[:-1]
    fit = fit_logit(ChoiceDesign.of(offsets, category.reshape(-1, 1), chosen))
    counts = np.bincount(first, minlength=4)[1:].astype(float)
    psi = theory.mixed_reward(*makeups(4), counts, float(taste.sum()))
    assert fit.coefficients[0] == pytest.approx(psi[0], abs=1e-8)


def test_lemma_10_the_policy_follows_the_sign() -> None:
    """P(M₁)/P(M₂) is below odds(P̄) e^{−η/(1+η) |D|/β}; the paper leaves the base's odds out."""
    counts, won, _ = drawn(np.random.default_rng(17), 200, 500, 4, 0.8, P_FIRST)
    psi = theory.mixed_reward(*makeups(4), counts, won)
    share = (counts * np.arange(1, 4) / 4).sum(axis=1) / counts.sum(axis=1)
    eta = share - won / counts.sum(axis=1)
    t = policies.rlpo(psi, 500, PAPER)
    good = eta > 0
    assert good.mean() > 0.9
    bound = math.log(4.0) - eta / (1 + eta) * 500
    assert np.all(t[good] < bound[good])


@pytest.mark.parametrize(("k", "zeta"), [(2, 0.5), (3, 0.8), (5, 0.95)])
def test_lemma_11_most_lists_are_mixed(k: int, zeta: float) -> None:
    """Corrected: e^{−|D|(1−γ)γ²/8} with γ = 1 − s², as the paper's own proof has it."""
    s = theory.mixed_chance(zeta, k)
    gamma = 1 - s**2
    for n in (1, 10, 100, 1000):
        exact = binom.cdf(math.floor(n * (1 - gamma)), n, s)
        assert exact <= math.exp(-n * (1 - gamma) * gamma**2 / 8) + 1e-12


@pytest.mark.parametrize("k", [3, 4, 5])
def test_lemma_12_the_gap_of_shares_is_the_gap_to_the_threshold(k: int) -> None:
    """Over mixed lists ρ_data -> F(ζ, k) and ρ_chosen -> p*; one-category lists add the same."""
    counts, won, all_chosen = drawn(np.random.default_rng(18), 1, 200_000, k, 0.8, P_FIRST)
    n = counts[0]
    rho = theory.wrong_sign(*makeups(k), np.full(k - 1, won[0] / n.sum()), n)
    assert rho.rho_data == pytest.approx(theory.threshold(0.8, k), abs=4e-3)
    assert rho.rho_chosen == pytest.approx(P_FIRST, abs=4e-3)
    # Over all lists: (21) with |D|.
    whole = (n * np.arange(1, k) / k).sum() + (all_chosen[0] - won[0])
    gap = (whole - all_chosen[0]) / 200_000
    assert gap == pytest.approx(-rho.margin * n.sum() / 200_000, abs=1e-9)


def test_lemma_13_dpo_and_rlpo_give_one_policy() -> None:
    counts, won, _ = drawn(np.random.default_rng(19), 50, 80, 3, 0.8, P_FIRST)
    psi = theory.mixed_reward(*makeups(3), counts, won)
    finite = np.isfinite(psi)
    assert finite.mean() > 0.9
    np.testing.assert_allclose(
        policies.dpo(psi, 80, PAPER)[finite], policies.rlpo(psi, 80, PAPER)[finite], rtol=1e-12
    )


def test_equations_15_and_16_inclusive_learning_counts_messages(golden: Path) -> None:
    for case in cases(golden, "iia_il"):
        i, o = case["inputs"], case["outputs"]
        if case["id"].startswith("limit"):
            setting = Setting(n_first=i["M1"], n_second=i["M2"])
            got = policies.inclusive_limit(i["p_star_1"], setting)
            assert got == pytest.approx(o["P_M1_large_data_limit"], abs=1e-12)
            assert got == pytest.approx(15 / (15 + i["M2"]), abs=1e-12)
            endless = policies.inclusive(
                np.array([1]), np.array([1]), np.array([[1e9]]), np.array([6e8]), setting
            )
            assert expit(endless[0]) == pytest.approx(got, rel=1e-6)


def test_inclusive_learning_minimiser_against_golden_values(golden: Path) -> None:
    for case in cases(golden, "iia_il"):
        i, o = case["inputs"], case["outputs"]
        if not case["id"].startswith("minimiser"):
            continue
        mixed = {int(j): n for j, n in i["mixed_sets_by_number_of_M1_messages"].items()}
        k1 = np.array(list(mixed))
        setting = Setting(i["M1"], i["M2"], i["P_base_M1"], i["beta"])
        t = policies.inclusive(
            k1,
            i["set_size"] - k1,
            np.array([list(mixed.values())], dtype=float),
            np.array([float(i["chosen_in_M1"])]),
            setting,
        )
        assert expit(t[0]) == pytest.approx(o["P_M1"], abs=1e-9, rel=1e-6), case["id"]


def test_slic_against_golden_values(golden: Path) -> None:
    for case in cases(golden, "iia_slic"):
        i, o = case["inputs"], case["outputs"]
        if "p_star_1" in i:
            setting = Setting(n_first=i["M1"], n_second=i["M2"])
            got = policies.slic_limit(i["p_star_1"], setting, delta=i["delta"])
            assert got == pytest.approx(o["P_M1_large_data_limit"], abs=1e-10)
            continue
        setting = Setting(i["M1"], i["M2"], i["P_base_M1"], i["beta"])
        first, second = float(i["mixed_pairs_M1_chosen"]), float(i["mixed_pairs_M2_chosen"])
        (t,) = policies.slic(np.array([first]), np.array([second]), setting, delta=i["delta"])
        assert expit(t) == pytest.approx(o["P_M1"], abs=1e-6)
        u = setting.log_ratio - t
        loss = first * max(u + i["delta"], 0) + second * max(i["delta"] - u, 0)
        loss += setting.beta * float(policies.kl_to_base(np.array(t), setting.base))
        assert loss == pytest.approx(o["loss_mixed_pairs_plus_KL"], abs=1e-6)


def test_figure_2_simulated_rlpo_and_dpo(golden: Path) -> None:
    rng = np.random.default_rng(20)
    n_sets = 2000
    for case in cases(golden, "iia_sim_rlpo_dpo"):
        i, o = case["inputs"], case["outputs"]
        if i["dataset_size"] > 300:
            continue
        k, n = i["set_size"], i["dataset_size"]
        counts, won, _ = drawn(rng, n_sets, n, k, i["P_base_M1"], i["p_star_1"])
        psi = theory.mixed_reward(*makeups(k), counts, won)
        room = 4.5 * math.hypot(o["rlpo_sd"] / math.sqrt(n_sets), o["rlpo_se"]) + 1e-3
        rlpo = expit(policies.rlpo(psi, n, PAPER))
        assert rlpo.mean() == pytest.approx(o["rlpo_mean_P_M1"], abs=room), case["id"]
        dpo = expit(policies.dpo(psi, n, PAPER))
        assert dpo.mean() == pytest.approx(o["dpo_mean_P_M1_theta0_fallback"], abs=room + 0.01)
        none = float(1 - np.isfinite(psi).mean())
        assert none == pytest.approx(o["frac_no_minimiser"], abs=0.05)
        if "rlpo_exact_expectation" in o:
            assert exact_pairs(n) == pytest.approx(o["rlpo_exact_expectation"], abs=1e-9)


def exact_pairs(n: int) -> float:
    """E P(M₁) of RLPO on n pairs: sums over how many are mixed and how many chose M₁."""
    mixed_chance = theory.mixed_chance(0.8, 2)
    out = 0.0
    for mixed in range(n + 1):
        won = np.arange(mixed + 1.0)
        chance = binom.pmf(mixed, n, mixed_chance) * binom.pmf(won, mixed, P_FIRST)
        counts = np.full((mixed + 1, 1), float(mixed))
        psi = theory.mixed_reward(np.array([1]), np.array([1]), counts, won)
        out += float((chance * expit(policies.rlpo(psi, n, PAPER))).sum())
    return out


def test_figure_3_simulated_inclusive_learning(golden: Path) -> None:
    rng = np.random.default_rng(21)
    n_sets = 400
    for case in cases(golden, "iia_sim_il"):
        i, o = case["inputs"], case["outputs"]
        if i["dataset_size"] > 1000:
            continue
        n = i["dataset_size"]
        counts, won, _ = drawn(rng, n_sets, n, 2, i["P_base_M1"], i["p_star_1"])
        setting = Setting(i["M1"], i["M2"], i["P_base_M1"], i["beta"])
        p = expit(policies.inclusive(*makeups(2), counts, won, setting))
        room = 4.5 * math.hypot(o["sd"] / math.sqrt(n_sets), o["se"]) + 1e-3
        assert p.mean() == pytest.approx(o["mean_P_M1"], abs=room), case["id"]

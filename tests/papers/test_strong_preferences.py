"""One test per numbered statement of Strong Preferences Affect the Robustness of Value Alignment.

Where the paper slips, the test holds the corrected statement (METHODS section 8, docs/sensitivity).
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from cr_audit.models.sensitivity import pairwise, plackett_luce
from cr_audit.models.sensitivity.links import LINKS, LOGISTIC, Link

PROBABILITY = st.floats(1e-4, 1 - 1e-4)
EVERY_LINK = pytest.mark.parametrize("link", LINKS.values(), ids=list(LINKS))


def cases(golden: Path, name: str) -> list[dict]:
    return json.loads((golden / f"{name}.json").read_text())["cases"]


def slope(f, x: float, h: float = 1e-6) -> float:
    return float((f(x + h) - f(x - h)) / (2 * h))


@EVERY_LINK
def test_assumptions_2_to_5_hold_for_every_link(link: Link) -> None:
    x = np.linspace(-7, 7, 1401)
    g = link.probability(x)
    assert np.all(np.diff(g) > 0)
    assert link.probability(np.array([-1e9]))[0] < 1e-8
    assert link.probability(np.array([1e9]))[0] > 1 - 1e-8
    np.testing.assert_allclose(g + link.probability(-x), 1.0, atol=1e-15)
    numeric = (link.probability(x + 1e-5) - link.probability(x - 1e-5)) / 2e-5
    np.testing.assert_allclose(link.density(x), numeric, rtol=1e-4, atol=1e-9)


@EVERY_LINK
@given(a=st.floats(-2, 2), b=st.floats(-2, 2), c=st.floats(-2, 2))
def test_lemma_1_two_preferences_fix_a_third(link: Link, a: float, b: float, c: float) -> None:
    p = [float(link.probability(np.array(d))) for d in (a - b, a - c, c - b)]
    if all(1e-12 < q < 1 - 1e-12 for q in p):
        assert float(pairwise.chained(p[1], p[2], link)) == pytest.approx(p[0], rel=1e-6, abs=1e-9)


@EVERY_LINK
def test_lemma_2_the_derivative_vanishes_far_out(link: Link) -> None:
    d = link.density(np.array([1.0, 10.0, 100.0, 1e4, 1e6]))
    assert np.all(np.diff(d) <= 0)
    assert d[-1] < 1e-11
    assert np.array_equal(link.density(np.array([-3.0])), link.density(np.array([3.0])))


@EVERY_LINK
@given(p=PROBABILITY, q=PROBABILITY)
def test_lemma_3_the_inverse_increases(link: Link, p: float, q: float) -> None:
    low, high = sorted((p, q))
    x, y = link.difference(np.array([low, high]))
    assert (x < y) if low < high else (x == y)
    np.testing.assert_allclose(link.probability(np.array([x, y])), [low, high], rtol=1e-10)


@EVERY_LINK
@given(p=PROBABILITY)
def test_lemma_4_the_inverse_is_odd(link: Link, p: float) -> None:
    x, y = link.difference(np.array([p, 1 - p]))
    assert x + y == pytest.approx(0.0, abs=1e-6 * (1 + abs(x)))


@EVERY_LINK
@pytest.mark.parametrize("m", [0.5, 1.0, 5.0, 100.0])
def test_theorem_1_every_sensitivity_is_reached_near_certainty(link: Link, m: float) -> None:
    """As corrected: for each p_ik beyond p₀ some p_kj (which depends on p_ik) makes p_ij
    M-sensitive. The paper's statement has one p_kj for all p_ik > p₀, which is false."""
    delta = 0.3
    goal = float(link.density(np.array(delta))) / m
    x0 = next(x for x in np.geomspace(0.01, 1e6, 4000) if float(link.density(np.array(x))) < goal)
    for x in x0 * np.array([1.01, 1.5, 2.0]):
        p_ik = float(link.probability(np.array(x)))
        if not p_ik < 1 - 1e-12:
            continue
        p_kj = float(link.probability(np.array(delta - x)))
        assert float(pairwise.sensitivity(p_ik, p_kj, link)) > m * (1 - 1e-6)
    if m == 5.0 and link is LOGISTIC:
        fixed = np.linspace(0.999, 0.9999999, 50)
        assert np.any(pairwise.sensitivity(fixed, 0.3) < m)  # one p_kj does not do for all


@EVERY_LINK
@given(a=st.floats(0.02, 0.98), b=st.floats(0.02, 0.98))
def test_equation_2_the_chain_rule(link: Link, a: float, b: float) -> None:
    numeric = slope(lambda p: pairwise.chained(p, b, link), a)
    assert float(pairwise.sensitivity(a, b, link)) == pytest.approx(numeric, rel=1e-3, abs=1e-6)


@given(a=PROBABILITY, b=PROBABILITY)
def test_equation_3_bradley_terry(a: float, b: float) -> None:
    expected = 1 / (1 + (1 - a) * (1 - b) / a / b)
    assert float(pairwise.chained(a, b)) == pytest.approx(expected, rel=1e-9)


def test_equation_4_and_example_1(golden: Path) -> None:
    """Example 1's first value is 0.9951; the paper prints 0.96 there and 0.95 in section 3.1."""
    for case in cases(golden, "bt_sensitivity"):
        a, b, out = case["inputs"]["p_ik"], case["inputs"]["p_kj"], case["outputs"]
        assert float(pairwise.chained(a, b)) == pytest.approx(out["p_ij"], rel=1e-10)
        by_ik, by_kj = pairwise.sensitivity(a, b), pairwise.sensitivity(b, a)
        assert float(by_ik) == pytest.approx(out["dp_ij_dp_ik"], rel=1e-10)
        assert float(by_kj) == pytest.approx(out["dp_ij_dp_kj"], rel=1e-10)
        printed = b * (1 - b) / (a + b - 2 * a * b - 1) ** 2
        assert float(by_ik) == pytest.approx(printed, rel=1e-9)
    assert float(pairwise.chained(0.9999, 0.02)) == pytest.approx(0.9951, abs=5e-5)
    assert float(pairwise.chained(0.9801, 0.02)) == pytest.approx(0.50, abs=5e-3)
    assert float(pairwise.sensitivity(0.99, 0.02)) > 20


def test_equation_5_the_region(golden: Path) -> None:
    for case in cases(golden, "bt_region"):
        m, p = case["inputs"]["M"], case["inputs"]["p_kj"]
        expected = case["outputs"]["sensitive_p_ik_interval"]
        found = pairwise.sensitive_interval(p, m)
        assert (found is None) is (expected is None)
        if found is not None:
            assert found == pytest.approx(tuple(expected), abs=1e-12)


@given(p=PROBABILITY, q=PROBABILITY, m=st.floats(1.01, 50))
def test_equation_5_is_where_equation_4_exceeds_m(p: float, q: float, m: float) -> None:
    inside = pairwise.sensitive_interval(q, m)
    value = float(pairwise.sensitivity(p, q))
    if abs(value / m - 1) > 1e-6:
        assert (value > m) is (inside is not None and inside[0] < p < inside[1])


def test_proposition_1_the_area(golden: Path) -> None:
    for case in cases(golden, "bt_area"):
        m, out = case["inputs"]["M"], case["outputs"]
        assert pairwise.area(m) == pytest.approx(out["area"], rel=1e-10)

        def width(q: float, m: float = m) -> float:
            inside = pairwise.sensitive_interval(q, m)
            return 0.0 if inside is None else inside[1] - inside[0]

        edge = 1 / (1 + m)
        integral = 2 * quad(width, 0, edge, epsabs=1e-12)[0]
        assert integral == pytest.approx(out["area"], rel=1e-6)


def test_proposition_1_printed_form_and_large_m() -> None:
    for m in (1.5, 10.0, 99.0):
        root = np.sqrt(m)
        printed = np.log((m - 1) / (m + 1)) / 2 + np.log((root + 1) / (root - 1)) / (2 * root)
        assert pairwise.area(m) == pytest.approx(printed, rel=1e-8)
    below, above = pairwise.area(99.9999999), pairwise.area(100.0000001)
    assert below == pytest.approx(above, rel=1e-6)  # the series takes over without a step
    assert pairwise.area(1e6) == pytest.approx(1 / (3 * 1e12), rel=1e-5)


@given(scores=st.lists(st.floats(-4, 4), min_size=3, max_size=5), data=st.data())
def test_lemma_5_and_equation_7(scores: list[float], data: st.DataObject) -> None:
    """p_ω from the ratios p_vu/p_uv alone, whatever prefix each of them was taken with."""
    k = len(scores)
    s = np.array(scores)
    ratios = np.ones((k, k))
    for u, v in itertools.combinations(range(k), 2):
        others = [t for t in range(k) if t not in (u, v)]
        prefix = data.draw(st.permutations(others))
        up = plackett_luce.log_probability(s, [*prefix, u, v])
        ratios[u, v] = np.exp(plackett_luce.log_probability(s, [*prefix, v, u]) - up)
    expected = np.exp(plackett_luce.log_probability(s, range(k)))
    assert plackett_luce.from_ratios(ratios) == pytest.approx(float(expected), rel=1e-9)


def test_equation_6_sums_to_one_and_is_bradley_terry_for_two() -> None:
    s = np.array([0.3, -1.2, 2.0, 0.1])
    total = sum(
        np.exp(plackett_luce.log_probability(s, w)) for w in itertools.permutations(range(4))
    )
    assert total == pytest.approx(1.0, abs=1e-12)
    two = np.exp(plackett_luce.log_probability(s, (0, 1)))
    assert two == pytest.approx(1 / (1 + np.exp(s[1] - s[0])), rel=1e-12)


def test_equations_9_and_10(golden: Path) -> None:
    for case in cases(golden, "pl_from_scores"):
        given_, out = case["inputs"], case["outputs"]
        for one in out["by_prefix"]:
            found = plackett_luce.partials(
                np.array(given_["scores"]),
                given_["omega"],
                given_["u"],
                given_["v"],
                one["prefix_positions"],
            )
            assert found.p_omega == pytest.approx(out["p_omega"], rel=1e-10)
            assert found.alpha == pytest.approx(out["alpha"], rel=1e-10)
            assert found.beta == pytest.approx(out["beta"], rel=1e-10)
            assert found.p_uv == pytest.approx(one["p_uv"], rel=1e-10)
            assert found.by_uv == pytest.approx(one["d_p_omega_d_p_uv"], rel=1e-10)
            assert found.by_vu == pytest.approx(one["d_p_omega_d_p_vu"], rel=1e-10)


def test_equation_9_by_finite_differences() -> None:
    """∂p_ω/∂p_uv with every other ratio held, as Eq. 7 has it."""
    s = np.array([0.4, 1.0, -0.3, 0.2])
    found = plackett_luce.partials(s, [0, 1, 2, 3], 1, 3)

    def p(uv: float, vu: float) -> float:
        ratios = np.exp(s[None, :] - s[:, None])
        ratios[1, 3] = vu / uv
        return plackett_luce.from_ratios(ratios)

    assert found.by_uv == pytest.approx(slope(lambda x: p(x, found.p_vu), found.p_uv), rel=1e-5)
    assert found.by_vu == pytest.approx(slope(lambda x: p(found.p_uv, x), found.p_vu), rel=1e-5)


def test_equations_11_and_12_and_proposition_2(golden: Path) -> None:
    for case in cases(golden, "pl_area"):
        given_, out = case["inputs"], case["outputs"]
        a, b, m = given_["alpha"], given_["beta"], given_["M"]
        for row in out["intervals"]:
            first = plackett_luce.interval_of_p_vu(row["t"], a, b, m)
            second = plackett_luce.interval_of_p_uv(row["t"], a, b, m)
            assert first == pytest.approx(tuple(row["p_vu_interval_given_p_uv_eq_t"]), rel=1e-10)
            assert second == pytest.approx(tuple(row["p_uv_interval_given_p_vu_eq_t"]), rel=1e-10)
            for x in first:  # the partial is M on the edge
                assert plackett_luce.partials_at(row["t"], x, a, b)[0] == pytest.approx(m, rel=1e-6)
            for x in second:
                value = plackett_luce.partials_at(x, row["t"], a, b)[1]
                assert value == pytest.approx(-m, rel=1e-6)
        areas = plackett_luce.areas(a, b, m)
        assert areas[0] == pytest.approx(out["area_wrt_p_uv"], rel=1e-10)
        assert areas[1] == pytest.approx(out["area_wrt_p_vu"], rel=1e-10)
        edge = plackett_luce.edge_of_region(a, b, m)
        assert edge == pytest.approx(out["max_p_uv_in_first_region"], rel=1e-10)
        for which, interval in enumerate(
            (plackett_luce.interval_of_p_vu, plackett_luce.interval_of_p_uv)
        ):

            def width(t: float, interval=interval, a=a, b=b, m=m) -> float:
                found = interval(t, a, b, m)
                return 0.0 if found is None else found[1] - found[0]

            integral = quad(width, 0, edge, epsabs=1e-12)[0]
            assert integral == pytest.approx(areas[which], rel=1e-6)


@given(m=st.floats(1.01, 1e4), alpha=st.floats(1, 100), beta=st.floats(0.01, 1))
def test_theorem_2_the_areas_in_order(m: float, alpha: float, beta: float) -> None:
    """True as arithmetic, for α = 1 too: area > 1/(5M²) > 1/(6M²) >= β²/(6αM²)."""
    assert pairwise.area(m) > 1 / (5 * m**2)
    assert pairwise.area(m) > plackett_luce.areas(alpha, beta, m)[0]


def test_theorem_2_does_not_say_that_longer_rankings_are_more_robust() -> None:
    """The two areas are in other coordinates: for K = 2 itself, whose ranking model *is*
    Bradley-Terry, Proposition 2's expression is already the smaller one; and one and the same
    model has partials of p_ω far above those of p_ij."""
    for m in (1.1, 2.0, 10.0):
        assert plackett_luce.areas(1.0, 1.0, m)[0] < pairwise.area(m)
    s = np.array([2.0, 2.0, 0.0, -0.5])
    long = plackett_luce.partials(s, [0, 1, 2, 3], 2, 3, prefix=[1, 0])
    longer = plackett_luce.partials(np.append(s, 6.0), [4, 0, 1, 2, 3], 3, 4, prefix=[2, 1, 0])
    assert abs(longer.by_vu) > abs(long.by_vu) > 0


def test_the_fit_on_a_chain_tends_to_equation_4(golden: Path) -> None:
    """METHODS section 7: the influence of the regularised fit, 22.37 → 0.57 at λ = 0.1."""
    from cr_audit.arrays import Proportions
    from cr_audit.models.rewards.objective import pair_terms
    from cr_audit.models.rewards.tabular import fit_tabular
    from cr_audit.models.sensitivity.influence import FittedInfluence

    for case in cases(golden, "fit_influence"):
        given_, out = case["inputs"], case["outputs"]
        w = np.array(given_["weights_i_k_j"])
        pairs = Proportions(
            3,
            np.array([0, 1]),
            np.array([1, 2]),
            np.array([given_["p_ik"], given_["p_kj"]]),
            np.ones(2),
        )
        lam = given_["lambda"]
        fit = fit_tabular(pairs, w, penalty=lam, normaliser=1.0, tolerance=1e-14)
        terms = pair_terms(pairs, w, normaliser=1.0)
        fitted = FittedInfluence(terms, w, lam, fit.rewards)
        i, j = np.array([0]), np.array([2])
        assert fitted.predicted(i, j)[0] == pytest.approx(out["fitted_p_ij"], rel=1e-7)
        value = fitted.of(i, j)[0, 0]
        assert value == pytest.approx(out["d_fitted_p_ij_d_p_ik"], rel=1e-7)
        assert value <= out["upper_bound_max_w_over_2lam"]
        assert value < out["eq4_value"]


def test_the_error_of_a_chain(golden: Path) -> None:
    for case in cases(golden, "bt_chain_se"):
        given_ = case["inputs"]
        found = pairwise.chain_error(**given_)
        assert float(found) == pytest.approx(case["outputs"]["se_p_ij"], rel=1e-10)

"""How often something is flagged where nothing changed, and where clones changed the leader."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration.coverage import LEVEL, PENALTY
from benchmarks.calibration.designs import Design, sample
from cr_audit.analysis.units import MANY_GROUPS
from cr_audit.arrays import Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.models.marks import discordant_pairs
from cr_audit.models.rankings import bootstrap_win_rates
from cr_audit.models.rankings.shifts import RankShift
from cr_audit.models.rewards.bootstrap import (
    WeightDraw,
    bootstrap_tabular,
    multinomial_weights,
    units_by_component,
)
from cr_audit.models.rewards.changes import Changes, ranking_changes
from cr_audit.models.rewards.shrinkage import around_truth
from cr_audit.models.rewards.tabular import Fit, fit_tabular
from cr_audit.simulate.populations import preference_matrix

# [CR] Table 2: exp(reward) of a, b, c for the three types of annotators.
TABLE_2 = np.array([[100.0, 10.0, 1.0], [10.0, 1.0, 100.0], [1.0, 100.0, 10.0]])
SHARES = np.array([0.4, 0.3, 0.3])
TIES = ("tie", "equal")
N_SAMPLES = 100_000
"""Behind the weights of planted clones, as ``scan`` would draw them."""


def changes_of(
    rows: Comparisons,
    weights: FloatArray,
    draw: WeightDraw | None,
    clusters: IntArray | None,
    rng: np.random.Generator,
) -> Changes:
    """Standard against weighted, as ``refit`` does it."""
    uniform = np.full(rows.n_items, 1.0 / rows.n_items)
    fits = [fit_tabular(rows.proportions(), w, penalty=PENALTY) for w in (uniform, weights)]
    drawn = bootstrap_tabular(rows, fits, clusters=clusters, draw_weights=[None, draw], rng=rng)
    return ranking_changes(
        fits[0].rewards, fits[1].rewards, fits[0].components,
        with_votes(rows, fits, drawn.rewards, rng),
        confidence_level=LEVEL, n_units=drawn.n_effective,
        local_units=units_by_component(rows, clusters, fits[0].components),
    )  # fmt: skip


def with_votes(
    rows: Comparisons, fits: list[Fit], replicates: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Replicates as ``refit`` marks changes by them."""
    wide = around_truth(rows, fits, replicates, penalty=PENALTY, count_weighted=False, rng=rng)
    return replicates if isinstance(wide, NotApplicable) else wide.votes


def shifts_of(
    rows: Comparisons,
    weights: FloatArray,
    draw: WeightDraw | None,
    clusters: IntArray | None,
    rng: np.random.Generator,
) -> RankShift:
    draws = None if draw is None else np.stack([draw(rng) for _ in range(200)])
    return bootstrap_win_rates(
        rows, weights, weight_draws=draws, clusters=clusters, confidence_level=LEVEL, rng=rng
    )


def planted(rng: np.random.Generator, n: int = 20_000) -> tuple[bool, bool]:
    """[CR] Theorem 3.2: c cloned once makes b the leader; is that flagged (rewards, win rates)?"""
    table = preference_matrix(np.log(TABLE_2[[0, 1, 2, 2]]).T, SHARES)
    first, second = np.triu_indices(4, 1)
    pair = rng.integers(first.size, size=n)
    a, b = first[pair], second[pair]
    rows = Comparisons.of(4, a, b, (rng.random(n) < table[a, b]).astype(float))
    exact = np.array([1 / 3, 1 / 3, 1 / 6, 1 / 6])
    weights = rng.multinomial(N_SAMPLES, exact) / N_SAMPLES
    draw = multinomial_weights(weights, N_SAMPLES)
    c = changes_of(rows, weights, draw, None, rng)
    s = shifts_of(rows, weights, draw, None, rng)
    in_rewards = c.rank_standard[1] == 1 and c.rank_weighted[0] == 1 and c.flagged[0]
    in_rates = s.leader_average == 1 and s.leader_weighted == 0 and s.flagged[0]
    return bool(in_rewards), bool(in_rates)


def same_order(design: Design, rng: np.random.Generator) -> tuple[bool, bool]:
    """Anything flagged where the weights do not change the true order? (rewards, win rates)"""
    while True:
        s = sample(design, rng)
        truth = [
            fit_tabular(s.population, w, penalty=PENALTY) for w in (s.uniform, s.exact_weights)
        ]
        *_, n = discordant_pairs(
            truth[0].rewards, truth[1].rewards, truth[0].components, max_pairs=1
        )
        if n == 0:
            break
    c = changes_of(s.rows, s.weights, s.draw, s.clusters, rng)
    r = shifts_of(s.rows, s.weights, s.draw, s.clusters, rng)
    return bool(c.flagged.any()), bool(r.flagged.any())


@dataclass(frozen=True, slots=True, eq=False)
class RealSet:
    name: str
    rows: Comparisons
    clusters: IntArray | None


def halves(data: RealSet, rng: np.random.Generator) -> tuple[bool, bool]:
    """One random half (of annotators, prompts or comparisons) against the other, both uniform: is
    any change flagged, and would one be if every pair stood for itself (p <= 0.1)?"""
    rows, m = data.rows, data.rows.n_items
    unit = np.arange(rows.n)
    if data.clusters is not None:
        _, unit = np.unique(data.clusters, return_inverse=True)
    k = int(unit.max()) + 1
    side = np.zeros(k, np.bool_)
    side[rng.permutation(k)[: k // 2]] = True
    fits, drawn, effective, local = [], [], [], []
    for mask in (side[unit], ~side[unit]):
        half = rows.take(np.flatnonzero(mask))
        fit = fit_tabular(half.proportions(), np.full(m, 1.0 / m), penalty=PENALTY)
        clusters = None if data.clusters is None else data.clusters[mask]
        fits.append(fit)
        boot = bootstrap_tabular(half, [fit], clusters=clusters, rng=rng)
        drawn.append(with_votes(half, [fit], boot.rewards, rng)[0])
        local.append(units_by_component(half, clusters, fit.components))
        effective.append(boot.n_effective)
    both = fits[0].has_data & fits[1].has_data
    pair = fits[0].components * (fits[1].n_components + 1) + fits[1].components
    components = np.where(both, np.unique(pair, return_inverse=True)[1], -1)
    out = ranking_changes(
        fits[0].rewards, fits[1].rewards, components, np.stack(drawn),
        confidence_level=LEVEL, n_units=min(effective), local_units=np.minimum(*local),
    )  # fmt: skip
    return bool(out.flagged.any()), bool(np.any(out.marks.pair_p_value <= 1.0 - LEVEL))


def noisy_uniform(data: RealSet, rng: np.random.Generator) -> bool:
    """Win rates of a random half with weights that are uniform but for 1,000 samples' noise."""
    half = data.rows.take(rng.permutation(data.rows.n)[: data.rows.n // 2])
    m = half.n_items
    weights = rng.multinomial(1_000, np.full(m, 1.0 / m)) / 1_000
    out = shifts_of(half, weights, multinomial_weights(weights, 1_000), None, rng)
    return bool(out.flagged.any())


def real_sets(folder: Path) -> Iterator[RealSet]:
    """Model leaderboards, and the debates of ukp_convarg."""
    yield _set(folder, "llmfao/crowd_comparisons", "llmfao, 6,223 votes", lambda r: (
        r["model_x"], r["model_y"], r["winner"], "left", r["worker"]))  # fmt: skip
    yield _set(folder, "wildbench_scores/pairs_ids_only", "wildbench, 15 models", lambda r: (
        r["model_1"], r["model_2"], r["winner"], "model_1", r["session_id"]))  # fmt: skip
    yield _set(folder, "qlora_vicuna_gpt4/vicuna_threeclass", "qlora, vicuna", lambda r: (
        r["model_1"], r["model_2"], r["winner"], "1", r["question_id"]))  # fmt: skip
    yield _set(folder, "qlora_vicuna_gpt4/oa_threeclass_ids_only", "qlora, oa", lambda r: (
        r["model_1"], r["model_2"], r["winner"], "1", r["message_id"]))  # fmt: skip
    votes = _read(folder, "ukp_convarg/votes")
    for debate in sorted({r["debate"] for r in votes}):
        rows = [r for r in votes if r["debate"] == debate]
        yield _of(f"ukp_convarg: {debate}", rows, lambda r: (
            r["arg1_id"], r["arg2_id"], r["value"], "a1", r["turkID"]))  # fmt: skip


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "llmfao, GPT-4's votes": ("llmfao/gpt4_comparisons", {}),
    "llmfao, GPT-3's votes": ("llmfao/gpt3_comparisons", {}),
    "wildbench, Llama 3 family": ("wildbench_scores/pairs_llama3_family_text", {"unit": "model"}),
    "wmt23 en-de": ("wmt23_sxs_mqm/comparisons_ende", {}),
    "wmt23 zh-en": ("wmt23_sxs_mqm/comparisons_zhen", {}),
    "wmt23 en-de ratings": ("wmt23_sxs_mqm/ratings_ende", {"ratings_to_pairs": True}),
    "wmt23 zh-en ratings": ("wmt23_sxs_mqm/ratings_zhen", {"ratings_to_pairs": True}),
    "pandalm": ("pandalm_testset/testset_v1", {}),
    "qlora relative": ("qlora_vicuna_gpt4/vicuna_relative_gpt35", {}),
    "squality": ("squality_human_eval/rankings", {"expand_choices": True}),
    "Star Wars": ("starwars_rankings/rankings", {"expand_choices": True}),
    "Albany": ("elections_rcv/albany", {"expand_choices": True}),
    "Portland": ("elections_rcv/portland_2024_d1", {"expand_choices": True}),
    "oasst lists": ("oasst_trees/ranked_sets", {"expand_choices": True}),
    "judgebench votes": ("judgebench/judge_votes_gpt-4o-2024-05-13", {}),
    "llmbar votes": ("llmbar/evaluator_votes", {}),
    "humour": ("humour_pairs/pairs", {}),
}
"""What is not in ``real_sets``: file, and settings of the reading."""


def read_as_scan(folder: Path, name: str) -> RealSet:
    """A set of OTHERS as ``scan`` compares it: its main unit, its groups to resample."""
    from cr_audit.analysis.units import choose_resampling
    from cr_audit.api import audit

    file, settings = OTHERS[name]
    run = audit(folder / f"{file}.shared.jsonl.gz", model="none", **settings).run
    unit = run.analysis.units[0]
    _, clusters = choose_resampling(run.dataset, unit.items, unit.comparisons, run.settings)
    return RealSet(name, unit.comparisons, clusters)


Fields = Callable[[dict[str, Any]], tuple[Any, Any, Any, str, Any]]


def _read(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / f"{name}.shared.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _set(folder: Path, file: str, name: str, fields: Fields) -> RealSet:
    return _of(name, _read(folder, file), fields)


def _of(name: str, records: list[dict[str, Any]], fields: Fields) -> RealSet:
    """Records as comparisons. fields : (one, other, who won, its value where ``one`` won, unit to
    resample). What is neither a win nor a tie is left out; units below MANY_GROUPS do not count."""
    seen = [fields(r) for r in records]
    wins = {value for _, _, value, _, _ in seen if value is not None}
    kept = [row for row in seen if row[2] in wins - {"None"}]
    names = sorted({str(x) for row in kept for x in row[:2]})
    at = {x: i for i, x in enumerate(names)}
    units = np.unique([str(row[4]) for row in kept], return_inverse=True)[1]
    outcome = [0.5 if row[2] in TIES else float(row[2] == row[3]) for row in kept]
    rows = Comparisons.of(
        len(names), [at[str(r[0])] for r in kept], [at[str(r[1])] for r in kept], outcome
    )
    many = int(units.max()) + 1 >= MANY_GROUPS
    return RealSet(name, rows, units.astype(np.int64) if many else None)

"""The ``rewards`` part of the JSON contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cr_audit.analysis.choice import Choice
from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.reward_facts import (
    Errors,
    HeldOut,
    RewardFit,
    Rewards,
    Share,
    Subjects,
)
from cr_audit.arrays import NotApplicable
from cr_audit.models.rewards.changes import Changes
from cr_audit.models.rewards.selection import PenaltyCurve

Cut = Callable[[str | None], str | None]


def rewards_part(analysis: Analysis, cut: Cut) -> Any:
    """Fits, values per alternative, changes per subject; NaN stands for "no data"."""
    r = analysis.rewards
    if isinstance(r, NotApplicable):
        return r
    c = r.certificate
    return {
        "unit": r.fitted_unit,
        "fits": r.fits,
        "model": r.reward_model,
        "model_choice": _choice(r.reward_choice),
        "weights_choice": _choice(r.weights_choice),
        "weights_settings": dict(r.weights_settings),
        "penalty": r.penalty,
        "penalty_choice": _choice(r.penalty_choice),
        "penalty_curves": _curves(r),
        "lambda_eq1": r.lambda_eq1,
        "n_coordinates": r.n_coordinates,
        "certificate": c
        if isinstance(c, NotApplicable)
        else {
            "bound": c.bound,
            "residual_bound": c.residual_bound,
            "complete_data_bound": c.complete_data_bound,
            "weight_change_l1": c.weight_change_l1,
            "measured": c.measured,
        },
        "standard": _fit(r.standard),
        "weighted": r.weighted if isinstance(r.weighted, NotApplicable) else _fit(r.weighted),
        "decisions": r.decisions
        if isinstance(r.decisions, NotApplicable)
        else {
            "n_pairs": r.decisions.n_pairs,
            "differs": r.decisions.differs,
            "noise_standard": _share(r.decisions.noise_standard),
            "noise_weighted": _share(r.decisions.noise_weighted),
            "n_replicates": r.decisions.n_replicates,
        },
        "held_out": _held_out(r.held_out),
        "win_counts": r.win_counts
        if isinstance(r.win_counts, NotApplicable)
        else {
            "n_components": r.win_counts.n_components,
            "spearman_median": r.win_counts.median,
            "spearman_lowest": r.win_counts.lowest,
            "spearman_rate_median": r.win_counts.rate_median,
        },
        "resampled": _choice(r.resampled),
        "intervals": r.intervals,
        "agreement": _agreement(r.changes),
        "sandwich": r.errors
        if isinstance(r.errors, NotApplicable)
        else {
            name: {"ratio_to_bootstrap": e.ratio, "interval_width_to_bootstrap": e.width_ratio}
            for name, e in zip(("standard", "weighted"), r.errors, strict=False)
        },
        "clone_groups": r.groups
        if isinstance(r.groups, NotApplicable)
        else [_group(r, k, cut) for k in range(len(r.groups))],
        "subjects": r.subjects
        if isinstance(r.subjects, NotApplicable)
        else {
            "unit": r.subjects.unit,
            "what": r.subjects.what,
            "n": r.subjects.n,
            "n_components": r.subjects.n_components,
        },
        "values": _values(analysis, r),
        "changes": _changes(r, cut),
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {"value": choice.value, "reason": choice.reason}


def _fit(fit: RewardFit) -> dict[str, Any]:
    return {
        "status": fit.status.name.lower(),
        "advice": None if fit.converged else str(fit.status),
        "weights": fit.scheme,
        "iterations": fit.iterations,
        "gradient_norm": fit.gradient_norm,
        "kappa": fit.kappa,
    }


def _curves(r: Rewards) -> Any:
    if isinstance(r.curves, NotApplicable):
        return r.curves
    return {
        name: curve if isinstance(curve, NotApplicable) else _curve(curve)
        for name, curve in zip(("standard", "weighted"), r.curves, strict=True)
    }


def _curve(curve: PenaltyCurve) -> dict[str, Any]:
    return {
        "penalty": curve.penalties.tolist(),
        "log_likelihood": curve.log_likelihood.tolist(),
        "standard_error": curve.standard_error.tolist(),
        "best": curve.best,
        "simplest": curve.simplest,
        "at_edge": curve.at_edge,
        "n_folds": curve.n_folds,
    }


def _share(share: Share) -> dict[str, float]:
    return {"value": share.value, "standard_error": share.standard_error}


def _held_out(h: HeldOut | NotApplicable) -> Any:
    if isinstance(h, NotApplicable):
        return h
    return {
        "held_out": h.held_out,
        "n_folds": h.n_folds,
        "n_comparisons": h.n_comparisons,
        "n_decided": h.n_decided,
        "n_unpredicted": h.n_unpredicted,
        "differs": _share(h.differs),
        "agreement_standard": _share(h.agreement_standard),
        "agreement_weighted": _share(h.agreement_weighted),
        "gain": _share(h.gain),
    }


def _agreement(c: Changes | NotApplicable) -> Any:
    if isinstance(c, NotApplicable):
        return c
    return {
        "n_replicates": c.n_replicates,
        "confidence_level": c.confidence_level,
        "kendall_tau": c.kendall_tau,
        "kendall_tau_interval": c.kendall_tau_interval.tolist(),
        "top_k": c.top_k,
        "top_overlap": c.top_overlap,
        "top_overlap_interval": c.top_overlap_interval.tolist(),
        "n_discordant": c.n_discordant,
        "n_tested": c.n_tested,
    }


def _group(r: Rewards, k: int, cut: Cut) -> dict[str, Any]:
    assert not isinstance(r.groups, NotApplicable)
    group, effect = r.groups[k], r.effect_of(k)
    ids = () if isinstance(r.subjects, NotApplicable) else r.subjects.ids
    return {
        "id": group.id,
        "label": cut(group.name),
        "size": int(group.members.size),
        "item_share": group.item_share,
        "weight_mass": group.weight_mass,
        "moves_most": ids[effect.subject] if effect else None,
        "moves_by": effect.shift if effect else None,
        "n_moved": effect.n_moved if effect else None,
    }


def _values(analysis: Analysis, r: Rewards) -> list[dict[str, Any]]:
    n = analysis.dataset.n_alternatives
    weighted = (
        [None] * n if isinstance(r.values_weighted, NotApplicable) else r.values_weighted.tolist()
    )
    ids = analysis.dataset.alternatives["id"]
    return [
        {"id": i, "standard": s, "weighted": w}
        for i, s, w in zip(ids, r.values_standard.tolist(), weighted, strict=True)
    ]


def _changes(r: Rewards, cut: Cut) -> list[dict[str, Any]]:
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        return []
    return [_change(r, c, s, i, cut) for i in range(s.n)]


def _rank(rank: int) -> int | None:
    return rank if rank > 0 else None


def _change(r: Rewards, c: Changes, s: Subjects, i: int, cut: Cut) -> dict[str, Any]:
    both = not isinstance(r.weighted, NotApplicable)
    causes, cause = r.causes[i] if r.causes else (), r.cause_of(i)
    groups = () if isinstance(r.groups, NotApplicable) else r.groups
    partner = int(c.flip_with[i])
    row: dict[str, Any] = {
        "id": s.ids[i],
        "label": cut(s.names[i]) or "",
        "reward_standard": c.reward_standard[i],
        "reward_weighted": c.reward_weighted[i] if both else None,
        "rank_standard": _rank(int(c.rank_standard[i])),
        "rank_weighted": _rank(int(c.rank_weighted[i])) if both else None,
        "probability": c.probability_differs[i] if both else None,
        "interval": c.interval_shift[i].tolist() if both else [None, None],
        "flagged": bool(c.flagged[i]) and both,
        "cluster": None if cause is None else groups[cause.group].id,
        "component": int(s.components[i]) if s.components[i] >= 0 else None,
        "n_comparisons": int(s.n_comparisons[i]),
        "interval_standard": c.interval_standard[i].tolist(),
        "interval_weighted": c.interval_weighted[i].tolist() if both else [None, None],
        "probability_first_standard": c.probability_first_standard[i],
        "probability_first_weighted": c.probability_first_weighted[i] if both else None,
        "changes_sides_with": s.ids[partner] if both and partner >= 0 else None,
        "probability_changes_sides": c.probability_flip[i] if both else None,
        "causes": [{"cluster": groups[k.group].id, "share": k.share} for k in causes],
    }
    return row | _errors(r.errors, i)


def _errors(errors: tuple[Errors, ...] | NotApplicable, i: int) -> dict[str, Any]:
    if isinstance(errors, NotApplicable):
        return {}
    out: dict[str, Any] = {}
    for name, e in zip(("standard", "weighted"), errors, strict=False):
        out[f"bootstrap_error_{name}"] = e.bootstrap[i]
        out[f"sandwich_error_{name}"] = e.sandwich[i]
        out[f"sandwich_interval_{name}"] = e.sandwich_interval[i].tolist()
    return out

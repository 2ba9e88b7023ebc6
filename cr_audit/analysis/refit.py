"""``refit``: standard against weighted rewards, and which changes are larger than their noise."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from cr_audit.analysis.causes import clone_groups, find_causes
from cr_audit.analysis.choice import Choice
from cr_audit.analysis.compose import stream
from cr_audit.analysis.embedding import Progress
from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.analysis.fit_weights import weighed_by
from cr_audit.analysis.held_out import decisions, held_out_decisions, win_counts
from cr_audit.analysis.mlp_fits import MAX_MLP_GROUPS, with_other_weights
from cr_audit.analysis.replicates import draw_replicates, standard_errors
from cr_audit.analysis.reward_facts import (
    Cause,
    Certificate,
    CloneGroup,
    Effect,
    Errors,
    Fits,
    RewardFit,
    RewardModel,
    Rewards,
)
from cr_audit.analysis.reward_problem import (
    DEFAULT_PENALTY,
    MLP_PENALTIES,
    FitRewards,
    Problem,
    choose_reward_model,
    problem_of,
    record,
    record_mlp,
    weights_settings,
)
from cr_audit.analysis.subjects import Averages, subjects_of
from cr_audit.analysis.units import choose_resampling
from cr_audit.arrays import Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.models.rewards.bootstrap import effective_units
from cr_audit.models.rewards.changes import Changes, ranking_changes
from cr_audit.models.rewards.linear import LinearFit
from cr_audit.models.rewards.objective import (
    certificate,
    kappa,
    lambda_eq1,
    pair_terms,
    residual_certificate,
    shift_certificate,
)
from cr_audit.models.rewards.selection import PENALTIES, PenaltyCurve, cross_validate_penalty
from cr_audit.models.rewards.tabular import Fit

Curves = tuple[PenaltyCurve, PenaltyCurve | NotApplicable] | NotApplicable

MANY_PROMPTS = 20
"""Prompts from which linear and mlp fits are judged on prompts they have not seen."""
TOP_SHARE, MAX_TOP = 3, 10
"""The overlap is that of the best third of a ranking, at most ten."""


def refit(
    analysis: Analysis,
    *,
    fits: Fits = "both",
    scheme: str | None = None,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """The analysis with ``rewards``: fits of its main unit, their changes and the causes of these.

    fits : "standard" leaves the weighted fit out; "weighted" makes both, and raises ComputeError
    ``no-weights`` where there are no weights (with "both" that is a fact with a reason).
    scheme : of the weights of the weighted fit (``fit_weights.RECOMMENDED`` is the command line's
    default); None takes those of the analysis, which the result reports in either case.
    Raises ComputeError ``nothing-compared`` without comparisons, UsageError for a reward model
    that needs vectors where there are none. The result does not depend on ``n_threads`` (default:
    the cores, at most 4).
    """
    given = analysis
    choice = choose_reward_model(given, given.units[0])
    model = cast(RewardModel, choice.value)
    analysis, weights_choice = weighed_by(
        given, None if fits == "standard" else scheme, alternatives=model != "tabular"
    )
    unit = analysis.units[0]
    asked = analysis.settings.penalty
    penalty = DEFAULT_PENALTY[model] if asked is None or isinstance(asked, str) else float(asked)
    threads = n_threads or min(os.cpu_count() or 1, 4)
    problem = problem_of(analysis, unit, model, penalty, threads)
    report = progress or (lambda stage, done, total: None)
    run = _Run(analysis, unit, problem, _weights(problem, fits), report)
    report("penalty", 0, 0)
    penalty_choice, curves = run.choose_penalty()
    run.problem = replace(problem, penalty=float(penalty_choice.value))
    made = run.rewards(fits, choice, weights_choice, penalty_choice, curves)
    return replace(given, rewards=made)


def _weights(problem: Problem, fits: Fits) -> FloatArray | NotApplicable:
    """Of the weighted fit, or why there is none."""
    known = problem.weights
    if fits == "standard":
        return NotApplicable("left out with --standard")
    if isinstance(known, NotApplicable) and fits == "weighted":
        raise ComputeError(
            "no-weights",
            f"the weighted fit needs weights: {known.reason}",
            next_step="choose an encoder with --model, give --embeddings, or use --standard",
        )
    return known


@dataclass(slots=True, eq=False)
class _Run:
    """One refit. weights : of the weighted fit."""

    analysis: Analysis
    unit: UnitResult
    problem: Problem
    weights: FloatArray | NotApplicable
    report: Progress

    def resampling(self) -> tuple[Choice, IntArray | None]:
        return choose_resampling(
            self.analysis.dataset,
            self.unit.items,
            self.problem.comparisons,
            self.analysis.settings,
        )

    def holding_out(self) -> tuple[str, IntArray | None]:
        """What stays together in a fold: as in the bootstrap, but prompts for linear and mlp."""
        rows = self.problem.comparisons
        prompts = np.unique(rows.prompt)
        if self.problem.model != "tabular" and prompts.size >= MANY_PROMPTS and prompts[0] >= 0:
            return "prompts", rows.prompt
        choice, clusters = self.resampling()
        return choice.value, clusters

    def choose_penalty(self) -> tuple[Choice, Curves]:
        asked, problem = self.analysis.settings.penalty, self.problem
        if asked != "auto":
            why = f"default of {problem.model} rewards" if asked is None else "asked for"
            return Choice(repr(problem.penalty), why), NotApplicable(
                "only --penalty auto tries many"
            )
        what, clusters = self.holding_out()

        def curve(weights: FloatArray) -> PenaltyCurve:
            def at(
                rows: Comparisons, penalty: float, warm: FloatArray | None
            ) -> tuple[FloatArray, FloatArray]:
                return problem.rewards(rows, weights, penalty, warm)

            rng = stream(self.analysis.settings, 20)
            return cross_validate_penalty(
                problem.comparisons,
                at,
                penalties=MLP_PENALTIES if problem.model == "mlp" else PENALTIES,
                clusters=clusters,
                rng=rng,
            )

        best = curve(problem.uniform)
        other = self.weights if isinstance(self.weights, NotApplicable) else curve(self.weights)
        edge = ", the end of the range tried" if best.at_edge else ""
        reason = (
            f"best of the standard fit in {best.n_folds}-fold cross-validation over {what}{edge}"
        )
        return Choice(repr(best.best), reason), (best, other)

    def fit(self, weights: FloatArray) -> Fit | LinearFit | FloatArray:
        """A fit, or the rewards of every run of an mlp."""
        rows, penalty = self.problem.comparisons, self.problem.penalty
        if self.problem.model == "tabular":
            return self.problem.tabular(rows, weights, penalty)
        if self.problem.model == "linear":
            return self.problem.linear(rows, weights, penalty)
        return self.problem.mlp(rows, weights, penalty)

    def recorded(
        self, fit: Fit | LinearFit | FloatArray, weights: FloatArray, scheme: str
    ) -> RewardFit:
        if isinstance(fit, Fit | LinearFit):
            return record(fit, scheme)
        rows = self.problem.comparisons.proportions()
        norm = kappa(rows, weights, count_weighted=self.problem.count_weighted)
        return record_mlp(fit, weights, norm, scheme)

    def rewards(
        self,
        fits: Fits,
        choice: Choice,
        weights_choice: Choice,
        penalty_choice: Choice,
        curves: Curves,
    ) -> Rewards:
        problem, known = self.problem, self.weights
        self.report("rewards", 0, 0)
        weights = (
            (problem.uniform,) if isinstance(known, NotApplicable) else (problem.uniform, known)
        )
        made = tuple(self.fit(w) for w in weights)
        standard = self.recorded(made[0], weights[0], "uniform")
        weighted = (
            known
            if isinstance(known, NotApplicable)
            else self.recorded(made[1], known, problem.scheme)
        )
        components = (
            made[0].components if isinstance(made[0], Fit) else np.zeros(problem.n_items, np.int64)
        )
        averages = subjects_of(self.analysis, self.unit, problem, components)
        resampled, clusters = self.resampling()
        changes, errors, holds = self._changes(made, weights, averages, resampled, clusters)
        labels = self.unit.items.labels if problem.model == "tabular" else None
        groups = (
            known
            if isinstance(known, NotApplicable)
            else clone_groups(
                self.analysis,
                problem.unit,
                np.arange(problem.n_items) if labels is None else labels,
                known,
            )
        )
        found = _Found(self, made, standard, weighted, components, averages, changes)
        causes, effects = found.causes(() if isinstance(groups, NotApplicable) else groups)
        self.report("held out", 0, 0)
        what, apart = self.holding_out()
        return Rewards(
            fits=fits,
            fitted_unit=problem.unit,
            reward_choice=choice,
            weights_choice=weights_choice,
            weights_settings=self.unit.items.scheme
            if problem.model == "tabular"
            else weights_settings(self.analysis),
            penalty=problem.penalty,
            penalty_choice=penalty_choice,
            curves=curves,
            lambda_eq1=lambda_eq1(problem.penalty, problem.n_items),
            n_coordinates=problem.n_coordinates,
            standard=standard,
            weighted=weighted,
            values_standard=_spread(standard.rewards, labels),
            values_weighted=weighted
            if isinstance(weighted, NotApplicable)
            else _spread(weighted.rewards, labels),
            subjects=averages if isinstance(averages, NotApplicable) else averages.subjects,
            resampled=resampled,
            changes=changes,
            intervals=holds,
            errors=errors,
            groups=groups,
            causes=causes,
            effects=effects,
            certificate=found.certificate(),
            decisions=decisions(problem, made, clusters, stream(self.analysis.settings, 23)),
            win_counts=win_counts(problem.comparisons, standard.rewards, components)
            if problem.model == "tabular"
            else NotApplicable("for tabular rewards"),
            held_out=known
            if isinstance(known, NotApplicable)
            else held_out_decisions(
                problem, known, apart, what, stream(self.analysis.settings, 22)
            ),
        )

    def _changes(
        self,
        made: tuple[Fit | LinearFit | FloatArray, ...],
        weights: tuple[FloatArray, ...],
        averages: Averages | NotApplicable,
        resampled: Choice,
        clusters: IntArray | None,
    ) -> tuple[Changes | NotApplicable, tuple[Errors, ...] | NotApplicable, str]:
        if isinstance(averages, NotApplicable):
            return averages, averages, "none"
        settings, subjects = self.analysis.settings, averages.subjects
        replicates = draw_replicates(
            self.problem,
            made,
            weights,
            averages,
            what=resampled.value,
            clusters=clusters,
            n_replicates=settings.n_replicates,
            rng=stream(settings, 21),
            tick=lambda done, total: self.report("resampling", done, total),
        )
        rewards = [averages.of(_rewards_of(fit)) for fit in made]
        # With the standard fit alone, both sides of the comparison are that fit.
        largest = int(np.bincount(subjects.components[subjects.components >= 0]).max(initial=1))
        n_units = effective_units(self.problem.comparisons, clusters)
        changes = ranking_changes(
            rewards[0],
            rewards[-1],
            subjects.components,
            replicates.rewards[[0, -1]],
            confidence_level=settings.confidence_level,
            top_k=min(MAX_TOP, -(-largest // TOP_SHARE)),
            n_units=n_units,
        )
        intervals = (changes.interval_standard, changes.interval_weighted)[: len(made)]
        errors = [
            standard_errors(
                self.problem,
                fit,
                drawn,
                interval,
                clusters,
                n_units=n_units,
                confidence_level=settings.confidence_level,
            )
            for fit, drawn, interval in zip(made, replicates.rewards, intervals, strict=True)
        ]
        none = next((e for e in errors if isinstance(e, NotApplicable)), None)
        kept = tuple(e for e in errors if not isinstance(e, NotApplicable))
        return changes, none or kept, replicates.holds


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What follows from both fits."""

    run: _Run
    made: tuple[Fit | LinearFit | FloatArray, ...]
    standard: RewardFit
    weighted: RewardFit | NotApplicable
    components: IntArray
    averages: Averages | NotApplicable
    changes: Changes | NotApplicable

    def certificate(self) -> Certificate | NotApplicable:
        problem = self.run.problem
        if isinstance(self.weighted, NotApplicable):
            return self.weighted
        if problem.model != "tabular":
            return NotApplicable(f"it is proved for tabular rewards, not for {problem.model} ones")
        rows, penalty = problem.comparisons.proportions(), problem.penalty
        one, two = self.standard.weights, self.weighted.weights
        before, after = (
            pair_terms(rows, w, count_weighted=problem.count_weighted) for w in (one, two)
        )
        l1 = float(np.abs(one - two).sum())
        shift = np.abs(self.weighted.rewards - self.standard.rewards)
        return Certificate(
            bound=shift_certificate(before, one, after, two, penalty),
            residual_bound=residual_certificate(after, two, self.standard.rewards, penalty),
            complete_data_bound=certificate(penalty, weight_change_l1=l1),
            weight_change_l1=l1,
            measured=float(np.nanmax(shift)) if np.isfinite(shift).any() else 0.0,
        )

    def causes(
        self, groups: tuple[CloneGroup, ...]
    ) -> tuple[tuple[tuple[Cause, ...], ...], tuple[Effect, ...]]:
        problem, averages, changes = self.run.problem, self.averages, self.changes
        if (
            isinstance(self.weighted, NotApplicable)
            or isinstance(averages, NotApplicable)
            or isinstance(changes, NotApplicable)
        ):
            return (), ()
        tabular = problem.model == "tabular"
        rows, penalty, warm = problem.comparisons, problem.penalty, self.weighted.rewards
        # κ is one number for all components; kept, a group acts on its own component alone.
        norm = self.weighted.kappa if self.components.max(initial=0) > 0 else None

        def one_fit(weights: FloatArray) -> FloatArray:
            if tabular:
                return problem.tabular(rows, weights, penalty, warm, norm).rewards
            return problem.linear(rows, weights, penalty).rewards

        again: FitRewards = one_fit
        subjects_from: FitRewards = averages.of
        by_run = self.made[-1]
        if isinstance(by_run, np.ndarray):
            groups = groups[:MAX_MLP_GROUPS]
            again, subjects_from = with_other_weights(problem, by_run, averages)
        self.run.report("causes", 0, 0)
        subject_components = (
            averages.subjects.components if tabular else np.zeros(averages.subjects.n, np.int64)
        )
        return find_causes(
            groups,
            self.weighted.weights,
            self.components,
            subjects_from,
            subject_components,
            changes.reward_standard,
            changes.reward_weighted,
            changes.flip_with,
            again,
        )


def _rewards_of(fit: Fit | LinearFit | FloatArray) -> FloatArray:
    return fit.rewards if isinstance(fit, Fit | LinearFit) else fit.mean(axis=0)


def _spread(rewards: FloatArray, labels: IntArray | None) -> FloatArray:
    """One reward per alternative: that of its item, NaN where it has none."""
    if labels is None:
        return rewards
    return np.where(labels >= 0, rewards[np.maximum(labels, 0)], np.nan)

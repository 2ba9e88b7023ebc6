"""``refit``: standard against weighted rewards, and which changes are larger than their noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit import engine
from cr_audit.analysis.causes import clone_groups, find_causes
from cr_audit.analysis.choice import Choice
from cr_audit.analysis.compose import stream
from cr_audit.analysis.embedding import Progress
from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.analysis.fit_weights import other_weights
from cr_audit.analysis.fitting import Fitting, choose_reward_model, fitting_of, how_weighed
from cr_audit.analysis.held_out import decisions, held_out_decisions, win_counts
from cr_audit.analysis.penalties import (
    PENALTY_STREAM,
    Paths,
    chosen_in_words,
    chosen_penalty,
    paths,
)
from cr_audit.analysis.replicates import in_words, standard_errors
from cr_audit.analysis.reward_facts import (
    Cause,
    CloneGroup,
    Effect,
    Errors,
    Fits,
    OtherScheme,
    RewardFit,
    Rewards,
)
from cr_audit.analysis.subjects import Averages, subjects_of
from cr_audit.analysis.units import choose_resampling
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.models.marks import TIE
from cr_audit.models.penalty import PenaltyChoice
from cr_audit.models.places import competition_ranks
from cr_audit.models.rewards.bootstrap import effective_units, units_by_component
from cr_audit.models.rewards.changes import Changes, ranking_changes
from cr_audit.models.rewards.kinds import REWARD_MODELS
from cr_audit.models.rewards.model import Certificate, Fitted
from cr_audit.models.rewards.objective import lambda_eq1

Curves = tuple[PenaltyChoice, PenaltyChoice | NotApplicable] | NotApplicable

MANY_PROMPTS = 20
"""Prompts from which fits of functions of the contexts are judged on prompts they have not seen."""
TOP_SHARE, MAX_TOP = 3, 10
"""The overlap is that of the best third of a ranking, at most ten."""


def refit(
    analysis: Analysis,
    *,
    fits: Fits = "both",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Rewards:
    """Both fits of the analysis' main unit, their changes and the causes of these.

    fits : "standard" leaves the weighted fit out; "weighted" makes both, and raises ComputeError
    ``no-weights`` where there are no weights (with "both" that is a fact with a reason).
    Raises ComputeError ``nothing-compared`` without comparisons, UsageError for a reward model
    that needs vectors where there are none. The result does not depend on ``workers``.
    """
    unit = analysis.units[0]
    choice = choose_reward_model(analysis, unit)
    model = REWARD_MODELS.get(choice.value)
    fitting = fitting_of(analysis, unit, model, workers)
    report = progress or (lambda stage, done, total: None)
    run = _Run(analysis, unit, fitting, _weights(fitting, fits), report)
    with engine.telling(report):
        report("penalty", 0, 0)
        penalty_choice, curves = run.choose_penalty()
        run.fitting = fitting.at(float(penalty_choice.value))
        return run.rewards(fits, choice, penalty_choice, curves)


def _weights(fitting: Fitting, fits: Fits) -> FloatArray | NotApplicable:
    """Of the weighted fit, or why there is none."""
    known = fitting.problem.weights
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
    fitting: Fitting
    weights: FloatArray | NotApplicable
    report: Progress

    def resampling(self) -> tuple[Choice, IntArray | None]:
        return choose_resampling(
            self.analysis.dataset,
            self.unit.items,
            self.fitting.problem.comparisons,
            self.analysis.settings,
        )

    def holding_out(self) -> tuple[str, IntArray | None]:
        """What stays together in a fold: as in the bootstrap, but prompts where rewards reach
        beyond the prompts that they were fitted on."""
        rows = self.fitting.problem.comparisons
        prompts = np.unique(rows.prompt)
        reach = self.fitting.model.from_contexts
        if reach and prompts.size >= MANY_PROMPTS and prompts[0] >= 0:
            return "prompts", rows.prompt
        choice, clusters = self.resampling()
        return choice.value, clusters

    def choose_penalty(self) -> tuple[Choice, Curves]:
        """From the data, unless a number was asked for or the model takes seconds to fit."""
        asked = self.analysis.settings.penalty
        model, problem = self.fitting.model, self.fitting.problem
        if asked not in (None, "auto"):
            return Choice(repr(problem.penalty), "asked for"), NotApplicable(
                "the penalty was asked for"
            )
        if asked is None and model.costly:
            why = f"default of {model.name} rewards, which are costly to fit"
            return Choice(repr(problem.penalty), why), NotApplicable(
                "only --penalty auto tries many"
            )
        what, clusters = self.holding_out()

        def curve(weights: FloatArray) -> PenaltyChoice:
            rng = stream(self.analysis.settings, PENALTY_STREAM)
            return chosen_penalty(model, problem, weights, clusters, rng)

        try:
            best = curve(problem.uniform)
        except ComputeError as error:
            if asked is not None:
                raise
            why = f"default of {model.name} rewards: {error.message}"
            return Choice(repr(problem.penalty), why), NotApplicable(error.message)
        other: PenaltyChoice | NotApplicable = NotApplicable("only --penalty auto tries many")
        if asked == "auto":
            other = self.weights if isinstance(self.weights, NotApplicable) else curve(self.weights)
        return Choice(repr(best.best), chosen_in_words(best, what)), (best, other)

    def paths(self, averages: Averages | NotApplicable, curves: Curves) -> Paths | NotApplicable:
        model = self.fitting.model
        if isinstance(averages, NotApplicable):
            return averages
        if model.costly:
            return NotApplicable(f"{model.name} rewards are costly to fit")
        return paths(
            model,
            self.fitting.problem,
            self.weights,
            averages.means,
            averages.subjects.components,
            None if isinstance(curves, NotApplicable) else curves[0],
        )

    def other_schemes(self, averages: Averages | NotApplicable) -> tuple[OtherScheme, ...]:
        """Who leads under the other schemes' weights, where these cost little: models' always,
        responses' where they are known."""
        if isinstance(averages, NotApplicable) or isinstance(self.weights, NotApplicable):
            return ()
        model, problem = self.fitting.model, self.fitting.problem
        if model.costly or averages.subjects.n_components != 1:
            return ()
        out = []
        for name, weights in other_weights(self.analysis, self.fitting.unit):
            rewards, _ = model.refit(problem, problem.comparisons, weights, problem.penalty, None)
            rank = competition_ranks(
                averages.means.of(rewards), averages.subjects.components, tie=TIE
            )
            out.append(OtherScheme(name, tuple(np.flatnonzero(rank == 1).tolist())))
        return tuple(out)

    def rewards(
        self,
        fits: Fits,
        choice: Choice,
        penalty_choice: Choice,
        curves: Curves,
    ) -> Rewards:
        fitting, known = self.fitting, self.weights
        problem, model = fitting.problem, fitting.model
        self.report("rewards", 0, 0)
        weights = (
            (problem.uniform,) if isinstance(known, NotApplicable) else (problem.uniform, known)
        )
        made = tuple(fitting.fit(w) for w in weights)
        standard = RewardFit.of(made[0], "uniform")
        weighted = (
            known if isinstance(known, NotApplicable) else RewardFit.of(made[1], fitting.scheme)
        )
        components = made[0].components
        averages = subjects_of(self.analysis, self.unit, fitting, components)
        resampled, clusters = self.resampling()
        along = self.paths(averages, curves)
        changes, errors, holds = self._changes(made, averages, along, resampled, clusters)
        labels = fitting.labels
        groups = (
            known
            if isinstance(known, NotApplicable)
            else clone_groups(
                self.analysis,
                fitting.unit,
                np.arange(problem.n_items) if labels is None else labels,
                known,
            )
        )
        found = _Found(self, made, averages, changes)
        causes, effects = found.causes(() if isinstance(groups, NotApplicable) else groups)
        self.report("held out", 0, 0)
        what, apart = self.holding_out()
        return Rewards(
            fits=fits,
            fitted_unit=fitting.unit,
            reward_choice=choice,
            weights_choice=how_weighed(self.analysis.settings, fitting.weights_settings),
            weights_settings=fitting.weights_settings,
            penalty=problem.penalty,
            penalty_choice=penalty_choice,
            curves=curves,
            paths=along,
            other_schemes=self.other_schemes(averages),
            lambda_eq1=lambda_eq1(problem.penalty, problem.n_items),
            n_coordinates=model.n_coordinates(problem),
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
            decisions=decisions(fitting, made, clusters, stream(self.analysis.settings, 23)),
            win_counts=NotApplicable("for tabular rewards")
            if model.from_contexts
            else win_counts(problem.comparisons, standard.rewards, components),
            held_out=known
            if isinstance(known, NotApplicable)
            else held_out_decisions(
                fitting, known, apart, what, stream(self.analysis.settings, 22)
            ),
        )

    def _changes(
        self,
        made: tuple[Fitted, ...],
        averages: Averages | NotApplicable,
        along: Paths | NotApplicable,
        resampled: Choice,
        clusters: IntArray | None,
    ) -> tuple[Changes | NotApplicable, tuple[Errors, ...] | NotApplicable, str]:
        if isinstance(averages, NotApplicable):
            return averages, averages, "none"
        settings, subjects = self.analysis.settings, averages.subjects
        problem = self.fitting.problem
        replicates = self.fitting.model.replicates(
            problem,
            made,
            averages.means,
            n_subjects=subjects.n,
            clusters=clusters,
            n_replicates=settings.n_replicates,
            rng=stream(settings, 21),
            tick=lambda done, total: self.report("resampling", done, total),
        )
        rewards = [averages.means.of(fit.rewards) for fit in made]
        # With the standard fit alone, both sides of the comparison are that fit.
        largest = int(np.bincount(subjects.components[subjects.components >= 0]).max(initial=1))
        n_units = effective_units(problem.comparisons, clusters)
        changes = ranking_changes(
            rewards[0],
            rewards[-1],
            subjects.components,
            (replicates.rewards if replicates.votes is None else replicates.votes)[[0, -1]],
            confidence_level=settings.confidence_level,
            top_k=min(MAX_TOP, -(-largest // TOP_SHARE)),
            n_units=n_units,
            local_units=units_by_component(problem.comparisons, clusters, subjects.components)
            if replicates.local
            else None,
            holds=None if isinstance(along, NotApplicable) else along.holds,
            around_truth=None
            if replicates.around_truth is None
            else replicates.around_truth[[0, -1]],
            rng=stream(settings, 25),
        )
        errors = [
            standard_errors(
                self.fitting,
                fit,
                drawn,
                clusters,
                n_units=n_units,
                confidence_level=settings.confidence_level,
            )
            for fit, drawn in zip(made, replicates.rewards, strict=True)
        ]
        none = next((e for e in errors if isinstance(e, NotApplicable)), None)
        kept = tuple(e for e in errors if not isinstance(e, NotApplicable))
        return changes, none or kept, in_words(replicates, resampled.value)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What follows from both fits."""

    run: _Run
    made: tuple[Fitted, ...]
    averages: Averages | NotApplicable
    changes: Changes | NotApplicable

    def certificate(self) -> Certificate | NotApplicable:
        if isinstance(self.run.weights, NotApplicable):
            return self.run.weights
        fitting = self.run.fitting
        return fitting.model.certificate(fitting.problem, *self.made)

    def causes(
        self, groups: tuple[CloneGroup, ...]
    ) -> tuple[tuple[tuple[Cause, ...], ...], tuple[Effect, ...]]:
        averages, changes = self.averages, self.changes
        if (
            isinstance(self.run.weights, NotApplicable)
            or isinstance(averages, NotApplicable)
            or isinstance(changes, NotApplicable)
        ):
            return (), ()
        model, weighted = self.run.fitting.model, self.made[-1]
        again, subjects_from = model.with_other_weights(
            self.run.fitting.problem, weighted, averages.means
        )
        self.run.report("causes", 0, 0)
        # On one scale a group acts on every subject, whatever was compared with what.
        among = averages.subjects.components
        return find_causes(
            groups[: model.max_groups],
            weighted.weights,
            self.made[0].components,
            subjects_from,
            np.zeros_like(among) if model.from_contexts else among,
            changes.reward_standard,
            changes.reward_weighted,
            changes.flip_with,
            again,
        )


def _spread(rewards: FloatArray, labels: IntArray | None) -> FloatArray:
    """One reward per alternative: that of its item, NaN where it has none."""
    if labels is None:
        return rewards
    return np.where(labels >= 0, rewards[np.maximum(labels, 0)], np.nan)

"""What is ranked: responses, models, clusters or kinds; their weights, win rates and shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import polars as pl

from cr_audit.analysis.choice import Choice, Unit
from cr_audit.analysis.facts import ClosestModels, Embedding, Items, NamedKinds, UnitResult
from cr_audit.analysis.settings import Settings
from cr_audit.arrays import Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.clones.find import CloneReport
from cr_audit.clones.models import model_clones
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.data.identity import digest
from cr_audit.errors import ComputeError
from cr_audit.models.graph import graph_health
from cr_audit.models.rankings import RankShift, bootstrap_win_rates, win_rates
from cr_audit.texts import Texts
from cr_audit.weights.contexts import ModelGram, model_gram, points_from_gram
from cr_audit.weights.estimates import Weights
from cr_audit.weights.scheme import Options, Weighed
from cr_audit.weights.schemes import SCHEMES
from cr_audit.wording import comparisons_in_median

TINY = 1e-300
MANY_GROUPS = 20
"""Below this number of annotators (or prompts), resampling them says little."""
MAX_DRAWS = 200
"""Draws of the weights: the replicates use them in turn, so more say nothing new."""
MAX_DRAWN = 50_000_000
"""Replicates times items held at once by the bootstrap: 400 MB of float64."""


def options_of(settings: Settings, found: Mapping[str, Any] | None = None) -> Options:
    """What a weighting scheme is told of the settings. found : settings of earlier weights, which
    it takes over."""
    return Options(space=settings.space, precision=settings.precision, found=found or {})


def rank_units(
    dataset: PreferenceDataset,
    settings: Settings,
    comparisons: Comparisons,
    embedding: Embedding | NotApplicable,
    clones: CloneReport | NotApplicable,
    weights: Weights | NotApplicable,
    kinds: NamedKinds | NotApplicable,
    *,
    earlier: tuple[UnitResult, ...] = (),
    rngs: list[np.random.Generator],
    no_shift: NotApplicable | None = None,
) -> tuple[UnitResult, ...]:
    """Win rates of the units that suit the data (or of the one asked for), the main one first.

    earlier : of the part of a data set that grows; what a scheme looked for there it takes over.
    no_shift : why they are not resampled, where they are not.
    """
    before = {e.unit: e.items.scheme for e in earlier}
    out = []
    chosen = choose_units(dataset, comparisons, settings)
    for (unit, reason), rng in zip(chosen, rngs, strict=False):
        items, closest = weighed_items(
            unit,
            dataset,
            settings,
            embedding,
            clones,
            weights,
            kinds,
            rng,
            found=before.get(unit),
        )
        out.append(_rank(items, closest, reason, comparisons, dataset, settings, rng, no_shift))
    return tuple(out)


def weighed_items(
    unit: Unit,
    dataset: PreferenceDataset,
    settings: Settings,
    embedding: Embedding | NotApplicable,
    clones: CloneReport | NotApplicable,
    weights: Weights | NotApplicable,
    kinds: NamedKinds | NotApplicable,
    rng: np.random.Generator,
    found: Mapping[str, Any] | None = None,
) -> tuple[Items, ClosestModels | NotApplicable]:
    """The items of one unit with their weights under ``settings.weights``, and the nearest models.

    weights : of the alternatives, by the same scheme; models are weighed anew by their answers,
    with what was ``found`` earlier where that is given.
    """
    closest: ClosestModels | NotApplicable = NotApplicable("the unit is not the model")
    if unit == "response":
        return _responses(dataset, weights), closest
    if unit == "model":
        return _models(dataset, settings, embedding, clones, found, rng)
    if unit == "kind":
        return _kinds(kinds, weights), closest
    return _clusters(dataset, clones, weights), closest


def choose_units(
    dataset: PreferenceDataset, comparisons: Comparisons, settings: Settings
) -> tuple[tuple[Unit, str], ...]:
    """Which units to rank, the main one first, each with its reason.

    Models come first where two different ones stand in at least half of the comparisons: a model
    is compared far more often than one of its responses.
    """
    if settings.unit != "auto":
        return ((cast(Unit, settings.unit), "asked for with --unit"),)
    if comparisons.n == 0:
        return (("response", "there are no comparisons"),)
    counts = np.bincount(np.concatenate([comparisons.winner, comparisons.loser]))
    median = float(np.median(counts[counts > 0]))
    reason = f"responses have {comparisons_in_median(median, 'each')}"
    if median < 2:
        reason += ", so single win rates say nothing"
    response: tuple[Unit, str] = ("response", reason)
    groups, names = dataset.models()
    if len(names) < 2:
        return (response,)
    between, _ = comparisons.relabel(groups.labels, groups.n_groups)
    if between.n < comparisons.n / 2:
        return (response,)
    per_model = np.bincount(np.concatenate([between.winner, between.loser]))
    typical = float(np.median(per_model[per_model > 0]))
    model = f"{len(names)} models are named, {comparisons_in_median(typical, 'each')}"
    return (("model", model), response)


def _responses(dataset: PreferenceDataset, weights: Weights | NotApplicable) -> Items:
    frame = dataset.alternatives
    names = frame["text"]
    if not bool((names.is_not_null() & (names != "")).all()):
        columns = ("text", "model", "key", "id")
        names = frame.select(
            pl.coalesce(pl.when(pl.col(c) != "").then(pl.col(c)) for c in columns)
        ).to_series()
    labels = np.arange(dataset.n_alternatives, dtype=np.int64)
    # The frame holds them: two million texts are not held twice.
    return _weighed("response", Texts(frame["id"]), Texts(names), labels, weights)


def _weighed(
    unit: Unit,
    ids: Sequence[str],
    names: Sequence[str],
    labels: IntArray,
    weights: Weights | NotApplicable,
) -> Items:
    """Items with one weight each, or with the reason why there are none."""
    if isinstance(weights, NotApplicable):
        return Items(unit, ids, names, labels, weights, np.zeros(len(ids)), None)
    return Items(
        unit,
        ids,
        names,
        labels,
        weights.weights,
        weights.standard_error,
        weights.resample,
        weights.settings,
    )


def _models(
    dataset: PreferenceDataset,
    settings: Settings,
    embedding: Embedding | NotApplicable,
    clones: CloneReport | NotApplicable,
    found: Mapping[str, Any] | None,
    rng: np.random.Generator,
) -> tuple[Items, ClosestModels | NotApplicable]:
    groups, names = dataset.models()
    if not names:
        raise ComputeError(
            "no-models",
            "--unit model needs data that names the models",
            next_step="use --unit response, or name the fields with --map left_model=…",
        )
    ids = tuple(f"model:{digest('model', name)}" for name in names)
    weights: Weights | NotApplicable
    closest: ClosestModels | NotApplicable
    scheme, options = SCHEMES.get(settings.weights), options_of(settings, found)
    items = Weighed(len(names))
    if isinstance(embedding, NotApplicable):
        blind = not (scheme.needs_vectors or scheme.needs_clones)
        weights = scheme.weigh(items, options, rng) if blind else embedding
        closest = embedding
    else:
        prompt_of = dataset.prompt_of
        gram = model_gram(embedding.response_vectors, groups.labels, prompt_of, len(names))
        points, same = points_from_gram(gram.gram)
        # Where no texts say which models copy one another, equal points do.
        copies = same if scheme.needs_clones else None
        if not isinstance(clones, NotApplicable):
            copies = model_clones(groups.labels, prompt_of, clones.labels, len(names)).labels
        items = replace(items, contexts=points, duplicates=same, clones=copies)
        weights = scheme.weigh(items, options, rng)
        closest = _closest(gram, names)
    return _weighed("model", ids, names, groups.labels, weights), closest


def _closest(gram: ModelGram, names: tuple[str, ...]) -> ClosestModels | NotApplicable:
    first, second = np.triu_indices(len(names), 1)
    distance = gram.distance[first, second]
    if not np.isfinite(distance).any():
        return NotApplicable("no two models answer the same prompt")
    best = int(np.nanargmin(distance))
    i, j = int(first[best]), int(second[best])
    return ClosestModels(
        first=names[i],
        second=names[j],
        distance=float(distance[best]),
        median_distance=float(np.nanmedian(distance)),
        n_shared_prompts=int(gram.n_shared[i, j]),
    )


def _clusters(
    dataset: PreferenceDataset,
    clones: CloneReport | NotApplicable,
    weights: Weights | NotApplicable,
) -> Items:
    if isinstance(clones, NotApplicable):
        raise ComputeError(
            "no-clusters",
            f"--unit cluster needs texts to cluster, but {clones.reason}",
            next_step="use --unit response or --unit model",
        )
    labels = clones.labels.labels
    order = np.argsort(labels, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    alternative_ids = dataset.alternatives["id"].to_list()
    texts = dataset.alternatives["text"].to_list()
    ids = tuple(cluster_id([alternative_ids[i] for i in group]) for group in members)
    names = tuple(
        (texts[group[0]] or alternative_ids[group[0]])
        + (f" (+{group.size - 1} clones)" if group.size > 1 else "")
        for group in members
    )
    return _summed("cluster", ids, names, labels, weights)


def _kinds(kinds: NamedKinds | NotApplicable, weights: Weights | NotApplicable) -> Items:
    """Kinds of answer; what is of no kind is no item."""
    problem = kinds.reason if isinstance(kinds, NotApplicable) else ""
    if isinstance(kinds, NotApplicable) or kinds.n < 2:
        found = "" if isinstance(kinds, NotApplicable) else f"{kinds.n} were found"
        raise ComputeError(
            "no-kinds",
            f"--unit kind needs two kinds of answer at least, but {problem or found}",
            next_step="use --unit response or --unit cluster, or another --model",
        )
    return _summed("kind", kinds.ids, kinds.names, kinds.found.labels, weights)


def _summed(
    unit: Unit,
    ids: tuple[str, ...],
    names: tuple[str, ...],
    labels: IntArray,
    weights: Weights | NotApplicable,
) -> Items:
    """Groups of alternatives as items, each with the weight of its members as a share of that of
    all groups."""
    n = len(ids)
    if isinstance(weights, NotApplicable):
        return Items(unit, ids, names, labels, weights, np.zeros(n), None)
    known = np.flatnonzero(labels >= 0)
    of, whole = labels[known], known.size == labels.size

    def summed(values: FloatArray) -> FloatArray:
        return np.bincount(of, weights=values[known], minlength=n).astype(np.float64)

    def share(values: FloatArray) -> FloatArray:
        return values if whole else values / max(float(values.sum()), TINY)

    def draws(k: int, rng: np.random.Generator) -> FloatArray:
        return np.stack([share(summed(row)) for row in weights.resample(k, rng)])

    mass = summed(weights.weights)
    error = np.sqrt(summed(weights.standard_error**2))
    if not whole:
        error /= max(float(mass.sum()), TINY)
    return Items(unit, ids, names, labels, share(mass), error, draws, weights.settings)


def cluster_id(member_ids: list[str]) -> str:
    """A cluster is its members: the same ones give the same id in any order."""
    return f"cluster:{digest('cluster', *sorted(member_ids))}"


def nothing_compared(unit: str, dataset: PreferenceDataset, so: str) -> ComputeError:
    """No two different items of the unit were compared, with what mends it: the answers themselves
    where rows compare an item with itself, else data with comparisons. ``so`` is what is lacking.
    """
    met = unit != "response" and dataset.comparisons.height > 0
    return ComputeError(
        "nothing-compared",
        f"no two different {unit}s were compared, so {so}",
        next_step=f"use --unit response: every row compares two answers of one {unit}"
        if met
        else "give data with comparisons; --expand-choices reads lists, and"
        " --ratings-to-pairs ratings, as pairs",
    )


def choose_resampling(
    dataset: PreferenceDataset, items: Items, comparisons: Comparisons, settings: Settings
) -> tuple[Choice, IntArray | None]:
    """What the bootstrap draws, and the group of each comparison (None: comparisons themselves)."""
    groups = {"annotators": comparisons.annotator, "prompts": comparisons.prompt}
    if settings.resample != "auto":
        chosen = groups.get(settings.resample)
        if chosen is not None and comparisons.n and chosen.min() < 0:
            raise ComputeError(
                "cannot-resample",
                f"--resample {settings.resample} needs data that names them in every row",
                next_step="use --resample comparisons",
            )
        return Choice(settings.resample, "asked for with --resample"), chosen
    annotators = np.unique(comparisons.annotator)
    if annotators.size >= MANY_GROUPS and annotators[0] >= 0:
        reason = f"{annotators.size:,} annotators are known"
        return Choice("annotators", reason), comparisons.annotator
    prompts = np.unique(comparisons.prompt)
    if items.unit == "model" and prompts.size >= MANY_GROUPS:
        return Choice("prompts", f"{prompts.size:,} prompts"), comparisons.prompt
    return Choice("comparisons", "neither annotators nor prompts can be drawn"), None


def _rank(
    items: Items,
    closest: ClosestModels | NotApplicable,
    reason: str,
    comparisons: Comparisons,
    dataset: PreferenceDataset,
    settings: Settings,
    rng: np.random.Generator,
    no_shift: NotApplicable | None,
) -> UnitResult:
    between, n_within = comparisons.relabel(items.labels, max(items.n, 1))
    health = graph_health(between, rng=rng.spawn(1)[0])
    weights = (
        np.full(max(items.n, 1), 1.0 / max(items.n, 1))
        if isinstance(items.weights, NotApplicable)
        else items.weights
    )
    rates = win_rates(
        between, weights, count_weighted=settings.count_weighted, component=health.component
    )
    resampled, clusters = choose_resampling(dataset, items, between, settings)
    shift: RankShift | NotApplicable
    if no_shift is not None:
        shift = no_shift
    elif between.n == 0:
        shift = NotApplicable("there are no comparisons between different items")
    elif float(np.median(rates.n_opponents[rates.n_opponents > 0])) < 2:
        shift = NotApplicable(f"most {items.unit}s have a single opponent")
    else:
        n = max(10, min(settings.n_replicates, MAX_DRAWN // items.n))
        shift = bootstrap_win_rates(
            between,
            weights,
            weight_draws=items.draws(min(n, MAX_DRAWS), rng) if items.draws else None,
            clusters=clusters,
            component=health.component,
            n_replicates=n,
            confidence_level=settings.confidence_level,
            count_weighted=settings.count_weighted,
            rng=rng,
        )
    return UnitResult(
        reason=reason,
        items=items,
        comparisons=between,
        n_within=n_within,
        graph=health,
        win_rates=rates,
        resampled=resampled,
        shift=shift,
        closest=closest,
    )

"""From a data set to the facts about its lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cr_audit.arrays import Float32Array, FloatArray, Groups, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import ComputeError
from cr_audit.families.choices.compute.attributes import Attributes, read_attributes
from cr_audit.families.choices.compute.designs import (
    Covariates,
    constants,
    covariates_of,
    design_of,
    directions_of,
    within_budget,
)
from cr_audit.families.choices.compute.iia import (
    MIN_SHARED,
    Test,
    adjusted,
    model_tests,
    size_test,
    slope_tests,
    slopes_of,
)
from cr_audit.families.choices.compute.kinds import Kinds, kinds_of, text_lengths
from cr_audit.families.choices.compute.lists import Lists, list_facts, lists_of
from cr_audit.families.choices.compute.pairs import (
    PairLists,
    Tables,
    category_pair,
    makeups_of,
    pair_lists,
    planned_pair,
    tables_of,
)
from cr_audit.families.choices.compute.ranking import ranking_facts
from cr_audit.families.choices.compute.remedies import measure
from cr_audit.families.choices.compute.written import remedy_rows
from cr_audit.families.choices.facts import (
    Category,
    CategoryPair,
    ChoicesFacts,
    Grouping,
    IiaTest,
    Method,
    PlaceFacts,
    PlannedPair,
    PositionFacts,
    Remedies,
    Scheme,
    Verdict,
)
from cr_audit.models.listwise.designs import ChoiceDesign, collapsed
from cr_audit.models.listwise.held_out import HeldOut, Scorer, compare_held_out, deal_folds
from cr_audit.models.listwise.logit import LogitStatus, fit_logit, log_likelihoods, sandwich
from cr_audit.models.listwise.mixture import fit_mixture, mixture_log_likelihoods
from cr_audit.models.listwise.nested import fit_nested, nested_log_likelihoods
from cr_audit.models.listwise.positions import position_test
from cr_audit.run import Run

# Chance that any test of a report rejects although IIA holds. Well below 5 %, so that of 200 clean
# data sets 5 % are not called a violation by chance (benchmarks/README.md, "Choices").
LEVEL = 0.01
RECOMMENDED_REMEDY = "recommended"
MAX_PAIRS = 15
MIN_PAIR_LISTS = 10
N_FOLDS = 5
HELD_OUT_ROWS = 15_000
# Lists whose chosen member stands first in this share of all are sorted, not shown in that order.
SORTED = 0.99

Stream = Callable[[str], np.random.Generator]


@dataclass(frozen=True, slots=True)
class ChoiceSettings:
    """What may be asked of an audit of lists.

    category : "auto", "models", "clones", "length", or the name of a field of the members.
    plan : the list size that is planned, 0 for none. level : family-wise, of all tests.
    aspect : of the ratings that order lists. covariates : whether numeric fields of the members
    are read beside the lists: "auto" (where the schema is one of named alternatives), "yes", "no".
    directions : how many principal directions of the members' vectors are held fixed beside them.
    """

    category: str = "auto"
    plan: int = 0
    level: float = LEVEL
    aspect: str | None = None
    covariates: str = "auto"
    directions: int = 0
    penalty: float | None = None
    n_replicates: int = 1000
    confidence_level: float = 0.9


def settings_of(run: Run) -> ChoiceSettings:
    """What a run asks for."""
    o, s = run.options, run.settings
    return ChoiceSettings(
        category=o.get("category") or "auto",
        plan=o.get("plan") or 0,
        level=o.get("level") or LEVEL,
        aspect=o.get("aspect"),
        covariates=o.get("covariates") or "auto",
        directions=o.get("directions") or 0,
        penalty=s.penalty if isinstance(s.penalty, float) else None,
        n_replicates=s.n_replicates,
        confidence_level=s.confidence_level,
    )


def needs_clones(run: Run) -> bool:
    """Whether clones are a grouping, or share one weight in the ranking."""
    return run.dataset.has_text and settings_of(run).category in ("auto", "clones")


def compute(run: Run) -> ChoicesFacts:
    """The facts of one run; clones and vectors come from the base facts where they are needed."""
    settings = settings_of(run)
    clones, vectors = _clones(run), _vectors(run, settings)
    run.progress("looking at lists", 0, 0)
    return audit_lists(run.dataset, settings, clones=clones, vectors=vectors, stream=_streams(run))


def _streams(run: Run) -> Stream:
    return lambda name: run.stream(f"choices {name}")


def _clones(run: Run) -> Groups | None:
    if not needs_clones(run):
        return None
    found = run.analysis.clones
    return None if isinstance(found, NotApplicable) else found.labels


def _vectors(run: Run, settings: ChoiceSettings) -> Float32Array | None:
    """Raises ComputeError ``no-directions`` where directions are asked for and there are none."""
    if not settings.directions:
        return None
    found = run.analysis.embedding
    if isinstance(found, NotApplicable):
        raise ComputeError(
            "no-directions",
            f"--directions needs vectors of the members, but {found.reason}",
            next_step="leave out --directions, or give vectors with --embeddings",
        )
    return found.response_vectors


def remedy(
    run: Run, facts: ChoicesFacts, name: str
) -> tuple[Method, Iterator[dict[str, Any]] | NotApplicable]:
    """The rows of one way to train ("recommended", or a ``Method``), as it was measured.

    Raises ComputeError ``nothing-to-write`` where no remedies could be measured.
    """
    found = facts.remedies
    if isinstance(found, NotApplicable):
        raise ComputeError(
            "nothing-to-write",
            f"no way to train could be measured: {found.reason}",
            next_step="leave out --remedy",
        )
    settings = settings_of(run)
    lists = lists_of(run.dataset, aspect=settings.aspect)
    attributes = _attributes(run.dataset, lists, settings)
    kinds = kinds_of(
        found.scheme,
        run.dataset,
        lists,
        clones=_clones(run),
        attributes=attributes,
        field=settings.category,
    )
    assert not isinstance(kinds, NotApplicable)
    method = found.recommended if name == RECOMMENDED_REMEDY else Method(name)
    return method, remedy_rows(run.dataset, lists, kinds, method, _streams(run)("remedies"))


def audit_lists(
    data: PreferenceDataset,
    settings: ChoiceSettings,
    *,
    clones: Groups | None = None,
    vectors: Float32Array | None = None,
    stream: Stream,
) -> ChoicesFacts:
    """Everything that can be said about the lists of one data set.

    clones : clone cluster of each alternative. vectors : float32 (n_alternatives, d), where
    directions are asked for. stream : a random stream by name; every part draws
    from its own, so one part does not change another's numbers.
    """
    judged = judge_lists(data, settings, clones=clones, vectors=vectors, stream=stream)
    lists, parts, tests = judged.lists, judged.parts, judged.tests
    groupings = tuple(
        _grouping(p, t, lists, settings, stream) for p, t in zip(parts, tests, strict=True)
    )
    sampled = list(judged.sampled)
    return ChoicesFacts(
        lists=list_facts(data, lists),
        positions=judged.positions,
        covariates=judged.covariates.names,
        groupings=groupings,
        no_grouping=judged.refused,
        verdict=judged.verdict(settings.level),
        level=settings.level,
        n_tests=len(judged.made),
        smallest_adjusted=judged.smallest,
        held_out=_held_out(parts, lists, stream("held out"), sampled),
        ranking=NotApplicable("there are no lists")
        if lists.n == 0
        else ranking_facts(
            data,
            lists,
            clones,
            penalty=settings.penalty,
            n_replicates=settings.n_replicates,
            confidence_level=settings.confidence_level,
            rng=stream("ranking"),
        ),
        remedies=_remedies(parts, groupings, lists, stream("remedies")),
        plan=settings.plan,
        confidence_level=settings.confidence_level,
        sampled=tuple(sampled),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Lists with their kinds and the tests of IIA, adjusted over all of them."""

    lists: Lists
    positions: PositionFacts | NotApplicable
    covariates: Covariates
    parts: tuple[Part, ...]
    tests: tuple[list[Test], ...]
    refused: NotApplicable | None
    sampled: tuple[tuple[str, int, int], ...]

    @property
    def made(self) -> list[IiaTest]:
        """The tests that could be made."""
        return [t for row in self.tests for t in row if isinstance(t, IiaTest)]

    @property
    def smallest(self) -> float:
        """The smallest adjusted p-value, NaN without a test."""
        return min((t.adjusted for t in self.made), default=float("nan"))

    def verdict(self, level: float) -> Verdict:
        """What all tests together say at this family-wise level."""
        if self.made and self.smallest <= level:
            return Verdict.VIOLATED
        told = any(t.informative for t in self.made)
        return Verdict.NOT_REJECTED if told else Verdict.CANNOT_TELL


def judge_lists(
    data: PreferenceDataset,
    settings: ChoiceSettings,
    *,
    clones: Groups | None = None,
    vectors: Float32Array | None = None,
    stream: Stream,
) -> Judged:
    """The tests of IIA alone: what the verdict needs."""
    lists = lists_of(data, aspect=settings.aspect)
    attributes = _attributes(data, lists, settings)
    groups, refused = _groups(data, lists, settings, clones, attributes)
    positions = _positions(lists, groups, settings.level)
    places = isinstance(positions, PositionFacts) and positions.found
    directions = None
    if vectors is not None and lists.n:
        directions = directions_of(lists, vectors, settings.directions)
    covariates = covariates_of(
        lists, text_lengths(data), attributes, places=places, directions=directions
    )
    sampled: list[tuple[str, int, int]] = []
    parts = tuple(
        _part(kinds, lists, _beside(kinds, covariates), settings, stream, sampled)
        for kinds in groups
    )
    tests = tuple(adjusted([p.tests for p in parts]))
    return Judged(lists, positions, covariates, parts, tests, refused, tuple(sampled))


def _attributes(
    data: PreferenceDataset, lists: Lists, settings: ChoiceSettings
) -> Attributes | NotApplicable | None:
    named = {"auto", *Scheme} - {Scheme.FIELD}
    fields = () if settings.category in named else (settings.category,)
    known = any(s.name == "choice_sets" for s in data.report.schemas)
    wanted = settings.covariates == "yes" or (settings.covariates == "auto" and known)
    if not wanted and not fields:
        return None
    return read_attributes(data, lists, fields=fields, numeric=wanted)


def _groups(
    data: PreferenceDataset,
    lists: Lists,
    settings: ChoiceSettings,
    clones: Groups | None,
    attributes: Attributes | NotApplicable | None,
) -> tuple[list[Kinds], NotApplicable | None]:
    """The groupings asked for, or all that apply; and why there is none."""
    auto = (Scheme.MODELS, Scheme.CLONES, Scheme.LENGTH)
    if settings.category == "auto":
        schemes: tuple[Scheme, ...] = auto
    elif settings.category in tuple(auto):
        schemes = (Scheme(settings.category),)
    else:
        schemes = (Scheme.FIELD,)
    if lists.n == 0:
        return [], NotApplicable("the data holds no list that tells two members apart")
    found, reasons = [], []
    for scheme in schemes:
        kinds = kinds_of(
            scheme, data, lists, clones=clones, attributes=attributes, field=settings.category
        )
        if isinstance(kinds, NotApplicable):
            reasons.append(kinds.reason)
        else:
            found.append(kinds)
    return found, None if found else NotApplicable("; ".join(reasons))


def _beside(kinds: Kinds, covariates: Covariates) -> Covariates:
    """The covariates without the one that the kinds are made of."""
    if kinds.scheme is not Scheme.LENGTH or "log length" not in covariates.names:
        return covariates
    at = [i for i, name in enumerate(covariates.names) if name != "log length"]
    return Covariates(tuple(covariates.names[i] for i in at), covariates.columns[:, at])


def _positions(
    lists: Lists, groups: Sequence[Kinds], level: float
) -> PositionFacts | NotApplicable:
    """The test of places, where the order in a row can be the order in which members were shown."""
    if lists.n == 0:
        return NotApplicable("there are no lists")
    shown = lists.only(lists.placed)
    if shown.n == 0:
        return NotApplicable("the rows do not say in which order members were shown")
    first = shown.share[shown.sets.offsets[:-1]] > 0
    if float(first.mean()) >= SORTED:
        return NotApplicable("rows name the chosen member first: their order is not what was shown")
    for kinds in groups:
        if kinds.named and _one_place_each(lists, kinds):
            return NotApplicable(
                "every kind has a place of its own, so a place cannot be told from a kind"
            )
    found = position_test(shown.sets.offsets, shown.share, mass=shown.sets.mass)
    if isinstance(found, NotApplicable):
        return found
    return PositionFacts(
        sizes=tuple(
            PlaceFacts(
                size=p.size,
                n_lists=p.n_lists,
                shares=p.chosen / p.chosen.sum(),
                statistic=p.statistic,
                degrees_of_freedom=p.size - 1,
                p_value=p.p_value,
            )
            for p in found.sizes
        ),
        p_value=found.p_value,
        found=found.p_value <= level,
    )


def _one_place_each(lists: Lists, kinds: Kinds) -> bool:
    """Whether the kinds stand in one order in nearly all lists: sorted by their mean place, nearly
    every two neighbours of a list are in that order."""
    place = np.arange(kinds.labels.size) - np.repeat(lists.sets.offsets[:-1], lists.sizes)
    known = kinds.labels >= 0
    share = place / np.maximum(np.repeat(lists.sizes, lists.sizes) - 1, 1)
    total = np.bincount(kinds.labels[known], share[known], minlength=kinds.n)
    count = np.bincount(kinds.labels[known], minlength=kinds.n)
    mean = total / np.maximum(count, 1)
    first, second = kinds.labels[:-1], kinds.labels[1:]
    near = (lists.owner[:-1] == lists.owner[1:]) & (first >= 0) & (second >= 0)
    near &= first != second
    in_order = mean[first[near]] < mean[second[near]]
    return bool(in_order.size > 0 and float(in_order.mean()) >= SORTED)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One grouping with what its tests were made on."""

    kinds: Kinds
    tables: Tables
    pairs: list[PairLists]
    n_left_out: int
    slopes: dict[tuple[int, int], object]
    tests: list[Test]
    n_shared: int
    covariates: Covariates


def _part(
    kinds: Kinds,
    lists: Lists,
    covariates: Covariates,
    settings: ChoiceSettings,
    stream: Stream,
    sampled: list[tuple[str, int, int]],
) -> Part:
    tables = tables_of(lists, kinds) if kinds.named else _without_names(lists)
    n_shared = _n_shared(lists, kinds)
    pairs, left_out = _all_pairs(lists, kinds, tables)
    slopes = slopes_of(kinds, lists, pairs, covariates, settings.confidence_level)
    tests: list[Test] = []
    if int(lists.sizes.max(initial=0)) >= 3:
        tests += slope_tests(kinds, slopes)
        if not kinds.named:
            tests.append(size_test(kinds, lists, covariates, settings.confidence_level))
        more, drawn = model_tests(
            kinds,
            lists,
            covariates,
            n_shared,
            settings.confidence_level,
            stream(f"tests {kinds.scheme}"),
        )
        tests += more
        if drawn[0] < drawn[1]:
            sampled.append((f"tests {kinds.scheme}", *drawn))
    return Part(kinds, tables, pairs, left_out, dict(slopes), tests, n_shared, covariates)


def _without_names(lists: Lists) -> Tables:
    return Tables(np.zeros((lists.n, 0), np.int64), np.zeros((lists.n, 0)))


def _n_shared(lists: Lists, kinds: Kinds) -> int:
    """Lists that offer two members of one kind beside a member of another (or of none)."""
    alone = kinds.labels < 0
    own = np.where(alone, kinds.n + np.arange(kinds.labels.size), kinds.labels)
    key = lists.owner * np.int64(kinds.n + kinds.labels.size) + own
    found, count = np.unique(key, return_counts=True)
    of = found // np.int64(kinds.n + kinds.labels.size)
    several = np.bincount(of, count > 1, minlength=lists.n) > 0
    mixed = np.bincount(of, minlength=lists.n) > 1
    return int((several & mixed).sum())


def _all_pairs(lists: Lists, kinds: Kinds, tables: Tables) -> tuple[list[PairLists], int]:
    """Pairs of kinds with enough lists, those with the most first, and how many were left out."""
    if not kinds.named:
        return [], 0
    offered = (tables.offered > 0).astype(np.float64)
    both = np.einsum("na,nb->ab", offered, offered)
    a, b = np.triu_indices(kinds.n, 1)
    order = np.lexsort((b, a, -both[a, b]))
    found: list[PairLists] = []
    left_out = 0
    for i in order:
        if both[a[i], b[i]] < MIN_PAIR_LISTS:
            break
        if len(found) == MAX_PAIRS:
            left_out += 1
            continue
        p = pair_lists(lists, tables, int(a[i]), int(b[i]))
        if p.n >= MIN_PAIR_LISTS:
            found.append(p)
    return found, left_out


def _grouping(
    part: Part, tests: list[Test], lists: Lists, settings: ChoiceSettings, stream: Stream
) -> Grouping:
    kinds = part.kinds
    rng = stream(f"pairs {kinds.scheme}")
    pairs = tuple(
        category_pair(
            kinds.names,
            p,
            level=settings.confidence_level,
            n_replicates=settings.n_replicates,
            rng=rng,
        )
        for p in part.pairs
    )
    return Grouping(
        scheme=kinds.scheme,
        n_categories=kinds.n,
        categories=_categories(kinds, part.tables, lists),
        n_shared_lists=part.n_shared,
        pairs=pairs,
        n_pairs_left_out=part.n_left_out,
        tests=tuple(tests),
        planned=_planned(part, settings, stream(f"plan {kinds.scheme}")),
        cut=kinds.cut,
    )


def _planned(
    part: Part, settings: ChoiceSettings, rng: np.random.Generator
) -> tuple[PlannedPair, ...]:
    if settings.plan < 2:
        return ()
    return tuple(
        planned_pair(
            part.kinds,
            p,
            part.slopes[p.first, p.second],  # type: ignore[arg-type]
            settings.plan,
            level=settings.confidence_level,
            rng=rng,
        )
        for p in part.pairs
    )


def _categories(kinds: Kinds, tables: Tables, lists: Lists) -> tuple[Category, ...]:
    """Shares and the reward of the logit on the lists as they are, highest reward first."""
    if not kinds.named:
        return ()
    offered = tables.offered.sum(axis=0)
    chosen = np.einsum("n,nk->k", lists.sets.mass, tables.chosen)
    reward, error = _rewards(kinds, tables, lists)
    order = np.lexsort((np.arange(kinds.n), -np.nan_to_num(reward, nan=-np.inf)))
    return tuple(
        Category(
            name=kinds.names[i],
            n_offered=int(offered[i]),
            offered=float(offered[i] / max(offered.sum(), 1)),
            chosen=float(chosen[i] / max(float(lists.sets.mass.sum()), 1e-300)),
            reward=float(reward[i]),
            error=float(error[i]),
        )
        for i in order.tolist()
    )


def _rewards(kinds: Kinds, tables: Tables, lists: Lists) -> tuple[FloatArray, FloatArray]:
    """Rewards of kinds (mean 0) and their robust errors, from the logit on the lists as they are;
    NaN where it has no maximum or a member has no kind."""
    nothing = np.full(kinds.n, np.nan)
    if (kinds.labels < 0).any():
        return nothing, nothing
    makeups = makeups_of(lists, tables)
    fit = makeups.fit(lists.sets.mass, shared=False)
    if fit.status is not LogitStatus.CONVERGED or not fit.identified.all():
        return nothing, nothing
    total = np.bincount(makeups.of, lists.sets.mass)
    scores = (fit.scores / total[:, None])[makeups.of] * lists.sets.mass[:, None]
    variance = sandwich(fit.covariance, scores, lists.unit)
    # From constants against the first kind to rewards with mean 0.
    contrast = np.eye(kinds.n)[:, 1:] - 1.0 / kinds.n
    reward = np.einsum("ij,j->i", contrast, fit.coefficients)
    spread = np.einsum("ij,jk,ik->i", contrast, variance, contrast)
    return reward, np.sqrt(np.maximum(spread, 0.0))


def _held_out(
    parts: Sequence[Part],
    lists: Lists,
    rng: np.random.Generator,
    sampled: list[tuple[str, int, int]],
) -> HeldOut | NotApplicable:
    """Logit, nested logit and a mixture of two classes on the same folds, for the first grouping
    with two members of a kind in a list, else the first."""
    if lists.n == 0 or int(lists.sizes.max(initial=0)) < 3:
        return NotApplicable("no list has three members or more")
    telling = [p for p in parts if p.n_shared >= MIN_SHARED] or list(parts)
    if not telling:
        return NotApplicable("the members fall into no kinds")
    part = telling[0]
    width = max(part.kinds.n - 1 if part.kinds.named else 0, 1) + len(part.covariates.names)
    keep = within_budget(lists.sizes, HELD_OUT_ROWS * 8 // max(width, 8), rng)
    few = lists.only(keep)
    rows = keep[lists.owner]
    columns = part.covariates.columns[rows]
    labels = part.kinds.labels[rows]
    if part.kinds.named:
        columns = np.concatenate([constants(part.kinds)[rows], columns], axis=1)
    if columns.shape[1] == 0:
        return NotApplicable("nothing describes the members but their clones")
    if few.n < lists.n:
        sampled.append(("held out", few.n, lists.n))
    design = design_of(few, columns)
    even = replace(design, share=np.repeat(1.0 / few.sizes, few.sizes))
    if collapsed(even, np.zeros(labels.size, np.int64))[0].n < 2:
        return NotApplicable("all lists offer the same, so the models cannot differ")
    fold = deal_folds(design.unit, N_FOLDS, rng)
    scorers = _scorers(design, labels, part.n_shared >= MIN_SHARED, rng)
    return compare_held_out(scorers, fold, design.unit, design.mass)


def _scorers(
    design: ChoiceDesign, labels: np.ndarray, nested: bool, rng: np.random.Generator
) -> dict[str, Scorer]:
    owner = design.owner

    def logit(train: np.ndarray, held: np.ndarray) -> FloatArray | NotApplicable:
        fit = fit_logit(design.lists(train))
        if fit.status is LogitStatus.SEPARATED:
            return NotApplicable("the logit has no maximum on some fold")
        return log_likelihoods(design.lists(held), fit.coefficients)

    def nest(train: np.ndarray, held: np.ndarray) -> FloatArray | NotApplicable:
        fit = fit_nested(design.lists(train), labels[train[owner]])
        if isinstance(fit, NotApplicable):
            return fit
        return nested_log_likelihoods(
            design.lists(held), labels[held[owner]], fit.coefficients, fit.lambdas
        )

    def mixture(train: np.ndarray, held: np.ndarray) -> FloatArray | NotApplicable:
        fit = fit_mixture(design.lists(train), n_starts=2, rng=rng)
        if isinstance(fit, NotApplicable):
            return fit
        return mixture_log_likelihoods(design.lists(held), fit)

    out: dict[str, Scorer] = {"logit": logit}
    if nested:
        out["nested-logit"] = nest
    out["mixture"] = mixture
    return out


def _remedies(
    parts: Sequence[Part], groupings: Sequence[Grouping], lists: Lists, rng: np.random.Generator
) -> Remedies | NotApplicable:
    """For the grouping whose order is in doubt, else the first that has several of a kind."""
    named = [
        (p, g) for p, g in zip(parts, groupings, strict=True) if p.kinds.named and p.kinds.n >= 2
    ]
    if not named:
        return NotApplicable("the members fall into no kinds that come again")
    part, grouping = min(named, key=lambda pg: (not _turned(pg[1].pairs), pg[0].n_shared == 0))
    models = next((p for p in parts if p.kinds.scheme is Scheme.MODELS), None)
    other = (
        None
        if models is None or part.kinds.scheme is Scheme.MODELS
        else (models.kinds, models.tables)
    )
    return measure(
        part.kinds,
        lists,
        part.tables,
        models=other,
        distrusted=_turned(grouping.pairs),
        rng=rng,
    )


def _turned(pairs: Sequence[CategoryPair]) -> bool:
    return any(p.sure for p in pairs)

"""From a run to its facts: both fits, fragile pairs, flip intervals, and what to collect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.analysis.fitting import scheme_of
from cr_audit.analysis.penalties import tabular_penalty
from cr_audit.analysis.units import nothing_compared
from cr_audit.arrays import Comparisons, FloatArray, IntArray, NotApplicable, Proportions
from cr_audit.errors import ComputeError, UsageError
from cr_audit.families.sensitivity.compute.decisions import decisions_of, places
from cr_audit.families.sensitivity.facts import (
    ChangedUnit,
    FitName,
    Flip,
    FragilePair,
    NextVotes,
    Question,
    SensitivityFacts,
    StrongPreference,
)
from cr_audit.models.graph import components
from cr_audit.models.rewards.bootstrap import rows_of_pairs
from cr_audit.models.rewards.kinds.tabular import TABULAR
from cr_audit.models.rewards.objective import pair_terms
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.models.sensitivity.advice import (
    advise,
    order_errors,
    posterior,
    votes_until,
)
from cr_audit.models.sensitivity.chains import Chains, Support, fragile_chains, holders, support_of
from cr_audit.models.sensitivity.flips import FlipAudit, Orders
from cr_audit.models.sensitivity.influence import FittedInfluence, share_variance
from cr_audit.models.sensitivity.pairwise import from_counts
from cr_audit.models.sensitivity.votes import Change

if TYPE_CHECKING:
    from cr_audit.run import Run

THRESHOLD = 2.0
DEFAULT_PENALTY = TABULAR.default_penalty
MAX_LISTED = 50
MAX_ROWS = 20
# Dominant preferences of so few votes are reported; more than that is not few.
FEW_VOTES = 5
TOPS = (3, 5, 10)
# Separate rankings whose leader is looked at, the largest first.
MAX_RANKINGS = 10
# The posterior of the advice is a dense matrix: of the best so many items.
MAX_ADVISED = 200
N_NEXT = 5
LOOK_AHEAD = 1000
WIDTH = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """One fit of the unit's comparisons. influence : at the fit to shares with half a vote on each
    side, as along a chain: three of three votes are no certainty, and the derivative of the fit
    itself would take them for one."""

    name: FitName
    weights: FloatArray
    rewards: FloatArray
    influence: FittedInfluence


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    """The unit's comparisons by pair. lines : which comparison of the data set each row is.
    copies : int64 (n_items,), size of the clone cluster of each item, 1 = alone."""

    rows: Comparisons
    pairs: Proportions
    pair: IntArray
    support: Support
    lines: IntArray
    copies: IntArray


def compute(run: Run) -> SensitivityFacts:
    """Raises ComputeError ``nothing-compared`` where no two different items were compared."""
    analysis = run.analysis
    unit = analysis.units[0]
    if unit.comparisons.n == 0:
        raise nothing_compared(unit.unit, run.dataset, "nothing can hang on a vote")
    threshold = float(run.options.get("threshold", THRESHOLD))
    votes = _votes(analysis, unit)
    run.progress("fits", 0, 0)
    penalty, reason = tabular_penalty(analysis, unit)
    standard = _fit(run, "standard", votes, np.full(unit.items.n, 1.0 / unit.items.n), penalty)
    weighted, scheme = _weighted(run, analysis, votes, penalty)
    run.progress("fragile pairs", 0, 0)
    variance = _variance(votes)

    def errors(i: IntArray, j: IntArray) -> FloatArray:
        return standard.influence.rough_errors(variance, run.stream("fragile pairs"))(i, j)

    chains = fragile_chains(_counted(votes), threshold=threshold, limit=MAX_LISTED, errors=errors)
    label, sizes = components(votes.pairs)
    strong, n_dominant, n_thin = _strong(run, votes, chains, threshold)
    flips = _flips(run, votes, standard, weighted, penalty, label, sizes)
    return SensitivityFacts(
        unit=unit.unit,
        reason=unit.reason,
        names=tuple(unit.items.names),
        ids=tuple(unit.items.ids),
        n_comparisons=votes.rows.n,
        n_components=int(sizes.shape[0]),
        penalty=penalty,
        penalty_reason=reason,
        rewards=standard.rewards,
        weighted=scheme,
        threshold=threshold,
        fragile=_fragile(run, votes, chains, variance, standard, weighted),
        n_sensitive=chains.n_sensitive,
        n_skipped=chains.n_skipped,
        strong=strong,
        n_dominant=n_dominant,
        n_dominant_thin=n_thin,
        holders=holders(votes.rows, votes.pair, votes.pairs),
        annotators=run.dataset.annotators,
        flips=flips,
        next_votes=_next(run, votes, label),
        decisions=decisions_of(run),
    )


# The fits ---------------------------------------------------------------------------------------


def _votes(analysis: Analysis, unit: UnitResult) -> _Votes:
    rows = unit.comparisons
    first, _, pair, _ = rows_of_pairs(rows)
    every = analysis.dataset.comparison_arrays()
    labels = unit.items.labels
    won, lost = labels[every.winner], labels[every.loser]
    lines = np.flatnonzero((won != lost) & (won >= 0) & (lost >= 0))
    return _Votes(
        rows=rows,
        pairs=rows.proportions(),
        pair=pair,
        support=support_of(rows, pair, first.shape[0]),
        lines=lines,
        copies=_copies(analysis, unit),
    )


def _copies(analysis: Analysis, unit: UnitResult) -> IntArray:
    """Size of each item's clone cluster; of models and clusters, 1."""
    out = np.ones(unit.items.n, np.int64)
    if unit.unit != "response" or isinstance(analysis.clones, NotApplicable):
        return out
    groups = analysis.clones.labels
    known = groups.labels >= 0
    size = np.bincount(groups.labels[known], minlength=groups.n_groups)
    out[known] = size[groups.labels[known]]
    return out


def _counted(votes: _Votes) -> Proportions:
    """The pairs with the number of rows as mass: an error goes by votes, not by what they weigh."""
    p = votes.pairs
    return Proportions(p.n_items, p.first, p.second, p.p, votes.support.n_rows.astype(np.float64))


def _fit(run: Run, name: FitName, votes: _Votes, weights: FloatArray, penalty: float) -> _Fitted:
    counted = run.settings.count_weighted
    fit = fit_tabular(votes.pairs, weights, penalty=penalty, count_weighted=counted)
    likely = _with_half_votes(votes)
    terms = pair_terms(likely, weights, count_weighted=counted)
    near = fit_tabular(
        likely, weights, penalty=penalty, count_weighted=counted, warm_start=fit.rewards
    )
    influence = FittedInfluence(terms, weights, penalty, near.rewards)
    return _Fitted(name, weights, fit.rewards, influence)


def _with_half_votes(votes: _Votes) -> Proportions:
    """The pairs, half a vote on each side of every share."""
    p, n = votes.pairs, votes.support.n_rows.astype(np.float64)
    share = from_counts(np.clip(p.p * n, 0.0, n), n)
    return Proportions(p.n_items, p.first, p.second, share, p.mass)


def _weighted(
    run: Run, analysis: Analysis, votes: _Votes, penalty: float
) -> tuple[_Fitted | NotApplicable, str | NotApplicable]:
    """The fit by the weights that ``refit`` would use, and these in words."""
    items = analysis.units[0].items
    if isinstance(items.weights, NotApplicable):
        return items.weights, items.weights
    name = scheme_of(analysis.settings, items.scheme)
    try:
        return _fit(run, "weighted", votes, items.weights, penalty), name
    except ComputeError as error:
        return NotApplicable(error.message), NotApplicable(error.message)


# Fragile pairs ----------------------------------------------------------------------------------


def _predicted(fitted: _Fitted, i: IntArray, j: IntArray) -> FloatArray:
    """p̂(i ≻ j) of the fit itself."""
    r = np.nan_to_num(fitted.rewards)
    out: FloatArray = expit(r[i] - r[j])
    return out


def _variance(votes: _Votes) -> FloatArray:
    """Of each pair's share, float64 (k,)."""
    n = votes.support.n_rows.astype(np.float64)
    return share_variance(np.clip(votes.pairs.p * n, 0.0, n), n)


def _fragile(
    run: Run,
    votes: _Votes,
    chains: Chains,
    variance: FloatArray,
    standard: _Fitted,
    weighted: _Fitted | NotApplicable,
) -> tuple[FragilePair, ...]:
    """Those of the largest error in the fit, which is M of the fit times that of each preference
    in quadrature, first."""
    if chains.n == 0:
        return ()
    i, j, head = chains.start, chains.end, chains.head
    pairs, support = votes.pairs, votes.support
    span = np.arange(chains.n)
    # ∂p̂_ij/∂p(first ≻ second) of the head, turned to ∂/∂p(start ≻ middle).
    sign = np.where(pairs.first[head] == chains.start, 1.0, -1.0)
    influence = standard.influence.of(i, j)[span, head] * sign
    error = standard.influence.errors(i, j, variance)
    fitted = _predicted(standard, i, j)
    nothing: list[float | NotApplicable]
    if isinstance(weighted, NotApplicable):
        nothing = [weighted] * chains.n
        other, other_influence = nothing, nothing
    else:
        other = _predicted(weighted, i, j).tolist()
        other_influence = (weighted.influence.of(i, j)[span, head] * sign).tolist()
    places = _places_of_pairs(run, votes, head)
    return tuple(
        FragilePair(
            start=int(i[c]),
            middle=int(chains.middle[c]),
            end=int(j[c]),
            p_head=float(chains.p_head[c]),
            p_tail=float(chains.p_tail[c]),
            p_chain=float(chains.p[c]),
            sensitivity=float(chains.sensitivity[c]),
            head_error=float(chains.head_error[c]),
            chain_error=float(chains.error[c]),
            harm=float(chains.harm[c]),
            n_direct=float(chains.n_direct[c]),
            n_head=int(support.n_rows[head[c]]),
            n_head_annotators=int(support.n_annotators[head[c]]),
            n_head_prompts=int(support.n_prompts[head[c]]),
            fitted=float(fitted[c]),
            influence=float(influence[c]),
            fitted_error=float(error[c]),
            fitted_weighted=other[c],
            influence_weighted=other_influence[c],
            n_copies=int(max(votes.copies[i[c]], votes.copies[chains.middle[c]])),
            head_rows=places[int(head[c])],
        )
        for c in np.argsort(-error, kind="stable").tolist()
    )


def _strong(
    run: Run, votes: _Votes, chains: Chains, threshold: float
) -> tuple[tuple[StrongPreference, ...], int, int]:
    """Dominant preferences of few votes, those that most fragile pairs hang on first."""
    n = votes.support.n_rows.astype(np.float64)
    p = from_counts(np.clip(votes.pairs.p * n, 0.0, n), n)
    dominant = p * (1.0 - p) < 1.0 / (4.0 * threshold)
    thin = dominant & (votes.support.n_rows <= FEW_VOTES)
    hanging = np.bincount(chains.head, minlength=p.shape[0])
    some = np.flatnonzero(thin & (hanging > 0))
    some = some[np.lexsort((some, -hanging[some]))][:MAX_LISTED]
    places = _places_of_pairs(run, votes, some)
    out = []
    for c in some.tolist():
        first, second = int(votes.pairs.first[c]), int(votes.pairs.second[c])
        up = bool(p[c] > 0.5)
        out.append(
            StrongPreference(
                winner=first if up else second,
                loser=second if up else first,
                p=float(p[c] if up else 1.0 - p[c]),
                n_rows=int(votes.support.n_rows[c]),
                n_annotators=int(votes.support.n_annotators[c]),
                n_prompts=int(votes.support.n_prompts[c]),
                n_hanging=int(hanging[c]),
                n_copies=int(max(votes.copies[first], votes.copies[second])),
                rows=places[c],
            )
        )
    return tuple(out), int(dominant.sum()), int(thin.sum())


def _places_of_pairs(run: Run, votes: _Votes, pairs: IntArray) -> dict[int, tuple[str, ...]]:
    """The first rows of some pairs as file:line."""
    wanted = np.unique(pairs)
    rows = np.flatnonzero(np.isin(votes.pair, wanted))
    order = rows[np.argsort(votes.pair[rows], kind="stable")]
    start = np.searchsorted(votes.pair[order], wanted)
    end = np.searchsorted(votes.pair[order], wanted, side="right")
    return {
        int(p): places(run, votes.lines[order[a : min(b, a + MAX_ROWS)]])
        for p, a, b in zip(wanted, start, end, strict=True)
    }


# Flips ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    question: Question
    k: int
    items: tuple[int, ...]
    component: int
    n_comparisons: int
    orders: Orders


def _flips(
    run: Run,
    votes: _Votes,
    standard: _Fitted,
    weighted: _Fitted | NotApplicable,
    penalty: float,
    label: IntArray,
    sizes: IntArray,
) -> tuple[Flip, ...] | NotApplicable:
    if sizes[0] < 3:
        return NotApplicable(
            "each item was compared with one other at most, so every order rests on one pair"
        )
    everything = bool(run.options.get("flip", False))
    fits = [standard]
    if everything and not isinstance(weighted, NotApplicable):
        fits.append(weighted)
    out: list[Flip] = []
    for fitted in fits:
        rows_alone = FlipAudit(
            votes.rows, fitted.weights, penalty, count_weighted=run.settings.count_weighted
        )
        for unit, units in _units(run, votes, everything).items():
            audit = rows_alone.by(units)
            alone = unit == "comparison" and fitted.name == "standard"
            counts = np.bincount(label[votes.rows.winner], minlength=sizes.shape[0])
            named = (run.options.get("pair") or ()) if alone else ()
            questions = _questions(
                run, audit, label, counts, tops=everything and alone, named=tuple(named)
            )
            for question in questions:
                for change in Change:
                    run.progress("flips", len(out), 0)
                    out.append(_flip(run, votes, fitted.name, unit, audit, question, change))
    return tuple(out)


def _units(run: Run, votes: _Votes, everything: bool) -> dict[ChangedUnit, IntArray | None]:
    """What is changed as a whole: labels per row, None for single comparisons."""
    rows = votes.rows
    out: dict[ChangedUnit, IntArray | None] = {"comparison": None}
    if np.unique(rows.annotator[rows.annotator >= 0]).size > 1:
        out["annotator"] = rows.annotator
    if not everything:
        return out
    if np.unique(rows.prompt[rows.prompt >= 0]).size > 1:
        out["prompt"] = rows.prompt
    clones = run.analysis.clones
    if run.analysis.units[0].unit == "response" and not isinstance(clones, NotApplicable):
        cluster = np.where(votes.copies > 1, clones.labels.labels, -1)
        won, lost = cluster[rows.winner], cluster[rows.loser]
        # A row belongs to one unit: of two clusters the larger, of equal ones the winner's.
        larger = votes.copies[rows.loser] > votes.copies[rows.winner]
        out["clone cluster"] = np.where((won < 0) | (larger & (lost >= 0)), lost, won)
    return out


def _questions(
    run: Run,
    audit: FlipAudit,
    label: IntArray,
    counts: IntArray,
    *,
    tops: bool,
    named: tuple[str, ...],
) -> list[_Question]:
    out = []
    for component in range(min(counts.shape[0], MAX_RANKINGS)):
        members = np.flatnonzero(label == component)
        if members.size < 3:
            break
        best = int(members[np.argmax(audit.rewards[members])])
        leader = audit.leader(best)
        if not isinstance(leader, NotApplicable):
            out.append(_Question("leader", 1, (best,), component, int(counts[component]), leader))
    best = int(np.argmax(np.where(label == 0, audit.rewards, -np.inf)))
    for k in TOPS if tops else ():
        top = audit.top(k, best)
        if not isinstance(top, NotApplicable):
            out.append(
                _Question("top", k, tuple(np.unique(top.above).tolist()), 0, int(counts[0]), top)
            )
    if named:
        a, b = _named_pair(run, named)
        pair = audit.pair(a, b)
        if isinstance(pair, NotApplicable):
            raise ComputeError(
                "no-path",
                f"{pair.reason}: {named[0]} and {named[1]}",
                next_step="collect a comparison between their two groups",
            )
        two = (int(pair.above[0]), int(pair.below[0]))
        out.append(_Question("pair", 1, two, int(label[a]), int(counts[label[a]]), pair))
    return out


def _named_pair(run: Run, named: tuple[str, ...]) -> tuple[int, int]:
    """The items of --pair, by id or name."""
    items = run.analysis.units[0].items
    if len(named) != 2:
        raise UsageError(
            "pair-of-two",
            "--pair is given twice, once for each of the two items",
            found=", ".join(named),
            next_step="for example --pair gpt-4 --pair llama-2",
        )
    out = []
    for name in named:
        found = [i for i in range(items.n) if name in (items.ids[i], items.names[i])]
        if len(found) != 1:
            raise UsageError(
                "unknown-item",
                f"--pair names {'no' if not found else 'more than one'} {items.unit}",
                found=name,
                next_step="give its id, as --format json prints it",
            )
        out.append(found[0])
    return out[0], out[1]


def _flip(
    run: Run,
    votes: _Votes,
    fit: FitName,
    unit: ChangedUnit,
    audit: FlipAudit,
    question: _Question,
    change: Change,
) -> Flip:
    interval = audit.interval(question.orders, change)
    names: tuple[str, ...] = ()
    if unit == "annotator" and interval.rows.size:
        who = np.unique(votes.rows.annotator[interval.rows])
        names = tuple(run.dataset.annotators[a] for a in who[:MAX_ROWS].tolist() if a >= 0)
    return Flip(
        question=question.question,
        k=question.k,
        items=question.items,
        component=question.component,
        n_comparisons=question.n_comparisons,
        fit=fit,
        unit=unit,
        interval=interval,
        rows=places(run, votes.lines[interval.rows[:MAX_ROWS]]),
        names=names,
    )


# What to collect --------------------------------------------------------------------------------


def _next(run: Run, votes: _Votes, label: IntArray) -> NextVotes | NotApplicable:
    """For the leader of the largest ranking, among its best MAX_ADVISED items."""
    members = np.flatnonzero(label == 0)
    if members.size < 2:
        return NotApplicable("no two items are connected")
    pairs = _counted(votes)
    asked = run.options.get("next")
    n = int(asked) if asked is not None else N_NEXT
    wanted = float(run.options.get("width", WIDTH))
    everyone = posterior(pairs, members) if members.size <= MAX_ADVISED else None
    if everyone is None:
        m = pairs.n_items
        fit = fit_tabular(pairs, np.full(m, 1.0 / m), penalty=DEFAULT_PENALTY, count_weighted=True)
        best = members[np.argsort(-fit.rewards[members], kind="stable")[:MAX_ADVISED]]
        everyone = posterior(pairs, np.sort(best))
    leader = int(np.argmax(everyone.mean))
    below = np.array([x for x in range(everyone.items.size) if x != leader])
    above = np.full(below.size, leader)
    level = run.settings.confidence_level
    soon = advise(everyone, above, below, n, level=level, rng=run.stream("advice"))
    errors = order_errors(everyone.mean, everyone.covariance, above, below)
    rival = int(below[int(np.argmax(errors))])
    until = votes_until(everyone, leader, rival, wanted, level=level, limit=LOOK_AHEAD)
    return NextVotes(
        leader=int(everyone.items[leader]),
        rival=int(everyone.items[rival]),
        first=everyone.items[soon.first],
        second=everyone.items[soon.second],
        fall=soon.fall,
        probability_wrong=soon.error,
        probability_wrong_after=soon.error_after,
        width=float(soon.width[0]),
        wanted=wanted,
        n_until=until if until <= LOOK_AHEAD else NotApplicable(f"more than {LOOK_AHEAD:,} votes"),
    )


def tasks(run: Run, facts: SensitivityFacts, votes: NextVotes) -> list[dict[str, Any]]:
    """The advised comparisons as rows for annotators: prompt, response_a, response_b, model_a,
    model_b where known, and the ids; which of the two stands first is drawn. Models meet over a
    prompt that both answered, the least used first."""
    frame, prompts = run.dataset.alternatives, run.dataset.prompts
    unit = run.analysis.units[0]
    text, model = frame["text"].to_list(), frame["model"].to_list()
    prompt_of = frame["prompt"].to_numpy().astype(np.int64)
    prompt_text = prompts["text"].to_list()
    flips = run.stream("order of tasks").random(votes.first.size) < 0.5
    used: dict[int, int] = {}
    out = []
    pairs = zip(votes.first.tolist(), votes.second.tolist(), flips, votes.fall, strict=True)
    for i, j, flip, fall in pairs:
        task: dict[str, Any] = {"item_a": facts.ids[i], "item_b": facts.ids[j]}
        found = _answers(unit.items.labels, prompt_of, i, j, used)
        if found is not None:
            a, b = found
            used[int(prompt_of[a])] = used.get(int(prompt_of[a]), 0) + 1
            if flip:
                a, b = b, a
                task = {"item_a": facts.ids[j], "item_b": facts.ids[i]}
            task |= {
                "prompt": prompt_text[prompt_of[a]],
                "response_a": text[a],
                "response_b": text[b],
                "model_a": model[a],
                "model_b": model[b],
            }
        task["expected_fall"] = round(float(fall), 6)
        out.append({k: _plain(v) for k, v in task.items() if v is not None})
    return out


def _answers(
    labels: np.ndarray[Any, Any],
    prompt_of: np.ndarray[Any, Any],
    i: int,
    j: int,
    used: dict[int, int],
) -> tuple[int, int] | None:
    """One answer of each item to a prompt that both have, the least used prompt first."""
    mine, other = np.flatnonzero(labels == i), np.flatnonzero(labels == j)
    shared = np.intersect1d(prompt_of[mine], prompt_of[other])
    if shared.size == 0:
        return None
    prompt = min(shared.tolist(), key=lambda p: (used.get(p, 0), p))
    a = mine[prompt_of[mine] == prompt][0]
    b = other[prompt_of[other] == prompt][0]
    return int(a), int(b)


def _plain(value: Any) -> Any:
    """Lone surrogates have no UTF-8: they are written as their escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value

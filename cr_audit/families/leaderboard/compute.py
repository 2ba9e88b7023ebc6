"""A run in, a leaderboard out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.analysis.facts import UnitResult
from cr_audit.analysis.units import choose_resampling, nothing_compared
from cr_audit.arrays import Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.engine.tails import norm, t
from cr_audit.errors import ComputeError, InputError, UsageError
from cr_audit.families.leaderboard.facts import (
    Board,
    CloneRobust,
    Controlled,
    Effect,
    LeaderboardFacts,
    Pairs,
    PriorPath,
    Vendors,
    Voting,
)
from cr_audit.models.competence import Competence, fit_competence
from cr_audit.models.marks import CovarianceGaps, ReplicateGaps, mark_changes
from cr_audit.models.penalty import penalty_path, vanishing_penalty
from cr_audit.models.places import SMALLEST_FREEDOM, competition_ranks, leading, places
from cr_audit.models.rewards.bootstrap import bootstrap_tabular, effective_units
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.models.style import (
    Covariates,
    density_difference,
    length_difference,
    position_covariates,
    scaled,
)
from cr_audit.models.ties.battles import Battles, battles
from cr_audit.models.ties.bootstrap import bootstrap_ties
from cr_audit.models.ties.fit import (
    DEFAULT_PRIOR_PRECISION,
    ELO_PER_LOG_ODDS,
    MAX_ITEMS,
    TieFit,
    fit_best_link,
    fit_ties,
    uncertainty,
)
from cr_audit.models.ties.links import LOSS, TIE, WIN
from cr_audit.models.vendors import best_of_n, one_place_each, owned
from cr_audit.models.voting.bootstrap import bootstrap_rules
from cr_audit.models.voting.independence import (
    CloneSet,
    Dependence,
    Independence,
    ManyRanks,
    RankRule,
    check_independence,
    clone_sets,
)
from cr_audit.models.voting.lottery import lottery
from cr_audit.models.voting.margins import BLOCK, margin_matrix, observed
from cr_audit.models.voting.rules import RULES
from cr_audit.readers.columns import read_columns
from cr_audit.run import Run

ELO_CENTRE = 1000.0
PRIOR_SDS = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
MAX_RULE_ITEMS = 200
"""Items up to which the voting rules are run; paths take m³ operations a resample."""
RULE_REPLICATES = 500
ORDERS = ("borda", "copeland")
"""Rules whose ranks are a complete order on any margins; the others leave pairs open where margins
are level, and promise something of their winners."""
MAX_COPIES = 20
"""Items of which a copy is entered to see whether others move."""
MIN_BY_BATTLES = 30
"""Battles below which a value of --by has no board of its own."""
MAX_BOARDS = 30
MAX_GAINS = 20
_MARKS: Mapping[str, str] = {
    "headings": r"(?m)^#{1,6}\s",
    "lists": r"(?m)^\s*(?:[-*+]|\d+[.)])\s",
    "bold": r"\*\*[^*\n]+\*\*",
    "code": r"```",
}
CONTROLS = ("length", "style")


def compute(run: Run) -> LeaderboardFacts:
    """The leaderboard of the run's main unit, by its options.

    Raises ComputeError ``nothing-compared`` where no two items were compared.
    """
    unit, data, options = run.analysis.units[0], run.dataset, run.options
    rows = unit.comparisons
    resampled, clusters = choose_resampling(data, unit.items, rows, run.settings)
    if rows.n == 0:
        raise nothing_compared(unit.unit, data, "there is no leaderboard")
    if rows.n_items > MAX_ITEMS:
        raise ComputeError(
            "too-many-items",
            f"a leaderboard of {rows.n_items:,} {unit.unit}s is not made: at most {MAX_ITEMS:,}",
            next_step=(
                "cr-audit winrates ranks them all; for a board keep the rows between fewer of them"
                if unit.unit == "model"
                else "rank fewer: --unit model where models are compared; cr-audit winrates has no"
                " such limit"
            ),
        )
    level, n_replicates = float(options.get("level", 0.95)), run.settings.n_replicates
    run.progress("leaderboard", 0, 0)
    make = _Maker(run, level, n_replicates)
    cells = battles(rows)
    board = make.board("", cells, clusters, "board")
    controlled = _controlled(make, unit, data, rows, clusters, options)
    by_field = str(options.get("by") or "")
    by, n_small = _by(make, data, unit, rows, clusters, by_field)
    return LeaderboardFacts(
        unit=unit.unit,
        unit_reason=unit.reason,
        names=tuple(unit.items.names),
        ids=tuple(unit.items.ids),
        n_within=unit.n_within,
        resampled=resampled,
        level=level,
        board=board,
        path=_path(cells, board.fit),
        pairs=_pairs(cells, board),
        controlled=controlled,
        position=_position(make, rows, clusters, board),
        position_by_judge=_position_by_judge(make, rows, clusters, board, data),
        competence=_competence(rows, board),
        judges=data.annotators,
        clones=_clones(make, unit, rows, clusters),
        vendors=_vendors(make, unit, data, cells, rows, clusters, board, options),
        voting=_voting(make, cells, clusters, board),
        by_field=by_field,
        by=by,
        n_small=n_small,
    )


class _Maker:
    """Boards of one run: the same level, replicates and streams by name."""

    def __init__(self, run: Run, level: float, n_replicates: int) -> None:
        self.run, self.level, self.n_replicates = run, level, n_replicates

    def stream(self, name: str) -> np.random.Generator:
        return self.run.stream(f"leaderboard {name}")

    def board(self, name: str, cells: Battles, clusters: IntArray | None, stream: str) -> Board:
        return measured_board(
            name, cells, clusters, self.level, self.n_replicates, self.stream(stream)
        )


def measured_board(
    name: str,
    cells: Battles,
    clusters: IntArray | None,
    level: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> Board:
    """One board: the likelier model of ties, its intervals, places and chances of leading.

    clusters : int64 (n,) of the comparisons that ``cells`` was made of, as for ``covariance``.
    """
    fit, link = fit_best_link(cells, prior_precision=DEFAULT_PRIOR_PRECISION)
    m = cells.n_items
    unsure = uncertainty(cells, fit, clusters=clusters)
    cov, freedom = unsure.covariance[:m, :m], unsure.freedom[:m]
    rng, draws = rng.spawn(2)
    drawn = bootstrap_ties(cells, fit, n_replicates=n_replicates, clusters=clusters, rng=rng)
    n_units = unsure.pooled + 1.0 if np.isfinite(unsure.pooled) else None
    found = places(fit.rewards, cov, drawn.rewards, fit.component, level=level, n_units=n_units)
    known = fit.component >= 0
    error = np.where(known, np.sqrt(np.maximum(np.diag(cov), 0.0)), np.nan)
    z = _quantile(level, freedom)
    wins, ties, losses = _tallies(cells)
    return Board(
        name=name,
        fit=fit,
        link=link,
        covariance=cov,
        error=error,
        low=fit.rewards - z * error,
        high=fit.rewards + z * error,
        elo=ELO_CENTRE + ELO_PER_LOG_ODDS * fit.rewards,
        places=found,
        leading=leading(
            fit.rewards,
            cov,
            fit.component,
            shared=unsure.shared[:m, :m],
            freedom=unsure.pooled,
            rng=draws,
        ),
        n_wins=wins,
        n_ties=ties,
        n_losses=losses,
        n_opponents=observed(cells).sum(axis=1).astype(np.int64),
        n_battles=cells.total,
        n_units=drawn.n_units,
        n_replicates=drawn.n_replicates,
        n_not_converged=drawn.n_not_converged,
    )


def _quantile(level: float, freedom: FloatArray) -> FloatArray:
    """Half the width of an interval in standard errors: Student's t, the normal's at inf."""
    half = np.full(freedom.shape, 0.5 * (1.0 - level))
    few = np.clip(freedom, SMALLEST_FREEDOM, 1e9)
    out: FloatArray = np.where(np.isfinite(freedom), t.isf(half, few), norm.isf(half))
    return out


def _tallies(cells: Battles) -> tuple[FloatArray, FloatArray, FloatArray]:
    m = cells.n_items

    def total(a: FloatArray, b: FloatArray) -> FloatArray:
        first = np.bincount(cells.first, weights=a, minlength=m)
        return np.asarray(first + np.bincount(cells.second, weights=b, minlength=m))

    won, tied, lost = cells.counts[WIN], cells.counts[TIE], cells.counts[LOSS]
    return total(won, lost), total(tied, tied), total(lost, won)


def _path(cells: Battles, fit: TieFit) -> PriorPath:
    """Leaders for priors of ±1 to ±10 log-odds: what nobody would rule out beforehand."""
    leaders = []
    for sd in PRIOR_SDS:
        other = fit_ties(cells, fit.link, prior_precision=1.0 / sd**2, warm_start=fit)
        rank = competition_ranks(other.rewards, other.component)
        first = np.flatnonzero((rank == 1) & (other.component == 0))
        leaders.append(tuple(first.tolist()))
    return PriorPath(PRIOR_SDS, tuple(leaders))


def _pairs(cells: Battles, board: Board) -> Pairs:
    """All pairs within components, by the order of the board."""
    order = board.places.order
    a, b = np.triu_indices(order.size, 1)
    first, second = order[a], order[b]
    same = board.fit.component[first] == board.fit.component[second]
    first, second = first[same], second[same]
    m = cells.n_items
    counts = np.zeros((3, m, m))
    for k, other in ((WIN, LOSS), (TIE, TIE), (LOSS, WIN)):
        np.add.at(counts[k], (cells.first, cells.second), cells.counts[k])
        np.add.at(counts[k], (cells.second, cells.first), cells.counts[other])
    cov = board.covariance
    variance = cov[first, first] + cov[second, second] - 2.0 * cov[first, second]
    mine = counts[:, first, second]
    return Pairs(
        first=first,
        second=second,
        counts=mine,
        probabilities=board.fit.probabilities(first, second),
        error=np.sqrt(np.maximum(variance, 0.0)),
        seen=mine.sum(axis=0) > 0,
    )


# --- position, judges, style ---


def _effects(
    make: _Maker, cells: Battles, fit: TieFit, of: Covariates, clusters: IntArray | None
) -> tuple[Effect, ...]:
    m = cells.n_items
    unsure = uncertainty(cells, fit, clusters=clusters)
    part = slice(m, m + len(of.names))
    error = np.sqrt(np.maximum(np.diag(unsure.covariance)[part], 0.0))
    width = _quantile(make.level, unsure.freedom[part]) * error
    return tuple(
        Effect(name, float(v), float(e), float(v - w), float(v + w), float(s))
        for name, v, e, w, s in zip(of.names, fit.effects, error, width, of.scale, strict=True)
    )


def _position(
    make: _Maker, rows: Comparisons, clusters: IntArray | None, board: Board
) -> Effect | NotApplicable:
    of = position_covariates(rows)
    if not of.names:
        return NotApplicable("no row says which answer was shown first")
    if np.unique(of.values[of.values != 0.0]).size < 2 and not (rows.outcome == 0.5).any():
        share = float((rows.winner_first == 1).sum()) / max(int((rows.winner_first >= 0).sum()), 1)
        if share in (0.0, 1.0):
            return NotApplicable("the winner always stands on one side: the order was not kept")
    cells = battles(rows, of.values)
    fit = fit_ties(cells, board.fit.link, prior_precision=board.fit.prior_precision)
    return _effects(make, cells, fit, of, clusters)[0]


def _position_by_judge(
    make: _Maker,
    rows: Comparisons,
    clusters: IntArray | None,
    board: Board,
    data: PreferenceDataset,
) -> tuple[Effect, ...] | NotApplicable:
    of = position_covariates(rows, by_judge=True)
    if len(of.names) < 2:
        return NotApplicable("fewer than two judges have 30 battles of known order")
    cells = battles(rows, of.values)
    try:
        fit = fit_ties(cells, board.fit.link, prior_precision=board.fit.prior_precision)
    except ComputeError as error:
        return NotApplicable(error.message)
    named = tuple(n if n == "others" else data.annotators[int(n)] for n in of.names)
    return _effects(make, cells, fit, Covariates(of.values, named, of.scale), clusters)


def _competence(rows: Comparisons, board: Board) -> Competence | NotApplicable:
    decided = rows.take(np.flatnonzero(rows.annotator >= 0))
    if decided.n < rows.n / 2:
        return NotApplicable("most rows do not name their judge")
    return fit_competence(decided, prior_precision=board.fit.prior_precision)


def style_covariates(
    texts: list[str | None], winner: IntArray, loser: IntArray, controls: tuple[str, ...]
) -> Covariates:
    """Length and markdown of two answers, as normalised differences scaled to one.

    ``length`` : characters; ``style`` : headings, list items, bold and code blocks per character.
    """
    length = np.array([len(t or "") for t in texts], dtype=np.float64)
    columns: dict[str, FloatArray] = {}
    if "length" in controls:
        columns["length"] = length_difference(length, winner, loser)
    if "style" in controls:
        for name, pattern in _MARKS.items():
            found = re.compile(pattern)
            count = np.array(
                [sum(1 for _ in found.finditer(t or "")) for t in texts], dtype=np.float64
            )
            columns[name] = density_difference(count, length, winner, loser)
    return scaled(columns)


def _controlled(
    make: _Maker,
    unit: UnitResult,
    data: PreferenceDataset,
    rows: Comparisons,
    clusters: IntArray | None,
    options: Mapping[str, Any],
) -> Controlled | NotApplicable:
    asked = tuple(x.strip() for x in str(options.get("control") or "").split(",") if x.strip())
    if not asked:
        return NotApplicable("asked for with --control length,style")
    wrong = [x for x in asked if x not in CONTROLS]
    if wrong:
        raise UsageError(
            "unknown-control",
            f"--control knows {' and '.join(CONTROLS)}",
            found=wrong[0],
            next_step="use --control length,style",
        )
    texts = data.alternatives["text"].to_list()
    all_rows = data.comparison_arrays()
    labels = unit.items.labels
    kept = (
        (labels[all_rows.winner] != labels[all_rows.loser])
        & (labels[all_rows.winner] >= 0)
        & (labels[all_rows.loser] >= 0)
    )
    answers = all_rows.take(np.flatnonzero(kept))
    has = np.array([t is not None for t in texts], dtype=np.bool_)
    both = np.flatnonzero(has[answers.winner] & has[answers.loser])
    if both.size < MIN_BY_BATTLES:
        return NotApplicable(
            "the answers' texts are not in the data; give the file of responses beside this one"
        )
    of = style_covariates(texts, answers.winner[both], answers.loser[both], asked)
    if not of.names:
        return NotApplicable("the two answers never differ in what was asked for")
    mine = rows.take(both)
    group = None if clusters is None else clusters[both]
    cells = battles(mine, of.values)
    made = make.board("controlled", cells, group, "controlled")
    alone = fit_ties(battles(mine), made.fit.link, prior_precision=made.fit.prior_precision)
    m = cells.n_items
    before = uncertainty(battles(mine), alone, clusters=group)
    after = uncertainty(cells, made.fit, clusters=group)
    marks = mark_changes(
        alone.rewards,
        made.fit.rewards,
        made.fit.component,
        CovarianceGaps(
            before.covariance[:m, :m],
            made.covariance,
            float(both.size) if group is None else 1.0 + min(before.pooled, after.pooled),
        ),
        level=make.run.settings.confidence_level,
    )
    return Controlled(
        board=made,
        effects=_effects(make, cells, made.fit, of, group),
        shift=made.fit.rewards - alone.rewards,
        marks=marks,
        n_left_out=rows.n - both.size,
    )


# --- clones, vendors, voting ---


def _clones(
    make: _Maker, unit: UnitResult, rows: Comparisons, clusters: IntArray | None
) -> CloneRobust | NotApplicable:
    known = unit.items.weights
    if isinstance(known, NotApplicable):
        return known
    m = unit.items.n
    uniform = np.full(m, 1.0 / m)
    if np.allclose(known, uniform, atol=1e-9):
        return NotApplicable("no two items are near enough to share their weight")
    pairs = rows.proportions()
    penalty = vanishing_penalty(rows.n, m, prior_sd=DEFAULT_PRIOR_PRECISION**-0.5)
    fits = [fit_tabular(pairs, w, penalty=penalty) for w in (uniform, known)]
    draws = unit.items.draws
    drawn = bootstrap_tabular(
        rows,
        fits,
        n_replicates=make.n_replicates,
        clusters=clusters,
        draw_weights=[None, None if draws is None else lambda rng: draws(1, rng)[0]],
        rng=make.stream("clones"),
    )
    one, two = (f.rewards for f in fits)
    component = fits[0].components

    def at(r: Comparisons, lam: float, warm: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        f = fit_tabular(r.proportions(), known, penalty=lam, warm_start=warm)
        return f.rewards, f.rewards

    def at_uniform(
        r: Comparisons, lam: float, warm: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        f = fit_tabular(r.proportions(), uniform, penalty=lam, warm_start=warm)
        return f.rewards, f.rewards

    # A change must hold under the penalty halved and doubled.
    grid = np.array([penalty / 2.0, penalty, 2.0 * penalty])
    paths = [penalty_path(rows, f, component, grid) for f in (at_uniform, at)]
    marks = mark_changes(
        one,
        two,
        component,
        ReplicateGaps(drawn.rewards, effective_units(rows, clusters)),
        level=make.run.settings.confidence_level,
        holds=lambda x, y: paths[0].holds(x, y) & paths[1].holds(y, x),
    )
    return CloneRobust(
        scheme=make.run.settings.weights,
        weights=known,
        reward_standard=one,
        reward_weighted=two,
        rank_standard=competition_ranks(one, component),
        rank_weighted=competition_ranks(two, component),
        marks=marks,
        penalty=penalty,
    )


def owner_of_name(name: str) -> str:
    """The vendor that a model's name begins with: before a slash, else its first word."""
    if "/" in name:
        return name.split("/", 1)[0].casefold()
    found = re.match(r"[^\W\d_]+", name)
    return found.group(0).casefold() if found else name.casefold()


def _owners(
    unit: UnitResult, data: PreferenceDataset, asked: str
) -> tuple[str, list[str]] | NotApplicable:
    """How owners were found, and the owner of each item."""
    names = unit.items.names
    if not asked:
        return NotApplicable("asked for with --owner name, --owner FIELD,FIELD or --owner FILE")
    if unit.unit != "model":
        return NotApplicable("owners are owners of models; use --unit model")
    if asked == "name":
        return "the first word of the models' names", [owner_of_name(n) for n in names]
    if Path(asked).is_file():
        table = _owner_file(asked)
        return f"the file {asked}", [table.get(n, n) for n in names]
    table = _owner_fields(data, asked)
    return f"the fields {asked}", [table.get(n, n) for n in names]


def _owner_file(path: str) -> dict[str, str]:
    found = read_columns((path,), ("model", "owner"), option="--owner")[0]
    return {m: o for m, o in found.values() if m is not None and o is not None}


def _owner_fields(data: PreferenceDataset, asked: str) -> dict[str, str]:
    """Owners from two fields of the rows, of the left and of the right side's model."""
    fields = [f.strip() for f in asked.split(",")]
    roles = data.report.schemas[0].fields if data.report.schemas else {}
    sides = [roles.get("left_model"), roles.get("right_model")]
    if None in sides:
        sides = [roles.get("chosen_model"), roles.get("rejected_model")]
    if len(fields) != 2 or None in sides:
        raise UsageError(
            "owner-fields",
            "--owner takes `name`, a file with the columns model and owner, or two fields of the"
            " rows (left,right) where the rows name two models",
            found=asked,
            next_step="write a CSV file with the columns model and owner",
        )
    paths = [f.path for f in data.report.files]
    out: dict[str, str] = {}
    wanted = [s for s in sides if s is not None]
    for table in read_columns(paths, (*wanted, *fields), option="--owner"):
        for left, right, one, two in table.values():
            for model, owner in ((left, one), (right, two)):
                if model is None or owner is None:
                    continue
                if out.setdefault(model, owner) != owner:
                    raise InputError(
                        "two-owners",
                        "a model has two owners",
                        where=paths[0],
                        found=f"{model}: {out[model]} and {owner}",
                        next_step="give a file with one owner a model: --owner owners.csv",
                    )
    return out


def _vendors(
    make: _Maker,
    unit: UnitResult,
    data: PreferenceDataset,
    cells: Battles,
    rows: Comparisons,
    clusters: IntArray | None,
    board: Board,
    options: Mapping[str, Any],
) -> Vendors | NotApplicable:
    found = _owners(unit, data, str(options.get("owner") or ""))
    if isinstance(found, NotApplicable):
        return found
    how, owner_of = found
    owners = tuple(sorted(set(owner_of)))
    index = {o: i for i, o in enumerate(owners)}
    labels = np.array([index[o] for o in owner_of], dtype=np.int64)
    between, n_within = owned(rows, labels)
    own: Board | NotApplicable = NotApplicable("all battles are within one owner")
    if between.n:
        kept = labels[rows.winner] != labels[rows.loser]
        of = None if clusters is None else clusters[kept]
        own = make.board("owners", battles(between), of, "owners")
    rank, gains = board.places.rank, []
    sizes = np.bincount(labels[rank > 0], minlength=len(owners))
    several = np.flatnonzero(sizes >= 2)
    several = several[np.lexsort((several, -sizes[several]))][:MAX_GAINS]
    rng = make.stream("vendors")
    for o in several.tolist():
        mine = np.flatnonzero((labels == o) & (rank > 0))
        best = int(mine[np.lexsort((mine, -board.fit.rewards[mine]))][0])
        n = int(mine.size)
        gains.append(
            best_of_n(cells, board.fit, best, n_variants=sorted({1, 3, n}), rng=rng.spawn(1)[0])
        )
    return Vendors(
        how=how,
        owners=owners,
        labels=labels,
        gains=tuple(gains),
        board=own,
        place=one_place_each(rank, labels, board.fit.component),
        n_within=n_within,
    )


def _voting(
    make: _Maker, cells: Battles, clusters: IntArray | None, board: Board
) -> Voting | NotApplicable:
    m = cells.n_items
    if m > MAX_RULE_ITEMS:
        return NotApplicable(f"rules on margins are run for at most {MAX_RULE_ITEMS} items")
    if board.fit.n_components > 1:
        return NotApplicable("the items form separate rankings, and rules need one")
    n = min(make.n_replicates, RULE_REPLICATES)
    results = bootstrap_rules(
        cells, n_replicates=n, clusters=clusters, level=make.level, rng=make.stream("voting")
    )
    margins = margin_matrix(cells)
    sets, how = clone_sets(margins), "items with equal margins against everybody else"
    checks: dict[str, Independence] = {}
    if sets:
        for name in RULES:
            one, many = _rule(margins, name), _rule_of_many(margins, name)
            checks[name] = check_independence(one, m, sets, many=many)
        checks["board"] = check_independence(_board_rule(cells, board.fit), m, sets)
    else:
        how = "a copy of each of the best items, entered one by one"
        best = board.places.order[:MAX_COPIES].tolist()
        for name in RULES:
            alone = _rule(margins, name)(np.arange(m))
            each = [_ranked_with(_rule(_with_copy(margins, i), name), alone) for i in best]
            checks[name] = _copied(best, each, m, ordered=name in ORDERS)
        alone = _board_rule(cells, board.fit)(np.arange(m))
        again = [
            _ranked_with(_board_rule(_cells_with_copy(cells, i), board.fit), alone) for i in best
        ]
        checks["board"] = _copied(best, again, m, ordered=True)
    return Voting(
        rules=results,
        lottery=lottery(margins[None])[0],
        sets_from=how,
        independence=checks,
    )


def _with_copy(margins: FloatArray, item: int) -> FloatArray:
    """One more item, right after ``item``, that stands to everybody as it does, level with it."""
    at = np.insert(np.arange(margins.shape[0]), item + 1, item)
    out: FloatArray = margins[np.ix_(at, at)].copy()
    out[item, item + 1] = out[item + 1, item] = 0.0
    return out


def _ranked_with(rule: RankRule, alone: IntArray) -> RankRule:
    """``rule`` with a copy; with the copy or its original left out, what is left is the data."""
    return lambda kept: alone if kept.size == alone.size else rule(kept)


def _cells_with_copy(cells: Battles, item: int) -> Battles:
    """The same of battles: the copy fights whom ``item`` fought, as often, with the same end."""
    up = np.arange(cells.n_items) + (np.arange(cells.n_items) > item)
    first, second = up[cells.first], up[cells.second]
    mine = (cells.first == item) | (cells.second == item)
    one = np.where(first[mine] == item, item + 1, first[mine])
    two = np.where(second[mine] == item, item + 1, second[mine])
    return Battles(
        n_items=cells.n_items + 1,
        first=np.concatenate([first, one]),
        second=np.concatenate([second, two]),
        covariates=np.concatenate([cells.covariates, cells.covariates[mine]]),
        counts=np.concatenate([cells.counts, cells.counts[:, mine]], axis=1),
        cell=np.zeros(0, np.int64),
        outcome=np.zeros(0, np.int64),
        mass=np.zeros(0),
    )


def _copied(items: list[int], rules: list[RankRule], m: int, *, ordered: bool) -> Independence:
    """What a copy of each item changes for the others. ordered : whether ranks are an order."""
    winners: list[Dependence] = []
    order: list[Dependence] = []
    for item, rule in zip(items, rules, strict=True):
        pair = (item, item + 1)
        found = check_independence(rule, m + 1, (CloneSet(pair, pair),))

        def named(d: Dependence, item: int = item) -> Dependence:
            others = tuple(i - (i > item) for i in d.items)
            return replace(d, removed=item, clones=(item,), items=others)

        winners += [named(d) for d in found.winners[:1]]
        order += [named(d) for d in found.order[:1] if ordered]
    return Independence((), tuple(winners), tuple(order), 3 * len(items))


def _rule(margins: FloatArray, name: str) -> RankRule:
    many = _rule_of_many(margins, name)
    return lambda kept: many(kept[None])[0]


def _rule_of_many(margins: FloatArray, name: str) -> ManyRanks:
    """Of several selections of one size; 32 MB of margins at a time."""

    def ranks(kept: IntArray) -> IntArray:
        blocks = engine.spans(kept.shape[0], max(1, BLOCK // max(kept.shape[1] ** 2, 1)))
        some = (kept[s] for s in blocks)
        return np.concatenate(
            [RULES[name](margins[k[:, :, None], k[:, None, :]]).rank for k in some]
        )

    return ranks


def _board_rule(cells: Battles, fit: TieFit) -> RankRule:
    """The board's own ranking of some of its items."""

    def ranks(kept: IntArray) -> IntArray:
        label = np.full(cells.n_items, -1, np.int64)
        label[kept] = np.arange(kept.size)
        inside = (label[cells.first] >= 0) & (label[cells.second] >= 0)
        part = Battles(
            n_items=int(kept.size),
            first=label[cells.first[inside]],
            second=label[cells.second[inside]],
            covariates=cells.covariates[inside],
            counts=cells.counts[:, inside],
            cell=np.zeros(0, np.int64),
            outcome=np.zeros(0, np.int64),
            mass=np.zeros(0),
        )
        again = fit_ties(part, fit.link, prior_precision=fit.prior_precision)
        score = np.nan_to_num(again.rewards, nan=-np.inf)
        return competition_ranks(score, np.zeros(kept.size, np.int64), tie=1e-7)

    return ranks


# --- boards by a field ---


def _by(
    make: _Maker,
    data: PreferenceDataset,
    unit: UnitResult,
    rows: Comparisons,
    clusters: IntArray | None,
    field: str,
) -> tuple[tuple[Board, ...] | NotApplicable, int]:
    """A board for each value of a field of the rows, and how many values had too few battles."""
    if not field:
        return NotApplicable("asked for with --by FIELD"), 0
    tables = read_columns([f.path for f in data.report.files], (field,), option="--by")
    frame = data.comparisons
    at = zip(frame["file"].to_list(), frame["line"].to_list(), strict=True)
    values = [tables[f].get(line, (None,))[0] for f, line in at]
    labels = unit.items.labels
    all_rows = data.comparison_arrays()
    kept = (
        (labels[all_rows.winner] != labels[all_rows.loser])
        & (labels[all_rows.winner] >= 0)
        & (labels[all_rows.loser] >= 0)
    )
    mine = [v for v, k in zip(values, kept.tolist(), strict=True) if k]
    names = sorted({v for v in mine if v is not None})
    index = {v: i for i, v in enumerate(names)}
    of = np.array([-1 if v is None else index[v] for v in mine], dtype=np.int64)
    count = np.bincount(of[of >= 0], minlength=len(names))
    order = np.lexsort((np.arange(len(names)), -count))
    large = [int(i) for i in order if count[i] >= MIN_BY_BATTLES][:MAX_BOARDS]
    boards = []
    for i in large:
        at_value = np.flatnonzero(of == i)
        part = None if clusters is None else clusters[at_value]
        if part is not None and np.unique(part).size < 2:
            part = None
        boards.append(make.board(names[i], battles(rows.take(at_value)), part, f"by {names[i]}"))
    return tuple(boards), len(names) - len(large)

"""``stress``: clones injected into the user's own data, and what they do to both rankings.

The clones have the preferences of their original, so only their number and the weights decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cr_audit.analysis.choice import Unit
from cr_audit.analysis.compose import stream
from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.penalties import tabular_penalty
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.errors import ComputeError, UsageError
from cr_audit.models.graph import components_of
from cr_audit.models.rewards.kinds.tabular import TABULAR
from cr_audit.simulate.clone_weights import (
    STANDARD,
    Copies,
    Encode,
    Geometry,
    Models,
    Responses,
    Variant,
)
from cr_audit.simulate.flips import CloneFlip, RemovalFlip, clone_flip, removal_flip
from cr_audit.simulate.injection import Contest, leader_changes, leader_of, ranks_of
from cr_audit.weights.scheme import variants
from cr_audit.weights.schemes import PAPER, SCHEMES

N_CLONES = 20
MAX_CLONES = 100
MAX_LISTED = 20
SPHERE = Variant(PAPER, "sphere")
TARGETS = ("leader", "runner-up", "random")


@dataclass(frozen=True, slots=True)
class StressRow:
    """One scheme under one injection. kind : "exact" or "edited" copies.

    reward_shift : largest change of an old item's reward; certificate : what it cannot exceed.
    rank_shift : largest change of an old item's rank. before, after : the leaders (item indices of
    the ranking). leader_changes : the old leader is no longer first. mass_before, mass_after : the
    weight of the target, and of the target with its clones.
    """

    scheme: Variant
    target: str
    item: int
    kind: str
    n_clones: int
    n_variants: int
    reward_shift: float
    certificate: float
    rank_shift: int
    before: int
    after: int
    leader_changes: bool
    mass_before: float
    mass_after: float


@dataclass(frozen=True, slots=True, eq=False)
class Stress:
    """names, ids : of the ranked items, the largest connected ranking of the unit. main : the
    scheme that the settings choose. rewards : float64 (n,), standard and main fit of the data as
    they are. edited : why there are no edited copies, or None. removed : per removal flip, the
    first rows of its set as "file:line".
    """

    unit: Unit
    reason: str
    names: tuple[str, ...]
    ids: tuple[str, ...]
    n_left_out: int
    n_comparisons: int
    main: Variant
    penalty: float
    penalty_reason: str
    n_clones: int
    rewards_standard: FloatArray
    rewards_main: FloatArray
    rows: tuple[StressRow, ...]
    edited: NotApplicable | None
    clone_flips: tuple[CloneFlip, ...] | NotApplicable
    removal_flips: tuple[RemovalFlip, ...] | NotApplicable
    removed: tuple[tuple[str, ...], ...]


def stress(
    analysis: Analysis,
    encode: Encode | None,
    *,
    n_clones: int = N_CLONES,
    find_flip: bool = False,
    max_clones: int = MAX_CLONES,
    progress: Callable[[str, int, int], None] | None = None,
) -> Stress:
    """Inject ``n_clones`` copies of the leader, the runner-up and a random item, and refit.

    Rewards are tabular, one per item of the analysis' main unit; the largest connected ranking is
    stressed and weighed by itself. A clone of a response is its (edited) text, a clone of a model
    has (edited) copies of its answers. encode : texts to vectors (n, d), None for exact copies
    only. The weighted ranking is by the scheme of the analysis; all schemes are measured.
    Every random draw comes from ``analysis.settings.seed``.

    Raises UsageError for clusters or a reward that is not tabular, ComputeError where there are no
    vectors or no ranking of three items.
    """
    report = progress or (lambda stage, done, total: None)
    if analysis.settings.reward not in ("auto", TABULAR.name):
        raise UsageError(
            "stress-tabular",
            f"stress fits one reward per item, not {analysis.settings.reward} rewards",
            next_step="leave out --reward; cr-audit simulate clone-robust stresses linear rewards",
        )
    contest, kept, geometry, penalty_reason, lines = _contest(analysis, encode)
    unit = analysis.units[0]
    main = _main(analysis)
    seed = int(stream(analysis.settings, 30).integers(1 << 62))
    base = {s: geometry.weights(s, None, seed) for s in geometry.schemes}
    fits = {s: contest.rewards(contest.pairs, w) for s, w in base.items()}
    targets = _targets(fits[STANDARD], stream(analysis.settings, 31))
    kinds = ("exact", "edited") if encode is not None else ("exact",)
    rows = []
    total = len(targets) * len(kinds) * len(geometry.schemes)
    for target, item in targets:
        for kind in kinds:
            copies = Copies(item, n_clones, kind == "edited")
            for each in geometry.schemes:
                after = geometry.weights(each, copies, seed)
                before = base[each], fits[each]
                rows.append(_row(contest, geometry, each, target, kind, copies, before, after))
                report("clones", len(rows), total)
    off = NotApplicable("not asked for; --find-flip searches")
    clone_flips: tuple[CloneFlip, ...] | NotApplicable = off
    removal_flips: tuple[RemovalFlip, ...] | NotApplicable = off
    removed: tuple[tuple[str, ...], ...] = ()
    if find_flip:
        report("flips", 0, 0)
        edit = encode is not None
        clone_flips = tuple(
            clone_flip(contest, geometry, s, base[s], edit=edit, max_clones=max_clones, seed=seed)
            for s in (STANDARD, main)
        )
        removal_flips = tuple(removal_flip(contest, s, base[s]) for s in (STANDARD, main))
        removed = tuple(_sources(analysis, lines[f.rows[:MAX_LISTED]]) for f in removal_flips)
    return Stress(
        unit=unit.unit,
        reason=unit.reason,
        names=tuple(unit.items.names[i] for i in kept),
        ids=tuple(unit.items.ids[i] for i in kept),
        n_left_out=unit.items.n - kept.size,
        n_comparisons=contest.comparisons.n,
        main=main,
        penalty=contest.penalty,
        penalty_reason=penalty_reason,
        n_clones=n_clones,
        rewards_standard=fits[STANDARD],
        rewards_main=fits[main],
        rows=tuple(rows),
        edited=None if encode is not None else NotApplicable("there is no encoder for new texts"),
        clone_flips=clone_flips,
        removal_flips=removal_flips,
        removed=removed,
    )


def _row(
    contest: Contest,
    geometry: Geometry,
    scheme: Variant,
    target: str,
    kind: str,
    copies: Copies,
    before: tuple[FloatArray, FloatArray],
    after: FloatArray,
) -> StressRow:
    weights, rewards = before
    new = contest.injected(copies.target, after)
    leader = leader_of(rewards)
    changes = leader_changes(leader, new)
    return StressRow(
        scheme=scheme,
        target=target,
        item=copies.target,
        kind=kind,
        n_clones=copies.n,
        n_variants=geometry.n_variants(copies),
        reward_shift=float(np.abs(new - rewards).max()),
        certificate=contest.certificate(copies.target, weights, after),
        rank_shift=int(np.abs(ranks_of(new) - ranks_of(rewards)).max()),
        before=leader,
        after=leader_of(new) if changes else leader,
        leader_changes=changes,
        mass_before=float(weights[copies.target]),
        mass_after=float(after[copies.target] + after[contest.n_items :].sum()),
    )


def _main(analysis: Analysis) -> Variant:
    """The scheme of the analysis; the sphere where that is uniform weights."""
    settings = analysis.settings
    by_gram = analysis.units[0].unit == "model"
    chosen = SCHEMES.get(settings.weights)
    possible = [v for v in variants(by_gram=by_gram) if v.method == chosen.name]
    if not chosen.corrects or not possible:
        return SPHERE
    asked = Variant(chosen.name, settings.space)
    return asked if asked in possible else possible[0]


def _targets(rewards: FloatArray, rng: np.random.Generator) -> list[tuple[str, int]]:
    """Leader and runner-up of the standard ranking, and one of the others."""
    order = np.argsort(-rewards, kind="stable")
    return list(
        zip(TARGETS, (int(order[0]), int(order[1]), int(rng.choice(order[2:]))), strict=True)
    )


def _contest(
    analysis: Analysis, encode: Encode | None
) -> tuple[Contest, IntArray, Geometry, str, IntArray]:
    """The largest connected ranking of the main unit, which items it has, their geometry, where the
    penalty comes from, and which comparison of the data set each of its comparisons is."""
    unit = analysis.units[0]
    if unit.unit == "cluster":
        raise UsageError(
            "stress-cluster",
            "a clone of a cluster falls into that cluster, so there is nothing to stress",
            next_step="use --unit response or --unit model",
        )
    if unit.unit == "kind":
        raise UsageError(
            "stress-kind",
            "a clone of an answer is of its kind, so there is nothing to stress",
            next_step="use --unit response or --unit model",
        )
    if isinstance(analysis.embedding, NotApplicable):
        raise ComputeError(
            "no-vectors",
            f"stress weighs clones by vectors of texts: {analysis.embedding.reason}",
            next_step="choose an encoder with --model, or give --embeddings",
        )
    component, n = components_of(unit.comparisons.proportions())
    sizes = np.bincount(component[component >= 0], minlength=max(n, 1))
    if sizes.max() < 3:
        named = len(analysis.dataset.models()[1])
        raise ComputeError(
            "nothing-to-stress",
            f"no ranking connects three {unit.unit}s: each was compared with one other at most",
            next_step=("use --unit model, or " if unit.unit != "model" and named > 2 else "")
            + f"give data in which one {unit.unit} is compared with several others",
        )
    kept = np.flatnonzero(component == int(sizes.argmax()))
    place = np.full(component.shape[0], -1, dtype=np.int64)
    place[kept] = np.arange(kept.size)
    labels = np.where(unit.items.labels >= 0, place[unit.items.labels], -1)
    every = analysis.dataset.comparison_arrays()
    comparisons, _ = every.relabel(labels, kept.size)
    won, lost = labels[every.winner], labels[every.loser]
    lines = np.flatnonzero((won != lost) & (won >= 0) & (lost >= 0))
    penalty, reason = tabular_penalty(analysis, unit)
    contest = Contest(
        comparisons, comparisons.proportions(), penalty, analysis.settings.count_weighted
    )
    return contest, kept, _geometry(analysis, labels, kept, encode), reason, lines


def _sources(analysis: Analysis, comparisons: IntArray) -> tuple[str, ...]:
    frame, files = analysis.dataset.comparisons, analysis.dataset.report.files
    return tuple(f"{files[frame['file'][i]].path}:{frame['line'][i]}" for i in comparisons.tolist())


def _geometry(
    analysis: Analysis, labels: IntArray, kept: IntArray, encode: Encode | None
) -> Geometry:
    """labels : int64 (n_alternatives,), the ranked item of each alternative, -1 = none."""
    embedding, data = analysis.embedding, analysis.dataset
    assert not isinstance(embedding, NotApplicable)
    texts = [t or "" for t in data.alternatives["text"]]
    prompt_of = data.prompt_of
    if analysis.units[0].unit == "response":
        return Responses(
            texts=[texts[i] for i in kept],
            prompt_texts=data.prompts["text"].to_list(),
            vectors=embedding.response_vectors[kept],
            prompts=embedding.prompt_vectors,
            prompt_of=prompt_of[kept],
            encode=encode,
        )
    rows = np.flatnonzero(labels >= 0)
    return Models(
        texts=[texts[i] for i in rows],
        prompt_texts=data.prompts["text"].to_list(),
        vectors=embedding.response_vectors[rows],
        model_of=labels[rows],
        prompt_of=prompt_of[rows],
        n_items=kept.size,
        encode=encode,
    )

"""``stress`` of the JSON contract: injections, and the fewest that change the leader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.simulate import flips
from cr_audit.simulate.stress import Stress, StressRow
from cr_audit.wire import Count, ItemId, NotNegative, Share, Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class StressedItem:
    """An item of the ranking and its rewards before any clone, in log-odds."""

    id: ItemId
    label: str
    standard: float
    weighted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One scheme under clones of one item. kind: exact or edited copies; reward_shift: the largest
    change of an old item's reward, at most the certificate; mass: weight of the target, and of it
    with its clones."""

    scheme: str
    target: str
    id: ItemId
    kind: str
    n_clones: Count
    n_variants: Count
    reward_shift: NotNegative
    certificate: NotNegative
    rank_shift: Count
    leader_before: ItemId
    leader_after: ItemId
    leader_changes: bool
    mass_before: Share
    mass_after: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class FewestClones:
    """The fewest clones of one item (id) that change the leader under a scheme. verified: refitted
    with that many and with one less."""

    scheme: str
    kind: str
    n_clones: Count | NotApplicable
    id: ItemId | None
    leader_before: ItemId
    leader_after: ItemId
    n_targets: Count
    max_clones: Count
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FewestRemovals:
    """A small set of comparisons without which another item leads. lower: fewer are proved not to
    change the leader; predicted: the size that influences alone foretold; rows: file:line of the
    first ones."""

    scheme: str
    n_removed: Count | NotApplicable
    lower: Count
    predicted: Count
    n_comparisons: Count
    leader_before: ItemId
    leader_after: ItemId
    rows: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StressTest:
    """Clones added to the data, and which ranking gives way (stress)."""

    unit: str
    reason: str
    n_left_out: Count
    n_comparisons: Count
    weighted_scheme: str
    penalty: NotNegative
    penalty_reason: str
    n_clones: Count
    edited_copies: Literal[True] | NotApplicable
    items: list[StressedItem]
    injections: list[Injection]
    fewest_clones: list[FewestClones] | NotApplicable
    fewest_removals: list[FewestRemovals] | NotApplicable


PARTS = {"stress": StressTest}
REQUIRED = ()


def parts(facts: Stress, texts: Texts) -> dict[str, Any]:
    """The record of this family; items from the highest standard reward down."""
    ranked = np.argsort(-facts.rewards_standard, kind="stable").tolist()
    return {
        "stress": StressTest(
            unit=facts.unit,
            reason=facts.reason,
            n_left_out=facts.n_left_out,
            n_comparisons=facts.n_comparisons,
            weighted_scheme=facts.main.name,
            penalty=facts.penalty,
            penalty_reason=facts.penalty_reason,
            n_clones=facts.n_clones,
            edited_copies=True if facts.edited is None else facts.edited,
            items=[
                StressedItem(
                    id=facts.ids[i],
                    label=texts.cut(facts.names[i]) or "",
                    standard=float(facts.rewards_standard[i]),
                    weighted=float(facts.rewards_main[i]),
                )
                for i in ranked
            ],
            injections=[_injection(facts, row) for row in facts.rows],
            fewest_clones=facts.clone_flips
            if isinstance(facts.clone_flips, NotApplicable)
            else [_fewest_clones(facts, flip) for flip in facts.clone_flips],
            fewest_removals=facts.removal_flips
            if isinstance(facts.removal_flips, NotApplicable)
            else [
                _fewest_removals(facts, flip, rows)
                for flip, rows in zip(facts.removal_flips, facts.removed, strict=True)
            ],
        )
    }


def _injection(facts: Stress, row: StressRow) -> Injection:
    return Injection(
        scheme=row.scheme.name,
        target=row.target,
        id=facts.ids[row.item],
        kind=row.kind,
        n_clones=row.n_clones,
        n_variants=row.n_variants,
        reward_shift=row.reward_shift,
        certificate=row.certificate,
        rank_shift=row.rank_shift,
        leader_before=facts.ids[row.before],
        leader_after=facts.ids[row.after],
        leader_changes=row.leader_changes,
        mass_before=row.mass_before,
        mass_after=row.mass_after,
    )


def _fewest_clones(facts: Stress, flip: flips.CloneFlip) -> FewestClones:
    none = NotApplicable(f"none up to {flip.max_clones} change the leader")
    return FewestClones(
        scheme=flip.scheme.name,
        kind=flip.kind,
        n_clones=flip.n_clones or none,
        id=facts.ids[flip.item] if flip.n_clones else None,
        leader_before=facts.ids[flip.before],
        leader_after=facts.ids[flip.after],
        n_targets=flip.n_targets,
        max_clones=flip.max_clones,
        verified=flip.verified,
    )


def _fewest_removals(
    facts: Stress, flip: flips.RemovalFlip, rows: tuple[str, ...]
) -> FewestRemovals:
    none = NotApplicable("no set of comparisons was found that changes the leader")
    return FewestRemovals(
        scheme=flip.scheme.name,
        n_removed=flip.n_removed or none,
        lower=flip.lower,
        predicted=flip.predicted,
        n_comparisons=flip.n_comparisons,
        leader_before=facts.ids[flip.before],
        leader_after=facts.ids[flip.after],
        rows=list(rows),
    )

"""What a batch of lists does to the kinds of answers in them: the order that a reward fitted to the
lists as they are would learn, before the batch and after it.

Kinds are models and length bands, of baseline and batch together, so that a kind means the same
before and after. Nothing is looked at where the batch holds no list of three or more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, NotApplicable
from cr_audit.data.identity import digest
from cr_audit.findings import Finding, Severity
from cr_audit.gate.naming import quoted
from cr_audit.gate.rule import GateRule, Question
from cr_audit.gate.subjects import MAX_ROWS
from cr_audit.streams import stream
from cr_audit.wording import percent

if TYPE_CHECKING:
    from cr_audit.families.choices.compute.lists import Lists
    from cr_audit.families.choices.compute.pairs import PairLists, Tables
    from cr_audit.families.choices.facts import CategoryPair

_IIA = "RLHF and IIA: Perverse Incentives, section 3"
MIN_LISTS, MAX_PAIRS, N_DRAWS = 10, 15, 4000
"""Lists that offer both kinds, before and after; pairs of kinds looked at; resamples."""


@dataclass(frozen=True, slots=True, eq=False)
class KindsChange:
    """Two kinds before the batch (None where fewer than ``MIN_LISTS`` offered both) and after it.

    size_before, size_after : mean number of members of these lists. rows : first of the batch.
    """

    scheme: str
    before: CategoryPair | None
    after: CategoryPair
    size_before: float
    size_after: float
    rows: tuple[str, ...]

    def name(self, kind: str) -> str:
        """The kind as the report names it."""
        return f"{kind} answers" if self.scheme == "length" else quoted(kind)

    @property
    def subject(self) -> str:
        """What the finding is about, the same from run to run."""
        return f"{self.scheme}:{digest('gate', self.after.first, self.after.second)}"

    def evidence(self) -> dict[str, float | int | str | bool | None]:
        """The numbers behind the finding, before and after."""
        b, a = self.before, self.after
        return {
            "share_offered_before": None if b is None else b.rho_data,
            "share_offered_after": a.rho_data,
            "share_chosen_before": None if b is None else b.rho_chosen.value,
            "share_chosen_after": a.rho_chosen.value,
            "margin_before": None if b is None else b.margin.value,
            "margin_after": a.margin.value,
            "mean_size_before": None if b is None else self.size_before,
            "mean_size_after": self.size_after,
            "n_lists_before": 0 if b is None else b.n_lists,
            "n_lists_after": a.n_lists,
        }


def _changes(q: Question) -> tuple[KindsChange, ...]:
    """Every pair of kinds that enough lists offer after the batch, the most offered first."""
    from cr_audit.families.choices.compute.kinds import kinds_of
    from cr_audit.families.choices.compute.lists import lists_of
    from cr_audit.families.choices.compute.pairs import category_pair, tables_of
    from cr_audit.families.choices.facts import Scheme

    data, settings = q.effect.after.dataset, q.effect.after.settings
    if data.choice_sets.is_empty():
        return ()
    n_files = len(q.effect.before.dataset.report.files)
    lists = lists_of(data)
    added: BoolArray = lists.file >= n_files
    if not bool((added & (lists.sizes > 2)).any()):
        return ()
    every: list[tuple[Scheme, tuple[str, ...], PairLists, Tables]] = []
    for scheme in (Scheme.MODELS, Scheme.LENGTH):
        kinds = kinds_of(scheme, data, lists)
        if not isinstance(kinds, NotApplicable):
            tables = tables_of(lists, kinds)
            every += [(scheme, kinds.names, p, tables) for p in _pairs(lists, tables)]
    level = 1.0 - (1.0 - q.policy.confidence_level) / max(len(every), 1)
    out = []
    for scheme, names, after, tables in every:
        rng = stream(settings.seed, f"gate lists {scheme} {after.first} {after.second}")
        old = ~added[after.at]
        before = _only(after, old, tables)
        made = [
            category_pair(names, p, level=level, n_replicates=N_DRAWS, rng=rng)
            if p.n >= MIN_LISTS
            else None
            for p in (before, after)
        ]
        if made[1] is None or bool(old.all()):
            continue
        sizes: FloatArray = lists.sizes[after.at].astype(np.float64)
        out.append(
            KindsChange(
                scheme=str(scheme),
                before=made[0],
                after=made[1],
                size_before=float(sizes[old].mean()) if old.any() else 0.0,
                size_after=float(sizes.mean()),
                rows=_rows(q, lists, after, ~old),
            )
        )
    return tuple(out)


def _pairs(lists: Lists, tables: Tables) -> list[PairLists]:
    from cr_audit.families.choices.compute.pairs import pair_lists

    offered = (tables.offered > 0).astype(np.float64)
    both = np.einsum("na,nb->ab", offered, offered)
    a, b = np.triu_indices(both.shape[0], 1)
    order = np.lexsort((b, a, -both[a, b]))[:MAX_PAIRS]
    return [
        pair_lists(lists, tables, int(a[i]), int(b[i]))
        for i in order
        if both[a[i], b[i]] >= MIN_LISTS
    ]


def _only(p: PairLists, keep: BoolArray, tables: Tables) -> PairLists:
    """The pair over some of its lists."""
    at = p.at[keep]
    return replace(
        p,
        at=at,
        k_first=p.k_first[keep],
        k_second=p.k_second[keep],
        chosen=p.chosen[keep],
        mass=p.mass[keep],
        unit=p.unit[keep],
        n_first=int(tables.offered[at, p.first].sum()),
        n_second=int(tables.offered[at, p.second].sum()),
    )


def _rows(q: Question, lists: Lists, p: PairLists, new: BoolArray) -> tuple[str, ...]:
    """The first lists of the batch that offer both kinds, as file:line."""
    files = q.effect.after.dataset.report.files
    at = p.at[new]
    first = at[np.lexsort((lists.line[at], lists.file[at]))][:MAX_ROWS]
    return tuple(f"{files[lists.file[i]].path}:{lists.line[i]}" for i in first.tolist())


def _order(pair: CategoryPair) -> int:
    """1 where a reward fitted to the lists prefers the first kind beyond noise, -1 the second."""
    if pair.margin.low > 0:
        return 1
    return -1 if pair.margin.high < 0 else 0


def _turns(q: Question) -> Iterator[Finding]:
    for change in _changes(q):
        if change.before is None or _order(change.before) * _order(change.after) != -1:
            continue
        old, new = change.after.first, change.after.second
        if _order(change.after) > 0:
            old, new = new, old
        yield TURNS_KINDS.finding(
            f"with the batch a reward fitted to the lists prefers {change.name(new)} to"
            f" {change.name(old)}, without it the reverse",
            f"kinds:{change.subject}",
            change.evidence(),
            change.rows,
        )


def _wrong_sign(q: Question) -> Iterator[Finding]:
    for change in _changes(q):
        after, before = change.after, change.before
        if not after.sure or (before is not None and before.sure):
            continue
        first_liked = after.rho_chosen.value > 0.5
        liked, other = after.first, after.second
        share, offered = after.rho_chosen.value, after.rho_data
        if not first_liked:
            liked, other, share, offered = other, liked, 1 - share, 1 - offered
        was = ""
        if before is not None:
            earlier = before.rho_data if first_liked else 1 - before.rho_data
            was = (
                f" ({percent(earlier)} before; lists of {change.size_before:.1f} on average before,"
                f" {change.size_after:.1f} now)"
            )
        yield WRONG_SIGN.finding(
            f"with the batch a reward fitted to the lists prefers {change.name(other)} although"
            f" {percent(share)} of the choices are {change.name(liked)}: {percent(offered)} of what"
            f" is offered is{was}",
            f"wrong-sign:{change.subject}",
            change.evidence(),
            change.rows,
        )


TURNS_KINDS = GateRule(
    id="CR711",
    name="batch-turns-kinds",
    severity=Severity.WARNING,
    strict=Severity.ERROR,
    summary="The batch turns which of two kinds of answers a reward fitted to the lists prefers.",
    means=(
        "A reward model trained on the lists by their softmax would rank the two kinds (models, or"
        " short and long answers) the other way round once the batch is in."
    ),
    computed=(
        "ρ_chosen − ρ_data over the lists that offer both kinds has the sign of the fitted reward's"
        " difference; its intervals over resampled annotators, prompts or lists exclude 0 before"
        " and after, on different sides (Bonferroni over the pairs of kinds). Only where the batch"
        " holds lists of three or more."
    ),
    advice="Look at who chose and what was offered in the batch: cr-audit choices BATCH.",
    source=_IIA,
    judge=_turns,
)
WRONG_SIGN = GateRule(
    id="CR712",
    name="batch-reward-of-the-wrong-sign",
    severity=Severity.ERROR,
    lenient=Severity.WARNING,
    summary="With the batch, a reward fitted to the lists prefers the kind that is liked less.",
    means=(
        "The list sizes or the mix of kinds that the batch brings make the majority's kind be"
        " chosen less often than it is offered, and the softmax loss learns the wrong order."
    ),
    computed=(
        "The wrong-sign rule (ρ_chosen on one side of 1/2, ρ_chosen − ρ_data on the other) holds"
        " with the batch in at least the confidence level of resamples (Bonferroni over the pairs"
        " of kinds), and does not so in the baseline. Only where the batch holds lists of three or"
        " more."
    ),
    advice=(
        "Offer as many of the one kind as of the other, or train on pairs: cr-audit choices FILES"
        " measures what each way gives."
    ),
    source=_IIA,
    judge=_wrong_sign,
)

RULES = (TURNS_KINDS, WRONG_SIGN)

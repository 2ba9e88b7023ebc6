"""The answer of a refit in words, and the order in which its rewards are shown."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.reward_facts import HeldOut, RewardFit, Rewards, Subjects
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.models.rewards.changes import Changes
from cr_audit.report.escape import shorten, visible
from cr_audit.wording import percent, plural


def reward_answer(analysis: Analysis) -> list[str]:
    """The paragraph, sentence by sentence."""
    r = analysis.rewards
    if isinstance(r, NotApplicable):
        return [f"No rewards: {r.reason}."]
    out = []
    if isinstance(r.weighted, NotApplicable):
        out.append(f"Only the standard fit was made: {r.weighted.reason}.")
    c, s = r.changes, r.subjects
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable):
        reason = c.reason if isinstance(c, NotApplicable) else ""
        out.append(f"There is no ranking to compare: {reason}.")
    else:
        out += _leaders(r, c, s)
        if not isinstance(r.weighted, NotApplicable):
            out += _flagged(r, c, s)
    if not isinstance(r.held_out, NotApplicable):
        out.append(_decisions(r.held_out))
    bad = [n for n, f in fits_of(r) if not f.converged]
    if bad:
        out.append(f"The {' and the '.join(bad)} fit did not converge: see Fits below.")
    return out


def fits_of(r: Rewards) -> list[tuple[str, RewardFit]]:
    """(name, fit) of the fits that were made, the one asked for first."""
    pairs = [("standard", r.standard)]
    if not isinstance(r.weighted, NotApplicable):
        pairs.insert(0 if r.fits == "weighted" else 1, ("weighted", r.weighted))
    return pairs


def subject_name(s: Subjects, item: int, width: int = 40) -> str:
    """A harmless short name."""
    text = shorten(visible(s.names[item]), width)
    return text if s.unit == "model" else f"“{text}”"


def _leaders(r: Rewards, c: Changes, s: Subjects) -> list[str]:
    both = not isinstance(r.weighted, NotApplicable)
    if s.n_components > 1:
        if not both:
            return [f"There are {s.n_components:,} separate rankings."]
        n = new_leaders(c, s).size
        changed = "no leader changes" if n == 0 else f"the leader changes in {n:,}"
        return [f"Of {s.n_components:,} separate rankings, {changed} beyond the noise."]
    one = first_of(c.rank_standard)
    if not both:
        sure = c.probability_first_standard[one]
        return [f"{subject_name(s, one)} leads ({sure:.2f} of resamples)."]
    two = first_of(c.rank_weighted)
    if one == two:
        return [
            f"Both fits put {subject_name(s, one)} first ({c.probability_first_standard[one]:.2f}"
            f" and {c.probability_first_weighted[one]:.2f} of resamples)."
        ]
    noise = "" if bool(c.flagged[two]) else "; that is within the noise"
    return [
        f"The standard fit puts {subject_name(s, one)} first"
        f" ({c.probability_first_standard[one]:.2f} of resamples), the weighted fit"
        f" {subject_name(s, two)} ({c.probability_first_weighted[two]:.2f}){noise}."
    ]


def first_of(ranks: IntArray) -> int:
    """The first subject of rank 1."""
    return int(np.flatnonzero(ranks == 1)[0])


def new_leaders(c: Changes, s: Subjects) -> IntArray:
    """Subjects that lead their component when weighted, did not before, and are flagged."""
    return np.flatnonzero((c.rank_weighted == 1) & (c.rank_standard > 1) & c.flagged)


def _flagged(r: Rewards, c: Changes, s: Subjects) -> list[str]:
    n = int(c.flagged.sum())
    if n == 0:
        return [f"No {s.unit} changes sides with another beyond its noise."]
    verb = "changes" if n == 1 else "change"
    out = [f"{n:,} of {plural(s.n, s.unit)} {verb} sides with another beyond the noise."]
    causes = [r.cause_of(int(i)) for i in np.flatnonzero(c.flagged)]
    named = [k.group for k in causes if k is not None]
    if not named or isinstance(r.groups, NotApplicable):
        return out
    group = r.groups[max(set(named), key=lambda g: (named.count(g), -g))]
    members = f"{plural(group.members.size, r.fitted_unit)} that copy one another"
    out.append(
        f"{'All' if len(named) == n else f'{len(named):,}'} of these"
        f" {'changes come' if len(named) > 1 else 'change comes'} from clones"
        + (
            f": {members} ({percent(group.item_share)} of the {r.fitted_unit}s,"
            f" {percent(group.weight_mass)} of the weight)."
            if len(set(named)) == 1
            else f" ({plural(len(set(named)), 'cluster')})."
        )
    )
    return out


def _decisions(h: HeldOut) -> str:
    if h.n_decided == 0:
        return "No held-out comparison has a winner."
    return (
        f"On held-out comparisons the fits name a different winner in {percent(h.differs.value)};"
        f" the standard fit agrees with {percent(h.agreement_standard.value)} of the judgements,"
        f" the weighted fit with {percent(h.agreement_weighted.value)}"
        f" (± {percent(h.agreement_weighted.standard_error)})."
    )


def shown_order(r: Rewards, c: Changes, s: Subjects) -> list[int]:
    """Best first by the fit that comes first; with several components, the surest changes first."""
    rank = c.rank_weighted if r.fits == "weighted" else c.rank_standard
    known = np.flatnonzero(s.components >= 0)
    if s.n_components > 1 and not isinstance(r.weighted, NotApplicable):
        shift = np.abs(np.round(c.reward_weighted - c.reward_standard, 9))
        order = np.lexsort((known, -shift[known], -c.probability_flip[known]))
    else:
        order = np.lexsort((known, s.components[known], rank[known]))
    return [int(i) for i in known[order]]


def chart_items(r: Rewards, c: Changes, s: Subjects, limit: int) -> tuple[list[int], str]:
    """The subjects of a slope chart in the standard order, and a note where some are left out.

    One component: that of the surest change, else the largest.
    """
    surest = int(np.nanargmax(np.where(s.components >= 0, c.probability_flip, -1.0)))
    sizes = np.bincount(s.components[s.components >= 0])
    chosen = int(s.components[surest]) if c.probability_flip[surest] > 0 else int(np.argmax(sizes))
    members = np.flatnonzero(s.components == chosen)
    best = np.minimum(c.rank_standard[members], c.rank_weighted[members])
    kept = members[np.lexsort((members, best))][:limit]
    notes = []
    if kept.size < members.size:
        notes.append(f"{kept.size:,} of {members.size:,} {s.unit}s, the best ranked")
    if s.n_components > 1:
        notes.append(f"one of {s.n_components:,} separate rankings")
    order = kept[np.lexsort((kept, c.rank_standard[kept]))]
    return [int(i) for i in order], "; ".join(notes)

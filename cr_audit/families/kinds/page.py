"""Kinds of answer on a page: how many, what they hold, and the colours of the map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cr_audit.analysis.facts import NamedKinds
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Colouring, Number
from cr_audit.families.kinds.facts import KindFacts
from cr_audit.families.kinds.show import ENOUGH
from cr_audit.heads import short
from cr_audit.wording import percent

MAX_NAMED = 6


def colouring(facts: KindFacts, items: Sequence[int]) -> Colouring | None:
    """The kinds of some responses, by position; None where there are none. The largest kinds have
    a colour of their own, the others share one."""
    kinds = facts.kinds
    if isinstance(kinds, NotApplicable) or not kinds.n:
        return None
    labels = kinds.found.labels[np.asarray(items, dtype=np.int64)]
    names = [short(name, 40) for name in kinds.names[:MAX_NAMED]]
    if kinds.n > MAX_NAMED:
        names.append(f"{kinds.n - MAX_NAMED:,} other kinds")
    groups = np.where(labels < 0, -1, np.minimum(labels, MAX_NAMED))
    return Colouring("kind", tuple(groups.tolist()), tuple(names), "of no kind")


def numbers(facts: KindFacts) -> list[Number]:
    """How many kinds, and which of them wins and loses most beyond chance."""
    kinds, r = facts.kinds, facts.rates
    if isinstance(kinds, NotApplicable) or not kinds.n:
        return []
    share = percent(float(facts.item_share.sum()))
    out = [Number(f"{kinds.n:,}", "kinds of answer that come back", f"{share} of the responses")]
    decided = np.flatnonzero(r.decided(facts.level) & (r.n >= ENOUGH))
    if decided.size:
        best = int(decided[np.argmax(r.rate[decided])])
        worst = int(decided[np.argmin(r.rate[decided])])
        if r.rate[best] > 0.5:
            out.append(Number(percent(r.rate[best]), "won by the best kind", _name(kinds, best)))
        if r.rate[worst] < 0.5:
            out.append(Number(percent(r.rate[worst]), "won by the worst", _name(kinds, worst)))
    return out


def _name(kinds: NamedKinds, g: int) -> str:
    return short(kinds.names[g], 40)


def blocks(facts: KindFacts) -> list[Block]:
    """Nothing beside the command's own table."""
    return []

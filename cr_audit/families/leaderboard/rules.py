"""CR211-CR217: what a leaderboard must not say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.families.leaderboard.facts import LeaderboardFacts
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.heads import short

MIN_AGREEMENT_BATTLES = 30
"""Decided battles below which nothing is said of a judge."""
_OWN = "cr-audit"


def contenders(facts: LeaderboardFacts) -> tuple[int, ...]:
    """Who may be first: the range of ranks begins at 1, in the largest component; best first."""
    places = facts.board.places
    may = [
        i for i in places.order.tolist() if facts.board.fit.component[i] == 0 and places.low[i] == 1
    ]
    return tuple(may)


def _names(facts: LeaderboardFacts, items: tuple[int, ...], most: int = 4) -> str:
    named = [short(facts.names[i]) for i in items[:most]]
    rest = len(items) - len(named)
    if rest:
        named.append(f"{rest:,} more")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _undecided(facts: LeaderboardFacts) -> Iterator[Finding]:
    may = contenders(facts)
    if len(may) < 2:
        return
    best = may[0]
    yield RULES[0].finding(
        message=f"the first place is undecided between {_names(facts, may)}",
        subject=facts.ids[best],
        evidence={
            "n_contenders": len(may),
            "probability_first": float(facts.board.leading.probability[best]),
            "level": facts.level,
        },
    )


def _prior(facts: LeaderboardFacts) -> Iterator[Finding]:
    if facts.path.decided:
        return
    yield RULES[1].finding(
        message=f"who stands first depends on the prior: {_names(facts, facts.path.undecided)}",
        subject=facts.ids[facts.path.undecided[0]],
        evidence={
            "narrowest_sd": facts.path.prior_sd[0],
            "widest_sd": facts.path.prior_sd[-1],
            "n_leaders": len(facts.path.undecided),
        },
    )


def _clones(facts: LeaderboardFacts) -> Iterator[Finding]:
    c = facts.clones
    if isinstance(c, NotApplicable) or not c.marks.marked.any():
        return
    moved = np.flatnonzero(c.marks.marked)
    best = int(moved[np.argmin(c.marks.q_value[moved])])
    partner = int(c.marks.partner[best])
    up, down = (
        (best, partner) if c.rank_weighted[best] < c.rank_weighted[partner] else (partner, best)
    )
    yield RULES[2].finding(
        message=f"{moved.size:,} of {len(facts.names):,} {facts.unit}s owe their place to clones:"
        f" without them {short(facts.names[up])} stands above {short(facts.names[down])}",
        subject=facts.ids[best],
        evidence={"n_marked": int(moved.size), "q_value": float(c.marks.q_value[best])},
    )


def _vendors(facts: LeaderboardFacts) -> Iterator[Finding]:
    v = facts.vendors
    if isinstance(v, NotApplicable):
        return
    for gain in v.gains:
        last = int(gain.n_variants.argmax())
        extra = float(gain.gain[last] - gain.gain[0])
        own = float(facts.board.error[gain.item])
        if extra <= own:
            continue
        owner = v.owners[int(v.labels[gain.item])]
        n = int(gain.n_variants[last])
        yield RULES[3].finding(
            message=f"{short(owner)} shows the best of {n:,} entries: copies of"
            f" {short(facts.names[gain.item])} alone would gain {extra:.2f} log-odds that way",
            subject=facts.ids[gain.item],
            evidence={"n_entries": n, "gain": extra, "standard_error": own},
        )


def _position(facts: LeaderboardFacts) -> Iterator[Finding]:
    p = facts.position
    if isinstance(p, NotApplicable) or p.low <= 0.0 <= p.high:
        return
    side = "first" if p.value > 0 else "second"
    odds = float(np.exp(abs(p.value)))
    yield RULES[4].finding(
        message=f"judges prefer the answer shown {side} (odds {odds:.2f} to 1 between equals)",
        subject="dataset",
        evidence={"log_odds": p.value, "low": p.low, "high": p.high},
    )


def _style(facts: LeaderboardFacts) -> Iterator[Finding]:
    c = facts.controlled
    if isinstance(c, NotApplicable) or not c.marks.marked.any():
        return
    n = int(c.marks.marked.sum())
    strongest = max(c.effects, key=lambda e: abs(e.value))
    yield RULES[5].finding(
        message=f"{n:,} of {len(facts.names):,} {facts.unit}s change place once"
        f" {', '.join(e.name for e in c.effects)} are taken out (most: {strongest.name},"
        f" {strongest.value:+.2f} log-odds)",
        subject=f"unit:{facts.unit}",
        evidence={"n_marked": n, "strongest": strongest.name, "log_odds": strongest.value},
    )


def _judges(facts: LeaderboardFacts) -> Iterator[Finding]:
    c = facts.competence
    if isinstance(c, NotApplicable):
        return
    # Above 0 by less than two errors: votes that could be coin tosses, or go against the others.
    weak = (c.competence + 2.0 * c.error < 0.5) & (c.n_battles >= MIN_AGREEMENT_BATTLES)
    n = int(weak.sum())
    if n:
        share = float(c.n_battles[weak].sum() / c.n_battles.sum())
        yield RULES[6].finding(
            message=f"{n:,} of {c.judges.size:,} judges see less than half of what the average"
            " judge sees",
            subject="dataset",
            evidence={"n_judges": n, "share_of_battles": share, "spread": c.spread},
        )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR211",
        name="first-place-undecided",
        severity=Severity.WARNING,
        summary="The data do not tell who is first.",
        means=(
            "Two or more items could be the best one. To publish one of them as the leader is to"
            " publish noise."
        ),
        computed=(
            "Simultaneous intervals of all differences (the bootstrap's largest deviation): an item"
            " may be first if nobody is surely above it. Over the whole table the chance of a"
            " single false separation is one minus the level."
        ),
        advice="Publish the group, or collect battles between its members.",
        source="Mogstad, Romano, Shaikh & Wilhelm 2024",
        judge=_undecided,
    ),
    Rule(
        id="CR212",
        name="leader-depends-on-prior",
        severity=Severity.WARNING,
        summary="Another prior puts another item first.",
        means=(
            "The leader is the one that a penalty favours. Items with few opponents or few battles"
            " are pulled to the middle more than others."
        ),
        computed="Fits with normal priors of standard deviation 1 to 10 log-odds.",
        advice="Call it undecided, or collect battles for those named.",
        source=_OWN,
        judge=_prior,
    ),
    Rule(
        id="CR213",
        name="places-by-clones",
        severity=Severity.ERROR,
        summary="Places change once items that answer alike share one weight.",
        means=(
            "Opponents that are near-copies of each other count several times; whoever beats them"
            " gains from their number."
        ),
        computed=(
            "Standard against clone-robust rewards; a place is marked if an order of two items is"
            " sure to be reversed (both gaps beyond their errors, one list at the false-discovery"
            " rate), under the penalty halved and doubled."
        ),
        advice="Publish the clone-robust places beside the others.",
        source="Clone-Robust AI Alignment, arXiv 2501.09254, Theorem 3.2",
        judge=_clones,
    ),
    Rule(
        id="CR214",
        name="best-of-many-entries",
        severity=Severity.WARNING,
        summary="A vendor's best entry stands where it does because there are many.",
        means="The best of N noisy estimates lies above the truth, even of N copies of one model.",
        computed=(
            "N copies of the entry fight its own opponents as often as it did, by the board's own"
            " chances; reported where the best of N gains more than the entry's standard error."
        ),
        advice="Rank vendors by one place each, or by all that they enter.",
        source=_OWN,
        judge=_vendors,
    ),
    Rule(
        id="CR215",
        name="position-effect",
        severity=Severity.WARNING,
        summary="Judges prefer one side of the screen.",
        means="Part of every vote is about where an answer stood.",
        computed="A covariate of the fit that is +1 for the answer shown first, -1 for the other.",
        advice="Show both orders to each judge, or publish the board with position in the fit.",
        source=_OWN,
        judge=_position,
    ),
    Rule(
        id="CR216",
        name="places-by-style",
        severity=Severity.WARNING,
        summary="Places change once length and markdown are in the fit.",
        means="Part of what is ranked is how answers look, not what they say.",
        computed=(
            "Normalised differences of length, headings, lists, bold and code as covariates of the"
            " fit; places are marked as in CR213."
        ),
        advice="Publish the controlled places beside the others, with the coefficients.",
        source=_OWN,
        judge=_style,
    ),
    Rule(
        id="CR217",
        name="weak-judges",
        severity=Severity.NOTE,
        summary="Some judges hardly see differences that others see.",
        means="Their votes are near coin tosses, or go against the others.",
        computed=(
            "P(win) = σ(a · δ) with a competence a of each judge, shrunk to 1; weak if a plus two"
            " standard errors is below 0.5, with at least 30 battles."
        ),
        advice="Look at their rows; the fit with competences is in the JSON document.",
        source="Birnbaum 1968",
        judge=_judges,
    ),
)

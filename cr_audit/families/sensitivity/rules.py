"""CR801-CR806: predictions and answers that hang on few votes."""

from __future__ import annotations

from collections.abc import Iterator

from cr_audit.arrays import NotApplicable
from cr_audit.families.sensitivity.facts import Flip, SensitivityFacts
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.heads import named
from cr_audit.models.sensitivity.votes import Change
from cr_audit.wording import plural

_SP = "Strong Preferences Affect the Robustness of Value Alignment"
# A leader that so many comparisons, or fewer, can turn hangs on a few votes.
FEW_COMPARISONS = 3
# ... or this share of all comparisons, where that is more.
FEW_SHARE = 0.001
MAX_PAIRS = 20


def name_of(facts: SensitivityFacts, item: int, width: int = 40) -> str:
    """A short name of an item."""
    return named(facts.names[item], facts.unit, width)


def _fragile(facts: SensitivityFacts) -> Iterator[Finding]:
    for pair in facts.fragile[:MAX_PAIRS]:
        start, end = name_of(facts, pair.start), name_of(facts, pair.end)
        middle = name_of(facts, pair.middle)
        dominates = (
            "; their error is larger than what a small change of that preference would do"
            if pair.error_dominates
            else ""
        )
        yield RULES[0].finding(
            message=f"{start} against {end} is predicted through {middle} alone: it moves"
            f" {pair.sensitivity:.1f} times as far as the preference for {start} over {middle}"
            f" ({plural(pair.n_head, 'vote')}){dominates}",
            subject=f"pair:{facts.ids[pair.start]}:{facts.ids[pair.end]}",
            evidence={
                "sensitivity": pair.sensitivity,
                "p_chain": pair.p_chain,
                "chain_error": pair.chain_error,
                "influence": pair.influence,
                "fitted": pair.fitted,
                "fitted_error": pair.fitted_error,
                "n_head": pair.n_head,
            },
            rows=pair.head_rows,
        )


def _thin(facts: SensitivityFacts) -> Iterator[Finding]:
    for s in facts.strong[:MAX_PAIRS]:
        yield RULES[1].finding(
            message=f"that {name_of(facts, s.winner)} beats {name_of(facts, s.loser)} rests on"
            f" {plural(s.n_rows, 'vote')}, and {plural(s.n_hanging, 'other prediction')} on that",
            subject=f"pair:{facts.ids[s.winner]}:{facts.ids[s.loser]}",
            evidence={
                "p": s.p,
                "n_rows": s.n_rows,
                "n_annotators": s.n_annotators,
                "n_hanging": s.n_hanging,
            },
            rows=s.rows,
        )


def _held(facts: SensitivityFacts) -> Iterator[Finding]:
    for holder in facts.holders[:MAX_PAIRS]:
        who = facts.annotators[holder.annotator]
        yield RULES[2].finding(
            message=f"without annotator {who!r} {plural(holder.n_cut_off, facts.unit)} would no"
            " longer be connected with the rest of their ranking",
            subject=f"annotator:{who}",
            evidence={"n_cut_off": holder.n_cut_off, "n_rows": holder.n_rows},
        )


def leader_flips(facts: SensitivityFacts, unit: str) -> list[Flip]:
    """The flips of leaders by one kind of unit, under the standard fit."""
    if isinstance(facts.flips, NotApplicable):
        return []
    return [
        f for f in facts.flips if f.question == "leader" and f.fit == "standard" and f.unit == unit
    ]


def few(flip: Flip) -> int:
    """How many comparisons are few in this ranking."""
    return max(FEW_COMPARISONS, int(FEW_SHARE * flip.n_comparisons))


def _hangs(facts: SensitivityFacts) -> Iterator[Finding]:
    for flip in leader_flips(facts, "comparison"):
        upper = flip.interval.upper
        if isinstance(upper, NotApplicable) or upper > few(flip):
            continue
        leader, other = flip.interval.above, flip.interval.below
        done = "left out" if flip.interval.change is Change.REMOVAL else "turned round"
        proved = (
            "and no fewer"
            if flip.interval.exact
            else f"at least {flip.interval.lower:,} are needed"
        )
        yield RULES[3].finding(
            message=f"with {plural(upper, 'comparison')} of {flip.n_comparisons:,} {done},"
            f" {name_of(facts, other)} leads instead of {name_of(facts, leader)} ({proved})",
            subject=f"{flip.interval.change.value}:{facts.ids[leader]}",
            evidence={
                "lower": flip.interval.lower,
                "upper": upper,
                "gap": flip.interval.gap,
                "n_comparisons": flip.n_comparisons,
            },
            rows=flip.rows,
        )


def _one_annotator(facts: SensitivityFacts) -> Iterator[Finding]:
    for flip in leader_flips(facts, "annotator"):
        if flip.interval.upper != 1:
            continue
        leader, other = flip.interval.above, flip.interval.below
        done = "left out" if flip.interval.change is Change.REMOVAL else "turned round"
        who = flip.names[0] if flip.names else "unknown"
        yield RULES[4].finding(
            message=f"with the {plural(flip.interval.rows.size, 'comparison')} of annotator"
            f" {who!r} {done}, {name_of(facts, other)} leads instead of"
            f" {name_of(facts, leader)}",
            subject=f"{flip.interval.change.value}:{facts.ids[leader]}",
            evidence={
                "annotator": who,
                "n_rows": int(flip.interval.rows.size),
                "gap": flip.interval.gap,
            },
            rows=flip.rows,
        )


def _copies(facts: SensitivityFacts) -> Iterator[Finding]:
    for pair in facts.fragile:
        if pair.n_copies < 2 or isinstance(pair.fitted_weighted, NotApplicable):
            continue
        start, end = name_of(facts, pair.start), name_of(facts, pair.end)
        yield RULES[5].finding(
            message=f"{start} against {end} hangs on a preference between copies"
            f" ({plural(pair.n_copies, 'near-clone')}): {pair.fitted:.2f} in the standard fit,"
            f" {pair.fitted_weighted:.2f} in the weighted one",
            subject=f"pair:{facts.ids[pair.start]}:{facts.ids[pair.end]}",
            evidence={
                "n_copies": pair.n_copies,
                "fitted": pair.fitted,
                "fitted_weighted": pair.fitted_weighted,
                "sensitivity": pair.sensitivity,
            },
            rows=pair.head_rows,
        )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR801",
        name="sensitive-prediction",
        severity=Severity.NOTE,
        summary="A prediction for a pair that was not compared moves faster than the votes behind"
        " it.",
        means=(
            "The two items meet only through a third, and the two preferences on the way are strong"
            " and cancel. A small change of either moves the prediction for the pair many times as"
            " far, so models that agree on every observed preference can disagree on this one."
        ),
        computed=(
            "M = ∂p(i≻j)/∂p(i≻k) along each chain i, k, j, for pairs compared at most once, at the"
            " data's shares with half a vote added to each side; reported above --threshold. Ranked"
            " by the error of the prediction in the penalised fit: M of the fit (its derivative,"
            " over all paths) times the standard error of each preference, in quadrature."
        ),
        advice="Collect a comparison of the pair itself (cr-audit sensitivity --next 50).",
        source=f"{_SP}, Lemma 1, Definition 3, Equations 4 and 5",
        judge=_fragile,
    ),
    Rule(
        id="CR802",
        name="strong-preference-of-few-votes",
        severity=Severity.WARNING,
        summary="A dominant preference on which other predictions hang rests on a few votes.",
        means=(
            "A share near 0 or 1 out of a handful of votes is a strong claim of weak evidence, and"
            " the predictions for other pairs multiply its error."
        ),
        computed=(
            "Pairs whose share, with half a vote on each side, is beyond the least at which"
            " anything can be M-sensitive to it (p(1-p) < 1/(4M)), of at most five votes, and the"
            " head of at least one sensitive chain."
        ),
        advice="Have the pair judged again, by other annotators.",
        source=f"{_SP}, section 3.1",
        judge=_thin,
    ),
    Rule(
        id="CR803",
        name="annotator-holds-ranking-together",
        severity=Severity.WARNING,
        summary="Some items are connected with the rest by one annotator alone.",
        means=(
            "Their place in the ranking is that annotator's word: without it they could not be"
            " compared with the others at all."
        ),
        computed=(
            "Connected components of the comparisons without each of the fifty most frequent"
            " annotators; counted are items that leave the largest piece of their component."
        ),
        advice="Have these items compared with others by a second annotator.",
        judge=_held,
    ),
    Rule(
        id="CR804",
        name="leader-hangs-on-few-votes",
        severity=Severity.WARNING,
        summary="Leaving out, or turning, a few comparisons changes who leads.",
        means=(
            "The first place is decided by less than the usual noise of labels. Another sample, a"
            " slip, or one careless annotator would have put someone else first."
        ),
        computed=(
            "A set of comparisons found by influence and confirmed by a fit from scratch without"
            " (or with turned) these rows; reported where it has at most 3 comparisons or 0.1 % of"
            " all. The lower end of the interval is proved (docs/sensitivity_proof.md)."
        ),
        advice="Do not announce a winner; collect what cr-audit sensitivity --next 50 writes.",
        judge=_hangs,
    ),
    Rule(
        id="CR805",
        name="one-annotator-turns-leader",
        severity=Severity.WARNING,
        summary="One annotator's comparisons decide who leads.",
        means=(
            "Without them, or had this annotator judged the other way round, another item would"
            " lead."
        ),
        computed="As CR804, with all comparisons of an annotator left out or turned at once.",
        advice="Look at this annotator's comparisons, and have them judged by others.",
        judge=_one_annotator,
    ),
    Rule(
        id="CR806",
        name="strong-preference-of-copies",
        severity=Severity.NOTE,
        summary="A sensitive prediction hangs on a preference between near-copies.",
        means=(
            "One of the two items of the strong preference stands in the data several times, so"
            " its votes are repeated; the weighted fit lets the copies share one vote."
        ),
        computed="CR801's chains whose strong preference has a member of a clone cluster.",
        advice="Compare the two fits (cr-audit refit) before relying on the prediction.",
        source=f"{_SP}, section 3.1; Clone-Robust AI Alignment, Definition 4.1",
        judge=_copies,
    ),
)

"""Sensitivity for people: flip intervals, fragile pairs, strong preferences, what to collect."""

from __future__ import annotations

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import (
    Answer,
    Block,
    Cell,
    Chart,
    Column,
    Prose,
    Section,
    Series,
    Table,
    Value,
    Words,
)
from cr_audit.families.sensitivity.facts import Flip, NextVotes, SensitivityFacts
from cr_audit.families.sensitivity.rules import few, leader_flips, name_of
from cr_audit.findings import Finding
from cr_audit.heads import short
from cr_audit.models.sensitivity.votes import Change
from cr_audit.wording import plural

DONE = {Change.REMOVAL: "left out", Change.REVERSAL: "turned round"}
# A chance below which an answer counts as settled, and no votes are advised.
SETTLED = 0.001
# A lower end is called loose where curvature is so much of the bound that fails there.
LOOSE = 0.25


def answer(facts: SensitivityFacts) -> list[str]:
    """The leader's interval in two sentences, and the fragile pairs in one."""
    out: list[str] = []
    if isinstance(facts.flips, NotApplicable):
        out.append(f"No answer to turn: {facts.flips.reason}.")
    removal = [f for f in leader_flips(facts, "comparison") if f.interval.change is Change.REMOVAL]
    if len(removal) == 1:
        out.append(_leader_sentence(facts, removal[0]))
    elif removal:
        hanging = [f for f in removal if _upper(f) <= few(f)]
        out.append(
            f"{len(hanging):,} of {plural(len(removal), 'leader')} looked at hang on"
            f" {max(few(f) for f in removal):,} comparisons or fewer."
        )
    if facts.n_sensitive:
        out.append(
            f"{plural(facts.n_sensitive, 'pair')} that nobody compared more than once"
            f" {'is' if facts.n_sensitive == 1 else 'are'} predicted from strong preferences that"
            f" cancel (M > {facts.threshold:g})."
        )
    else:
        out.append(f"No prediction for an uncompared pair has M > {facts.threshold:g}.")
    return out


def _upper(flip: Flip) -> float:
    upper = flip.interval.upper
    return float("inf") if isinstance(upper, NotApplicable) else upper


def _leader_sentence(facts: SensitivityFacts, flip: Flip) -> str:
    leader = name_of(facts, flip.items[0])
    upper, lower = flip.interval.upper, flip.interval.lower
    if isinstance(upper, NotApplicable):
        return (
            f"{leader} leads, and no set of comparisons was found whose removal changes that"
            f" (fewer than {lower:,} cannot)."
        )
    other = name_of(facts, flip.interval.below)
    many = f"{upper:,} of {flip.n_comparisons:,} comparisons"
    ends = "and no fewer" if flip.interval.exact else f"at least {lower:,} are needed"
    return f"{leader} leads; without {many} {other} would ({ends})."


def answer_block(facts: SensitivityFacts, findings: tuple[Finding, ...]) -> Answer:
    """The sentences, in the tone of the worst finding of this family."""
    mine = [f for f in findings if f.rule.startswith("CR8")]
    worst = next(
        (s for s in ("error", "warning") if any(f.severity.value == s for f in mine)), None
    )
    tones = {"error": "error", "warning": "warning", None: "good"}
    return Answer(tuple(answer(facts)), tones[worst])  # type: ignore[arg-type]


def sections(facts: SensitivityFacts, *, top: int) -> list[Block]:
    """Everything, in the order of what is read first."""
    return [
        flip_section(facts, top),
        *decision_section(facts),
        pair_section(facts, top),
        strong_section(facts, top),
        next_section(facts),
    ]


def flip_section(facts: SensitivityFacts, top: int) -> Section:
    """One row per answer, fit, unit and change."""
    title = "How few votes change the answer"
    if isinstance(facts.flips, NotApplicable):
        return Section(title, facts.flips.reason)
    columns = (
        Column("answer", "line", ("question", "k", "item", "component", "fit"), share=2),
        Column("votes", "id", ("unit", "change")),
        Column("at least", "count", ("lower",)),
        Column("enough", "count", ("upper",)),
        Column("then leads", "line", ("below",), share=1),
        Column("first row", "place", ("rows",), wide=True),
    )
    table = Table.of(
        columns,
        [_flip_row(facts, flip) for flip in facts.flips],
        name="flips",
        limit=4 * top,
        more="more answers",
        legend="at least: proved, fewer cannot change the answer; enough: a set that was found and"
        " refitted; = where the two meet; ~ where the proof is loose because rewards move far",
        main=True,
    )
    return Section(title, f"penalty {facts.penalty:g}, {facts.penalty_reason}", (table,))


def decision_section(facts: SensitivityFacts) -> list[Section]:
    """How many decisions hang on k comparisons, and the closest ones with their intervals."""
    d = facts.decisions
    if isinstance(d, NotApplicable):
        return []
    hanging = ", ".join(f"any {k:,}: {n:,}" for k, n in d.n_hanging)
    table = Table.of(
        (
            Column("prompt"),
            Column("best answer"),
            Column("rival"),
            Column("at least", "count"),
            Column("found", "count"),
            Column("first row", "place"),
        ),
        [
            (
                Cell(short(x.prompt, 24)),
                Cell(short(x.above_text, 24)),
                Cell(short(x.below_text, 24)),
                Cell(f"{x.lower:,}"),
                Cell("none" if isinstance(x.upper, NotApplicable) else f"{x.upper:,}"),
                Cell(x.rows[0] if x.rows else ""),
            )
            for x in d.most_fragile
        ],
        name="decisions",
    )
    return [
        Section(
            "Which answer a linear reward puts first",
            f"{plural(d.n, 'prompt')} with two answers or more, fitted to"
            f" {plural(d.n_comparisons, 'comparison')} at penalty {d.penalty:g}",
            (
                Prose(
                    (f"decisions not proved to stand when comparisons are left out: {hanging}",),
                    "dim",
                ),
                table,
                Prose(
                    (
                        "the closest decisions: fewer comparisons than at least cannot turn them,"
                        " those found do, by a fit from scratch",
                    ),
                    "dim",
                ),
            ),
        )
    ]


def _flip_row(facts: SensitivityFacts, flip: Flip) -> tuple[Cell, ...]:
    interval = flip.interval
    upper = interval.upper
    none = isinstance(upper, NotApplicable)
    mark = "" if interval.exact else " ~" if interval.curvature_share > LOOSE else ""
    what = {
        "leader": lambda: f"{name_of(facts, flip.items[0], 120)} leads",
        "top": lambda: f"the first {flip.k}",
        "pair": lambda: f"{name_of(facts, flip.items[0])} over {name_of(facts, flip.items[1])}",
    }[flip.question]()
    if flip.fit == "weighted":
        what += " (weighted)"
    values: tuple[Value, ...] = (
        flip.question,
        flip.k,
        facts.ids[flip.items[0]],
        flip.component,
        flip.fit,
    )
    return (
        Cell(what, values),
        Cell(f"{flip.unit}s {DONE[interval.change]}", (flip.unit, interval.change.value)),
        Cell(f"{interval.lower:,}{mark}", (interval.lower,)),
        Cell("none found", (None,), "dim")
        if isinstance(upper, NotApplicable)
        else Cell(f"= {upper:,}" if interval.exact else f"{upper:,}", (upper,)),
        Cell("" if none else name_of(facts, interval.below, 120), (facts.ids[interval.below],)),
        Cell(flip.rows[0] if flip.rows else "", (" ".join(flip.rows),)),
    )


def pair_section(facts: SensitivityFacts, top: int) -> Section:
    """Fragile pairs: M, influence in the fit, and the errors beside both."""
    title = "Predictions that hang on strong preferences"
    if not facts.fragile:
        return Section(title, f"none with M > {facts.threshold:g}")
    columns = (
        Column("predicted", "line", ("start",), share=1),
        Column("against", "line", ("end",), share=1),
        Column("through", "line", ("middle",), share=1),
        Column("M", "number", ("sensitivity", "harm")),
        Column("±", "number", ("chain_error",)),
        Column("influence", "number", ("influence", "influence_weighted")),
        Column("±", "number", ("fitted_error",)),
        Column("votes", "count", ("n_head",)),
        Column("by", "text", ("n_head_annotators", "n_head_prompts"), wide=True),
        Column("by the chain", "number", ("p_chain",), wide=True),
        Column("in the fit", "number", ("fitted", "fitted_weighted"), wide=True),
        Column("first row", "place", ("rows",), wide=True),
    )

    def row(c: int) -> tuple[Cell, ...]:
        p = facts.fragile[c]
        who = plural(p.n_head_annotators, "annotator") if p.n_head_annotators else ""
        weighted = None if isinstance(p.fitted_weighted, NotApplicable) else p.fitted_weighted
        moved = None if isinstance(p.influence_weighted, NotApplicable) else p.influence_weighted
        return (
            Cell(name_of(facts, p.start, 60), (facts.ids[p.start],)),
            Cell(name_of(facts, p.end, 60), (facts.ids[p.end],)),
            Cell(name_of(facts, p.middle, 60), (facts.ids[p.middle],)),
            Cell(f"{p.sensitivity:.1f}", (p.sensitivity, p.harm)),
            Cell(
                f"{p.chain_error:.2f}",
                (p.chain_error,),
                "warning" if p.error_dominates else "plain",
            ),
            Cell(f"{p.influence:.2f}", (p.influence, moved)),
            Cell(f"{p.fitted_error:.2f}", (p.fitted_error,)),
            Cell(f"{p.n_head:,}", (p.n_head,)),
            Cell(who, (p.n_head_annotators, p.n_head_prompts)),
            Cell(f"{p.p_chain:.2f}", (p.p_chain,)),
            Cell(f"{p.fitted:.2f}", (p.fitted, weighted)),
            Cell(p.head_rows[0] if p.head_rows else "", (" ".join(p.head_rows),)),
        )

    table = Table(
        columns,
        len(facts.fragile),
        row,
        name="fragile-pairs",
        limit=top,
        more="more pairs",
        order="largest ± in the fit: M of the fit times the error of each preference, together",
        legend="M: how much faster the prediction moves than the strong preference, by the chain;"
        " influence: the same in the penalised fit, over all paths; ±: one standard error of the"
        " prediction, by the chain and in the fit; votes: those behind the strong preference",
    )
    blocks: list[Block] = [table]
    n_error = sum(p.error_dominates for p in facts.fragile)
    if n_error:
        blocks.append(
            Prose(
                (
                    f"In {n_error:,} of {len(facts.fragile):,} the error of the votes is the larger"
                    " trouble: with so few of them near 0 or 1, M says little beside ±.",
                ),
                "warning",
            )
        )
    if facts.n_skipped:
        blocks.append(Prose((f"{facts.n_skipped:,} further chains were not looked at.",), "dim"))
    return Section(title, f"{facts.n_sensitive:,} with M > {facts.threshold:g}", tuple(blocks))


def strong_section(facts: SensitivityFacts, top: int) -> Section:
    """Dominant preferences of few votes, and annotators who hold items in their ranking."""
    note = (
        f"{facts.n_dominant_thin:,} of {plural(facts.n_dominant, 'strong preference')} rest on few"
        " votes"
    )
    blocks: list[Block] = []
    if facts.strong:
        blocks.append(
            Table.of(
                (
                    Column("preference for", "line", ("winner",), share=1),
                    Column("over", "line", ("loser",), share=1),
                    Column("share", "number", ("p",)),
                    Column("votes", "count", ("n_rows",)),
                    Column("annotators", "count", ("n_annotators",)),
                    Column("hanging on it", "count", ("n_hanging",)),
                ),
                [
                    (
                        Cell(name_of(facts, s.winner, 60), (facts.ids[s.winner],)),
                        Cell(name_of(facts, s.loser, 60), (facts.ids[s.loser],)),
                        Cell(f"{s.p:.2f}", (s.p,)),
                        Cell(f"{s.n_rows:,}", (s.n_rows,)),
                        Cell(f"{s.n_annotators:,}" if s.n_annotators else "-", (s.n_annotators,)),
                        Cell(f"{s.n_hanging:,}", (s.n_hanging,)),
                    )
                    for s in facts.strong
                ],
                name="strong-preferences",
                limit=top,
                more="more preferences",
                legend="hanging on it: predictions for other pairs, see above",
            )
        )
    lines: list[Words] = [
        f"without annotator {facts.annotators[h.annotator]!r}"
        f" {plural(h.n_cut_off, facts.unit)} would be cut off from their ranking"
        for h in facts.holders[:top]
    ]
    if lines:
        blocks.append(Prose(tuple(lines)))
    return Section("Strong preferences", note, tuple(blocks))


def worth_asking(votes: NextVotes) -> bool:
    """Whether votes that could be collected would change what is known of the first place."""
    fall = votes.probability_wrong - votes.probability_wrong_after
    return votes.probability_wrong >= SETTLED and not (votes.n_until == 0 and fall < SETTLED)


def next_section(facts: SensitivityFacts) -> Section:
    """What to collect next, and how many until the interval is narrow enough."""
    title = "What to collect next"
    votes = facts.next_votes
    if isinstance(votes, NotApplicable):
        return Section(title, votes.reason)
    if isinstance(votes.n_until, NotApplicable):
        until = f"wide, {votes.wanted:g} after {votes.n_until.reason}"
    elif votes.n_until == 0:
        until = f"wide, no more than the {votes.wanted:g} that is wanted"
    else:
        until = f"wide, {votes.wanted:g} after {plural(votes.n_until, 'vote')}"
    gap = f"The interval of its gap to {name_of(facts, votes.rival)} is {votes.width:.2f} {until}."
    leads = f"By the votes alone {name_of(facts, votes.leader)} leads"
    if votes.probability_wrong < SETTLED:
        line = f"{leads}, which the votes settle: the chance that another is better is below"
        return Section(title, "", (Prose((f"{line} {SETTLED:g}.", gap)),))
    if not worth_asking(votes):
        line = (
            f"Nothing to collect: {leads.lower()[0]}{leads[1:]}, another is better with a chance of"
            f" {votes.probability_wrong:.3f}, and the best {plural(votes.first.size, 'vote')} that"
            f" could be asked for would lower it by less than {SETTLED:g}."
        )
        return Section(title, "", (Prose((line, gap)),))
    line = (
        f"{leads}; the chance that another is better is {votes.probability_wrong:.3f} now, and"
        f" expected to be {votes.probability_wrong_after:.3f} after these."
    )
    table = Table.of(
        (
            Column("compare", "line", ("first",), share=1),
            Column("with", "line", ("second",), share=1),
            Column("votes", "count", ("votes",)),
            Column("fall", "number", ("fall",)),
        ),
        [
            (
                Cell(name_of(facts, i, 120), (facts.ids[i],)),
                Cell(name_of(facts, j, 120), (facts.ids[j],)),
                Cell(f"{len(falls):,}", (len(falls),)),
                Cell(f"{falls[0]:.2g}", (falls[0],)),
            )
            for (i, j), falls in _in_a_row(votes)
        ],
        name="next",
        limit=20,
        more="more comparisons",
        legend="fall: of the expected number of others that are truly better, by the first of these"
        " votes",
    )
    return Section(title, "", (Prose((line, gap)), table))


def _in_a_row(votes: NextVotes) -> list[tuple[tuple[int, int], list[float]]]:
    """Pairs in the order of choice, with the falls of the votes that are advised one after
    another."""
    out: list[tuple[tuple[int, int], list[float]]] = []
    for i, j, fall in zip(
        votes.first.tolist(), votes.second.tolist(), votes.fall.tolist(), strict=True
    ):
        if not out or out[-1][0] != (i, j):
            out.append(((i, j), []))
        out[-1][1].append(fall)
    return out


def pictures(facts: SensitivityFacts) -> list[Chart] | NotApplicable:
    """M against the error of the chain: what is sensitive, and what is merely unknown."""
    if not facts.fragile:
        return NotApplicable(f"no prediction has M > {facts.threshold:g}")
    x = tuple(p.sensitivity for p in facts.fragile)
    y = tuple(p.chain_error for p in facts.fragile)
    labels = tuple(
        f"{name_of(facts, p.start, 20)} against {name_of(facts, p.end, 20)}" for p in facts.fragile
    )
    return [
        Chart(
            "scatter",
            "Fragile predictions",
            f"{len(x)} predictions for pairs that were not compared: how fast each moves with the"
            " strong preference it hangs on, against its standard error.",
            "M",
            "standard error of the prediction",
            (Series("pairs", x, y, labels=labels, dots=True),),
        )
    ]

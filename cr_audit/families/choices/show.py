"""Lists for people: what they are, whether IIA holds, what a reward makes of them, what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Answer, Block, Cell, Chart, Column, Prose, Section, Series, Table
from cr_audit.families.choices.facts import (
    ChoicesFacts,
    Grouping,
    IiaTest,
    ListFacts,
    Method,
    PlannedPair,
    PositionFacts,
    RankingFacts,
    Remedies,
    Resample,
    Scheme,
    SkippedTest,
    Source,
    TestKind,
    Verdict,
)
from cr_audit.families.choices.rules import (
    IN_WORDS,
    effect_in_words,
    kind_name,
    largest_place,
    p_text,
    strongest,
)
from cr_audit.findings import Finding
from cr_audit.heads import named, short
from cr_audit.wording import percent, plural, verb

MAX_CATEGORIES = 12
MAX_PAIRS = 8
MAX_TESTS = 12
MAX_ITEMS = 15

TITLES: dict[Scheme, str] = {
    Scheme.MODELS: "By model",
    Scheme.CLONES: "By clone cluster",
    Scheme.LENGTH: "By length",
    Scheme.FIELD: "By field",
}
BEST: dict[Source, str] = {
    Source.CHOICE: "the chosen member is named",
    Source.RANKING: "rank 1 is best",
    Source.RATINGS: "the highest score is best",
    Source.PAIRS: "the winner is named",
}
UNITS: dict[Resample, str] = {
    Resample.ANNOTATOR: "annotators",
    Resample.PROMPT: "prompts",
    Resample.LIST: "lists",
}
TESTS: dict[TestKind, str] = {
    TestKind.SLOPE: "slope τ",
    TestKind.NESTED: "nested λ",
    TestKind.HAUSMAN: "Hausman–McFadden",
}
METHODS: dict[Method, tuple[str, str, str]] = {
    Method.LISTS: (
        "lists as they are",
        "IIA: copies do not take votes from each other",
        "listwise losses (Plackett–Luce, softmax over the list)",
    ),
    Method.ALL_PAIRS: (
        "all pairs",
        "IIA, and that each list may count k − 1 times",
        "every pair trainer; what --expand-choices writes",
    ),
    Method.ONE_PAIR: ("one pair per list", "IIA", "every pair trainer"),
    Method.WEIGHTED_PAIRS: (
        "pairs of weight 1/(k − 1)",
        "IIA; each list counts once",
        "pair trainers that take a weight per row",
    ),
    Method.BALANCED_PAIRS: (
        "pairs between kinds, each kind once",
        "members of one kind are alike",
        "pair trainers that take a weight per row",
    ),
    Method.CLONE_WEIGHTED: (
        "lists, a kind sharing one weight",
        "members of one kind are alike",
        "listwise losses with an offset per member",
    ),
    Method.NESTED: (
        "nested logit",
        "members of one kind compete with each other first",
        "own training code",
    ),
}


def answer(facts: ChoicesFacts) -> list[str]:
    """What a person who reads one paragraph should know; places first, they imitate the rest."""
    out: list[str] = []
    positions = facts.positions
    if isinstance(positions, PositionFacts) and positions.found:
        size, place, share = largest_place(positions)
        out.append(
            f"The place decides: place {place + 1} of {size} is chosen in {percent(share)} of the"
            f" lists; the tests below hold places fixed."
        )
    out.append(_verdict(facts))
    turned = [(g, p) for g in facts.groupings for p in g.pairs if p.sure]
    for g, p in turned[:2]:
        liked, other = (p.first, p.second) if p.rho_chosen.value > 0.5 else (p.second, p.first)
        share = max(p.rho_chosen.value, 1 - p.rho_chosen.value)
        out.append(
            f"With these lists the fitted reward ranks {kind_name(g.scheme, other)} first although"
            f" {percent(share)} prefer {kind_name(g.scheme, liked)}."
        )
    out += [_planned_sentence(g, p) for g in facts.groupings for p in g.planned[:2] if p.turns]
    remedies = facts.remedies
    if isinstance(remedies, Remedies) and remedies.recommended is not Method.LISTS:
        out.append(f"Recommended: {METHODS[remedies.recommended][0]}.")
    elif isinstance(remedies, Remedies) and facts.verdict is Verdict.VIOLATED:
        out.append("The lists as they are train as well as anything else that was tried.")
    return out


def _verdict(facts: ChoicesFacts) -> str:
    lists = facts.lists
    if lists.n == 0:
        return "The data holds no list that tells two members apart."
    if facts.verdict is Verdict.CANNOT_TELL:
        if lists.n_long == 0:
            return f"All {lists.n:,} lists are pairs: pairs cannot show whether IIA holds."
        if facts.n_tests:
            return "These lists cannot tell IIA from a dichotomy: no test would have noticed one."
        return "No test of IIA could be made on these lists; the reasons are below."
    if facts.verdict is Verdict.NOT_REJECTED:
        silent = [
            TITLES[g.scheme].lower()
            for g in facts.groupings
            if not g.informative and g.scheme is not Scheme.CLONES
        ]
        unsaid = (
            f" Kinds {' and '.join(silent)} could not be told from a dichotomy." if silent else ""
        )
        return (
            f"Nothing speaks against IIA: of {plural(facts.n_tests, 'test')} none rejects it"
            f" (smallest adjusted p {p_text(facts.smallest_adjusted)}).{unsaid}"
        )
    found = [t for g in facts.groupings if (t := strongest(g, facts.level)) is not None]
    test = min(found, key=lambda t: t.adjusted)
    return (
        f"IIA does not hold: {IN_WORDS[test.kind]} ({short(test.subject, 60)})"
        f" {effect_in_words(test)}, adjusted p {p_text(test.adjusted)}. {_matters(facts)}"
    )


def _matters(facts: ChoicesFacts) -> str:
    h = facts.held_out
    if isinstance(h, NotApplicable):
        return "Whether that matters for prediction could not be measured."
    better = [n for n in h.gain if h.gain[n] > 2 * h.error[n] and h.gain[n] > 0]
    if not better:
        return "On held-out lists no other model predicts better than the logit."
    best = max(better, key=lambda n: h.gain[n])
    return f"On held-out lists a {best} predicts better by {h.gain[best]:.3f} nats a list."


def _planned_sentence(g: Grouping, p: PlannedPair) -> str:
    liked, other = (p.first, p.second) if p.psi_pairs < 0 else (p.second, p.first)
    safe = f"the largest safe size is {p.largest_safe}" if p.largest_safe > 1 else "no size is safe"
    return (
        f"Lists of {p.size} would rank {kind_name(g.scheme, other)} above"
        f" {kind_name(g.scheme, liked)}; {safe}."
    )


def answer_block(facts: ChoicesFacts, findings: Sequence[Finding]) -> Answer:
    """The answer in the tone of the worst finding."""
    worst = next((f.severity for f in findings if f.severity != "note"), None)
    return Answer(tuple(answer(facts)), "good" if worst is None else worst.value)


def brief(facts: ChoicesFacts) -> list[Block]:
    """Everything, in reading order."""
    out: list[Block] = [_lists(facts), _places(facts.positions)]
    if facts.no_grouping is not None:
        out.append(Section("Kinds of members", f"none: {facts.no_grouping.reason}"))
    out += [_grouping(facts, g) for g in facts.groupings]
    out += [_held_out(facts), _ranking(facts.ranking), _remedies(facts.remedies)]
    return out


def _lists(facts: ChoicesFacts) -> Section:
    x = facts.lists
    lines = [_sizes(x)]
    kinds = [
        (x.n_choices, "name one choice"),
        (x.n_several, "choose several together"),
        (x.n_full, "rank all members"),
        (x.n_partial, "rank some members"),
        (x.n_tied, "hold ties"),
    ]
    lines.append("; ".join(f"{n:,} {what}" for n, what in kinds if n) or "nothing is chosen")
    for source, n, by in x.orders:
        lines.append(f"{plural(n, 'list')} from {by}: {BEST[source]}")
    if x.n_outside_offered:
        lines.append(
            f"“none of these” is offered in {x.n_outside_offered:,} lists and chosen in"
            f" {x.n_outside_chosen:,}"
        )
    if x.n_all_tied:
        lines.append(
            f"{plural(x.n_all_tied, 'list')} {verb(x.n_all_tied, 'ties', 'tie')} everything and"
            f" {verb(x.n_all_tied, 'is', 'are')} left out"
        )
    lines.append(f"errors are over {x.n_units:,} {UNITS[x.resample]}")
    if facts.covariates:
        lines.append(
            "held fixed in the tests: " + ", ".join(short(c, 30) for c in facts.covariates)
        )
    lines += [
        f"{what}: {used:,} of {n:,} lists, drawn at random" for what, used, n in facts.sampled
    ]
    return Section("Lists", plural(x.n, "list"), (Prose(tuple(lines), indent=2),))


def _sizes(x: ListFacts) -> str:
    if not x.sizes:
        return "no list has two members that differ"
    parts = [f"{n:,} of {size}" for size, n in x.sizes[:8]]
    more = f" and {len(x.sizes) - 8:,} more sizes" if len(x.sizes) > 8 else ""
    return "sizes: " + ", ".join(parts) + more


def _places(positions: PositionFacts | NotApplicable) -> Section:
    title = "Place in the list"
    if isinstance(positions, NotApplicable):
        return Section(title, f"not tested: {positions.reason}")
    rows = [
        (
            Cell(str(s.size), (s.size,)),
            Cell(f"{s.n_lists:,}", (s.n_lists,)),
            Cell("  ".join(percent(float(v)) for v in s.shares[:8])),
            Cell(p_text(s.p_value), (s.p_value,)),
        )
        for s in positions.sizes
    ]
    table = Table.of(
        (
            Column("size", "count", ("size",)),
            Column("lists", "count", ("n_lists",)),
            Column("chosen at place 1, 2, …", "line"),
            Column("p", "number", ("p_value",)),
        ),
        rows,
        name="places",
    )
    said = "the place decides" if positions.found else "even"
    return Section(title, f"{said}, p {p_text(positions.p_value)}", (table,))


def _grouping(facts: ChoicesFacts, g: Grouping) -> Section:
    note = plural(g.n_categories, "kind")
    if g.scheme is Scheme.LENGTH:
        note = f"long from {g.cut:,.0f} characters on"
    elif g.scheme is Scheme.CLONES:
        note = f"{g.n_shared_lists:,} lists offer copies"
    blocks: list[Block] = []
    if g.categories:
        blocks.append(_categories(g))
    if g.pairs:
        # A CSV file holds the tests; where none was made, the pairs.
        blocks.append(_pairs(g, main=facts.n_tests == 0))
    if g.tests:
        blocks += _tests(facts, g)
    if g.planned:
        blocks.append(_plan(g))
    return Section(TITLES[g.scheme], note, tuple(blocks))


def _number(value: float, digits: int = 2, sign: bool = False) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def _categories(g: Grouping) -> Table:
    rows = [
        (
            Cell(kind_name(g.scheme, c.name), (c.name,)),
            Cell(percent(c.offered), (c.offered,)),
            Cell(percent(c.chosen), (c.chosen,)),
            Cell(f"{_number(c.reward, sign=True)} ± {_number(c.error)}", (c.reward, c.error)),
        )
        for c in g.categories
    ]
    return Table.of(
        (
            Column("kind", "line", ("name",)),
            Column("offered", "number", ("share_offered",)),
            Column("chosen", "number", ("share_chosen",)),
            Column("reward ± error", "number", ("reward", "standard_error")),
        ),
        rows,
        name=f"kinds-{g.scheme}",
        limit=MAX_CATEGORIES,
        more="more kinds",
        order="reward on the lists as they are",
        legend="reward: of a logit on the lists as they are, mean 0",
    )


def _pairs(g: Grouping, *, main: bool) -> Table:
    def row(k: int) -> tuple[Cell, ...]:
        p = g.pairs[k]
        low, high = p.margin.low, p.margin.high
        return (
            Cell(kind_name(g.scheme, p.first), (p.first,)),
            Cell(kind_name(g.scheme, p.second), (p.second,)),
            Cell(f"{p.n_lists:,}", (p.n_lists,)),
            Cell(percent(p.rho_data), (p.rho_data,)),
            Cell(percent(p.rho_chosen.value), (p.rho_chosen.value,)),
            Cell(
                f"{100 * p.margin.value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
                (p.margin.value, low, high),
                "bad" if p.sure else "plain",
            ),
            Cell(
                ("turned" if p.sure else "turned?") if p.fires else "same",
                (p.fires, p.p_fires),
                "bad" if p.sure else "plain",
            ),
        )

    return Table(
        (
            Column("first", "line", ("first",), share=1),
            Column("second", "line", ("second",), share=1),
            Column("lists", "count", ("n_lists",)),
            Column("offered", "number", ("rho_data",), wide=True),
            Column("chosen", "number", ("rho_chosen",)),
            Column("margin, points", "number", ("margin", "margin_low", "margin_high")),
            Column("order", "id", ("fires", "probability_fires")),
        ),
        len(g.pairs),
        row,
        name=f"pairs-{g.scheme}",
        limit=MAX_PAIRS,
        more="more pairs",
        order="lists that offer both",
        main=main,
        legend="chosen: the first kind, where one of the two was; a logit prefers it where the"
        " margin, chosen minus offered, is positive; order: the majority's (same), turned, or"
        " turned within the error (turned?)",
    )


def _tests(facts: ChoicesFacts, g: Grouping) -> list[Block]:
    made = sorted(
        (t for t in g.tests if isinstance(t, IiaTest)), key=lambda t: (t.adjusted, t.p_value)
    )
    skipped = [t for t in g.tests if isinstance(t, SkippedTest)]
    rows = [_test_row(facts, t) for t in made]
    table = Table.of(
        (
            Column("test", "id", ("kind",)),
            Column("of", "line", ("subject",), share=1),
            Column("effect", "number", ("effect", "low", "high")),
            Column("statistic (df)", "number", ("statistic", "degrees_of_freedom"), wide=True),
            Column("p, adjusted", "number", ("p_value", "adjusted_p_value")),
            Column("note", "text", ("flag",), wide=True),
        ),
        rows,
        name=f"iia-{g.scheme}",
        limit=MAX_TESTS,
        more="more tests",
        order="adjusted p",
        legend=f"IIA: τ = 1, λ = 1, no coefficient moves; dichotomy: τ = 0; adjusted over"
        f" {facts.n_tests:,} tests (Holm), rejected at {facts.level:g}",
        main=True,
    )
    reasons: dict[str, list[str]] = {}
    for t in skipped:
        reasons.setdefault(t.reason, []).append(f"{TESTS[t.kind]} of {short(t.subject, 40)}")
    lines = [f"not made: {', '.join(what[:6])}: {reason}" for reason, what in reasons.items()]
    out: list[Block] = [table] if made else []
    return [*out, Prose(tuple(lines), "dim")] if lines else out


def _test_row(facts: ChoicesFacts, t: IiaTest) -> tuple[Cell, ...]:
    effect = {"at-zero": "at 0", "unbounded": "no bound"}.get(t.flag, _number(t.effect))
    if effect == "0.00" and t.kind is TestKind.NESTED:
        effect = "below 0.01"
    elif math.isfinite(t.low):
        effect += f" ({_number(t.low)} to {_number(t.high)})"
    elif t.kind is TestKind.HAUSMAN:
        effect += " errors"
    rejects = t.adjusted <= facts.level
    return (
        Cell(TESTS[t.kind], (str(t.kind),)),
        Cell(short(t.subject, 60), (t.subject,)),
        Cell(effect, (t.effect, t.low, t.high)),
        Cell(f"{t.statistic:,.1f} ({t.degrees_of_freedom})", (t.statistic, t.degrees_of_freedom)),
        Cell(p_text(t.adjusted), (t.p_value, t.adjusted), "bad" if rejects else "plain"),
        Cell(_note(t), (t.flag,)),
    )


def _note(t: IiaTest) -> str:
    if t.kind is TestKind.HAUSMAN:
        rank = f"rank {t.degrees_of_freedom}"
        if t.detail.get("pseudo_inverse"):
            rank += ", pseudo-inverse"
        classical = t.detail.get("classical")
        if isinstance(classical, str):
            return f"joint sandwich, {rank}; {classical}"
        return f"{'joint sandwich' if t.flag == 'joint' else 'textbook form'}, {rank}"
    if t.flag == "at-zero":
        return "λ at 0: the likelihood still rises there"
    if t.flag == "unbounded":
        return "λ without bound: not a number"
    if t.flag == "above-one":
        return "outside the random-utility range"
    return f"{plural(t.n_lists, 'list')}"


def _plan(g: Grouping) -> Table:
    rows = []
    for p in g.planned:
        before = p.first if p.psi_pairs < 0 else p.second
        after = p.first if p.psi.value < 0 else p.second
        safe = f"{p.largest_safe}" + ("+" if p.largest_safe == p.limit else "")
        rows.append(
            (
                Cell(kind_name(g.scheme, p.first), (p.first,)),
                Cell(kind_name(g.scheme, p.second), (p.second,)),
                Cell(percent(p.zeta), (p.zeta,)),
                Cell(percent(p.liked.value), (p.liked.value, p.liked.low, p.liked.high)),
                Cell("first" if before == p.first else "second", (before,)),
                Cell(
                    "first" if after == p.first else "second",
                    (after, p.psi.value, p.psi.low, p.psi.high),
                    "bad" if p.turns else "plain",
                ),
                Cell(f"{p.p_wrong:.2f}", (p.p_wrong,)),
                Cell(safe if p.largest_safe > 1 else "none", (p.largest_safe,)),
            )
        )
    assumed = g.planned[0].assumed
    said = (
        "the slope measured on these lists"
        if assumed == "measured"
        else "a dichotomy, the worst case: pairs do not show what more members do"
    )
    return Table.of(
        (
            Column("first", "line", ("first",), share=1),
            Column("second", "line", ("second",), share=1),
            Column("offered", "number", ("zeta",)),
            Column("liked", "number", ("liked", "liked_low", "liked_high")),
            Column("by pairs", "id", ("first_in_pairs",)),
            Column(
                f"by {g.planned[0].size}",
                "id",
                ("first_in_lists", "reward_difference", "low", "high"),
            ),
            Column("turns", "number", ("probability_turns",)),
            Column("safe to", "number", ("largest_safe_size",)),
        ),
        rows,
        name=f"plan-{g.scheme}",
        limit=MAX_PAIRS,
        more="more pairs",
        legend="offered, liked: share of the first kind; by pairs, by"
        f" {g.planned[0].size}: which of the two a reward ranks above, fitted to lists of 2 and of"
        f" {g.planned[0].size} whose members are drawn as today; choices by {said}; turns: share of"
        " draws in which the order differs from that of pairs; safe to: the largest size that"
        " keeps it",
    )


def _held_out(facts: ChoicesFacts) -> Section:
    title = "Does it matter for prediction?"
    h = facts.held_out
    if isinstance(h, NotApplicable):
        return Section(title, f"not measured: {h.reason}")
    rows = [
        (
            Cell(name, (name,)),
            Cell(f"{h.mean[name]:.4f}", (h.mean[name],)),
            Cell(f"{h.gain[name]:+.4f} ± {h.error[name]:.4f}", (h.gain[name], h.error[name])),
        )
        for name in h.mean
    ]
    rows += [
        (Cell(name, (name,)), Cell("–", (None,)), Cell(f"not fitted: {why}", (None, None), "dim"))
        for name, why in h.missing.items()
    ]
    table = Table.of(
        (
            Column("model", "id", ("model",)),
            Column("log-likelihood a list", "number", ("log_likelihood",)),
            Column("gain on the logit ± error", "text", ("gain", "standard_error")),
        ),
        rows,
        name="held-out",
    )
    note = f"{h.n_lists:,} lists, {h.n_folds} folds, each list scored by a fit that did not see it"
    return Section(title, note, (table,))


def _ranking(r: RankingFacts | NotApplicable) -> Section:
    title = "Ranking (Plackett–Luce)"
    if isinstance(r, NotApplicable):
        return Section(title, f"none: {r.reason}")
    weighted = not isinstance(r.clone_weights, NotApplicable)

    def row(k: int) -> tuple[Cell, ...]:
        i = r.items[k]
        cells = [
            Cell(str(i.rank), (i.rank,)),
            Cell(named(i.name, r.unit, 60), (i.name,)),
            Cell(
                f"{_number(i.reward, sign=True)} ± {_number(i.error)}",
                (i.reward, i.error, i.quasi),
            ),
            Cell(f"{i.rank_low}–{i.rank_high}", (i.rank_low, i.rank_high)),
            Cell(_number(i.p_first), (i.p_first,)),
            Cell(f"{i.n_lists:,}", (i.n_lists,)),
        ]
        if weighted:
            cells.append(
                Cell(
                    f"{i.rank_clone_weighted} ({_number(i.clone_weighted, sign=True)})",
                    (i.rank_clone_weighted, i.clone_weighted),
                )
            )
        return tuple(cells)

    columns = [
        Column("rank", "number", ("rank",)),
        Column(r.unit, "line", ("name",)),
        Column("reward ± error", "number", ("reward", "standard_error", "quasi_standard_error")),
        Column("rank interval", "number", ("rank_low", "rank_high")),
        Column("first in", "number", ("probability_first",)),
        Column("lists", "count", ("n_lists",), wide=True),
    ]
    if weighted:
        columns.append(
            Column("clones sharing", "number", ("rank_clone_weighted", "clone_weighted"))
        )
    table = Table(
        tuple(columns), r.n_items, row, name="ranking", limit=MAX_ITEMS, more=f"more {r.unit}s"
    )
    lines = []
    if r.penalty:
        reason = (
            "asked for"
            if r.penalty_reason == "asked-for"
            else "without one some rewards would be infinite"
        )
        lines.append(f"penalty {r.penalty:g}: {reason}")
    if r.ties == "davidson-luce":
        deltas = ", ".join(f"ln δ{size} = {value:+.2f}" for size, value in r.log_delta)
        lines.append(f"ties are modelled (Davidson–Luce): {deltas}")
    elif r.ties == "between-tiers":
        lines.append("ties are taken apart: each tied member against those below it")
    if r.n_components > 1:
        lines.append(f"{r.n_components:,} separate rankings: compare within each only")
    blocks: tuple[Block, ...] = (table, Prose(tuple(lines), "dim")) if lines else (table,)
    return Section(title, f"{r.n_stages:,.0f} choices one after another", blocks)


BECAUSE: dict[str, str] = {
    "as-good": "no other way agrees better with held-out choices",
    "agrees-better": "it agrees better with held-out choices than anything simpler",
    "order-turns": "the lists as they are turn the order of kinds, and this agrees as well",
}


def _remedies(r: Remedies | NotApplicable) -> Section:
    title = "Ways to train"
    if isinstance(r, NotApplicable):
        return Section(title, f"not measured: {r.reason}")
    rows = []
    for m in r.methods:
        name, assumes, takes = METHODS[m.method]
        best = m.method is r.recommended
        if m.reason:
            result = Cell("–", (None, None), "dim")
            order = Cell(f"not fitted: {m.reason}", (None,), "dim")
        else:
            result = Cell(
                f"{percent(m.agreement)} ± {100 * m.error:.1f}",
                (m.agreement, m.error),
                "good" if best else "plain",
            )
            shown = " > ".join(kind_name(r.scheme, short(o, 24)) for o in m.order[:4])
            order = Cell(shown + (" > …" if len(m.order) > 4 else ""), (shown,))
        rows.append(
            (
                Cell(name, (str(m.method),), "good" if best else "plain"),
                result,
                order,
                Cell(f"{m.n_rows:,}", (m.n_rows,)),
                Cell(assumes, (assumes,)),
                Cell(takes, (takes,)),
            )
        )
    table = Table.of(
        (
            Column("way", "id", ("method",)),
            Column("agreement", "number", ("agreement", "standard_error")),
            Column("order of kinds", "line", ("order",), share=1),
            Column("rows", "count", ("n_rows",)),
            Column("assumes", "text", ("assumes",), wide=True),
            Column("takes it", "text", ("takes",), wide=True),
        ),
        rows,
        name="remedies",
        legend="agreement: over held-out lists, how often the chosen kind is above another kind"
        " that the list offers, each list counting once",
    )
    lines = [f"Recommended: {METHODS[r.recommended][0]}; {BECAUSE[r.because]}."]
    for method, models in r.model_orders:
        if method in (Method.LISTS, r.recommended):
            first = " > ".join(named(o, "model", 24) for o in models[:6])
            more = " > …" if len(models) > 6 else ""
            lines.append(f"models, {METHODS[method][0]}: {first}{more}")
    return Section(title, f"{r.n_lists:,} lists, {r.n_folds} folds", (table, Prose(tuple(lines))))


def pictures(facts: ChoicesFacts) -> list[Chart] | NotApplicable:
    """Shares offered against shares chosen, one point per pair of kinds."""
    points = [(g, p) for g in facts.groupings for p in g.pairs]
    if not points:
        return NotApplicable("no two kinds stand in enough lists")
    labels = tuple(
        f"{kind_name(g.scheme, short(p.first, 20))} / {kind_name(g.scheme, short(p.second, 20))}"
        for g, p in points
    )
    return [
        Chart(
            kind="interval",
            title="Chosen minus offered",
            description="Per pair of kinds, the share of choices minus the share offered of the"
            " first kind, with its interval; a logit prefers the first kind right of zero.",
            x_title="margin of the first kind",
            y_title="pair of kinds",
            series=(
                Series(
                    label="margin",
                    x=tuple(float(k) for k in range(len(points))),
                    y=tuple(p.margin.value for _, p in points),
                    low=tuple(p.margin.low for _, p in points),
                    high=tuple(p.margin.high for _, p in points),
                    labels=labels,
                ),
            ),
        )
    ]

"""CR701-CR709: lists that break IIA, rewards of the wrong sign, places, plans, bad lists."""

from __future__ import annotations

from collections.abc import Iterator

from cr_audit.arrays import NotApplicable
from cr_audit.families.choices.facts import (
    CategoryPair,
    ChoicesFacts,
    Grouping,
    IiaTest,
    PositionFacts,
    RankingFacts,
    Scheme,
    TestKind,
    Verdict,
)
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.heads import named, short
from cr_audit.wording import percent, plural, verb

_IIA = "RLHF and IIA: Perverse Incentives (Xu et al., 2024)"

IN_WORDS: dict[TestKind, str] = {
    TestKind.SLOPE: "the slope of the chosen kind on the numbers offered",
    TestKind.NESTED: "a nested logit against a logit",
    TestKind.HAUSMAN: "Hausman and McFadden's test",
}
OF_SCHEME: dict[Scheme, str] = {
    Scheme.MODELS: "models",
    Scheme.CLONES: "clones",
    Scheme.LENGTH: "lengths",
    Scheme.FIELD: "kinds",
}
# Share of lists that cannot be used from which their rule is a warning.
MANY_BAD = 0.01


def kind_name(scheme: Scheme, name: str) -> str:
    """A kind as it stands in a sentence."""
    if scheme is Scheme.LENGTH:
        return f"{name} answers"
    return named(name, "model") if scheme is Scheme.MODELS else f"“{short(name)}”"


def strongest(grouping: Grouping, level: float) -> IiaTest | None:
    """The test of a grouping that rejects IIA most clearly, if any does at the level."""
    made = [t for t in grouping.tests if isinstance(t, IiaTest) and t.adjusted <= level]
    return min(made, key=lambda t: (t.adjusted, t.p_value), default=None)


def _violated(facts: ChoicesFacts) -> Iterator[Finding]:
    if facts.verdict is not Verdict.VIOLATED:
        return
    for g in facts.groupings:
        test = strongest(g, facts.level)
        if test is None:
            continue
        n = sum(isinstance(t, IiaTest) and t.adjusted <= facts.level for t in g.tests)
        yield RULES[0].finding(
            message=f"choices among {OF_SCHEME[g.scheme]} break IIA: {IN_WORDS[test.kind]}"
            f" ({short(test.subject, 60)}) {effect_in_words(test)},"
            f" adjusted p {p_text(test.adjusted)};"
            f" {plural(n, 'test')} of {facts.n_tests:,} {verb(n, 'says', 'say')} so",
            subject=f"iia:{g.scheme}",
            evidence={
                "test": str(test.kind),
                "effect": test.effect,
                "statistic": test.statistic,
                "degrees_of_freedom": test.degrees_of_freedom,
                "p_value": test.p_value,
                "adjusted_p_value": test.adjusted,
                "n_lists": test.n_lists,
                "n_rejecting": n,
                "n_tests": facts.n_tests,
            },
        )


def effect_in_words(test: IiaTest) -> str:
    """The effect with what it would be under IIA."""
    if test.kind is TestKind.HAUSMAN:
        return f"moves a coefficient by {test.effect:.1f} errors"
    name = "τ" if test.kind is TestKind.SLOPE else "λ"
    if test.flag == "at-zero":
        return "puts λ at 0, where IIA has 1"
    if test.flag == "unbounded":
        return "puts no bound on λ, where IIA has 1"
    if name == "λ" and test.effect < 0.005:
        return "gives λ below 0.01 where IIA has 1"
    return f"gives {name} = {test.effect:.2f} where IIA has 1"


def p_text(p: float) -> str:
    """A p-value as a person reads it."""
    return "below 0.0001" if p < 1e-4 else f"{p:.2g}"


def _wrong_sign(facts: ChoicesFacts) -> Iterator[Finding]:
    for g in facts.groupings:
        for p in g.pairs:
            if p.sure:
                yield _turned(g, p)


def _turned(g: Grouping, p: CategoryPair) -> Finding:
    first_liked = p.rho_chosen.value > 0.5
    liked, other = (p.first, p.second) if first_liked else (p.second, p.first)
    share = p.rho_chosen.value if first_liked else 1 - p.rho_chosen.value
    offered = p.rho_data if first_liked else 1 - p.rho_data
    return RULES[1].finding(
        message=f"a reward fitted to these lists prefers {kind_name(g.scheme, other)} although"
        f" {percent(share)} of the choices are {kind_name(g.scheme, liked)}:"
        f" {percent(offered)} of what these lists offer is",
        subject=f"order:{g.scheme}:{liked}:{other}",
        evidence={
            "rho_chosen": share,
            "rho_data": offered,
            "margin": share - offered,
            "probability": p.p_fires,
            "reward_difference": abs(p.psi),
            "n_lists": p.n_lists,
        },
    )


def _places(facts: ChoicesFacts) -> Iterator[Finding]:
    positions = facts.positions
    if isinstance(positions, NotApplicable) or not positions.found:
        return
    size, place, share = largest_place(positions)
    yield RULES[2].finding(
        message=f"place {place + 1} of {size} is chosen in {percent(share)} of the lists, where an"
        f" even hand would choose it in {percent(1 / size)}",
        subject="positions",
        evidence={"size": size, "place": place + 1, "share": share, "p_value": positions.p_value},
    )


def largest_place(positions: PositionFacts) -> tuple[int, int, float]:
    """(list size, place from 0, its share of the choices) that is farthest from even."""
    found = [
        (abs(float(share) - 1 / s.size), s.size, place, float(share))
        for s in positions.sizes
        for place, share in enumerate(s.shares)
    ]
    _, size, place, share = max(found)
    return size, place, share


def _planned(facts: ChoicesFacts) -> Iterator[Finding]:
    for g in facts.groupings:
        for p in g.planned:
            if not p.turns:
                continue
            liked, other = (p.first, p.second) if p.psi_pairs < 0 else (p.second, p.first)
            safe = f"lists of up to {p.largest_safe}" if p.largest_safe > 1 else "no list size"
            yield RULES[3].finding(
                message=f"lists of {p.size} drawn as today would rank {kind_name(g.scheme, other)}"
                f" above {kind_name(g.scheme, liked)}, which pairs rank first;"
                f" {safe} would keep the order",
                subject=f"plan:{g.scheme}:{liked}:{other}",
                evidence={
                    "size": p.size,
                    "probability": p.p_wrong,
                    "largest_safe": p.largest_safe,
                    "share_offered": p.zeta,
                    "share_liked": p.liked.value,
                    "assumed": p.assumed,
                },
            )


def _outside(facts: ChoicesFacts) -> Iterator[Finding]:
    for g in facts.groupings:
        for t in g.tests:
            if (
                isinstance(t, IiaTest)
                and t.kind is TestKind.NESTED
                and t.flag in ("above-one", "unbounded")
                and t.adjusted <= facts.level
            ):
                yield RULES[4].finding(
                    message=f"the nested logit of {short(t.subject, 60)} "
                    + (
                        f"has λ = {t.effect:.2f}, above 1"
                        if t.flag == "above-one"
                        else "has no bounded λ"
                    ),
                    subject=f"lambda:{g.scheme}:{t.subject}",
                    evidence={"lambda": t.effect, "low": t.low, "high": t.high},
                )


def _leader(facts: ChoicesFacts) -> Iterator[Finding]:
    r = facts.ranking
    if isinstance(r, NotApplicable) or isinstance(r.clone_weights, NotApplicable):
        return
    old, new = _leaders(r)
    if old == new:
        return
    before, after = r.items[old], r.items[new]
    yield RULES[5].finding(
        message=f"where clones in a list share one weight, {named(after.name, r.unit)} leads"
        f" instead of {named(before.name, r.unit)}",
        subject="ranking",
        evidence={
            "reward": before.reward,
            "clone_weighted": before.clone_weighted,
            "new_reward": after.reward,
            "new_clone_weighted": after.clone_weighted,
            "n_lists": r.clone_weights,
        },
    )


def _leaders(r: RankingFacts) -> tuple[int, int]:
    """Who leads the largest component, plain and clone-weighted."""
    first = [k for k, i in enumerate(r.items) if i.component == 0]
    plain = min(first, key=lambda k: r.items[k].rank)
    weighted = min(first, key=lambda k: (r.items[k].rank_clone_weighted, r.items[k].rank))
    same = r.items[weighted].rank_clone_weighted == r.items[plain].rank_clone_weighted
    return plain, plain if same else weighted


def _bad(facts: ChoicesFacts) -> Iterator[Finding]:
    of = max(facts.lists.n + facts.lists.n_all_tied, 1)
    for problem in facts.lists.problems:
        severe = Severity.WARNING if problem.n > MANY_BAD * of else Severity.NOTE
        yield RULES[6].finding(
            message=f"{plural(problem.n, 'list')} or {verb(problem.n, 'member', 'members')}:"
            f" {PROBLEMS.get(problem.reason, problem.reason)}",
            subject=f"lists:{problem.reason}",
            evidence={"reason": problem.reason, "n": problem.n, "n_lists": facts.lists.n},
            rows=problem.places,
            severity=severe,
        )


PROBLEMS: dict[str, str] = {
    "single_alternative": "fewer than two different members, nothing to choose from",
    "duplicate_member": "one member stands in its list more than once",
    "contradictory_member": "one member stands at two ranks of one list and was left out",
    "empty_list": "the list or ranking is empty",
    "overvote": "several candidates at one rank of a ballot",
    "repeated_candidate": "a candidate comes again on a ballot; its first place counts",
    "skipped_rank": "a rank of a ballot is empty",
    "unknown_label": "what was chosen was not offered",
    "not_a_number": "a rank is not a number",
    "not_a_list": "the members are not a list",
    "missing_label": "nothing was chosen or ranked",
    "not_ranked": "some members have no rank",
    "missing_response": "a member has no name and no text",
}


def _all_tied(facts: ChoicesFacts) -> Iterator[Finding]:
    n = facts.lists.n_all_tied
    if n:
        yield RULES[7].finding(
            message=f"{plural(n, 'list')} {verb(n, 'ties', 'tie')} all members and"
            f" {verb(n, 'says', 'say')} nothing",
            subject="lists:all-tied",
            evidence={"n": n, "n_lists": facts.lists.n},
        )


def _pairs_only(facts: ChoicesFacts) -> Iterator[Finding]:
    if facts.lists.n and facts.lists.n_long == 0:
        yield RULES[8].finding(
            message=f"all {facts.lists.n:,} lists are pairs: they cannot show whether IIA holds",
            subject="lists:pairs",
            evidence={"n_lists": facts.lists.n},
        )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR701",
        name="iia-violated",
        severity=Severity.WARNING,
        summary="Choices from lists break independence of irrelevant alternatives.",
        means=(
            "How two members compare depends on what else the list offers: copies take votes from"
            " each other first. A reward model that is fitted to such lists by their softmax, and"
            " lists that are split into pairs, assume that this does not happen."
        ),
        computed=(
            "For every grouping of the members: the slope of the chosen kind on ln(k₁/k₂), nested"
            " logits against the logit, and Hausman and McFadden's test; p-values adjusted over all"
            " tests of the report (Holm), rejected at --level."
        ),
        advice="Read the remedies: they are measured on these lists.",
        source=f"{_IIA}, section 3; Hausman and McFadden (1984)",
        judge=_violated,
    ),
    Rule(
        id="CR702",
        name="reward-of-the-wrong-sign",
        severity=Severity.ERROR,
        summary="A reward fitted to these lists prefers the kind that is liked less.",
        means=(
            "One kind is chosen more often than the other, but less often than it is offered. The"
            " likelihood of a softmax then puts the other kind first: training on it teaches what"
            " most annotators reject."
        ),
        computed=(
            "Over the lists that offer both kinds: the share offered against the share chosen."
            " Reported where the majority and the sign of the reward disagree in at least the"
            " confidence level of resamples."
        ),
        advice="Do not train on these lists as they are; see the remedies, or collect pairs.",
        source=f"{_IIA}, Lemma 9, Propositions 4 and 5",
        judge=_wrong_sign,
    ),
    Rule(
        id="CR703",
        name="place-decides",
        severity=Severity.WARNING,
        summary="The place in the list decides more than chance would.",
        means=(
            "Annotators prefer members that stand at some place. Where kinds stand at certain"
            " places this looks like a preference, or like a violation of IIA."
        ),
        computed=(
            "Pearson's statistic of the chosen places against even ones, per list size, summed;"
            " places are then columns of every test."
        ),
        advice="Shuffle members before they are shown, and keep the order in which they were.",
        judge=_places,
    ),
    Rule(
        id="CR704",
        name="planned-lists-turn-the-order",
        severity=Severity.ERROR,
        summary="Lists of the planned size would teach another order than pairs do.",
        means=(
            "If lists are drawn as members are drawn today, the kind that is offered more often is"
            " penalised for it, and the reward prefers the other."
        ),
        computed=(
            "The logit reward of endless lists of the planned size with today's shares; the choice"
            " model is the measured slope, or the dichotomy where only pairs are there. Reported"
            " where the order turns in at least the confidence level of draws."
        ),
        advice="Stay at or below the largest safe size, or draw both kinds equally often.",
        source=f"{_IIA}, Propositions 4 and 5",
        judge=_planned,
    ),
    Rule(
        id="CR705",
        name="lambda-above-one",
        severity=Severity.NOTE,
        summary="A nested logit lies outside the random-utility range.",
        means=(
            "λ above 1 says that members of a nest help each other. No population that maximises"
            " utility does that for all lists: usually a column is missing."
        ),
        computed="λ of the nested logit, reported where the test rejects λ = 1.",
        advice="Look for what the members of the nest have in common beside their kind.",
        source="Daly and Zachary (1978)",
        judge=_outside,
    ),
    Rule(
        id="CR706",
        name="clone-weights-change-the-leader",
        severity=Severity.WARNING,
        summary="Another item leads where clones in a list share one weight.",
        means="The leader of the rankings owes its place to copies of its rivals, or of itself.",
        computed="Plackett–Luce rewards with and without the log weight of clones in a list.",
        advice="Report both rankings, or remove copies before lists are drawn.",
        judge=_leader,
    ),
    Rule(
        id="CR707",
        name="bad-lists",
        severity=Severity.NOTE,
        summary="Lists could not be used, or only in part.",
        means="They are counted under their reason; what could be used was.",
        computed="Remarks of the reader about lists; a warning from 1 % of the lists on.",
        advice="Look at the first places; --map names the fields if they were misread.",
        judge=_bad,
    ),
    Rule(
        id="CR708",
        name="lists-all-tied",
        severity=Severity.NOTE,
        summary="Some lists tie all their members.",
        means="A list that ranks everything alike says nothing about who is preferred.",
        computed="Lists in which every member has the best rank.",
        advice="Keep them out of training: some loaders make pairs of them.",
        judge=_all_tied,
    ),
    Rule(
        id="CR709",
        name="nothing-but-pairs",
        severity=Severity.NOTE,
        summary="Pairs alone cannot show whether IIA holds.",
        means=(
            "With two members there is no third one that could be irrelevant. Pairs do say who is"
            " preferred, and what longer lists would do under the worst case."
        ),
        computed="The sizes of all lists.",
        advice="Before a move to longer lists, ask with --plan SIZE.",
        source=f"{_IIA}, section 5.4",
        judge=_pairs_only,
    ),
)

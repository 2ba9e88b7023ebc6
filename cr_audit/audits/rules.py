"""Every rule that cr-audit knows, in one table. ``cr-audit explain`` prints from here.

Numbers are stable: a rule that goes away leaves its number unused.
1xx clones, 2xx rankings, 3xx comparisons, 4xx rows, 5xx the estimate itself, 6xx a batch (gate).
"""

from __future__ import annotations

from cr_audit.audits.gate_rules import GATE_RULES
from cr_audit.findings import Rule, Severity

_CR = "Clone-Robust AI Alignment, arXiv 2501.09254"

RULES: tuple[Rule, ...] = (
    Rule(
        id="CR101",
        name="near-clones",
        severity=Severity.WARNING,
        summary="Near-identical responses to one prompt stand as separate alternatives.",
        means=(
            "Each copy meets the same opponents with the same result, so whoever those opponents"
            " lose to or win against is counted once per copy. A reward model fitted on this data"
            " moves towards whoever benefits."
        ),
        computed=(
            "Responses to one prompt (or to prompts that are clones of each other) whose text"
            " distance is within the radius, in clusters bounded in diameter. The share of items is"
            " compared with the share of weight the cluster keeps under clone-robust weights."
        ),
        advice=(
            "Look at the word diff of the two furthest members. If they are one answer, keep one"
            " copy, or train with the exported weights."
        ),
        source=f"{_CR} (approximate clones)",
    ),
    Rule(
        id="CR102",
        name="exact-clones",
        severity=Severity.WARNING,
        summary="The same text stands under two names or two identifiers.",
        means=(
            "Two systems (or two identifiers) gave the same text to one prompt. Every preference"
            " between them is noise, and every preference against them counts twice."
        ),
        computed="Equal text after Unicode NFC and trimming of outer white space, nothing else.",
        advice="Merge them, or let the weights split one share between them (the default).",
        source=f"{_CR} (approximate clones, at distance 0)",
    ),
    Rule(
        id="CR103",
        name="boilerplate",
        severity=Severity.WARNING,
        summary="One answer stands under many different prompts.",
        means=(
            "A refusal, a disclaimer or an error message is repeated across prompts. It is not a"
            " clone in the paper's sense (the prompts differ), but a reward model learns it as one"
            " thing from many rows."
        ),
        computed="Near-identical response texts under three or more prompts that are not clones.",
        advice="Decide whether this answer should carry that much of the training signal.",
        source="docs/methods.md, section 4",
    ),
    Rule(
        id="CR104",
        name="prompt-clones",
        severity=Severity.NOTE,
        summary="Near-identical prompts stand as separate prompts.",
        means=(
            "Their responses are alternatives to one question; comparisons are split over several"
            " prompts, and a held-out split by prompt leaks."
        ),
        computed="Prompt texts within the radius of each other, in clusters bounded in diameter.",
        advice="Merge the prompts before splitting into training and held-out data.",
    ),
    Rule(
        id="CR105",
        name="alike-in-text-not-in-votes",
        severity=Severity.WARNING,
        summary="Members of one clone cluster fare differently against the same opponents.",
        means=(
            "A clone is near in text and alike to annotators. Here the second half fails: either"
            " the small difference matters (a wrong number, a negation), or the labels are noisy."
        ),
        computed=(
            "Test of equal win rates against common opponents, summed over opponents, with a"
            " permutation p-value where counts are small; p-values corrected over clusters (Holm)."
        ),
        advice="Read the diff: if the difference is decisive, take the cluster out (--radius).",
        source=f"{_CR} (approximate clones: near, and alike to annotators)",
    ),
    Rule(
        id="CR106",
        name="noise-floor",
        severity=Severity.NOTE,
        summary="Annotators preferred one of two identical texts.",
        means="The share of such decisions bounds from below how noisy every label is.",
        computed="Comparisons between two alternatives with the same text that were not ties.",
        advice="Treat differences in win rate of this size with suspicion.",
    ),
    Rule(
        id="CR201",
        name="leader-changes",
        severity=Severity.ERROR,
        summary="Clone-robust weights put another item first.",
        means=(
            "The item that leads by the average win rate (and so by the regularised Bradley-Terry"
            " fit) leads because of how many near-copies the data holds, not because of how often"
            " it is preferred."
        ),
        computed=(
            "Rank by average win rate against rank by weighted average win rate, resampled with"
            " the Monte-Carlo error of the weights; reported where the new leader's change of rank"
            " is on the list of CR202."
        ),
        advice="Do not publish or train on the standard ranking before the clones are dealt with.",
        source=f"{_CR}, Definition 4.2, Corollary 4.5",
    ),
    Rule(
        id="CR202",
        name="ranks-change",
        severity=Severity.WARNING,
        summary="Clone-robust weights change the order of two or more items.",
        means="As CR201, below the first place.",
        computed=(
            "The share of resamples in which an item's rank does not differ in the observed"
            " direction, for every item with enough comparisons; Benjamini and Hochberg's list at"
            " one minus the confidence level: of the items on it, that share is expected to be"
            " chance."
        ),
        advice="Look at which cluster moves them (cr-audit winrates).",
        source=f"{_CR}, Definition 4.2",
    ),
    Rule(
        id="CR203",
        name="reward-leader-changes",
        severity=Severity.ERROR,
        summary="Rewards fitted with clone-robust weights put another item first.",
        means=(
            "The reward model that a standard fit of this data gives prefers the wrong item: the"
            " leader owes its place to the near-copies of others."
        ),
        computed=(
            "Both fits of one objective at one penalty on the same resamples. Reported where the"
            " weighted leader is below some item in the standard fit and above it in the weighted"
            " one, in at least the confidence level of the resamples."
        ),
        advice="Train with the weights (cr-audit export), or remove the copies first.",
        source=f"{_CR}, section 4",
    ),
    Rule(
        id="CR204",
        name="reward-ranks-change",
        severity=Severity.WARNING,
        summary="Clone-robust weights change the order of two or more items' rewards.",
        means="As CR203, below the first place.",
        computed=(
            "Items that change sides with another one, both orders holding together in at least the"
            " confidence level of the resamples."
        ),
        advice="Look at which clone cluster explains it (cr-audit refit, Where it comes from).",
        source=f"{_CR}, section 4",
    ),
    Rule(
        id="CR205",
        name="fit-not-converged",
        severity=Severity.WARNING,
        summary="A fit of the rewards stopped before it reached its tolerance.",
        means="The rewards are near the minimum of the objective but not at it.",
        computed="Norm of the moment system (tabular) or of the gradient (linear) at the end.",
        advice="Raise --penalty.",
    ),
    Rule(
        id="CR206",
        name="weighted-fit-predicts-worse",
        severity=Severity.WARNING,
        summary="The weighted rewards predict held-out judgements worse than the standard ones.",
        means=(
            "Where there are clones this can be right: held-out judgements repeat them as well, and"
            " the standard fit is rewarded for that. Where there are few, the weights only put most"
            " of the mass on few responses: the fit then rests on fewer judgements."
        ),
        computed=(
            "Share of held-out judgements with a winner that each fit predicts; reported where the"
            " weighted fit loses a percentage point or more, and more than two standard errors of"
            " the difference."
        ),
        advice=(
            "With few clones, keep the standard fit, or use --weights cluster, which leaves"
            " everything but the clones as it is."
        ),
    ),
    Rule(
        id="CR207",
        name="linear-rewards-unconstrained",
        severity=Severity.WARNING,
        summary="Vectors have as many coordinates as there are responses: linear rewards are free.",
        means=(
            "A linear reward can then take any value at every response, as a reward of its own"
            " would. It says nothing about responses that were not compared, and its agreement with"
            " held-out judgements of such responses is chance."
        ),
        computed="Coordinates of the vectors of prompt and response, in their span, are counted.",
        advice=(
            "Give more responses, or an encoder with shorter vectors (--embeddings); with many"
            " comparisons per response use --reward tabular, which says what it does."
        ),
    ),
    Rule(
        id="CR301",
        name="no-unpenalised-fit",
        severity=Severity.NOTE,
        summary="A Bradley-Terry fit without a penalty would not exist.",
        means=(
            "Some items never lost or never won against the rest: their reward would be infinite,"
            " and what a regularised fit reports for them is set by the penalty."
        ),
        computed=(
            "Ford's condition: within a connected component of the comparison graph, the graph of"
            " wins (ties both ways) must be strongly connected."
        ),
        advice="Do not read reward differences of undefeated or winless items as sizes.",
        source="Ford (1957)",
    ),
    Rule(
        id="CR302",
        name="disconnected",
        severity=Severity.NOTE,
        summary="The comparison graph falls into several components.",
        means="Rewards and ranks are comparable only within a component.",
        computed="Connected components of the graph of comparisons, for the unit of the report.",
        advice="Rank models or clusters instead, or collect comparisons that bridge components.",
    ),
    Rule(
        id="CR303",
        name="one-annotator-dominates",
        severity=Severity.NOTE,
        summary="One annotator gave a large share of the judgements.",
        means="The ranking is largely one person's (or one judge model's) taste.",
        computed="Share of comparisons by the most frequent annotator; reported from 50 % on.",
        advice="Report results with and without this annotator.",
    ),
    Rule(
        id="CR304",
        name="position-bias",
        severity=Severity.WARNING,
        summary="What is shown first wins more (or less) often than half of the time.",
        means="If presentation order is not balanced, the bias enters the ranking.",
        computed=(
            "Decided comparisons with a known order: share won by the first, with a normal"
            " 99.9 % interval that excludes 1/2 by at least 0.02."
        ),
        advice="Balance the presentation orders or judge both orders.",
    ),
    Rule(
        id="CR401",
        name="rows-skipped",
        severity=Severity.WARNING,
        summary="Rows could not be used.",
        means="They are counted under their reason and are in no result.",
        computed="Rows for which the schema gives no comparison, list or rating.",
        advice="Look at the first examples; --schema or --map may read them.",
    ),
    Rule(
        id="CR402",
        name="contradictory-rows",
        severity=Severity.NOTE,
        summary="The same pair was decided both ways by the same source.",
        means="Expected between annotators; from one annotator it is noise.",
        computed="Rows with the same pair and annotator and opposite winners.",
        advice="Keep them (they are evidence about noise) but do not de-duplicate by pair.",
    ),
    Rule(
        id="CR403",
        name="duplicated-rows",
        severity=Severity.NOTE,
        summary="The same judgement stands more than once.",
        means="If these are copies and not repeated judgements, they count double in training.",
        computed="Rows with the same prompt, responses, result and annotator.",
        advice="Remove them unless each is a judgement of its own.",
    ),
    Rule(
        id="CR404",
        name="chosen-equals-rejected",
        severity=Severity.WARNING,
        summary="Both sides of a comparison are the same alternative.",
        means="Some loaders turn a tie into chosen == rejected; such a row says nothing.",
        computed="Equal text, and neither an author nor an identifier tells the sides apart.",
        advice="Find out whether these were ties, and write them as ties.",
    ),
    Rule(
        id="CR405",
        name="empty-answers",
        severity=Severity.NOTE,
        summary="Some responses are empty.",
        means="They take part in comparisons as the empty answer they are.",
        computed="Responses without a character besides white space.",
        advice="Check whether the answer was lost on the way.",
    ),
    Rule(
        id="CR501",
        name="weights-collapsed",
        severity=Severity.WARNING,
        summary="The weights rest on few alternatives.",
        means="The effective number 1/sum(w^2) is below 10 % of the items.",
        computed="Effective number of the estimated weights.",
        advice="Use --space sphere, or --weights sharing.",
    ),
    Rule(
        id="CR502",
        name="space-excludes-data",
        severity=Severity.WARNING,
        summary="The sampling space does not contain the embeddings.",
        means="Cells outside the space have volume 0; weights depend on signs and rotation.",
        computed="Share of alternatives outside the box.",
        advice="Use --space sphere.",
        source=f"{_CR}, section 5 uses the unit cube",
    ),
    Rule(
        id="CR503",
        name="weights-equal-uniform",
        severity=Severity.NOTE,
        summary="The weights equal uniform weights: nothing is corrected.",
        means="Weighted and standard results are the same by construction.",
        computed="Largest deviation from 1/m within three standard errors.",
        advice="Use --space sphere, or a scope with more than two alternatives.",
    ),
    Rule(
        id="CR504",
        name="precision-not-reached",
        severity=Severity.NOTE,
        summary="Single weights are less precise than asked for.",
        means="Sums over clusters and win rates are more precise than single weights.",
        computed="Relative standard error of a weight of 1/m, against --precision.",
        advice="Read cluster masses, not single weights; or raise --max-samples.",
    ),
    *GATE_RULES,
)

BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}

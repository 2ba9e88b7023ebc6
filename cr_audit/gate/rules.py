"""CR601-CR617: what ``cr-audit gate`` can say about a batch. Severities are the default profile's;
a policy changes them.
"""

from __future__ import annotations

from cr_audit.findings import Rule, Severity

_CR = "Clone-Robust AI Alignment, arXiv 2501.09254"
_NOISE = (
    "Paired multiplier bootstrap over the rows (or annotators, or prompts): old rows get the same"
    " multiplier before and after. Bonferroni over the items that the batch touches."
)

GATE_RULES: tuple[Rule, ...] = (
    Rule(
        id="CR601",
        name="batch-rows-unreadable",
        severity=Severity.WARNING,
        summary="Rows of the batch could not be used.",
        means="They are in no result; if they are many, what was judged is not what was collected.",
        computed="Share of the batch's rows without use, above thresholds.unreadable-share.",
        advice="Mend the rows named; above max-unreadable the batch is refused (exit 3).",
    ),
    Rule(
        id="CR602",
        name="contradicts-baseline",
        severity=Severity.ERROR,
        summary="The batch decides known pairs the other way round, more often than the baseline"
        " contradicts itself.",
        means="Labels may be flipped, the guidelines may have changed, or annotators differ.",
        computed=(
            "Decided rows of the batch whose pair (clones count as one) has a majority in the"
            " baseline: the share that goes against it, beside the share expected of the same pairs"
            " (beta-binomial, as scattered as the baseline's own repeated judgements). One-sided"
            " test, exact up to 20,000 rows, and an excess above thresholds.contradiction-excess."
        ),
        advice="Look at the first rows: are the two sides swapped?",
    ),
    Rule(
        id="CR603",
        name="repeats-baseline",
        severity=Severity.WARNING,
        summary="The batch holds judgements that the baseline holds already.",
        means="If the file was merged before, merging it again counts every judgement twice.",
        computed="Rows with the same pair, result, annotator and order as a row of the baseline.",
        advice="Find out whether the batch, or a part of it, is in the baseline.",
    ),
    Rule(
        id="CR604",
        name="clones-of-baseline",
        severity=Severity.WARNING,
        summary="The batch adds near-copies of responses that the baseline holds.",
        means="Whoever beats the copied response is counted once more per copy.",
        computed="Clone clusters (rule CR101) with members in the baseline and new ones.",
        advice=(
            "Drop the rows of the copies, or give each copy the text and model name of the response"
            " to the same prompt that it repeats; or train with clone-robust weights."
        ),
        source=f"{_CR} (approximate clones)",
    ),
    Rule(
        id="CR605",
        name="clones-within-batch",
        severity=Severity.NOTE,
        summary="The batch holds near-copies of its own responses.",
        means="As CR604, for responses that are all new.",
        computed="Clone clusters (rule CR101) whose members are all new.",
        advice=(
            "Keep one of them; drop the rows of the others, or give those to the same prompt its"
            " text and model name."
        ),
        source=f"{_CR} (approximate clones)",
    ),
    Rule(
        id="CR606",
        name="clone-rate-rises",
        severity=Severity.ERROR,
        summary="New responses are copies more often than the baseline's are.",
        means="The batch was not drawn as the baseline was: something in it repeats.",
        computed=(
            "Two shares, of responses with a near-copy under their prompt and of responses that"
            " repeat one answer under many prompts, among the new ones and among the old ones;"
            " beta-binomial, as the baseline's prompts differ, and a known prompt by its own share;"
            " exact up to 20,000 responses, one-sided, at half the level each; and at least"
            " thresholds.new-copies of them."
        ),
        advice=(
            "Drop the rows of the copies that CR604 and CR605 name, or keep one of each;"
            " `cr-audit clones` on baseline and batch shows them."
        ),
        source=f"{_CR} (approximate clones)",
    ),
    Rule(
        id="CR607",
        name="cluster-outgrows",
        severity=Severity.ERROR,
        summary="One cluster of copies is a much larger share of the batch than of the baseline.",
        means="One answer gets many entries: whoever meets it is judged by it.",
        computed=(
            "At least thresholds.new-copies new members; their share of the batch's new responses"
            " (to the prompt; for an answer under many prompts, of all) exceeds the cluster's share"
            " in the baseline by more than thresholds.cluster-gain; and"
            " at the rate at which the baseline's responses have copies this many would be chance"
            " with a probability below the level."
        ),
        advice=(
            "Drop the rows of the copies, or keep one per prompt; `cr-audit clones` on baseline and"
            " batch shows them."
        ),
        source=f"{_CR} (approximate clones)",
    ),
    Rule(
        id="CR608",
        name="clones-move-leader",
        severity=Severity.ERROR,
        summary="Another item leads after the batch, and only clones explain it.",
        means="The standard ranking turns because of copies: the clone-robust one does not turn, or"
        " the turn is gone without the new copies.",
        computed=f"Turn of the first place by average win rate. {_NOISE}",
        advice=(
            "Do not merge before the rows of the copies are dropped, or each copy has the text and"
            " model name of the response it repeats; `cr-audit clones` on baseline and batch shows"
            " them."
        ),
        source=f"{_CR}, Definitions 2.4 and 4.2",
    ),
    Rule(
        id="CR609",
        name="leader-moves",
        severity=Severity.WARNING,
        summary="Another item leads after the batch; clones do not explain it.",
        means="The batch brings evidence that turns the first place.",
        computed=f"Turn of the first place by average win rate. {_NOISE}",
        advice="Read who judged the batch and which opponents it brings.",
    ),
    Rule(
        id="CR610",
        name="clones-move-ranks",
        severity=Severity.WARNING,
        summary="Items change order, and only clones explain it.",
        means="As CR608, below the first place.",
        computed=f"Turned pairs by average win rate that stand by the weighted one. {_NOISE}",
        advice="Look at the clusters under CR604 and CR607.",
        source=f"{_CR}, Definition 4.2",
    ),
    Rule(
        id="CR611",
        name="ranks-move",
        severity=Severity.NOTE,
        summary="Items change order beyond noise.",
        means="The batch brings evidence about their order.",
        computed=f"Turned pairs by average and weighted win rate. {_NOISE}",
        advice="Nothing, if the batch was collected as the baseline was.",
    ),
    Rule(
        id="CR612",
        name="win-rates-move",
        severity=Severity.WARNING,
        summary="Average win rates of old items move beyond noise.",
        means="The batch's opponents or annotators differ from the baseline's.",
        computed=f"Change above thresholds.win-rate-change and beyond noise. {_NOISE}",
        advice="Compare who was compared with whom, and by whom.",
    ),
    Rule(
        id="CR613",
        name="graph-weakens",
        severity=Severity.WARNING,
        summary="The comparison graph was whole and is not after the batch.",
        means="New items cannot be ranked against the old ones, or a fit without penalty is lost.",
        computed="Connected components and Ford's condition before and after, for the main unit.",
        advice="Collect comparisons between new and old items.",
    ),
    Rule(
        id="CR614",
        name="annotator-dominates-batch",
        severity=Severity.WARNING,
        summary="One annotator gave a large share of the batch, unlike in the baseline.",
        means="The batch is largely one person's (or one judge model's) taste.",
        computed="Share of the batch's rows from thresholds.dominant-share on, more than the"
        " baseline's largest share by a binomial test.",
        advice="Report results with and without this annotator.",
    ),
    Rule(
        id="CR615",
        name="prompt-dominates-batch",
        severity=Severity.NOTE,
        summary="One prompt takes a large share of the batch, unlike in the baseline.",
        means="The batch says much about one prompt and little about the rest.",
        computed="As CR614, for prompts.",
        advice="Check that the batch was meant to cover one prompt.",
    ),
    Rule(
        id="CR616",
        name="waiver-expired",
        severity=Severity.WARNING,
        summary="A waiver in the policy has run out.",
        means="It waives nothing any more.",
        computed="Its last day lies before today (or before --today).",
        advice="Renew it with a new reason, or delete it.",
    ),
    Rule(
        id="CR617",
        name="waiver-unused",
        severity=Severity.NOTE,
        summary="A waiver in the policy matches no finding.",
        means="What it was written for is gone, or its pattern is wrong.",
        computed="No finding of this run matches its globs.",
        advice="Delete it.",
    ),
)

"""The words of the reports, each in a sentence or two. docs/glossary.md is made from here."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "alternative": "One thing that can be preferred: a response to a prompt, a model, or a cluster"
    " of near-clones.",
    "annotator": "Who made a judgement: a person, or a model that judges.",
    "apart": "The largest distance between two members of a clone cluster, from 0 (the same words)"
    " to 1 (no word in common).",
    "baseline": "In a gate: the data that a batch would join.",
    "batch": "In a gate: the new rows that are judged.",
    "boilerplate": "One answer that stands, word for word or nearly, under many different prompts.",
    "bootstrap": "The same computation on many resamples of the data; how much results scatter is"
    " their sampling error.",
    "borda": "The sum of an item's win rates against all others; divided by their number it is the"
    " average win rate.",
    "choice set": "A list of two or more alternatives: one was chosen, or they were ranked.",
    "clone": "A copy: two responses to one prompt most of whose words and word pairs are the same.",
    "cluster": "Two or more clones, every two of them within the radius.",
    "comparison": "One judgement between two alternatives: one of them won, or they tied.",
    "component": "Items that are connected by comparisons. Ranks and rewards can be compared only"
    " within one.",
    "confidence level": "The share of repetitions in which an interval holds the true value, or in"
    " which a change that is not there is not flagged.",
    "dichotomy": "Annotators who want one kind and take any member of it: how many of the kind are"
    " offered does not matter (slope 0, against 1 under IIA).",
    "distance": "One minus the share of words and adjacent word pairs that two texts have in common"
    " (Jaccard).",
    "effective number": "1 / (sum of squared weights): how many equally weighted items would be as"
    " many.",
    "family": "One thing to audit, with its facts, rules and tables: clones, weights, rankings,"
    " rewards and so on.",
    "finding": "What a rule says about the data: how bad, about what, on which evidence, and what"
    " to do.",
    "fingerprint": "What identifies a finding across runs: its rule and its subject, not its line.",
    "flagged": "Marked as more than noise at the confidence level.",
    "graph of meaning": "Each different response joined to those whose vectors are nearest; kinds"
    " of answer and the map are made from it.",
    "hub": "In the graph of meaning: a response that is among the nearest of very many others.",
    "iia": "Independence of irrelevant alternatives: how two members of a list compare does not"
    " depend on what else the list offers.",
    "kind of prompt": "Prompts that are near each other in meaning and that halves of the data find"
    " again; the same search as for kinds of answer.",
    "known": "In a gate: a finding that an earlier run wrote down; it is told and does not fail.",
    "link": "The weakest link of a clone cluster: the longest step needed to reach every member"
    " from another.",
    "list": "A choice set as it stands in the data: one or several chosen, or a ranking, among two"
    " or more members.",
    "loose": "Clones within a wider radius than near ones; facts, never findings.",
    "mass": "How much one row, or the items of one cluster, count together.",
    "medoid": "The most typical member of a cluster: the one nearest to all others.",
    "model": "The system that wrote a response; also the encoder that turns texts into vectors"
    " (--model).",
    "near": "Within the radius of each other.",
    "nest": "Kinds that compete with each other first; λ says how far: 1 as IIA has it, towards 0"
    " the more they take from each other.",
    "opponents": "How many other items an item was compared with.",
    "penalty": "What keeps rewards finite and small; the strength of the pull towards 0 (lambda).",
    "policy": "In a gate: what is looked at, how strictly, and what fails.",
    "prompt": "What was asked.",
    "radius": "The distance up to which two texts count as clones.",
    "recall": "The share of the near pairs in a sample that the search found.",
    "response": "An answer to a prompt.",
    "reward": "The log-odds with which an alternative is preferred, as fitted to the comparisons.",
    "rule": "One thing that can be found, with a number (CR101) and a name (near-clones).",
    "scheme": "A way to weigh alternatives: voronoi, sharing, cluster, kinds or uniform.",
    "scope": "What is weighed together: the responses to one prompt, or the whole data set.",
    "sharing": "A weighting scheme: an item's weight is divided by how many items are near it, so"
    " that copies and near neighbours share one vote.",
    "shift": "By how much weighting changes a win rate or a reward.",
    "slope": "By how much the log-odds of the chosen kind rise with ln(k₁/k₂), the numbers offered"
    " of either kind: 1 under IIA, 0 under a dichotomy.",
    "strength": "Of sharing: how much neighbours count beside clones, from 0 (not at all) to 1.",
    "sure": "1 minus the smallest false-discovery rate at which a change of sides is marked: of the"
    " items with at least this value, at most the rest is expected to be chance.",
    "tie": "A comparison that nobody won; it counts half for each side.",
    "undefeated": "Items that never lost: without a penalty their reward would be infinite.",
    "unit": "What is ranked: responses, models or clusters.",
    "verdict": "In a gate: may the batch be merged, and why not.",
    "voronoi": "A weighting scheme: an item's weight is the share of the sphere of directions that"
    " is nearer to its vector than to any other.",
    "waiver": "In a gate: a finding that somebody accepted, with a reason, an owner and an end.",
    "weight": "How much an alternative counts; all weights together make 1.",
    "width": "Of sharing: the distance within which neighbours share a vote.",
    "win rate": "The share of comparisons that an item wins, averaged over its opponents; a tie"
    " counts half.",
    "winless": "Items that never won.",
    "workers": "Threads or processes that compute at the same time; results do not depend on how"
    " many.",
}

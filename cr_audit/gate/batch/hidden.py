"""Responses of a batch whose text a page does not show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.clones.rendered import MUCH_HIDDEN, hidden_share
from cr_audit.findings import Finding, Severity
from cr_audit.gate.boundaries import at_least, beyond_chance
from cr_audit.gate.growth import rate_of
from cr_audit.gate.naming import response
from cr_audit.gate.rule import GateRule, Question
from cr_audit.gate.subjects import new_rows, subject_of
from cr_audit.wording import percent, plural, verb


def _hidden(q: Question) -> Iterator[Finding]:
    effect = q.effect
    data = effect.after.dataset
    texts = data.alternatives["text"].to_list()

    def shares(of: IntArray) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return hidden_share([texts[i] or "" for i in of.tolist()])

    fresh = np.flatnonzero(effect.is_new)
    share = shares(fresh)
    much = share >= MUCH_HIDDEN
    if not at_least(int(much.sum()), q.policy.thresholds.hidden_responses):
        return
    clones, group = effect.after.clones, data.prompt_of
    if not isinstance(clones, NotApplicable):
        group = clones.prompt_labels.labels[group]
    before = shares(effect.old) >= MUCH_HIDDEN
    rate = rate_of(before, group[effect.old], much, group[fresh])
    if not beyond_chance(rate.p_value, q.policy.confidence_level):
        return
    members = fresh[np.argsort(-share, kind="stable")][: int(much.sum())]
    n, first = members.size, int(members[0])
    yield HIDDEN.finding(
        f"{n:,} of the batch's {plural(fresh.size, 'new response')} {verb(n, 'is', 'are')} for the"
        f" most part text that no reader sees ({percent(n / fresh.size)}; in the baseline"
        f" {percent(rate.n_copied_old / rate.n_old)}): {response(effect, first)}",
        subject_of("hidden", (data.alternatives["id"][i] for i in members.tolist())),
        {
            "n_hidden_new": n,
            "n_new": int(fresh.size),
            "n_hidden_old": rate.n_copied_old,
            "n_old": rate.n_old,
            "largest_share": float(share.max()),
            "expected": rate.expected,
            "p_value": rate.p_value,
        },
        new_rows(effect, members),
    )


HIDDEN = GateRule(
    id="CR619",
    name="hidden-content",
    severity=Severity.WARNING,
    lenient=Severity.NOTE,
    strict=Severity.ERROR,
    summary="New responses consist for the most part of text that no reader sees.",
    means=(
        "Comments, attributes, elements that are not shown or characters that draw nothing: they"
        " make copies look different, and speak to models that read the source."
    ),
    computed=(
        "Responses of which at least half of the letters and digits are not on the page that their"
        " Markdown and HTML make, at least thresholds.hidden-responses of them, and more than the"
        " baseline's prompts hold (beta-binomial, as CR606)."
    ),
    advice="Look at the source of the responses; take what is hidden out, or the rows.",
    source="the gate's own rule; docs/disguises.md",
    thresholds=("hidden_responses",),
    sums=True,
    judge=_hidden,
)

RULES = (HIDDEN,)

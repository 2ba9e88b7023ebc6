"""New answers that retell others in words of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding, Severity
from cr_audit.gate.boundaries import at_least, beyond_chance
from cr_audit.gate.naming import response, to_prompt
from cr_audit.gate.rule import GateRule, Question
from cr_audit.gate.subjects import new_rows, subject_of
from cr_audit.wording import plural

N_TESTS = 2
"""Within prompts and across them."""


def _retold(q: Question) -> Iterator[Finding]:
    effect, found = q.effect, q.effect.paraphrases
    if isinstance(found, NotApplicable):
        return
    ids = effect.after.dataset.alternatives["id"]
    for name, test in (("within prompts", found.within), ("across prompts", found.across)):
        if isinstance(test, NotApplicable):
            continue
        for group in test:
            if not at_least(group.new.size, q.policy.thresholds.new_copies):
                continue
            if not beyond_chance(group.p_value, q.policy.confidence_level, N_TESTS):
                continue
            others = "each other"
            if group.old.size:
                others = f"{plural(group.old.size, 'baseline response')} or each other"
            yield RETOLD.finding(
                f"{group.new.size:,} of {plural(group.n_new, 'new response')}"
                f"{to_prompt(effect, group.first)} say what {others} say, in other words:"
                f" {response(effect, group.first)}",
                subject_of("retold", (ids[i] for i in np.sort(group.new).tolist())),
                {
                    "n_new": int(group.new.size),
                    "n_old": int(group.old.size),
                    "n_new_to_prompt": group.n_new,
                    "n_old_to_prompt": group.n_old,
                    "score": group.score,
                    "p_value": group.p_value,
                    "test": name,
                },
                new_rows(effect, group.new),
            )


RETOLD = GateRule(
    id="CR621",
    name="new-responses-retell",
    severity=Severity.ERROR,
    summary="New responses to a prompt say the same in other words, more than a random part would.",
    means=(
        "Paraphrases of one answer count whoever beat it once more each, like copies, and no test"
        " on words sees them."
    ),
    computed=(
        "How near each response is in meaning to the nearest other one to its prompt (sentences"
        " aligned in order), copies in words aside; whether the new ones are the near ones more"
        " often than a random draw within the prompt, and whether new prompts are so more often"
        " than old ones. Both exact under a random split, at half the level each; and at least"
        " thresholds.new-copies of them (docs/gate.md)."
    ),
    advice="Read the responses side by side; keep one of those that say the same.",
    source="the gate's own rule; docs/clones.md, Paraphrases",
    thresholds=("new_copies",),
    sums=True,
    judge=_retold,
)

RULES = (RETOLD,)

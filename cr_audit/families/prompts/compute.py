"""From a run to the facts about its kinds of prompt."""

from __future__ import annotations

from cr_audit.analysis.facts import NamedKinds
from cr_audit.analysis.kinds import prompt_kinds_of
from cr_audit.arrays import NotApplicable
from cr_audit.families.prompts.facts import PromptFacts
from cr_audit.run import Run


def compute(run: Run) -> PromptFacts:
    """A promise of the kinds of prompt, which are looked for when somebody asks."""
    a = run.analysis

    def look() -> NamedKinds | NotApplicable:
        run.progress("finding kinds", 0, 0)
        return prompt_kinds_of(a.dataset, a.settings, a.embedding, a.prompt_graph, run.kept)

    return PromptFacts(a, run.later(look))

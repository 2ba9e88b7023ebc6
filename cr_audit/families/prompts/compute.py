"""From a run to the facts about its kinds of prompt."""

from __future__ import annotations

from cr_audit.families.prompts.facts import PromptFacts
from cr_audit.run import Run


def compute(run: Run) -> PromptFacts:
    """A promise of the kinds of prompt, which are looked for when somebody asks."""
    return PromptFacts(run.analysis, run.kept, lambda: run.progress("finding kinds", 0, 0))

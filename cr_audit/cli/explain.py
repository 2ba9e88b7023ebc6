"""``cr-audit explain RULE``: what a rule means, how it is computed, what to do."""

from __future__ import annotations

import difflib
from typing import Annotated

import typer

from cr_audit.errors import UsageError


def explain(
    rule: Annotated[
        str | None, typer.Argument(help="A rule's id or name; without it, all rules are listed.")
    ] = None,
) -> None:
    """What a rule means, how it is computed, and what to do.

    Examples: cr-audit explain CR101 · cr-audit explain leader-changes · cr-audit explain
    """
    from cr_audit.audits.rules import BY_ID, RULES
    from cr_audit.report.rule_pages import rule_list, rule_text
    from cr_audit.report.screen import Screen

    if rule is None:
        typer.echo(rule_list(RULES, Screen.of_stdout()), nl=False)
        return
    found = BY_ID.get(rule.upper()) or next((r for r in RULES if r.name == rule.lower()), None)
    if found is None:
        digits = rule.upper().translate(str.maketrans("OIL", "011"))  # CR1O1 is CR101
        near = difflib.get_close_matches(digits, BY_ID, n=1) or difflib.get_close_matches(
            rule.lower(), [r.name for r in RULES], n=1
        )
        raise UsageError(
            "unknown-rule",
            f"there is no rule {rule!r}",
            next_step=(f"did you mean {near[0]}? " if near else "")
            + "`cr-audit explain` lists all rules",
        )
    typer.echo(rule_text(found, Screen.of_stdout()), nl=False)

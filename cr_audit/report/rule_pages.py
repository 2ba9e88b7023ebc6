"""What ``cr-audit explain`` prints for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from cr_audit.findings import Rule
from cr_audit.report.screen import SEVERITY_STYLE, Screen, data_table, heading, to_text


def rule_text(rule: Rule, screen: Screen) -> str:
    """One rule in full, for ``cr-audit explain``."""
    parts: list[RenderableType] = [
        Text.assemble(
            (rule.id, "bold"),
            "  ",
            (rule.name, "bold"),
            "  ",
            (str(rule.severity), SEVERITY_STYLE[rule.severity]),
        ),
        Text(rule.summary),
    ]
    for title, body in (
        ("What it means", rule.means),
        ("How it is computed", rule.computed),
        ("What to do", rule.advice),
        ("Source", rule.source),
    ):
        if body:
            parts += [heading(title), Padding(Text(body), (0, 0, 0, 2))]
    return to_text(Group(*parts), Screen(min(screen.width, 88), screen.colour))


def rule_list(rules: Sequence[Rule], screen: Screen) -> str:
    """All rules, one per line."""
    table = data_table()
    table.add_column("rule", min_width=5, no_wrap=True)
    table.add_column("name")
    table.add_column("severity", min_width=8, no_wrap=True)
    table.add_column("finds", ratio=1)
    for rule in rules:
        table.add_row(
            rule.id,
            rule.name,
            Text(str(rule.severity), style=SEVERITY_STYLE[rule.severity]),
            rule.summary,
        )
    return to_text(Group(table, Text("cr-audit explain CR101 says more", style="dim")), screen)

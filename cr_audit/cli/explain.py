"""``cr-audit explain RULE|WORD``: what a rule or a word means, how it is computed, what to do."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated

import typer

from cr_audit.errors import UsageError

if TYPE_CHECKING:
    from cr_audit.blocks import Block
    from cr_audit.findings import Rule


def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="RULE|WORD",
            help="A rule's id or name, or a word of the reports; without it, all are listed.",
        ),
    ] = None,
) -> None:
    """What a rule or a word means, how it is computed, and what to do.

    \b
    Examples:
      cr-audit explain CR101
      cr-audit explain leader-changes
      cr-audit explain sharing
    """
    from cr_audit.files import write_stdout
    from cr_audit.write import Target
    from cr_audit.write.terminal import target_of_stdout, write_blocks

    target = target_of_stdout()
    blocks = list_blocks() if name is None else _about(name)
    width = target.width if name is None else min(target.width, 88)
    write_stdout(write_blocks(blocks, Target(width, target.colour)), people=True)


def known_rules() -> tuple[Rule, ...]:
    """Every rule, of families and of the gate, by id."""
    from cr_audit.families import all_rules
    from cr_audit.gate.rules import gate_rules

    return tuple(sorted((*all_rules(), *gate_rules()), key=lambda r: r.id))


def _about(name: str) -> list[Block]:
    from cr_audit.glossary import WORDS

    rules = known_rules()
    by_id = {r.id: r for r in rules}
    rule = by_id.get(name.upper()) or next((r for r in rules if r.name == name.lower()), None)
    if rule is not None:
        return rule_blocks(rule)
    word = name.lower().replace("_", " ").replace("-", " ")
    if word in WORDS:
        return _word(word)
    digits = name.upper().translate(str.maketrans("OIL", "011"))  # CR1O1 is CR101
    near = difflib.get_close_matches(digits, by_id, n=1) or difflib.get_close_matches(
        name.lower(), [*(r.name for r in rules), *WORDS], n=1
    )
    raise UsageError(
        "unknown-rule",
        f"there is no rule or word {name!r}",
        next_step=(f"did you mean {near[0]}? " if near else "")
        + "`cr-audit explain` lists all of them",
    )


def rule_blocks(rule: Rule) -> list[Block]:
    """One rule in full."""
    from cr_audit.blocks import Prose, Section, Span

    head = (
        Span(rule.id, "strong"),
        "  ",
        Span(rule.name, "strong"),
        "  ",
        Span(str(rule.severity), rule.severity.value),
    )
    out: list[Block] = [Prose((head, rule.summary))]
    for title, body in (
        ("What it means", rule.means),
        ("How it is computed", rule.computed),
        ("What to do", rule.advice),
        ("Source", rule.source),
    ):
        if body:
            out.append(Section(title, "", (Prose((body,), indent=2),)))
    return out


def _word(word: str) -> list[Block]:
    from cr_audit.blocks import Prose, Span
    from cr_audit.glossary import WORDS

    return [Prose(((Span(word, "strong"), "  ", WORDS[word]),))]


def list_blocks() -> list[Block]:
    """Every rule and every word that ``explain`` knows, as tables."""
    from cr_audit.blocks import Cell, Column, Prose, Section, Table
    from cr_audit.glossary import WORDS

    table = Table.of(
        (
            Column("rule", "id"),
            Column("name", "id"),
            Column("severity", "id"),
            Column("finds", share=1),
        ),
        [
            (
                Cell(r.id),
                Cell(r.name),
                Cell(str(r.severity), tone=r.severity.value),
                Cell(r.summary),
            )
            for r in known_rules()
        ],
        name="rules",
        legend="cr-audit explain CR101 says more",
    )
    return [table, Section("Words", "", (Prose((", ".join(WORDS),), indent=2),))]

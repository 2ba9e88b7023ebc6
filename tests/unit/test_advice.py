"""What a rule advises can be done: every command and option that it names exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.main import get_command

from cr_audit.cli.app import commands as declared
from cr_audit.cli.app import make_app
from cr_audit.cli.explain import known_rules
from cr_audit.findings import Rule
from cr_audit.settings import SETTINGS

COMMAND = re.compile(r"cr-audit ([a-z]+)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
CALL = re.compile(r"cr-audit ([a-z]+)((?: --[a-z][a-z-]*(?: \w+(?:\.\w+)*)?)+)")
"""A command with its options, each with one word after it at most."""


CHOICES = {
    (c.name, flag): o.choices() if callable(o.choices) else o.choices
    for c in declared()
    for o in (*c.options, *SETTINGS.values())
    for flag in (getattr(o, "flags", ()) or (f"--{o.name.replace('_', '-')}",))
    if o.kind == "choice"
}
"""(command, option) -> what it may be."""


def commands() -> dict[str, Any]:
    known: dict[str, Any] = get_command(make_app()).commands  # type: ignore[attr-defined]
    return known


def options(command: Any) -> dict[str, Any]:
    return {n: o for o in command.params for n in (*o.opts, *o.secondary_opts)}


@pytest.mark.parametrize("rule", known_rules(), ids=lambda r: r.id)
def test_advice_names_commands_and_options_that_exist(rule: Rule) -> None:
    known = {name: options(command) for name, command in commands().items()}
    every = {n for of in known.values() for n in of}
    for text in (rule.advice, rule.means, rule.computed):
        assert set(COMMAND.findall(text)) <= set(known), text
        assert set(OPTION.findall(text)) <= every, text
        assert "exported weights" not in text or "cr-audit export" in text, text
        for name, said in CALL.findall(text):
            words = said.split()
            for at, word in enumerate(words):
                if not word.startswith("--"):
                    continue
                assert word in known[name], f"{name} has no {word}: {text}"
                after = words[at + 1 : at + 2]
                if after and not after[0].startswith("--") and (name, word) in CHOICES:
                    assert after[0] in CHOICES[name, word], text


def test_the_rules_call_commands_with_options() -> None:
    """Or the test above would hold of nothing."""
    said = [t for r in known_rules() for t in (r.advice, r.means, r.computed)]
    assert sum(len(CALL.findall(t)) for t in said) >= 5
